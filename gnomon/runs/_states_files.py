"""The files of a store of states: where they are, how numbers stand in them, who may write.

Belongs here: bytes on disk. Does not belong here: which text is in which row (`_states.py`, which also describes the
folder).
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import StateLayout
from gnomon.errors import ModelError, RunError
from gnomon.files import write_atomically

__all__ = ["KEY", "STRUCK", "StateFiles"]

_SCHEMA = 2
_STORED = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
KEY = 16
"""Bytes of a text's key."""
STRUCK = bytes(KEY)
"""The key of an entry whose row is damaged."""


class StateFiles:
    """The files of the store of one model under one layout; between calls none is open.

    Parameters
    ----------
    root : Path
        Where all stores are.
    fingerprint : str
        The model's.
    layout : StateLayout
        What its states look like.

    Raises
    ------
    ModelError
        If the layout cannot be kept: no layers, no width, an unknown type.
    RunError
        If the folder's description is unreadable or another model's.

    Examples
    --------
    >>> files = StateFiles(Path("states"), fingerprint="m", layout=StateLayout(("0", "1"), 4, "bfloat16", "last token"))
    >>> files.decoded(files.encoded(np.array([1.5, -0.0], dtype=np.float32)))
    array([ 1.5, -0. ], dtype=float32)
    """

    def __init__(self, root: Path, *, fingerprint: str, layout: StateLayout) -> None:
        if layout.dtype not in _STORED or not layout.layers or layout.width < 1:
            raise ModelError(
                f"states that are {_words(layout)} cannot be kept.",
                hint=f"There must be a layer, a width of 1 or more, and one of the types {', '.join(_STORED)}.",
            )
        self._layout = layout
        # By way of JSON, so that it compares equal to what is read back.
        self._meta = json.loads(
            json.dumps({"schema": _SCHEMA, "fingerprint": fingerprint, "layout": dataclasses.asdict(layout)})
        )
        self.path = root / hashlib.sha256(json.dumps(self._meta, sort_keys=True).encode()).hexdigest()[:24]
        self.index = self.path / "index.bin"
        self._stored = np.dtype(_STORED[layout.dtype])
        sums = ("sums", "<u4", (len(layout.layers),))
        self.entry = np.dtype([("key", f"V{KEY}"), ("tokens", "<u4"), ("truncated", "<u4"), sums, ("own", "<u4")])
        self._check_meta()

    # numbers --------------------------------------------------------------------------------------------------------

    def encoded(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """`values` as they stand in a file; exact for numbers of the layout's type, cut or rounded for others."""
        if self._layout.dtype == "bfloat16":  # the upper half of a float32's bits
            return (np.ascontiguousarray(values, dtype="<f4").view("<u4") >> 16).astype("<u2")
        return values.astype(self._stored)

    def decoded(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """What `encoded` was given."""
        if self._layout.dtype == "bfloat16":
            wide = rows.astype("<u4")
            wide <<= 16
            return np.asarray(wide.view("<f4"), dtype=np.float32)
        return np.asarray(rows, dtype=np.float32)

    # reading --------------------------------------------------------------------------------------------------------

    def added(self, after: int) -> bytes | None:
        """The index from entry `after` on; None where it is gone or shorter than that."""
        try:
            with self.index.open("rb") as file:
                if os.fstat(file.fileno()).st_size < after * self.entry.itemsize:
                    return None
                file.seek(after * self.entry.itemsize)
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.index, error) from error

    def held(self) -> int:
        """Number of rows that every layer's file has room for."""
        each = self._layout.width * self._stored.itemsize
        return min(_whole(self._layer(number), each) for number in range(len(self._layout.layers)))

    def entries(self) -> NDArray[Any]:
        """The whole index, mapped."""
        return _mapped(self.index, self.entry, ())

    def values(self, number: int) -> NDArray[Any]:
        """All rows of layer `number`, mapped: (rows, width), as they stand in the file."""
        return _mapped(self._layer(number), self._stored, (self._layout.width,))

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        found = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a temporary file of another process
                    found += entry.stat().st_size
        return found

    # writing --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; others wait, as it is for a moment only. A lock dies with its process."""
        if not (self.path / "meta.json").is_file():
            write_atomically(self.path / "meta.json", json.dumps(self._meta, indent=1) + "\n")
        try:
            import fcntl
        except ImportError:  # no such locks on this system: rows that two wrote over each other have wrong checksums
            yield
            return
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def write_values(self, row: int, number: int, rows: NDArray[Any]) -> None:
        """Put `rows`, (n, width), at `row` and after of layer `number`."""
        _write_at(self._layer(number), row * rows[0].nbytes, rows.tobytes())

    def write_entries(self, row: int, entries: NDArray[Any]) -> None:
        """Seal `entries` with their own checksum and put them at `row` and after: now the rows are there."""
        for entry in entries:
            entry["own"] = zlib.crc32(entry.tobytes()[:-4])
        _write_at(self.index, row * self.entry.itemsize, entries.tobytes())

    def _layer(self, number: int) -> Path:
        return self.path / f"layer-{number:03d}.bin"

    def _check_meta(self) -> None:
        """Refuse a folder that says that it is another model's."""
        file = self.path / "meta.json"
        try:
            found = json.loads(file.read_bytes())
            theirs = f"the model {found['fingerprint']} ({_words(StateLayout(**found['layout']))})"
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(file, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{file} cannot be read ({type(error).__name__}).",
                hint=f"Remove {self.path}: its states are computed again when they are needed.",
            ) from error
        if found != self._meta:
            ours = f"the model {self._meta['fingerprint']} ({_words(self._layout)})"
            raise RunError(
                f"{self.path} holds states of {theirs}, not of {ours}.",
                hint="Move it away: states are computed again when they are needed.",
            )


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Write `data` at `offset` of a file that is made if need be; what stands elsewhere in it stays."""
    if not path.exists():
        path.open("ab").close()
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        rest = memoryview(data)
        while rest:  # a disk that is almost full takes a part and says so only when asked again
            taken = file.write(rest)
            if not taken:
                raise OSError(errno.EIO, "nothing more was taken", str(path))
            rest = rest[taken:]


def _mapped(path: Path, dtype: np.dtype[Any], each: tuple[int, ...]) -> NDArray[Any]:
    """The whole rows of a file, read when they are touched; none where there is no file."""
    count = _whole(path, dtype.itemsize * math.prod(each))
    if not count:
        return np.empty((0, *each), dtype=dtype)
    try:
        return np.memmap(path, dtype=dtype, mode="r", shape=(count, *each)).view(np.ndarray)
    except OSError as error:
        raise _unreadable(path, error) from error


def _whole(path: Path, each: int) -> int:
    """Number of whole rows of `each` bytes in a file; 0 where there is none."""
    try:
        return path.stat().st_size // each
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(file: Path, error: OSError) -> RunError:
    return RunError(
        f"{file} cannot be read: {error.strerror or error}.", hint="Mend it, or set GNOMON_CACHE to another folder."
    )


def _words(layout: StateLayout) -> str:
    return f"{len(layout.layers)} layers of {layout.width:,} {layout.dtype} numbers, {layout.rule}"
