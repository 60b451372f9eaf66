"""QuaRTz (Tafjord et al. 2019): which of two options follows from how one quantity changes with another?

Belongs here: reading and wording. Questions on one background text share a group.
"""

from __future__ import annotations

from gnomon.tasks._rows import keyed, rows, stored
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_SPLITS = ("test", "validation", "train")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    for number, where, row in rows(source, "default", split, ("question", "para", "answerKey"), ("choices",)):
        choices, answer = keyed(row, 2, where)
        fields = {name: row[name].strip() for name in ("question", "para")}
        items.append(Item(f"{split}-{number}", "all", split, group_name(fields["para"]), fields, choices, answer))
    return items


task = Task(
    title="QuaRTz",
    source="arXiv:1909.03553",
    licence="CC BY 4.0",
    subsets=("all",),
    splits=_SPLITS,
    counts={("test", "all"): 784, ("validation", "all"): 384, ("train", "all"): 2696},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="test.jsonl, validation.jsonl and train.jsonl in the hub's columns: question, para, "
        "choices (text, label), answerKey",
        hub=Hub("allenai/quartz", "28c1dbb56caf81799296cb17892fa73402e23464"),
    ),
    read=_read,
    protocols={
        "background-first": worded("{para}\nQuestion: {question}\nAnswer:", CHOICES),
        "rule": worded("A rule of nature or life: {para}\nA case: {question}\nBy the rule:", CHOICES),
        "bare": worded("{question}\nAnswer:", CHOICES),
        "numbered": worded("{para}\n{question}\n{numbered}\nRight is", NUMBERED),
        "letters": worded("{para}\n{question}\nA: {choice1}\nB: {choice2}\nAnswer:", ("A", "B")),
    },
    body="para",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {"question": "In the sun, will ice melt sooner or later?", "para": "Warmth makes ice melt sooner."},
            ("sooner", "later"),
            0,
        ),
        Item(
            "example-load",
            "all",
            "test",
            "example-load",
            {"question": "With more on it, is a cart lighter or heavier?", "para": "A load adds to the weight."},
            ("lighter", "heavier"),
            1,
        ),
    ),
)
