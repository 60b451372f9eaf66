"""Hidden states by content, shared by every run and every later question.

Belongs here: keeping and finding them, and asking a model for what is missing. Does not belong here: how a model reads
(`models/`), bytes (`_states_files.py`), or what is made of states (the questions).

::

    <root>/<hash of model and layout>/
        meta.json        the model's fingerprint and the layout; written first
        layer-000.bin    one file a layer: rows of `width` numbers in the type that they were computed in
        index.bin        one entry a row, written last: key, tokens, truncated, a CRC-32 a layer, a CRC-32 of the entry

A row is one text: a question, one answer, and what follows it. Readings that share a text share its row. Where the
question lost its start, the row belongs to its reading alone: what was cut may depend on the other answers.

Files only grow, and what the index does not name does not exist: bytes that a killed process left are written over by
the next one. Nothing waits for the disk itself; a power cut leaves wrong checksums, which are found. Sizes are compared
on opening. Checksums are compared before numbers are used: `represent_all` looks at every layer of the rows that it
need not compute, drops damaged ones and has them computed; `layer` looks at the rows that nobody has looked at yet, in
that layer only, so that reading one layer never costs the others.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.errors import ModelError, RunError, UsageError
from gnomon.files import cannot_write
from gnomon.registry import did_you_mean
from gnomon.runs._states_files import KEY, STRUCK, StateFiles

__all__ = ["Represented", "StateStore", "represent_all"]

Respond = Callable[[Sequence[Reading], Callable[[int], bool]], Iterable[Sequence[tuple[int, States | Failed]]]]
_Fresh = list[tuple[bytes, NDArray[Any], int, int]]


class StateStore:
    """States of one model under one layout, on disk.

    Any number of processes may read and write one store; between calls it holds no file open.

    Parameters
    ----------
    root : Path
        Where all stores are; this one is a folder in it, made by the first `add`.
    fingerprint : str
        The model's.
    layout : StateLayout
        What its states look like. float16 and bfloat16 states take two bytes a number, which loses nothing of what was
        computed in them.

    Attributes
    ----------
    path : Path
        The store's folder.
    remarks : list of str
        What was found damaged, in words for the log.

    Raises
    ------
    RunError
        If the folder holds states of another model or layout, or cannot be read.
    ModelError
        If the layout cannot be kept (no layers, no width, another type than float32, float16 and bfloat16).

    Examples
    --------
    >>> import tempfile
    >>> layout = StateLayout(("0", "1"), 3, "float32", "last token")
    >>> sky = Reading("Is the sky blue?", ("yes", "no"))
    >>> with tempfile.TemporaryDirectory() as root, StateStore(Path(root), fingerprint="m", layout=layout) as store:
    ...     store.add([(sky, States(np.ones((2, 2, 3), dtype=np.float32), (6, 6)))])
    ...     sky in store, store.rows, store.layer([sky], "1").shape
    (True, 2, (1, 2, 3))
    """

    def __init__(self, root: Path, *, fingerprint: str, layout: StateLayout) -> None:
        self.layout = layout
        self.remarks: list[str] = []
        self._files = StateFiles(root, fingerprint=fingerprint, layout=layout)
        self.path = self._files.path
        self._keys: dict[Reading, tuple[list[bytes], list[bytes]]] = {}
        self._forget_all()
        self._refresh()

    def __enter__(self) -> StateStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is held in memory; no file is open."""
        self._keys.clear()
        self._forget_all()

    def __contains__(self, reading: Reading) -> bool:
        return self._rows_of(reading) is not None

    @property
    def rows(self) -> int:
        """Number of texts whose states are kept."""
        return len(self._row)

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return self._files.bytes

    def tokens(self, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """Number of tokens of each text: (n, answers). Raises as `layer`."""
        return self._noted("tokens", readings)

    def truncated(self, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """Tokens that were cut from the left of each question: (n,). Raises as `layer`."""
        found = self._noted("truncated", readings).max(axis=1, initial=0)
        return np.asarray(found, dtype=np.int64)

    def layer(self, readings: Sequence[Reading], layer: str) -> NDArray[np.float32]:
        """States at one layer, read by one gather from its file.

        Parameters
        ----------
        readings : sequence of Reading
            Any that are in the store, in any order; all with the same number of answers.
        layer : str
            Its name in the layout.

        Returns
        -------
        NDArray of float32, (n, answers, width)
            Rows in the order of `readings`, the very bits that were added. No readings give (0, 2, width).

        Raises
        ------
        UsageError
            For a name that is no layer.
        ValueError
            For readings with different numbers of answers.
        RunError
            For a reading that the store lacks, or whose bytes are damaged; damaged rows are dropped, so that
            `represent_all` computes them again.
        """
        if layer not in self.layout.layers:
            known = self.layout.layers
            raise UsageError(
                f"the states have no layer '{layer}'.",
                hint=did_you_mean(layer, known) or f"There are {known[0]} to {known[-1]}.",
            )
        number = self.layout.layers.index(layer)
        at = self._places(readings)
        flat = at.reshape(-1)
        rows: list[int] = np.unique(flat).tolist()
        values = self._files.values(number)
        bad = self._wrong([row for row in rows if row not in self._checked], [number])
        self._refuse(bad | {row for row in rows if row >= len(values)})
        return self._files.decoded(values[flat]).reshape(*at.shape, self.layout.width)

    def check(self, readings: Iterable[Reading]) -> None:
        """Take in what other processes added, and drop every row of `readings` that is damaged in any layer.

        What is dropped is no longer in the store, and a remark says so.
        """
        self._refresh()
        rows = {row for reading in readings for row in self._rows_of(reading) or ()}
        fresh = sorted(rows - self._checked)
        bad = self._wrong(fresh, range(len(self.layout.layers)))
        self._checked.update(row for row in fresh if row not in bad)
        if bad:
            self._drop(bad)
            self.remarks.append(
                f"{self.path}: states of {len(bad):,} texts do not match their checksum; they are computed again."
            )

    def fault(self, reading: Reading, states: object) -> str:
        """In what way `states` are no answer to `reading`, in words that follow "the model gave"; empty if they are.

        They must have the layout's shape, be finite, and be numbers of the layout's type.
        """
        if not isinstance(states, States):
            return f"{type(states).__name__} in place of states"
        if not isinstance(states.values, np.ndarray) or not isinstance(states.tokens, tuple | list):
            return f"states of {type(states.values).__name__} and {type(states.tokens).__name__}, not array and tuple"
        counts = [*states.tokens, states.truncated]
        if not all(_is_count(count) for count in counts):
            return f"{states.tokens} as numbers of tokens, {states.truncated} of them cut"
        if len(states.tokens) != len(reading.answers):
            return f"numbers of tokens of {len(states.tokens)} texts for {len(reading.answers)} answers"
        values = states.values
        shape = (len(reading.answers), len(self.layout.layers), self.layout.width)
        if values.shape != shape:
            return f"states of the shape {values.shape} where {shape} is due"
        if values.dtype.kind != "f":
            return f"states of the type {values.dtype}"
        with np.errstate(over="ignore"):
            wide = values.astype("<f4")
            kept = self._files.decoded(self._files.encoded(wide))
        for what, wrong in (("not finite", ~np.isfinite(wide)), (f"no {self.layout.dtype}", kept != wide)):
            if wrong.any():
                answer, layer, _ = np.argwhere(wrong)[0]
                advice = ", as its layout says; use -M dtype=float32" if what.startswith("no ") else ""
                return f"a state of answer {answer + 1} at layer {self.layout.layers[layer]} that is {what}{advice}"
        return ""

    def add(self, found: Sequence[tuple[Reading, States]]) -> None:
        """Keep states; when this returns, every process finds them. What is there already stays as it is.

        Raises ModelError for states that are none (see `fault`), with nothing kept; RunError where the disk is full or
        cannot be written, with all earlier rows kept.
        """
        for reading, states in found:
            if fault := self.fault(reading, states):
                raise ModelError(f"the model gave {fault}.")
        if not found:
            return
        try:
            with self._files.locked():
                self._refresh()
                self._strike()
                if fresh := self._fresh(found):
                    self._append(fresh)
                    self._refresh()
                    self._checked.update(self._row[key] for key, *_ in fresh if key in self._row)
        except OSError as error:
            raise cannot_write(Path(error.filename or self.path), error) from error

    # finding --------------------------------------------------------------------------------------------------------

    def _rows_of(self, reading: Reading) -> list[int] | None:
        """The rows of a reading's texts, or None unless all are there."""
        if reading not in self._keys:
            self._keys[reading] = _keys(reading)
        for keys in self._keys[reading]:
            rows = [self._row.get(key, -1) for key in keys]
            if -1 not in rows:
                return rows
        return None

    def _places(self, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """Row numbers, (n, answers)."""
        if not readings:
            return np.empty((0, 2), dtype=np.int64)
        places: list[list[int]] = []
        refreshed = False
        for reading in readings:
            rows = self._rows_of(reading)
            if rows is None and not refreshed:  # another process may have added it meanwhile
                self._refresh()
                rows, refreshed = self._rows_of(reading), True
            if rows is None:
                raise RunError(
                    f"{self.path} has no states of the reading '{reading.question[:60]}'.",
                    hint="Give the same command again: they are computed then.",
                )
            if places and len(rows) != len(places[0]):
                raise ValueError(f"readings with {len(places[0])} and with {len(rows)} answers make no array")
            places.append(rows)
        return np.array(places, dtype=np.int64)

    def _noted(self, what: str, readings: Sequence[Reading]) -> NDArray[np.int64]:
        """A field of the index, (n, answers)."""
        at = self._places(readings)
        entries = self._files.entries()
        self._refuse({row for row in at.reshape(-1).tolist() if row >= len(entries)})
        return np.asarray(entries[what][at], dtype=np.int64)

    def _refuse(self, bad: set[int]) -> None:
        """Drop rows that turned out damaged now that they are needed."""
        if bad:
            self._drop(bad)
            raise RunError(
                f"states of {len(bad):,} texts in {self.path} are damaged and were dropped.",
                hint="Give the same command again: they are computed anew.",
            )

    def _wrong(self, rows: Sequence[int], layers: Iterable[int]) -> set[int]:
        """Those of `rows` whose bytes at any of `layers` are gone or do not match their checksum."""
        bad: set[int] = set()
        if rows:
            entries = self._files.entries()
            bad = {row for row in rows if row >= len(entries)}
            sums = entries["sums"]
            for number in layers:
                values = self._files.values(number)
                for row in rows:  # in the order of the file
                    if row not in bad and (row >= len(values) or zlib.crc32(values[row].data) != sums[row, number]):
                        bad.add(row)
        return bad

    # what is known of the disk --------------------------------------------------------------------------------------

    def _forget_all(self) -> None:
        self._row: dict[bytes, int] = {}
        self._count = 0  # entries of the index that were read, struck ones included
        self._checked: set[int] = set()
        self._dead: set[int] = set()  # to be struck by the next add

    def _drop(self, rows: set[int]) -> None:
        self._row = {key: row for key, row in self._row.items() if row not in rows}
        self._dead |= rows
        self._checked -= rows

    def _refresh(self) -> None:
        """Take in entries that were added since; a last one that is not whole is not there yet."""
        size = self._files.entry.itemsize
        data = self._files.added(self._count)
        if data is None:  # another index, or none: begin anew
            self._forget_all()
            data = self._files.added(0) or b""
        if len(data) < size:
            return
        held = self._files.held()  # asked after the index was read: layers are written first
        gone = 0
        for row, at in enumerate(range(0, len(data) - size + 1, size), start=self._count):
            entry = data[at : at + size]
            key = entry[:KEY]
            if not _sealed(entry) or (row >= held and key != STRUCK):
                gone += 1
                self._dead.add(row)
            elif key != STRUCK:
                self._row[key] = row
        self._count += len(data) // size
        if gone:
            self.remarks.append(
                f"{self.path}: states of {gone:,} texts are cut off or their entry is damaged; they are computed again."
            )

    # writing --------------------------------------------------------------------------------------------------------

    def _strike(self) -> None:
        """Mark rows that are damaged, now that nobody else writes, so that those who come later pass over them."""
        entries = self._files.entries()
        for row in sorted(self._dead):
            entry = entries[row].tobytes()
            if _sealed(entry) and not self._wrong([row], range(len(self.layout.layers))):
                self._row.setdefault(entry[:KEY], row)  # it was seen half-written
            else:
                self._files.write_entries(row, np.zeros(1, dtype=self._files.entry))  # its key is STRUCK
        self._dead.clear()

    def _fresh(self, found: Sequence[tuple[Reading, States]]) -> _Fresh:
        """The rows that are not there yet, each once: key, numbers as stored (layers, width), tokens, truncated."""
        fresh: dict[bytes, tuple[bytes, NDArray[Any], int, int]] = {}
        for reading, states in found:
            if reading in self:
                continue
            alone, shared = self._keys[reading]
            values = self._files.encoded(np.asarray(states.values, dtype="<f4"))
            for key, rows, tokens in zip(alone if states.truncated else shared, values, states.tokens, strict=True):
                if key not in self._row:
                    fresh.setdefault(key, (key, rows, int(tokens), int(states.truncated)))
        return list(fresh.values())

    def _append(self, fresh: _Fresh) -> None:
        values = np.stack([rows for _, rows, _, _ in fresh])
        entries = np.zeros(len(fresh), dtype=self._files.entry)
        for number in range(len(self.layout.layers)):
            rows = np.ascontiguousarray(values[:, number])
            entries["sums"][:, number] = [zlib.crc32(row.data) for row in rows]
            self._files.write_values(self._count, number, rows)
        for entry, (key, _, tokens, truncated) in zip(entries, fresh, strict=True):
            entry["key"], entry["tokens"], entry["truncated"] = np.void(key), tokens, truncated
        self._files.write_entries(self._count, entries)


def _keys(reading: Reading) -> tuple[list[bytes], list[bytes]]:
    """Two keys a text: of the text in this reading alone, and of the text wherever it stands."""
    whole = (reading.question, reading.after, *reading.answers)
    alone = [_digest("reading", str(number), *whole) for number in range(len(reading.answers))]
    return alone, [_digest("text", reading.question, reading.after, answer) for answer in reading.answers]


def _digest(*parts: str) -> bytes:
    """A hash that no other parts share: each is preceded by its length. Half of a surrogate pair is a text, too."""
    found = blake2b(digest_size=KEY)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.digest()


def _sealed(entry: bytes) -> bool:
    """Whether an entry of the index is as it was written."""
    return zlib.crc32(entry[:-4]) == int.from_bytes(entry[-4:], "little")


def _is_count(value: object) -> bool:
    try:
        return 0 <= operator.index(value) < 2**32  # type: ignore[arg-type]
    except TypeError:
        return False


@dataclass(frozen=True)
class Represented:
    """What `represent_all` did.

    `failures` are those readings, by their index, that have no states, and why. `computed` counts the distinct readings
    that the model read now, `reused` those that the store held.
    """

    failures: dict[int, Failed]
    computed: int
    reused: int


def represent_all(
    readings: Sequence[Reading],
    store: StateStore,
    represent: Respond,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Represented:
    """Have the model read what the store lacks; each batch is kept as soon as it is there.

    Every distinct reading is shown and the known ones skipped, so that batches are the same as in a run that was never
    interrupted. `progress` is told how many distinct readings are done, of how many.

    Raises RunError where the store cannot be read or written; all earlier batches are then kept, and the same call goes
    on from there.
    """
    asked = list(dict.fromkeys(readings))
    store.check(asked)
    missing = {index for index, reading in enumerate(asked) if reading not in store}
    reused, computed = len(asked) - len(missing), 0
    failed: dict[Reading, Failed] = {}
    progress(reused, len(asked))
    if missing:
        for batch in represent(asked, lambda index: index not in missing):
            good: list[tuple[Reading, States]] = []
            for index, answer in batch:
                if index not in missing:
                    continue
                missing.discard(index)
                if isinstance(answer, Failed):
                    failed[asked[index]] = answer
                elif fault := store.fault(asked[index], answer):
                    failed[asked[index]] = Failed(f"the model gave {fault}")
                else:
                    good.append((asked[index], answer))
            store.add(good)
            computed += len(good)
            progress(len(asked) - len(missing), len(asked))
    failed.update({asked[index]: Failed("the model gave no states") for index in missing})
    failures = {index: failed[reading] for index, reading in enumerate(readings) if reading in failed}
    return Represented(failures, computed, reused)
