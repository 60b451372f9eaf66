"""Frozen features: the last token's state in the last layer, of every text, by every model; kept for every later run.

A ladder often holds one network cut at several depths. One pass of the deepest then gives the features of all.

Belongs here: asking a model and keeping what it says. Does not belong here: heads.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.errors import ModelError
from gnomon.models import Model, Nested, Represents, Told
from gnomon.runs import StateStore, represent_all

__all__ = ["Features", "deepest", "read_features"]

Progress = Callable[[int, int], None]


class Readable(Model, Represents, Protocol):
    """A model whose states can be read, and kept under its fingerprint."""


class _Last:
    """A model that shows its last layer alone: a thirtieth of the disk for a model with thirty. What it shows by the
    way of shallower cuts of its network goes into their stores."""

    def __init__(self, model: Represents, cuts: Sequence[tuple[Nested, StateStore]] = ()) -> None:
        self._model, self._cuts = model, cuts
        self._whole = model.layout()

    def layout(self) -> StateLayout:
        return dataclasses.replace(self._whole, layers=self._whole.layers[-1:])

    def represent(
        self, readings: Sequence[Reading], skip: Callable[[int], bool]
    ) -> Iterator[list[tuple[int, States | Failed]]]:
        for batch in self._model.represent(readings, skip):
            good = [(readings[index], one) for index, one in batch if isinstance(one, States)]
            for cut, store in self._cuts:
                store.add([(reading, self._of(cut, one)) for reading, one in good if reading not in store])
            yield [
                (index, dataclasses.replace(one, values=np.ascontiguousarray(one.values[:, -1:])))
                if isinstance(one, States)
                else (index, one)
                for index, one in batch
            ]

    def _of(self, cut: Nested, found: States) -> States:
        """What a cut would have shown in its last layer."""
        assert isinstance(self._model, Nested)
        after = np.ascontiguousarray(found.values[:, self._whole.layers.index(str(cut.depth))])
        return dataclasses.replace(found, values=self._model.closed(after)[:, None])


def _shown_alike(model: Represents, cut: Nested, reading: Reading) -> bool:
    """Whether a cut, read by itself, shows what the deeper model shows of it: not so where a family's blocks depend on
    how many there are."""
    assert isinstance(cut, Represents)
    last = _Last(model)
    try:
        whole, own = (
            found
            for one in (model, cut)
            for batch in one.represent([reading], lambda index: False)
            for _, found in batch
        )
        if isinstance(whole, Failed) or isinstance(own, Failed):
            return False
        found, wanted = last._of(cut, whole).values, own.values[:, -1:]
    except ModelError:
        return False
    near = 1e-4 if last.layout().dtype == "float32" else 3e-2
    return bool(np.abs(found - wanted).max() <= near * np.abs(wanted).max())


@dataclasses.dataclass(frozen=True)
class Features:
    """`values` (n, d), float32, of texts in their order; `cut` says which texts the model could not read whole."""

    values: NDArray[np.float32]
    cut: NDArray[np.bool_]
    computed: int
    reused: int

    def compared(self) -> Features:
        """Of the first half of the texts less the second."""
        half = len(self.values) // 2
        return Features(
            self.values[:half] - self.values[half:], self.cut[:half] | self.cut[half:], self.computed, self.reused
        )


def read_features(
    model: Readable,
    texts: Sequence[str],
    labels: Sequence[int],
    root: Path,
    progress: Progress,
    others: Sequence[Readable] = (),
) -> Features:
    """The features of `texts`; what the store under `root` holds is not read again. `labels` go to mocks alone, which
    are told what they shall hold. Those of `others` that are shallower cuts of the same network are read in the same
    pass, and their features kept.

    Raises ModelError where a text cannot be read at all: a ladder compares models on the same rows.
    """
    layout = _Last(model).layout()
    readings = [Reading(text, ("",)) for text in texts]
    if isinstance(model, Told):
        model.tell(readings, [1 - int(label) for label in labels])
    with contextlib.ExitStack() as opened:

        def store(one: Readable) -> StateStore:
            own = _Last(one).layout()
            return opened.enter_context(StateStore(root, fingerprint=one.fingerprint(), layout=own))

        kept = store(model)
        cuts = [(cut, store(cut)) for cut in _cuts(model, others)] if any(one not in kept for one in readings) else []
        if cuts and not _shown_alike(model, min((cut for cut, _ in cuts), key=lambda cut: cut.depth), readings[0]):
            cuts = []
        found = represent_all(readings, kept, _Last(model, cuts).represent, progress)
        if found.failures:
            index, failed = next(iter(found.failures.items()))
            raise ModelError(
                f"{len(found.failures):,} of {len(texts):,} texts could not be read, such as '{texts[index][:60]}': "
                f"{failed.message}."
            )
        values = kept.layer(readings, layout.layers[0])[:, 0]
        cut = kept.truncated(readings) > 0
    return Features(values, cut, found.computed, found.reused)


def _cuts(model: Readable, others: Sequence[Readable]) -> list[Any]:
    """Those of `others` that are shallower cuts of the network of `model`."""
    if not isinstance(model, Nested):
        return []
    return [
        one for one in others if isinstance(one, Nested) and one.network == model.network and one.depth < model.depth
    ]


def deepest(models: Mapping[str, Any], name: str) -> str:
    """The deepest of `models` that `name` is a cut of, by name; `name` itself where there is none."""
    model = models[name]
    if not isinstance(model, Nested):
        return name
    kin = [other for other, one in models.items() if isinstance(one, Nested) and one.network == model.network]
    return max(kin, key=lambda other: models[other].depth)
