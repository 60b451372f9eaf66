"""Paired tests: exact where enumeration is possible, valid under the null, and the same whoever comes first."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gnomon.errors import UsageError
from gnomon.stats import cluster_bootstrap, clustered_mean, mcnemar, paired_cluster_bootstrap

# Scores in eighths: differences and sums are exact, so that symmetries can be asserted to the bit.
eighths = st.integers(0, 8).map(lambda k: k / 8)
items = st.lists(st.tuples(eighths, eighths, st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: len({label for *_, label in rows}) > 1
)


def answers(only_a, only_b, both, neither):
    a = [1] * only_a + [0] * only_b + [1] * both + [0] * neither
    b = [0] * only_a + [1] * only_b + [1] * both + [0] * neither
    return a, b


def enumerated(differences):
    """Share of sign patterns of the cluster differences that sum at least as far from 0 as they do, exactly."""
    exact = [Fraction(each) for each in differences]
    seen = abs(sum(exact))
    patterns = itertools.product((1, -1), repeat=len(exact))
    hits = [abs(sum(s * d for s, d in zip(signs, exact, strict=True))) >= seen for signs in patterns]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("discordant", range(9))
def test_mcnemar_is_the_share_of_coin_patterns_at_least_as_uneven(discordant):
    for only_a in range(discordant + 1):
        found = mcnemar(*answers(only_a, discordant - only_a, both=2, neither=1))
        assert found.p_value == pytest.approx(enumerated([1] * only_a + [-1] * (discordant - only_a)))
        assert (found.only_a, found.only_b, found.n) == (only_a, discordant - only_a, discordant + 3)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 5), st.integers(1, 5))
def test_mcnemar_agrees_with_scipys_binomial_test_and_is_symmetric(only_a, only_b, both, neither):
    a, b = answers(only_a, only_b, both, neither)
    found = mcnemar(a, b)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    turned = mcnemar(b, a)
    assert (turned.only_a, turned.only_b, turned.p_value) == (only_b, only_a, found.p_value)


def test_mcnemar_never_errs_more_often_than_alpha():
    """Exact size over all outcomes of 30 discordant pairs, for many levels."""
    mass = stats.binom.pmf(np.arange(31), 30, 0.5)
    p = np.array([mcnemar(*answers(k, 30 - k, 0, 0)).p_value for k in range(31)])
    for alpha in np.linspace(0.001, 0.999, 200):
        assert mass[p <= alpha].sum() <= alpha + 1e-12


def test_no_discordant_pair_is_no_evidence():
    assert mcnemar([1, 0, 1], [1, 0, 1]).p_value == 1.0
    found = paired_cluster_bootstrap([1, 0, 1], [1, 0, 1], seed=0)
    assert (found.difference, found.p_value, found.interval.low, found.interval.high) == (0, 1, 0, 0)


@settings(deadline=None, max_examples=60)
@given(items)
def test_with_few_clusters_the_p_value_is_the_exact_share_of_sign_patterns(rows):
    a, b, labels = zip(*rows, strict=True)
    clusters = {label: sum(y - x for x, y, own in rows if own == label) for label in set(labels)}
    found = paired_cluster_bootstrap(a, b, labels, seed=0, draws=200)
    assert found.p_value == pytest.approx(enumerated(clusters.values()))


@pytest.mark.parametrize("kinds", ["one kind", "all different"])
def test_with_many_clusters_the_p_value_estimates_that_share(kinds):
    """Sixteen clusters: 65,536 patterns here, 10,000 random ones there; both ways of drawing signs."""
    size = np.ones(16) if kinds == "one kind" else np.random.default_rng(0).random(16) + 0.5
    difference = size * np.where(np.arange(16) < 12, 1, -1)
    signs = np.array(list(itertools.product((1, -1), repeat=16)))
    exact = float(np.mean(np.abs(signs @ size) >= abs(difference.sum()) - 1e-9))
    found = paired_cluster_bootstrap(np.zeros(16), difference, seed=1)
    assert 0.01 < exact < 0.2
    assert found.p_value == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / 10000))


def test_for_single_right_and_wrong_answers_it_estimates_mcnemar():
    a, b = answers(30, 50, 400, 100)
    exact = mcnemar(a, b).p_value
    found = paired_cluster_bootstrap(a, b, seed=0)
    assert found.p_value == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / 10000))
    assert found.difference == pytest.approx(20 / 580)


def test_the_p_value_is_never_zero_and_reaches_its_floor_for_a_plain_difference():
    assert paired_cluster_bootstrap([0] * 100, [1] * 100, seed=0, draws=999).p_value == pytest.approx(1 / 1000)


def null_pair(generator, groups=25):
    """Two exchangeable systems whose advantage is shared within a group: items are far from independent."""
    sizes = generator.integers(2, 9, groups)
    label = np.repeat(np.arange(groups), sizes)
    ability = generator.normal(size=(2, groups))[:, label]
    right = generator.normal(size=ability.shape) < ability
    return right[0], right[1], label


def test_the_cluster_p_value_is_valid_under_the_null_and_the_item_one_is_not():
    generator = np.random.default_rng(2)
    clustered, single, covered, repeats = [], [], 0, 600
    for seed in range(repeats):
        a, b, label = null_pair(generator)
        found = paired_cluster_bootstrap(a, b, label, seed=seed, draws=199)
        clustered.append(found.p_value)
        covered += found.interval.low <= 0 <= found.interval.high
        single.append(mcnemar(a, b).p_value)
    for alpha in (0.01, 0.05, 0.1, 0.3, 0.7):
        assert np.mean(np.array(clustered) <= alpha) <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / repeats)
    assert np.mean(np.array(clustered) <= 0.3) > 0.2  # valid, and not by never rejecting
    assert np.mean(np.array(single) <= 0.05) > 0.12
    assert 0.9 < covered / repeats < 0.98


def test_a_real_difference_is_found():
    generator = np.random.default_rng(3)
    a, b, label = null_pair(generator, groups=200)
    better = b | (generator.random(len(b)) < 0.25)
    found = paired_cluster_bootstrap(a, better, label, seed=0)
    assert found.p_value < 0.01
    assert found.interval.low > 0
    assert (found.n, found.groups) == (len(label), 200)


def test_the_interval_is_the_cluster_bootstrap_of_the_differences():
    a, b, label = null_pair(np.random.default_rng(4), groups=60)
    paired = paired_cluster_bootstrap(a, b, label, seed=0, draws=20000).interval
    single = cluster_bootstrap(b.astype(int) - a.astype(int), label, seed=0, draws=20000)
    normal = clustered_mean(b.astype(int) - a.astype(int), label)
    width = normal.high - normal.low
    assert (paired.low, paired.high) == pytest.approx((single.low, single.high), abs=0.04 * width)
    assert (paired.low, paired.high) == pytest.approx((normal.low, normal.high), abs=0.08 * width)


@settings(deadline=None, max_examples=60)
@given(items, st.integers(0, 5))
def test_swapping_the_systems_mirrors_everything(rows, seed):
    a, b, labels = zip(*rows, strict=True)
    found = paired_cluster_bootstrap(a, b, labels, seed=seed, draws=100)
    turned = paired_cluster_bootstrap(b, a, labels, seed=seed, draws=100)
    assert turned.difference == -found.difference
    assert turned.p_value == found.p_value
    assert (turned.interval.low, turned.interval.high) == pytest.approx(
        (-found.interval.high, -found.interval.low), abs=1e-12
    )


def test_swapping_mirrors_data_that_are_their_own_mirror_image():
    found = paired_cluster_bootstrap([0, 0, 1], [0, 1, 0], seed=0, draws=100)
    assert found.interval.low == -found.interval.high < 0


def test_swapping_mirrors_where_signs_are_drawn_for_each_cluster():
    generator = np.random.default_rng(5)
    a, b = generator.random((2, 40))
    found, turned = (paired_cluster_bootstrap(*pair, seed=0, draws=500) for pair in ((a, b), (b, a)))
    assert 0.01 < found.p_value == turned.p_value < 1
    assert turned.interval.low == pytest.approx(-found.interval.high, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(items, st.randoms())
def test_order_of_items_and_names_of_clusters_change_nothing(rows, dice):
    a, b, labels = zip(*rows, strict=True)
    first, second, renamed = zip(*dice.sample(rows, len(rows)), strict=True)
    names = [f"passage {-label}" for label in renamed]
    found = paired_cluster_bootstrap(a, b, labels, seed=1, draws=100)
    assert paired_cluster_bootstrap(first, second, names, seed=1, draws=100) == found


@settings(deadline=None, max_examples=60)
@given(items, st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_the_interval_widens_with_the_level_and_nothing_else_moves(rows, level, other):
    a, b, labels = zip(*rows, strict=True)
    narrow, wide = (
        paired_cluster_bootstrap(a, b, labels, seed=0, draws=100, level=each) for each in sorted((level, other))
    )
    assert wide.interval.low <= narrow.interval.low + 1e-12
    assert narrow.interval.high <= wide.interval.high + 1e-12
    assert (wide.difference, wide.p_value) == (narrow.difference, narrow.p_value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mcnemar([1, 0], [1]), "a_correct has 2, b_correct has 1"),
        (lambda: mcnemar([], []), "a_correct is empty"),
        (lambda: mcnemar([1, 0.5], [1, 1]), "neither 0 nor 1; the first is 0.5 at position 1"),
        (lambda: paired_cluster_bootstrap([1, 0], [1], seed=0), "a has 2, b has 1"),
        (lambda: paired_cluster_bootstrap([1, 0], [1, float("inf")], seed=0), "b holds 1 of 2 values that are not"),
        (lambda: paired_cluster_bootstrap([1, 0], [1, 1], ["x", "x"], seed=0), "All 2 items are in one cluster"),
        (lambda: paired_cluster_bootstrap([1, 0], [1, 1], seed=0, draws=10), "draws is 10"),
        (lambda: paired_cluster_bootstrap([1, 0], [1, 1], seed=-1), "seed is -1"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
