"""CosmosQA (Huang et al. 2019): which of four answers follows from what somebody tells of everyday life?

Belongs here: reading and wording. Rows about one story share a group. One choice often says that none of the others is
right; alone it says nothing, so it is never a text to be judged, and where it is right only a wrong text remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnomon.tasks._judged import offered
from gnomon.tasks._rows import place, rows
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, csv_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

NONE_OF_THEM = "None of the above choices ."
_FILES = {"validation": "valid.csv", "train": "train.csv"}
_ANSWERS = ("answer0", "answer1", "answer2", "answer3")
_TEXTS = ("context", "question", *_ANSWERS)
_HEADER = ("id", *_TEXTS, "label")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = source.path / _FILES[split]
        return [
            _item(split, number, dict(zip(_HEADER, cells, strict=True)), f"{path}, record {number}")
            for number, cells in csv_rows(path, len(_HEADER), _HEADER)
        ]
    found = rows(source, "default", split, _TEXTS, ("label",))
    return [_item(split, number, row, where) for number, where, row in found]


def _item(split: str, number: int, row: Mapping[str, Any], where: str) -> Item:
    fields = {name: row[name].strip() for name in _TEXTS}
    choices = tuple(fields[name] for name in _ANSWERS)
    answer = place(row["label"], len(choices), where)
    return Item(f"{split}-{number}", "all", split, group_name(fields["context"]), fields, choices, answer)


task = Task(
    title="CosmosQA",
    source="arXiv:1909.00277",
    licence="CC BY 4.0",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 2985, ("train", "all"): 25262},
    finder=SourceFinder(
        fits=lambda folder: any((folder / name).is_file() for name in _FILES.values()),
        layout="valid.csv and train.csv with the header id, context, question, answer0, ..., answer3, label",
        hub=Hub("allenai/cosmos_qa", "refs/convert/parquet", by_folder=True),
        names=("cosmosqa",),
    ),
    read=_read,
    protocols={
        "story-first": worded("{context}\nQuestion: {question}\nAnswer:", CHOICES),
        "told": worded("Somebody tells this: {context}\n\nA listener asks: {question}\nThe reply is:", CHOICES),
        "question-first": worded("Keep in mind: {question}\nNow the story: {context}\nWhat follows is:", CHOICES),
        "numbered": worded("{context}\n\n{question}\n{numbered}\nThe best answer is", NUMBERED),
        "diary": worded("From a diary: {context}\n\n{question} Read between the lines.\nAnswer:", CHOICES),
    },
    judge=offered("{context}\nQuestion: {question}\nAnswer: {choice}", unshown=(NONE_OF_THEM,)),
    body="context",
    promptsource="cosmos_qa",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {
                "context": "It rained , and I had left my coat at home .",
                "question": "How did I come home ?",
                "answer0": "Wet .",
                "answer1": "Dry .",
                "answer2": "On a horse .",
                "answer3": NONE_OF_THEM,
            },
            ("Wet .", "Dry .", "On a horse .", NONE_OF_THEM),
            0,
        ),
        Item(
            "example-none",
            "all",
            "validation",
            "example",
            {
                "context": "It rained , and I had left my coat at home .",
                "question": "Why was I at sea ?",
                "answer0": NONE_OF_THEM,
                "answer1": "I had a boat .",
                "answer2": "I fished .",
                "answer3": "I swam .",
            },
            (NONE_OF_THEM, "I had a boat .", "I fished .", "I swam ."),
            0,
        ),
    ),
)
