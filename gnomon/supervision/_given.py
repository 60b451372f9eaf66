"""Weak labels that somebody gave: people, rules, or a model elsewhere; they take a supervisor's place.

Belongs here: their file, and the rows that are to be labelled. Does not belong here: what is learned from them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError, UsageError
from gnomon.files import write_atomically
from gnomon.supervision._ladder import Learner
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Job, Outcome

__all__ = ["Given", "WithGiven", "read_labels", "save_rows"]


@dataclass(frozen=True)
class Given:
    """What a file says of rows, by their ids: P(right), or an answer in writing. `name` stands for a supervisor's."""

    name: str
    path: Path
    digest: str
    said: dict[str, float | str]

    def of(self, task: str, pool: Pool) -> NDArray[Any]:
        """One label a row of the pool, in its order; ids may begin with the task's name.

        Raises DataError where a row has none: labels of another split, or of rows that another setting chose.
        """
        found = [self.said.get(f"{task}/{name}", self.said.get(name)) for name in pool.ids]
        missing = [name for name, one in zip(pool.ids, found, strict=True) if one is None]
        if missing:
            raise DataError(
                f"{self.path} has labels for {len(found) - len(missing):,} of the {len(found):,} rows of {task} that "
                f"are learned from or tested on; it lacks '{missing[0]}', and holds such as '{next(iter(self.said))}'.",
                hint="Label the rows of this very study: write them out with  --write-rows FILE .",
            )
        kind = str if pool.written else float
        odd = next((one for one in found if not isinstance(one, kind)), None)
        if odd is not None:
            wanted = '"answer": TEXT' if pool.written else '"p": P(right)'
            raise DataError(f"{self.path} says {odd!r} of a row of {task}, where {wanted} is due.")
        return np.array(found, dtype=np.str_ if pool.written else np.float64)


def read_labels(path: Path | str) -> Given:
    """Labels from a file of JSON lines: {"id": ..., "p": P(right)}, or "answer" with what was written.

    Raises DataError for a file that cannot be read, a line that is no label, and an id that stands twice.
    """
    place = Path(path)
    try:
        data = place.read_bytes()
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"the weak labels {place} cannot be read: {why}.") from error
    said: dict[str, float | str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, value = _label(line, f"{place}, line {number}")
        if name in said:
            raise DataError(f"{place}, line {number}: the row '{name}' has a label already.")
        said[name] = value
    if not said:
        raise DataError(f"{place} holds no label.", hint='A line is  {"id": "...", "p": 0.8} .')
    return Given(f"labels {place.stem}", place, hashlib.sha256(data).hexdigest(), said)


def _label(line: str, where: str) -> tuple[str, float | str]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if isinstance(row, dict) and isinstance(row.get("id"), str):
        answer, p = row.get("answer"), row.get("p")
        if isinstance(answer, str):
            return row["id"], answer
        if isinstance(p, int | float) and 0 <= p <= 1:
            return row["id"], float(p)
    raise DataError(
        f"{where}: '{line[:60]}' is no label.",
        hint='A line is  {"id": "...", "p": 0.8}  with P(right) from 0 to 1, or  {"id": "...", "answer": "..."} .',
    )


def save_rows(path: Path | str, pools: Sequence[tuple[str, Pool]]) -> int:
    """Write every row that a study learns from or tests on as JSON lines, without its label; returns how many."""
    lines = []
    for task, pool in pools:
        for at, name in enumerate(pool.ids):
            other = {"against": pool.against[at]} if pool.against else {}
            what = "prompt" if pool.written else "text"
            lines.append(json.dumps({"id": f"{task}/{name}", what: pool.texts[at], **other}, ensure_ascii=False))
    place = Path(path)
    if place.exists():
        raise UsageError(f"{place} is there already.", hint="Name another file, or remove it.")
    write_atomically(place, ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
    return len(lines)


class WithGiven:
    """A learner among whose models is one that was not trained here: given labels.

    Parameters
    ----------
    learner : Learner
        For all other models.
    given : Given
    labels : ndarray (rows,)
        Of the pool's rows.
    """

    def __init__(self, learner: Learner, given: Given, labels: NDArray[Any]) -> None:
        self._learner, self._given, self._labels = learner, given, labels
        self.apart = learner.apart

    def spec(self, pool: Pool) -> dict[str, Any]:
        return self._learner.spec(pool)

    def fingerprint(self, name: str) -> str:
        return self._given.digest if name == self._given.name else self._learner.fingerprint(name)

    def learn(
        self, pool: Pool, name: str, jobs: Sequence[Job], skip: Callable[[int], bool]
    ) -> Iterator[tuple[int, Outcome]]:
        if name != self._given.name:
            yield from self._learner.learn(pool, name, jobs, skip)
            return
        for number, job in enumerate(jobs):
            if not skip(number):
                yield number, Outcome(self._labels[job.wanted], self._labels[job.test][None], np.full(1, np.nan), 0)
