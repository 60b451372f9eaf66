"""SciQ (Welbl et al. 2017): which of four answers to a question of school science is right?

Belongs here: reading and wording. The release names the right answer apart; here the choices stand in an order drawn by
the question, so that a place says nothing. Rows with the same question or the same supporting text are one group.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.errors import DataError
from gnomon.tasks._rows import joined, rows
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder
from gnomon.tasks._task import Item, Task
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_FILES = {"test": "test.json", "validation": "valid.json", "train": "train.json"}
_WRONG = ("distractor1", "distractor2", "distractor3")
_COLUMNS = ("question", "correct_answer", *_WRONG, "support")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        found = _array(source.path / _FILES[split])
    else:
        found = [row for _, _, row in rows(source, "default", split, _COLUMNS)]
    keys = [[f"{name} {row[name].strip()}" for name in ("question", "support") if row[name].strip()] for row in found]
    return [
        _item(split, number, group, row)
        for number, (group, row) in enumerate(zip(joined(keys), found, strict=True), start=1)
    ]


def _array(path: Path) -> list[Mapping[str, Any]]:
    """The rows of a file that is one JSON array."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFile(f"{path} is missing.", hint="Complete the folder, or ask for another split.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}.", hint="Get the file again.") from error
    if not isinstance(found, list) or not found:
        raise DataError(f"{path} holds no rows; the release has an array of objects.", hint="Get the file again.")
    for number, row in enumerate(found, start=1):
        for name in _COLUMNS:
            cell = row.get(name) if isinstance(row, dict) else None
            if not isinstance(cell, str):
                raise DataError(f"{path}, row {number}: '{name}' is {cell!r}, not a text.", hint="Get the file again.")
    return found


def _item(split: str, number: int, group: str, row: Mapping[str, Any]) -> Item:
    question, right = row["question"].strip(), row["correct_answer"].strip()
    wrong = [row[name].strip() for name in _WRONG]
    order = sorted([right, *wrong], key=lambda text: hashlib.sha256(f"{question}\0{text}".encode()).digest())
    support = row["support"].strip()
    fields = {"question": question, "support": support, "background": f"{support}\n\n" if support else ""}
    return Item(f"{split}-{number}", "all", split, group, fields, tuple(order), order.index(right))


task = Task(
    title="SciQ",
    source="arXiv:1707.06209",
    licence="CC BY-NC 3.0",
    subsets=("all",),
    splits=("test", "validation", "train"),
    counts={("test", "all"): 1000, ("validation", "all"): 1000, ("train", "all"): 11679},
    finder=SourceFinder(
        fits=lambda folder: (
            any((folder / name).is_file() for name in _FILES.values()) and "sciq" in folder.name.lower()
        ),
        layout="sciq/test.json, valid.json and train.json, each one JSON array",
        hub=Hub("allenai/sciq", "2c94ad3e1aafab77146f384e23536f97a4849815"),
        names=("SciQ",),
    ),
    read=_read,
    protocols={
        "plain": worded("Question: {question}\nAnswer:", CHOICES),
        "with-support": worded("{background}Question: {question}\nAnswer:", CHOICES),
        "lesson": worded("In a lesson on science the teacher asks: {question}\nA good pupil replies:", CHOICES),
        "pick": worded("{question}\nIs it {choices}?\nIt is", CHOICES),
        "numbered": worded("{question}\n{numbered}\nThe right one is", NUMBERED),
    },
    body="question",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {
                "question": "What do plants take in through roots?",
                "support": "Roots take in water.",
                "background": "Roots take in water.\n\n",
            },
            ("light", "water", "sound", "wind"),
            1,
        ),
        Item(
            "example-bare",
            "all",
            "test",
            "example-bare",
            {"question": "Which of these is a metal?", "support": "", "background": ""},
            ("wood", "glass", "wool", "iron"),
            3,
        ),
    ),
)
