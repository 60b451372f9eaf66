"""Questions that are answered in writing, from tasks of moves and from any choice task: what a model learns to write.

Belongs here: the prompt, the right answer, and reading what was written. Does not belong here: which items, or training
(`supervision/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gnomon.asks import Ask, Prompt
from gnomon.errors import DataError, UsageError
from gnomon.grading.moves import accepted_moves, judge
from gnomon.tasks._contrast import contrast_templates

if TYPE_CHECKING:
    from gnomon.tasks._task import Item, Protocol, Task

__all__ = ["Posed", "posed", "written_only"]


@dataclass(frozen=True, slots=True)
class Posed:
    """A question, the text that answers it, and how an answer is read.

    `read` gives what an answer means, "" where it cannot be read; answers that mean the same are equal then. An answer
    is right if its meaning is in `accepted`. `difficulty` is a number that grows with it (a puzzle's rating), None
    where the task knows none.
    """

    id: str
    group: str
    prompt: str
    answer: str
    accepted: frozenset[str]
    read: Callable[[str], str]
    difficulty: float | None = None

    def right(self, text: str) -> bool:
        """Whether `text` answers the question."""
        return self.read(text) in self.accepted


def written_only(task: Task) -> bool:
    """Whether the task's answers must be written: it offers no choices."""
    return task.kind == "moves"


def posed(task: Task, items: Sequence[Item], options: Mapping[str, str] | None = None) -> list[Posed]:
    """The questions of `items`, worded by the task's first protocol that can.

    A move is read as in `gnomon eval`; with the option grader=any-mate every mating move is right where the solution
    mates. Of a choice task the right choice is to be written; case, white space and a last full stop do not count.

    Raises UsageError for a task whose answers are neither moves nor choices, DataError where no question came of the
    items.

    >>> from gnomon.tasks import load_task
    >>> data = load_task("facts", {"subsets": "capitals-questions"})
    >>> one = posed(data.task, data.items())[0]
    >>> one.right(one.answer), one.right("no idea")
    (True, False)
    """
    if task.kind == "moves":
        protocol = next(iter(task.protocols.values()))
        any_mate = (options or {}).get("grader", "official") == "any-mate"
        found = [_move(task, protocol, item, any_mate) for item in items]
    elif task.kind == "choice":
        protocol = next(iter(contrast_templates(task).values()))
        found = [_choice(task, protocol, item) for item in items]
    else:
        raise UsageError(
            f"{task.name} is a task of {task.kind}, and an answer that is learned must be a move or a choice.",
            hint="Take chess, or a choice task such as facts.",
        )
    if not found:
        raise DataError(f"no item of {task.name} was found.")
    return found


def _move(task: Task, protocol: Protocol, item: Item, any_mate: bool) -> Posed:
    ask = protocol.ask(item, [])[0]
    assert isinstance(ask, Prompt)
    fen, best = item.key["fen"], item.key["best"]

    def read(text: str) -> str:
        found = protocol.extract(item, text)
        return judge(fen, best, found).move or "" if found else ""

    return Posed(
        id=item.id,
        group=item.group,
        prompt=ask.context,
        answer=protocol.ideal(item)[0],
        accepted=frozenset(accepted_moves(fen, best) if any_mate else {best}),
        read=read,
        difficulty=None if task.difficulty is None else task.difficulty(item),
    )


def _choice(task: Task, protocol: Protocol, item: Item) -> Posed:
    ask = protocol.ask(item, [])[0]
    assert isinstance(ask, Ask)
    answer = ask.continuations[item.answer]
    return Posed(
        id=item.id,
        group=item.group,
        prompt=ask.context,
        answer=answer,
        accepted=frozenset({_plain(answer)}),
        read=_plain,
        difficulty=None if task.difficulty is None else task.difficulty(item),
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().removesuffix(".")
