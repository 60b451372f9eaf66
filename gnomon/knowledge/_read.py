"""States of many tables of rows: what the model must still read, what is in the store, what cannot be used.

Belongs here: from rows to arrays. Does not belong here: how a model reads (`models/`) or how states are kept
(`runs/`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout
from gnomon.errors import UsageError
from gnomon.knowledge._rows import Mask, Rows
from gnomon.models import Model, Represents, Told
from gnomon.runs import StateStore, represent_all

__all__ = ["Read", "Usable", "chosen_layers", "read", "usable"]

Progress = Callable[[int, int], None]

_ROUNDING = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
"""How far, as a share of the largest number, two readings of one text lie apart at most, by what is computed in."""


@dataclass
class Read:
    """What a model holds inside on reading: layers of any rows that were read. Close it when done."""

    store: StateStore
    layout: StateLayout
    failures: dict[Reading, Failed]
    computed: int
    reused: int

    def layer(self, rows: Rows, layer: str) -> NDArray[np.float32]:
        """(n, 2, d): the states of x+ and x- of every row."""
        return self.store.layer(rows.readings, layer)

    def cut(self, rows: Rows) -> Mask:
        """(n,): whether the question lost its start, since the text was too long."""
        return np.asarray(self.store.truncated(rows.readings) > 0, dtype=bool)

    def reasons(self, rows: Rows, most: int = 3) -> list[str]:
        """Why rows could not be read, the first `most` of them: item, template, and the model's words."""
        failed = [
            f"item {pair.item}, template {pair.template}: {self.failures[reading].message}"
            for pair, reading in zip(rows.pairs, rows.readings, strict=True)
            if reading in self.failures
        ]
        return failed[:most]

    def close(self) -> None:
        self.store.close()


def read(model: Model, tables: Sequence[Rows], root: Path, progress: Progress) -> Read:
    """Let `model` read all `tables`; what the store holds is not read again."""
    assert isinstance(model, Represents)
    layout = model.layout()
    readings: list[Reading] = []
    best: list[int] = []
    seen: set[Reading] = set()
    for rows in tables:
        for reading, label in zip(rows.readings, rows.y, strict=True):
            if reading not in seen:
                seen.add(reading)
                readings.append(reading)
                best.append(1 - int(label))
    if isinstance(model, Told):
        model.tell(readings, best)
    store = StateStore(root, fingerprint=model.fingerprint(), layout=layout)
    try:
        found = represent_all(readings, store, model.represent, progress)
    except BaseException:
        store.close()
        raise
    failures = {readings[index]: failed for index, failed in found.failures.items()}
    return Read(store, layout, failures, found.computed, found.reused)


@dataclass(frozen=True)
class Usable:
    """Rows whose two sides have states that differ; `mask` says which of the given rows they are.

    Of the rest, `refused` could not be read, of `equal` both sides have the same states, and `lost` were cut so that
    what was planted in them is gone. Of the rows that are used, `cut` lost the start of their question.
    """

    rows: Rows
    mask: Mask
    refused: int
    equal: int
    lost: int
    cut: int


def usable(found: Read, rows: Rows, plain: Rows | None = None, *, whole: bool = False) -> Usable:
    """What of `rows` can be used: never silently all of it.

    `plain` holds the same rows without what was planted in `rows`, where something was; with `whole`, a text is of use
    only if nothing was cut.
    """
    mask = np.array([reading not in found.failures for reading in rows.readings], dtype=bool)
    refused = int((~mask).sum())
    if mask.any():
        last = found.layer(rows.keep(mask), found.layout.layers[-1])
        mask[mask] = (last[:, 0] != last[:, 1]).any(axis=1)
    equal = int((~mask).sum()) - refused
    if whole and mask.any():
        mask[mask] = ~found.cut(rows.keep(mask))
    elif plain is not None and mask.any():
        mask &= ~_lost(found, rows, plain, mask)
    kept = rows.keep(mask)
    lost = len(rows) - len(kept) - refused - equal
    return Usable(kept, mask, refused, equal, lost, int(found.cut(kept).sum()) if len(kept) else 0)


def _lost(found: Read, rows: Rows, plain: Rows, mask: Mask) -> Mask:
    """Rows of `mask` that were cut where something was planted: at the very start of the text, or so that the states
    are those of the plain text, up to rounding."""
    lost = np.zeros(len(rows), dtype=bool)
    lost[mask] = found.cut(rows.keep(mask))
    front = [one.question.endswith(bare.question) for one, bare in zip(rows.pairs, plain.pairs, strict=True)]
    read = np.array([reading not in found.failures for reading in plain.readings], dtype=bool)
    doubtful = lost & ~np.array(front, dtype=bool)
    lost &= ~doubtful
    doubtful &= read
    if doubtful.any():
        last = found.layout.layers[-1]
        planted, bare = (found.layer(one.keep(doubtful), last) for one in (rows, plain))
        room = _ROUNDING.get(found.layout.dtype, 1e-3) * np.abs(bare).max(axis=(1, 2))
        lost[doubtful] = np.abs(planted - bare).max(axis=(1, 2)) <= room
    return lost


def chosen_layers(text: str, layout: StateLayout) -> list[str]:
    """The layers that `text` names: "all", names joined by commas, or ranges such as "4-12"; in the model's order.

    >>> chosen_layers("1,3-4", StateLayout(tuple("01234"), 8, "float32", "last"))
    ['1', '3', '4']
    """
    if text == "all":
        return list(layout.layers)
    wanted: set[str] = set()
    for part in (part.strip() for part in text.split(",")):
        low, dash, high = part.partition("-")
        names = [part]
        if dash and low.strip().isdecimal() and high.strip().isdecimal():
            names = _between(int(low), int(high), layout)
        for name in names:
            if name not in layout.layers:
                raise UsageError(
                    f"the model has no layer '{name}'.",
                    hint=f"It has {len(layout.layers)}: {layout.layers[0]} to {layout.layers[-1]}; or give  all .",
                )
            wanted.add(name)
    if not wanted:
        raise UsageError("no layer was named.", hint="Give  --layers all , or names such as  --layers 4-12 .")
    return [name for name in layout.layers if name in wanted]


def _between(low: int, high: int, layout: StateLayout) -> list[str]:
    """The names from `low` to `high`; the one that the model lacks where it lacks one of these two."""
    missing = [str(number) for number in (low, high) if str(number) not in layout.layers]
    if missing:
        return missing[:1]
    if low > high:
        raise UsageError(f"the layers {low}-{high} go downward.", hint=f"Give  {high}-{low} .")
    return [str(number) for number in range(low, high + 1)]
