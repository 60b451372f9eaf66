"""Programs made elsewhere, in a file: read, matched with the task's items, and handed out like a model's answers.

Belongs here: the file's formats and its faults. Does not belong here: grading.

Formats, plain or gzipped:

- JSON lines, one object a line: the item under `task_id`, `problem_id` or `id`; one text under `completion`,
  `solution`, `program`, `code` or `output`, or several in a list under their plural, `samples` or `generations`.
  Lines with the same item add up. In place of an id, HumanEval takes the `prompt`, which names the function.
- one JSON object from item to text or list of texts, as the APPS release's `all_codes.json`;
- one JSON list of such objects.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Completion
from gnomon.errors import DataError
from gnomon.tasks import Item

__all__ = ["Solutions"]

_IDS = ("task_id", "problem_id", "id")
_ONE = ("completion", "solution", "program", "code", "output")
_MANY = (*(f"{name}s" for name in _ONE), "samples", "generations")
_FUNCTION = re.compile(r"^\s*def (\w+)\s*\(", re.MULTILINE)


class Solutions:
    """A file of programs in a model's place.

    Parameters
    ----------
    path : Path
        Read at once; raises DataError that names file and record for what is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"solutions/{path.name}"
        data = _read(path)
        self._hash = hashlib.sha256(data).hexdigest()
        self._rows = [row for number, one in _records(path, data) for row in _row(path, number, one)]
        self._programs: dict[str, list[str]] = {}
        if not self._rows:
            raise DataError(f"{path} holds no program.", hint="Give JSON lines with task_id and completion.")

    def fingerprint(self) -> str:
        return f"solutions {self._hash}"

    def facts(self) -> dict[str, str]:
        return {"provider": "solutions", "file": self.path.name, "sha256": self._hash[:16]}

    def match(self, wanted: Sequence[Item], every: Sequence[Item], part: bool = False) -> int:
        """Give each item of `wanted` its programs; gives the number of records that were passed over.

        Raises DataError for a record of no item of `every`, and where items of `wanted` have no program. `part`:
        `every` is a part of the task, and records of no item in it may belong to the rest; they are passed over.
        """
        names: dict[str, set[str]] = {}
        for item in every:
            for alias in _aliases(item):
                names.setdefault(alias, set()).add(item.id)
        prompts = {item.id: item.fields.get("prompt", "") for item in every}
        found: dict[str, list[str]] = {}
        passed = 0
        for number, name, programs, prompt in self._rows:
            meant = names.get(name, set())
            if part and not meant:
                passed += 1
                continue
            if len(meant) > 1 and prompt:  # two functions of one name: the prompt tells which
                meant = _nearest(prompt, {one: prompts[one] for one in meant})
            if len(meant) != 1:  # the same number in two splits, for example
                what = (
                    f"the name of several items ({', '.join(sorted(meant)[:3])})" if meant else "no item of this task"
                )
                raise DataError(
                    f"{self.path}, record {number}: {name!r} is {what}.",
                    hint=f"Items are named as {every[0].id} is, for example.",
                )
            found.setdefault(next(iter(meant)), []).extend(programs)
        missing = [item.id for item in wanted if not found.get(item.id)]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            raise DataError(
                f"{self.path} has no program for {len(missing):,} of {len(wanted):,} items: {shown}",
                hint="Complete the file (an empty text counts as a wrong program), or ask for fewer items with "
                " --limit  or  -T subsets=... .",
            )
        self._programs = found
        return passed

    def answers(self, item: str) -> list[Completion]:
        """The programs of an item, as if they had just been written."""
        return [Completion(program, 0) for program in self._programs[item]]

    def input(self, item: str) -> str:
        """A hash of the item's programs: another file's are other records."""
        return hashlib.sha256(json.dumps(self._programs[item]).encode()).hexdigest()[:16]


def _nearest(prompt: str, candidates: Mapping[str, str]) -> set[str]:
    """The items whose prompt has most words in common with `prompt`, which may lack examples or be worded anew."""
    words = set(prompt.split())
    common = {
        item: len(words & set(text.split())) / len(words | set(text.split())) for item, text in candidates.items()
    }
    return {item for item, share in common.items() if share == max(common.values())}


def _aliases(item: Item) -> Iterator[str]:
    """The names by which files call an item."""
    yield item.id
    if "number" in item.key:
        yield str(item.key["number"])
        yield f"{item.key['number']:04d}"
    if "entry_point" in item.key:
        yield f"def {item.key['entry_point']}"


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except FileNotFoundError:
        raise DataError(f"there is no file {path}.", hint="Give a file of programs with  --solutions FILE .") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", hint="It should be a JSON file that you may read."
        ) from error


def _records(path: Path, data: bytes) -> Iterator[tuple[int, Any]]:
    """Records with their number from 1: lines, the members of one list, or the pairs of one object."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}.", hint="Write it as UTF-8.") from error
    # Line feeds alone: other characters that Python takes for line ends may stand within a JSON string.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        return
    whole = _whole(text) if len(lines) == 1 or not _is_object(lines[0][1]) else None
    if isinstance(whole, list):
        yield from enumerate(whole, start=1)
    elif isinstance(whole, Mapping) and not any(key in whole for key in (*_IDS, "prompt")):
        for number, (name, programs) in enumerate(whole.items(), start=1):
            several = programs if isinstance(programs, list) else [programs]
            yield number, {"task_id": name, "completions": several}
    else:
        for number, line in lines:
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{path}, record {number} is no JSON: {error}.", hint="One JSON object a line, or one for the file."
                ) from error


def _is_object(line: str) -> bool:
    return isinstance(_whole(line), Mapping)


def _whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _row(path: Path, number: int, row: Any) -> Iterator[tuple[int, str, list[str], str]]:
    """Number, name, programs and, where that names the item, the prompt."""
    where = f"{path}, record {number}"
    if not isinstance(row, Mapping):
        raise DataError(f"{where} is no object but {type(row).__name__}.", hint="Give task_id and completion.")
    named, prompt = next((str(row[key]) for key in _IDS if key in row), None), ""
    if named is None and isinstance(row.get("prompt"), str):
        prompt = row["prompt"]
        functions = _FUNCTION.findall(prompt)
        named = f"def {functions[-1]}" if functions else None
    if named is None:
        raise DataError(f"{where} names no item.", hint=f"Add one of {', '.join(_IDS)}.")
    programs = next((row[key] for key in _MANY if key in row), None)
    if programs is None:
        programs = [row[key] for key in _ONE if key in row][:1]
    if not isinstance(programs, list) or not programs or not all(isinstance(text, str) for text in programs):
        raise DataError(
            f"{where} ({named}) holds no program.", hint=f"Add a text under {_ONE[0]} or a list under {_MANY[0]}."
        )
    yield number, named, programs, prompt
