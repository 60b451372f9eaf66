"""A task with its data: `-T` arguments understood, files read once, counts checked against the release.

Belongs here: what is common to reading any task. Does not belong here: where files may be (`_sources.py`) or what
they mean (each task).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gnomon.errors import DataError, UsageError
from gnomon.registry import did_you_mean
from gnomon.tasks._sources import Folder, MissingFile, Source
from gnomon.tasks._task import Item, Task, registry, task_named

__all__ = ["TASK_ARGUMENTS", "WRITING_ARGUMENTS", "TaskData", "load_task"]

TASK_ARGUMENTS = ("data", "subsets", "split", "counts", "shots_split")
WRITING_ARGUMENTS = ("samples", "temperature", "top_p", "max_tokens")
"""Task arguments wherever a model writes text: how many samples an item, and how they are drawn."""


@dataclass
class TaskData:
    """A task, where its data come from, and which subsets and splits are wanted.

    `notes` collects what a reader must be told of the data, such as other counts than the release's.
    """

    task: Task
    source: Source
    subsets: tuple[str, ...]
    splits: tuple[str, ...]
    shots_split: str | None
    counts_free: bool = False
    notes: list[str] = field(default_factory=list)
    options: Mapping[str, str] = field(default_factory=dict)
    """The other `-T` arguments as given: those of writing, and the task's own."""
    _read: dict[tuple[str, str], list[Item]] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)

    def items(self) -> list[Item]:
        """All wanted items, in the order of splits, subsets and files. Raises DataError that names every missing
        subset."""
        missing = {subset: [split for split in self.splits if not self._has(split, subset)] for subset in self.subsets}
        missing = {subset: splits for subset, splits in missing.items() if splits}
        if missing:
            if len(self.subsets) > 1 and len(missing) == len(self.subsets) and len(self._absent) == 1:
                raise MissingFile(next(iter(self._absent)))  # one file holds all of them, and it says what to do
            names = ", ".join(f"{subset} ({', '.join(splits)})" for subset, splits in missing.items())
            share = f"{len(missing)} of {len(self.subsets)} subsets"
            raise DataError(
                f"{self.source.describe()} lacks {share} of {self.task.name}: {names}.",
                hint="gnomon does not average over what happens to be there: complete the folder, or name "
                "what you want with  -T subsets=... .",
            )
        return [item for split in self.splits for subset in self.subsets for item in self._file(split, subset)]

    def shots(self, subset: str, number: int) -> list[Item]:
        """The first `number` examples of `subset`, in file order.

        Raises DataError where their file is missing, UsageError where it has fewer rows.
        """
        if number < 0:
            raise UsageError(f"{number} few-shot examples were asked for.", hint="Give a whole number from 0.")
        if number == 0:
            return []
        if self.shots_split is None:
            raise UsageError(f"{self.task.name} has no split to take few-shot examples from; use  --shots 0 .")
        if not self._has(self.shots_split, subset):
            raise DataError(
                f"{self.source.describe()} has no {self.shots_split} file of {subset}, where the {number} "
                "few-shot examples come from.",
                hint="Complete the folder, use  --shots 0 , or name another split with  -T "
                "shots_split=... (a deviation).",
            )
        rows = self._file(self.shots_split, subset)
        if len(rows) < number:
            raise UsageError(
                f"{number} few-shot examples were asked for, and {subset} has {len(rows)} in {self.shots_split}.",
                hint="Ask for fewer with  --shots .",
            )
        return rows[:number]

    def checksum(self) -> str:
        """SHA-256 over every item read so far, whatever file they came from: equal data, equal checksum."""
        digest = hashlib.sha256()
        long: dict[str, str] = {}  # a contract stands in 41 items and is hashed once
        for key in sorted(self._read):
            for item in self._read[key]:
                fields = {name: _short(text, long) for name, text in item.fields.items()}
                row = [item.id, item.group, fields, item.choices, item.answer, *([item.key] if item.key else [])]
                digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _has(self, split: str, subset: str) -> bool:
        if (split, subset) in self._read or not isinstance(self.source, Folder):
            return True
        try:
            self._file(split, subset)
        except MissingFile as error:
            self._absent.add(str(error))
            return False
        return True

    def _file(self, split: str, subset: str) -> list[Item]:
        if (split, subset) not in self._read:
            items = self.task.read(self.source, split, subset)
            expected = self.task.counts.get((split, subset))
            if expected is not None and len(items) != expected:
                text = (
                    f"{self.task.name}: {subset} has {len(items):,} rows in {split} here, and "
                    f"{expected:,} in the release"
                )
                if not self.counts_free:
                    raise DataError(
                        f"{text} ({self.source.describe()}).",
                        hint="Complete the file, or accept it as it is with  -T counts=any  (every result "
                        "will say so).",
                    )
                self.notes.append(f"{text}.")
            self._read[split, subset] = items
        return self._read[split, subset]


def _short(text: str, known: dict[str, str]) -> str:
    """`text`, or its hash where it is long."""
    if len(text) < 20_000:
        return text
    if text not in known:
        known[text] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return known[text]


def load_task(name: str, arguments: Mapping[str, str] | None = None) -> TaskData:
    """The task called `name` with `-T` arguments as text; reads no data yet.

    Parameters
    ----------
    name : str
        As in `gnomon ls tasks`; `ethics-justice` is one subset of a task.
    arguments : mapping
        data (a folder), subsets (names joined by commas), split (names joined by commas), counts (release, any),
        shots_split (another split for few-shot examples than the release's); where a model writes text also samples,
        temperature, top_p and max_tokens; and the task's own.

    Raises UsageError for unknown names, DataError where a folder does not hold the release.

    >>> load_task("facts", {"subsets": "capitals-statements"}).items()[0].choices
    ('false', 'true')
    """
    given = dict(arguments or {})
    name, subset = _taken_apart(name)
    if subset:
        if "subsets" in given:
            raise UsageError(
                f"'{name}-{subset}' names a subset, and  -T subsets={given['subsets']}  others.",
                hint="Give one of them.",
            )
        given["subsets"] = subset
    task = task_named(name)
    prompts_notes: list[str] = []
    if task.promptsource and "promptsource" in given:
        from gnomon.tasks._promptsource import with_templates

        task, prompts_notes = with_templates(task, given["promptsource"])
    writes = any(protocol.ability == "generate" for protocol in task.protocols.values())
    prompts = ("promptsource",) if task.promptsource else ()
    own = (*(WRITING_ARGUMENTS if writes else ()), *prompts, *task.options)
    known = (*TASK_ARGUMENTS, *own)
    for key in given:
        if key not in known:
            hint = " ".join(filter(None, [did_you_mean(key, known), f"Known: {', '.join(known)}."]))
            raise UsageError(f"task argument '{key}' is not known to {name}.", hint=hint)
    counts = _one_of("counts", given.get("counts", "release"), ("release", "any"), task.name)
    subsets = _names("subset", given.get("subsets"), task.default_subsets or task.subsets, task.subsets, task.name)
    splits = _names("split", given.get("split"), task.default_splits or task.splits[:1], task.splits, task.name)
    shots_split, notes = _shots_split(task, given.get("shots_split"), splits)
    source = task.finder.find(name, given.get("data"))
    return TaskData(
        task,
        source,
        subsets,
        splits,
        shots_split,
        counts_free=counts == "any",
        notes=[*notes, *prompts_notes],
        options={key: given[key] for key in own if key in given},
    )


def _taken_apart(name: str) -> tuple[str, str]:
    """A task's name, and the subset that follows it after a hyphen, if it is a task with that subset."""
    owner, _, subset = name.partition("-")
    known = registry.names()
    if subset and name not in known and owner in known and subset in task_named(owner).subsets:
        return owner, subset
    return name, ""


def _shots_split(task: Task, given: str | None, splits: Sequence[str]) -> tuple[str | None, list[str]]:
    """Where few-shot examples come from, and a note where the release takes them from elsewhere."""
    if given is None or given == task.shots_split:
        return task.shots_split, []
    _one_of("shots_split", given, sorted({split for split, _ in task.counts}), task.name)
    if given in splits:
        raise UsageError(
            f"shots_split={given} is evaluated too, so prompts would hold their own answers.",
            hint="Name another split with  -T split=... or  -T shots_split=... .",
        )
    usual = f"takes them from {task.shots_split}" if task.shots_split else "has none"
    return given, [f"Few-shot examples come from {given}, and the release {usual}."]


def _names(what: str, given: str | None, default: Sequence[str], known: Sequence[str], task: str) -> tuple[str, ...]:
    """Names joined by commas, each known, in the task's own order."""
    if given is None:
        return tuple(default)
    wanted = [name.strip() for name in given.split(",") if name.strip()]
    if not wanted:
        raise UsageError(f"no {what} of {task} was named.", hint=f"All {len(known)}:  gnomon ls tasks {task}")
    for name in wanted:
        if name not in known:
            hint = " ".join(filter(None, [did_you_mean(name, known), f" All {len(known)}:  gnomon ls tasks {task}"]))
            raise UsageError(f"{task} has no {what} '{name}'.", hint=hint)
    return tuple(name for name in known if name in wanted)


def _one_of(key: str, value: str, allowed: Sequence[str], task: str) -> str:
    if value not in allowed:
        hint = " ".join(filter(None, [did_you_mean(value, allowed), f"Use one of {', '.join(allowed)}."]))
        raise UsageError(f"task argument {key}={value} is not possible for {task}.", hint=hint)
    return value
