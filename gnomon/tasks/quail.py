"""QuAIL (Rogers et al. 2020): which of four answers to a question on a text is right? One says that it cannot be known.

Belongs here: reading and wording. Questions on one text share a group. `challenge` is the release's third split.
"""

from __future__ import annotations

from gnomon.tasks._rows import place, rows, stored, texts
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

_SPLITS = ("validation", "challenge", "train")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    for number, where, row in rows(source, "quail", split, ("context", "question"), ("answers", "correct_answer_id")):
        fields = {name: (row.get(name) or "").strip() for name in ("context", "question", "question_type", "domain")}
        choices = texts(row["answers"], 4, where, "answers")
        answer = place(row["correct_answer_id"], 4, where, "correct_answer_id")
        group = group_name(fields["context"])
        items.append(Item(f"{split}-{number}", "all", split, group, fields, choices, answer))
    return items


task = Task(
    title="QuAIL",
    source="AAAI 2020, doi:10.1609/aaai.v34i05.6398",
    licence="CC BY-NC-SA 4.0",
    subsets=("all",),
    splits=_SPLITS,
    counts={("validation", "all"): 2164, ("challenge", "all"): 556, ("train", "all"): 10246},
    finder=SourceFinder(
        fits=stored(*_SPLITS),
        layout="validation.jsonl, challenge.jsonl and train.jsonl in the hub's columns: context, question, answers, "
        "correct_answer_id and, where known, question_type and domain",
        hub=Hub("textmachinelab/quail", "2bd9d7f90a532fe1a910b70972cef5fda341c8fe"),
    ),
    read=_read,
    protocols={
        "text-first": worded("{context}\n\nQuestion: {question}\nAnswer:", CHOICES),
        "judge": worded("Judge by what is told and nothing else.\n\n{context}\n\n{question}\nSo:", CHOICES),
        "question-first": worded("Read on with this in mind: {question}\n\n{context}\n\nThe answer is:", CHOICES),
        "numbered": worded("{context}\n\n{question}\n{numbered}\nRight is", NUMBERED),
        "pick": worded("{context}\n\n{question} Pick one: {choices}.\nPicked:", CHOICES),
    },
    rollups={
        "question type": lambda item: item.fields["question_type"] or None,
        "domain": lambda item: item.fields["domain"] or None,
    },
    body="context",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {
                "context": "Kim fed the cat and went to bed.",
                "question": "What did Kim do first?",
                "question_type": "Event_order",
                "domain": "fiction",
            },
            ("went to bed", "not enough information", "fed the cat", "sang"),
            2,
        ),
        Item(
            "example-unknown",
            "all",
            "validation",
            "example",
            {
                "context": "Kim fed the cat and went to bed.",
                "question": "How old is the cat?",
                "question_type": "Unanswerable",
                "domain": "fiction",
            },
            ("not enough information", "a week", "two years", "nine years"),
            0,
        ),
    ),
)
