"""Where a task's data come from: a folder in the release's own layout, the hub at a pinned revision, or this package.

Belongs here: finding and reading files, with errors that name file and row. Does not belong here: what the cells mean
(each task's file).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import DataError, UsageError

__all__ = [
    "EMBEDDED",
    "Embedded",
    "Folder",
    "Hub",
    "MissingFile",
    "Source",
    "SourceFinder",
    "csv_rows",
    "hub_rows",
    "json_rows",
    "line_rows",
]

_SPOILED = re.compile("[\0\udc80-\udcff]")  # NUL, and what bytes that are no UTF-8 decode to


class MissingFile(DataError):
    """A file of the release that is not in the folder."""


@dataclass(frozen=True)
class Folder:
    """A folder in the release's layout."""

    path: Path

    def describe(self) -> str:
        return f"folder {self.path.name or self.path.absolute().name}"


@dataclass(frozen=True)
class Hub:
    """A data set of the Hugging Face hub at one revision.

    `by_folder`: its configurations are plain folders, as in the hub's own parquet branch, which gives no names.
    """

    id: str
    revision: str
    by_folder: bool = False

    def describe(self) -> str:
        return f"hub {self.id} @ {self.revision[:12]}"


@dataclass(frozen=True)
class Embedded:
    """Data that this package carries."""

    def describe(self) -> str:
        return "embedded in gnomon"


EMBEDDED = Embedded()
Source = Folder | Hub | Embedded


@dataclass(frozen=True)
class SourceFinder:
    """Where one task's data may be.

    Parameters
    ----------
    fits : callable (folder) -> bool
        Whether a folder holds this task's release.
    layout : str
        What such a folder holds, in words for an error.
    hub : Hub or None
        The pinned data set; None where there is none.
    embedded : bool
        Whether this package carries the data; then nothing else is looked for.
    names : tuple of str
        Other names that the folder may have under `GNOMON_DATA`.
    """

    fits: Callable[[Path], bool]
    layout: str
    hub: Hub | None = None
    embedded: bool = False
    names: tuple[str, ...] = ()

    def find(self, task: str, data: str | None) -> Source:
        """The source to read, in this order: `data` (a folder), `GNOMON_DATA`, the hub.

        Raises DataError where a named folder does not fit, UsageError where one is named for data that gnomon carries.
        """
        if self.embedded:
            if data is not None:
                raise UsageError(f"{task} is carried by gnomon and reads no folder.", hint="Leave out  -T data=... .")
            return EMBEDDED
        if data is not None:
            folder = Path(data).expanduser()
            if not folder.is_dir():
                raise DataError(
                    f"data={data} is no folder.", hint=f"Give the folder of {task}'s release: {self.layout}"
                )
            if not self.fits(folder):
                raise DataError(f"the folder '{data}' does not hold {task}'s release.", hint=f"Expected: {self.layout}")
            return Folder(folder)
        for folder in [path for name in (task, *self.names) for path in candidates(name)]:
            if self.fits(folder):
                return Folder(folder)
        if self.hub is None:
            raise DataError(
                f"no data found for {task}, and it is not on the hub.",
                hint=f"Give its folder with  -T data=FOLDER  ({self.layout})",
            )
        return self.hub


def candidates(task: str) -> list[Path]:
    """Folders called `task` under `GNOMON_DATA`, directly or one level down; raises DataError if that is no folder."""
    root = os.environ.get("GNOMON_DATA")
    if not root:
        return []
    base = Path(root).expanduser()
    if not base.is_dir():
        raise DataError(f"GNOMON_DATA={root} is no folder.", hint=f"Set it to the one that holds {task}/, or unset it.")
    return [path for path in [base / task, *sorted(base.glob(f"*/{task}"))] if path.is_dir()]


def csv_rows(
    path: Path, columns: int, header: Sequence[str] | None = None, *, mark: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file with their record number from 1, header not counted. Cells are text as it stands: `None`
    stays `None`.

    Parameters
    ----------
    columns : int
        Cells that every row must have.
    header : sequence of str or None
        The first record must be exactly this; None: the file has no header.
    mark : bool
        Whether the release's file starts with a byte order mark, which is then left out.

    Raises DataError that names file and record for a missing or empty file, another header or number of cells, broken
    quoting, bytes that are not UTF-8, NUL, and a byte order mark: the release's files have none, and it would become
    part of the first cell.
    """
    text = _text(path, mark)
    spoiled = _SPOILED.search(text) is not None
    first = 1 if header is None else 0  # the header is record 0
    number, line = first - 1, 0
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, row in enumerate(reader, start=first):
            where = f"{path}, record {number} (line {line + 1})"
            line = reader.line_num
            if spoiled and _SPOILED.search("".join(row)):
                raise DataError(f"{where} holds a NUL or bytes that are not UTF-8.", hint="Get the file again.")
            if number == 0 and header is not None:
                _check_header(path, row, header)
                continue
            if len(row) != columns:
                more = len(row) > columns
                hint = "A comma inside a cell needs quotes around the cell." if more else "The row is not whole."
                raise DataError(f"{where}: {len(row)} cells where the release has {columns}.", hint=hint)
            yield number, row
    except csv.Error as error:
        raise DataError(
            f"{path}, record {number + 1} (line {line + 1}): {error}.",
            hint="A cell with commas, quotes or line breaks stands in double quotes, and quotes inside it are doubled.",
        ) from error


def json_rows(path: Path, texts: Sequence[str], others: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file with one JSON object a line, numbered from 1.

    Raises DataError that names file and line for a missing or empty file, what is no JSON object, a cell of `texts`
    that is missing or no text, and a cell of `others` that is missing or null.
    """
    for number, line in line_rows(path):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where} is no JSON: {error}.", hint="Get the file again.") from error
        if not isinstance(row, dict):
            raise DataError(f"{where} holds {type(row).__name__}, not an object.", hint="Get the file again.")
        for column in (*texts, *others):
            if row.get(column) is None:
                raise DataError(f"{where} lacks '{column}'; it has {', '.join(map(str, row))}.")
            if column in texts and not isinstance(row[column], str):
                raise DataError(f"{where}: '{column}' is {row[column]!r}, not a text.", hint="Get the file again.")
        yield number, row


def line_rows(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file that are not empty, numbered from 1, without their ends.

    Raises DataError for a missing or empty file, and for bytes that are no UTF-8.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if _SPOILED.search(line):
            raise DataError(
                f"{path}, line {number} holds a NUL or bytes that are not UTF-8.", hint="Get the file again."
            )
        if line.strip():
            yield number, line.rstrip("\r")


def _text(path: Path, mark: bool = False) -> str:
    """The file's text with its line ends; bytes that are not UTF-8 become lone surrogates, which `csv_rows` refuses."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        hint = "Complete the folder, or ask for other subsets with  -T subsets=... ."
        raise MissingFile(f"{path} is missing.", hint=hint) from None
    except OSError as error:
        hint = "It should be a file that you may read."
        raise DataError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    if not data:
        raise DataError(f"{path} is empty.", hint="Get the file again.")
    if mark:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if data.startswith(b"\xef\xbb\xbf"):
        raise DataError(
            f"{path} starts with a byte order mark before its first record, and the release's files do not.",
            hint="Save it as UTF-8 without one.",
        )
    return data.decode("utf-8", "surrogateescape")


def _check_header(path: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    if list(found) != list(expected):
        hint = f"The release's file starts with the header {','.join(expected)} ."
        raise DataError(f"{path}: the first record is {list(found)}.", hint=hint)


def hub_rows(source: Hub, config: str, split: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a hub data set with their number from 1; `HF_HOME` and `HF_HUB_OFFLINE` are honoured by the library.

    Raises DataError where it cannot be had, lacks one of `columns` or has an empty cell in one.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        which = {"data_dir": config} if source.by_folder else {"name": config}
        rows = datasets.load_dataset(source.id, **which, split=split, revision=source.revision)
    except Exception as error:  # the library raises many kinds; all mean: not to be had
        reason = next(filter(str.strip, str(error).splitlines()), type(error).__name__)
        root = os.environ.get("GNOMON_DATA")
        looked = f"No folder under GNOMON_DATA={root} holds it. " if root else ""
        raise DataError(
            f"{source.describe()} ({config}, {split}) cannot be had: {reason}",
            hint=f"{looked}Give the release's folder with  -T data=FOLDER , or put it under GNOMON_DATA.",
        ) from error
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise DataError(
            f"{source.describe()} ({config}, {split}) lacks the column {', '.join(missing)}; it has "
            f"{', '.join(rows.column_names)}."
        )
    for number, row in enumerate(rows, start=1):
        for column in columns:
            if row[column] is None:
                raise DataError(f"{source.describe()} ({config}, {split}), row {number}: {column} is empty.")
        yield number, row
