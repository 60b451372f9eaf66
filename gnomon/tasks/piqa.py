"""PIQA (Bisk et al. 2020): which of two ways reaches a goal? Belongs here: reading and wording.

Rows with the same goal share a group.
"""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows, json_rows, line_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_FILES = {"validation": ("valid", "dev"), "train": ("train",)}


def _read(source: Source, split: str, subset: str) -> list[Item]:
    columns = ("goal", "sol1", "sol2")
    if isinstance(source, Folder):
        stem = _stem(source.path, split)
        path, labels = source.path / f"{stem}.jsonl", source.path / f"{stem}-labels.lst"
        rows, found = list(json_rows(path, columns)), [text.strip() for _, text in line_rows(labels)]
        if len(rows) != len(found) or set(found) - {"0", "1"}:
            raise DataError(f"{labels} has {len(found)} labels of {path.name}'s {len(rows)} rows, each must be 0 or 1.")
        return [_item(split, n, row, int(label)) for (n, row), label in zip(rows, found, strict=True)]
    assert isinstance(source, Hub)
    return [
        _item(split, number, row, int(row["label"]))
        for number, row in hub_rows(source, "plain_text", split, (*columns, "label"))
    ]


def _stem(folder: Path, split: str) -> str:
    names = _FILES[split]
    return next((name for name in names if (folder / f"{name}.jsonl").is_file()), names[0])


def _item(split: str, number: int, row: dict[str, str], label: int) -> Item:
    choices = (row["sol1"].strip(), row["sol2"].strip())
    fields = {"goal": row["goal"].strip(), "sol1": choices[0], "sol2": choices[1]}
    return Item(f"{split}-{number}", "all", split, group_name(fields["goal"]), fields, choices, label)


task = Task(
    title="PIQA",
    source="arXiv:1911.11641",
    licence="AFL-3.0",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 1838, ("train", "all"): 16113},
    finder=SourceFinder(
        fits=lambda folder: (
            any((folder / f"{name}.jsonl").is_file() for name in ("valid", "dev")) and "piqa" in folder.name.lower()
        ),
        layout="piqa/valid.jsonl (or dev.jsonl) with valid-labels.lst, and the same for train",
        hub=Hub("ybisk/piqa", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "goal": worded("Goal: {goal}\nWhat to do:", CHOICES),
        "how": worded("{goal}\nHow is this done well?\nAnswer:", CHOICES),
        "numbered": worded("Goal: {goal}\nChoice 1: {sol1}\nChoice 2: {sol2}\nRight is", NUMBERED),
        "first-or-second": worded(
            "Goal: {goal}\nFirst way: {sol1}\nSecond way: {sol2}\nThe way that works is the", ("first", "second")
        ),
        "letters": worded("{goal}\nA: {sol1}\nB: {sol2}\nAnswer:", ("A", "B")),
    },
    body="goal",
    promptsource="piqa",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"goal": "open a door", "sol1": "turn the handle", "sol2": "water the handle"},
            ("turn the handle", "water the handle"),
            0,
        ),
    ),
)
