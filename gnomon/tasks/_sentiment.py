"""Reading of sentiment sets that hold a label and a text on each line. Belongs here: lines. Wordings are each task's.

Label 0 is "negative" and is the first choice, so a contrast pair's x+ says that the text is negative (the paper's order
of labels).
"""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import DataError
from gnomon.tasks._sources import line_rows
from gnomon.tasks._task import Item, group_name

__all__ = ["LABELS", "labelled_lines"]

LABELS = ("negative", "positive")


def labelled_lines(path: Path, split: str, field: str) -> list[Item]:
    """Items of a file whose lines are `0 text` or `1 text`; equal texts share a group."""
    items = []
    for number, line in line_rows(path):
        label, _, text = line.partition(" ")
        if label not in ("0", "1") or not text.strip():
            raise DataError(f"{path}, line {number} does not start with a label 0 or 1 and a text: {line[:40]!r}.")
        fields = {field: text.strip()}
        items.append(Item(f"{split}-{number}", "all", split, group_name(text.strip()), fields, LABELS, int(label)))
    return items
