"""Losses against by-hand oracles, finite differences, and the edge cases that a correct implementation passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.supervision._loss import Step, cross_entropy, harden, log_odds, loss_named, registry

RNG = np.random.default_rng(0)


def batch(n=32, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(n, 2)), dtype=torch.float64), torch.tensor(rng.random(n), dtype=torch.float64)


def by_hand(logits, target):
    """Mean cross-entropy with Python's own mathematics."""
    total = 0.0
    for (zero, one), t in zip(logits.tolist(), target.tolist(), strict=True):
        norm = math.log(math.exp(zero) + math.exp(one))
        total += -t * (one - norm) - (1 - t) * (zero - norm)
    return total / len(target)


def hardened_by_hand(odds, weak):
    """The highest round(sum of weak labels) odds become 1; of equals the first."""
    wanted = round(sum(weak))
    order = sorted(range(len(odds)), key=lambda row: (-odds[row], row))
    return [1.0 if row in order[:wanted] else 0.0 for row in range(len(odds))]


def test_every_loss_is_registered_and_gives_one_number_a_head():
    assert registry.names() == ["confidence", "entropy", "logconf", "product", "released", "window", "xent"]
    logits, weak = batch()
    for name in registry.names():
        one = loss_named(name)(logits, weak, Step(50, 100))
        many = loss_named(name)(logits.expand(3, -1, -1), weak.expand(3, -1), Step(50, 100))
        assert one.shape == ()
        assert torch.allclose(many, one.expand(3), atol=1e-12)


def test_cross_entropy_is_that_of_the_textbook():
    logits, weak = batch()
    assert float(cross_entropy(logits, weak)) == pytest.approx(by_hand(logits, weak), abs=1e-12)


@pytest.mark.parametrize("number", [0, 5, 10, 20, 60])
def test_the_confidence_loss_is_the_weighted_sum_of_two_cross_entropies(number):
    """Equation 1 of the paper has two terms; one mixed target gives the same to 1e-6."""
    logits, weak = batch(seed=number)
    hard = torch.tensor(hardened_by_hand(log_odds(logits).tolist(), weak.tolist()), dtype=torch.float64)
    a = 0.75 * min(1, number / 20)
    wanted = (1 - a) * by_hand(logits, weak) + a * by_hand(logits, hard)
    assert float(loss_named("confidence@alpha=0.75")(logits, weak, Step(number, 100))) == pytest.approx(
        wanted, abs=1e-6
    )


def test_no_gradient_flows_through_the_hardened_target():
    """Finite differences with the target held fixed equal the gradient."""
    logits, weak = batch(8)
    loss, step = loss_named("confidence@warmup=0@alpha=0.6"), Step(0, 10, batch=8)
    start = logits.clone().requires_grad_()
    loss(start, weak, step).backward()
    hard = harden(log_odds(logits), weak, Step(0, 10, batch=8))
    target = 0.4 * weak + 0.6 * hard
    for row, column in [(0, 0), (3, 1), (7, 0)]:
        shift = torch.zeros_like(logits)
        shift[row, column] = 1e-5
        slope = (cross_entropy(logits + shift, target) - cross_entropy(logits - shift, target)) / 2e-5
        assert float(start.grad[row, column]) == pytest.approx(float(slope), abs=1e-8)


@pytest.mark.parametrize("name", ["confidence@alpha=0", "released@alpha=0", "logconf@alpha=0", "entropy@alpha=0"])
def test_alpha_zero_is_naive_bit_for_bit(name):
    logits, weak = batch()
    mixed, plain = logits.float().requires_grad_(), logits.float().requires_grad_()
    a, b = loss_named(name)(mixed, weak.float(), Step(70, 100)), loss_named("xent")(plain, weak.float(), Step(70, 100))
    a.backward()
    b.backward()
    assert torch.equal(a, b)
    assert torch.equal(mixed.grad, plain.grad)


def test_hardened_labels_are_as_many_as_the_mean_weak_label_says():
    scores = torch.tensor(RNG.normal(size=30))
    weak = torch.full((30,), 0.3, dtype=torch.float64)
    hard = harden(scores, weak, Step(0, 1, batch=30))
    assert int(hard.sum()) == 9
    assert scores[hard == 1].min() > scores[hard == 0].max()


@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, -1.0]), min_size=2, max_size=40), st.floats(0.05, 0.95))
def test_ties_never_make_a_single_class(scores, share):
    weak = torch.full((len(scores),), share, dtype=torch.float64)
    hard = harden(torch.tensor(scores, dtype=torch.float64), weak, Step(0, 1, batch=len(scores)))
    assert int(hard.sum()) == round(float(weak.mean() * len(scores)))
    assert hard.tolist() == hardened_by_hand(scores, weak.tolist()) or abs(sum(weak.tolist()) % 1 - 0.5) < 1e-9


def test_a_batch_of_one_row_borrows_from_those_before_it():
    """With a threshold over one row alone the hardened label would always be the same class."""
    step, found = Step(0, 1, batch=8), []
    for score in RNG.normal(size=200):
        found.append(float(harden(torch.tensor([score]), torch.tensor([0.5], dtype=torch.float64), step)))
    assert 0.35 < np.mean(found) < 0.65
    assert len(step.recent) <= 8


def test_the_first_row_of_all_takes_its_weak_labels_side():
    assert float(harden(torch.tensor([-3.0]), torch.tensor([0.9]), Step(0, 1, batch=8))) == 1.0
    assert float(harden(torch.tensor([3.0]), torch.tensor([0.1]), Step(0, 1, batch=8))) == 0.0


def test_a_last_short_batch_is_ranked_with_the_batch_before():
    step = Step(0, 1, batch=4)
    harden(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.full((4,), 0.5), step)
    assert harden(torch.tensor([9.0, 8.0]), torch.full((2,), 0.5), step).tolist() == [1.0, 1.0]


def test_the_ramp_is_linear_and_the_released_one_jumps():
    assert [Step(n, 100).ramp(0.2) for n in (0, 10, 20, 100)] == [0.0, 0.5, 1.0, 1.0]
    assert Step(0, 100).ramp(0.0) == 1.0
    logits, weak = batch()
    hard = harden(log_odds(logits), weak, Step(0, 1))
    plain, own = by_hand(logits, weak), by_hand(logits, hard)
    share = lambda number: (plain - float(loss_named("released")(logits, weak, Step(number, 100)))) / (plain - own)  # noqa: E731
    assert share(10) == pytest.approx(0.05, abs=1e-9)
    assert share(11) == pytest.approx(0.5, abs=1e-9)


def test_the_product_with_certain_labels_is_cross_entropy_and_with_none_self_training():
    logits, _ = batch()
    hard = torch.tensor(RNG.integers(0, 2, 32), dtype=torch.float64)
    product = loss_named("product")
    assert float(product(logits, hard, Step(0, 1))) == pytest.approx(by_hand(logits, hard), abs=1e-9)
    half = torch.full((32,), 0.5, dtype=torch.float64)
    own = torch.sigmoid(log_odds(logits))
    assert float(product(logits, half, Step(0, 1))) == pytest.approx(by_hand(logits, own), abs=1e-9)
    start = logits.clone().requires_grad_()
    product(start, half, Step(0, 1)).backward()
    assert float(start.grad.abs().max()) < 1e-9


def test_the_product_survives_what_made_the_released_code_give_nan():
    logits = torch.tensor([[0.0, 800.0], [0.0, -800.0]], requires_grad=True)
    value = loss_named("product")(logits, torch.tensor([0.0, 1e-30]), Step(0, 1))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


def test_the_entropy_loss_is_naive_at_a_smaller_rate():
    logits, weak = batch()
    soft, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss_named("entropy@alpha=0.4@warmup=0")(soft, weak, Step(0, 1)).backward()
    loss_named("xent")(plain, weak, Step(0, 1)).backward()
    assert torch.allclose(soft.grad, 0.6 * plain.grad, atol=1e-12)


def test_the_window_looks_at_unsure_rows_alone():
    logits = torch.tensor([[0.0, 0.1], [0.0, 5.0], [0.0, -0.2]], dtype=torch.float64, requires_grad=True)
    weak = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    value = loss_named("window")(logits, weak, Step(0, 1))
    assert float(value.detach()) == pytest.approx(by_hand(logits.detach()[[0, 2]], weak[[0, 2]]), abs=1e-12)
    value.backward()
    assert float(logits.grad[1].abs().sum()) == 0.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("confidance", "Did you mean 'confidence'"),
        ("confidence@alfa=1", "Did you mean 'alpha'"),
        ("confidence@alpha=2", "give a number from 0 to 1"),
        ("confidence@alpha=", "give a number from 0 to 1"),
        ("xent@alpha=0.5", "Known: none"),
    ],
)
def test_a_wrong_loss_is_named(text, says):
    with pytest.raises(UsageError, match=says):
        loss_named(text)
