"""Plain facts in true and false twins, and as four-way questions: the rows behind the embedded task `facts`.

Belongs here: `Fact`, `facts` and `FAMILIES`. Does not belong here: the task itself (`gnomon/tasks/facts.py`).

Each fact of a table becomes one true statement, one false statement of the same wording, and, where its block has four
different values, one four-way question. A false value is the true value of another row of the same block: within a
block the true values are permuted so that every value stands in as many false statements as in true ones. Neither the
wording nor the value alone, only the two together, can tell what is true.

What a study should know: a value that only one row holds is true in one group and false in another. A probe that is
fitted on some groups and goes by values alone therefore scores *below* chance on the others, not at chance. Fitted on
all groups, or on whole families, it learns nothing at all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from gnomon.tasks._facts._draw import Row, blocks, deranged, distractors, shuffled, stream
from gnomon.tasks._facts._templates import Template, templates

__all__ = ["FAMILIES", "Fact", "facts"]

FAMILIES: tuple[str, ...] = (
    "alphabet",
    "animals",
    "arithmetic",
    "authors",
    "calendar",
    "capitals",
    "continents",
    "elements",
    "geometry",
    "languages",
    "planets",
    "roman",
    "units",
    "words",
)

_TRUTH = ("false", "true")
OPTIONS = 4


@dataclass(frozen=True)
class Fact:
    """One statement to judge, or one question to answer.

    Attributes
    ----------
    id : str
        Stable name, such as "capitals-true-france", "capitals-false-france" or "capitals-choice-france". It depends on
        neither the seed nor a row's place in its table.
    family : str
        One of `FAMILIES`.
    form : str
        "statement" or "question".
    group : str
        Shared by the two statements and the question about one fact, such as "capitals-france".
    text : str
        A full sentence with its full stop, or a question with its question mark.
    choices : tuple of str
        ("false", "true") for a statement; four different options for a question.
    answer : int
        Index of the right one in `choices`.
    """

    id: str
    family: str
    form: str
    group: str
    text: str
    choices: tuple[str, ...]
    answer: int


def facts(seed: int = 0) -> list[Fact]:
    """All statements and questions.

    Parameters
    ----------
    seed : int, default 0
        Chooses the false values, the questions' distractors and the order of their options. True statements, the
        questions' texts and all ids are the same for every seed.

    Returns
    -------
    list of Fact
        Sorted by family, group and id. Every family holds as many true statements as false ones.

    Raises
    ------
    DataError
        If a table is missing or malformed.

    Examples
    --------
    >>> [fact.text for fact in facts() if fact.group == "capitals-france" and fact.id != "capitals-false-france"]
    ['What is the capital of France?', 'The capital of France is Paris.']
    """
    made = [fact for template in templates() for fact in _worded(template, seed)]
    return sorted(made, key=lambda fact: (fact.family, fact.group, fact.id))


def _worded(template: Template, seed: int) -> Iterator[Fact]:
    for block in blocks(template.rows, template.size):
        # Named by a member and not by a number: a block keeps its permutation when another block is added.
        rng = stream(f"{seed}:{template.family}:{min(row.key for row in block)}")
        false_values = deranged(block, rng)
        places = _places(len(block), rng)
        for row, false_value, place in zip(block, false_values, places, strict=True):
            yield _statement(template, row, row.value)
            yield _statement(template, row, false_value)
            yield from _question(template, row, block, place, seed)


def _places(count: int, rng: random.Random) -> list[int]:
    """Where the right option stands in each question of a block: every place equally often, give or take one."""
    turns = shuffled(range(OPTIONS), rng)
    return shuffled((turns[i % OPTIONS] for i in range(count)), rng)


def _statement(template: Template, row: Row, value: str) -> Fact:
    truth = value == row.value
    return Fact(
        id=f"{template.family}-{_TRUTH[truth]}-{row.key}",
        family=template.family,
        form="statement",
        group=f"{template.family}-{row.key}",
        text=_sentence(template.statement, row, value),
        choices=_TRUTH,
        answer=int(truth),
    )


def _question(template: Template, row: Row, block: list[Row], place: int, seed: int) -> Iterator[Fact]:
    name = f"{template.family}-choice-{row.key}"
    choices = distractors(row, block, stream(f"{seed}:{name}"), count=OPTIONS - 1)
    if len(choices) < OPTIONS - 1:
        return
    choices.insert(place, row.value)
    yield Fact(
        id=name,
        family=template.family,
        form="question",
        group=f"{template.family}-{row.key}",
        text=_sentence(template.question, row, row.value),
        choices=tuple(choices),
        answer=place,
    )


def _sentence(wording: str, row: Row, value: str) -> str:
    text = wording.format(value=value, **row.fields)
    return text[0].upper() + text[1:]
