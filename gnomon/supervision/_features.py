"""Frozen features: the last token's state in the last layer, of every text, by every model; kept for every later run.

Belongs here: asking a model and keeping what it says. Does not belong here: heads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.errors import ModelError
from gnomon.models import Represents, Told
from gnomon.runs import StateStore, represent_all

__all__ = ["Features", "read_features"]

Progress = Callable[[int, int], None]


class _Last:
    """A model that shows its last layer alone: a thirtieth of the disk for a model with thirty."""

    def __init__(self, model: Represents) -> None:
        self._model = model
        self._whole = model.layout()

    def layout(self) -> StateLayout:
        return dataclasses.replace(self._whole, layers=self._whole.layers[-1:])

    def represent(
        self, readings: Sequence[Reading], skip: Callable[[int], bool]
    ) -> Iterator[list[tuple[int, States | Failed]]]:
        for batch in self._model.represent(readings, skip):
            yield [
                (index, dataclasses.replace(one, values=np.ascontiguousarray(one.values[:, -1:])))
                if isinstance(one, States)
                else (index, one)
                for index, one in batch
            ]


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
    model: Represents, texts: Sequence[str], labels: Sequence[int], root: Path, progress: Progress
) -> Features:
    """The features of `texts`; what the store under `root` holds is not read again. `labels` go to mocks alone, which
    are told what they shall hold.

    Raises ModelError where a text cannot be read at all: a ladder compares models on the same rows.
    """
    last = _Last(model)
    layout = last.layout()
    readings = [Reading(text, ("",)) for text in texts]
    if isinstance(model, Told):
        model.tell(readings, [1 - int(label) for label in labels])
    with StateStore(root, fingerprint=model.fingerprint(), layout=layout) as store:  # type: ignore[attr-defined]
        found = represent_all(readings, store, last.represent, progress)
        if found.failures:
            index, failed = next(iter(found.failures.items()))
            raise ModelError(
                f"{len(found.failures):,} of {len(texts):,} texts could not be read, such as '{texts[index][:60]}': "
                f"{failed.message}."
            )
        values = store.layer(readings, layout.layers[0])[:, 0]
        cut = store.truncated(readings) > 0
    return Features(values, cut, found.computed, found.reused)
