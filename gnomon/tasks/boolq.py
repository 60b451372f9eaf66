"""BoolQ (Clark et al. 2019): does the passage answer the question with yes?

Belongs here: reading and wording. Rows that ask about one passage share a group.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows, json_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import NUMBERED, worded

ANSWERS = ("no", "yes")
_FILES = {"validation": "val.jsonl", "train": "train.jsonl"}


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = source.path / _FILES[split]
        items = []
        for number, row in json_rows(path, ("question", "passage"), ("label",)):
            if not isinstance(row["label"], bool):
                raise DataError(f"{path}, line {number}: label {row['label']!r} is neither true nor false.")
            items.append(_item(split, number, row["question"], row["passage"], row["label"]))
        return items
    assert isinstance(source, Hub)
    found = hub_rows(source, "default", split, ("question", "passage", "answer"))
    return [_item(split, number, row["question"], row["passage"], bool(row["answer"])) for number, row in found]


def _item(split: str, number: int, question: str, passage: str, yes: bool) -> Item:
    fields = {"question": question, "passage": passage}
    return Item(f"{split}-{number}", "all", split, group_name(passage), fields, ANSWERS, int(yes))


task = Task(
    title="BoolQ",
    source="arXiv:1905.10044",
    licence="CC BY-SA 3.0",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 3270, ("train", "all"): 9427},
    finder=SourceFinder(
        fits=lambda folder: (folder / "val.jsonl").is_file() and "boolq" in folder.name.lower(),
        layout="boolq/val.jsonl and train.jsonl, as in SuperGLUE",
        hub=Hub("google/boolq", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "passage-first": worded("{passage}\nQuestion: {question}?\nAnswer:", ANSWERS),
        "after-reading": worded(
            "Read this text, then answer with yes or no.\n\n{passage}\n\nAfter reading: {question}?", ANSWERS
        ),
        "true-false": worded(
            "Text: {passage}\n\nSomebody asks: {question}?\nTrue or false? The answer is", ("false", "true")
        ),
        "exam": worded("EXAM\n\n1. {passage}\n\nQuestion on the text: {question}?\n\nThe pupil wrote:", ("No", "Yes")),
        "question-first": worded(
            "The question is: {question}?\nHere is what an encyclopedia says: {passage}\nSo the answer must be", ANSWERS
        ),
        "numbered": worded("{passage}\n\n{question}?\nChoice 1: no\nChoice 2: yes\nThe right one is", NUMBERED),
    },
    body="passage",
    promptsource="super_glue/boolq",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"question": "do cats bark", "passage": "Cats are animals that meow."},
            ANSWERS,
            0,
        ),
    ),
)
