"""Rows from files and pipes, a piece at a time: CSV, Parquet, LIBSVM, and lines of numbers.

Belongs here: reading. Does not belong here: what is done with rows. Memory does not grow with the length of a file.

A row with a field that is missing or no number becomes a row that is not finite; whoever takes it counts it.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.registry import did_you_mean
from gnomon.streaming._lattice import Floats

__all__ = ["FORMATS", "Piece", "Source", "pieces"]

FORMATS = ("csv", "parquet", "libsvm", "lines")
_PIECE = 1 << 22
_ROWS = 1 << 16


@dataclass(frozen=True)
class Source:
    """What to read.

    Parameters
    ----------
    path : str
        A file, or "-" for standard input.
    format : str
        One of FORMATS, or "auto": by the name's ending, else by the first line.
    target : str or None
        Column of labels: its name, or its number from 1. By default the last; LIBSVM has it first.
    columns : tuple of str
        Columns of x, by name or number; by default all others. Indices for LIBSVM.
    positive : str or None
        The label that is +1; all others are -1. By default labels are -1 and +1.
    weight : str or None
        Column of weights.
    divide : float
        All x are divided by it.
    """

    path: str
    format: str = "auto"
    target: str | None = None
    columns: tuple[str, ...] = ()
    positive: str | None = None
    weight: str | None = None
    divide: float = 1.0


@dataclass(frozen=True)
class Piece:
    """Rows, the names of their columns, and the place behind them: bytes of text, or rows of Parquet."""

    X: Floats
    y: Floats
    weight: Floats | None
    names: tuple[str, ...]
    position: int


def pieces(source: Source, start: int = 0) -> Iterator[Piece]:
    """All pieces behind the place `start`. Raises DataError, UsageError in one sentence."""
    if source.format not in ("auto", *FORMATS):
        raise UsageError(f"'{source.format}' is no format.", hint=f"Known: {', '.join(FORMATS)}.")
    suffixes = Path(source.path).suffixes
    kind = source.format
    if kind == "auto" and suffixes and suffixes[-1] in (".parquet", ".pq"):
        kind = "parquet"
    if kind == "parquet":
        yield from _parquet(source, start)
        return
    with _opened(source.path) as file:
        yield from _text(source, kind, file, start)


def _opened(path: str) -> Any:
    if path == "-":
        return sys.stdin.buffer
    try:
        return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")
    except FileNotFoundError:
        raise DataError(f"there is no file {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _text(source: Source, kind: str, file: IO[bytes], start: int) -> Iterator[Piece]:
    """Pieces of whole lines. The first line is always read: it may hold names."""
    first = file.readline()
    if not first.strip():
        raise DataError(f"{source.path} holds no rows.")
    kind = _kind_of(source, kind, first)
    delimiter = b"," if b"," in first else b"\t" if b"\t" in first.strip() else None
    names = _fields(first, delimiter)
    header = kind == "csv" and not all(_is_number(name) for name in names)
    if not header:
        names = [str(number + 1) for number in range(len(names))]
    reader = _Libsvm(source) if kind == "libsvm" else _Columns(source, names, delimiter)
    position = len(first)
    pending = b"" if header else first
    if start > position:
        pending = b""
        _skip(file, start - position, source.path)
        position = start
    while True:
        block = file.read(_PIECE)
        rest = file.readline() if block and not block.endswith(b"\n") else b""
        position += len(block) + len(rest)
        text = pending + block + rest
        pending = b""
        if text.strip():
            yield reader.piece(text, position)
        if not block:
            return


def _skip(file: IO[bytes], count: int, path: str) -> None:
    if path != "-" and not path.endswith(".gz"):
        file.seek(count, io.SEEK_CUR)
        return
    while count:
        block = file.read(min(count, _PIECE))
        if not block:
            raise DataError(
                f"{path} ends before the place where the sketch left off.", hint="Give the same data again."
            )
        count -= len(block)


def _kind_of(source: Source, kind: str, first: bytes) -> str:
    if kind != "auto":
        return kind
    name = source.path.removesuffix(".gz")
    for ending, found in ((".csv", "csv"), (".tsv", "csv"), (".libsvm", "libsvm"), (".svm", "libsvm")):
        if name.endswith(ending):
            return found
    if b":" in first and b"," not in first:
        return "libsvm"
    return "lines" if all(_is_number(field) for field in _fields(first, b"," if b"," in first else None)) else "csv"


def _fields(line: bytes, delimiter: bytes | None) -> list[str]:
    text = line.decode("utf-8", "replace").strip("\r\n")
    if delimiter is None:
        return text.split()
    return [field.strip() for field in next(csv.reader([text], delimiter=delimiter.decode()))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _place(names: Sequence[str], wanted: str, path: str) -> int:
    """A column by its name, or by its number from 1."""
    if wanted in names:
        return list(names).index(wanted)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise UsageError(
        f"{path} has no column '{wanted}'.",
        hint=" ".join(filter(None, [did_you_mean(wanted, names), f"There are: {', '.join(names[:20])}."])),
    )


def _signs(values: Floats, positive: str) -> Floats:
    """Numbers that are labels, as -1 and +1."""
    return np.where(np.isnan(values), np.nan, np.where(values == _number(positive), 1.0, -1.0))


class _Columns:
    """Text with one field a column."""

    def __init__(self, source: Source, names: Sequence[str], delimiter: bytes | None) -> None:
        self.source, self.delimiter = source, None if delimiter is None else delimiter.decode()
        self.target = _place(names, source.target, source.path) if source.target else len(names) - 1
        self.weight = _place(names, source.weight, source.path) if source.weight else None
        taken = {self.target, self.weight}
        wanted = [_place(names, name, source.path) for name in source.columns]
        self.columns = wanted or [at for at in range(len(names)) if at not in taken]
        if not self.columns:
            raise UsageError(f"{source.path} has no column besides the target.", hint="Name it with  --target NAME .")
        self.names = tuple(names[at] for at in self.columns)
        self.used = [*self.columns, *([] if self.weight is None else [self.weight]), self.target]

    def piece(self, text: bytes, position: int) -> Piece:
        try:
            # A byte that is no UTF-8 makes a field that is no number.
            lines = io.StringIO(text.decode("utf-8", "replace"))
            values = np.loadtxt(lines, delimiter=self.delimiter, usecols=self.used, ndmin=2, comments=None)
            named = self.source.positive is not None and np.isnan(_number(self.source.positive))
            if named:
                raise ValueError("labels are words")
            y = values[:, -1] if self.source.positive is None else _signs(values[:, -1], self.source.positive)
        except ValueError:
            values, y = self._slowly(text)
        X = values[:, : len(self.columns)] / self.source.divide
        return Piece(X, y, None if self.weight is None else values[:, -2], self.names, position)

    def _slowly(self, text: bytes) -> tuple[Floats, Floats]:
        """Line by line, for quoted fields, missing ones, and labels that are words."""
        lines = text.decode("utf-8", "replace").splitlines()
        rows: Any = (line.split() for line in lines)
        if self.delimiter is not None:
            rows = csv.reader(lines, delimiter=self.delimiter)
        values, labels = [], []
        most = max(self.used)
        positive = self.source.positive
        for row in rows:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) <= most:
                row = [*row, *[""] * (most + 1 - len(row))]
            numbers = [_number(row[at]) for at in self.used]
            label = row[self.target].strip()
            if positive is not None and label:
                same = label == positive or numbers[-1] == _number(positive)
                labels.append(1.0 if same else -1.0)
            else:
                labels.append(numbers[-1])
            values.append(numbers)
        if not values:
            return np.empty((0, len(self.used))), np.empty(0)
        return np.array(values), np.array(labels)


class _Libsvm:
    """label index:value ...; what is not named is 0."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.at: dict[int, int] = {}
        if source.columns:
            if bad := [name for name in source.columns if not name.isdigit()]:
                raise UsageError(f"LIBSVM has indices for columns, and '{bad[0]}' is none.")
            self.at = {int(name): place for place, name in enumerate(source.columns)}

    def piece(self, text: bytes, position: int) -> Piece:
        rows = [line.split(b"#")[0].split() for line in text.splitlines()]
        rows = [row for row in rows if row]
        if not self.at:
            found = {int(part.split(b":")[0]) for row in rows for part in row[1:] if part.split(b":")[0].isdigit()}
            self.at = {index: index - 1 for index in range(1, max(found, default=1) + 1)}
        X, y = np.zeros((len(rows), len(self.at))), np.empty(len(rows))
        for number, row in enumerate(rows):
            y[number] = _number(row[0].decode("ascii", "replace"))
            for part in row[1:]:
                index, _, value = part.partition(b":")
                place = self.at.get(int(index)) if index.isdigit() else -1
                if place == -1:
                    X[number] = np.nan
                elif place is not None:
                    X[number, place] = _number(value.decode("ascii", "replace"))
                elif not self.source.columns:
                    raise DataError(
                        f"{self.source.path} has an index {int(index)} after rows that ended with {len(self.at)}.",
                        hint="Say which indices to read, as in  --columns 1,2 .",
                    )
        if self.source.positive is not None:
            y = _signs(y, self.source.positive)
        names = tuple(str(index) for index in sorted(self.at, key=lambda index: self.at[index]))
        return Piece(X / self.source.divide, y, None, names, position)


def _parquet(source: Source, start: int) -> Iterator[Piece]:
    """Batches of rows; a column that is no number gives rows that are not finite."""
    if source.path == "-":
        raise UsageError("Parquet cannot be read from standard input: its index is at its end.", hint="Give a file.")
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(source.path, memory_map=False, pre_buffer=False)
    except FileNotFoundError:
        raise DataError(f"there is no file {source.path}.") from None
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{source.path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    with file:
        every = list(file.schema_arrow.names)
        target = every[_place(every, source.target, source.path) if source.target else len(every) - 1]
        weight = every[_place(every, source.weight, source.path)] if source.weight else None
        wanted = [every[_place(every, name, source.path)] for name in source.columns]
        wanted = wanted or [name for name in every if name not in (target, weight)]
        position = 0
        read = [*wanted, target, *([weight] if weight else [])]
        for batch in file.iter_batches(_ROWS, columns=read, use_threads=False):
            position += batch.num_rows
            if position <= start:
                continue
            X = np.column_stack([_column(batch.column(name)) for name in wanted]) / source.divide
            label = batch.column(target)
            if source.positive is None:
                y = _column(label)
            else:
                texts = label.to_pylist()
                number = _number(source.positive)
                y = np.array(
                    [np.nan if one is None else 1.0 if str(one) == source.positive or one == number else -1.0
                     for one in texts]
                )  # fmt: skip
            yield Piece(X, y, _column(batch.column(weight)) if weight else None, tuple(wanted), position)


def _column(array: Any) -> Floats:
    try:
        return np.asarray(array.cast("float64").to_numpy(zero_copy_only=False), dtype=np.float64)
    except Exception:  # whatever Arrow has to say of words among numbers
        return np.array([_number(str(one)) for one in array.to_pylist()])
