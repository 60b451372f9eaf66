"""MMLU (Hendrycks et al. 2021): 57 subjects, four-way multiple choice. Belongs here: reading and asking. Judging is
in grading/choices.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.asks import Ask
from gnomon.errors import DataError
from gnomon.tasks._mmlu_subjects import CATEGORY, COUNTS, SUBCATEGORY, SUBJECTS
from gnomon.tasks._sources import Folder, Hub, Source, SourceFinder, csv_rows, hub_rows
from gnomon.tasks._task import Item, Protocol, ShotLimit, Task

LETTERS = ("A", "B", "C", "D")
_CONTINUATIONS = tuple(f" {letter}" for letter in LETTERS)
_HUB_SPLIT = {"dev": "dev", "val": "validation", "test": "test"}


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = source.path / split / f"{subset}_{split}.csv"
        return [_item(subset, split, number, row, f"{path}, record {number}") for number, row in csv_rows(path, 6)]
    assert isinstance(source, Hub)
    rows = hub_rows(source, subset, _HUB_SPLIT[split], ("question", "choices", "answer"))
    where = f"{source.describe()} ({subset}, {split})"
    return [_hub_item(subset, split, number, row, f"{where}, row {number}") for number, row in rows]


def _item(subset: str, split: str, number: int, row: Sequence[str], where: str) -> Item:
    *cells, letter = row
    if letter not in LETTERS:
        raise DataError(
            f"{where}: the answer is {letter!r}, and it must be one of A, B, C, D.",
            hint="Mend the file; gnomon does not guess.",
        )
    name = f"{subset}/{split}/{number - 1}"
    return Item(name, subset, split, name, {"question": cells[0]}, tuple(cells[1:]), LETTERS.index(letter))


def _hub_item(subset: str, split: str, number: int, row: Mapping[str, Any], where: str) -> Item:
    """The hub's copy has the choices in one cell and the answer as a number."""
    choices, answer = row["choices"], row["answer"]
    if len(choices) != len(LETTERS) or answer not in range(len(LETTERS)):
        raise DataError(f"{where}: {len(choices)} choices with answer {answer!r}; it must be four, and 0 to 3.")
    return _item(subset, split, number, [row["question"], *choices, LETTERS[answer]], where)


def _question(text: str, item: Item) -> str:
    """The question with its choices: four, or the two of a contrast pair."""
    return (
        text
        + "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False))
        + "\nAnswer:"
    )


def _letters(item: Item) -> tuple[str, ...]:
    return _CONTINUATIONS[: len(item.choices)]


def _official(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
    """The release's prompt to the byte (evaluate.py): two spaces before the subject, questions not stripped."""
    subject = "".join(f" {part}" for part in item.subset.split("_"))
    header = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
    examples = "".join(f"{_question(s.fields['question'], s)} {LETTERS[s.answer]}\n\n" for s in shots)
    return (Ask(header + examples + _question(item.fields["question"], item), _letters(item)),)


def _lm_eval(item: Item, shots: Sequence[Item]) -> tuple[Ask, ...]:
    """The prompt of lm-evaluation-harness: one space before the subject, white space around questions stripped."""
    header = f"The following are multiple choice questions (with answers) about {item.subset.replace('_', ' ')}.\n\n"
    examples = "".join(f"{_question(s.fields['question'].strip(), s)} {LETTERS[s.answer]}\n\n" for s in shots)
    return (Ask(header + examples + _question(item.fields["question"].strip(), item), _letters(item)),)


task = Task(
    title="MMLU",
    source="arXiv:2009.03300",
    licence="MIT",
    subsets=SUBJECTS,
    splits=("test", "val"),
    default_splits=("test",),
    counts=COUNTS,
    finder=SourceFinder(
        fits=lambda folder: any(folder.glob("test/*_test.csv")),
        layout="test/<subject>_test.csv and dev/<subject>_dev.csv, without header: question, A, B, C, D, letter.",
        hub=Hub("cais/mmlu", "c30699e8356da336a370243923dbaf21066bb9fe"),
    ),
    read=_read,
    shots_split="dev",
    protocols={
        "official": Protocol(
            version=1,
            about="The release's prompt (hendrycks/test), letters scored as full continuations.",
            ask=_official,
            shots=5,
            limit=ShotLimit(2048),
        ),
        "lm-eval": Protocol(
            version=1,
            about="The prompt of lm-evaluation-harness's `mmlu` with five examples.",
            ask=_lm_eval,
            shots=5,
            deviations=("lm-eval's prompt: one space before the subject, questions stripped, no examples dropped.",),
        ),
    },
    rollups={
        "subcategory": lambda item: SUBCATEGORY[item.subset],
        "category": lambda item: CATEGORY[SUBCATEGORY[item.subset]],
    },
    examples=(
        Item("example", "abstract_algebra", "test", "example", {"question": " 1 + 1 = ? "}, ("1", " 2", "3 ", "4"), 1),
    ),
)
