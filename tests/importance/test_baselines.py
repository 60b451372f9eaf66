"""Peers' scores, through their own packages, and the oracle that cuts them."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.importance.baselines import baselines, oracle


def f(X):
    return 3 * X[:, 0] - 2 * X[:, 2]


@pytest.mark.parametrize("name", ["permutation", "lime", "shap"])
@pytest.mark.filterwarnings("ignore")
def test_a_baseline_ranks_what_matters_first(name):
    if name != "permutation":
        pytest.importorskip(name)
    random = np.random.default_rng(0)
    X, background = random.normal(size=(4, 4)) + 2, random.normal(size=(60, 4))
    scores = baselines.load(name)(f, X, background, 0)
    assert scores.shape == (4, 4)
    assert (scores[:, [0, 2]].min(axis=1) > scores[:, [1, 3]].max(axis=1)).all()


def test_the_oracle_cuts_where_the_truth_allows():
    assert oracle([5, 4, 3, 2], [1, 0, 1, 1], 0.25).tpr == 1
    assert oracle([5, 4, 3, 2], [1, 0, 1, 1], 0.1).tpr == pytest.approx(1 / 3)
    assert oracle([5, 5, 1], [1, 0, 0], 0.1).threshold is None  # equal scores cannot be told apart
