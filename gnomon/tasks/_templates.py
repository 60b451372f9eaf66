"""Prompt templates of choice tasks: a question in words, and the words of its answers.

Belongs here: turning a line of text into a `Protocol`. Does not belong here: any task's wording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gnomon.asks import Ask
from gnomon.tasks._task import Item, Protocol

__all__ = ["CHOICES", "NUMBERED", "worded"]

CHOICES = "choices"
NUMBERED = "numbered"


def worded(question: str, answers: Sequence[str] | str, about: str = "", version: int = 1) -> Protocol:
    """A protocol that asks `question` and scores the answers after it.

    Parameters
    ----------
    question : str
        With the item's fields in braces; `{choice1}`, `{choice2}`, ... are its choices, `{choices}` all of them with
        commas and "or", `{numbered}` a line each with their numbers.
    answers : sequence of str, CHOICES or NUMBERED
        One answer a choice in words; or the choices' own texts; or "choice 1", "choice 2", ...

    Examples
    --------
    >>> item = Item("1", "all", "test", "1", {"text": "Fine film."}, ("negative", "positive"), 1)
    >>> worded("{text} The review is", CHOICES).ask(item, [])[0]
    Ask(context='Fine film. The review is', continuations=(' negative', ' positive'))
    """

    def parts(item: Item) -> tuple[str, tuple[str, ...]]:
        if answers == CHOICES:
            given: Sequence[str] = item.choices
        elif answers == NUMBERED:
            given = [f"choice {number}" for number in range(1, len(item.choices) + 1)]
        else:
            given = answers
        return question.format_map(_fields(item)), tuple(f" {answer}" for answer in given)

    def ask(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
        examples = ""
        for shot in shots:
            text, said = parts(shot)
            examples += f"{text}{said[shot.answer]}\n\n"
        text, said = parts(item)
        return (Ask(examples + text, said),)

    shown = answers if isinstance(answers, str) else " / ".join(answers)
    words = {CHOICES: "the choices' own texts", NUMBERED: "the choices' numbers"}.get(shown, shown)
    return Protocol(version=version, about=about or f"gnomon's own wording; answered with {words}.", ask=ask)


def _fields(item: Item) -> Mapping[str, str]:
    named = {f"choice{number}": text for number, text in enumerate(item.choices, start=1)}
    listed = ", ".join(item.choices[:-1]) + f" or {item.choices[-1]}" if item.choices else ""
    numbered = "\n".join(f"Choice {number}: {text}" for number, text in enumerate(item.choices, start=1))
    return {**item.fields, **named, "choices": listed, "numbered": numbered}
