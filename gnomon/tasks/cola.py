"""CoLA (Warstadt et al. 2018): would a speaker of English accept the sentence?

Belongs here: reading and wording. The validation split is both development files: first the sentences from books that
train comes from, then those from other books, as in GLUE. A sentence is one group wherever it stands; a few are there
twice with different judgements, and are kept.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._rows import place, rows
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, line_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("unacceptable", "acceptable")
_FILES = {
    "validation": {"in_domain_dev.tsv": "in domain", "out_of_domain_dev.tsv": "out of domain"},
    "train": {"in_domain_train.tsv": "in domain"},
}
_YES_NO = ("no", "yes")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if not isinstance(source, Folder):
        found = rows(source, "cola", split, ("sentence",), ("label",))
        return [_item(split, number, row["sentence"], place(row["label"], 2, where)) for number, where, row in found]
    items: list[Item] = []
    for name, domain in _FILES[split].items():
        path = source.path / name
        for number, line in line_rows(path):
            cells = line.split("\t")
            if len(cells) != 4 or cells[1] not in ("0", "1"):
                raise DataError(
                    f"{path}, line {number}: {len(cells)} cells, label {cells[min(1, len(cells) - 1)]!r}; the release "
                    "has 4, and 0 or 1."
                )
            items.append(_item(split, len(items) + 1, cells[3], int(cells[1]), domain))
    return items


def _item(split: str, number: int, sentence: str, label: int, domain: str = "") -> Item:
    fields = {"sentence": sentence.strip(), "domain": domain}
    return Item(f"{split}-{number}", "all", split, group_name(fields["sentence"]), fields, ANSWERS, label)


task = Task(
    title="CoLA",
    source="arXiv:1805.12471",
    licence="research use, see its authors",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 1043, ("train", "all"): 8551},
    finder=SourceFinder(
        fits=lambda folder: any((folder / name).is_file() for names in _FILES.values() for name in names),
        layout="in_domain_train.tsv, in_domain_dev.tsv and out_of_domain_dev.tsv of cola_public/raw",
        hub=Hub("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"),
        names=("CoLA",),
    ),
    read=_read,
    protocols={
        "grammatical": worded("Sentence: {sentence}\nIs this sentence grammatical?\nAnswer:", _YES_NO),
        "acceptable": worded("{sentence}\nAs a sentence of English, this is", ANSWERS),
        "teacher": worded(
            "A teacher of English marks sentences as right or wrong.\nSentence: {sentence}\nMark:", ("wrong", "right")
        ),
        "native": worded('Would a native speaker say "{sentence}"?\nAnswer:', ("No", "Yes")),
        "numbered": worded(
            "{sentence}\nChoice 1: this breaks a rule of grammar\nChoice 2: this is well formed\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    rollups={"domain": lambda item: item.fields["domain"] or None},
    body="sentence",
    promptsource="glue/cola",
    examples=(
        Item("example", "all", "validation", "example", {"sentence": "Cat the sleeps.", "domain": ""}, ANSWERS, 0),
    ),
)
