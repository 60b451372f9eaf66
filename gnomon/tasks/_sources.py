"""Where a task's data come from: a folder in the release's own layout, the hub at a pinned revision, or this package.

Belongs here: finding and reading files, with errors that name file and row. Does not belong here: what the cells mean (each task's file).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import DataError

__all__ = ["EMBEDDED", "Embedded", "Folder", "Hub", "Source", "SourceFinder", "csv_rows", "hub_rows"]


@dataclass(frozen=True)
class Folder:
    """A folder in the release's layout."""

    path: Path

    def describe(self) -> str:
        return f"folder {self.path.name}"


@dataclass(frozen=True)
class Hub:
    """A data set of the Hugging Face hub at one revision."""

    id: str
    revision: str

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
        Whether this package carries the data; then nothing else is looked for unless asked.
    """

    fits: Callable[[Path], bool]
    layout: str
    hub: Hub | None = None
    embedded: bool = False

    def find(self, task: str, data: str | None) -> Source:
        """The source to read, in this order: `data` (a folder), `GNOMON_DATA`, the hub. Raises DataError where a named folder does not fit."""
        if self.embedded:
            return EMBEDDED
        if data is not None:
            folder = Path(data).expanduser()
            if not folder.is_dir():
                raise DataError(f"data={data} is no folder.", hint=f"Give the folder of {task}'s release: {self.layout}")
            if not self.fits(folder):
                raise DataError(f"the folder '{data}' does not hold {task}'s release.", hint=f"Expected: {self.layout}")
            return Folder(folder)
        for folder in candidates(task):
            if self.fits(folder):
                return Folder(folder)
        if self.hub is None:
            raise DataError(
                f"no data found for {task}, and it is not on the hub.",
                hint=f"Give its folder with  -T data=FOLDER  ({self.layout})",
            )
        return self.hub


def candidates(task: str) -> list[Path]:
    """Folders called `task` under `GNOMON_DATA`, directly or one level down."""
    root = os.environ.get("GNOMON_DATA")
    if not root:
        return []
    base = Path(root).expanduser()
    return [path for path in [base / task, *sorted(base.glob(f"*/{task}"))] if path.is_dir()]


def csv_rows(path: Path, columns: int, header: Sequence[str] | None = None) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file with their record number from 1, header not counted. Cells are text as it stands: `None` stays `None`.

    Parameters
    ----------
    columns : int
        Cells that every row must have.
    header : sequence of str or None
        The first record must be exactly this; None: the file has no header.

    Raises DataError that names file and record for a missing file, another header or number of cells, bytes that are not UTF-8, broken quoting.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            if header is not None:
                first = next(reader, None)
                if first != list(header):
                    raise DataError(f"{path}: the header is {first}, and the release's is {list(header)}.")
            for number, row in enumerate(reader, start=1):
                if len(row) != columns:
                    raise DataError(
                        f"{path}, record {number} (line {reader.line_num}): {len(row)} cells where the release has {columns}.",
                        hint="A comma inside a cell needs quotes around the cell.",
                    )
                yield number, row
    except FileNotFoundError:
        raise DataError(f"{path} is missing.", hint="Complete the folder, or ask for other subsets with  -T subsets=... .") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    except csv.Error as error:
        raise DataError(f"{path}: {error}.", hint="The file is not CSV as the release writes it.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def hub_rows(source: Hub, config: str, split: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a hub data set with their number from 1; `HF_HOME` and `HF_HUB_OFFLINE` are honoured by the library.

    Raises DataError where it cannot be had or lacks one of `columns`.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(source.id, config, split=split, revision=source.revision)
    except Exception as error:  # the library raises many kinds; all mean: not to be had
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{source.describe()} ({config}, {split}) cannot be had: {reason}",
            hint="Give the release's folder with  -T data=FOLDER , or put it under GNOMON_DATA.",
        ) from error
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise DataError(f"{source.describe()} ({config}, {split}) lacks the column {', '.join(missing)}; it has {', '.join(rows.column_names)}.")
    yield from enumerate(rows, start=1)
