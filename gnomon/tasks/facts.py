"""Facts: plain true and false statements and four-way questions, carried by gnomon; the default wherever a task is
needed.

Belongs here: reading and asking. The tables are in `_facts/`. Not a benchmark: it says that a model and a set-up
work, and gives later questions statements whose truth is certain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from gnomon.asks import Ask
from gnomon.tasks._facts import FAMILIES, facts
from gnomon.tasks._sources import EMBEDDED, Source, SourceFinder
from gnomon.tasks._task import Item, Protocol, Task

_FORMS = ("statements", "questions")


@cache
def _items() -> tuple[Item, ...]:
    return tuple(
        Item(
            id=fact.id,
            subset=f"{fact.family}-{fact.form}s",
            split="test",
            group=fact.group,
            fields={"text": fact.text},
            choices=fact.choices,
            answer=fact.answer,
        )
        for fact in facts()
    )


def _read(source: Source, split: str, subset: str) -> list[Item]:
    assert source == EMBEDDED
    return [item for item in _items() if item.subset == subset]


def _worded(statement: str, question: str, yes_no: bool) -> Protocol:
    """A template: how a statement is judged, and how a question is asked; a statement's answers may be no and yes."""

    def parts(item: Item) -> tuple[str, tuple[str, ...]]:
        if item.subset.endswith("-statements"):
            said = ("no", "yes") if yes_no else item.choices
            return statement.format(text=item.fields["text"]), tuple(f" {one}" for one in said)
        return question.format(text=item.fields["text"]), tuple(f" {choice}" for choice in item.choices)

    def ask(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
        examples = "".join(f"{text}{said[shot.answer]}\n\n" for shot in shots for text, said in [parts(shot)])
        text, said = parts(item)
        return (Ask(examples + text, said),)

    return Protocol(version=1, about="Another wording of the same.", ask=ask)


def _prompt(item: Item) -> tuple[str, tuple[str, ...]]:
    """A statement is judged true or false; a question is completed with each option's own words (no letters)."""
    if item.subset.endswith("-statements"):
        return f"{item.fields['text']}\nTrue or false? Answer:", tuple(f" {choice}" for choice in item.choices)
    return f"Question: {item.fields['text']}\nAnswer:", tuple(f" {choice}" for choice in item.choices)


def _ask(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
    examples = "".join(f"{text}{answers[shot.answer]}\n\n" for shot in shots for text, answers in [_prompt(shot)])
    text, answers = _prompt(item)
    return (Ask(examples + text, answers),)


def _subsets() -> tuple[str, ...]:
    have = {item.subset for item in _items()}
    return tuple(name for form in _FORMS for family in FAMILIES if (name := f"{family}-{form}") in have)


task = Task(
    title="Facts",
    source="tables written for gnomon",
    licence="Apache-2.0",
    subsets=_subsets(),
    splits=("test",),
    counts={("test", subset): n for subset, n in Counter(item.subset for item in _items()).items()},
    finder=SourceFinder(fits=lambda folder: False, layout="carried by gnomon", embedded=True),
    read=_read,
    protocols={
        "plain": Protocol(
            version=1,
            about="Statements are judged true or false; questions are completed with each option's words.",
            ask=_ask,
        ),
        "claim": _worded("Is the following claim right?\n{text}\nAnswer:", "Please answer.\n{text}\nThe answer:", True),
        "statement": _worded("{text} This statement is", "{text} It is", False),
    },
    body="text",
    rollups={
        "form": lambda item: item.subset.rsplit("-", 1)[1],
        "family": lambda item: item.subset.rsplit("-", 1)[0],
    },
    examples=(
        Item(
            "example-statement",
            "animals-statements",
            "test",
            "example",
            {"text": "A cat is a mammal."},
            ("false", "true"),
            1,
        ),
        Item(
            "example-question",
            "animals-questions",
            "test",
            "example",
            {"text": "What is a cat?"},
            ("a bird", "a mammal"),
            1,
        ),
    ),
)
