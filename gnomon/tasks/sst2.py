"""SST-2 (Socher et al. 2013): is a sentence of a film review negative or positive? Belongs here: reading and
wording."""

from __future__ import annotations

from gnomon.tasks._sentiment import LABELS, labelled_lines
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, worded

_FILES = {"validation": "stsa.binary.dev", "test": "stsa.binary.test", "train": "stsa.binary.train"}


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        return labelled_lines(source.path / _FILES[split], split, "sentence")
    assert isinstance(source, Hub)
    return [
        Item(
            f"{split}-{number}",
            "all",
            split,
            group_name(row["sentence"].strip()),
            {"sentence": row["sentence"].strip()},
            LABELS,
            int(row["label"]),
        )
        for number, row in hub_rows(source, "default", split, ("sentence", "label"))
    ]


task = Task(
    title="SST-2",
    source="aclanthology:D13-1170",
    licence="not stated by its authors",
    subsets=("all",),
    splits=("validation", "test", "train"),
    counts={("validation", "all"): 872, ("test", "all"): 1821, ("train", "all"): 6920},
    finder=SourceFinder(
        fits=lambda folder: (folder / "stsa.binary.dev").is_file(),
        layout="stsa.binary.dev, .test and .train: a label 0 or 1, a space, a sentence",
        hub=Hub("stanfordnlp/sst2", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "review": worded("Review: {sentence}\nThe sentiment of this review is", CHOICES),
        "feel": worded("{sentence}\nHow does the writer feel about the film?\nAnswer:", ("bad", "good")),
        "recommend": worded(
            "A critic wrote: {sentence}\nWould this critic tell a friend to see the film?\nAnswer:", ("no", "yes")
        ),
        "kind": worded("Is the following sentence negative or positive?\n{sentence}\nIt is", CHOICES),
        "claim": worded('"{sentence}" True or false: this praises the film. Answer:', ("false", "true")),
    },
    body="sentence",
    promptsource="glue/sst2",
    examples=(Item("example", "all", "validation", "example", {"sentence": "a fine film ."}, LABELS, 1),),
)
