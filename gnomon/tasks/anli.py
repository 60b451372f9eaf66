"""ANLI (Nie et al. 2020): does the text entail the hypothesis, contradict it, or neither? Hypotheses fooled a model.

Belongs here: reading and wording. A subset is one of three rounds; round 2 is taken where none is named. Rows on one
text share a group. As texts to be judged, entailment is right and both other classes are wrong (Burns et al. 2023).
"""

from __future__ import annotations

from gnomon.tasks._judged import labelled
from gnomon.tasks._rows import place, rows, stored
from gnomon.tasks._sources import Hub, Source, SourceFinder
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("entailment", "neutral", "contradiction")
_SPLITS = {"validation": "dev", "test": "test", "train": "train"}
_ROWS = {"r1": (1000, 1000, 16946), "r2": (1000, 1000, 45460), "r3": (1200, 1200, 100459)}
"""Round: rows in validation, test and train."""


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    found = rows(source, "plain_text", f"{_SPLITS[split]}_{subset}", ("premise", "hypothesis"), ("label",))
    for number, where, row in found:
        fields = {name: row[name].strip() for name in ("premise", "hypothesis")}
        group, answer = group_name(fields["premise"]), place(row["label"], 3, where)
        items.append(Item(f"{subset}-{split}-{number}", subset, split, group, fields, ANSWERS, answer))
    return items


_YES_NO = ("yes", "perhaps", "no")

task = Task(
    title="ANLI",
    source="arXiv:1910.14599",
    licence="CC BY-NC 4.0",
    subsets=tuple(_ROWS),
    default_subsets=("r2",),
    splits=tuple(_SPLITS),
    counts={(split, name): counts[k] for name, counts in _ROWS.items() for k, split in enumerate(_SPLITS)},
    finder=SourceFinder(
        fits=stored(*(f"{split}_{name}" for split in _SPLITS.values() for name in _ROWS)),
        layout="dev_r2.jsonl, test_r2.jsonl, train_r2.jsonl and the like for other rounds, in the hub's columns: "
        "premise, hypothesis, label",
        hub=Hub("facebook/anli", "8e4813d81f46d313dac7892e1c28076917cfcdf9"),
    ),
    read=_read,
    protocols={
        "follows": worded("{premise}\nDoes it follow that {hypothesis}\nYes, perhaps or no?", _YES_NO),
        "claim": worded("Text: {premise}\nClaim: {hypothesis}\nBy the text, the claim is", ("true", "open", "false")),
        "named": worded(
            "Premise: {premise}\nHypothesis: {hypothesis}\nThe hypothesis stands to the premise as", ANSWERS
        ),
        "claim-first": worded(
            'Somebody claims: "{hypothesis}"\nWhat is known: {premise}\nCould the claim be wrong?',
            ("no, never", "possibly", "yes, it is"),
        ),
        "numbered": worded(
            "{premise}\n{hypothesis}\nChoice 1: the second follows from the first\nChoice 2: one cannot tell\n"
            "Choice 3: the first rules the second out\nRight is",
            ("choice 1", "choice 2", "choice 3"),
        ),
    },
    judge=labelled("{premise}\nDoes it follow that {hypothesis}", positive=ANSWERS.index("entailment")),
    body="premise",
    promptsource="anli",
    examples=(
        Item(
            "example",
            "r2",
            "validation",
            "example",
            {"premise": "A cat sleeps on the mat.", "hypothesis": "An animal sleeps."},
            ANSWERS,
            0,
        ),
    ),
)
