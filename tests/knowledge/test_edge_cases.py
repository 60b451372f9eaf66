"""Edge cases that a correct implementation of contrast probes passes, by their numbers in the project's fact sheet.

Not here: 9 and 10 (padding, overflow) are in tests/models/test_reader.py, 8 and 10 in a study in test_reading.py; 15
and 18 (wrong labels, groups) in tests/tasks/test_contrast.py and test_plan.py; 19 in a study in test_saved.py.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.knowledge import examine, planted_pairs
from gnomon.knowledge._ccs_core import Objective
from gnomon.knowledge._controls import random_directions
from gnomon.knowledge._fit import fit_grid
from gnomon.knowledge._leace import fit_leace
from gnomon.knowledge._normalize import NORMALIZATIONS, normalizer
from gnomon.knowledge._study import METHODS, method_named
from gnomon.knowledge._zero_shot import calibrated
from gnomon.knowledge.probes.ccs import CCS
from gnomon.knowledge.probes.crc_bss import CRCBSS, bimodality
from gnomon.knowledge.probes.crc_tpc import CRCTPC
from gnomon.knowledge.probes.logistic import Logistic
from gnomon.knowledge.probes.vinc import VINC

LABEL_FREE = [name for name in METHODS if not method_named(name).supervised and name != "random"]
PLANTED = planted_pairs(300, 24, truth=6.0, seed=1)


def loss_of(plus, minus):
    """The CCS loss of one pair with these two probabilities, through the batched objective."""
    logits = np.log([plus, minus]) - np.log1p([-plus, -minus])
    X = torch.tensor([[[logits[0], 1.0], [logits[1], 1.0]]], dtype=torch.float64)
    theta = torch.tensor([[[1.0], [0.0]]], dtype=torch.float64)
    return float(Objective(X, torch.ones(1, 1, dtype=torch.float64))(theta)[0])


def objective(n=20, d=5, seed=0, l2=0.0):
    random = np.random.default_rng(seed)
    X = np.concatenate([random.normal(size=(2, 2 * n, d)), np.ones((2, 2 * n, 1))], axis=2)
    weight = random.uniform(0.5, 1.5, size=(2, n))
    weight /= weight.sum(1, keepdims=True)
    return Objective(torch.tensor(X), torch.tensor(weight), l2), torch.tensor(random.normal(size=(2, d + 1, 3)))


@pytest.mark.parametrize("mode", ["lbfgs", "paper"])
def test_1_swapping_sides_keeps_the_loss_and_mirrors_p(mode):
    one = CCS(mode=mode, epochs=100, restarts=3).fit(PLANTED.X)
    two = CCS(mode=mode, epochs=100, restarts=3).fit(PLANTED.X[:, ::-1])
    assert np.allclose(one.losses_, two.losses_, atol=1e-6)
    p, q = one.predict_proba(PLANTED.X), two.predict_proba(PLANTED.X[:, ::-1])
    assert np.allclose(p, 1 - q, atol=1e-3)


def test_1_the_loss_itself_is_symmetric_to_1e_7():
    made, theta = objective()
    n = made.X.shape[1] // 2
    swapped = Objective(torch.cat([made.X[:, n:], made.X[:, :n]], 1), made.weight)
    assert torch.allclose(made(theta)[0], swapped(theta)[0], atol=1e-7)


def test_2_negating_theta_does_not_keep_the_loss():
    assert loss_of(0.9, 0.9) == pytest.approx(1.45)
    assert loss_of(0.1, 0.1) == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("plus", "minus", "loss"), [(0.5, 0.5, 0.25), (1e-9, 1e-9, 1.0), (1 - 1e-9, 1 - 1e-9, 2.0), (1 - 1e-9, 1e-9, 0.0)]
)
def test_3_the_loss_table(plus, minus, loss):
    assert loss_of(plus, minus) == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_3_the_gradient_is_that_of_finite_differences_and_of_autograd(l2):
    made, theta = objective(l2=l2)
    loss, gradient = made(theta)
    free = theta.clone().requires_grad_()
    plus, minus = torch.sigmoid(torch.bmm(made.X, free)).chunk(2, dim=1)
    w = made.weight[:, :, None]
    total = (w * ((plus + minus - 1) ** 2 + torch.minimum(plus, minus) ** 2)).sum(1)
    total = total + l2 / 2 * (free[:, :-1] ** 2).sum(1)
    total.sum().backward()
    assert torch.allclose(loss, total.detach())
    assert torch.allclose(gradient, free.grad, atol=1e-12)
    for place in ((0, 0, 0), (1, 3, 2), (0, 5, 1)):
        shift = torch.zeros_like(theta)
        shift[place] = 1e-6
        rise = (made(theta + shift)[0] - made(theta - shift)[0]).sum() / 2e-6
        assert float(rise) == pytest.approx(float(gradient[place]), abs=1e-7)


def test_3_at_a_tie_the_gradient_is_finite():
    made, _ = objective()
    _, gradient = made(torch.zeros(2, 6, 1, dtype=torch.float64))
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", [*LABEL_FREE, "logistic"])
def test_4_constants_on_a_side_and_a_common_scale_change_no_decision(name):
    move = np.random.default_rng(0).normal(size=(1, 2, 24)) * 50
    y = PLANTED.y
    plain = method_named(name).fit(PLANTED.X, y)
    moved = method_named(name).fit(PLANTED.X + move, y)
    scaled = method_named(name).fit(PLANTED.X * 7.5, y)
    wanted = plain.predict(PLANTED.X)
    assert (moved.predict(PLANTED.X + move) == wanted).mean() > 0.995
    assert (scaled.predict(PLANTED.X * 7.5) == wanted).mean() > 0.995


@given(st.integers(0, 100), st.floats(0.01, 100))
def test_4_normalised_states_do_not_move(seed, scale):
    X = np.random.default_rng(seed).normal(size=(12, 2, 5))
    t = np.zeros(12)
    move = np.random.default_rng(seed + 1).normal(size=(1, 2, 5)) * 10
    one = normalizer("mean+norm").fit(X, t).transform(X, t)
    two = normalizer("mean+norm").fit(scale * X + move, t).transform(scale * X + move, t)
    assert np.allclose(one, two, atol=1e-8)


def test_5_one_pair_is_judged_with_stored_statistics_and_transduction_refuses_it():
    probe = CCS(restarts=2).fit(PLANTED.X)
    alone = probe.predict_proba(PLANTED.X[:1])
    assert alone[0] == pytest.approx(probe.predict_proba(PLANTED.X)[0])
    assert abs(alone[0] - 0.5) > 1e-6
    with pytest.raises(UsageError, match="one pair has no statistics"):
        probe.predict_proba(PLANTED.X[:1], transductive=True)


def test_5_a_template_with_one_row_is_refused_by_transduction_too():
    """Its row would become zero, and its p a half."""
    templates = np.array(["a", "a", "a", "b"])
    probe = CCS(restarts=2).fit(PLANTED.X[:80], templates=np.repeat(["a", "b"], 40))
    assert np.isfinite(probe.predict_proba(PLANTED.X[:4], templates=templates)).all()
    with pytest.raises(UsageError, match="one pair of the template 'b' has no statistics of its own"):
        probe.predict_proba(PLANTED.X[:4], templates=templates, transductive=True)


class Table:
    """Just what `fit_grid` reads of rows."""

    def __init__(self, n, train):
        self.train, self.test = train, ~train
        self.y, self.items = PLANTED.y[:n], np.arange(n)
        self.templates, self.weight = np.array(["a"] * n), np.ones(n)
        self.groups = self.items

    def __len__(self):
        return len(self.train)

    def template_names(self):
        return ["a"]


@pytest.mark.parametrize("name", ["ccs", "crc-tpc", "vinc", "kmeans", "logistic", "lda"])
def test_6_test_rows_never_reach_what_is_learned(name):
    train = np.arange(100) < 60
    X = PLANTED.X[:100].astype(np.float32)
    other = X.copy()
    other[~train] += 100
    rows = Table(100, train)
    fits = [
        fit_grid(rows, lambda layer, states=states: states, ["0"], {name: method_named(name), "ccs": CCS(restarts=2)})
        for states in (X, other)
    ]
    one, two = (grid.fitted[name, "0"].probe for grid in fits)
    assert np.array_equal(one.theta_, two.theta_)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("name", METHODS)
def test_7_dimensions_without_variance_make_no_nan(name, normalize):
    X = planted_pairs(60, 6, truth=6.0, seed=2).X.copy()
    X[:, :, 2] = 3.0
    probe = method_named(name).set_params(normalize=normalize)
    if name == "crc-bss" and normalize == "none":
        pytest.skip("without centring all differences lie on one side, which is an error of its own")
    p = probe.fit(X, planted_pairs(60, 6, truth=6.0, seed=2).y).predict_proba(X)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("name", METHODS)
def test_7_a_constant_set_is_a_clear_error(name):
    with pytest.raises(UsageError, match="all 10 pairs have the same states"):
        method_named(name).fit(np.ones((10, 2, 4)), np.arange(10) % 2)


def test_11_a_nan_restart_is_ignored_and_all_nan_raises():
    probe = CCS(restarts=3)
    probe._set(np.arange(6.0).reshape(3, 2), np.array([[np.nan, 0], [0.2, 0.1], [0.1, 0.1]]))
    assert probe.best_ == 2
    with pytest.raises(NotIdentifiedError, match="none of 2 restarts"):
        probe._set(np.zeros((2, 2)), np.full((2, 2), np.nan))


@pytest.mark.parametrize("mode", ["lbfgs", "paper"])
def test_12_fewer_restarts_are_a_prefix_and_batching_changes_none(mode):
    few = CCS(mode=mode, epochs=60, restarts=2, seed=4, dtype="float64").fit(PLANTED.X)
    many = CCS(mode=mode, epochs=60, restarts=5, seed=4, dtype="float64").fit(PLANTED.X)
    assert np.allclose(few.losses_, many.losses_[:2], atol=1e-6)
    other = planted_pairs(300, 24, truth=3.0, seed=9).X
    together = CCS(mode=mode, epochs=60, restarts=5, seed=4, dtype="float64").fit_layers([other, PLANTED.X])[1]
    assert np.allclose(together.losses_, many.losses_, atol=1e-6)
    assert np.allclose(together.predict_proba(PLANTED.X), many.predict_proba(PLANTED.X), atol=1e-5)


def test_13_losses_are_those_of_all_training_rows_at_the_last_parameters():
    probe = CCS(restarts=4, mode="paper", epochs=37).fit(PLANTED.X)
    t = np.zeros(len(PLANTED.X), dtype=np.int64)
    Z = probe.normalizer_.transform(PLANTED.X, t)
    for theta, (consistency, confidence) in zip(probe.thetas_, probe.losses_, strict=True):
        plus, minus = (1 / (1 + np.exp(-(Z[:, side] @ theta[:-1] + theta[-1]))) for side in (0, 1))
        assert consistency == pytest.approx(np.mean((plus + minus - 1) ** 2), abs=1e-6)
        assert confidence == pytest.approx(np.mean(np.minimum(plus, minus) ** 2), abs=1e-6)
    assert probe.best_ == np.argmin(probe.losses_.sum(1))


def test_14_items_with_fewer_templates_weigh_the_same_and_are_not_dropped():
    """Doubling an item's rows at half the weight changes nothing."""
    pairs = planted_pairs(80, 8, truth=4.0, seed=3)
    twice = np.concatenate([np.arange(80), np.arange(20)])
    weight = np.where(
        np.isin(np.arange(100) % 80, np.arange(20)) & ((np.arange(100) < 20) | (np.arange(100) >= 80)), 0.5, 1
    )
    for name in ("ccs", "crc-tpc", "crc-bss", "midpoint", "kmeans", "diff-in-means", "lda", "logistic"):
        one = method_named(name).fit(pairs.X, pairs.y)
        two = method_named(name).fit(pairs.X[twice], pairs.y[twice], sample_weight=weight)
        cosine = one.theta_[:8] @ two.theta_[:8] / np.linalg.norm(one.theta_[:8]) / np.linalg.norm(two.theta_[:8])
        assert abs(cosine) > 0.999, name


def test_14_vinc_takes_items_with_unequal_numbers_of_templates():
    pairs = planted_pairs(100, 12, truth=6.0, templates=3, seed=5)
    kept = np.random.default_rng(0).random(300) > 0.3
    probe = VINC().fit(pairs.X[kept], templates=pairs.templates[kept], items=pairs.items[kept])
    assert abs(probe.theta_ @ pairs.truth) > 0.9


def test_16_saturated_sigmoids_keep_their_order_and_ties_say_second():
    probe = CCS()
    probe.theta_ = np.array([1.0, 0.0])
    Z = np.array([[[800.0], [700.0]], [[-700.0], [-600.0]], [[60.0], [60.0]], [[40.0], [39.0]]])
    decisions = probe._decide(Z)
    assert (np.sign(decisions[[1, 3]]) == [-1, 1]).all()
    assert decisions[2] == 0
    assert 1 / (1 + np.exp(-40.0)) == 1 / (1 + np.exp(-39.0))  # what a plain difference would make of it
    probe.normalizer_ = normalizer("none").fit(Z, np.zeros(4))
    probe.sign_, probe.n_features_in_ = 1, 1
    assert probe.predict(Z)[2] == 0


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40, unique=True), st.floats(0.1, 0.9))
def test_17_the_calibrated_threshold_gives_the_stated_share(values, prior):
    gamma = calibrated(values, prior)
    assert int((np.array(values) > gamma).sum()) == round(prior * len(values))


def test_17_unbalanced_margins_are_split_in_half_by_default_and_ties_fall_together():
    assert (np.arange(10.0) ** 3 > calibrated(np.arange(10.0) ** 3)).sum() == 5
    tied = np.array([1.0, 1.0, 1.0, 2.0])
    assert len(set((tied[:3] > calibrated(tied)).tolist())) == 1


def test_19_states_of_another_width_are_refused():
    with pytest.raises(UsageError, match="fitted on states of width 24, and these have 10"):
        CRCTPC().fit(PLANTED.X).predict(np.zeros((3, 2, 10)))


@pytest.mark.parametrize(("n", "d"), [(200, 10), (20, 50), (12, 12)])
def test_20_leace_erases_also_where_the_covariance_is_singular(n, d):
    random = np.random.default_rng(0)
    z = np.eye(3)[random.integers(0, 3, n)]
    X = random.normal(size=(n, d)) + z @ random.normal(size=(3, d)) * 2
    X[:, 0] = 1.0
    erased = fit_leace(X, z).transform(X)
    covariance = (erased - erased.mean(0)).T @ (z - z.mean(0)) / n
    assert np.abs(covariance).max() < 1e-6
    assert np.allclose(fit_leace(X, np.ones((n, 1))).transform(X), X)


def test_20_leace_leaves_a_linear_reader_nothing():
    random = np.random.default_rng(1)
    z = random.integers(0, 2, 2000)
    X = random.normal(size=(2000, 6)) + np.outer(z, [2, 1, 0, 0, 0, 3])
    erased = fit_leace(X, z).transform(X)
    assert LogisticRegression().fit(X, z).score(X, z) > 0.9
    assert LogisticRegression().fit(erased, z).score(erased, z) <= max(z.mean(), 1 - z.mean()) + 0.02


def test_20_leace_moves_states_least_among_projections_that_erase():
    """The orthogonal projection off the class means' difference erases too, and moves states more."""
    random = np.random.default_rng(2)
    z = random.integers(0, 2, 3000)
    mix = random.normal(size=(4, 4))
    X = (random.normal(size=(3000, 4)) + np.outer(z, [1, 0, 0, 0])) @ mix
    moved = np.square(fit_leace(X, z).transform(X) - X).sum(1).mean()
    u = X[z == 1].mean(0) - X[z == 0].mean(0)
    u /= np.linalg.norm(u)
    plain = np.square(np.outer((X - X.mean(0)) @ u, u)).sum(1).mean()
    assert moved <= plain * 1.001


def test_20_one_template_is_enough_for_leace_normalisation():
    p = CCS(normalize="leace", restarts=2).fit(PLANTED.X).predict_proba(PLANTED.X)
    assert max(np.mean((p > 0.5) == PLANTED.y), np.mean((p < 0.5) == PLANTED.y)) > 0.95


def test_21_the_sign_of_a_component_is_deterministic_and_a_tie_is_flagged():
    one, two = CRCTPC().fit(PLANTED.X), CRCTPC().fit(PLANTED.X[::-1])
    assert np.allclose(one.theta_, two.theta_, atol=1e-8)
    assert not one.degenerate_
    X = np.zeros((4, 2, 2))
    X[:, 0] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    assert CRCTPC(normalize="none").fit(X).degenerate_


def test_21_an_empty_half_is_infinitely_bad():
    s = torch.tensor([[1.0, 1.0], [2.0, -2.0], [3.0, 3.0]], dtype=torch.float64)
    values = bimodality(s, torch.full((3,), 1 / 3, dtype=torch.float64)).numpy()
    assert values[0] == np.inf
    assert np.isfinite(values[1])
    with pytest.raises(NotIdentifiedError, match="one side"):
        CRCBSS(normalize="none").fit(np.stack([np.full((5, 1), 9.0) + np.arange(5)[:, None], np.zeros((5, 1))], axis=1))


@pytest.mark.parametrize("name", ["ccs", "crc-tpc"])
def test_22_a_strong_distractor_is_not_identified_as_truth(name):
    hidden = planted_pairs(400, 24, truth=0.6, distractor=8.0, seed=6)
    verdict = examine(
        hidden.X, hidden.y, planted={"distractor": (hidden.X, hidden.distractor)}, prototype=method_named(name)
    )
    assert not verdict.identified
    assert any(one.name == "truth above distractor" and one.passed is False for one in verdict.conditions)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_22_planted_truth_without_a_strong_distractor_is_identified(seed):
    clear = planted_pairs(600, 64, truth=4.0, distractor=0.5, seed=seed)
    verdict = examine(clear.X, clear.y, planted={"distractor": (clear.X, clear.distractor)}, seed=seed)
    assert verdict.identified, verdict.reason


@pytest.mark.parametrize("seed", range(4))
def test_22_a_truth_at_the_ceiling_is_identified_where_random_directions_do_not_read_it(seed):
    clear = planted_pairs(400, 256, truth=6.0, seed=seed)
    verdict = examine(clear.X, clear.y, planted={"distractor": (clear.X, clear.distractor)}, seed=seed)
    assert verdict.identified, verdict.reason


@pytest.mark.parametrize("seed", range(4))
def test_22_a_truth_that_random_directions_read_is_no_find_and_the_reason_says_so(seed):
    everywhere = planted_pairs(400, 32, truth=6.0, seed=seed)
    planted = {"distractor": (everywhere.X, everywhere.distractor)}
    verdict = examine(everywhere.X, everywhere.y, planted=planted, seed=seed)
    assert not verdict.identified
    assert verdict.reason.startswith("above random directions: ")
    assert "random directions read it as well, so finding it is no evidence of search" in verdict.reason
    assert [one.name for one in verdict.conditions if one.passed is False] == ["above random directions"]


@pytest.mark.parametrize("name", ["ccs", "crc-tpc", "vinc", "midpoint"])
def test_23_each_label_free_method_is_identified_on_one_planted_direction(name):
    pairs = planted_pairs(400, 256, truth=6.0, seed=7)
    planted = {"distractor": (pairs.X, pairs.distractor)}
    verdict = examine(pairs.X, pairs.y, planted=planted, prototype=method_named(name))
    assert verdict.identified, verdict.reason


def test_23_one_planted_direction_is_found_by_all_and_they_agree():
    pairs = planted_pairs(600, 24, truth=8.0, seed=7)
    found = [method.fit(pairs.X, pairs.y) for method in (CCS(), CRCTPC(), VINC(), Logistic())]
    directions = []
    for probe in found:
        right = np.mean(probe.predict(pairs.X) == pairs.y)
        assert max(right, 1 - right) > 0.95
        theta = probe.theta_[:24]
        directions.append(theta / np.linalg.norm(theta))
    cosines = np.abs(np.array(directions) @ np.array(directions).T)
    assert cosines.min() > 0.9


def test_24_the_default_is_linear_and_an_mlp_says_so():
    assert CCS().kind == "linear"
    probe = CCS(mode="paper", hidden=8, epochs=200, restarts=2).fit(PLANTED.X)
    assert probe.kind == "MLP with 8 hidden units"
    p = probe.predict_proba(PLANTED.X)
    assert max(np.mean((p > 0.5) == PLANTED.y), np.mean((p < 0.5) == PLANTED.y)) > 0.95
    with pytest.raises(UsageError, match="fitted by AdamW"):
        CCS(hidden=8).fit(PLANTED.X)


def test_random_directions_on_noise_stay_near_chance():
    random = np.random.default_rng(0)
    found = random_directions(random.normal(size=(400, 30)), random.integers(0, 2, 400))
    assert found.raw.mean() == pytest.approx(0.5, abs=0.01)
    assert 0.51 < found.best.mean() < 0.53


@pytest.mark.parametrize("y", [[0, 1], [1, 0]])
def test_two_pairs_are_enough_for_lda(y):
    pairs = planted_pairs(40, 8, truth=8.0, seed=3)
    first = [int(np.flatnonzero(pairs.y == label)[0]) for label in y]
    probe = method_named("lda").fit(pairs.X[first], y)
    assert np.isfinite(probe.predict_proba(pairs.X)).all()
    assert probe.predict(pairs.X[first]).tolist() == y


HIDDEN = planted_pairs(60, 8, truth=4.0, seed=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": HIDDEN.y[:30]}, "y must be 60 labels"),
        ({"y": 2 * HIDDEN.y - 1}, "each 0 or 1"),
        ({"y": np.ones(60, dtype=int)}, "pairs of both classes to learn from; there are 0 with y = 0"),
        ({"X": HIDDEN.X[:, 0]}, "shape"),
        ({"groups": np.arange(5)}, "groups must have one entry for each of 60 pairs"),
        ({"groups": np.zeros(60)}, "to learn from|to test on"),
        ({"train": np.arange(60) < 59}, "pairs of both classes to test on"),
        ({"train": np.ones(3, dtype=bool)}, "train must have one entry"),
        ({"zero_shot": np.ones(7)}, "zero_shot must have one entry for each of 60 pairs"),
        ({"planted": {"a word": (HIDDEN.X[:20], HIDDEN.y)}}, "the states of 'a word' are 20 pairs, and there are 60"),
        ({"planted": {"a word": (HIDDEN.X, HIDDEN.y[:20])}}, "the feature planted as 'a word' must have one entry"),
        ({"planted": {"a word": (HIDDEN.X, 2 * HIDDEN.y - 1)}}, "the feature planted as 'a word' must be 0 or 1"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_a_sentence(change, words):
    given = {"X": HIDDEN.X, "y": HIDDEN.y, "planted": {"a word": (HIDDEN.X, HIDDEN.distractor)}, **change}
    with pytest.raises(UsageError, match=words):
        examine(given.pop("X"), given.pop("y"), **given)
