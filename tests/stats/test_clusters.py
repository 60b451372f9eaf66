"""Cluster intervals: coverage where the naive one fails, oracles that share no code, invariances."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gnomon.errors import UsageError
from gnomon.stats import cluster_bootstrap, clustered_mean

# Values in eighths: sums are exact, so that invariances can be asserted to the bit.
eighths = st.integers(-16, 16).map(lambda k: k / 8)
items = st.lists(st.tuples(eighths, st.integers(0, 5)), min_size=2, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) > 1
)


def simulated(generator, groups=40, mean=0.6, correlation=0.3):
    """Right and wrong answers in groups of 1 to 8 items with that mean and that correlation within a group."""
    sizes = generator.integers(1, 9, groups)
    weight = 1 / correlation - 1
    rates = np.repeat(generator.beta(mean * weight, (1 - mean) * weight, groups), sizes)
    return (generator.random(len(rates)) < rates).astype(int), np.repeat(np.arange(groups), sizes)


def holds(interval, truth):
    return interval.low <= truth <= interval.high


def test_cluster_intervals_cover_where_the_naive_interval_does_not():
    """At the 95% level with groups of up to 8 items: both near 95%, the naive t interval under 85%."""
    generator = np.random.default_rng(0)
    robust = bootstrapped = naive = 0
    repeats = 500
    for seed in range(repeats):
        right, label = simulated(generator, mean=0.6)
        robust += holds(clustered_mean(right, label), 0.6)
        bootstrapped += holds(cluster_bootstrap(right, label, seed=seed, draws=400), 0.6)
        naive += holds(clustered_mean(right, None), 0.6)
    assert 0.92 < robust / repeats < 0.975
    assert 0.91 < bootstrapped / repeats < 0.975
    assert naive / repeats < 0.85


def test_with_items_of_their_own_the_t_interval_is_students():
    values = np.random.default_rng(1).normal(size=17)
    found, expected = clustered_mean(values, None, 0.9), stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_with_clusters_of_one_size_it_is_students_interval_of_the_cluster_means():
    values = np.random.default_rng(2).normal(size=(9, 4))
    found = clustered_mean(values.ravel(), np.repeat(np.arange(9), 4))
    expected = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_with_unequal_clusters_it_is_the_sandwich_of_a_regression_on_a_constant():
    generator = np.random.default_rng(3)
    label = generator.integers(0, 8, 30)
    values = generator.normal(size=30) + label
    residual = values - values.mean()
    meat = sum(residual[i] * residual[j] for i in range(30) for j in range(30) if label[i] == label[j])
    groups = len(set(label.tolist()))
    error = np.sqrt(groups / (groups - 1) * meat) / 30
    found = clustered_mean(values, label)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, groups - 1) * error)
    assert (found.high + found.low) / 2 == pytest.approx(values.mean())


def test_bootstrap_limits_are_quantiles_of_the_enumerated_bootstrap_distribution():
    """Four clusters have 256 ordered samples; each limit must sit at its quantile of all of them."""
    clusters = [[1.0, 0.0, 0.5], [2.0], [0.25, 0.75], [3.0, 1.0, 1.0, 1.5]]
    samples = itertools.product(clusters, repeat=4)
    exact = np.array([np.mean(list(itertools.chain(*sample))) for sample in samples])
    values = list(itertools.chain(*clusters))
    label = [name for name, cluster in zip("abcd", clusters, strict=True) for _ in cluster]
    for level in (0.5, 0.8, 0.95):
        found = cluster_bootstrap(values, label, seed=0, draws=20000, level=level)
        for limit, tail in ((found.low, 0.5 - level / 2), (found.high, 0.5 + level / 2)):
            assert np.mean(exact < limit - 1e-9) <= tail + 0.015
            assert np.mean(exact <= limit + 1e-9) >= tail - 0.015


def test_bootstrap_of_single_items_agrees_with_scipy():
    values = np.random.default_rng(4).exponential(size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    found = cluster_bootstrap(values, None, seed=0, draws=9999)
    error = 6 * values.std() / np.sqrt(60) / np.sqrt(9999) / 0.35  # six standard errors of a 2.5% quantile
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=error)


def test_bootstrap_agrees_with_a_plain_loop_over_unequal_clusters():
    generator = np.random.default_rng(5)
    right, label = simulated(generator, groups=25)
    groups = [right[label == each].tolist() for each in range(25)]
    dice = random.Random(0)
    means = []
    for _ in range(4000):
        sample = list(itertools.chain(*dice.choices(groups, k=25)))
        means.append(sum(sample) / len(sample))
    found = cluster_bootstrap(right, label, seed=1, draws=4000)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=0.02)


def test_counting_kinds_and_drawing_clusters_give_the_same_distribution():
    """Jitter makes every cluster its own kind, so the same data take the other way of drawing."""
    right, label = simulated(np.random.default_rng(6), groups=2000)
    jittered = right + 1e-9 * np.random.default_rng(7).random(len(right))
    by_kind = cluster_bootstrap(right, label, seed=0, draws=4000)
    one_by_one = cluster_bootstrap(jittered, label, seed=0, draws=4000)
    width = by_kind.high - by_kind.low
    assert (one_by_one.low, one_by_one.high) == pytest.approx((by_kind.low, by_kind.high), abs=0.06 * width)


def test_fourteen_thousand_clusters_stay_far_under_two_hundred_megabytes():
    values = np.random.default_rng(8).random(14042)
    labels = [f"question {i}" for i in range(14042)]
    tracemalloc.start()
    try:
        found = cluster_bootstrap(values, labels, seed=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6
    half = 1.96 * values.std() / np.sqrt(14042)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 5)


@settings(deadline=None, max_examples=50)
@given(items, st.randoms())
def test_order_of_items_and_names_of_clusters_change_nothing(rows, dice):
    values, labels = zip(*rows, strict=True)
    shuffled, renamed = zip(*dice.sample(rows, len(rows)), strict=True)
    names = [("passage", str(-label)) for label in renamed]
    assert cluster_bootstrap(values, labels, seed=3, draws=100) == cluster_bootstrap(shuffled, names, seed=3, draws=100)
    assert clustered_mean(values, labels) == clustered_mean(shuffled, names)


def test_order_changes_nothing_where_sums_are_rounded_either():
    generator = np.random.default_rng(10)
    values, labels = generator.normal(size=300) * 10.0 ** generator.integers(-8, 8, 300), np.arange(300) // 10
    order = generator.permutation(300)
    assert clustered_mean(values, labels) == clustered_mean(values[order], labels[order])
    assert cluster_bootstrap(values, labels, seed=0) == cluster_bootstrap(values[order], labels[order], seed=0)


@settings(deadline=None, max_examples=50)
@given(items, st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_intervals_are_nested_in_the_level(rows, level, other):
    values, labels = zip(*rows, strict=True)
    small, large = sorted((level, other))
    for interval in (
        lambda each: clustered_mean(values, labels, each),
        lambda each: cluster_bootstrap(values, labels, seed=0, draws=100, level=each),
    ):
        narrow, wide = interval(small), interval(large)
        assert wide.low <= narrow.low + 1e-12
        assert narrow.high <= wide.high + 1e-12


@settings(deadline=None, max_examples=50)
@given(items)
def test_the_bootstrap_stays_within_the_cluster_means(rows):
    values, labels = map(np.array, zip(*rows, strict=True))
    means = [values[labels == label].mean() for label in set(labels.tolist())]
    found = cluster_bootstrap(values, labels, seed=0, draws=100)
    assert min(means) - 1e-12 <= found.low <= found.high <= max(means) + 1e-12


@settings(deadline=None, max_examples=50)
@given(items)
def test_repeating_every_item_inside_its_cluster_is_no_new_evidence(rows):
    values, labels = zip(*rows, strict=True)
    once, thrice = clustered_mean(values, labels), clustered_mean(values * 3, labels * 3)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high), abs=1e-9)


def test_a_seed_repeats_and_another_seed_differs():
    values = np.random.default_rng(9).random(30)
    first, again, other = (cluster_bootstrap(values, None, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    passed = np.random.default_rng(5)
    assert cluster_bootstrap(values, None, seed=passed) != cluster_bootstrap(values, None, seed=passed)


@pytest.mark.parametrize(
    "labels",
    [["a", "a", "b", "c"], np.array(["a", "a", "b", "c"]), [(1, "x"), (1, "x"), (2, "x"), 7], iter([1, 1.0, 2, 3])],
    ids=["text", "array", "mixed", "iterator"],
)
def test_any_hashable_label_will_do(labels):
    assert clustered_mean([1, 2, 3, 4], labels) == clustered_mean([1, 2, 3, 4], [0, 0, 1, 2])


@pytest.mark.parametrize("interval", [clustered_mean, lambda v, c: cluster_bootstrap(v, c, seed=0)], ids=["t", "boot"])
@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([1, 0, 1], ["a", "a", "a"], "All 3 items are in one cluster"),
        ([1], None, "All 1 items are in one cluster"),
        ([1, 0], ["a"], "2 values and 1 cluster labels"),
        ([1, 0], ["a", None], "label at position 1 is None"),
        ([1, 0], [float("nan"), 1.0], "label at position 0 is nan"),
        ([1, 0], [["a"], ["b"]], "cannot be hashed"),
        ([1, 0], "ab", "the text 'ab'"),
        ([1, 0], 3, "clusters is 3, not a label for each item"),
    ],
)
def test_clusters_that_cannot_carry_an_interval_are_refused(interval, values, labels, message):
    with pytest.raises(UsageError, match=message):
        interval(values, labels)


def test_too_few_draws_for_a_percentile_are_refused():
    with pytest.raises(UsageError, match="draws is 99; it must be a whole number of at least 100"):
        cluster_bootstrap([1, 0], None, seed=0, draws=99)
