"""Programs go into jails, verdicts come out: `grading/programs.py` says what is run and judges it, `sandbox/` runs it.

Belongs here: what joins the two, on all cores. Does not belong here: any rule of judging, records, numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from gnomon.errors import UsageError
from gnomon.grading import programs as judging
from gnomon.grading.programs import Cases, HumanEvalProblem, Run, Verdict, Word
from gnomon.sandbox import Ended, JailKind, Job, Limits, Pool, Session, Worker

__all__ = ["GRADERS", "MEMORY", "Problem", "grade_programs"]

Which = Literal["apps", "humaneval"]
Problem = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""What `Task.cases` gives, or what gives it when it is needed: test cases are large."""

GRADERS: Mapping[str, tuple[str, ...]] = {"apps": ("official", "corrected"), "humaneval": ("official",)}
"""The graders of each kind of problem, the release's own first."""

MEMORY = 1 << 30
"""Bytes of address space that a program may use."""
_OUTPUT = 64 << 20
_PROGRAMS_A_CHECKER = 50
_GRACE = 1.0  # seconds that the last answer of a program may be under way


@dataclass(frozen=True)
class _Unit:
    """One program of one problem, and the places in the problem's list of programs where it stands."""

    index: int
    problem: Cases | HumanEvalProblem
    program: str
    places: tuple[int, ...]


def grade_programs(
    work: Sequence[tuple[Problem, Sequence[str]]],
    kind: JailKind | None,
    which: Which,
    graders: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    workers: int | None = None,
) -> Iterator[tuple[int, list[dict[str, Verdict]]]]:
    """Grade the programs of many problems in jails, on all cores.

    Parameters
    ----------
    work : sequence of (problem, programs)
        `problem` is what the task's `cases` gives for an item, or a function without arguments that gives it; it is
        called a little ahead of its turn, in the caller's thread. For HumanEval a program is a completion. A program
        that stands in one list several times is run once.
    kind : JailKind or None
        From `gnomon.sandbox.find_jail`; None finds one.
    which : {"apps", "humaneval"}
    graders : sequence of str or None
        Of `GRADERS[which]`; None takes all.
    progress : callable (done, total)
        Called in the caller's thread, with numbers of programs.
    workers : int or None
        How many programs run at the same time; None takes one a core.

    Yields
    ------
    (int, list of dict)
        The problem's place in `work`, as soon as all its programs are graded, and for each program a verdict by each
        grader. Look at `Verdict.graded` before counting: a jail that failed gives no verdict.

    Raises
    ------
    UsageError
        For an unknown grader, or where the jail has no numpy, which every program of APPS is given.
    DataError
        For a problem that cannot be read.
    """
    names = tuple(graders) if graders is not None else GRADERS[which]
    for name in names:
        if name not in GRADERS[which]:
            raise UsageError(f"{which} has no grader '{name}'.", hint=f"Known: {', '.join(GRADERS[which])}.")
    return _graded(work, kind, which, names, progress, workers)


def _graded(
    work: Sequence[tuple[Problem, Sequence[str]]],
    kind: JailKind | None,
    which: Which,
    graders: tuple[str, ...],
    progress: Callable[[int, int], None],
    workers: int | None,
) -> Iterator[tuple[int, list[dict[str, Verdict]]]]:
    total, done = sum(len(programs) for _, programs in work), 0
    found: dict[int, list[dict[str, Verdict]]] = {}
    left = {index: len(programs) for index, (_, programs) in enumerate(work)}
    checkers = _Checkers()
    units: dict[int, _Unit] = {}  # what is being worked on, under the number that the pool gives it

    def hand_out() -> Iterator[_Unit]:
        for number, unit in enumerate(_units(work, which)):
            units[number] = unit
            found.setdefault(unit.index, [{} for _ in work[unit.index][1]])
            yield unit

    def grade(worker: Worker, unit: _Unit) -> dict[str, Verdict]:
        if isinstance(unit.problem, Cases):
            return {name: _APPS[name](worker, unit.problem, unit.program) for name in graders}
        return {name: _humaneval(worker, checkers, unit.problem, unit.program) for name in graders}

    for index in [index for index, count in left.items() if not count]:
        yield index, []
    with Pool(kind, workers) as pool, closing(checkers):
        if which == "apps" and total and not pool.kind.facts["numpy"]:
            raise UsageError(
                f"the jail has no numpy ({pool.kind.describe()}), which programs of APPS may use without importing it.",
                hint="Use another kind of jail, or install numpy for the Python inside.",
            )
        for number, verdicts in pool.each(hand_out(), grade):
            unit = units.pop(number)
            for place in unit.places:
                found[unit.index][place] = verdicts
            done += len(unit.places)
            left[unit.index] -= len(unit.places)
            progress(done, total)
            if not left[unit.index]:
                yield unit.index, found.pop(unit.index)


def _units(work: Sequence[tuple[Problem, Sequence[str]]], which: Which) -> Iterator[_Unit]:
    for index, (problem, programs) in enumerate(work):
        if not programs:
            continue
        row = problem() if callable(problem) else problem
        where = str(row.get("where", f"problem {index}"))
        parsed = _PARSERS[which](row, where)
        places: dict[str, list[int]] = {}
        for place, program in enumerate(programs):
            places.setdefault(program, []).append(place)
        for program, at in places.items():
            yield _Unit(index, parsed, program, tuple(at))


_PARSERS: Mapping[str, Callable[[Mapping[str, Any], str], Cases | HumanEvalProblem]] = {
    "apps": lambda row, where: judging.parse_cases(row["input_output"], where),
    "humaneval": judging.parse_humaneval,
}

# --------------------------------------------------------------------------------------------------------------- APPS


def _job(run: Run) -> Job:
    return Job(run.driver, dict(run.payload), run.stdin, Limits(seconds=run.seconds, memory=MEMORY, output=_OUTPUT))


def _apps_official(worker: Worker, cases: Cases, program: str) -> Verdict:
    return judging.official_verdict(cases, worker.jail.run(_job(judging.official_run(program, cases))))


def _apps_corrected(worker: Worker, cases: Cases, program: str) -> Verdict:
    words: list[Word] = []
    message, seconds = "", 0.0
    for index in range(cases.judged):
        outcome = worker.jail.run(_job(judging.corrected_run(program, cases, index)))
        words.append(judging.corrected_word(cases, index, outcome))
        seconds += outcome.seconds
        if words[-1] != "passed":
            message = message or judging.corrected_message(words[-1], index, outcome)
        rest = cases.judged - len(words)
        if words[-1] == "harness":
            break
        if words[-1] == "load error" and index == 0:  # it is the same text every time
            words += ["load error"] * rest
            break
        if words.count("timeout") == judging.PATIENCE:
            words += ["timeout"] * rest
            break
    return judging.verdict_of(words, message, seconds)


_APPS: Mapping[str, Callable[[Worker, Cases, str], Verdict]] = {
    "official": _apps_official,
    "corrected": _apps_corrected,
}


# ---------------------------------------------------------------------------------------------------------- HumanEval


class _Checkers:
    """For each worker a checker that goes on with the next program of the same problem; a process a program is saved.

    It runs the data's own tests, each time in a fresh name space, and meets nothing of a program but plain values.
    """

    def __init__(self) -> None:
        self._open: dict[int, tuple[HumanEvalProblem, Session, int]] = {}

    def of(self, worker: Worker, problem: HumanEvalProblem, run: Run) -> Session:
        """A checker of `problem` that waits for a program."""
        known = self._open.get(id(worker))
        if known is not None and known[0] is problem and known[2] < _PROGRAMS_A_CHECKER:
            self._open[id(worker)] = (problem, known[1], known[2] + 1)
            return known[1]
        self.drop(worker)
        session = worker.other.talk(_job(run))
        self._open[id(worker)] = (problem, session, 1)
        return session

    def drop(self, worker: Worker) -> None:
        """End the worker's checker, which may be in the middle of something."""
        known = self._open.pop(id(worker), None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        for _, session, _ in self._open.values():
            session.close()
        self._open.clear()


def _humaneval(worker: Worker, checkers: _Checkers, problem: HumanEvalProblem, completion: str) -> Verdict:
    verdict = _check(worker, checkers, problem, completion)
    # a session is not repeated by itself
    return verdict if verdict.graded else _check(worker, checkers, problem, completion)


def _check(worker: Worker, checkers: _Checkers, problem: HumanEvalProblem, completion: str) -> Verdict:
    """Let the checker, in one jail, call the candidate, in another, until one of them has come to an end."""
    candidate_run, checker_run = judging.humaneval_runs(problem, completion)
    # The checker first: where its jail must be started, the candidate's clock does not run yet.
    checker = checkers.of(worker, problem, checker_run)
    with worker.jail.talk(_job(candidate_run)) as candidate:
        began = time.monotonic()
        word, message, whole = _converse(checker, candidate, began + candidate_run.seconds + _GRACE)
    if not whole:
        checkers.drop(worker)
    return judging.verdict_of([word], message, time.monotonic() - began)


def _converse(checker: Session, candidate: Session, deadline: float) -> tuple[Word, str, bool]:
    """Word and message, and whether the checker is ready for another program."""
    try:
        first = candidate.receive()
    except Ended as ended:
        return *judging.humaneval_ended(ended.outcome), True
    if not judging.said(first, "ready", 1):
        return "load error", judging.exception_text(first), True
    raised = answered = False
    checker.send(["check"])
    while True:
        try:
            asked = checker.receive(max(0.0, deadline - time.monotonic()))
        except Ended as ended:
            return *judging.humaneval_ended(ended.outcome, of_checker=True, answered=answered), False
        if not judging.said(asked, "call", 3):
            return *judging.humaneval_word(asked, raised), True
        candidate.send(asked)
        try:
            reply = candidate.receive()
        except Ended as ended:
            return *judging.humaneval_ended(ended.outcome), False
        raised = judging.said(reply, "raised", 3)
        if not raised and not judging.said(reply, "value", 2):
            return "error", "what it answered cannot be read", False
        checker.send(reply)
        answered = True
