"""What is asked: items, the ways of asking them (protocols), and what a task must say of itself.

Belongs here: the types and the registry of tasks. Does not belong here: any task (each is a file of this folder; the
file name is the task's name), or where data come from (`_sources.py`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from gnomon.asks import Ask, Asking, Passage, Prompt, Scored
from gnomon.errors import UsageError
from gnomon.grading.choices import Choice, best
from gnomon.registry import Registry, did_you_mean
from gnomon.tasks._sources import Source, SourceFinder

if TYPE_CHECKING:
    from gnomon.tasks._judged import Judged

__all__ = ["Item", "Kind", "Metric", "Protocol", "ShotLimit", "Task", "group_name", "one_ask", "registry", "task_named"]

Kind = Literal["choice", "mathematics", "moves", "programs", "spans"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question. Rows that share a passage, scenario or premise share a `group`, known by its name alone in all
    subsets and splits of the task: a name that is but a number must hold subset and split.

    `id` is unique within the task and stable. `fields` is what a protocol asks from. Where options are chosen from,
    `answer` is an index into `choices`; elsewhere `key` holds what only the judge may see (a reference answer, test
    cases, gold spans), as values that JSON can hold.
    """

    id: str
    subset: str
    split: str
    group: str
    fields: Mapping[str, str]
    choices: tuple[str, ...] = ()
    answer: int = -1
    key: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ShotLimit:
    """Drop the last few-shot example while the prompt has more than `tokens` tokens, counted with GPT-2's
    vocabulary."""

    tokens: int


Asker = Callable[[Item, Sequence[Item]], tuple[Asking, ...]]
Reader = Callable[[Item, Sequence[Scored]], Choice]
Extractor = Callable[[Item, str], str | None]


def one_ask(item: Item, answers: Sequence[Scored]) -> Choice:
    """The commonest reader: one ask, whose continuations are the item's choices in their order."""
    return best(answers[0].logprobs)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A named, versioned way of asking and reading.

    Parameters
    ----------
    version : int
        Raised whenever a byte of a prompt or a rule of reading changes.
    about : str
        One sentence: whose protocol this is.
    ask : callable (item, shots) -> tuple of Ask, one Prompt or one Passage
    ability : {"score", "generate", "highlight"}
        What a model must be able to do; settles what `ask` gives.
    read : callable (item, answers) -> Choice
        From log-probabilities to an option.
    extract : callable (item, text) -> str or None
        From what a model wrote to its answer; None where there is none. A prompt's text goes through this alone.
    shots : int
        Few-shot examples by default.
    ideal : callable (item) -> tuple
        For each ask, the continuation that a perfect model prefers (an index), the text that it writes, or the spans
        (start, end) that it marks.
    limit : ShotLimit or None
        When examples are dropped; None leaves that to the model's context length, which cuts on the left.
    deviations : tuple of str
        What differs from the paper's release; shown in every result.
    reading : str
        The name of the rule of reading, where two protocols ask the same and read it differently; "" elsewhere.
    """

    version: int
    about: str
    ask: Asker
    ability: Literal["score", "generate", "highlight"] = "score"
    read: Reader = one_ask
    extract: Extractor = lambda item, text: text
    shots: int = 0
    ideal: Callable[[Item], tuple[Any, ...]] = lambda item: (item.answer,)
    limit: ShotLimit | None = None
    deviations: tuple[str, ...] = ()
    reading: str = ""

    def fingerprint(self, examples: Sequence[Item]) -> str:
        """12 hex digits that change with any byte of a prompt: a hash of `examples` asked with no shot, one and two."""
        parts: list[object] = [self.version, self.shots, self.limit.tokens if self.limit else None]
        parts += [self.reading] if self.reading else []
        for item in examples:
            for shots in ([], [item], [item, item]):
                parts.append([_parts(ask) for ask in self.ask(item, shots)])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _parts(ask: Asking) -> list[object]:
    """All that a model is given, for a hash. Lengths and temperatures are settings of a run, not of a protocol."""
    match ask:
        case Ask():
            return [ask.context, *ask.continuations]
        case Prompt():
            return [ask.context, "stop", *ask.decoding.stop]
        case Passage():
            return [ask.question, ask.context]


@dataclass(frozen=True)
class Metric:
    """What one subset reports: "accuracy" over rows, or "exact match" over whole groups of `group_size` rows.

    `chance` is the expected value of the paper's random baseline, in [0, 1]; None computes it from the number of
    choices.
    """

    name: str = "accuracy"
    group_size: int | None = None
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """A benchmark or data set: where its items come from, how they may be asked, what is reported.

    Parameters
    ----------
    title, source, licence : str
        Shown to readers; `source` is the paper (arXiv id).
    subsets : tuple of str
        In the order of tables.
    splits : tuple of str
        Splits that can be evaluated, the default first; see `default_splits`.
    counts : mapping (split, subset) -> int
        Rows in the release, checked on reading.
    finder : SourceFinder
        Where the data may be.
    read : callable (source, split, subset) -> list of Item
    protocols : mapping name -> Protocol
        The first is the default.
    shots_split : str or None
        Where few-shot examples come from, in file order.
    metrics : mapping subset -> Metric
        Subsets not named report accuracy.
    rollups : mapping name -> callable (item) -> str or None
        Larger groups of items that are reported by pooling, such as MMLU's categories. None leaves an item out.
    headline : {"micro", "macro"}
        Which average the paper reports: over questions, or over subsets.
    kind : {"choice", "mathematics", "moves", "programs", "spans"}
        How answers are judged and summed up.
    notes : callable (items) -> list of str
        What a reader must be told of the items that were read; a deviation each.
    cases : callable (source, item) -> mapping
        What programs are run on, read when they are graded: test cases are large, and no prompt may hold them.
    together : bool
        Whether a `--limit` draws the same groups in every subset (one contract has a question of each category).
    options : mapping name -> str
        Task arguments (`-T`) of this task alone, each with a sentence for `gnomon ls tasks NAME`.
    body : str
        The field that holds the text under judgement, to whose end a study may add words; "" where there is none.
    negations : mapping of subset to subset
        Which subset negates (or reverses) the statements of which.
    default_subsets : tuple of str
        Subsets that are taken where none is named; all of them where this is empty.
    judge : callable (item) -> tuple of Judged
        How an item becomes texts that are right or wrong, where the general rule (see `judged`) would not do.
    compared : bool
        Whether the two choices are long texts to be compared, such as two replies, of which one was preferred.
    difficulty : callable (item) -> float
        A number that grows with an item's difficulty, such as a puzzle's rating; None where the task knows none.
    promptsource : str
        Where promptsource keeps templates of this data set, such as "super_glue/boolq"; "" where it has none.
    examples : tuple of Item
        A few items written for this project, one of each shape; protocols are fingerprinted on them.
    """

    title: str
    source: str
    licence: str
    subsets: tuple[str, ...]
    splits: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]
    finder: SourceFinder
    read: Callable[[Source, str, str], list[Item]]
    protocols: Mapping[str, Protocol]
    examples: tuple[Item, ...]
    default_splits: tuple[str, ...] = ()
    shots_split: str | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    rollups: Mapping[str, Callable[[Item], str | None]] = field(default_factory=dict)
    headline: str = "micro"
    kind: Kind = "choice"
    notes: Callable[[Sequence[Item]], list[str]] = lambda items: []
    cases: Callable[[Source, Item], Mapping[str, Any]] | None = None
    together: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    negations: Mapping[str, str] = field(default_factory=dict)
    default_subsets: tuple[str, ...] = ()
    judge: Callable[[Item], tuple[Judged, ...]] | None = None
    compared: bool = False
    difficulty: Callable[[Item], float] | None = None
    promptsource: str = ""
    name: str = ""

    def metric(self, subset: str) -> Metric:
        """What `subset` reports."""
        return self.metrics.get(subset, Metric())

    def protocol(self, name: str | None) -> tuple[str, Protocol]:
        """The protocol called `name` (None: the default) with its name; raises UsageError with the closest one."""
        if name is None:
            return next(iter(self.protocols.items()))
        if name not in self.protocols:
            hint = " ".join(filter(None, [did_you_mean(name, self.protocols), f"Known: {', '.join(self.protocols)}."]))
            raise UsageError(f"{self.name} has no protocol '{name}'.", hint=hint)
        return name, self.protocols[name]

    def fingerprint(self, protocol: Protocol) -> str:
        """The hash of `protocol` on this task's own examples."""
        return protocol.fingerprint(self.examples)


def group_name(text: str) -> str:
    """A short name for rows that share `text`: 16 hex digits of its hash.

    >>> group_name("a passage")
    '6221239270e78eed'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


registry = Registry(kind="task", package="gnomon.tasks", attribute="task", group="gnomon.tasks")


def task_named(name: str) -> Task:
    """The task called `name`; raises UsageError with the closest name where there is none.

    >>> task_named("mmul")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gnomon.errors.UsageError: no task is named 'mmul'. Did you mean 'mmlu'? Known: ag_news, ...
    """
    return dataclasses.replace(cast(Task, registry.load(name)), name=name)
