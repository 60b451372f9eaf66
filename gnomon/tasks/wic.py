"""WiC (Pilehvar & Camacho-Collados 2019, as in SuperGLUE): does a word mean the same in two sentences?

Belongs here: reading and wording. Rows about the same word share a group. SuperGLUE's JSON lines are read, or a table
with the same columns (`train.tsv`, `validation.tsv`) where they are not there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gnomon.errors import DataError
from gnomon.tasks._rows import place, rows
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, json_rows, line_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("no", "yes")
_TEXTS = ("word", "sentence1", "sentence2")
_FILES = {"validation": ("val.jsonl", "validation.tsv"), "train": ("train.jsonl", "train.tsv")}
_HEADER = ["index", *_TEXTS, "start1", "start2", "end1", "end2", "label"]


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if not isinstance(source, Folder):
        found = rows(source, "wic", split, _TEXTS, ("label",))
        return [_item(split, number, row, place(row["label"], 2, where)) for number, where, row in found]
    lines, table = (source.path / name for name in _FILES[split])
    if table.is_file() and not lines.is_file():
        return [_item(split, number, row, place(row["label"], 2, where)) for number, where, row in _table(table)]
    items = []
    for number, row in json_rows(lines, _TEXTS, ("label",)):
        if not isinstance(row["label"], bool):
            raise DataError(f"{lines}, line {number}: label {row['label']!r} is neither true nor false.")
        items.append(_item(split, number, row, int(row["label"])))
    return items


def _table(path: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Rows of a table with tabs between cells, each on a line of its own; cells may stand in quotes."""
    for number, line in line_rows(path):
        where = f"{path}, line {number}"
        try:
            (cells,) = csv.reader([line], delimiter="\t", strict=True)
        except csv.Error as error:
            raise DataError(f"{where}: {error}.", hint="Quotes inside a cell in quotes are doubled.") from error
        if number == 1:
            if cells != _HEADER:
                raise DataError(f"{path}: the first line is {cells}, not {_HEADER}.")
            continue
        if len(cells) != len(_HEADER):
            raise DataError(f"{where}: {len(cells)} cells where the header has {len(_HEADER)}.")
        yield number - 1, where, dict(zip(_HEADER, cells, strict=True))


def _item(split: str, number: int, row: dict[str, Any], label: int) -> Item:
    fields = {name: row[name].strip() for name in _TEXTS}
    group = group_name(fields["word"].lower())
    return Item(f"{split}-{number}", "all", split, group, fields, ANSWERS, label)


task = Task(
    title="WiC",
    source="arXiv:1808.09121",
    licence="CC BY-NC 4.0",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 638, ("train", "all"): 5428},
    finder=SourceFinder(
        fits=lambda folder: (
            any((folder / name).is_file() for names in _FILES.values() for name in names)
            and "wic" in folder.name.lower()
        ),
        layout="wic/val.jsonl and train.jsonl, as in SuperGLUE, or tables validation.tsv and train.tsv",
        hub=Hub("aps/super_glue", "refs/convert/parquet", by_folder=True),
        names=("WiC",),
    ),
    read=_read,
    protocols={
        "same-sense": worded(
            '{sentence1}\n{sentence2}\nDoes "{word}" mean the same thing in both sentences?\nAnswer:', ANSWERS
        ),
        "true-false": worded(
            "First sentence: {sentence1}\nSecond sentence: {sentence2}\n"
            'The word "{word}" is used in one and the same sense:',
            ("false", "true"),
        ),
        "dictionary": worded(
            'A dictionary lists several senses of "{word}". Would these two uses stand under one of them?\n'
            "1. {sentence1}\n2. {sentence2}\nAnswer:",
            ("No", "Yes"),
        ),
        "same-different": worded(
            "{sentence1} / {sentence2}\nBetween the two, the meaning of {word} is", ("different", "the same")
        ),
        "numbered": worded(
            "Word: {word}\n{sentence1}\n{sentence2}\nChoice 1: two meanings\nChoice 2: one meaning\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    body="sentence2",
    promptsource="super_glue/wic",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"word": "bank", "sentence1": "We sat on the bank.", "sentence2": "The bank was closed."},
            ANSWERS,
            0,
        ),
    ),
)
