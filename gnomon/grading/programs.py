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
from collections.abc import Sequence
from typing import Any

from gnomon.errors import UsageError
from gnomon.grading import _programs_corrected as corrected
from gnomon.grading import _programs_official as official
from gnomon.grading._drivers.wire import WireError, decode, encode
from gnomon.grading._programs_cases import Cases, parse_cases
from gnomon.grading._programs_drivers import driver
from gnomon.grading._programs_humaneval import (
    HUMANEVAL_SECONDS,
    HumanEvalProblem,
    humaneval_ended,
    humaneval_runs,
    humaneval_word,
    parse_humaneval,
)
from gnomon.grading._programs_verdict import (
    STATUS,
    Outcome,
    Result,
    Run,
    Verdict,
    Word,
    exception_text,
    said,
    strict,
    verdict_of,
)

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
    "corrected_message",
    "corrected_run",
    "corrected_word",
    "error_rates",
    "exception_text",
    "humaneval_ended",
    "humaneval_runs",
    "humaneval_word",
    "official_run",
    "official_verdict",
    "parse_cases",
    "parse_humaneval",
    "said",
    "strict",
    "verdict_of",
]

OFFICIAL_SECONDS = 11.0
"""For all cases of a program together (the release waits for 10 seconds and one more)."""
CASE_SECONDS = 4.0
"""For one case, as in the release."""
PATIENCE = 3
"""Cases of one program that may run out of time; those after them are not run and count as timed out."""
DIED: tuple[Result, ...] = (-1,) * 21
"""What the release gives a program whose worker dies or hangs: 21 is its average number of cases."""

_EXCEPTIONS: dict[str, Word] = {"_OutOfTime": "timeout", "MemoryError": "memory"}


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
    return Run(driver("apps_official"), payload, OFFICIAL_SECONDS)


def official_verdict(cases: Cases, outcome: Outcome) -> Verdict:
    """The release's results for a program whose `official_run` came to `outcome`.

    Gives (-2,) for a program that does not load, `DIED` for one whose process did not come to its end, else one result
    a case.
    """
    if outcome.status == "harness":
        return verdict_of(["harness"], outcome.message, outcome.seconds)
    heard, seconds = outcome.results, outcome.seconds
    if len(heard) == 1 and said(heard[0], "load", 3):
        return verdict_of(["load error"], exception_text(heard[0]), seconds)
    if len(heard) != len(cases) + 1 or not said(heard[-1], "done", 1):
        word = STATUS.get(outcome.status, "error")
        return Verdict(DIED, (word,), outcome.message or "it ended before its last case", seconds)
    try:
        judged = [_official_case(cases, index, one) for index, one in enumerate(heard[:-1])]
    except official.WorkerDied as error:
        return Verdict(DIED, ("error",), f"the release's comparison fails: {error}", seconds)
    message = next((exception_text(one) for one, (_, word) in zip(heard, judged, strict=False) if word != "passed"), "")
    return Verdict(tuple(result for result, _ in judged), tuple(word for _, word in judged), message, seconds)


def _official_case(cases: Cases, index: int, heard: Any) -> tuple[Result, Word]:
    if cases.fn_name is None:
        if index >= len(cases.outputs):
            raise official.WorkerDied(f"case {index} has no expected output")
        official.printable(cases.inputs[index])
        official.printable(cases.outputs[index])
    if said(heard, "error", 3):
        return -1, _EXCEPTIONS.get(str(heard[1]), "error")
    same: Result = -1
    if said(heard, "text", 2) and isinstance(heard[1], str) and cases.fn_name is None:
        same = official.same_printed(heard[1], cases.outputs[index])
    elif said(heard, "value", 2) and cases.fn_name is not None:
        with contextlib.suppress(WireError):  # written by the program itself
            same = official.same_returned(decode(heard[1]), cases.outputs, index)
    return same, "passed" if same is True else "wrong" if same is False else "error"


# ------------------------------------------------------------------------------------------------ APPS, faults mended


def corrected_run(program: str, cases: Cases, index: int) -> Run:
    """A process of its own for the case of that `index`."""
    given = cases.inputs[index]
    if cases.fn_name is None:
        text = corrected.text_of(given).encode("utf-8", "surrogatepass")
        return Run(driver("apps_program"), {"program": program}, CASE_SECONDS, text)
    payload = {"program": program, "name": cases.fn_name, "arguments": encode(corrected.arguments(given))}
    return Run(driver("apps_call"), payload, CASE_SECONDS)


def corrected_word(cases: Cases, index: int, outcome: Outcome) -> Word:
    """The verdict on one case whose `corrected_run` came to `outcome`."""
    if outcome.status == "harness":
        return "harness"
    first = outcome.results[0] if outcome.results else None
    if said(first, "load", 3):
        return "load error"
    if outcome.status != "ok":
        return STATUS.get(outcome.status, "error")
    expected = cases.outputs[index]
    if cases.fn_name is None:
        return "passed" if corrected.same_printed(outcome.stdout.decode("utf-8", "replace"), expected) else "wrong"
    if not isinstance(first, list) or not said(first, "value", 2):
        return "error"
    try:
        return "passed" if corrected.same_returned(decode(first[1]), expected) else "wrong"
    except WireError:
        return "error"


def corrected_message(word: Word, index: int, outcome: Outcome) -> str:
    """What is to be said of a case that did not pass.

    The program's words, where it left any.
    """
    text = exception_text(outcome.results[0]) if word == "load error" else outcome.message
    return f"case {index}: {text}" if text else f"case {index}: {word}"


# ------------------------------------------------------------------------------------------------------------ metrics


def case_average(results: Sequence[Result]) -> float:
    """Share of the cases that pass (results above 0), in [0, 1]; 0 where there are none, which the release has as NaN.

    >>> case_average([True, -1, False, True])
    0.5
    """
    return sum(result > 0 for result in results) / len(results) if results else 0.0


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
