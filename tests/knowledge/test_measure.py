"""What decisions are worth: numbers against independent libraries, intervals against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score

from gnomon.knowledge._measure import accuracy_interval, auroc, calibration_error, measure, oracle_bias, right


def draw(n, seed, tied=False):
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, n)
    y[:2] = 0, 1
    decisions = random.normal(size=n) + y - 0.5
    if tied:
        decisions = np.round(decisions)
    return decisions, y


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_that_of_scikit_learn(seed, tied):
    decisions, y = draw(60, seed, tied)
    assert auroc(decisions, y) == pytest.approx(roc_auc_score(y, decisions), abs=1e-12)


def test_auroc_of_one_class_is_not_given():
    assert auroc(np.array([0.1, 0.2]), np.array([1, 1])) is None


@pytest.mark.parametrize("seed", range(3))
def test_balanced_accuracy_and_brier_are_those_of_scikit_learn(seed):
    decisions, y = draw(80, seed)
    p = 1 / (1 + np.exp(-decisions))
    found = measure(decisions, p, y, np.zeros(80), np.arange(80))
    assert found.balanced == pytest.approx(balanced_accuracy_score(y, decisions > 0))
    assert found.brier == pytest.approx(brier_score_loss(y, p))
    assert found.accuracy == pytest.approx(np.mean((decisions > 0) == y))


def test_calibration_error_by_hand():
    """Two bins: at .25 one of four is right (gap 0), at .85 one of two (gap .35): .35 * 2 / 6."""
    p = np.array([0.25, 0.25, 0.25, 0.25, 0.85, 0.85])
    y = np.array([1, 0, 0, 0, 1, 0])
    assert calibration_error(p, y) == pytest.approx(0.35 / 3)


@given(st.integers(0, 200), st.integers(4, 40))
def test_the_other_sign_mirrors_every_number(seed, n):
    decisions, y = draw(n, seed)
    p = 1 / (1 + np.exp(-decisions))
    groups = np.arange(n)
    one, two = (measure(d, q, y, np.zeros(n), groups) for d, q in ((decisions, p), (-decisions, 1 - p)))
    assert one.accuracy == pytest.approx(1 - two.accuracy)
    assert one.auroc == pytest.approx(1 - two.auroc)
    assert one.oracle == pytest.approx(two.oracle)
    assert one.oracle == max(one.accuracy, two.accuracy)


def test_a_decision_of_zero_is_the_second_answer_and_is_counted():
    found = measure(np.array([0.0, 0.0, 1.0, -1.0]), np.full(4, 0.5), np.array([0, 1, 1, 0]), np.zeros(4), np.arange(4))
    assert found.ties == 2
    assert found.accuracy == 0.75


def test_spread_is_over_prompts():
    y = np.array([1, 0, 1, 0])
    found = measure(
        np.array([1.0, -1, 1, 1]), np.full(4, 0.5), y, np.array(["a", "a", "b", "b"]), np.array([0, 1, 0, 1])
    )
    assert found.by_template == {"a": 1.0, "b": 0.5}
    assert found.spread == pytest.approx(np.std([1.0, 0.5], ddof=1))


def test_rows_of_a_group_are_no_independent_evidence():
    """Ten copies of every row: the interval stays as wide as that of the rows themselves."""
    decisions, y = draw(40, 0)
    few = accuracy_interval(right(decisions, y), np.arange(40))
    many = accuracy_interval(np.repeat(right(decisions, y), 10), np.repeat(np.arange(40), 10))
    assert many.high - many.low == pytest.approx(few.high - few.low)


def test_an_interval_of_all_right_is_not_empty():
    interval = accuracy_interval(np.ones(20), np.arange(20))
    assert interval.low < 0.9
    assert interval.high == 1


def test_the_bootstrap_interval_of_auroc_covers():
    """True AUROC of two unit normals one apart is Phi(1 / sqrt 2) = .7602."""
    inside = 0
    for seed in range(60):
        decisions, y = draw(100, seed)
        interval = measure(decisions, np.full(100, 0.5), y, np.zeros(100), np.arange(100)).auroc_interval
        inside += interval.low <= 0.7602 <= interval.high
    assert inside >= 51


@pytest.mark.parametrize("n", [100, 400])
def test_luck_of_the_better_sign_is_the_formula(n):
    random = np.random.default_rng(0)
    right_ = random.binomial(n, 0.5, size=20_000) / n
    assert np.maximum(right_, 1 - right_).mean() - 0.5 == pytest.approx(oracle_bias(n), rel=0.03)
