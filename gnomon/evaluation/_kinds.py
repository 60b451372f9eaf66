"""What the kinds of benchmark have in common: how one is asked, read, graded and summed up.

Belongs here: the contract, and the settings of a run. Does not belong here: any kind (`_choice.py`, `_mathematics.py`,
`_moves.py`, `_programs.py`, `_spans.py`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from typing import Protocol as Contract

from gnomon.asks import Answer, Asking, Decoding, Prompt
from gnomon.blocks import Block, Note
from gnomon.errors import UsageError
from gnomon.registry import did_you_mean
from gnomon.runs import Record
from gnomon.tasks import Item, Protocol, TaskData

if TYPE_CHECKING:
    from gnomon.evaluation._summary import Answered

__all__ = ["Appender", "Asked", "Kind", "Progress", "Settings", "Work", "read_settings"]

Progress = Callable[[int, int], None]
Appender = Callable[[Sequence[Record]], None]

_DECODING = ("temperature", "top_p", "max_tokens")


@dataclass(frozen=True)
class Asked:
    """An item with its asks and the number of few-shot examples in them. No asks where answers come from a file."""

    item: Item
    asks: tuple[Asking, ...]
    shots: int


@dataclass(frozen=True)
class Settings:
    """What a user may set beyond the protocol. `samples` texts an item; None leaves a number to the protocol."""

    samples: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    grader: str = ""
    seed: int = 0
    unsafe_code: bool = False

    def prompts(self, item: Item, prompt: Prompt) -> list[Prompt]:
        """`prompt` once a sample, each with its own seed, which depends on run seed, item and number alone."""
        decoding = self.decoding(prompt.decoding)
        seeds = [_seed(self.seed, item.id, number) if decoding.temperature else 0 for number in range(self.samples)]
        return [dataclasses.replace(prompt, decoding=decoding, seed=seed) for seed in seeds]

    def decoding(self, usual: Decoding) -> Decoding:
        """The protocol's decoding with what the user set."""
        return dataclasses.replace(
            usual,
            max_tokens=usual.max_tokens if self.max_tokens is None else self.max_tokens,
            temperature=usual.temperature if self.temperature is None else self.temperature,
            top_p=usual.top_p if self.top_p is None else self.top_p,
        )

    def beyond(self, usual: Decoding) -> Settings:
        """These settings less what the protocol's own decoding says anyway: said or not, it is the same run."""
        same = {name: None for name in _DECODING if getattr(self, name) == getattr(usual, name)}
        return dataclasses.replace(self, **same)  # type: ignore[arg-type]

    def spec(self) -> dict[str, Any]:
        """What belongs to the run's identity; nothing where nothing differs from the protocol."""
        usual = Settings()
        given = {
            name: value
            for name in ("samples", *_DECODING, "grader")
            if (value := getattr(self, name)) != getattr(usual, name)
        }
        return {**given, **({"sampling_seed": self.seed} if self.temperature else {})}


def _seed(seed: int, item: str, number: int) -> int:
    digest = hashlib.sha256(f"{seed}/sampling/{item}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")  # servers take seeds of 32 bits


@dataclass(frozen=True)
class Work:
    """What is settled before the first question: the data, the protocol, the settings."""

    data: TaskData
    protocol: Protocol
    settings: Settings


class Kind(Contract):
    """How one kind of benchmark reads, grades and sums up."""

    graders: tuple[str, ...]
    """Whose verdict can be the score (`-T grader=`), the default first; empty where there is no choice."""
    several: bool
    """Whether several samples an item make sense."""

    def refuse_early(self, work: Work) -> None:
        """Raise for what this kind lacks here, such as a jail, before anything is written."""
        ...

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        """What an item's record holds, from whole answers; cheap grading is done here."""
        ...

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        """Grade what `read` left open, journalling each record as it is done; gives remarks for the log."""
        ...

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        """The result's blocks, from records alone."""
        ...


def read_settings(given: Mapping[str, str], kind: Kind, task: str, seed: int, unsafe_code: bool) -> Settings:
    """The settings in `-T` arguments; raises UsageError for values out of range."""
    samples = int(_number(given, "samples", 1, 10_000, whole=True) or 1)
    if samples > 1 and not kind.several:
        raise UsageError(f"{task} takes one sample an item; got samples={samples}.", hint="Leave out  -T samples=... .")
    temperature = _number(given, "temperature", 0, 10)
    if samples > 1 and not temperature:
        raise UsageError(
            f"samples={samples} at temperature 0 would be one text {samples} times.",
            hint="Add a temperature, for example  -T temperature=0.8 .",
        )
    max_tokens = _number(given, "max_tokens", 1, 1_000_000, whole=True)
    grader = given.get("grader", kind.graders[0] if kind.graders else "")
    if kind.graders and grader not in kind.graders:
        hint = " ".join(filter(None, [did_you_mean(grader, kind.graders), f"Known: {', '.join(kind.graders)}."]))
        raise UsageError(f"{task} has no grader '{grader}'.", hint=hint)
    return Settings(
        samples=samples,
        temperature=temperature,
        top_p=_number(given, "top_p", 0.0001, 1),
        max_tokens=None if max_tokens is None else int(max_tokens),
        grader=grader,
        seed=seed,
        unsafe_code=unsafe_code,
    )


def _number(given: Mapping[str, str], key: str, low: float, high: float, whole: bool = False) -> float | None:
    if key not in given:
        return None
    try:
        value = float(given[key])
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (whole and value != int(value)):
        what = "a whole number" if whole else "a number"
        raise UsageError(f"task argument {key}={given[key]}: give {what} from {low:g} to {high:,}.")
    return value
