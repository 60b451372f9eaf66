"""IMDB (Maas et al. 2011): is a film review negative or positive?

Belongs here: reading and wording. The split `slice` is the file of 1,000 test reviews that TextFooler uses, tokenised
and in lower case; `test` and `train` are the release's 25,000 each, from its own folders or the hub.
"""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import DataError
from gnomon.tasks._sentiment import LABELS, labelled_lines
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import CHOICES, worded


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        return _slice(source.path) if split == "slice" else _release(source.path, split)
    assert isinstance(source, Hub)
    if split == "slice":
        raise DataError(
            f"{source.describe()} has no slice of 1,000 reviews.",
            hint="Ask for  -T split=test , or give the folder with imdb.txt by  -T data=FOLDER .",
        )
    rows = hub_rows(source, "plain_text", split, ("text", "label"))
    return [_item(f"{split}-{number}", split, row["text"], int(row["label"])) for number, row in rows]


def _slice(folder: Path) -> list[Item]:
    return labelled_lines(folder / "imdb.txt", "slice", "text")


def _release(folder: Path, split: str) -> list[Item]:
    """test/neg/*.txt and test/pos/*.txt, as the release is unpacked."""
    items = []
    for label, name in enumerate(("neg", "pos")):
        place = folder / split / name
        if not place.is_dir():
            hint = "Complete the folder, or ask for another split with  -T split=... ."
            raise MissingFile(f"{place} is missing.", hint=hint)
        for path in sorted(place.glob("*.txt")):
            try:
                text = path.read_text(encoding="utf-8").replace("<br />", "\n")
            except UnicodeDecodeError as error:
                raise DataError(f"{path} holds bytes that are not UTF-8.", hint="Get the file again.") from error
            items.append(_item(f"{split}-{name}-{path.stem}", split, text, label))
    return items


def _item(id: str, split: str, text: str, label: int) -> Item:
    return Item(id, "all", split, group_name(text.strip()), {"text": text.strip()}, LABELS, label)


task = Task(
    title="IMDB",
    source="aclanthology:P11-1015",
    licence="not stated by its authors",
    subsets=("all",),
    splits=("slice", "test", "train"),
    counts={("slice", "all"): 1000, ("test", "all"): 25000, ("train", "all"): 25000},
    finder=SourceFinder(
        fits=lambda folder: (folder / "imdb.txt").is_file() or (folder / "test" / "pos").is_dir(),
        layout="imdb.txt (1,000 reviews, one a line), or the release's test/pos, test/neg, train/pos, train/neg",
        hub=Hub("stanfordnlp/imdb", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "opinion": worded("{text}\n\nThe opinion of this review is", CHOICES),
        "question-first": worded("Is this film review negative or positive?\n\n{text}\n\nAnswer:", CHOICES),
        "enjoyed": worded("{text}\n\nDid the reviewer enjoy the film?\nAnswer:", ("No", "Yes")),
        "verdict": worded("A reviewer writes:\n{text}\n\nIn one word, the film was", ("bad", "good")),
        "claim": worded("{text}\n\nTrue or false: the reviewer liked this film.\nAnswer:", ("false", "true")),
        "recommend": worded("{text}\n\nWould the reviewer see it again?\nAnswer:", ("no", "yes")),
        "stars": worded("Review: {text}\n\nOn a scale of one star or five stars this is", ("one star", "five stars")),
        "numbered": worded(
            "{text}\n\nWhat does the review say of the film?\nChoice 1: it is bad\nChoice 2: it is good\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    body="text",
    promptsource="imdb",
    examples=(Item("example", "all", "slice", "example", {"text": "a fine film ."}, LABELS, 1),),
)
