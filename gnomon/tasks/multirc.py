"""MultiRC (Khashabi et al. 2018, as in SuperGLUE): is this a right answer to the question on the text?

Belongs here: reading and wording. An item is one candidate answer; a question may have several right ones. All rows on
one text share a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gnomon.errors import DataError
from gnomon.tasks._rows import place, rows
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, json_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("no", "yes")
_FILES = {"validation": "val.jsonl", "train": "train.jsonl"}
_COLUMNS = ("paragraph", "question", "answer")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        found = _nested(source.path / _FILES[split])
        return [_item(split, number, row, label) for number, (row, label) in enumerate(found, start=1)]
    return [
        _item(split, number, row, place(row["label"], 2, where))
        for number, where, row in rows(source, "multirc", split, _COLUMNS, ("label",))
    ]


def _nested(path: Path) -> Iterator[tuple[dict[str, str], int]]:
    """Text, question and answer, and their label; a line of the file holds a text with all questions and answers."""
    for number, row in json_rows(path, (), ("passage",)):
        where = f"{path}, line {number}"
        text = _cell(row["passage"], "text", where)
        for asked in _list(row["passage"], "questions", where):
            question = _cell(asked, "question", where)
            for given in _list(asked, "answers", where):
                answer = _cell(given, "text", where)
                if "label" not in given:
                    raise DataError(f"{where}: an answer to {question[:40]!r} lacks 'label'; the test file has none.")
                yield dict(zip(_COLUMNS, (text, question, answer), strict=True)), place(given["label"], 2, where)


def _cell(row: object, name: str, where: str) -> str:
    found = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(found, str):
        raise DataError(f"{where}: '{name}' is {found!r}, not a text.", hint="Get the file again.")
    return found


def _list(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = row.get(name)
    if not isinstance(found, list):
        raise DataError(f"{where}: '{name}' is {found!r}, not a list.", hint="Get the file again.")
    return found


def _item(split: str, number: int, row: Mapping[str, str], label: int) -> Item:
    fields = {name: row[name].strip() for name in _COLUMNS}
    return Item(f"{split}-{number}", "all", split, group_name(fields["paragraph"]), fields, ANSWERS, label)


task = Task(
    title="MultiRC",
    source="arXiv:1905.00537",
    licence="research use, see its authors",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 4848, ("train", "all"): 27243},
    finder=SourceFinder(
        fits=lambda folder: (folder / "val.jsonl").is_file() and "multirc" in folder.name.lower(),
        layout="multirc/val.jsonl and train.jsonl, as in SuperGLUE",
        hub=Hub("aps/super_glue", "refs/convert/parquet", by_folder=True),
        names=("MultiRC",),
    ),
    read=_read,
    protocols={
        "passage-first": worded(
            "{paragraph}\nQuestion: {question}\nProposed answer: {answer}\nIs the proposed answer right?", ANSWERS
        ),
        "true-false": worded(
            'Text: {paragraph}\n\nAsked "{question}", somebody says "{answer}". This is', ("false", "true")
        ),
        "grade": worded(
            "READING TEST\n\n{paragraph}\n\n{question}\nA pupil wrote: {answer}\nThe teacher marked it as",
            ("wrong", "right"),
        ),
        "answer-first": worded(
            'Is "{answer}" a good answer to "{question}"? Judge by this text alone.\n{paragraph}\nAnswer:', ANSWERS
        ),
        "numbered": worded(
            "{paragraph}\n\n{question} {answer}\nChoice 1: the answer is wrong\nChoice 2: the answer is right\nI pick",
            ("choice 1", "choice 2"),
        ),
    },
    body="paragraph",
    promptsource="super_glue/multirc",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"paragraph": "A cat and a dog sleep on the mat.", "question": "Who sleeps?", "answer": "The dog"},
            ANSWERS,
            1,
        ),
    ),
)
