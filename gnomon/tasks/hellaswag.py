"""HellaSwag (Zellers et al. 2019): which of four endings goes on from what has been told?

Belongs here: reading and wording. Rows cut from one video or article share a group. Articles are marked up with words
in square brackets, such as [header] and [step]; they are no language, and are left out.
"""

from __future__ import annotations

import re

from gnomon.tasks._rows import place, rows, stored, texts
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_SPLITS = ("validation", "train")
_MARK = re.compile(r"\s*\[(?:header|title|step|substeps)\]\s*")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    columns = ("activity_label", "ctx", "source_id")
    for number, where, row in rows(source, "default", split, columns, ("endings", "label")):
        choices = tuple(_plain(text) for text in texts(row["endings"], 4, where, "endings"))
        fields = {"activity": _plain(row["activity_label"]), "ctx": _plain(row["ctx"])}
        answer = place(row["label"], 4, where)
        items.append(Item(f"{split}-{number}", "all", split, group_name(row["source_id"]), fields, choices, answer))
    return items


def _plain(text: str) -> str:
    return _MARK.sub(" ", text).strip()


task = Task(
    title="HellaSwag",
    source="arXiv:1905.07830",
    licence="MIT",
    subsets=("all",),
    splits=_SPLITS,
    counts={("validation", "all"): 10042, ("train", "all"): 39905},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="validation.jsonl and train.jsonl in the hub's columns: activity_label, ctx, endings, label, source_id",
        hub=Hub("Rowan/hellaswag", "218ec52e09a7e7462a5400043bb9a69a41d06b76"),
    ),
    read=_read,
    protocols={
        "continue": worded("{ctx}", CHOICES),
        "topic": worded("{activity}. {ctx}", CHOICES),
        "next": worded("So far: {ctx}\nWhat comes next:", CHOICES),
        "numbered": worded("{ctx}\nHow does this go on?\n{numbered}\nIt goes on with", NUMBERED),
        "narrator": worded('Somebody tells of "{activity}" and has just said: {ctx}\nThen the story goes on:', CHOICES),
    },
    body="ctx",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"activity": "Feeding a cat", "ctx": "A woman opens a tin. She"},
            ("puts it before the cat.", "paints the tin blue.", "sings to a horse.", "becomes a tin."),
            0,
        ),
        Item(
            "example-rain",
            "all",
            "validation",
            "example-rain",
            {"activity": "How to stay dry", "ctx": "It rains outside. Before you leave,"},
            ("eat the door.", "wet your hair.", "take an umbrella.", "count to a million."),
            2,
        ),
    ),
)
