"""APPS (Hendrycks et al. 2021): 10,000 programming problems with test cases. Belongs here: reading and asking. Judging
is in grading/programs.py; programs run in a jail (sandbox/)."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Decoding, Prompt
from gnomon.errors import DataError
from gnomon.grading.fences import last_fence
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Protocol, Task

DIFFICULTIES = ("introductory", "interview", "competition")
_SIZES = {
    "introductory": (1000, 2639),
    "interview": (3000, 2000),
    "competition": (1000, 361),
}
_COLUMNS = ("problem_id", "question", "solutions", "input_output", "difficulty", "url", "starter_code")
_END = "<|endoftext|>"


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        items = [item for item in _folder(source.path, split) if item.subset == subset]
        if not items:
            raise MissingFile(f"{source.path / split} holds no {subset} problem.")
        return items
    assert isinstance(source, Hub)
    where = f"{source.describe()} ({subset}, {split})"
    return [
        _item(_hub_row(row), f"{split}/{row['problem_id']:04d}", split, f"{where}, row {number}", whole=True)
        for number, row in hub_rows(source, subset, split, _COLUMNS)
    ]


@functools.lru_cache(maxsize=4)
def _folder(root: Path, split: str) -> tuple[Item, ...]:
    """Every problem of a split, in the order of its number. The three difficulties lie in one folder."""
    folders = sorted(path for path in (root / split).glob("*") if path.name.isdecimal() and path.is_dir())
    return tuple(_item(_files(path, split), f"{split}/{path.name}", split, str(path)) for path in folders)


def _files(folder: Path, split: str) -> dict[str, Any]:
    """What the files of one problem hold, under the hub's names."""
    row: dict[str, Any] = {"number": int(folder.name)}
    for key, name, needed in (
        ("question", "question.txt", True),
        ("input_output", "input_output.json", False),
        ("starter_code", "starter_code.py", False),
        ("metadata", "metadata.json", False),
    ):
        path = folder / name
        try:
            row[key] = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if needed:
                raise DataError(
                    f"{path} is missing.", hint="Every problem has a question; get the folder again."
                ) from None
            row[key] = ""
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}.", hint="It should be a text file in UTF-8.") from error
    row["difficulty"] = _difficulty(row.pop("metadata"), int(folder.name), split, folder)
    return row


def _difficulty(metadata: str, number: int, split: str, folder: Path) -> str:
    """As metadata.json says; in the test split also by the number, which tells it as well."""
    if metadata:
        try:
            found = json.loads(metadata)["difficulty"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{folder / 'metadata.json'} tells no difficulty ({error}).", hint="Get it again."
            ) from error
        if found not in DIFFICULTIES:
            raise DataError(f"{folder / 'metadata.json'}: difficulty {found!r} is none of {', '.join(DIFFICULTIES)}.")
        return str(found)
    if split == "test" and number < 5000:
        return "interview" if number < 3000 else "competition" if number < 4000 else "introductory"
    raise DataError(f"{folder / 'metadata.json'} is missing, and only a test problem's number tells its difficulty.")


def _hub_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "number": row["problem_id"]}


def _item(row: Mapping[str, Any], name: str, split: str, where: str, whole: bool = False) -> Item:
    """The item without its cases, which are read again when a program is graded; they are checked here."""
    from gnomon.grading.programs import parse_cases  # brings numpy in, which listing tasks does without

    text = row["input_output"]
    cases = parse_cases(text, where if whole else f"{where}/input_output.json") if text.strip() else None
    form = "call" if cases is not None and cases.fn_name is not None else "standard input"
    fields = {"question": row["question"], "starter code": row["starter_code"], "form": form}
    key: dict[str, Any] = {
        "number": row["number"],
        "cases": 0 if cases is None else len(cases.inputs),
        "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    }
    if whole:
        key["input_output"] = text
    return Item(name, row["difficulty"], split, name, fields, key=key)


def _cases(source: Source, item: Item) -> Mapping[str, Any]:
    """The text of the problem's input_output.json."""
    if "input_output" in item.key:
        return {"input_output": item.key["input_output"]}
    assert isinstance(source, Folder)
    path = source.path / item.id / "input_output.json"
    try:
        return {"input_output": path.read_text(encoding="utf-8"), "where": str(path)}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read any more: {error}.", hint="Put the data back and go on.") from error


def _notes(items: Sequence[Item]) -> list[str]:
    bare = [item.id for item in items if not item.key["cases"]]
    if not bare:
        return []
    return [
        f"{len(bare):,} problems have no test case and cannot be graded (the first: {bare[0]}); they are in no number."
    ]


def _official(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """The prompt of generate_gpt_codes.py."""
    starter = item.fields["starter code"]
    form = "Call-Based" if item.fields["form"] == "call" else "Standard Input"
    text = "\nQUESTION:\n" + item.fields["question"] + (f"\n{starter}" if starter else "")
    return (Prompt(f"{text}\nUse {form} format\nANSWER:\n", Decoding(max_tokens=512, stop=(_END,))),)


def _program(item: Item, text: str) -> str | None:
    """The whole completion, as the release takes it; a program of blanks is no program."""
    found = text.replace(_END, "")
    return found if found.strip() else None


def _chat(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """A request in words for models that chat."""
    starter = item.fields["starter code"]
    form = (
        f"Begin with this code and keep its names:\n```python\n{starter}\n```"
        if starter
        else "Read from standard input and write to standard output."
    )
    text = (
        f"{item.fields['question']}\n\nSolve this with a Python 3 program. {form}\n"
        "Give the program alone, in one ```python block.\n"
    )
    return (Prompt(text, Decoding(max_tokens=1024)),)


def _fenced(item: Item, text: str) -> str | None:
    return _program(item, last_fence(text))


_BEAMS = "Greedy decoding or sampling; the release writes with beam search (5 beams) up to 1,024 tokens in all."

task = Task(
    title="APPS",
    source="arXiv:2105.09938",
    licence="MIT (repository); statements belong to the sites they come from",
    subsets=DIFFICULTIES,
    splits=("test", "train"),
    default_splits=("test",),
    counts={(split, name): _SIZES[name][at] for name in DIFFICULTIES for at, split in enumerate(("test", "train"))},
    finder=SourceFinder(
        fits=lambda folder: any(any(folder.glob(f"{split}/[0-9]*/question.txt")) for split in ("test", "train")),
        layout="test/<4 digits>/ with question.txt, input_output.json, metadata.json and, for some, starter_code.py.",
        hub=Hub("codeparrot/apps", "refs/convert/parquet", by_folder=True),
    ),
    read=_read,
    notes=_notes,
    cases=_cases,
    kind="programs",
    protocols={
        "official": Protocol(
            version=1,
            about="The release's prompt (generate_gpt_codes.py); the completion is the program.",
            ability="generate",
            ask=_official,
            extract=_program,
            ideal=lambda item: ("",),
            deviations=(_BEAMS,),
        ),
        "chat": Protocol(
            version=1,
            about="A request in words; the program is the last fenced block. For models that chat.",
            ability="generate",
            ask=_chat,
            extract=_fenced,
            ideal=lambda item: ("",),
            deviations=("Not the release's prompt: a request in words, the program in a fence.",),
        ),
    },
    options={"grader": "official (default) or corrected: whose verdict is the score; the other stands beside it"},
    examples=(
        Item(
            "example",
            "introductory",
            "test",
            "example",
            {"question": "Add two numbers.", "starter code": "", "form": "standard input"},
            key={"number": 0, "cases": 1, "sha256": ""},
        ),
        Item(
            "example-call",
            "introductory",
            "test",
            "example-call",
            {"question": "Add two numbers.", "starter code": "def add(a, b):\n", "form": "call"},
            key={"number": 1, "cases": 1, "sha256": ""},
        ),
    ),
)
