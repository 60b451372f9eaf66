"""Judging completions of HumanEval problems by the problems' own tests, in two processes that never meet.

Belongs here: what the two are given, and what their conversation means. Does not belong here: the conversation itself
(`evaluation/_jailed.py`), what happens inside (`_drivers/humaneval_*.py`).

In the release (openai/human-eval, execution.py) program and tests share a process, so that a program that ends it, or
answers with an object that is equal to everything, can pass. Here the tests call a stand-in, and values cross between
the two processes. What that changes beside such programs
    - A function that changes its arguments changes copies.
    - What is returned crosses as a value: generators, functions, objects of classes of its own are equal to nothing.
    - Names that a program overwrites, helper functions of the prompt among them, are overwritten for itself alone.
    - The program must compile by itself: the release puts the tests after it before it compiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.errors import DataError
from gnomon.grading._programs_drivers import driver
from gnomon.grading._programs_verdict import STATUS, Outcome, Run, Word, exception_text, said

__all__ = [
    "HUMANEVAL_SECONDS",
    "HumanEvalProblem",
    "humaneval_ended",
    "humaneval_runs",
    "humaneval_word",
    "parse_humaneval",
]

HUMANEVAL_SECONDS = 3.0
"""For a program and all its tests, as in the release of HumanEval."""


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
        Run(driver("humaneval_candidate"), program, HUMANEVAL_SECONDS),
        # It serves many programs and waits for each, whose time is limited; this limit is for all of them together.
        Run(driver("humaneval_checker"), tests, 600.0),
    )


def humaneval_ended(outcome: Outcome, of_checker: bool = False, answered: bool = False) -> tuple[Word, str]:
    """Word and message where one of the two ended too early.

    The checker runs trusted code, so it ends early only by what it was `answered`: too large to hold, too slow to
    compare. If it was answered nothing, the fault is ours.
    """
    if outcome.status == "harness" or (of_checker and not answered):
        return "harness", outcome.message
    return STATUS.get(outcome.status, "error"), outcome.message or "it ended before it had answered"


def humaneval_word(last: Any, raised: bool) -> tuple[Word, str]:
    """Word and message from the checker's last words; `raised`: whether the candidate's last answer was an exception.

    >>> humaneval_word(["failed", "AssertionError", ""], raised=False)
    ('wrong', 'AssertionError: ')
    """
    if said(last, "passed", 1):
        return "passed", ""
    if said(last, "failed", 3):
        return "wrong" if last[1] == "AssertionError" and not raised else "error", exception_text(last)
    return "harness", f"the problem's own tests do not run: {exception_text(last)}"
