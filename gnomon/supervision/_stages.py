"""Stages of a study: one model that learned one lesson, and what it then says. Each is computed once.

Belongs here: what a stage is, its key by content, and keeping it. Does not belong here: how a stage is computed
(`_frozen.py`, `_tuned.py`) or which stages a study needs (`_ladder.py`).

A key is a hash of everything that can change a prediction: the model, the recipe, the texts in their order, the targets
themselves, the loss and the seed. Targets enter as numbers, so a changed teacher makes new keys for those who learn
from it, and for nobody else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.files import write_atomically
from gnomon.supervision._heads import Lesson
from gnomon.supervision._pool import Pool

__all__ = ["Job", "Outcome", "StageStore", "key_of", "packed", "unpacked"]

_VERSION = 3


@dataclass(frozen=True)
class Job:
    """A lesson for one model, the held-out rows that choose an epoch, and the rows whose predictions are wanted.

    With `primed` the model first learns to write the lesson's texts, whatever their labels. `truth` of the lesson's
    rows asks for a probe of what was learned.
    """

    model: str
    lesson: Lesson
    held: NDArray[np.int64]
    held_targets: NDArray[Any]
    wanted: NDArray[np.int64]
    test: NDArray[np.int64]
    primed: bool = False
    truth: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a model says after its lesson.

    Attributes
    ----------
    wanted : ndarray (n,)
        What it says of the wanted rows, at the chosen epoch: P(class 1), or the answers that it writes.
    test : ndarray (points, t)
        What it says of the test rows at every point of the training that was looked at, the last at its end.
    held : ndarray (points,)
        Share of held-out rows where the model agrees with their (weak) labels, at the same points.
    chosen : int
        The point that was chosen.
    seconds : float
        That the stage took, shared out evenly where several were computed together.
    probed : ndarray (t,)
        P(class 1) of the test rows by a linear probe of what was learned, fitted to the truth; empty where none was
        asked for.
    """

    wanted: NDArray[Any]
    test: NDArray[Any]
    held: NDArray[np.float64]
    chosen: int
    seconds: float = 0.0
    probed: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def final(self) -> NDArray[Any]:
        """What it says of the test rows at the chosen point."""
        return np.asarray(self.test[self.chosen])


def key_of(pool: Pool, job: Job, fingerprint: str, recipe: Mapping[str, Any]) -> str:
    """The stage's key: 32 hex digits."""
    parts = hashlib.sha256(json.dumps([_VERSION, fingerprint, dict(recipe)], sort_keys=True).encode())
    lesson = job.lesson
    parts.update(json.dumps([lesson.loss, lesson.seed]).encode())
    for rows in (lesson.rows, job.held, job.wanted, job.test):
        parts.update(pool.digest(rows).encode())
    for targets in (lesson.targets, job.held_targets):
        parts.update(_bytes(targets))
    if job.primed:
        parts.update(b"primed")
    if job.truth is not None:
        parts.update(b"probed" + _bytes(job.truth))
    return parts.hexdigest()[:32]


def _bytes(targets: NDArray[Any]) -> bytes:
    if targets.dtype.kind == "U":
        return json.dumps(targets.tolist()).encode()
    return np.ascontiguousarray(targets, dtype="<f8").tobytes()


class StageStore:
    """Outcomes by key, one file each, under a folder that many runs share. Files appear whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remarks: list[str] = []

    def get(self, key: str) -> Outcome | None:
        """The outcome, or None where it is not there; a damaged file is left for `put` to replace, with a remark."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self._path(key)
        if not path.is_file():
            return None
        try:
            held = load_file(path)
            return Outcome(
                unpacked(held["wanted"]),
                unpacked(held["test"]),
                held["held"],
                int(held["chosen"][0]),
                float(held["seconds"][0]),
                held["probed"],
            )
        except (SafetensorError, OSError, KeyError, IndexError, ValueError) as error:
            self.remarks.append(f"{path} cannot be read ({error}); the stage is computed again.")
            return None

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome; raises RunError where the disk is full or cannot be written."""
        from safetensors.numpy import save

        data = save(
            {
                "wanted": packed(outcome.wanted),
                "test": packed(outcome.test),
                "probed": np.ascontiguousarray(outcome.probed, dtype=np.float64),
                "held": np.ascontiguousarray(outcome.held, dtype=np.float64),
                "chosen": np.array([outcome.chosen], dtype=np.int64),
                "seconds": np.array([outcome.seconds], dtype=np.float64),
            }
        )
        write_atomically(self._path(key), data)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.safetensors"


def packed(says: NDArray[Any]) -> NDArray[Any]:
    """An array that a file of tensors can hold: numbers as they are, texts as the bytes of a JSON document."""
    if says.dtype.kind == "U":
        return np.frombuffer(json.dumps(says.tolist()).encode(), dtype=np.uint8)
    return np.ascontiguousarray(says, dtype=np.float64)


def unpacked(held: NDArray[Any]) -> NDArray[Any]:
    """What was packed."""
    return np.array(json.loads(held.tobytes()), dtype=np.str_) if held.dtype == np.uint8 else held
