"""The confidence loss wins where the supervisor's own errors are what is learned last, and loses where it is truth."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.supervision.simulation import CONFIDENCE, NAIVE, confidence_against_naive, simulated_gap


@pytest.fixture(scope="module")
def found():
    return {gap: confidence_against_naive(gap, seeds=4, n=1000) for gap in ("large", "small")}


@pytest.mark.slow
def test_at_a_large_gap_the_confidence_loss_wins(found):
    large = found["large"]
    assert large.interval.low > 0.05
    naive, confident = large.recovered[NAIVE], large.recovered[CONFIDENCE]
    assert naive.identified
    assert naive.interval.high < confident.interval.low
    assert 0 < naive.value < confident.value < 1


@pytest.mark.slow
def test_at_a_small_gap_it_loses(found):
    small = found["small"]
    assert small.interval.high < 0
    assert small.recovered[NAIVE].identified
    assert small.recovered[CONFIDENCE].value < small.recovered[NAIVE].value


@pytest.mark.slow
def test_it_wins_and_loses_for_the_reason_that_is_given(found):
    """What is learned after the first epoch is the supervisor's errors at the large gap, and truth at the small one."""
    large, small = found["large"], found["small"]
    assert large.early > large.accuracy[CONFIDENCE] > large.accuracy[NAIVE] > large.weak
    assert small.early < small.accuracy[CONFIDENCE] < small.accuracy[NAIVE]
    assert large.ceiling - large.weak > 4 * (small.ceiling - small.weak) > 0
    assert small.early < small.weak + 0.02


@pytest.mark.slow
def test_the_difference_is_that_of_the_accuracies_problem_by_problem(found):
    for one in found.values():
        assert one.difference == pytest.approx(one.accuracy[CONFIDENCE] - one.accuracy[NAIVE])
        assert one.interval.low < one.difference < one.interval.high
        assert one.recovered[NAIVE].weak == pytest.approx(one.weak)


def test_numbers_repeat_with_the_seed_and_change_with_it():
    given = {"n": 100, "width": 16}
    one, again, other = (confidence_against_naive("large", seeds, **given) for seeds in (2, [0, 1], [2, 3]))
    assert one == again
    assert one.difference != other.difference
    first, same, next_ = (simulated_gap("small", seed, 50, 8) for seed in (0, 0, 1))
    assert np.array_equal(first.features, same.features)
    assert np.array_equal(first.weak, same.weak)
    assert not np.array_equal(first.truth, next_.truth)


@pytest.mark.parametrize("gap", ["large", "small"])
def test_a_problem_is_balanced_and_its_parts_share_nothing(gap):
    problem = simulated_gap(gap, seed=1000, n=500, width=32)
    assert problem.features.shape == (2500, 32)
    assert problem.features.dtype == np.float32
    assert not set(problem.learn) & set(problem.test)
    assert 0.45 < problem.truth.mean() < 0.55
    assert ((problem.weak >= 0) & (problem.weak <= 1)).all()
    assert problem.accuracy(problem.truth[problem.test].astype(float)) == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: simulated_gap("lage", 0), "Did you mean 'large'"),
        (lambda: simulated_gap("large", 0, n=1), "n=1 and width=64"),
        (lambda: simulated_gap("large", 0, width=3), "n=1500 and width=3"),
        (lambda: confidence_against_naive("large", seeds=1), "at least 2"),
    ],
)
def test_bad_input_is_one_sentence(call, says):
    with pytest.raises(UsageError, match=says):
        call()
