"""Rows of a study: balance, halves that share nothing, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.errors import DataError
from gnomon.supervision._pool import _take, halves, pool
from gnomon.tasks import Item, Judged, judged, labelled, load_task, offered


def rows(zeros, ones, per_group=1):
    labels = [0] * zeros + [1] * ones
    return [Judged(str(n), f"g{n // per_group}", f"text {n}", label) for n, label in enumerate(labels)]


def shares(found, part):
    return float(found.labels[part].mean())


@pytest.mark.parametrize(("ones", "kept"), [(55, 100), (56, 88), (45, 100), (44, 88)])
def test_fifty_six_to_forty_four_is_cut_and_fifty_five_to_forty_five_is_kept(ones, kept):
    given = rows(100 - ones, ones)
    groups = {one.group: [number] for number, one in enumerate(given)}
    _, chosen, dropped = _take(list(groups), groups, given, 100, exact=False)
    assert (len(chosen), dropped) == (kept, 100 - kept)


@pytest.mark.parametrize(("zeros", "share"), [(900, 0.1), (440, 0.56), (100, 0.9)])
def test_what_is_learned_from_is_within_the_bounds_and_the_test_is_even(zeros, share):
    found = pool(rows(zeros, 1000 - zeros), learn=700, test=100, seed=1)
    assert shares(found, found.test) == 0.5
    assert 0.45 <= shares(found, found.learn) <= 0.55


def test_a_single_class_is_refused():
    with pytest.raises(DataError, match="no two classes"):
        pool(rows(50, 0), learn=30, test=10, seed=0)


def test_no_group_and_no_text_stands_in_two_parts():
    found = pool(rows(300, 300, per_group=3), learn=400, test=100, seed=0)
    for seed in range(3):
        cut = halves(found, seed, parts=2)
        parts = [found.test, cut.a, cut.a_held, cut.b_held, *cut.parts]
        for which in (found.groups, found.texts, found.ids):
            seen = [{which[row] for row in part} for part in parts]
            assert sum(map(len, seen)) == len(set().union(*seen))
        assert sorted(np.concatenate([cut.a, cut.a_held, cut.b, cut.b_held])) == found.learn.tolist()


def test_seeds_draw_other_halves_and_the_same_test():
    found = pool(rows(300, 300), learn=400, test=100, seed=0)
    assert not np.array_equal(halves(found, 0).a, halves(found, 1).a)
    assert np.array_equal(halves(found, 1).a, halves(found, 1).a)
    again = pool(rows(300, 300), learn=200, test=100, seed=0)
    assert {found.ids[row] for row in found.test} == {again.ids[row] for row in again.test}


def test_repeated_contradicting_empty_and_long_texts_are_left_out():
    extra = [
        Judged("a", "a", "text 1", 0),
        Judged("b", "b", "both", 0),
        Judged("c", "c", "both", 1),
        Judged("d", "d", "  ", 1),
        Judged("e", "e", "long", 1),
    ]
    given = [*rows(40, 40), *extra]
    found = pool(given, learn=60, test=20, seed=0, long=[one.text == "long" for one in given])
    assert not {"both", "  ", "long"} & set(found.texts)
    assert len(set(found.texts)) == len(found.texts)
    said = " ".join(found.notes)
    for words in ("there twice", "both right and wrong", "empty", "longer than a model reads"):
        assert words in said


def test_too_few_rows_are_refused_in_one_sentence():
    with pytest.raises(DataError, match="too few"):
        pool(rows(3, 3), learn=40, test=10, seed=0)


def item(choices, answer, **fields):
    return Item("1", "all", "test", "g", fields, tuple(choices), answer)


def test_a_wrong_option_never_equals_the_right_one():
    judge = offered("{q} {choice}")
    for number in range(30):
        one = Item(f"i{number}", "all", "test", "g", {"q": "?"}, ("Mars", " mars", "MARS ", "Venus"), 0)
        assert [(found.text, found.label) for found in judge(one)] == [("? Mars", 1), ("? Venus", 0)]


def test_an_option_that_means_nothing_alone_gives_a_wrong_text_only():
    judge = offered("{q} {choice}", unshown=("None of the above choices .",))
    right = judge(item(("a", "b", "None of the above choices ."), 2, q="?"))
    assert [one.label for one in right] == [0]
    assert "None" not in right[0].text
    both = judge(item(("a", "None of the above choices .", "c"), 0, q="?"))
    assert [(one.text, one.label) for one in both] == [("? a", 1), ("? c", 0)]


def test_entailment_is_one_and_the_others_nought():
    judge = labelled("{p}", positive=0)
    assert [judge(item("enc", answer, p="p"))[0].label for answer in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("name", ["facts", "mmlu", "copa", "piqa", "truthfulqa", "sst2", "boolq", "ethics"])
def test_every_tasks_own_examples_are_judged(name):
    data = load_task("facts") if name == "facts" else None
    from gnomon.tasks import task_named

    task = data.task if data else task_named(name)
    found = judged(task, task.examples)
    assert {one.label for one in found} <= {0, 1}
    assert all(one.text.strip() for one in found)


def test_the_better_of_two_experiences_is_named_first_half_of_the_time():
    from gnomon.tasks import task_named

    task = task_named("ethics")
    some = [
        Item(f"u{n}", "utilitarianism", "test", f"u{n}", {"first": f"good {n}", "second": f"bad {n}"}, ("a", "b"), 0)
        for n in range(400)
    ]
    found = judged(task, some)
    assert 0.4 < np.mean([one.label for one in found]) < 0.6
    assert all((one.text.startswith("good")) == (one.label == 1) for one in found)
