"""Calibration error, textbook and as released, against a brute-force reading of the definition."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.stats import reliability, rms_calibration_error, rms_calibration_error_official, wilson

SPLIT = ([0.3] * 4 + [0.9] * 4, [0] * 4 + [1] * 4)

# Tenths make ties across bin edges the rule; the coarse grid includes 0, 0.5 and 1.
rows = st.lists(
    st.tuples(st.one_of(st.integers(0, 10).map(lambda k: k / 10), st.floats(0, 1)), st.integers(0, 1)),
    min_size=1,
    max_size=60,
)
bin_sizes = st.sampled_from([1, 2, 3, 7, 25, 100])


def brute_bins(pairs, bin_size):
    """Lists of (confidence, correct): an item is in bin k if k of the edges, first dropped, are at or below it."""
    n, ordered = len(pairs), sorted(confidence for confidence, _ in pairs)
    number = n // bin_size
    edges = [ordered[round(j * (n / number))] for j in range(1, number)]
    bins = [[] for _ in range(max(1, number))]
    for confidence, correct in pairs:
        bins[sum(edge <= confidence for edge in edges)].append((confidence, correct))
    return [each for each in bins if each]


def gap(part):
    return math.fsum(correct - confidence for confidence, correct in part) / len(part)


def brute_textbook(pairs, bin_size):
    return math.sqrt(sum(len(part) / len(pairs) * gap(part) ** 2 for part in brute_bins(pairs, bin_size)))


def brute_official(pairs, bin_size):
    folded = [(c, right) if c > 0.5 else (1 - c, 1 - right) for c, right in pairs]
    return sum((len(part) / len(pairs) * gap(part)) ** 2 for part in brute_bins(folded, bin_size)) ** 0.25


@settings(deadline=None, max_examples=300)
@given(rows, bin_sizes)
def test_both_values_equal_a_brute_force_reading(pairs, bin_size):
    confidence, correct = zip(*pairs, strict=True)
    assert rms_calibration_error(confidence, correct, bin_size) == pytest.approx(
        brute_textbook(pairs, bin_size), abs=1e-7
    )
    found = rms_calibration_error_official(confidence, correct, bin_size)
    assert found**4 == pytest.approx(brute_official(pairs, bin_size) ** 4, abs=1e-14)


def test_both_values_equal_a_brute_force_reading_at_benchmark_size():
    generator = np.random.default_rng(0)
    confidence = np.round(generator.beta(3, 2, 1531), 3)
    correct = (generator.random(1531) < confidence**2).astype(int)
    pairs = list(zip(confidence.tolist(), correct.tolist(), strict=True))
    assert rms_calibration_error(confidence, correct) == pytest.approx(brute_textbook(pairs, 100))
    assert rms_calibration_error_official(confidence, correct) == pytest.approx(brute_official(pairs, 100))


def test_values_measured_with_the_released_code():
    assert rms_calibration_error_official(*SPLIT) == pytest.approx(0.447214, abs=5e-7)
    assert rms_calibration_error(*SPLIT) == pytest.approx(0.1, abs=1e-12)
    assert rms_calibration_error(*SPLIT, bin_size=4) == pytest.approx(0.223607, abs=5e-7)


def test_confidence_of_one_quarter_and_accuracy_of_one_quarter_is_perfect():
    assert rms_calibration_error([0.25] * 400, [1, 0, 0, 0] * 100) == 0


def test_the_released_code_reads_low_confidence_as_the_other_class_and_one_half_with_it():
    assert rms_calibration_error_official([0.5], [0]) == pytest.approx(math.sqrt(0.5))
    assert rms_calibration_error_official([0.2, 0.2], [0, 0]) == pytest.approx(math.sqrt(0.2))
    assert rms_calibration_error_official([0.8, 0.8], [1, 1]) == pytest.approx(math.sqrt(0.2))
    # one item at 0.5, wrong, folds to right; one at 0.9, right, stays: gaps 0.5 and 0.1 of weight 1/2 in bins of one
    found = rms_calibration_error_official([0.5, 0.9], [0, 1], bin_size=1)
    assert found == pytest.approx((0.25**2 + 0.05**2) ** 0.25)


def test_the_released_value_shrinks_with_the_number_of_bins_and_the_textbook_one_does_not():
    """Every item has a gap of 0.2 up to chance; ten times the items give ten times the bins."""
    generator = np.random.default_rng(1)
    confidence = 0.7 + 0.2 * generator.random(20000)
    correct = generator.random(20000) < confidence - 0.2
    few, many = slice(0, 2000), slice(None)
    textbook = [rms_calibration_error(confidence[part], correct[part]) for part in (few, many)]
    released = [rms_calibration_error_official(confidence[part], correct[part]) for part in (few, many)]
    assert textbook == pytest.approx([0.2, 0.2], abs=0.03)
    assert released[1] < 0.7 * released[0]


def test_for_a_calibrated_model_only_the_chance_of_a_bin_is_left():
    """The mean square gap of bins of 100 is the binomial variance, mean p (1 - p) / 100."""
    generator = np.random.default_rng(2)
    p = 0.25 + 0.75 * generator.random(40000)
    found = rms_calibration_error(p, generator.random(40000) < p)
    assert found**2 == pytest.approx(np.mean(p * (1 - p)) / 100, rel=0.25)


def test_tied_confidences_are_never_parted_and_the_edge_belongs_to_the_upper_bin():
    confidence = [0.2] * 3 + [0.6] * 4 + [0.8]
    parts = reliability(confidence, [0, 0, 1, 1, 1, 0, 1, 1], bin_size=2)
    # ranks 2, 4, 6 give the edges 0.2, 0.6, 0.6: the 0.2s go up into the second bin, the first and third stay empty
    assert [(part.n, round(part.confidence, 9)) for part in parts] == [(3, 0.2), (5, 0.64)]
    assert [part.accuracy for part in parts] == pytest.approx([1 / 3, 4 / 5])


@pytest.mark.parametrize(("n", "bins"), [(1, 1), (99, 1), (100, 1), (199, 1), (200, 2), (250, 2), (1050, 10)])
def test_there_are_floor_n_over_100_bins_and_at_least_one(n, bins):
    parts = reliability(np.arange(n) / n, np.zeros(n))
    assert len(parts) == bins
    assert sum(part.n for part in parts) == n
    assert max(part.n for part in parts) - min(part.n for part in parts) <= 1


@settings(deadline=None)
@given(rows, bin_sizes)
def test_the_reliability_table_carries_the_textbook_value(pairs, bin_size):
    confidence, correct = zip(*pairs, strict=True)
    parts = reliability(confidence, correct, bin_size)
    n = sum(part.n for part in parts)
    assert n == len(pairs)
    assert sum(part.n * part.accuracy for part in parts) == pytest.approx(sum(correct))
    value = math.sqrt(sum(part.n / n * (part.accuracy - part.confidence) ** 2 for part in parts))
    assert value == pytest.approx(rms_calibration_error(confidence, correct, bin_size), abs=1e-9)
    assert all(low.confidence < high.confidence for low, high in itertools.pairwise(parts))
    assert all(part.interval == wilson(round(part.n * part.accuracy), part.n) for part in parts)


@settings(deadline=None)
@given(rows, bin_sizes, st.randoms())
def test_values_ignore_order_and_lie_between_the_overall_gap_and_one(pairs, bin_size, dice):
    confidence, correct = zip(*pairs, strict=True)
    shuffled = list(zip(*dice.sample(pairs, len(pairs)), strict=True))
    for function in (rms_calibration_error, rms_calibration_error_official):
        value = function(confidence, correct, bin_size)
        # the fourth power, since the released value's double root magnifies rounding near 0
        assert value**4 == pytest.approx(function(*shuffled, bin_size) ** 4, abs=1e-14)
        assert 0 <= value <= 1
    overall = abs(sum(correct) - math.fsum(confidence)) / len(pairs)
    assert rms_calibration_error(confidence, correct, bin_size) >= overall - 1e-9  # Jensen


def test_the_level_of_the_table_is_that_of_its_intervals():
    narrow, wide = (reliability(*SPLIT, level=level)[0].interval for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.99


@pytest.mark.parametrize("function", [rms_calibration_error, rms_calibration_error_official, reliability])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "confidence is empty"),
        (([0.5], [1, 0]), "confidence has 1, correct has 2"),
        (([85.0], [1]), r"outside \[0, 1\]; the first is 85.0 at position 0. Pass fractions"),
        (([0.5, float("nan")], [1, 0]), "not finite; the first is nan at position 1"),
        (([0.5], [0.5]), "correct holds 1 of 1 values that are neither 0 nor 1"),
        (([0.5], [1], 0), "bin_size is 0; it must be a whole number of at least 1"),
        (([[0.5, 0.5]], [1]), r"confidence has shape \(1, 2\), not \(n,\)"),
    ],
)
def test_arguments_out_of_range_are_refused(function, arguments, message):
    with pytest.raises(UsageError, match=message):
        function(*arguments)
