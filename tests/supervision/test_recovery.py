"""Gap recovered: its edge cases, its intervals against a plain bootstrap, and sums over cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import roc_auc_score

from gnomon.errors import UsageError
from gnomon.stats import holm
from gnomon.supervision import against, auroc_recovered, fieller, gained, gap_recovered, many
from gnomon.supervision.recovery import _area


def draws(rates, items=1500, seeds=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((seeds, items)) < rate for rate in rates]


def test_it_is_the_ratio_of_the_gains():
    weak, student, ceiling = draws((0.6, 0.72, 0.8))
    found = gap_recovered(weak, student, ceiling)
    assert found.value == pytest.approx((student.mean() - weak.mean()) / (ceiling.mean() - weak.mean()))
    assert found.interval.low < found.value < found.interval.high
    assert (found.items, found.groups, found.seeds) == (1500, 1500, 3)


def test_an_equal_ceiling_has_no_ratio_and_never_infinity():
    weak, student, _ = draws((0.6, 0.7, 0.8))
    found = gap_recovered(weak, student, weak)
    assert found.value is None
    assert not found.identified
    assert "scores as the supervisor does" in found.reason


def test_a_lower_ceiling_is_flagged():
    weak, student, ceiling = draws((0.7, 0.65, 0.55))
    found = gap_recovered(weak, student, ceiling)
    assert found.value is None
    assert "below the supervisor" in found.reason
    total = many([found, gap_recovered(*draws((0.5, 0.7, 0.9)))])
    assert (total.cells, total.identified, total.inverted) == (2, 1, 1)


def test_a_ratio_is_clipped_neither_above_one_nor_below_zero():
    assert gap_recovered(*draws((0.6, 0.9, 0.8))).value > 1
    assert gap_recovered(*draws((0.6, 0.5, 0.8))).value < 0


def test_an_uncertain_gap_has_no_number():
    found = gap_recovered(*draws((0.6, 0.61, 0.62), items=200, seeds=1))
    assert found.value is None
    assert "covers 0" in found.reason


@pytest.mark.parametrize(
    "parts",
    [((3, 10), (3, 10), (3, 11)), ((2, 10), (3, 10), (3, 10)), ((10,), (10,), (9,))],
)
def test_three_different_test_sets_are_refused(parts):
    with pytest.raises(UsageError, match="same test items"):
        gap_recovered(*(np.ones(shape) for shape in parts))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    weak, student, ceiling = (part.astype(float) for part in draws((0.5, 0.6, 0.7), items=20))
    student[0, 3] = bad
    with pytest.raises(UsageError, match="not finite"):
        gap_recovered(weak, student, ceiling)


def test_the_interval_is_that_of_a_plain_bootstrap_over_seeds_and_groups():
    """An independent loop that copies whole groups and seeds, with its own generator."""
    weak, student, ceiling = draws((0.55, 0.7, 0.8), items=300)
    groups = [f"g{number // 3}" for number in range(300)]
    found = gap_recovered(weak, student, ceiling, groups, draws=4000)
    rng, ratios = np.random.default_rng(7), []
    members = [list(range(low, low + 3)) for low in range(0, 300, 3)]
    for _ in range(1500):
        seeds = rng.integers(0, 3, 3)
        rows = np.concatenate([members[number] for number in rng.integers(0, 100, 100)])
        w, s, c = (part[seeds][:, rows].mean() for part in (weak, student, ceiling))
        ratios.append((s - w) / (c - w))
    low, high = np.quantile(ratios, [0.025, 0.975])
    width = high - low
    assert found.interval.low == pytest.approx(low, abs=0.12 * width)
    assert found.interval.high == pytest.approx(high, abs=0.12 * width)
    assert found.groups == 100


def test_shared_difficulty_cancels_because_draws_are_paired():
    rng = np.random.default_rng(0)
    easy = rng.random(1000)
    paired = [easy < rate for rate in (0.6, 0.65, 0.7)]
    alone = [rng.random(1000) < rate for rate in (0.6, 0.65, 0.7)]
    paired_gap, alone_gap = gap_recovered(*paired).gap, gap_recovered(*alone).gap
    assert paired_gap.high - paired_gap.low < 0.6 * (alone_gap.high - alone_gap.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    hits = 0
    for seed in range(150):
        found = gap_recovered(*draws((0.6, 0.7, 0.8), items=800, seeds=1, seed=seed), seed=seed, draws=400)
        assert found.identified
        hits += found.interval.low <= 0.5 <= found.interval.high
    assert hits >= 0.88 * 150


def test_fieller_agrees_with_the_bootstrap_at_a_wide_gap_and_refuses_a_narrow_one():
    found = gap_recovered(*draws((0.5, 0.7, 0.9)))
    assert found.fieller.low == pytest.approx(found.interval.low, abs=0.02)
    assert found.fieller.high == pytest.approx(found.interval.high, abs=0.02)
    rng = np.random.default_rng(0)
    assert fieller(rng.normal(size=500), rng.normal(size=500)) is None


def test_the_detectable_ratio_is_what_the_formula_of_the_fact_sheet_gives():
    """Independent models: se(PGR) is about sqrt(2 p (1 - p) / n) / gap."""
    found = gap_recovered(*draws((0.6, 0.6, 0.8), items=4000, seeds=1))
    wanted = 2.8 * math.sqrt(2 * 0.6 * 0.4 / 4000) / 0.2
    assert found.detectable == pytest.approx(wanted, rel=0.1)


def test_areas_are_those_of_scikit_learn_ties_and_weights_included():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 80) / 5, rng.integers(0, 2, 80)
    weights = rng.integers(0, 4, (5, 80)).astype(float)
    for found, row in zip(_area(scores, labels, weights), weights, strict=True):
        assert found == pytest.approx(roc_auc_score(labels, scores, sample_weight=row), abs=1e-12)


def test_the_ratio_of_areas_ignores_a_shifted_threshold():
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 2
    weak, student, ceiling = (labels * gap + rng.standard_normal(1200) for gap in (0.5, 1.0, 2.0))
    one, other = auroc_recovered(weak, student, ceiling, labels), auroc_recovered(weak, student + 9, ceiling, labels)
    assert one.value == other.value
    with pytest.raises(UsageError, match="some of each"):
        auroc_recovered(weak, student, ceiling, np.ones(1200))


def test_two_methods_are_compared_cell_by_cell():
    rng = np.random.default_rng(0)
    a, b = rng.random(12), rng.random(12)
    found = against(a, b)
    assert (found.wins, found.ties, found.losses) == ((a > b).sum(), 0, (a < b).sum())
    assert found.p_value == pytest.approx(wilcoxon(a, b).pvalue)
    assert against(a[:4], b[:4]).p_value is None


def test_holm_is_the_textbooks_step_down():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_a_method_s_gain_is_the_gain_of_a_ceiling_over_its_supervisor():
    """The same draws, the same arithmetic: `gap_recovered` gives the interval of a difference, too."""
    groups = [number // 3 for number in range(300)]
    plain, method = draws((0.6, 0.65), 300, 4)
    found = gained(method, plain, groups, seed=np.random.default_rng(5))
    other = gap_recovered(plain, method, method, groups, seed=np.random.default_rng(5)).gain
    assert (found.low, found.high) == pytest.approx((other.low, other.high))


def test_more_pairs_of_models_are_no_more_items():
    """Twenty copies of one comparison say what one says."""
    plain, method = draws((0.6, 0.65), 400)
    one = gained(method, plain, seed=1)
    twenty = gained(np.stack([method] * 20), np.stack([plain] * 20), seed=1)
    assert (one.low, one.high) == pytest.approx((twenty.low, twenty.high))


def test_the_interval_of_a_gain_covers_as_often_as_it_says():
    """Items are hard for both methods, and each training has its luck; ten seeds, since few of them make any interval
    from drawn seeds too narrow."""

    def scores(rng, level, hard):
        return hard + rng.normal(0, 0.3, (10, len(hard))) + rng.normal(0, 0.05, (10, 1)) < level

    covered = 0
    expected = np.random.default_rng(99).random(1_000_000) + np.random.default_rng(98).normal(0, 0.3, 1_000_000)
    expected += np.random.default_rng(97).normal(0, 0.05, 1_000_000)
    truth = (expected < 0.55).mean() - (expected < 0.5).mean()
    for number in range(200):
        rng = np.random.default_rng(number)
        hard = rng.random(300)
        found = gained(scores(rng, 0.55, hard), scores(rng, 0.5, hard), seed=number, draws=300)
        covered += found.low <= truth <= found.high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize(
    ("method", "plain", "says"),
    [
        (np.ones((2, 5)), np.ones((3, 5)), "shapes"),
        (np.ones(0), np.ones(0), "shapes"),
        (np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 4)), "shapes"),
        (np.array([1, np.nan]), np.ones(2), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(method, plain, says):
    with pytest.raises(UsageError, match=says):
        gained(method, plain)
