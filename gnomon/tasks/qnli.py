"""QNLI (Wang et al. 2018, from SQuAD): does the sentence hold the answer to the question?

Belongs here: reading and wording. SQuAD's paragraphs are not named in the file; rows that share a sentence or a
question are one group.
"""

from __future__ import annotations

from gnomon.errors import DataError
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, hub_rows, line_rows
from gnomon.tasks._task import Item, Task, group_name
from gnomon.tasks._templates import worded

ANSWERS = ("entailment", "not_entailment")
_FILES = {"validation": "dev.tsv", "train": "train.tsv"}
_HEADER = ["index", "question", "sentence", "label"]


def _read(source: Source, split: str, subset: str) -> list[Item]:
    rows: list[tuple[str, str, str, int]] = []
    if isinstance(source, Folder):
        path = source.path / _FILES[split]
        for number, line in line_rows(path):
            cells = line.split("\t")
            if number == 1:
                if cells != _HEADER:
                    raise DataError(f"{path}: the first line is {cells}, not {_HEADER}.")
                continue
            if len(cells) != 4 or cells[3] not in ANSWERS:
                raise DataError(f"{path}, line {number}: {len(cells)} cells, label {cells[-1]!r}; the release has 4.")
            rows.append((cells[0], cells[1], cells[2], ANSWERS.index(cells[3])))
    else:
        assert isinstance(source, Hub)
        for _, row in hub_rows(source, "qnli", split, ("question", "sentence", "label", "idx")):
            rows.append((str(row["idx"]), row["question"], row["sentence"], int(row["label"])))
    groups = _groups([(question, sentence) for _, question, sentence, _ in rows])
    return [
        Item(f"{split}-{id}", "all", split, group, {"question": question, "sentence": sentence}, ANSWERS, label)
        for (id, question, sentence, label), group in zip(rows, groups, strict=True)
    ]


def _groups(rows: list[tuple[str, str]]) -> list[str]:
    """One name a row; rows joined by a question or a sentence, directly or through others, have the same."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for question, sentence in rows:
        one, two = sorted((root(("question", question)), root(("sentence", sentence))))
        parent[two] = one
    return [group_name("\0".join(root(("sentence", sentence)))) for _, sentence in rows]


task = Task(
    title="QNLI",
    source="arXiv:1804.07461",
    licence="CC BY-SA 4.0 (from SQuAD)",
    subsets=("all",),
    splits=("validation", "train"),
    counts={("validation", "all"): 5463, ("train", "all"): 104743},
    finder=SourceFinder(
        fits=lambda folder: (folder / "dev.tsv").is_file() and "qnli" in folder.name.lower(),
        layout="qnli/dev.tsv and train.tsv with the header index, question, sentence, label",
        hub=Hub("nyu-mll/glue", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    protocols={
        "answers": worded('{sentence}\nDoes this sentence answer the question "{question}"?\nAnswer:', ("yes", "no")),
        "look-up": worded("Question: {question}\nFound: {sentence}\nIs the answer in what was found?", ("Yes", "No")),
        "true-false": worded(
            "Sentence: {sentence}\nQuestion: {question}\nTrue or false: the sentence tells the answer.\nAnswer:",
            ("true", "false"),
        ),
        "enough": worded(
            'Can the question "{question}" be answered from this alone? {sentence}\nAnswer:', ("yes", "no")
        ),
        "numbered": worded(
            "{question}\n{sentence}\nChoice 1: the sentence answers the question\nChoice 2: it does not\nRight is",
            ("choice 1", "choice 2"),
        ),
    },
    body="sentence",
    promptsource="glue/qnli",
    examples=(
        Item(
            "example",
            "all",
            "validation",
            "example",
            {"question": "Where does the cat sleep?", "sentence": "The cat sleeps on the mat."},
            ANSWERS,
            0,
        ),
    ),
)
