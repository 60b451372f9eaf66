"""MATH (Hendrycks et al. 2021): 12,500 competition problems whose answers are expressions. Belongs here: reading and
asking. Judging is in grading/equivalence.py, finding the answer in grading/boxed.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Decoding, Prompt
from gnomon.errors import DataError
from gnomon.grading.boxed import between_dollars, boxed_corrected, boxed_official
from gnomon.tasks._math_release import COUNTS, EXAMPLES, INSTRUCTION, LEVELS, SUBJECTS, checksums
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Protocol, Task

_KEYS = ("problem", "level", "type", "solution")
_FEW_SHOT = INSTRUCTION + "\n" + "".join(f"Problem: {p}\nAnswer: ${a}$\n###\n" for p, a in EXAMPLES)


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        return _read_folder(source.path / split / subset, split, subset)
    assert isinstance(source, Hub)
    where = f"{source.describe()} ({subset}, {split})"
    rows = hub_rows(source, subset, split, _KEYS)
    return [
        _item(row, f"{subset}/{split}/row-{number}", split, subset, f"{where}, row {number}") for number, row in rows
    ]


def _read_folder(folder: Path, split: str, subset: str) -> list[Item]:
    """Every file of a subject, by number; whether each is the release's goes into the item's key."""
    paths = sorted(folder.glob("*.json"), key=lambda path: (len(path.stem), path.stem))
    if not paths:
        hint = f"The release keeps one JSON file a problem in {split}/{subset}/ ."
        raise MissingFile(f"{folder} holds no problem.", hint=hint)
    known, items = checksums(), []
    for path in paths:
        try:
            data = path.read_bytes()
            row = json.loads(data)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as JSON: {error}.", hint="Get the file again.") from error
        item = _item(row, f"{subset}/{split}/{path.stem}", split, subset, str(path))
        released = known.get(f"{split}/{subset}/{path.stem}") == hashlib.sha256(data).hexdigest()[:8]
        items.append(item if released else _unreleased(item))
    return items


def _item(row: Any, name: str, split: str, subset: str, where: str) -> Item:
    if not isinstance(row, Mapping) or any(not isinstance(row.get(key), str) for key in _KEYS):
        wanted = ", ".join(_KEYS)
        raise DataError(
            f"{where}: a problem needs the text fields {wanted}.", hint="Mend the file; gnomon guesses nothing."
        )
    answer = boxed_official(row["solution"])
    if answer is None:
        raise DataError(
            f"{where}: its solution has no answer in \\boxed{{...}}, so nothing can be judged by it.",
            hint="Every solution of the release has one; get the file again.",
        )
    level = row["level"] if row["level"] in LEVELS else "Level ?"
    fields = {"problem": row["problem"], "level": level}
    return Item(name, subset, split, name, fields, key={"answer": answer, "solution": row["solution"]})


def _unreleased(item: Item) -> Item:
    return Item(item.id, item.subset, item.split, item.group, item.fields, key={**item.key, "unreleased": True})


def _notes(items: Sequence[Item]) -> list[str]:
    """How many files are not, byte for byte, the release's."""
    other = [item.id for item in items if item.key.get("unreleased")]
    if not other:
        return []
    return [
        f"{len(other):,} of {len(items):,} files differ from the release's checksums (the first: {other[0]}): the "
        "numbers are those of this copy."
    ]


def _official(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """The GPT-3 prompt of evaluate_gpt3.py: its eight examples, then the problem without the word `Problem:`."""
    return (Prompt(f"{_FEW_SHOT}{item.fields['problem']}\nAnswer: $", _GPT3),)


_GPT3 = Decoding(max_tokens=20, stop=("$", "###", "\n"))


def _solution(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """What the release's fine-tuned models are evaluated on (eval_math_gpt.py), its stray backslash included."""
    return (Prompt(f"\nQUESTION:\n{item.fields['problem']}\\FULL SOLUTION:\n", Decoding(max_tokens=1024)),)


def _boxed(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """A plain request for models that follow instructions."""
    text = (
        f"{item.fields['problem']}\n\nSolve the problem step by step. Put the final answer, simplified as far as it "
        "goes and alone, in \\boxed{}.\n"
    )
    return (Prompt(text, Decoding(max_tokens=1024)),)


_GREEDY = "Greedy decoding or sampling; the release's fine-tuned models use beam search with 20 beams."

task = Task(
    title="MATH",
    source="arXiv:2103.03874",
    licence="MIT (repository); rights to the problems are disputed",
    subsets=SUBJECTS,
    splits=("test", "train"),
    default_splits=("test",),
    counts=COUNTS,
    finder=SourceFinder(
        fits=lambda folder: any(any(folder.glob(f"{split}/algebra")) for split in ("test", "train")),
        layout="test/<subject>/<number>.json with problem, level, type, solution.",
        hub=Hub("EleutherAI/hendrycks_math", "21a5633873b6a120296cce3e2df9d5550074f4a3"),
    ),
    read=_read,
    notes=_notes,
    kind="mathematics",
    protocols={
        "official": Protocol(
            version=1,
            about="The release's few-shot prompt for GPT-3: eight fixed examples, the answer read between dollars.",
            ability="generate",
            ask=_official,
            extract=lambda item, text: between_dollars(text),
            ideal=lambda item: (item.key["answer"],),
        ),
        "boxed": Protocol(
            version=1,
            about="The bare problem with the request to put the answer in \\boxed{}; no example. For models that chat.",
            ability="generate",
            ask=_boxed,
            extract=lambda item, text: boxed_corrected(text),
            ideal=lambda item: (item.key["solution"],),
            deviations=("Not the release's prompt: a request in words; the answer is the last \\boxed{} or \\fbox{}.",),
        ),
        "finetuned": Protocol(
            version=1,
            about="The release's prompt for fine-tuned models; the answer is read from the last \\boxed{}.",
            ability="generate",
            ask=_solution,
            extract=lambda item, text: boxed_official(text),
            ideal=lambda item: (item.key["solution"],),
            deviations=(_GREEDY,),
        ),
    },
    rollups={"level": lambda item: item.fields["level"] if item.fields["level"] in LEVELS else None},
    options={
        "grader": "official (default), corrected or math-verify: whose verdict is the score; the others stand beside it"
    },
    examples=(
        Item(
            "example",
            "algebra",
            "test",
            "example",
            {"problem": "What is $1 + 1$?", "level": "Level 1"},
            key={"answer": "2", "solution": "It is $\\boxed{2}$."},
        ),
    ),
)
