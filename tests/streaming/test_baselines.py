"""The baselines: uniform samples, Pegasos' rate, quantiles, a window; and scikit-learn's checks."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from gnomon.streaming import (
    HingeSketch,
    InputError,
    Pegasos,
    QuantileHinge,
    ReservoirSVM,
    SklearnSGD,
    WindowSketch,
    pegasos_sample_bound,
)

_COUNTED = {"check_estimators_nan_inf": "rows with values that are not finite are counted and left out, not refused"}
_ORDER = {
    "check_sample_weight_equivalence_on_dense_data": "one step a row: a row of weight 2 is one long step, not two steps"
}
EXCEPTIONS = {"ReservoirSVM": _COUNTED, "Pegasos": {**_COUNTED, **_ORDER}, "SklearnSGD": {**_COUNTED, **_ORDER}}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [ReservoirSVM(), Pegasos(), SklearnSGD()], expected_failed_checks=lambda one: EXCEPTIONS[type(one).__name__]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_every_row_is_in_the_reservoir_as_often():
    X, y = np.arange(60.0)[:, None], np.where(np.arange(60) % 2, 1.0, -1.0)
    counts = np.zeros(60)
    for seed in range(500):
        one = ReservoirSVM(size=10, seed=seed)
        for at in range(0, 60, 7):
            one.partial_fit(X[at : at + 7], y[at : at + 7])
        assert len(one._rows) == 10
        counts[one._rows[:, 0].astype(int)] += 1
    expected = 500 / 6
    # chi-square with 59 degrees, of counts without replacement (their variance is smaller by 1 - 1/6); p = .001
    assert ((counts - expected) ** 2 / expected).sum() < 98.3 * (1 - 1 / 6)


def test_a_reservoir_that_holds_all_is_the_exact_svm():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(X[:, 0] + rng.normal(size=300) > 0, 1.0, -1.0)
    fit = ReservoirSVM(lam=0.1, size=300).partial_fit(X, y).fit_result_
    other = HingeSketch(k=400).partial_fit(X, y).solve(0.1)
    np.testing.assert_allclose(fit.w, other.w, atol=1e-4)


def test_pegasos_reaches_epsilon_on_two_points_in_mean():
    lam, epsilon, found = 0.1, 0.01, []
    rows = int(10 / (lam * epsilon))
    for seed in range(20):
        X = np.random.default_rng(seed).choice([-1.0, 1.0], size=(rows, 1))
        w = np.append(*(lambda one: (one.coef_[0], one.intercept_))(Pegasos(lam=lam).partial_fit(X, X[:, 0])))
        value = lam / 2 * (w @ w) + np.mean([max(0, 1 - w[0] - w[1]), max(0, 1 - w[0] + w[1])])
        found.append(value - lam / 2)
    assert np.mean(found) <= epsilon
    assert pegasos_sample_bound(lam, epsilon, 1.0, 1) >= rows


def test_pegasos_is_one_stream_however_it_is_cut():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2))
    y = np.sign(X[:, 0])
    whole, parts = Pegasos().partial_fit(X, y), Pegasos()
    for at in range(0, 500, 9):
        parts.partial_fit(X[at : at + 9], y[at : at + 9])
    np.testing.assert_array_equal(whole.coef_, parts.coef_)
    with pytest.raises(InputError, match="average = 'mean' is unknown"):
        Pegasos(average="mean").partial_fit(X, y)


def test_quantiles_give_hinge_sums_and_are_beaten_by_the_sketch():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(50_000, 1))
    y = np.where(X[:, 0] + rng.normal(size=50_000) > 0, 1.0, -1.0)
    theta, b = rng.normal(size=(40, 1)), rng.normal(size=40)
    true = np.maximum(0, 1 - y[:, None] * (X @ theta.T + b)).mean(axis=0)
    halves = [QuantileHinge(k=200, seed=s).partial_fit(X[s::2], y[s::2]) for s in (0, 1)]
    quantile = halves[0].merge(halves[1])
    sketch = HingeSketch(k=64).partial_fit(X, y)
    assert sketch.memory().kept < quantile.memory_bytes()
    wrong = np.abs(quantile.objective(theta, b).estimate - true).max()
    assert wrong < 0.05
    assert np.abs(sketch.objective(theta, b).estimate - true).max() < wrong / 10


def test_several_classes_are_sent_elsewhere():
    with pytest.raises(InputError, match="use StreamingSVM for more"):
        Pegasos().fit(np.ones((3, 1)), [0, 1, 2])
    with pytest.raises(InputError, match="none of the classes"):
        Pegasos().partial_fit(np.ones((2, 1)), [-1, 1]).partial_fit(np.ones((1, 1)), [3])


@pytest.mark.skipif(importlib.util.find_spec("river") is None, reason="river is not installed")
def test_river_learns_the_same_objective():
    from gnomon.streaming import RiverSVM

    X = np.random.default_rng(0).uniform(-1, 1, (3000, 1))
    y = np.sign(X[:, 0] + 0.1)
    assert RiverSVM(lam=0.01).partial_fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("window", [100, 1000, 5000])
def test_the_window_s_interval_holds_at_every_moment(window):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 1)) + np.linspace(0, 3, 6000)[:, None]
    y = np.where(X[:, 0] > np.linspace(0, 3, 6000), 1.0, -1.0)
    theta, b = rng.normal(size=(30, 1)), rng.normal(size=30)
    sketch = WindowSketch(window=window, k=32)
    for at in range(0, 6000, 250):
        sketch.partial_fit(X[at : at + 250], y[at : at + 250])
        last = slice(max(0, at + 250 - window), at + 250)
        true = np.maximum(0, 1 - y[last, None] * (X[last] @ theta.T + b)).mean(axis=0)
        value = sketch.objective(theta, b)
        assert (value.low <= true + 1e-9).all()
        assert (true <= value.high + 1e-9).all()
        assert sketch.n_held_ <= window * (1 + 2 / 8) + 250
    assert np.abs(value.estimate - true).max() < 0.1
    assert sketch.memory_bytes() < 100 * (4 * 32 * 41 + 32 * 24)


def test_an_old_truth_leaves_the_window():
    X = np.random.default_rng(0).normal(size=(20_000, 1))
    y = np.sign(X[:, 0]) * np.where(np.arange(20_000) < 15_000, 1, -1)
    sketch = WindowSketch(window=2000, k=64).partial_fit(X, y)
    assert sketch.solve(0.01).coef[0] < -1
    assert HingeSketch(k=64).partial_fit(X, y).solve(0.01).coef[0] > 0
    with pytest.raises(InputError, match="window is empty"):
        WindowSketch(window=5).solve(0.1)
