"""Social IQa (Sap et al. 2019): which of three answers about people and their feelings is likeliest?

Belongs here: reading and wording. Rows about the same event share a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnomon.errors import DataError
from gnomon.tasks._rows import place, rows
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, json_rows, line_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_FILES = {"validation": "dev", "train": "train"}
_ANSWERS = ("answerA", "answerB", "answerC")
_TEXTS = ("context", "question", *_ANSWERS)


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if not isinstance(source, Folder):
        found = rows(source, "default", split, _TEXTS, ("label",))
        return [_item(split, number, row, row["label"], where) for number, where, row in found]
    path, other = (source.path / f"{_FILES[split]}{end}" for end in (".jsonl", "-labels.lst"))
    texts, labels = list(json_rows(path, _TEXTS)), list(line_rows(other))
    if len(texts) != len(labels):
        raise DataError(f"{other} has {len(labels)} labels of {path.name}'s {len(texts)} rows.")
    return [
        _item(split, number, row, label.strip(), f"{other}, line {line}")
        for (number, row), (line, label) in zip(texts, labels, strict=True)
    ]


def _item(split: str, number: int, row: Mapping[str, Any], label: object, where: str) -> Item:
    fields = {name: row[name].strip() for name in _TEXTS}
    choices = tuple(fields[name] for name in _ANSWERS)
    answer = place(label, len(choices), where, first=1)
    return Item(f"{split}-{number}", "all", split, group_name(fields["context"]), fields, choices, answer)


task = Task(
    title="Social IQa",
    source="arXiv:1904.09728",
    licence="CC BY 4.0",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 1954, ("train", "all"): 33410},
    finder=SourceFinder(
        fits=lambda folder: (
            any((folder / f"{name}-labels.lst").is_file() for name in _FILES.values())
            and ("social" in folder.name.lower() or "siqa" in folder.name.lower())
        ),
        layout="social_i_qa/dev.jsonl with dev-labels.lst, and the same for train",
        hub=Hub("allenai/social_i_qa", "refs/convert/parquet", by_folder=True),
        names=("social_iqa", "socialiqa", "siqa"),
    ),
    read=_read,
    protocols={
        "plain": worded("{context}\nQuestion: {question}\nAnswer:", CHOICES),
        "friend": worded('A friend tells you: "{context}" You wonder: {question}\nMost likely:', CHOICES),
        "numbered": worded("{context} {question}\n{numbered}\nThe likeliest is", NUMBERED),
        "pick": worded("{context}\n{question}\nPick one of these: {choices}.\nPicked:", CHOICES),
        "letters": worded("{context}\n{question}\nA: {answerA}\nB: {answerB}\nC: {answerC}\nAnswer:", ("A", "B", "C")),
    },
    body="context",
    promptsource="social_i_qa",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {
                "context": "Kim gave Robin a cake.",
                "question": "How does Robin feel?",
                "answerA": "glad",
                "answerB": "angry",
                "answerC": "wet",
            },
            ("glad", "angry", "wet"),
            0,
        ),
        Item(
            "example-why",
            "all",
            "validation",
            "example-why",
            {
                "context": "Robin took an umbrella.",
                "question": "Why did Robin do this?",
                "answerA": "to swim",
                "answerB": "to eat it",
                "answerC": "to stay dry",
            },
            ("to swim", "to eat it", "to stay dry"),
            2,
        ),
    ),
)
