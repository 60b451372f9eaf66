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
from gnomon.knowledge._rows import Rows
from gnomon.models import Model, Represents, Told
from gnomon.runs import StateStore, represent_all

__all__ = ["Read", "Usable", "chosen_layers", "read", "usable"]

Progress = Callable[[int, int], None]


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
    """Rows whose two sides have states that differ; `mask` says which of the given rows they are. `refused` were not
    read, of `equal` both sides are the same text to the model."""

    rows: Rows
    mask: NDArray[np.bool_]
    refused: int
    equal: int


def usable(found: Read, rows: Rows) -> Usable:
    """What of `rows` can be used: never silently all of it."""
    mask = np.array([reading not in found.failures for reading in rows.readings], dtype=bool)
    refused = int((~mask).sum())
    if mask.any():
        last = found.layer(rows.keep(mask), found.layout.layers[-1])
        mask[mask] = (last[:, 0] != last[:, 1]).any(axis=1)
    return Usable(rows.keep(mask), mask, refused, int((~mask).sum()) - refused)


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
            names = [str(number) for number in range(int(low), int(high) + 1)]
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
