"""Choosing wrong values: seeded streams, blocks of rows whose values are plausible for one another, derangements.

Belongs here: how a false value or a distractor is drawn from a table. Does not belong here: what the tables hold
(`_templates.py`, `_computed.py`) or how a fact is worded (`__init__.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

from gnomon.errors import DataError

__all__ = ["Row", "blocks", "deranged", "distractors", "shuffled", "stream"]

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One fact before it is worded: the true `value`, and which others may stand in its place.

    Attributes
    ----------
    key : str
        Names the fact within its family; part of the fact's id, so it never depends on the row's place in a table.
    value : str
        The true value, as it is written in the sentence.
    fields : dict of str to str
        What else the wording needs, by placeholder.
    near : str
        Only rows with the same label lend one another their values.
    order : float
        Where neighbours matter (numbers), rows are sorted by this before they are cut into blocks.
    avoid : tuple of str
        Values that could be called true of this row as well, and are never put in its place.
    """

    key: str
    value: str
    fields: dict[str, str] = field(default_factory=dict)
    near: str = ""
    order: float = 0.0
    avoid: tuple[str, ...] = ()

    def allows(self, value: str) -> bool:
        """Whether `value` is certainly false of this row."""
        return value != self.value and value not in self.avoid


def stream(text: str) -> random.Random:
    """A generator that depends on `text` alone, on every platform and Python version.

    >>> stream("0:capitals").random() == stream("0:capitals").random()
    True
    """
    return random.Random(int.from_bytes(sha256(text.encode()).digest(), "big"))


def shuffled(items: Iterable[T], rng: random.Random) -> list[T]:
    """The items in random order.

    Sorts by `random()`, the one method whose sequence Python promises never to change (`shuffle` may change).

    >>> sorted(shuffled("abc", stream("x")))
    ['a', 'b', 'c']
    """
    return sorted(items, key=lambda _: rng.random())


def _closed(rows: Sequence[Row], size: int) -> bool:
    """Whether rows suffice for a block: enough of them, four different values, none of them held by over half."""
    counts = Counter(row.value for row in rows)
    return len(rows) >= size and len(counts) >= 4 and 2 * max(counts.values()) <= len(rows)


def blocks(rows: Iterable[Row], size: int = 0) -> list[list[Row]]:
    """Cut rows into blocks that lend one another their values.

    Parameters
    ----------
    rows : iterable of Row
        In any order: the result does not depend on it.
    size : int, default 0
        0 makes one block of each `near` label. A positive size cuts each label's rows, sorted by `order`, into runs of
        about that many neighbours, so that wrong numbers lie close to the right ones.

    Returns
    -------
    list of list of Row
        Every row is in exactly one block.

    Examples
    --------
    >>> numbers = [Row(key=str(n), value=str(n), order=n) for n in range(10)]
    >>> [[row.value for row in block] for block in blocks(numbers, size=4)]
    [['0', '1', '2', '3'], ['4', '5', '6', '7', '8', '9']]
    """
    labels: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.near, row.order, row.value, row.key)):
        labels.setdefault(row.near, []).append(row)
    if size == 0:
        return list(labels.values())
    cut: list[list[Row]] = []
    for members in labels.values():
        runs: list[list[Row]] = [[]]
        for row in members:
            if _closed(runs[-1], size):
                runs.append([])
            runs[-1].append(row)
        if len(runs) > 1 and not _closed(runs[-1], size):
            rest = runs.pop()
            runs[-1].extend(rest)
        cut.extend(runs)
    return cut


def deranged(rows: Sequence[Row], rng: random.Random, attempts: int = 100) -> list[str]:
    """A false value for every row of a block: the block's own values, permuted.

    As a permutation it gives every value as often to a false sentence as to a true one, so a value alone tells nothing.

    Parameters
    ----------
    rows : sequence of Row
        One block.
    rng : random.Random
        Where the permutation comes from.
    attempts : int, default 100
        Fresh shuffles before giving up.

    Returns
    -------
    list of str, as long as `rows`
        `rows[i].allows(result[i])` holds for every i.

    Raises
    ------
    DataError
        If no such permutation is found, for instance because one value is held by more than half of the rows.

    Examples
    --------
    >>> deranged([Row("france", "Paris"), Row("italy", "Rome")], stream("x"))
    ['Rome', 'Paris']
    """
    for _ in range(attempts):
        values = shuffled((row.value for row in rows), rng)
        for i, row in enumerate(rows):
            if row.allows(values[i]):
                continue
            for j in shuffled(range(len(rows)), rng):
                # A swap that suits both rows mends this one and never spoils a row that was mended before.
                if row.allows(values[j]) and rows[j].allows(values[i]):
                    values[i], values[j] = values[j], values[i]
                    break
        if all(row.allows(value) for row, value in zip(rows, values, strict=True)):
            return values
    raise DataError(
        f"no permutation of the values of {', '.join(repr(row.key) for row in rows[:5])}, ... makes every row false.",
        hint="Put more rows with other values under the same 'near' label.",
    )


def distractors(row: Row, block: Sequence[Row], rng: random.Random, count: int = 3) -> list[str]:
    """`count` different false values for a row, or as many as its block has.

    They are drawn row by row, so that a value that is often right is also often a distractor.

    >>> france = Row("france", "Paris")
    >>> sorted(distractors(france, [france, Row("italy", "Rome"), Row("spain", "Madrid")], stream("x"), count=2))
    ['Madrid', 'Rome']
    """
    drawn = dict.fromkeys(other.value for other in shuffled(block, rng) if row.allows(other.value))
    return list(drawn)[:count]
