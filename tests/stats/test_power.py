"""Detectable differences: the promised power is what the tests really have."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.stats import detectable_with, minimum_detectable_difference


def true_power(n, discordance, delta, alpha):
    """Exact power of McNemar's z test (no continuity correction) over all outcomes of n independent items."""
    critical, total = stats.norm.ppf(1 - alpha / 2), 0.0
    for m in range(1, n + 1):
        only_b = np.arange(m + 1)
        rejects = np.abs(2 * only_b - m) > critical * math.sqrt(m)
        mass = stats.binom.pmf(only_b, m, (discordance + delta) / (2 * discordance))
        total += stats.binom.pmf(m, n, discordance) * mass[rejects].sum()
    return total


@pytest.mark.parametrize(("n", "discordance", "power", "alpha"), [(300, 0.2, 0.8, 0.05), (1000, 0.1, 0.9, 0.01)])
def test_a_planned_difference_is_found_as_often_as_promised(n, discordance, power, alpha):
    delta = detectable_with(n, discordance, power, alpha)
    assert true_power(n, discordance, delta, alpha) == pytest.approx(power, abs=0.02)
    assert true_power(n, discordance, delta / 2, alpha) < power - 0.3


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0.01, 1), st.floats(0.06, 0.99), st.floats(0.001, 0.05))
def test_a_planned_difference_solves_connors_equation_or_names_the_items_it_needs(n, discordance, power, alpha):
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)

    def gap(delta):
        spread = z_power * math.sqrt(max(0.0, discordance - delta**2))
        return delta * math.sqrt(n) - z_alpha * math.sqrt(discordance) - spread

    try:
        found = detectable_with(n, discordance, power, alpha)
    except UsageError as error:
        needed = int(re.search(r"at least (\d+) items", str(error)).group(1))
        assert n < needed
        assert 0 < detectable_with(needed, discordance, power, alpha) <= discordance
        return
    assert 0 < found <= discordance
    assert gap(found) == pytest.approx(0, abs=1e-6)
    if n > 10 and power >= 0.5:  # there the gap rises with delta, so the root is the only one
        assert found == pytest.approx(optimize.brentq(gap, 0, math.sqrt(discordance)), abs=1e-6)


def test_planning_gets_easier_with_items_and_harder_with_discordance_and_power():
    assert detectable_with(2000, 0.2) < detectable_with(1000, 0.2) < detectable_with(1000, 0.3)
    assert detectable_with(1000, 0.2) < detectable_with(1000, 0.2, power=0.9)
    assert detectable_with(1000, 0.2) < detectable_with(1000, 0.2, alpha=0.01)


@pytest.mark.parametrize("n", [12, 40, 500])
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.01)])
def test_the_t_test_finds_the_detectable_difference_with_the_promised_power(n, power, alpha):
    difference = np.random.default_rng(0).normal(size=n)
    delta = minimum_detectable_difference(np.zeros(n), difference, power=power, alpha=alpha)
    shift = delta / (difference.std(ddof=1) / math.sqrt(n))
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    found = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert found == pytest.approx(power, abs=0.03)


def test_plan_and_data_agree_on_independent_right_and_wrong_answers():
    a = np.array([1] * 100 + [0] * 100 + [1] * 800)
    b = np.array([0] * 100 + [1] * 100 + [1] * 800)
    assert minimum_detectable_difference(a, b) == pytest.approx(detectable_with(1000, 0.2), rel=0.01)


def test_copies_of_an_item_in_its_cluster_do_not_make_smaller_differences_detectable():
    generator = np.random.default_rng(1)
    a, b = generator.random(50), generator.random(50)
    once = minimum_detectable_difference(a, b)
    copied = [np.repeat(each, 4) for each in (a, b)]
    assert minimum_detectable_difference(*copied, np.repeat(np.arange(50), 4)) == pytest.approx(once)
    assert minimum_detectable_difference(*copied) < 0.6 * once


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=30), st.floats(-3, 3))
def test_it_is_symmetric_and_depends_on_the_spread_alone(pairs, shift):
    a, b = map(np.array, zip(*pairs, strict=True))
    if np.ptp(b - a) < 1e-6:
        return
    found = minimum_detectable_difference(a, b)
    assert found > 0
    assert minimum_detectable_difference(b, a) == pytest.approx(found)
    assert minimum_detectable_difference(a, b + shift) == pytest.approx(found, rel=1e-6)
    assert minimum_detectable_difference(2 * a, 2 * b) == pytest.approx(2 * found)


@pytest.mark.parametrize("b", [[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]], ids=["equal", "shifted"])
def test_without_spread_no_limit_is_claimed(b):
    with pytest.raises(NotIdentifiedError, match="All 3 clusters show the same mean difference"):
        minimum_detectable_difference([0.1, 0.2, 0.3], b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detectable_with(0, 0.2), "n is 0; it must be a whole number of at least 1"),
        (lambda: detectable_with(100, 0), "discordance is 0"),
        (lambda: detectable_with(100, 1.5), "discordance is 1.5"),
        (lambda: detectable_with(100, 0.2, power=0.04), "power is 0.04, not above alpha = 0.05"),
        (lambda: detectable_with(10, 0.2), "With n = 10 and discordance 0.2 .* Use at least 37 items"),
        (lambda: minimum_detectable_difference([1, 0], [1]), "a has 2, b has 1"),
        (lambda: minimum_detectable_difference([1, 0], [0, 0], alpha=0), "alpha is 0"),
        (lambda: minimum_detectable_difference([1, 0], [0, 0], ["x", "x"]), "All 2 items are in one cluster"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_even_full_discordance_can_be_planned_for():
    assert 0 < detectable_with(100, 1) < 0.3
