"""Hidden states by content, shared by every run and every later question.

Belongs here: keeping and finding them. Does not belong here: how a model reads (`models/`).

::

    <root>/<hash of model and layout>/
        meta.json           the model's fingerprint and the layout
        layer-000.bin       one file a layer: rows of `width` numbers, in the type that they were computed in
        layer-000.crc       four bytes a row: the checksum of that row in that layer
        index.txt           one line a row, written last: key, tokens, truncated

A row is one text (a question, one answer, what follows it), so readings share rows. What the index does not name does
not exist: bytes that a killed process left behind it are written over. A row whose checksum is wrong is dropped and
read again by the next invocation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.errors import RunError
from gnomon.files import cannot_write, write_atomically

__all__ = ["Represented", "StateStore", "represent_all"]

_SCHEMA = 1
_COMMIT = 2.0
"""Seconds of work that a killed process may lose."""
_DEAD = "-" * 32

Respond = Callable[[Sequence[Reading], Callable[[int], bool]], Iterable[Sequence[tuple[int, States | Failed]]]]


@dataclass(frozen=True)
class _Row:
    number: int
    tokens: int
    truncated: int


class StateStore:
    """States of one model under one layout.

    Parameters
    ----------
    root : Path
        Where all stores are; this one is a folder in it.
    fingerprint : str
        The model's.
    layout : StateLayout
        What its states look like. bfloat16 and float16 states take two bytes a number, which loses nothing of what was
        computed in them.

    Raises
    ------
    RunError
        If the folder holds states of another model or layout, or cannot be written.
    """

    def __init__(self, root: Path, *, fingerprint: str, layout: StateLayout) -> None:
        self.layout = layout
        meta = {"schema": _SCHEMA, "fingerprint": fingerprint, "layout": dataclasses.asdict(layout)}
        text = json.dumps(meta, sort_keys=True)
        self.path = root / hashlib.sha256(text.encode()).hexdigest()[:24]
        self.remarks: list[str] = []
        self._index: dict[str, _Row] = {}
        self._known = self._read_to = 0
        self._begin(json.loads(text))
        self._refresh()

    def __enter__(self) -> StateStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open between calls; the name is for those who expect one."""

    def __contains__(self, reading: Reading) -> bool:
        return all(key in self._index for key in _keys(reading))

    @property
    def rows(self) -> int:
        """Texts whose states are kept."""
        return len(self._index)

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.path.iterdir())

    def tokens(self, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """Tokens of each text: (n, answers)."""
        return np.array([[self._index[key].tokens for key in _keys(one)] for one in readings], dtype=np.int64)

    def truncated(self, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """Tokens cut from the left of each question: (n,)."""
        return np.array([max(self._index[key].truncated for key in _keys(one)) for one in readings], dtype=np.int64)

    def layer(self, readings: Sequence[Reading], layer: str) -> NDArray[np.float32]:
        """States at `layer` in the order of `readings`: (n, answers, width). All need the same number of answers.

        Raises RunError for rows that are damaged; they are dropped, and the same command reads them again.
        """
        width = self.layout.width
        if not readings:
            return np.zeros((0, 2, width), dtype=np.float32)
        number = self.layout.layers.index(layer)
        at = np.array([[self._index[key].number for key in _keys(one)] for one in readings], dtype=np.int64)
        flat = at.reshape(-1)
        try:
            whole = np.memmap(self._file(number), dtype=self._stored, mode="r").reshape(-1, width)
            rows = np.ascontiguousarray(whole[flat])
            sums = np.fromfile(self._file(number, "crc"), dtype="<u4")[flat]
        except (OSError, ValueError, IndexError) as error:
            self._forget({int(row) for row in flat})
            raise self._damaged(len(flat), layer) from error
        bad = {int(row) for row, data, crc in zip(flat, rows, sums, strict=True) if zlib.crc32(data.data) != crc}
        if bad:
            self._forget(bad)
            raise self._damaged(len(bad), layer)
        return self._decoded(rows).reshape(*at.shape, width)

    def add(self, found: Sequence[tuple[Reading, States]]) -> None:
        """Keep states; they are there for everyone when this returns.

        Raises RunError where the disk is full or read-only; what was kept before stays.
        """
        if not found:
            return
        try:
            with self._locked():
                self._refresh()
                fresh: dict[str, tuple[NDArray[np.float32], int, int]] = {}
                for reading, states in found:
                    for key, values, tokens in zip(_keys(reading), states.values, states.tokens, strict=True):
                        if key not in self._index:
                            fresh[key] = (values, tokens, states.truncated)
                if fresh:
                    self._append(fresh)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _append(self, fresh: dict[str, tuple[NDArray[np.float32], int, int]]) -> None:
        values = self._encoded(np.stack([one for one, _, _ in fresh.values()]))  # (rows, layers, width)
        for number in range(len(self.layout.layers)):
            rows = np.ascontiguousarray(values[:, number])
            sums = np.array([zlib.crc32(row.data) for row in rows], dtype="<u4")
            _write_at(self._file(number), self._known * rows[0].nbytes, rows.tobytes())
            _write_at(self._file(number, "crc"), self._known * 4, sums.tobytes())
        lines = [f"{key} {tokens} {truncated}\n" for key, (_, tokens, truncated) in fresh.items()]
        _write_at(self.path / "index.txt", self._read_to, "".join(lines).encode())
        self._refresh()

    def _begin(self, meta: dict[str, Any]) -> None:
        file = self.path / "meta.json"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                write_atomically(file, json.dumps(meta, sort_keys=True))
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if found != json.loads(json.dumps(meta)):
            theirs = str((found or {}).get("fingerprint", "an unknown model"))[:16]
            raise RunError(
                f"{self.path} holds states of {theirs}, not of {meta['fingerprint'][:16]} with this layout.",
                hint="Move it away; states are made again when they are needed.",
            )

    def _refresh(self) -> None:
        """Take in lines that were added since; a last line that is not whole is not there yet."""
        try:
            with (self.path / "index.txt").open("rb") as file:
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:
            data = b""
        if self._read_to == 0:
            data = self._as_far_as_kept(data)
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.decode("ascii", "replace").splitlines():
            parts = line.split(" ")
            good = len(parts) == 3 and len(parts[0]) == 32 and parts[1].isdigit() and parts[2].isdigit()
            if good and parts[0] != _DEAD:
                self._index[parts[0]] = _Row(self._known, int(parts[1]), int(parts[2]))
            self._known += 1
        self._read_to += len(whole)

    def _as_far_as_kept(self, data: bytes) -> bytes:
        """The index up to the last row that every layer's file holds; shorter files lost their end."""
        size = self.layout.width * np.dtype(self._stored).itemsize
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        if not lines:
            return data
        held = len(lines)
        for number in range(len(self.layout.layers)):
            for kind, each in (("bin", size), ("crc", 4)):
                path = self._file(number, kind)
                held = min(held, path.stat().st_size // each if path.exists() else 0)
        if held < len(lines):
            self.remarks.append(
                f"{len(lines) - held:,} of {len(lines):,} states in {self.path.name} were cut off and are read again."
            )
            return b"".join(lines[:held])
        return data

    def _forget(self, rows: set[int]) -> None:
        """Strike rows out of the index; their places stay unused."""
        with contextlib.suppress(OSError, RunError), self._locked():
            self._refresh()
            lines = (self.path / "index.txt").read_bytes()[: self._read_to].splitlines(keepends=True)
            for row in rows:
                if row < len(lines):
                    lines[row] = _DEAD.encode() + lines[row][32:]
            write_atomically(self.path / "index.txt", b"".join(lines))
        self._index = {key: row for key, row in self._index.items() if row.number not in rows}

    def _damaged(self, count: int, layer: str) -> RunError:
        return RunError(
            f"{count:,} states of layer {layer} in {self.path} are damaged and were dropped.",
            hint="Give the same command again: they are read anew.",
        )

    def _file(self, number: int, kind: str = "bin") -> Path:
        return self.path / f"layer-{number:03d}.{kind}"

    @property
    def _stored(self) -> str:
        return {"bfloat16": "<u2", "float16": "<f2"}.get(self.layout.dtype, "<f4")

    def _encoded(self, values: NDArray[np.float32]) -> NDArray[Any]:
        if self.layout.dtype == "bfloat16":  # its bits are the upper half of a float32's
            return np.asarray(np.ascontiguousarray(values, dtype="<f4").view("<u4") >> 16, dtype="<u2")
        return np.asarray(values, dtype=self._stored)

    def _decoded(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        if self.layout.dtype == "bfloat16":
            return np.asarray((rows.astype("<u4") << 16).view("<f4"), dtype=np.float32)
        return np.asarray(rows, dtype=np.float32)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; others wait."""
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            yield
            return
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Write `data` at `offset` and end the file there: what a killed writer left is gone."""
    with path.open("r+b" if path.exists() else "x+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()


def _keys(reading: Reading) -> list[str]:
    """One key a text: equal exactly for the same question, answer and ending."""
    return [
        hashlib.sha256(json.dumps([reading.question, answer, reading.after]).encode()).hexdigest()[:32]
        for answer in reading.answers
    ]


@dataclass(frozen=True)
class Represented:
    """What `represent_all` did: failures by index, and how many readings were computed and taken from the store."""

    failures: dict[int, Failed]
    computed: int
    reused: int


def represent_all(
    readings: Sequence[Reading],
    store: StateStore,
    represent: Respond,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Represented:
    """Have the model read what the store lacks.

    All readings are shown and the known ones skipped, so that passes do not depend on interruptions. What is done is
    committed every two seconds and at the end, also when interrupted.
    """
    open_ = {index for index, reading in enumerate(readings) if reading not in store}
    reused = len(readings) - len(open_)
    total, missing = len(readings), len(open_)
    failures: dict[int, Failed] = {}
    waiting: list[tuple[Reading, States]] = []
    progress(reused, total)
    last = time.monotonic()
    try:
        if open_:
            for batch in represent(readings, lambda index: index not in open_):
                for index, answer in batch:
                    if index not in open_:
                        continue
                    open_.discard(index)
                    found = _checked(readings[index], answer, store.layout)
                    if isinstance(found, Failed):
                        failures[index] = found
                    else:
                        waiting.append((readings[index], found))
                if time.monotonic() - last > _COMMIT:
                    store.add(waiting)
                    waiting, last = [], time.monotonic()
                progress(total - len(open_), total)
    finally:
        store.add(waiting)
    failures.update({index: Failed("the model gave no states") for index in open_})
    return Represented(failures, missing - len(failures), reused)


def _checked(reading: Reading, answer: States | Failed, layout: StateLayout) -> States | Failed:
    """`answer`, or a failure that says in what way it is none to `reading`."""
    if isinstance(answer, Failed):
        return answer
    if not isinstance(answer, States):
        return Failed(f"the model gave {type(answer).__name__} in place of states")
    values = np.asarray(answer.values)
    shape = (len(reading.answers), len(layout.layers), layout.width)
    if values.shape != shape or values.dtype.kind != "f":
        return Failed(f"the model gave states of shape {values.shape} ({values.dtype}), not {shape}")
    if len(answer.tokens) != len(reading.answers):
        return Failed(f"the model counted the tokens of {len(answer.tokens)} texts, not {len(reading.answers)}")
    if not np.isfinite(values).all():
        side, layer, _ = np.argwhere(~np.isfinite(values))[0]
        return Failed(f"a state of answer {side + 1} at layer {layout.layers[layer]} is not finite")
    return States(values.astype(np.float32, copy=False), tuple(answer.tokens), answer.truncated)
