"""records.jsonl: one line a unit, appended and flushed, so that a kill at any moment loses at most what was being
computed.

Belongs here: reading and appending lines. Does not belong here: what is asked again (`_engine.py`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from gnomon.errors import RunError
from gnomon.files import cannot_write
from gnomon.runs._manifest import Record

__all__ = ["Journal"]


class Journal:
    """The records of one run, by id.

    Parameters
    ----------
    path : Path
        records.jsonl; made at the first append.

    Attributes
    ----------
    records : dict
        The latest record of every unit, in the order of first appearance.
    repairs : list of str
        What was found broken and how it was met: a half-written last line is cut off, a broken line elsewhere is
        passed over; in both cases the unit is simply asked again. Reading changes nothing: the cut is made by the
        first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        self.repairs: list[str] = []
        self._whole: int | None = (
            None  # length to cut the file to before anything is added; None: it ends with a whole line
        )
        self._read()

    def append(self, records: Sequence[Record]) -> None:
        """Write `records` in one go and flush. Raises RunError; lines that were written before stay."""
        text = "".join(record.model_dump_json(exclude_defaults=True) + "\n" for record in records)
        try:
            with self.path.open("ab", buffering=0) as file:
                if self._whole is not None:
                    file.truncate(self._whole)
                self._whole = file.seek(0, os.SEEK_END)
                rest = memoryview(text.encode())
                while rest:  # a disk that is almost full takes a part and says so only when asked again
                    rest = rest[file.write(rest) :]
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._whole = None
        self.records.update((record.id, record) for record in records)

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be read: {error.strerror}.", hint="Mend it, or start anew with  --runs-dir DIR ."
            ) from error
        whole, newline, rest = content.rpartition(b"\n")
        if rest:
            self._whole = len(whole) + len(newline)
            self.repairs.append(f"{self.path.name}: a half-written last line was cut off; its unit is asked again.")
        broken = 0
        for line in whole.splitlines():
            try:
                record = Record.model_validate_json(line)
            except ValidationError:
                broken += 1
                continue
            self.records[record.id] = record
        if broken:
            self.repairs.append(
                f"{self.path.name}: {broken} broken line(s) were passed over; their units are asked again."
            )
