"""Texts that are right or wrong, from any choice task: what a classifier learns and is tested on.

Belongs here: turning an item into such texts, by a rule that every choice task follows or by the task's own. Does not
belong here: which items, halves and balance (`supervision/`).

Natural two-class sets keep their label. Elsewhere an item gives two texts, one with the right choice and one with a
wrong one, so that classes are equal in number by construction and no option is shown in another form than the others
(Burns et al. 2023, section 4.1 and appendix A.1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gnomon.errors import DataError
from gnomon.tasks._contrast import contrast_pair, contrast_templates, wrong_choice

if TYPE_CHECKING:
    from gnomon.tasks._task import Item, Protocol, Task

__all__ = ["Judged", "judged", "labelled", "offered"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A text and whether it is right (1) or wrong (0). `id` is the item's, with the choice's number where an item gives
    several. Where a task's choices are compared, `text` is right if it is better than the text `against`. `difficulty`
    is as in `Posed`."""

    id: str
    group: str
    text: str
    label: int
    against: str = ""
    difficulty: float | None = None


Judge = Callable[["Item"], tuple[Judged, ...]]


def labelled(text: str, positive: int = 1) -> Judge:
    """A rule for sets whose items all have the same choices: `text` with the item's fields in braces, labelled 1 where
    the answer is choice number `positive`.

    >>> from gnomon.tasks import Item
    >>> item = Item("1", "all", "test", "g", {"a": "Rain.", "b": "It is wet."}, ("entailment", "neutral"), 0)
    >>> [(one.group, one.text, one.label) for one in labelled("{a} So: {b}", positive=0)(item)]
    [('g', 'Rain. So: It is wet.', 1)]
    """

    def judge(item: Item) -> tuple[Judged, ...]:
        return (Judged(item.id, item.group, text.format_map(item.fields), int(item.answer == positive)),)

    return judge


def offered(text: str, unshown: Sequence[str] = ()) -> Judge:
    """A rule for sets whose choices differ from item to item: `text` with the item's fields and `{choice}`, once with
    the right choice and once with a wrong one, drawn by the item's id.

    Choices in `unshown` mean nothing without the others ("None of the above"): they are never shown, so an item whose
    answer is one of them gives a wrong text alone.

    >>> from gnomon.tasks import Item
    >>> item = Item("1", "all", "test", "g", {"q": "2 + 2?"}, ("4", "5", "4 "), 0)
    >>> [(one.text, one.label) for one in offered("{q} {choice}")(item)]
    [('2 + 2? 4', 1), ('2 + 2? 5', 0)]
    """

    def judge(item: Item) -> tuple[Judged, ...]:
        wrong = wrong_choice(item, unshown)
        shown = [
            number for number in (item.answer, wrong) if number is not None and item.choices[number] not in unshown
        ]
        return tuple(
            Judged(
                f"{item.id}#{number}",
                item.group,
                text.format_map({**item.fields, "choice": item.choices[number]}),
                int(number == item.answer),
            )
            for number in shown
        )

    return judge


def judged(task: Task, items: Sequence[Item], template: str = "") -> list[Judged]:
    """The texts of `items`, by the task's own rule, else by the general one.

    The general rule words an item with `template` (by default the first that can word a contrast pair). Where all items
    of a subset have the same two choices, the text is the question and the label the answer; else the question with the
    right choice, and with a wrong one. Where the task's choices are compared, both stand in one `Judged`.

    Raises UsageError for a task that is no choice task, DataError where no text came of the items.

    >>> from gnomon.tasks import load_task
    >>> data = load_task("facts", {"subsets": "capitals-statements"})
    >>> one = judged(data.task, data.items())[0]
    >>> one.label in (0, 1)
    True
    """
    if task.judge is not None and not template:
        judge = task.judge
    else:
        known = contrast_templates(task)
        name = template or next(iter(known))
        judge = _general(task, items, name, known[name])
    found = [
        one if task.difficulty is None else dataclasses.replace(one, difficulty=task.difficulty(item))
        for item in items
        for one in judge(item)
    ]
    if not found:
        raise DataError(f"no item of {task.name} has both a right and a wrong choice that differ.")
    return found


def _general(task: Task, items: Sequence[Item], template: str, protocol: Protocol) -> Judge:
    choices: dict[str, set[tuple[str, ...]]] = {}
    for item in (*task.examples, *items):
        choices.setdefault(item.subset, set()).add(item.choices)

    def judge(item: Item) -> tuple[Judged, ...]:
        if wrong_choice(item) is None:
            return ()
        pair = contrast_pair(item, template, protocol)
        if task.compared:
            less, more = (pair.ask.context + answer for answer in pair.ask.continuations)
            return (Judged(item.id, item.group, more, int(item.answer == 1), less),)
        if len(choices[item.subset]) == 1 and len(item.choices) == 2:
            return (Judged(item.id, item.group, pair.ask.context, int(item.answer == 1)),)
        texts = [pair.ask.context + answer for answer in pair.ask.continuations]
        return tuple(
            Judged(f"{item.id}#{number}", item.group, text, int(number == item.answer))
            for number, text in zip(pair.options, texts, strict=True)
        )

    return judge
