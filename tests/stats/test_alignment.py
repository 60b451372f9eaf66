"""Moving features onto others: exact where it can be, the identity where nothing is known, refused where it must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import DataError, UsageError
from gnomon.stats import Moments, align_features, mix_moments


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2**31))
def test_merged_moments_are_those_of_all_rows(sizes, seed):
    X = np.random.default_rng(seed).normal(3, 2, size=(sum(sizes), 3))
    parts = [Moments.of(part) for part in np.split(X, np.cumsum(sizes)[:-1])]
    found = parts[0]
    for part in parts[1:]:
        found = found + part
    assert np.allclose(found.mean, X.mean(0))
    assert np.allclose(found.variance, X.var(0))


def test_a_linear_probe_goes_on_working_after_a_shift_and_scale():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    w = rng.normal(size=5)
    moved = X * [0.1, 2, 3, 1, 5] + [9, -4, 0, 1, 2]
    assert np.mean(np.sign(moved @ w) == np.sign(X @ w)) < 0.9
    aligned = align_features(X, moved).transform(moved)
    assert np.mean(np.sign(aligned @ w) == np.sign(X @ w)) > 0.99
    centred = align_features(X, moved, scale=False).transform(moved)
    assert np.allclose(centred.mean(0), X.mean(0))
    assert np.allclose(centred.std(0), moved.std(0))


def test_pseudo_counts_reach_from_the_target_to_the_identity():
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(50, 2)), rng.normal(4, 3, size=(20, 2))
    assert np.allclose(align_features(source, target, N=1e12).transform(target), target)
    half = align_features(source, target, N=20)
    assert np.allclose(half.origin, (source.mean(0) + target.mean(0)) / 2)
    assert mix_moments([0.0], [4.0], n=1, N=0).tolist() == [4.0]


def test_constant_dimensions_stay_finite():
    source = np.random.default_rng(0).normal(size=(30, 2))
    found = align_features(source, np.ones((9, 2))).transform(np.ones((9, 2)))
    assert np.allclose(found, source.mean(0))


@pytest.mark.parametrize(
    "source, target, error, words",
    [
        (np.ones((3, 2)), np.ones((3, 4)), UsageError, "2 dimensions, and target features 4"),
        (np.ones(3), np.ones((3, 1)), UsageError, "not \\(n, d\\)"),
        (np.ones((3, 1)), np.array([[1.0], [np.nan]]), DataError, "row 1 of the features"),
    ],
)
def test_what_cannot_be_aligned_is_said(source, target, error, words):
    with pytest.raises(error, match=words):
        align_features(source, target)
    with pytest.raises(UsageError, match="N=-1"):
        mix_moments([1.0], [1.0], 1, -1)
