"""The embedded task: what it asks and how it is cut. Whether the facts are true is in the tests of the tables."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from gnomon.asks import Scored
from gnomon.tasks import Item, load_task, task_named
from gnomon.tasks._facts import FAMILIES, facts

TASK = task_named("facts")
ITEMS = load_task("facts").items()
PLAIN = TASK.protocols["plain"]


def test_every_fact_is_asked_once_and_keeps_its_words():
    made = {fact.id: fact for fact in facts()}
    assert len(ITEMS) == len(made) == len({item.id for item in ITEMS})
    for item in ITEMS:
        fact = made[item.id]
        expected = (fact.text, fact.choices, fact.answer, fact.group)
        assert (item.fields["text"], item.choices, item.answer, item.group) == expected
        assert item.subset == f"{fact.family}-{fact.form}s"


def test_every_family_has_a_subset_of_statements_and_counts_are_those_of_the_items():
    assert {f"{family}-statements" for family in FAMILIES} <= set(TASK.subsets)
    assert Counter(item.subset for item in ITEMS) == {subset: n for (_, subset), n in TASK.counts.items()}
    assert len(set(TASK.subsets)) == len(TASK.subsets)
    assert all(load_task("facts", {"subsets": name}).items() for name in TASK.subsets)


def test_a_statement_its_twin_and_its_question_share_a_group():
    forms = defaultdict(list)
    for item in ITEMS:
        forms[item.group].append((item.subset.rsplit("-", 1)[1], item.answer))
    for rows in forms.values():
        assert sorted(answer for form, answer in rows if form == "statements") == [0, 1]
        assert sum(form == "questions" for form, _ in rows) <= 1


def test_a_statement_is_judged_true_or_false_and_a_question_is_completed_with_its_options_words():
    statement = Item("s", "animals-statements", "test", "g", {"text": "A cow has four legs."}, ("false", "true"), 1)
    question = Item("q", "capitals-questions", "test", "h", {"text": "Where?"}, ("Rome", "Oslo", "Bern", "Lima"), 2)
    (ask,) = PLAIN.ask(statement, [])
    assert (ask.context, ask.continuations) == ("A cow has four legs.\nTrue or false? Answer:", (" false", " true"))
    (ask,) = PLAIN.ask(question, [])
    assert (ask.context, ask.continuations) == ("Question: Where?\nAnswer:", (" Rome", " Oslo", " Bern", " Lima"))
    (ask,) = PLAIN.ask(question, [statement, question])
    assert ask.context == (
        "A cow has four legs.\nTrue or false? Answer: true\n\nQuestion: Where?\nAnswer: Bern\n\n"
        "Question: Where?\nAnswer:"
    )


def test_rollups_part_the_items_by_form_and_by_family():
    assert {TASK.rollups["form"](item) for item in ITEMS} == {"statements", "questions"}
    assert {TASK.rollups["family"](item) for item in ITEMS} == set(FAMILIES)


def test_always_saying_true_is_right_on_half_of_the_statements_of_every_family():
    right = defaultdict(list)
    for item in ITEMS:
        if item.subset.endswith("-statements"):
            choice = PLAIN.read(item, [Scored((-2.0, -0.1), (1, 1))])
            right[item.subset].append(choice.option == item.answer)
    assert {sum(verdicts) / len(verdicts) for verdicts in right.values()} == {0.5}


@pytest.mark.parametrize("argument", ["subsets", "split"])
def test_a_subset_can_be_asked_alone(argument):
    wanted = {"subsets": "capitals-questions", "split": "test"}[argument]
    found = load_task("facts", {argument: wanted}).items()
    assert found == [item for item in ITEMS if argument == "split" or item.subset == wanted]


def test_the_same_items_come_every_time():
    assert load_task("facts").items() == ITEMS
    first, second = (load_task("facts") for _ in range(2))
    first.items(), second.items()
    assert first.checksum() == second.checksum()
