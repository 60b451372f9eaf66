"""Wilson and MOVER: exact coverage, published values, and what must hold for any input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats import mover, wilson

P_GRID = (np.arange(200) + 0.5) / 200


def covered(limits, n):
    """Exact probability, for each p of the grid, that limits(successes) holds p."""
    mass = stats.binom.pmf(np.arange(n + 1)[:, None], n, P_GRID)
    held = np.array([[low <= p <= high for p in P_GRID] for low, high in map(limits, range(n + 1))])
    return (mass * held).sum(axis=0)


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize(("level", "floor"), [(0.8, 0.6), (0.95, 0.82)])
def test_wilson_covers_its_level_on_average_and_dips_at_some_p(n, level, floor):
    def limits(successes):
        interval = wilson(successes, n, level)
        return interval.low, interval.high

    coverage = covered(limits, n)
    assert level - 0.005 < coverage.mean() < level + 0.025
    assert coverage.min() > floor


def test_the_textbook_interval_fails_where_wilson_holds():
    """Why Wilson: phat +- z se covers 77% on average at n = 10 where 95% is claimed."""

    def wald(successes):
        p = successes / 10
        half = 1.96 * math.sqrt(p * (1 - p) / 10)
        return p - half, p + half

    assert covered(wald, 10).mean() < 0.8


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 40, 14042])
def test_wilson_agrees_with_scipy(n, level):
    for successes in {0, 1, n // 3, n // 2, n - 1, n}:
        expected = stats.binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
        found = wilson(successes, n, level)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_wilson_holds_the_estimate_widens_with_level_and_mirrors(n, fraction, level, other):
    successes = round(n * fraction)
    found = wilson(successes, n, level)
    assert 0 <= found.low <= successes / n <= found.high <= 1
    assert found.low < found.high
    mirrored = wilson(n - successes, n, level)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-12)
    narrow, wide = (wilson(successes, n, each) for each in sorted((level, other)))
    assert wide.low <= narrow.low + 1e-15
    assert wide.high >= narrow.high - 1e-15


def test_wilson_ends_exactly_at_nought_and_one_where_all_items_agree():
    for n in range(1, 500):
        assert wilson(0, n).low == 0.0
        assert wilson(n, n).high == 1.0


def test_wilson_limits_are_where_the_score_test_just_accepts():
    interval, z = wilson(7, 20), stats.norm.ppf(0.975)
    for limit in (interval.low, interval.high):
        assert (7 / 20 - limit) ** 2 == pytest.approx(z**2 * limit * (1 - limit) / 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "n is 0"),
        ((5, 4), "successes is 5, more than the n = 4"),
        ((-1, 4), "successes is -1"),
        ((1.5, 4), "successes is 1.5, not a whole number"),
        ((1, 4, 1.0), "level is 1.0"),
        ((1, 4, 95), "level is 95"),
        ((1, 4, float("nan")), "level is nan"),
    ],
)
def test_wilson_refuses_what_has_no_answer(arguments, message):
    with pytest.raises(UsageError, match=message):
        wilson(*arguments)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_mover_gives_newcombes_published_limits_for_a_difference(first, second, low, high):
    """Newcombe (1998), Statistics in Medicine 17:873-890, Table II, method 10."""
    estimates = [first[0] / first[1], second[0] / second[1]]
    found = mover(estimates, [wilson(*first), wilson(*second)], [1, -1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_macro_average_by_mover_covers_where_the_normal_one_does_not():
    """Exact coverage by enumerating all outcomes of three subsets of unequal size and difficulty."""
    sizes, p = (8, 12, 20), (0.97, 0.9, 0.7)
    weights, truth = np.full(3, 1 / 3), np.mean(p)
    parts = [[wilson(k, n) for k in range(n + 1)] for n in sizes]
    mass = [stats.binom.pmf(np.arange(n + 1), n, each) for n, each in zip(sizes, p, strict=True)]
    recovered = normal = 0.0
    for i, j, k in np.ndindex(*(n + 1 for n in sizes)):
        chance = mass[0][i] * mass[1][j] * mass[2][k]
        if chance < 1e-7:  # together under 1e-4
            continue
        theta = np.array([i, j, k]) / sizes
        found = mover(theta, [parts[0][i], parts[1][j], parts[2][k]], weights)
        recovered += chance * (found.low <= truth <= found.high)
        half = 1.96 * math.sqrt(float((weights**2 * theta * (1 - theta) / sizes).sum()))
        normal += chance * (abs(theta.mean() - truth) <= half)
    assert 0.935 < recovered < 0.975
    assert normal < recovered - 0.01


def test_mover_with_symmetric_limits_is_the_normal_theory_interval():
    half, weights = np.array([0.1, 0.02, 0.3]), np.array([0.5, -2.0, 0.25])
    theta = np.array([0.4, 0.1, 7.0])
    intervals = [Interval(low=t - h, high=t + h, method="t") for t, h in zip(theta, half, strict=True)]
    found = mover(theta, intervals, weights)
    expected = math.sqrt(float((weights**2 * half**2).sum()))
    assert (found.low, found.high) == pytest.approx((theta @ weights - expected, theta @ weights + expected))


counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(st.lists(counts, min_size=1, max_size=8), st.randoms())
def test_a_macro_average_stays_in_the_unit_interval_holds_the_mean_and_ignores_order(pairs, random):
    def macro(subsets):
        return mover([s / n for s, n in subsets], [wilson(s, n) for s, n in subsets], [1 / len(subsets)] * len(subsets))

    found = macro(pairs)
    mean = sum(s / n for s, n in pairs) / len(pairs)
    assert -1e-12 <= found.low <= mean + 1e-12
    assert mean - 1e-12 <= found.high <= 1 + 1e-12
    shuffled = macro(random.sample(pairs, len(pairs)))
    assert (shuffled.low, shuffled.high) == pytest.approx((found.low, found.high), abs=1e-12)


@given(counts, st.floats(-5, 5))
def test_mover_of_one_estimate_is_its_own_interval_scaled(pair, weight):
    own = wilson(*pair)
    found = mover([pair[0] / pair[1]], [own], [weight])
    assert (found.low, found.high) == pytest.approx(sorted((weight * own.low, weight * own.high)), abs=1e-12)


def test_mover_names_the_methods_it_combined_and_keeps_their_level():
    found = mover([0.5], [wilson(2, 4, 0.9)], [1])
    assert (found.method, found.level) == ("MOVER (Wilson)", 0.9)


@pytest.mark.parametrize(
    ("estimates", "intervals", "weights", "message"),
    [
        ([], [], [], "estimates is empty"),
        ([0.5], [], [1], "intervals is empty"),
        ([0.5, 0.5], [wilson(2, 4)], [1, 1], "estimates has 2, intervals has 1, weights has 2"),
        ([0.5, 0.5], [wilson(2, 4), wilson(2, 4, 0.9)], [1, 1], r"different levels \[0.9, 0.95\]"),
        ([0.99], [wilson(2, 4)], [1], "estimate 0 is 0.99, outside its own interval"),
        ([0.5], [wilson(2, 4)], [float("nan")], "weights holds 1 of 1 values that are not finite"),
    ],
)
def test_mover_refuses_what_it_cannot_combine(estimates, intervals, weights, message):
    with pytest.raises(UsageError, match=message):
        mover(estimates, intervals, weights)
