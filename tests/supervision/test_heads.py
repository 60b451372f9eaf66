"""Heads on frozen features: batch equals one by one, and what they learn against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gnomon.errors import UsageError
from gnomon.supervision import HeadRecipe, Lesson, train_heads

RNG = np.random.default_rng(0)
X = RNG.normal(size=(900, 24)).astype(np.float32) * np.linspace(0.1, 20, 24).astype(np.float32) + 5
TRUTH = ((X[:, 3] - X[:, 3].mean()) / X[:, 3].std() + RNG.normal(size=900) / 2 > 0).astype(float)
RECIPE = HeadRecipe(epochs=4)


@pytest.mark.parametrize("loss", ["xent", "confidence", "product", "window"])
def test_many_heads_at_once_are_as_one_by_one(loss):
    """Up to the last bit, in which vectorised functions may differ at the ends of an array."""
    lessons = [Lesson(RNG.permutation(900)[:333], RNG.random(333), loss, seed) for seed in range(5)]
    standard = np.arange(600)
    together = train_heads(X, lessons, RECIPE, standard=standard)
    for number, lesson in enumerate(lessons):
        alone = train_heads(X, [lesson], RECIPE, standard=standard)
        assert alone.weights[0] == pytest.approx(together.weights[number], abs=1e-6)
        assert alone.bias[0] == pytest.approx(together.bias[number], abs=1e-6)


def test_a_head_is_about_as_good_as_logistic_regression():
    train, test = np.arange(600), np.arange(600, 900)
    heads = train_heads(X, [Lesson(train, TRUTH[train])])
    mine = ((heads.probabilities(X[test])[0] > 0.5) == TRUTH[test]).mean()
    scaled = (X - X[train].mean(0)) / X[train].std(0)
    theirs = LogisticRegression(max_iter=1000).fit(scaled[train], TRUTH[train]).score(scaled[test], TRUTH[test])
    assert mine > theirs - 0.03
    assert theirs > 0.7


def test_a_head_can_start_anywhere_and_says_so_at_first():
    start = RNG.normal(size=(2, 24)) * 0.01
    rows = np.arange(900)
    still = train_heads(X, [Lesson(rows, TRUTH)], HeadRecipe(epochs=1, lr=1e-12, decay=0.0), start=start)
    odds = X @ (start[1] - start[0])
    assert still.probabilities(X)[0] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)
    with pytest.raises(UsageError, match="shape"):
        train_heads(X, [Lesson(rows, TRUTH)], RECIPE, start=np.zeros((2, 3)))


def test_a_feature_that_never_varies_changes_nothing():
    flat = np.concatenate([X, np.full((900, 1), 7.0, dtype=np.float32)], axis=1)
    rows = np.arange(900)
    one, other = (train_heads(part, [Lesson(rows, TRUTH)], RECIPE) for part in (X, flat))
    assert one.probabilities(X) == pytest.approx(other.probabilities(flat), abs=1e-5)


@pytest.mark.parametrize(
    ("lesson", "says"),
    [
        (Lesson(np.arange(0), np.zeros(0)), "0 rows"),
        (Lesson(np.arange(4), np.zeros(3)), "4 rows and 3 targets"),
        (Lesson(np.arange(2), np.array([0.5, 1.2])), "probabilities"),
    ],
)
def test_lessons_that_are_none_are_refused(lesson, says):
    with pytest.raises(UsageError, match=says):
        train_heads(X, [lesson], RECIPE)


def test_features_that_are_not_finite_are_refused():
    bad = X.copy()
    bad[3, 3] = np.nan
    with pytest.raises(UsageError, match="finite"):
        train_heads(bad, [Lesson(np.arange(900), TRUTH)], RECIPE)


def test_swapping_a_pair_negates_its_logit_and_equal_texts_give_a_half():
    one, other = X[:400], X[400:800]
    difference = one - other
    target = (difference[:, 3] > 0).astype(float)
    heads = train_heads(difference, [Lesson(np.arange(400), target)], RECIPE, paired=True)
    says = heads.probabilities(difference)[0]
    assert says == pytest.approx(1 - heads.probabilities(-difference)[0], abs=1e-6)
    assert heads.probabilities(np.zeros((1, 24)))[0] == pytest.approx([0.5])
    assert ((says > 0.5) == target).mean() > 0.7
