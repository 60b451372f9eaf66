"""Rows in the columns of a hub data set, from the hub or from a folder of JSON lines; checks of their cells; groups.

Belongs here: what tasks read in one way have in common. Does not belong here: which columns a task has, or how files of
another layout are read (each task's file).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, hub_rows, json_rows
from gnomon.tasks._task import group_name

__all__ = ["joined", "keyed", "place", "rows", "stored", "texts"]


def rows(
    source: Source, config: str, split: str, columns: Sequence[str], others: Sequence[str] = ()
) -> list[tuple[int, str, dict[str, Any]]]:
    """Each row of `split` with its number from 1 and, for an error, where it stands.

    A folder holds `<split>.jsonl`. Raises DataError for a cell of `columns` that is missing or no text, and for a cell
    of `others` that is missing.
    """
    if isinstance(source, Folder):
        path = source.path / f"{split}.jsonl"
        return [(number, f"{path}, line {number}", row) for number, row in json_rows(path, columns, others)]
    assert isinstance(source, Hub)
    where = f"{source.describe()} ({config}, {split})"
    return [
        (number, f"{where}, row {number}", row) for number, row in hub_rows(source, config, split, (*columns, *others))
    ]


def stored(*splits: str) -> Callable[[Path], bool]:
    """Whether a folder holds `<split>.jsonl` of any of `splits`. What its columns are is checked on reading."""
    return lambda folder: any((folder / f"{split}.jsonl").is_file() for split in splits)


def place(value: object, size: int, where: str, column: str = "label", first: int = 0) -> int:
    """`value` as an index into `size` choices that the release numbers from `first`: a whole number, or its digits.

    >>> place("3", 3, "row 7", first=1)
    2
    """
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not first <= number < first + size:
        raise DataError(f"{where}: {column} is {value!r}, and it must be a number from {first} to {first + size - 1}.")
    return number - first


def texts(value: object, size: int, where: str, column: str) -> tuple[str, ...]:
    """A list of `size` texts, without white space at their ends."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise DataError(f"{where}: {column} is {value!r:.80}, not a list of texts.")
    if len(value) != size:
        raise DataError(f"{where}: {column} holds {len(value)} texts where the release has {size}.")
    return tuple(one.strip() for one in value)


def keyed(row: Mapping[str, Any], size: int, where: str) -> tuple[tuple[str, ...], int]:
    """The options and the index of the right one, where `choices` holds lists `text` and `label`, and `answerKey` one
    of the labels.

    >>> keyed({"choices": {"text": ["ice", "sand"], "label": ["A", "B"]}, "answerKey": "B"}, 2, "row 1")
    (('ice', 'sand'), 1)
    """
    found = row["choices"]
    if not isinstance(found, Mapping) or not {"text", "label"} <= set(found):
        raise DataError(f"{where}: choices is {found!r:.80}, and it must hold the lists text and label.")
    options = texts(found["text"], size, where, "choices.text")
    labels = texts(found["label"], size, where, "choices.label")
    if labels.count(row["answerKey"]) != 1:
        raise DataError(f"{where}: answerKey is {row['answerKey']!r}, and it must be one of {', '.join(labels)}.")
    return options, labels.index(row["answerKey"])


def joined(keys: Sequence[Sequence[str]]) -> list[str]:
    """A group's name for each row; rows that have one of their keys in common, directly or through others, share it.

    >>> one, two, three, four = joined([("a", "b"), ("c", "d"), ("b", "c"), ("e",)])
    >>> one == two == three != four
    True
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for first, *others in keys:
        for other in others:
            one, two = sorted((root(first), root(other)))
            parent[two] = one
    return [group_name(root(first)) for first, *_ in keys]
