"""AG News (Zhang et al. 2015): which of four topics is a news item about? Belongs here: reading and wording.

As contrast pairs, the right topic and one wrong one stand in a pair; prompts then name these two alone.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, csv_rows, hub_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

TOPICS = ("world politics", "sports", "business", "science and technology")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = source.path / f"{split}.csv"
        items = []
        for number, (topic, title, text) in csv_rows(path, 3, ("Class Index", "Title", "Description")):
            if topic not in ("1", "2", "3", "4"):
                raise DataError(f"{path}, record {number}: class '{topic}' is none of 1, 2, 3, 4.")
            items.append(_item(split, number, f"{title} {text}", int(topic) - 1))
        return items
    assert isinstance(source, Hub)
    rows = hub_rows(source, "default", split, ("text", "label"))
    return [_item(split, number, row["text"], int(row["label"])) for number, row in rows]


def _item(split: str, number: int, text: str, topic: int) -> Item:
    clean = " ".join(text.replace("\\", " ").split())
    return Item(f"{split}-{number}", "all", split, group_name(clean), {"text": clean}, TOPICS, topic)


task = Task(
    title="AG News",
    source="arXiv:1509.01626",
    licence="non-commercial use, by its authors",
    subsets=("all",),
    splits=("test", "train"),
    counts={("test", "all"): 7600, ("train", "all"): 120000},
    finder=SourceFinder(
        fits=lambda folder: (folder / "test.csv").is_file() and "ag" in folder.name.lower(),
        layout="ag_news/test.csv and train.csv with the header Class Index,Title,Description",
        hub=Hub("fancyzhx/ag_news", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "about": worded("{text}\n\nThis news item is about", CHOICES),
        "which": worded("{text}\n\nWhat is this about: {choices}?\nAnswer:", CHOICES),
        "question-first": worded("Is the following about {choices}?\n\n{text}\n\nIt is about", CHOICES),
        "section": worded(
            "In a newspaper with the sections {choices}, this would be printed.\n\n{text}\n\nSection:", CHOICES
        ),
        "numbered": worded("{text}\n\nWhich topic fits?\n{numbered}\nAnswer:", NUMBERED),
        "reader": worded("A reader who follows only one topic cut this out: {text}\n\nThe reader follows", CHOICES),
    },
    body="text",
    promptsource="ag_news",
    examples=(Item("example", "all", "test", "example", {"text": "The home team won."}, TOPICS, 1),),
)
