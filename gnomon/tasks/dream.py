"""DREAM (Sun et al. 2019): which of three answers to a question on a dialogue is right?

Belongs here: reading and wording. Questions on one dialogue share a group.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._rows import rows, stored, texts
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_SPLITS = ("test", "validation", "train")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    for number, where, row in rows(source, "plain_text", split, ("question", "answer"), ("dialogue", "choice")):
        turns = row["dialogue"]
        size = len(turns) if isinstance(turns, list) else 0
        dialogue = "\n".join(texts(turns, size, where, "dialogue"))
        choices, right = texts(row["choice"], 3, where, "choice"), row["answer"].strip()
        if right not in choices:
            raise DataError(f"{where}: the answer {right!r} is none of the choices {', '.join(choices)}.")
        fields = {"dialogue": dialogue, "question": row["question"].strip()}
        group = group_name(dialogue)
        items.append(Item(f"{split}-{number}", "all", split, group, fields, choices, choices.index(right)))
    return items


task = Task(
    title="DREAM",
    source="arXiv:1902.00164",
    licence="research use, see its authors",
    subsets=("all",),
    splits=_SPLITS,
    counts={("test", "all"): 2041, ("validation", "all"): 2040, ("train", "all"): 6116},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="test.jsonl, validation.jsonl and train.jsonl in the hub's columns: dialogue, question, choice, answer",
        hub=Hub("dataset-org/dream", "ca4c45feaf089ecfc37579eb2c594375f70dbfd5", by_folder=True),
    ),
    read=_read,
    protocols={
        "dialogue-first": worded("{dialogue}\n\nQuestion: {question}\nAnswer:", CHOICES),
        "overheard": worded("You overhear this:\n{dialogue}\n\nLater you are asked: {question}\nYou say:", CHOICES),
        "question-first": worded("Listen for this: {question}\n\n{dialogue}\n\nWhat you heard:", CHOICES),
        "numbered": worded("{dialogue}\n\n{question}\n{numbered}\nRight is", NUMBERED),
        "exam": worded("LISTENING TEST\n\n{dialogue}\n\n1. {question}\nMarked as right:", CHOICES),
    },
    body="dialogue",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {"dialogue": "W: Tea or milk?\nM: Tea, please.", "question": "What does the man want?"},
            ("Milk.", "Tea.", "Nothing."),
            1,
        ),
        Item(
            "example-where",
            "all",
            "test",
            "example-where",
            {"dialogue": "M: Where is the cat?\nW: On the mat.", "question": "Where is the cat?"},
            ("On the mat.", "At school.", "At sea."),
            0,
        ),
    ),
)
