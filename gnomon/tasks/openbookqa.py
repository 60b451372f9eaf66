"""OpenBookQA (Mihaylov et al. 2018): which of four options answers a question of elementary science?

Belongs here: reading and wording. Questions were written from single facts of a small book; where the data name that
fact (`fact1`, as the hub's configuration "additional" does) rows from one fact share a group, else rows with one stem.
"""

from __future__ import annotations

from gnomon.tasks._rows import joined, keyed, rows, stored
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_SPLITS = ("test", "validation", "train")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    found = rows(source, "additional", split, ("question_stem", "answerKey"), ("choices",))
    keys = [
        [f"{name} {str(row[name]).strip()}" for name in ("question_stem", "fact1") if row.get(name)]
        for _, _, row in found
    ]
    items = []
    for (number, where, row), group in zip(found, joined(keys), strict=True):
        choices, answer = keyed(row, 4, where)
        fields = {"question_stem": row["question_stem"].strip()}
        items.append(Item(f"{split}-{number}", "all", split, group, fields, choices, answer))
    return items


task = Task(
    title="OpenBookQA",
    source="arXiv:1809.02789",
    licence="Apache-2.0",
    subsets=("all",),
    splits=_SPLITS,
    counts={("test", "all"): 500, ("validation", "all"): 500, ("train", "all"): 4957},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="test.jsonl, validation.jsonl and train.jsonl in the hub's columns: question_stem, "
        "choices (text, label), answerKey and, where known, fact1",
        hub=Hub("allenai/openbookqa", "388097ea7776314e93a529163e0fea805b8a6454"),
    ),
    read=_read,
    protocols={
        "continue": worded("{question_stem}", CHOICES),
        "asked": worded("Question: {question_stem}\nAnswer:", CHOICES),
        "science": worded("From a quiz on elementary science.\n{question_stem}\nThe right ending or answer:", CHOICES),
        "numbered": worded("{question_stem}\n{numbered}\nRight is", NUMBERED),
        "letters": worded(
            "{question_stem}\nA: {choice1}\nB: {choice2}\nC: {choice3}\nD: {choice4}\nAnswer:", ("A", "B", "C", "D")
        ),
    },
    body="question_stem",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {"question_stem": "A plant in the dark will lack"},
            ("light", "soil", "roots", "a name"),
            0,
        ),
        Item(
            "example-ice",
            "all",
            "test",
            "example-ice",
            {"question_stem": "What does ice become in the sun?"},
            ("sand", "iron", "water", "wood"),
            2,
        ),
    ),
)
