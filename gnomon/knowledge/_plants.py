"""Texts changed on purpose: planted words, opinions, misleading prefixes, compounds of two statements.

Belongs here: what is added to a text, drawn from the item's id. Does not belong here: what a probe then finds
(`_examine.py`).

The first two follow Farquhar et al. 2023 (arXiv:2312.10029): a feature of the text that has nothing to do with the
truth, and that a method which cannot single out knowledge may find in its place.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from gnomon.knowledge._rows import Rows
from gnomon.stats import stream
from gnomon.tasks import ContrastPair, Item, Protocol, contrast_pair

__all__ = ["MISLEADING", "WORDS", "Compounds", "compounds", "misled", "with_opinion", "with_word"]

WORDS = ("Banana", "Shed")

MISLEADING = (
    "Question: Is ice hotter than steam?\nAnswer: yes\n\n"
    "Question: Do spoons grow on trees?\nAnswer: yes\n\n"
    "Question: Is ten more than two?\nAnswer: no\n\n"
    "Question: Can a stone swim across a lake?\nAnswer: yes\n\n"
    "Question: Is milk a drink?\nAnswer: no\n\n"
)
"""Five questions answered wrongly; it stands before the prompt (the paper's misleading prefix, in words of our own)."""


def with_word(rows: Rows, items: Mapping[str, Item], protocol: Protocol, body: str) -> Rows:
    """One of two words at the end of the text under judgement, drawn by the item's id; its feature is the word."""
    feature = [_coin(pair.item, "word") for pair in rows.pairs]
    drawn = dict(zip((pair.item for pair in rows.pairs), feature, strict=True))

    def change(pair: ContrastPair) -> ContrastPair:
        return _appended(pair, items[pair.item], protocol, body, f" {WORDS[1 - drawn[pair.item]]}")

    return rows.changed(change, "with a planted word", feature)


def with_opinion(rows: Rows, items: Mapping[str, Item], protocol: Protocol, body: str) -> Rows:
    """What Alice thinks, drawn by the item's id, after the text under judgement; its feature is her opinion."""
    feature = [_coin(pair.item, "opinion") for pair in rows.pairs]
    drawn = dict(zip((pair.item for pair in rows.pairs), feature, strict=True))

    def change(pair: ContrastPair) -> ContrastPair:
        said = pair.answers[1 - drawn[pair.item]]
        return _appended(pair, items[pair.item], protocol, body, f" Alice thinks that the right answer is: {said}.")

    return rows.changed(change, "with an opinion", feature)


def misled(rows: Rows) -> Rows:
    """Every question behind a prefix of wrong answers."""

    def change(pair: ContrastPair) -> ContrastPair:
        ask = dataclasses.replace(pair.ask, context=MISLEADING + pair.ask.context)
        return dataclasses.replace(pair, question=MISLEADING + pair.question, ask=ask)

    return rows.changed(change, "behind a misleading prefix")


@dataclasses.dataclass(frozen=True)
class Compounds:
    """Compounds of two first answers, "both right?" and "at least one right?", two rows a couple.

    `first`, `second` (c,): the rows that couple k joins; rows 2k and 2k + 1 of `rows` are its "and" and its "or".
    """

    rows: Rows
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def compounds(rows: Rows, most: int, seed: int) -> Compounds:
    """At most `most` couples of rows (of one template) drawn at random, no row twice.

    Which couples a probe finds on opposite sides is the probe's affair, so one set of compounds serves every probe.
    """
    order = stream(seed, "compounds").permutation(len(rows))[: 2 * min(most, len(rows) // 2)]
    first, second = order[0::2], order[1::2]
    pairs = [
        _compound(rows.pairs[i], rows.pairs[j], question, rule)
        for i, j in zip(first, second, strict=True)
        for question, rule in (("Are both answers right?", min), ("Is at least one answer right?", max))
    ]
    found = Rows(tuple(pairs), np.ones(len(pairs), dtype=bool), None, "compounds", rows.after)
    return Compounds(found, first, second)


def _compound(
    first: ContrastPair, second: ContrastPair, question: str, rule: Callable[[int, int], int]
) -> ContrastPair:
    said = "\n\n".join(
        f"{number}. {pair.question} {pair.answers[0]}" for number, pair in enumerate((first, second), start=1)
    )
    text = f"Here are two questions with an answer each.\n\n{said}\n\n{question}"
    return dataclasses.replace(
        first,
        item=f"{first.item}+{second.item}",
        template=f"compound of {first.template}",
        question=text,
        answers=("Yes", "No"),
        label=rule(first.label, second.label),
        ask=dataclasses.replace(first.ask, context=text, continuations=(" Yes", " No")),
    )


def _appended(pair: ContrastPair, item: Item, protocol: Protocol, body: str, text: str) -> ContrastPair:
    """The pair of `item` with `text` at the end of its field `body`; at the start of the question where it has none."""
    if body:
        fields = {**item.fields, body: item.fields[body] + text}
        changed = contrast_pair(dataclasses.replace(item, fields=fields), pair.template, protocol)
        if changed.question != pair.question:
            return changed
    ask = dataclasses.replace(pair.ask, context=f"{text.strip()}\n\n{pair.ask.context}")
    return dataclasses.replace(pair, question=f"{text.strip()}\n\n{pair.question}", ask=ask)


def _coin(item: str, what: str) -> int:
    """0 or 1 by the item's id alone, the same in every template."""
    return hashlib.sha256(f"{what}/{item}".encode("utf-8", "surrogatepass")).digest()[0] & 1
