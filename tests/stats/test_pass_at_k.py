"""pass@k is the share of all subsets of k programs that hold a right one: counted, not computed."""

import itertools
import math

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.stats import mean_pass_at_k, pass_at_k


@pytest.mark.parametrize("n", range(1, 8))
def test_it_is_the_share_of_subsets_with_a_right_program(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(itertools.combinations([True] * c + [False] * (n - c), k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


def test_it_is_exact_where_binomials_are_huge():
    n, c, k = 100_000, 17, 5_000
    exact = 1 - math.comb(n - c, k) / math.comb(n, k)
    assert pass_at_k(n, c, k) == pytest.approx(exact, rel=1e-9)


def test_it_is_unbiased_where_the_plug_in_is_not():
    """Mean over many draws of n = 10 programs, each right with p = 0.2, against 1 - (1 - p)^5."""
    right = np.random.Generator(np.random.PCG64(0)).binomial(10, 0.2, size=20_000)
    truth = 1 - 0.8**5
    unbiased = np.mean([pass_at_k(10, int(c), 5) for c in right])
    plug_in = np.mean(1 - (1 - right / 10) ** 5)
    assert unbiased == pytest.approx(truth, abs=0.006)
    assert plug_in < truth - 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 1, 6), r"pass@6 cannot be told from 5 programs a problem. Draw at least 6, or ask for k up to 5."),
        ((5, 6, 1), r"c is 6, and only n = 5 programs"),
        ((0, 0, 1), "n is 0"),
        ((5, -1, 1), "c is -1"),
        ((5, 1, 0), "k is 0"),
        ((5, 1.5, 1), "c is 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        pass_at_k(*arguments)


def test_the_mean_is_over_problems_whatever_their_number_of_programs():
    found = mean_pass_at_k([10, 2, 4], [5, 0, 4], 1, seed=0)
    assert (found.k, found.problems) == (1, 3)
    assert found.value == pytest.approx((0.5 + 0 + 1) / 3)
    assert found.interval.low <= found.value <= found.interval.high


def test_the_interval_covers_the_truth_over_problems():
    """Problems' own chances are uniform, so mean pass@1 is 0.5; 95% intervals over 60 problems hold it as often."""
    random = np.random.Generator(np.random.PCG64(1))
    held = 0
    for trial in range(200):
        right = random.binomial(8, random.random(60))
        found = mean_pass_at_k([8] * 60, [int(c) for c in right], 1, seed=trial, draws=200)
        held += found.interval.low <= 0.5 <= found.interval.high
    assert 0.88 <= held / 200 <= 0.99


def test_one_problem_has_no_interval_and_none_has_no_mean():
    assert mean_pass_at_k([4], [2], 1, seed=0).interval is None
    with pytest.raises(UsageError, match="no problems"):
        mean_pass_at_k([], [], 1, seed=0)


def test_the_problem_at_fault_is_named():
    with pytest.raises(UsageError, match="Problem 1: pass@3 cannot be told from 2 programs"):
        mean_pass_at_k([4, 2], [1, 1], 3, seed=0)
    with pytest.raises(UsageError, match="n has 2 problems and c has 1"):
        mean_pass_at_k([4, 2], [1], 1, seed=0)
