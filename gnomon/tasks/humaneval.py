"""HumanEval (Chen et al. 2021): 164 Python functions to be completed from their docstring. Belongs here: reading and
asking. Judging is in grading/programs.py; programs run in a jail (sandbox/)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Decoding, Prompt
from gnomon.errors import DataError
from gnomon.grading.fences import last_fence
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Protocol, Task

_KEYS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_FILES = ("HumanEval.jsonl.gz", "HumanEval.jsonl")
_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = next((source.path / name for name in _FILES if (source.path / name).is_file()), None)
        if path is None:
            raise MissingFile(f"{source.path} holds neither {' nor '.join(_FILES)}.")
        return [_item(row, split, subset, f"{path}, record {number}") for number, row in _rows(path)]
    assert isinstance(source, Hub)
    where = f"{source.describe()} ({split})"
    rows = hub_rows(source, "openai_humaneval", split, _KEYS)
    return [_item(row, split, subset, f"{where}, row {number}") for number, row in rows]


def _rows(path: Path) -> list[tuple[int, Any]]:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = data.decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Get the file again.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append((number, json.loads(line)))
            except ValueError as error:
                raise DataError(f"{path}, record {number} is no JSON: {error}.", hint="Get the file again.") from error
    return rows


def _item(row: Any, split: str, subset: str, where: str) -> Item:
    if not isinstance(row, Mapping) or any(not isinstance(row.get(key), str) for key in _KEYS):
        raise DataError(f"{where}: a problem needs the text fields {', '.join(_KEYS)}.", hint="Get the file again.")
    key = {name: row[name] for name in ("entry_point", "canonical_solution", "test")}
    return Item(row["task_id"], subset, split, row["task_id"], {"prompt": row["prompt"]}, key=key)


def _cases(source: Source, item: Item) -> Mapping[str, Any]:
    return {"prompt": item.fields["prompt"], "test": item.key["test"], "entry_point": item.key["entry_point"]}


def _official(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """The prompt as it stands; a completion ends where the function does (section 2.1 of the paper)."""
    return (Prompt(item.fields["prompt"], Decoding(max_tokens=512, stop=_STOP)),)


def _chat(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    """A request in words for models that chat."""
    text = f"Complete this Python function.\n\n```python\n{item.fields['prompt']}```\n\n"
    return (Prompt(f"{text}Give the whole function, with its imports, in one ```python block.\n", Decoding(1024)),)


def _whole_function(item: Item, text: str) -> str | None:
    """The last fenced block, put after the prompt: the function is defined anew there."""
    found = last_fence(text)
    return f"\n{found}" if found.strip() else None


task = Task(
    title="HumanEval",
    source="arXiv:2107.03374",
    licence="MIT",
    subsets=("humaneval",),
    splits=("test",),
    counts={("test", "humaneval"): 164},
    finder=SourceFinder(
        fits=lambda folder: any((folder / name).is_file() for name in _FILES),
        layout="HumanEval.jsonl.gz, with task_id, prompt, entry_point, canonical_solution, test.",
        hub=Hub("openai/openai_humaneval", "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"),
    ),
    read=_read,
    cases=_cases,
    kind="programs",
    protocols={
        "official": Protocol(
            version=1,
            about="The function's head and docstring, completed up to the paper's stop strings.",
            ability="generate",
            ask=_official,
            ideal=lambda item: (item.key["canonical_solution"],),
        ),
        "chat": Protocol(
            version=1,
            about="A request in words; the function is the last fenced block. For models that chat.",
            ability="generate",
            ask=_chat,
            extract=_whole_function,
            ideal=lambda item: (f"```python\n{item.fields['prompt']}{item.key['canonical_solution']}\n```",),
            deviations=("Not the release's prompt: a request in words; the function is written whole, in a fence.",),
        ),
    },
    examples=(
        Item(
            "example/0",
            "humaneval",
            "test",
            "example/0",
            {"prompt": 'def double(x):\n    """Twice x."""\n'},
            key={
                "entry_point": "double",
                "canonical_solution": "    return 2 * x\n",
                "test": "def check(candidate):\n    assert candidate(2) == 4\n",
            },
        ),
    ),
)
