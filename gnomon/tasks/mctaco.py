"""MC-TACO (Zhou et al. 2019): is this a plausible answer to a question about time?

Belongs here: reading and wording. An item is one candidate answer; a question may have several plausible ones. Rows on
one sentence share a group. The release has no train split: its validation split is what others learn from.
"""

from __future__ import annotations

from gnomon.tasks._rows import place, rows, stored
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("no", "yes")
_SPLITS = ("test", "validation")
_TEXTS = ("sentence", "question", "answer")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    for number, where, row in rows(source, "plain_text", split, _TEXTS, ("label",)):
        fields = {name: row[name].strip() for name in _TEXTS}
        group, answer = group_name(fields["sentence"]), place(row["label"], 2, where)
        items.append(Item(f"{split}-{number}", "all", split, group, fields, ANSWERS, answer))
    return items


task = Task(
    title="MC-TACO",
    source="arXiv:1909.03065",
    licence="not stated by its authors",
    subsets=("all",),
    splits=_SPLITS,
    counts={("test", "all"): 9442, ("validation", "all"): 3783},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="test.jsonl and validation.jsonl in the hub's columns: sentence, question, answer, label",
        hub=Hub("CogComp/mc_taco", "refs/convert/parquet", by_folder=True),
        names=("mc_taco",),
    ),
    read=_read,
    protocols={
        "plausible": worded("{sentence}\nQuestion: {question}\nAnswer: {answer}\nIs this plausible?", ANSWERS),
        "true-false": worded(
            'It is written: "{sentence}" Asked "{question}", somebody guesses "{answer}". This guess is',
            ("false", "true"),
        ),
        "clock": worded(
            "Think of how long, how often and when things happen.\n{sentence}\n{question}\nCould it be this: {answer}?",
            ("No", "Yes"),
        ),
        "answer-first": worded(
            'Does "{answer}" make sense as a reply to "{question}"? What is told: {sentence}\nReply:', ANSWERS
        ),
        "numbered": worded(
            "{sentence}\n{question} {answer}\nChoice 1: that is unlikely\nChoice 2: that may well be\nI pick",
            ("choice 1", "choice 2"),
        ),
    },
    body="sentence",
    promptsource="mc_taco",
    examples=(
        Item(
            "example",
            "all",
            "test",
            "example",
            {"sentence": "Kim baked a cake.", "question": "How long did it take?", "answer": "ten years"},
            ANSWERS,
            0,
        ),
    ),
)
