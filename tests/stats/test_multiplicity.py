"""False-discovery rate: held in simulation, and q-values equal to the procedure's own definition."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gnomon.errors import UsageError
from gnomon.stats import adjust, select

p_lists = st.lists(st.integers(0, 1000).map(lambda k: k / 1000), min_size=1, max_size=30)


def false_share(selected, null):
    return (selected & null).sum() / max(1, selected.sum())


def test_bh_holds_the_rate_where_plain_selection_does_not():
    """45 true nulls of 50 at q = 0.1: BH keeps the false share at 0.09 on average, p <= q lets it pass one half."""
    generator = np.random.default_rng(0)
    null = np.arange(50) < 45
    held, plain, found = [], [], []
    for _ in range(1000):
        p = stats.norm.sf(generator.normal(size=50) + np.where(null, 0, 3.5))
        chosen = select(p, 0.1, "bh")
        held.append(false_share(chosen, null))
        plain.append(false_share(p <= 0.1, null))
        found.append((chosen & ~null).mean() * 10)
    error = np.std(held) / np.sqrt(len(held))
    assert abs(np.mean(held) - 0.1 * 45 / 50) < 4 * error  # equality for independent tests: Benjamini & Hochberg 1995
    assert np.mean(plain) > 0.4
    assert np.mean(found) > 0.7


def least_favourable(generator, m, q):
    """p-values, each uniform, under which BH at level q errs at rate q sum 1/i (after Guo & Rao 2008, JSPI 138).

    With chance q / j exactly j of them fall between (j - 1) q / m and j q / m, where BH just selects j.
    """
    p = generator.uniform(q, 1, m)
    harmonic = (1 / np.arange(1, m + 1)).cumsum()
    j = int(np.searchsorted(q * harmonic, generator.random())) + 1
    if j <= m:
        chosen = generator.choice(m, j, replace=False)
        p[chosen] = generator.uniform((j - 1) * q / m, j * q / m)
    return p


def test_by_holds_the_rate_under_a_dependence_that_breaks_bh():
    generator = np.random.default_rng(1)
    m, q, repeats = 20, 0.2, 2000
    wrong = {"bh": 0, "by": 0}
    every = np.array([least_favourable(generator, m, q) for _ in range(repeats)])
    assert stats.kstest(every[:, 0], "uniform").pvalue > 1e-3  # valid p-values, so the fault is the dependence
    for p in every:
        for method in wrong:
            wrong[method] += select(p, q, method).any()  # all are null, so any selection is wholly false
    assert wrong["bh"] / repeats > 0.5
    assert wrong["by"] / repeats < q + 4 * np.sqrt(q * (1 - q) / repeats)


@settings(deadline=None)
@given(p_lists, st.sampled_from(["bh", "by"]))
def test_q_values_are_the_definition_in_exact_arithmetic(p_values, method):
    m = len(p_values)
    penalty = sum(Fraction(1, i) for i in range(1, m + 1)) if method == "by" else Fraction(1)
    exact = [Fraction(round(p * 1000), 1000) for p in p_values]
    expected = []
    for p in exact:
        candidates = [other * m * penalty / sum(x <= other for x in exact) for other in exact if other >= p]
        expected.append(float(min(1, *candidates, 1)))
    assert adjust(p_values, method) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(p_lists, st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.randoms())
def test_selection_grows_with_q_ignores_order_and_by_is_the_stricter(p_values, q, other, dice):
    low, high = sorted((q, other))
    assert not (select(p_values, low, "bh") & ~select(p_values, high, "bh")).any()
    assert not (select(p_values, q, "by") & ~select(p_values, q, "bh")).any()
    order = dice.sample(range(len(p_values)), len(p_values))
    shuffled = [p_values[i] for i in order]
    np.testing.assert_array_equal(adjust(shuffled, "bh"), adjust(p_values, "bh")[order])


def test_a_q_value_of_just_q_is_selected():
    assert select([0.25, 0.5], 0.5, "bh").tolist() == [True, True]


def test_one_hypothesis_is_left_as_it_is():
    assert adjust([0.03], "bh").tolist() == adjust([0.03], "by").tolist() == [0.03]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjust([], "bh"), "p_values is empty"),
        (lambda: adjust([0.2, 1.2], "bh"), r"outside \[0, 1\]; the first is 1.2 at position 1"),
        (lambda: adjust([0.2, float("nan")], "by"), "not finite; the first is nan at position 1"),
        (lambda: adjust([0.2], "holm"), "method is 'holm'"),
        (lambda: select([0.2], 0, "bh"), "q is 0"),
        (lambda: select([0.2], 1, "bh"), "q is 1"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
