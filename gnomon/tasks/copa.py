"""COPA (Roemmele et al. 2011, as in SuperGLUE): which of two sentences is the cause, or the effect?

Belongs here: reading and wording.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows, json_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_FILES = {"validation": "val.jsonl", "train": "train.jsonl"}
_TEXTS = ("premise", "choice1", "choice2", "question")
_ASKED = {"effect": "What happened as a result?", "cause": "What was the cause of this?"}
_JOIN = {"effect": "so", "cause": "because"}


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = source.path / _FILES[split]
        return [
            _item(split, number, row, f"{path}, line {number}") for number, row in json_rows(path, _TEXTS, ("label",))
        ]
    assert isinstance(source, Hub)
    rows = hub_rows(source, "copa", split, (*_TEXTS, "label"))
    return [_item(split, number, row, f"{source.describe()}, row {number}") for number, row in rows]


def _item(split: str, number: int, row: dict[str, object], where: str) -> Item:
    asked, label = str(row["question"]), row["label"]
    if asked not in _ASKED or isinstance(label, bool) or label not in (0, 1):
        raise DataError(f"{where}: question {asked!r} and label {label!r}; the release has effect or cause, 0 or 1.")
    choices = (str(row["choice1"]).strip(), str(row["choice2"]).strip())
    premise = str(row["premise"]).strip()
    fields = {
        "premise": premise,
        "question": asked,
        "asked": _ASKED[asked],
        "join": _JOIN[asked],
        "opening": premise.rstrip("."),
        "choice1": choices[0],
        "choice2": choices[1],
    }
    return Item(f"{split}-{number}", "all", split, group_name(premise), fields, choices, 1 if label == 1 else 0)


_LISTED = "\nChoice 1: {choice1}\nChoice 2: {choice2}\n"

task = Task(
    title="COPA",
    source="arXiv:1905.00537",
    licence="BSD 2-clause",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 100, ("train", "all"): 400},
    finder=SourceFinder(
        fits=lambda folder: (folder / "val.jsonl").is_file() and "copa" in folder.name.lower(),
        layout="copa/val.jsonl and train.jsonl, as in SuperGLUE",
        hub=Hub("aps/super_glue", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "continue": worded("{opening} {join}", CHOICES),
        "asked": worded("{premise} {asked}\nAnswer:", CHOICES),
        "numbered": worded("{premise}\n{asked}" + _LISTED + "Right is", NUMBERED),
        "pick": worded("Pick the more likely one.\n{premise} {asked}\n- {choice1}\n- {choice2}\nAnswer:", CHOICES),
        "first-or-second": worded(
            "{premise}\n{asked}\nFirst: {choice1}\nSecond: {choice2}\nThe better one is the", ("first", "second")
        ),
        "letters": worded("{premise} {asked}\nA: {choice1}\nB: {choice2}\nAnswer:", ("A", "B")),
    },
    body="premise",
    promptsource="super_glue/copa",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {
                "premise": "It rained.",
                "question": "effect",
                "asked": _ASKED["effect"],
                "join": "so",
                "opening": "It rained",
                "choice1": "The street was wet.",
                "choice2": "The street was on fire.",
            },
            ("The street was wet.", "The street was on fire."),
            0,
        ),
    ),
)
