"""Wrong values are permutations within blocks, drawn alike on every machine."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.tasks._facts._draw import Row, blocks, deranged, distractors, shuffled, stream

rows_strategy = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=40).filter(
    lambda values: 2 * max(Counter(values).values()) <= len(values)
)


@given(rows_strategy, st.integers())
@settings(max_examples=80, deadline=None)
def test_a_derangement_permutes_the_values_and_leaves_none_in_place(values: list[str], seed: int) -> None:
    rows = [Row(str(i), value) for i, value in enumerate(values)]
    false = deranged(rows, stream(str(seed)))
    assert Counter(false) == Counter(values)
    assert all(a != b for a, b in zip(values, false, strict=True))


def test_a_value_that_most_rows_hold_cannot_be_deranged() -> None:
    with pytest.raises(DataError, match="no permutation"):
        deranged([Row("1", "a"), Row("2", "a"), Row("3", "b")], stream("x"))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60, unique=True), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_blocks_hold_every_row_once_whatever_their_order(numbers: list[int], rng: random.Random) -> None:
    rows = [Row(str(n), str(n), order=n) for n in numbers]
    cut = blocks(rows, size=4)
    assert sorted(row.value for block in cut for row in block) == sorted(map(str, numbers))
    rng.shuffle(rows)
    assert blocks(rows, size=4) == cut
    assert len(cut) == 1 or all(len(block) >= 4 for block in cut)


def test_distractors_are_different_and_never_the_true_or_an_avoided_value() -> None:
    row = Row("eagles", "birds", avoid=("reptiles",))
    block = [row, *(Row(str(i), v) for i, v in enumerate(["fish", "fish", "birds", "reptiles", "mammals", "insects"]))]
    for seed in range(50):
        assert sorted(distractors(row, block, stream(str(seed)))) == ["fish", "insects", "mammals"]


def test_a_stream_is_the_same_on_every_platform_and_python() -> None:
    """Pinned draws: a change of them would silently change every published result on this task."""
    assert "".join(shuffled("abcdef", stream("0:capitals"))) == "bcafed"
    assert stream("a").random() == 0.6670177398684651
