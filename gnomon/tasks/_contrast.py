"""Contrast pairs from any choice task: a question with two answers, of which one is right.

Belongs here: which two answers, in which order, which items, and halves that share no group. Does not belong here:
what is done with a pair (`knowledge/`, `supervision/`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.asks import Ask
from gnomon.errors import DataError, UsageError
from gnomon.tasks._task import Item, Protocol, Task

__all__ = [
    "ContrastPair",
    "balanced_sample",
    "contrast_pair",
    "contrast_templates",
    "hidden_supervision",
    "split_by_group",
    "wrong_choice",
]


@dataclass(frozen=True, slots=True)
class ContrastPair:
    """One item in one template: x+ is the question with `answers[0]`, x- with `answers[1]`.

    `label` is 1 where the first answer is right. `options` says which of the item's choices the answers are. `ask` is
    the same as a question of log-probabilities, exactly as the protocol puts it; `answers` are its continuations
    without the white space that they start with.
    """

    item: str
    group: str
    subset: str
    template: str
    question: str
    answers: tuple[str, str]
    label: int
    options: tuple[int, int]
    ask: Ask


def contrast_templates(task: Task) -> dict[str, Protocol]:
    """The protocols that can word a pair: one ask an item, whose continuations are the choices.

    Raises UsageError for a task that is no choice task, or has no such protocol.
    """
    if task.kind != "choice":
        raise UsageError(
            f"{task.name} is a task of {task.kind}, and contrast pairs need answers to choose from.",
            hint="Take a choice task, such as facts, boolq, sst2 or mmlu; see  gnomon ls tasks .",
        )
    found = {name: protocol for name, protocol in task.protocols.items() if _words_pairs(task, protocol)}
    if not found:
        raise UsageError(
            f"no protocol of {task.name} asks one question with all choices as continuations, so none makes contrast "
            "pairs.",
            hint="Take another task; see  gnomon ls tasks .",
        )
    return found


def _words_pairs(task: Task, protocol: Protocol) -> bool:
    if protocol.ability != "score":
        return False
    for item in task.examples:
        asks = protocol.ask(item, [])
        one = asks[0] if len(asks) == 1 else None
        if not isinstance(one, Ask) or len(one.continuations) != len(item.choices):
            return False
    return True


def contrast_pair(item: Item, template: str, protocol: Protocol) -> ContrastPair:
    """The pair of `item` under `protocol`.

    Of two choices x+ carries the first and x- the second (Burns et al. 2022, section 2.1). Of more, the right one and
    one wrong one, drawn uniformly and put in random order by the item's id alone, so that every template has the same
    two; the question is then worded for these two, unless the protocol's wording has all choices in it.
    """
    options = _two(item)
    first, second = options
    narrow = item
    if len(item.choices) > 2:
        narrow = dataclasses.replace(
            item, choices=(item.choices[first], item.choices[second]), answer=options.index(item.answer)
        )
    ask = _for_two(protocol, narrow)
    if ask is None:  # the prompt lists all choices, whatever the item says
        whole = protocol.ask(item, [])[0]
        assert isinstance(whole, Ask)
        ask = Ask(whole.context, (whole.continuations[first], whole.continuations[second]))
    plus, minus = ask.continuations
    return ContrastPair(
        item=item.id,
        group=item.group,
        subset=item.subset,
        template=template,
        question=ask.context,
        answers=(plus.lstrip(), minus.lstrip()),
        label=int(first == item.answer),
        options=options,
        ask=ask,
    )


def _for_two(protocol: Protocol, narrow: Item) -> Ask | None:
    """The question about an item of two choices; None where its wording names more ("C: {choice3}") or lists more."""
    try:
        ask = protocol.ask(narrow, [])[0]
    except KeyError:
        return None
    assert isinstance(ask, Ask)
    return ask if len(ask.continuations) == 2 else None


def _two(item: Item) -> tuple[int, int]:
    """Which choices x+ and x- carry."""
    if len(item.choices) == 2:
        return 0, 1
    other = wrong_choice(item)
    if other is None:
        raise DataError(f"item {item.id} has no wrong choice whose text differs from the right one.")
    return (item.answer, other) if _draw(item)[8] & 1 else (other, item.answer)


def wrong_choice(item: Item, unshown: Sequence[str] = ()) -> int | None:
    """A wrong choice, drawn by the item's id alone, whose text differs from the right one; None where there is none.

    Texts that differ in case or white space alone are the same. Choices in `unshown` are passed over.
    """
    right = _plain(item.choices[item.answer])
    wrong = [number for number, text in enumerate(item.choices) if _plain(text) != right and text not in unshown]
    return wrong[int.from_bytes(_draw(item)[:8], "big") % len(wrong)] if wrong else None


def _draw(item: Item) -> bytes:
    return hashlib.sha256(f"contrast/{item.id}".encode("utf-8", "surrogatepass")).digest()


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def hidden_supervision(items: Sequence[Item]) -> str | None:
    """What a reader must be told where items have more than two choices; None where none has."""
    most = max((len(item.choices) for item in items), default=0)
    if most <= 2:
        return None
    return (
        f"Of up to {most} choices the right one and one wrong one were kept in random order (the paper's rule): the "
        "truth is always among the two, which is hidden supervision."
    )


def split_by_group(items: Sequence[Item], fraction: float = 0.6, seed: int = 0) -> tuple[list[Item], list[Item]]:
    """Two parts, the first with about `fraction` of the items, that share no group; in the order of `items`.

    A group is known by its name alone, in whatever subsets and splits of the task its rows stand: a statement and the
    question about the same fact do not part. Groups come in a seeded order that depends on their names alone; the first
    part takes whole groups while that brings it nearer to its size.

    >>> from gnomon.tasks import load_task
    >>> learn, test = split_by_group(load_task("facts", {"subsets": "capitals-statements"}).items(), 0.6)
    >>> {item.group for item in learn} & {item.group for item in test}
    set()
    """
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.group] = sizes.get(item.group, 0) + 1
    wanted, taken, chosen = fraction * len(items), 0, set()
    for name in _shuffled(sorted(sizes), seed, "split"):
        if abs(taken + sizes[name] - wanted) < abs(taken - wanted):
            chosen.add(name)
            taken += sizes[name]
    learn = [item for item in items if item.group in chosen]
    return learn, [item for item in items if item.group not in chosen]


def balanced_sample(items: Sequence[Item], n: int, seed: int = 0) -> list[Item]:
    """At most `n` of `items`, as many of each label (is the first answer right?) as of the other, without replacement.

    Items of a label come in a seeded order that depends on ids alone, so a sample is part of every larger one with the
    same seed. Where one label runs out the other does not fill up, however large `n` is; an odd `n` gives one more of
    the second answer. Items that all have the same label cannot be balanced, and half of `n` are taken. In the order of
    `items`.
    """
    by_label: dict[int, list[str]] = {0: [], 1: []}
    for item in items:
        by_label[int(_two(item)[0] == item.answer)].append(item.id)
    most = min(map(len, by_label.values())) or len(items)
    share = {1: min(n // 2, most), 0: min(n - n // 2, most)}
    wanted = {
        name
        for label, names in by_label.items()
        for name in _shuffled(sorted(names), seed, f"sample/{label}")[: share[label]]
    }
    return [item for item in items if item.id in wanted]


def _shuffled(names: Sequence[str], seed: int, what: str) -> list[str]:
    """`names` in a seeded order: each name's place comes from its own hash, so that others do not move it."""
    return sorted(
        names, key=lambda name: hashlib.sha256(f"{seed}/{what}/{name}".encode("utf-8", "surrogatepass")).digest()
    )
