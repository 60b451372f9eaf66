"""RTE (Dagan et al. 2006 to Bentivogli et al. 2009, as in SuperGLUE): does the premise entail the hypothesis?

Belongs here: reading and wording. Rows that share a premise share a group.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows, json_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("entailment", "not_entailment")
_FILES = {"validation": "val.jsonl", "train": "train.jsonl"}
_YES_NO = ("yes", "no")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    items = []
    if isinstance(source, Folder):
        path = source.path / _FILES[split]
        for number, row in json_rows(path, ("premise", "hypothesis", "label")):
            if row["label"] not in ANSWERS:
                raise DataError(f"{path}, line {number}: label {row['label']!r} is none of {', '.join(ANSWERS)}.")
            items.append(_item(split, number, row["premise"], row["hypothesis"], ANSWERS.index(row["label"])))
        return items
    assert isinstance(source, Hub)
    rows = hub_rows(source, "rte", split, ("premise", "hypothesis", "label"))
    return [_item(split, number, row["premise"], row["hypothesis"], int(row["label"])) for number, row in rows]


def _item(split: str, number: int, premise: str, hypothesis: str, label: int) -> Item:
    fields = {"premise": premise.strip(), "hypothesis": hypothesis.strip()}
    return Item(f"{split}-{number}", "all", split, group_name(premise), fields, ANSWERS, label)


task = Task(
    title="RTE",
    source="arXiv:1905.00537",
    licence="research use, see its authors",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 277, ("train", "all"): 2490},
    finder=SourceFinder(
        fits=lambda folder: (folder / "val.jsonl").is_file() and "rte" in folder.name.lower(),
        layout="rte/val.jsonl and train.jsonl, as in SuperGLUE",
        hub=Hub("aps/super_glue", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "follows": worded("{premise}\nDoes it follow that {hypothesis}\nAnswer:", _YES_NO),
        "given": worded('Given that "{premise}", is it certain that "{hypothesis}"?\nAnswer:', _YES_NO),
        "true-false": worded('{premise}\nBased on this, the claim "{hypothesis}" is', ("true", "false")),
        "suppose": worded("Suppose: {premise}\nMust this be so as well? {hypothesis}\nYes or no:", ("Yes", "No")),
        "evidence": worded("Evidence: {premise}\nClaim: {hypothesis}\nDoes the evidence prove the claim?", _YES_NO),
        "hypothesis-first": worded(
            'Claim: "{hypothesis}"\nText: {premise}\nThe text proves the claim:', ("true", "false")
        ),
        "numbered": worded(
            "{premise}\n{hypothesis}\nChoice 1: the second sentence follows from the first\n"
            "Choice 2: it does not\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    body="premise",
    promptsource="super_glue/rte",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"premise": "A cat sleeps on the mat.", "hypothesis": "An animal sleeps."},
            ANSWERS,
            0,
        ),
    ),
)
