"""StreamingSVM: scikit-learn's own checks, several classes, any lam after the stream."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from gnomon.streaming import HingeSketch, InputError, StreamingSVM

EXCEPTIONS = {
    "check_estimators_nan_inf": "rows with values that are not finite are counted and left out, not refused",
}


@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API.*")
@parametrize_with_checks([StreamingSVM()], expected_failed_checks=lambda estimator: EXCEPTIONS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def blobs(n=4000, classes=3, d=2, seed=0):
    rng = np.random.default_rng(seed)
    centres = 2 * np.stack(
        [np.cos(np.arange(classes) * 6.28 / classes), np.sin(np.arange(classes) * 6.28 / classes)], 1
    )
    y = rng.integers(0, classes, n)
    return centres[y][:, :d] + rng.normal(size=(n, d)), y


def test_a_large_enough_sketch_gives_what_liblinear_gives():
    X, y = blobs(600, 2)
    lam = 0.01
    svm = StreamingSVM(lam=lam, k=2000).fit(X, y)
    peer = LinearSVC(loss="hinge", C=1 / (lam * len(X)), intercept_scaling=1, tol=1e-9, max_iter=1_000_000, dual=True)
    peer.fit(X, y)
    np.testing.assert_allclose(svm.coef_, peer.coef_, atol=1e-3)
    np.testing.assert_allclose(svm.intercept_, peer.intercept_, atol=1e-3)
    assert svm.fit_result_.gap < 1e-9


def test_lam_is_chosen_after_the_stream():
    X, y = blobs(5000, 2)
    svm = StreamingSVM(lam=1.0, k=256).partial_fit(X, y)
    strong = svm.coef_
    svm.set_params(lam=1e-3)
    assert np.linalg.norm(svm.coef_) > np.linalg.norm(strong)
    again = StreamingSVM(lam=1e-3, k=256).partial_fit(X, y)
    np.testing.assert_array_equal(svm.coef_, again.coef_)


def test_three_classes_are_one_against_the_rest_with_a_certificate_each():
    X, y = blobs()
    names = np.array(["oak", "elm", "yew"])[y]
    svm = StreamingSVM(k=300)
    for rows in np.array_split(np.argsort(names, kind="stable"), 7):  # in the order of classes
        svm.partial_fit(X[rows], names[rows])
    assert svm.classes_.tolist() == ["elm", "oak", "yew"]
    assert svm.score(X, names) > 0.85
    for name, fit in zip(svm.classes_, svm.fit_result_, strict=True):
        sign = np.where(names == name, 1.0, -1.0)
        value = np.maximum(0, 1 - sign * (X @ fit.coef + fit.intercept)).mean() + svm.lam / 2 * (fit.w @ fit.w)
        assert fit.low <= value + 1e-9
        assert value <= fit.high + 1e-9
        inside = svm.objective(fit.coef, fit.intercept, positive=str(name))
        assert inside.low - 1e-12 <= value <= inside.high + 1e-12


def test_merging_joins_classes_that_only_one_has_seen():
    X, y = blobs()
    left, right = StreamingSVM(k=200, seed=1), StreamingSVM(k=200, seed=2)
    left.partial_fit(X[y < 2], y[y < 2])
    right.partial_fit(X[y == 2], y[y == 2])
    whole = left.copy().merge(right)
    assert whole.classes_.tolist() == [0, 1, 2]
    assert whole.n_seen_ == 4000
    assert whole.score(X, y) > 0.85
    assert left.classes_.tolist() == [0, 1]
    assert StreamingSVM(k=200).merge(left).n_seen_ == left.n_seen_


def test_given_classes_are_kept_to():
    X, y = blobs(100, 3)
    svm = StreamingSVM().partial_fit(X[y < 2], y[y < 2], classes=[0, 1])
    with pytest.raises(InputError, match="class 2, which is not among"):
        svm.partial_fit(X, y)
    with pytest.raises(InputError, match="were given, and"):
        svm.partial_fit(X[y < 2], y[y < 2], classes=[0, 3])


def test_one_class_and_no_rows_are_no_classifier():
    with pytest.raises(InputError, match="all rows are of one class, 1"):
        StreamingSVM().fit([[1.0], [2.0]], [1, 1])
    svm = StreamingSVM().partial_fit([[1.0], [2.0]], [1, 1])
    with pytest.raises(InputError, match="needs two classes"):
        _ = svm.fit_result_
    assert svm.partial_fit([[-1.0]], [0]).predict([[3.0]]).tolist() == [1]
    with pytest.raises(AttributeError):
        _ = clone(svm).coef_


def test_rows_that_are_not_finite_are_counted():
    svm = StreamingSVM().fit([[1.0], [np.nan], [-1.0], [np.inf]], [1, 1, 0, 0])
    assert (svm.n_seen_, svm.n_rejected_) == (2, 2)


def test_it_agrees_with_the_sketch_under_it():
    X, y = blobs(5000, 2)
    svm = StreamingSVM(lam=0.01, k=128, seed=3).partial_fit(X, y)
    fit = HingeSketch(k=128, seed=3).partial_fit(X, 2.0 * y - 1).solve(0.01)
    assert svm.fit_result_.value == pytest.approx(fit.value, abs=1e-9)
