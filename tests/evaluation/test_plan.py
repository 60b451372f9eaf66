"""Which items a limit draws: whole groups, the same for a seed, growing with the limit."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.evaluation._plan import Request, choose, prepare
from gnomon.models.mock import Uniform
from gnomon.tasks import Item, load_task


def item(number, group, subset="s", split="test"):
    return Item(f"{split}/{subset}/{number}", subset, split, f"{split}/{subset}/{group}", {}, ("a", "b"), 0)


SINGLE = [item(n, n) for n in range(50)]
FOURS = [item(n, n // 4) for n in range(40)]


def test_limit_10_on_justice_becomes_8_with_a_note(small_release):
    rows = [item(n, n // 4, "justice") for n in range(40)]
    chosen, notes = choose(rows, [Request(10, 0)])
    assert len(chosen) == 8
    assert notes == ["justice (test): --limit 10 became 8, since rows that share a group stay together."]


def test_a_limit_below_one_group_takes_one_whole_group():
    chosen, notes = choose(FOURS, [Request(1, 0)])
    assert len(chosen) == 4
    assert len({one.group for one in chosen}) == 1
    assert notes


groups = st.lists(st.integers(0, 8), min_size=1, max_size=40).map(
    lambda found: [item(n, g) for n, g in enumerate(found)]
)


@settings(max_examples=200, deadline=None)
@given(groups, st.integers(1, 45), st.integers(1, 45), st.integers(0, 3))
def test_draws_are_whole_groups_in_order_and_grow_with_the_limit(items, one, two, seed):
    small, _ = choose(items, [Request(min(one, two), seed)])
    large, _ = choose(items, [Request(max(one, two), seed)])
    assert {i.id for i in small} <= {i.id for i in large}
    for chosen in (small, large):
        names = {i.group for i in chosen}
        assert [i.id for i in chosen] == [i.id for i in items if i.group in names]
    first = max(sum(i.group == group for i in items) for group in {i.group for i in items})
    assert 1 <= len(large) <= max(max(one, two), first)


def test_every_subset_and_split_gets_its_own_limit():
    items = [item(n, n, subset, split) for split in ("x", "y") for subset in "ab" for n in range(9)]
    chosen, notes = choose(items, [Request(4, 0)])
    assert {(i.split, i.subset): sum((j.split, j.subset) == (i.split, i.subset) for j in chosen) for i in items} == {
        (split, subset): 4 for split in ("x", "y") for subset in "ab"
    }
    assert notes == []


def test_seeds_draw_differently_and_several_requests_are_a_union():
    one, two = ({i.id for i in choose(SINGLE, [Request(10, seed)])[0]} for seed in (0, 1))
    assert one != two
    both, _ = choose(SINGLE, [Request(10, 0), Request(10, 1)])
    assert {i.id for i in both} == one | two
    assert choose(SINGLE, [Request(10, 0), Request(None, 1)])[0] == SINGLE


def test_no_limit_and_a_limit_over_all_take_everything_without_a_note():
    for limit in (None, 40, 400):
        assert choose(FOURS, [Request(limit, 0)]) == (FOURS, [])


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(UsageError, match=f"--limit {limit}"):
        choose(SINGLE, [Request(limit, 0)])


def test_a_draw_of_one_subset_does_not_depend_on_the_others():
    both = load_task("facts", {"subsets": "capitals-questions,animals-questions"}).items()
    alone = load_task("facts", {"subsets": "animals-questions"}).items()
    drawn = [i.id for i in choose(both, [Request(5, 7)])[0] if i.subset == "animals-questions"]
    assert drawn == [i.id for i in choose(alone, [Request(5, 7)])[0]]


def test_a_prompt_too_long_without_examples_is_asked_whole_and_named(small_release):
    data = load_task("mmlu", {"data": str(small_release("mmlu")), "counts": "any", "subsets": "anatomy"})
    item = data.items()[0]
    long = dataclasses.replace(item, fields={"question": "word " * 2500})
    _, protocol = data.task.protocol("official")
    prepared = prepare(data, [long], protocol, 1, Uniform())
    assert prepared.asked[0].shots == 0
    assert "word " * 2500 in prepared.asked[0].asks[0].context
    said = f"1 prompts are too long even without examples and were asked whole (the first: {item.id})"
    assert any(said in note for note in prepared.notes)
