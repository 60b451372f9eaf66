"""PAWS (Zhang et al. 2019): do two sentences made of much the same words say the same?

Belongs here: reading and wording. The set is PAWS-Wiki with its final labels. Rows that share a sentence, directly or
through others, are one group.
"""

from __future__ import annotations

from gnomon.tasks._rows import joined, place, rows, stored
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task
from gnomon.tasks._templates import worded

ANSWERS = ("no", "yes")
_SPLITS = ("test", "validation", "train")
_TEXTS = ("sentence1", "sentence2")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    found = rows(source, "labeled_final", split, _TEXTS, ("label",))
    pairs = [{name: row[name].strip() for name in _TEXTS} for _, _, row in found]
    groups = joined([list(pair.values()) for pair in pairs])
    return [
        Item(f"{split}-{number}", "all", split, group, pair, ANSWERS, place(row["label"], 2, where))
        for (number, where, row), pair, group in zip(found, pairs, groups, strict=True)
    ]


task = Task(
    title="PAWS",
    source="arXiv:1904.01130",
    licence="free use with attribution, see its authors",
    subsets=("all",),
    splits=_SPLITS,
    counts={("test", "all"): 8000, ("validation", "all"): 8000, ("train", "all"): 49401},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="test.jsonl, validation.jsonl and train.jsonl in the hub's columns: sentence1, sentence2, label",
        hub=Hub("google-research-datasets/paws", "161ece9501cf0a11f3e48bd356eaa82de46d6a09"),
    ),
    read=_read,
    protocols={
        "same-meaning": worded("{sentence1}\n{sentence2}\nDo both sentences mean the same?\nAnswer:", ANSWERS),
        "editor": worded(
            "An editor replaces one sentence by another.\nOld: {sentence1}\nNew: {sentence2}\n"
            "Is what is said still the same?",
            ("No", "Yes"),
        ),
        "true-false": worded(
            'True or false: "{sentence1}" is only another way to say "{sentence2}"\nAnswer:', ("false", "true")
        ),
        "same-different": worded("1. {sentence1}\n2. {sentence2}\nWhat 1 and 2 say is", ("different", "the same")),
        "numbered": worded(
            "{sentence1}\n{sentence2}\nChoice 1: the sentences differ in what they say\nChoice 2: they agree\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    body="sentence2",
    promptsource="paws/labeled_final",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {"sentence1": "The cat saw the dog.", "sentence2": "The dog saw the cat."},
            ANSWERS,
            0,
        ),
    ),
)
