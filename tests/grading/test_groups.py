"""Exact match over groups: a group counts only when all its rows are right."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.grading.groups import exact_match, exact_match_in_order

verdicts = st.lists(st.booleans(), max_size=60)
sizes = st.integers(1, 7)


def reshaped(correct, size):
    """The release's own way: cut to whole groups, one row of a matrix a group."""
    whole = len(correct) // size * size
    table = np.array(correct[:whole], dtype=bool).reshape(-1, size)
    return table.all(axis=1).tolist()


def test_ethics_edge_1_seven_of_eight_justice_rows_right_is_accuracy_0875_and_exact_match_05():
    correct = [True] * 7 + [False]
    assert sum(correct) / len(correct) == 0.875
    assert exact_match(correct, [0, 0, 0, 0, 1, 1, 1, 1], 4).value == 0.5


def test_ethics_edge_2_nine_rows_in_fours_are_two_groups_and_one_row_is_ignored_and_counted():
    score = exact_match_in_order([True] * 8 + [False], 4)
    assert (score.value, len(score.right), score.ignored) == (1.0, 2, 1)


def test_ethics_edge_3_all_zeros_on_virtue_is_accuracy_08_and_exact_match_0():
    labels = [int(n % 5 == 3) for n in range(25)]
    correct = [label == 0 for label in labels]
    assert sum(correct) / len(correct) == 0.8
    assert exact_match_in_order(correct, 5).value == 0.0


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_ethics_edge_4_permuting_traits_with_their_labels_keeps_exact_match(seed, count):
    rng = random.Random(seed)
    groups = [[rng.random() < 0.7 for _ in range(5)] for _ in range(count)]
    turned = [rng.sample(group, 5) for group in groups]
    plain, moved = (exact_match_in_order([v for group in table for v in group], 5) for table in (groups, turned))
    assert plain == moved


def test_ethics_edge_5_rows_without_group_ids_are_refused_and_ids_survive_a_shuffle():
    with pytest.raises(UsageError, match=r"needs the group of every row.*exact_match_in_order"):
        exact_match([True] * 8, None, 4)
    rows = [(n != 5, n // 4) for n in range(16)]
    random.Random(1).shuffle(rows)
    assert exact_match([right for right, _ in rows], [group for _, group in rows], 4).value == 0.75


@given(verdicts, sizes)
def test_exact_match_in_file_order_is_the_releases_reshape(correct, size):
    score = exact_match_in_order(correct, size)
    expected = reshaped(correct, size)
    assert list(score.right) == expected
    assert score.ignored == len(correct) % size
    assert score.value == (float(np.mean(expected)) if expected else None)


@given(verdicts, sizes, st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_verdict_on_every_group(correct, size, rng):
    rows = [(right, f"group {n // size}") for n, right in enumerate(correct)]
    before = exact_match([r for r, _ in rows], [g for _, g in rows], size)
    rng.shuffle(rows)
    after = exact_match([r for r, _ in rows], [g for _, g in rows], size)
    assert dict(zip(before.groups, before.right, strict=True)) == dict(zip(after.groups, after.right, strict=True))
    assert (before.value, before.ignored) == (after.value, after.ignored)


@given(verdicts)
def test_groups_of_one_row_are_plain_accuracy(correct):
    score = exact_match_in_order(correct, 1)
    assert score.value == (sum(correct) / len(correct) if correct else None)


@given(verdicts, st.integers(2, 6))
def test_exact_match_is_never_above_accuracy_of_the_same_rows(correct, size):
    whole = correct[: len(correct) // size * size]
    if whole:
        assert exact_match_in_order(correct, size).value <= sum(whole) / len(whole) + 1e-12


def test_a_group_that_is_not_whole_is_ignored_wherever_it_stands():
    score = exact_match([True, True, True, True, False], ["a", "b", "b", "a", "c"], 2)
    assert (score.groups, score.right, score.ignored) == (("a", "b"), (True, True), 1)


def test_nothing_whole_gives_no_number_and_no_crash():
    assert exact_match([], [], 4).value is None
    assert exact_match([True] * 3, ["a"] * 3, 4).value is None


def test_a_group_of_too_many_rows_is_refused_by_name():
    with pytest.raises(UsageError, match="group 'b' has 5 rows, and groups here have 4"):
        exact_match([True] * 9, list("aaaabbbbb"), 4)


def test_a_group_id_for_every_row_is_asked_for():
    with pytest.raises(UsageError, match="8 verdicts came with 7 group ids"):
        exact_match([True] * 8, [0] * 7, 4)


@pytest.mark.parametrize("size", [0, -4])
def test_a_size_below_one_is_refused(size):
    with pytest.raises(UsageError, match=f"groups of {size} rows"):
        exact_match_in_order([True] * 8, size)
    with pytest.raises(UsageError, match=f"groups of {size} rows"):
        exact_match([True] * 8, [0] * 8, size)
