"""CCS against a plain loop of one restart after another, written from the formulas; and L-BFGS against AdamW."""

import numpy as np
import pytest
import torch

from gnomon.errors import UsageError
from gnomon.knowledge import planted_pairs
from gnomon.knowledge._normalize import normalizer
from gnomon.knowledge.probes.ccs import CCS, starts


def plain_loop(Z, start, epochs, kind):
    """One restart: a linear layer, autograd, torch's AdamW. Gives the loss at the last parameters."""
    plus, minus = (torch.tensor(Z[:, side], dtype=kind) for side in (0, 1))
    layer = torch.nn.Linear(Z.shape[2], 1, dtype=kind)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(start[None, :-1]))
        layer.bias.copy_(torch.tensor(start[-1:]))
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.01, weight_decay=0.01)

    def loss():
        p, q = torch.sigmoid(layer(plus)), torch.sigmoid(layer(minus))
        return ((p - (1 - q)) ** 2).mean() + (torch.min(p, q) ** 2).mean()

    for _ in range(epochs):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        return float(loss())


def normalised(X):
    t = np.zeros(len(X))
    return normalizer("mean+norm").fit(X, t).transform(X, t)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("truth", [1.0, 6.0])
def test_every_restart_ends_with_the_loss_of_the_plain_loop(kind, truth):
    X = planted_pairs(120, 20, truth=truth, seed=2).X
    probe = CCS(mode="paper", restarts=4, seed=3, dtype=kind, epochs=1000).fit(X)
    for start, loss in zip(starts(3, 4, 21), probe.losses_.sum(1), strict=True):
        assert loss == pytest.approx(plain_loop(normalised(X), start, 1000, getattr(torch, kind)), abs=1e-5)


def test_many_problems_at_once_end_as_the_plain_loop_does():
    problems = [planted_pairs(80, 12, truth=2.0, seed=seed).X for seed in range(3)]
    probes = CCS(mode="paper", restarts=2, dtype="float64", epochs=300).fit_layers(problems)
    for X, probe in zip(problems, probes, strict=True):
        for start, loss in zip(starts(0, 2, 13), probe.losses_.sum(1), strict=True):
            assert loss == pytest.approx(plain_loop(normalised(X), start, 300, torch.float64), abs=1e-5)


@pytest.mark.parametrize("truth", [0.5, 2.0, 6.0])
@pytest.mark.parametrize(("n", "d"), [(200, 16), (60, 100)])
def test_lbfgs_reaches_a_loss_at_least_as_low(truth, n, d):
    X = planted_pairs(n, d, truth=truth, seed=4).X
    fast, slow = CCS().fit(X), CCS(mode="paper").fit(X)
    assert fast.loss_ <= slow.loss_ + 1e-4


def test_more_dimensions_than_rows_are_reduced_exactly():
    """The same loss as with the reduction switched off by a rotation that leaves d at 2 n."""
    X = planted_pairs(15, 100, truth=4.0, seed=5).X
    probe = CCS(restarts=3, dtype="float64").fit(X)
    t = np.zeros(15)
    Z = probe.normalizer_.transform(X, t)
    for theta, parts in zip(probe.thetas_, probe.losses_, strict=True):
        p, q = (1 / (1 + np.exp(-(Z[:, side] @ theta[:-1] + theta[-1]))) for side in (0, 1))
        assert parts[0] == pytest.approx(np.mean((p + q - 1) ** 2), abs=1e-6)
        assert parts[1] == pytest.approx(np.mean(np.minimum(p, q) ** 2), abs=1e-6)


def test_a_distractor_can_win_over_the_truth():
    """Theorem 1 of Farquhar et al.: any two-valued feature has a loss near zero, and the strongest one is found."""
    pairs = planted_pairs(400, 16, truth=1.0, distractor=8.0, seed=1)
    probe = CCS().fit(pairs.X)
    said = probe.predict(pairs.X)
    assert max(np.mean(said == pairs.distractor), np.mean(said != pairs.distractor)) > 0.95
    assert probe.loss_ < 0.05


def test_starts_lie_on_the_unit_sphere():
    assert np.allclose(np.linalg.norm(starts(0, 5, 9), axis=1), 1)
    assert np.array_equal(starts(0, 5, 9)[:2], starts(0, 2, 9))
    assert not np.allclose(starts(0, 2, 9), starts(1, 2, 9))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mode": "adam"}, "mode='adam'"),
        ({"restarts": 0}, "restarts=0"),
        ({"dtype": "float16"}, "dtype='float16'"),
        ({"normalize": "meen"}, "Did you mean 'mean'"),
    ],
)
def test_wrong_parameters_are_refused_in_a_sentence(wrong, words):
    with pytest.raises(UsageError, match=words):
        CCS(**wrong).fit(planted_pairs(20, 4).X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((5, 3, 2)), "shape"),
        (np.zeros((5, 2)), "shape"),
        (np.ones((1, 2, 3)), "at least 2 pairs"),
        (np.where(np.arange(24).reshape(4, 2, 3) == 7, np.nan, 1.0), "pair 1 holds a value that is not finite"),
    ],
)
def test_what_is_no_set_of_pairs_is_refused_in_a_sentence(X, words):
    with pytest.raises(UsageError, match=words):
        CCS().fit(X)
