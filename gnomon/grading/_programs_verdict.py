"""What is to be run and what is said of a program, for every kind of problem.

Belongs here: the types that descriptions of runs and verdicts have in common. Does not belong here: any benchmark's
rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = [
    "STATUS",
    "Outcome",
    "Result",
    "Run",
    "Verdict",
    "Word",
    "exception_text",
    "said",
    "strict",
    "verdict_of",
]

Word = Literal["passed", "wrong", "error", "timeout", "memory", "output limit", "load error", "harness"]
Result = bool | int
"""The release's code for one case: True, False, -1 (error or time-out), -2 (does not load)."""

STATUS: dict[str, Word] = {
    "error": "error",
    "killed": "error",
    "timeout": "timeout",
    "memory": "memory",
    "output": "output limit",
    "harness": "harness",
}
"""What a process that did not end well means for a case."""


class Outcome(Protocol):
    """What came of a run; `gnomon.sandbox.Outcome` is one."""

    @property
    def status(self) -> str: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def results(self) -> list[Any]: ...
    @property
    def message(self) -> str: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run in a jail: a driver's text, its payload, wall-clock seconds, standard input."""

    driver: str = field(repr=False)
    payload: Mapping[str, Any]
    seconds: float
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one grader says of one program.

    Attributes
    ----------
    results : tuple
        One code a case, as the release of APPS writes them; empty for "harness".
    words : tuple of str
        The same in words, which tell apart what -1 does not. One word alone can stand for a whole program: "load
        error", or why the release's worker died.
    message : str
        About the first case that did not pass. The program's words: hostile text.
    seconds : float
        Wall clock of all runs.
    """

    results: tuple[Result, ...]
    words: tuple[Word, ...]
    message: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return strict(self.results)

    @property
    def graded(self) -> bool:
        """False where the jail failed: there is no verdict then, and none may be made up."""
        return "harness" not in self.words


_CODES: dict[Word, Result] = {"passed": True, "wrong": False, "load error": -2}


def verdict_of(words: Sequence[Word], message: str = "", seconds: float = 0.0) -> Verdict:
    """The verdict on a program from the words for its cases; one case that could not be judged spoils it.

    >>> verdict_of(["passed", "wrong", "timeout"]).results
    (True, False, -1)
    >>> verdict_of(["passed", "harness"]).graded
    False
    """
    if "harness" in words:
        return Verdict((), ("harness",), message, seconds)
    return Verdict(tuple(_CODES.get(word, -1) for word in words), tuple(words), message, seconds)


def strict(results: Sequence[Result]) -> bool:
    """Whether every case passes. No results are no success, though the release has it so.

    >>> strict([True, True]), strict([True, -1]), strict([])
    (True, False, False)
    """
    return bool(results) and all(result > 0 for result in results)


def said(value: Any, word: str, length: int) -> bool:
    """Whether what a driver emitted is a list of that length that begins with that word.

    >>> said(["done"], "done", 1), said({"done": 1}, "done", 1)
    (True, False)
    """
    return isinstance(value, list) and len(value) == length and value[0] == word


def exception_text(value: Any) -> str:
    """Type and text of an exception that a driver tells of; "" for anything else.

    >>> exception_text(["raised", "ValueError", "no"])
    'ValueError: no'
    """
    return f"{value[1]}: {value[2]}"[:500] if isinstance(value, list) and len(value) == 3 else ""
