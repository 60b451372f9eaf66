"""Contrast pairs: which two answers, balance, samples that nest, halves that share no group."""

import collections
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.asks import Ask
from gnomon.errors import UsageError
from gnomon.tasks import (
    balanced_sample,
    contrast_pair,
    contrast_templates,
    load_task,
    registry,
    split_by_group,
    task_named,
)
from gnomon.tasks._contrast import hidden_supervision
from gnomon.tasks._task import Item, Protocol
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

LISTED = worded("{text}\n{numbered}\nAnswer:", NUMBERED)
NAMED = worded("{text} Is it {choices}?", CHOICES)
WORDS = ("red", "green", "blue", "grey")


def item(number, answer=0, choices=WORDS, group=None):
    name = str(number)
    return Item(name, "all", "test", group or name, {"text": f"Text {name}."}, choices, answer)


MANY = [item(number, number % 4) for number in range(2000)]


def test_of_two_answers_the_first_is_always_plus():
    for answer in (0, 1):
        pair = contrast_pair(item(1, answer, ("no", "yes")), "named", NAMED)
        assert (pair.answers, pair.options, pair.label) == (("no", "yes"), (0, 1), int(answer == 0))
        assert pair.question == "Text 1. Is it no or yes?"
        assert pair.ask == Ask("Text 1. Is it no or yes?", (" no", " yes"))


def test_of_more_the_truth_is_always_one_and_the_other_never_is():
    for one in MANY:
        pair = contrast_pair(one, "named", NAMED)
        assert one.answer in pair.options
        assert len(set(pair.options)) == 2
        assert pair.options[1 - pair.label] == one.answer
        assert pair.answers == tuple(WORDS[option] for option in pair.options)


def test_order_and_wrong_answer_are_drawn_uniformly():
    pairs = [contrast_pair(one, "named", NAMED) for one in MANY]
    assert abs(sum(pair.label for pair in pairs) - 1000) < 4 * 22.4  # four standard deviations
    wrong = collections.Counter(pair.options[pair.label] for pair in pairs)
    assert all(abs(count - 500) < 4 * 20 for count in wrong.values())
    assert len(wrong) == 4


def test_every_template_has_the_same_two_and_words_them_alone():
    for one in MANY[:50]:
        named, listed = contrast_pair(one, "named", NAMED), contrast_pair(one, "listed", LISTED)
        assert named.options == listed.options
        assert listed.answers == ("choice 1", "choice 2")
        first, second = (WORDS[option] for option in named.options)
        assert listed.question == f"Text {one.id}.\nChoice 1: {first}\nChoice 2: {second}\nAnswer:"


def test_a_prompt_that_lists_all_choices_whatever_comes_keeps_the_two_continuations():
    fixed = Protocol(version=1, about="fixed", ask=lambda one, shots: (Ask("Which?", tuple(f" {w}" for w in WORDS)),))
    for one in MANY[:50]:
        pair = contrast_pair(one, "fixed", fixed)
        assert pair.answers == tuple(WORDS[option] for option in pair.options)


def test_a_prompt_that_names_four_choices_is_asked_whole():
    letters = worded("{text}\nA: {choice1}\nB: {choice2}\nC: {choice3}\nD: {choice4}\nAnswer:", ("A", "B", "C", "D"))
    for one in MANY[:50]:
        pair = contrast_pair(one, "letters", letters)
        assert pair.answers == tuple("ABCD"[option] for option in pair.options)
        assert "C: blue\nD: grey" in pair.question


def test_the_draw_depends_on_the_item_alone():
    again = [contrast_pair(dataclasses.replace(one, fields={"text": "other"}), "x", NAMED).options for one in MANY[:99]]
    assert again == [contrast_pair(one, "named", NAMED).options for one in MANY[:99]]


def test_hidden_supervision_is_said_where_there_are_more_than_two():
    assert hidden_supervision([item(1, 0, ("no", "yes"))]) is None
    assert hidden_supervision([]) is None
    assert "Of up to 4 choices" in hidden_supervision([item(1, 0, ("no", "yes")), item(2)])


def test_tasks_without_choices_are_refused_by_name():
    with pytest.raises(UsageError, match="humaneval is a task of programs"):
        contrast_templates(task_named("humaneval"))
    assert "plain" in contrast_templates(load_task("facts", {"subsets": "capitals-statements"}).task)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 9),
)
def test_halves_share_no_group_and_lose_no_item(sizes, fraction, seed):
    items = [  # the rows of a group stand in several subsets and splits
        dataclasses.replace(item(f"{g}-{k}", group=f"g{g}"), subset=f"s{k % 3}", split=f"part {k % 2}")
        for g, size in enumerate(sizes)
        for k in range(size)
    ]
    learn, test = split_by_group(items, fraction, seed)
    assert sorted(one.id for one in [*learn, *test]) == sorted(one.id for one in items)
    assert not {one.group for one in learn} & {one.group for one in test}
    assert [one for one in items if one in learn] == learn
    assert abs(len(learn) - fraction * len(items)) <= max(sizes)
    assert split_by_group(items[::-1], fraction, seed)[0] == learn[::-1]


def parted(items):
    """Groups that stand on both sides of a split, and all that stand in several subsets."""
    learn, test = split_by_group(items, 0.6)
    homes = collections.defaultdict(set)
    for one in items:
        homes[one.group].add(one.subset)
    return {one.group for one in learn} & {one.group for one in test}, [name for name in homes if len(homes[name]) > 1]


@pytest.mark.parametrize("subsets", [None, "capitals-questions,capitals-statements"])
def test_a_fact_is_never_asked_on_both_sides(subsets):
    items = load_task("facts", {"subsets": subsets} if subsets else {}).items()
    both, shared = parted(balanced_sample(items, 1000))
    assert not both
    assert shared


@pytest.mark.realdata
@pytest.mark.parametrize("subsets", ["cities,neg_cities", "larger_than,smaller_than"])
def test_statements_on_one_subject_are_on_one_side(subsets, release, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(release("mmlu").parent))
    both, shared = parted(balanced_sample(load_task("true_false", {"subsets": subsets}).items(), 1000))
    assert not both
    assert shared


@pytest.mark.parametrize("name", ["mmlu", "ethics"])
def test_rows_of_the_same_number_in_other_subsets_are_no_group(name, small_release):
    """Where a group is but a row's number, its name holds the subset and the split."""
    args = {"data": str(small_release(name)), "counts": "any"}
    items = load_task(name, {**args, "subsets": "anatomy,virology"} if name == "mmlu" else args).items()
    homes = collections.defaultdict(set)
    for one in items:
        homes[one.group].add((one.subset, one.split))
    assert len({one.subset for one in items}) > 1
    assert all(len(where) == 1 for where in homes.values())


@settings(max_examples=60, deadline=None)
@given(labels=st.lists(st.integers(0, 1), min_size=1, max_size=60), n=st.integers(1, 70), seed=st.integers(0, 5))
def test_samples_are_balanced_and_part_of_larger_ones(labels, n, seed):
    items = [item(number, label, ("no", "yes")) for number, label in enumerate(labels)]
    small, large = (balanced_sample(items, size, seed) for size in (n, n + 3))
    assert len(small) <= min(n, len(items))
    assert len({one.id for one in small}) == len(small)
    assert {one.id for one in small} <= {one.id for one in large}
    count = collections.Counter(one.answer for one in small)
    least = min(labels.count(0), labels.count(1))
    if least:
        assert count[1] - count[0] == (n % 2 if n < 2 * least else 0)
        assert len(small) == min(n, 2 * least)


@pytest.mark.parametrize("name", [name for name in registry.names() if task_named(name).kind == "choice"])
def test_every_choice_task_makes_pairs_of_its_own_examples(name):
    task = task_named(name)
    for template, protocol in contrast_templates(task).items() if name != "ethics" else ():
        for item in task.examples:
            pair = contrast_pair(item, template, protocol)
            assert len(set(pair.answers)) == 2
