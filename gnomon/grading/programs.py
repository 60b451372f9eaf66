"""Judging programs by test cases (APPS) and by tests (HumanEval): what is to be run, and what its outcome means.

Belongs here: descriptions of runs, verdicts, metrics. Does not belong here: running anything (`evaluation/_jailed.py`
runs it in `sandbox/`), what happens inside a jail (`_drivers/`), how outputs are compared (`_programs_official.py`,
`_programs_corrected.py`).

A program never shares a process with the outputs that are expected of it, nor with its verdict. It can print and return
what it likes; it cannot know or change what that is compared with.

Where the verdicts of APPS' grader "official" differ from the release's
    - The release compares in the program's own process. Objects that claim to be equal to everything, and programs that
      read or change the expected outputs or the comparison, pass there and do not pass here.
    - The release has no limit of memory and of output; a program beyond the limits here has died: 21 times -1.
    - What is returned crosses as a value: of a subclass with an equality of its own nothing is left to compare with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from gnomon.errors import DataError, UsageError
from gnomon.grading import _programs_corrected as corrected
from gnomon.grading import _programs_official as official
from gnomon.grading._drivers.wire import WireError, decode, encode
from gnomon.grading._programs_cases import Cases, parse_cases
from gnomon.grading._programs_drivers import driver

__all__ = [
    "CASE_SECONDS",
    "DIED",
    "HUMANEVAL_SECONDS",
    "OFFICIAL_SECONDS",
    "PATIENCE",
    "Cases",
    "HumanEvalProblem",
    "Outcome",
    "Result",
    "Run",
    "Verdict",
    "Word",
    "best_average",
    "case_average",
    "corrected_run",
    "corrected_verdict",
    "corrected_word",
    "error_rates",
    "humaneval_runs",
    "official_run",
    "official_verdict",
    "parse_cases",
    "parse_humaneval",
    "strict",
]

Word = Literal["passed", "wrong", "error", "timeout", "memory", "output limit", "load error", "harness"]
Result = bool | int
"""The release's code for one case: True, False, -1 (error or time-out), -2 (does not load)."""

OFFICIAL_SECONDS = 11.0
"""For all cases of a program together (the release waits for 10 seconds and one more)."""
CASE_SECONDS = 4.0
"""For one case, as in the release."""
HUMANEVAL_SECONDS = 3.0
"""For a program and all its tests, as in the release of HumanEval."""
PATIENCE = 3
"""Cases of one program that may run out of time; those after them are not run and count as timed out."""
DIED: tuple[Result, ...] = (-1,) * 21
"""What the release gives a program whose worker dies or hangs: 21 is its average number of cases."""

_STATUS: dict[str, Word] = {
    "error": "error",
    "killed": "error",
    "timeout": "timeout",
    "memory": "memory",
    "output": "output limit",
    "harness": "harness",
}
_EXCEPTIONS: dict[str, Word] = {"_OutOfTime": "timeout", "MemoryError": "memory"}
_CODES: dict[Word, Result] = {"passed": True, "wrong": False, "load error": -2}


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
    """What is to be run in a jail: a driver's text, its payload, standard input, wall-clock seconds."""

    driver: str = field(repr=False)
    payload: Mapping[str, Any]
    stdin: bytes = b""
    seconds: float = CASE_SECONDS


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


def _harness(outcome: Outcome, seconds: float) -> Verdict:
    return Verdict((), ("harness",), outcome.message, seconds)


# ------------------------------------------------------------------------------------------------- APPS, as released


def official_run(program: str, cases: Cases) -> Run:
    """One process for all cases, as the release does it."""
    inputs = []
    for given in cases.inputs:
        try:
            given = official.printable(given) if cases.fn_name is None else official.arguments(given)
        except official.WorkerDied:  # told when the verdict is asked for: a program that does not load comes first
            given = None
        inputs.append(encode(given))
    payload = {"program": program, "name": cases.fn_name, "inputs": inputs}
    return Run(driver("apps_official"), payload, seconds=OFFICIAL_SECONDS)


def official_verdict(cases: Cases, outcome: Outcome) -> Verdict:
    """The release's results for a program whose `official_run` came to `outcome`.

    Gives (-2,) for a program that does not load, `DIED` for one whose process did not come to its end, else one result
    a case.
    """
    if outcome.status == "harness":
        return _harness(outcome, outcome.seconds)
    said, seconds = outcome.results, outcome.seconds
    if len(said) == 1 and _said(said[0], "load", 3):
        return Verdict((-2,), ("load error",), _message(said[0]), seconds)
    if len(said) != len(cases) + 1 or not _said(said[-1], "done", 1):
        word = _STATUS.get(outcome.status, "error")
        return Verdict(DIED, (word,), outcome.message or "it ended before its last case", seconds)
    try:
        judged = [_official_case(cases, index, one) for index, one in enumerate(said[:-1])]
    except official.WorkerDied as error:
        return Verdict(DIED, ("error",), f"the release's comparison fails: {error}", seconds)
    message = next((_message(one) for one, (_, word) in zip(said, judged, strict=False) if word != "passed"), "")
    return Verdict(tuple(result for result, _ in judged), tuple(word for _, word in judged), message, seconds)


def _official_case(cases: Cases, index: int, said: Any) -> tuple[Result, Word]:
    if cases.fn_name is None:
        if index >= len(cases.outputs):
            raise official.WorkerDied(f"case {index} has no expected output")
        official.printable(cases.inputs[index])
        official.printable(cases.outputs[index])
    if _said(said, "error", 3):
        return -1, _EXCEPTIONS.get(str(said[1]), "error")
    same: Result = -1
    if _said(said, "text", 2) and isinstance(said[1], str) and cases.fn_name is None:
        same = official.same_printed(said[1], cases.outputs[index])
    elif _said(said, "value", 2) and cases.fn_name is not None:
        with contextlib.suppress(WireError):  # written by the program itself
            same = official.same_returned(decode(said[1]), cases.outputs, index)
    return same, "passed" if same is True else "wrong" if same is False else "error"


def _said(value: Any, word: str, length: int) -> bool:
    return isinstance(value, list) and len(value) == length and value[0] == word


def _message(said: Any) -> str:
    """Type and text of an exception that a driver tells of; "" for anything else."""
    return f"{said[1]}: {said[2]}"[:500] if isinstance(said, list) and len(said) == 3 else ""


# ------------------------------------------------------------------------------------------------ APPS, faults mended


def corrected_run(program: str, cases: Cases, index: int) -> Run:
    """A process of its own for the case of that `index`."""
    given = cases.inputs[index]
    if cases.fn_name is None:
        text = corrected.text_of(given).encode("utf-8", "surrogatepass")
        return Run(driver("apps_program"), {"program": program}, text)
    payload = {"program": program, "name": cases.fn_name, "arguments": encode(corrected.arguments(given))}
    return Run(driver("apps_call"), payload)


def corrected_word(cases: Cases, index: int, outcome: Outcome) -> Word:
    """The verdict on one case whose `corrected_run` came to `outcome`."""
    if outcome.status == "harness":
        return "harness"
    first = outcome.results[0] if outcome.results else None
    if _said(first, "load", 3):
        return "load error"
    if outcome.status != "ok":
        return _STATUS.get(outcome.status, "error")
    expected = cases.outputs[index]
    if cases.fn_name is None:
        return "passed" if corrected.same_printed(outcome.stdout.decode("utf-8", "replace"), expected) else "wrong"
    if not isinstance(first, list) or not _said(first, "value", 2):
        return "error"
    try:
        return "passed" if corrected.same_returned(decode(first[1]), expected) else "wrong"
    except WireError:
        return "error"


def corrected_verdict(words: Sequence[Word], message: str = "", seconds: float = 0.0) -> Verdict:
    """The verdict on a program from the words for its cases; one case that could not be judged spoils it.

    >>> corrected_verdict(["passed", "wrong", "timeout"]).results
    (True, False, -1)
    """
    if "harness" in words:
        return Verdict((), ("harness",), message, seconds)
    return Verdict(tuple(_CODES.get(word, -1) for word in words), tuple(words), message, seconds)


# ---------------------------------------------------------------------------------------------------------- HumanEval


@dataclass(frozen=True, slots=True)
class HumanEvalProblem:
    """A prompt that a completion goes on from, tests that define `check(candidate)`, and the function's name."""

    prompt: str
    test: str
    entry_point: str


def parse_humaneval(row: Mapping[str, Any], where: str) -> HumanEvalProblem:
    """The problem in a record; raises DataError where one of its three texts is missing.

    >>> parse_humaneval({"prompt": "def f():\\n", "test": "", "entry_point": "f"}, "record 1").entry_point
    'f'
    """
    for key in ("prompt", "test", "entry_point"):
        if not isinstance(row.get(key), str):
            raise DataError(f"{where} has no text '{key}'.", hint="Get the file again; it should be as released.")
    return HumanEvalProblem(row["prompt"], row["test"], row["entry_point"])


def humaneval_runs(problem: HumanEvalProblem, completion: str) -> tuple[Run, Run]:
    """Two processes that must not meet: the one that serves the function, and the one that checks it.

    The program is the prompt with the completion after it, as it stands. The checker has the prompt too, for helper
    functions in it that tests call.
    """
    program = {"program": problem.prompt + completion, "name": problem.entry_point}
    tests = {"prompt": problem.prompt, "test": problem.test, "name": problem.entry_point}
    return (
        Run(driver("humaneval_candidate"), program, seconds=HUMANEVAL_SECONDS),
        # It waits for the other one, whose time is limited; this limit is for a machine that stands still.
        Run(driver("humaneval_checker"), tests, seconds=HUMANEVAL_SECONDS + 60),
    )


# ------------------------------------------------------------------------------------------------------------ metrics


def case_average(results: Sequence[Result]) -> float:
    """Share of the cases that pass (results above 0), in [0, 1]; 0 where there are none, which the release has as NaN.

    >>> case_average([True, -1, False, True])
    0.5
    """
    return sum(result > 0 for result in results) / len(results) if results else 0.0


def strict(results: Sequence[Result]) -> bool:
    """Whether every case passes. No results are no success, though the release has it so.

    >>> strict([True, True]), strict([True, -1]), strict([])
    (True, False, False)
    """
    return bool(results) and all(result > 0 for result in results)


def best_average(programs: Sequence[Sequence[Result]], k: int | None = None) -> tuple[float, bool]:
    """Top-k of one problem, over its first `k` programs: the best share of cases, and whether any passes all.

    (Section 5 of the paper. The release's code does not compute it: it pools all cases of all programs.) Raises
    UsageError where there are fewer than k programs, or none.

    >>> best_average([[False, True], [-2], [True, True]], k=2)
    (0.5, False)
    """
    if not programs or (k is not None and not 1 <= k <= len(programs)):
        raise UsageError(f"top-{k or 'k'} was asked for of {len(programs)} programs.", hint="Give at least k, from 1.")
    first = programs[:k]
    return max(map(case_average, first)), any(map(strict, first))


def error_rates(programs: Sequence[Sequence[Result]]) -> tuple[float, float]:
    """Share of the programs that do not load, and of those with an error or time-out in at least one case.

    Both divide by the number of programs, as the release does. Raises UsageError for no programs.

    >>> error_rates([[-2], [True, -1, -1], [True, True], [False]])
    (0.25, 0.25)
    """
    if not programs:
        raise UsageError("error rates of no programs were asked for.", hint="Give the results of at least one.")
    return (
        sum(-2 in results for results in programs) / len(programs),
        sum(-1 in results for results in programs) / len(programs),
    )
