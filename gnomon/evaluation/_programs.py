"""Benchmarks whose answers are programs: run in a jail on test cases, by several graders; pass@k, shares of cases,
errors.

Belongs here: the kind "programs". Does not belong here: running (`_jailed.py`, `sandbox/`), comparing outputs
(`grading/programs.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gnomon.asks import Answer, Completion
from gnomon.blocks import Block, Column, Estimate, Interval, IntervalChart, Note, Sample, Table
from gnomon.evaluation import _summary as shared
from gnomon.evaluation._jailed import grade_programs
from gnomon.evaluation._kinds import Appender, Asked, Progress, Work
from gnomon.evaluation._metrics import wilson_over_groups
from gnomon.evaluation._summary import GRADED, Answered, Row
from gnomon.grading.programs import Verdict
from gnomon.sandbox import find_jail
from gnomon.stats import cluster_bootstrap, mean_pass_at_k, wilson

__all__ = ["Programs"]

_KS = (1, 5, 10, 100)
_MOST_DISAGREEMENTS = 200
_ERRORS = {"load": ("load error",), "runtime": ("error", "timeout", "memory", "output limit")}


class Programs:
    """A program is right if it passes every test case; graders differ in how it is run and compared."""

    graders = ("official", "corrected")
    several = True

    def refuse_early(self, work: Work) -> None:
        find_jail(unsafe=work.settings.unsafe_code)

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        written = [one for one in answers if isinstance(one, Completion)]
        programs = [work.protocol.extract(asked.item, one.text) for one in written]
        cut = any(one.finish == "length" or one.truncated for one in written)
        unread = all(program is None for program in programs)
        prompts_cut = max(one.truncated for one in written)
        return {
            "status": "unparsed" if unread else "truncated" if cut else "ok",
            "output": {
                "texts": [one.text for one in written],
                "answers": [None if program is None else len(program) for program in programs],
                "finish": [one.finish for one in written],
                "tokens": [one.tokens for one in written],
                **({"cut": prompts_cut} if prompts_cut else {}),
            },
        }

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        """Run what has not been run, one item at a time into the journal."""
        left = [one for one in answered if one.record is not None and _open(one) and one.asked.item.key.get("cases", 1)]
        if not left:
            return []
        jail = find_jail(unsafe=work.settings.unsafe_code)
        jobs = [(_cases(work, one), _programs(work, one)) for one in left]
        which: Literal["apps", "humaneval"] = "apps" if work.data.task.name == "apps" else "humaneval"
        progress(0, sum(len(programs) for _, programs in jobs))
        for index, verdicts in grade_programs(jobs, jail, which, progress=progress):
            record = left[index].record
            assert record is not None
            append([record.model_copy(update=_update(verdicts, work.settings.grader, record.output["answers"]))])
        return [f"programs ran in: {jail.describe()}"]

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        blocks: list[Block] = []
        tables: list[Block] = []
        for part, suffix in shared.split_parts(answered, work.data.splits):
            graded = [_Graded.of(one) for one in part if _is_graded(one)]
            names = _graders(graded, work.settings.grader)
            for name in names:
                blocks.extend(_scores(graded, name, suffix, headline=name == names[0], several=len(names) > 1))
            if not names:
                nothing = {"value": None, "n": 0, "method": "", "reason": "no program was graded"}
                blocks.append(Estimate(name=f"pass@1{suffix}", headline=True, **nothing))
                continue
            tables.append(_by_subset(work, graded, names[0], suffix))
            tables.append(_outcomes(graded, names, suffix))
            tables.extend(_disagreements(graded, names, suffix))
        blocks.extend(notes)
        if work.settings.unsafe_code:
            blocks.append(Note(level="warning", text="Programs were allowed to run without a jail (--unsafe-code)."))
        blocks.extend(shared.truncated_prompts(answered))
        blocks.extend(tables)
        blocks.extend(shared.writing(answered))
        blocks.append(shared.statuses(answered))
        blocks.extend(shared.first_prompt(answered))
        blocks.append(shared.samples(answered, lambda one: _sample(one, work.settings.grader)))
        return blocks


def _open(one: Answered) -> bool:
    record = one.record
    return record is not None and record.status in GRADED and "texts" in record.output and not record.grades


def _cases(work: Work, one: Answered) -> Callable[[], Mapping[str, Any]]:
    """What the item's programs are run on, read when it is its turn."""
    cases = work.data.task.cases
    assert cases is not None
    return lambda: cases(work.data.source, one.asked.item)


def _programs(work: Work, one: Answered) -> list[str]:
    """The item's programs; an empty one where nothing could be read, which passes no case."""
    assert one.record is not None
    return [work.protocol.extract(one.asked.item, text) or "" for text in one.record.output["texts"]]


def _update(verdicts: Sequence[Mapping[str, Verdict]], grader: str, answers: Sequence[Any]) -> dict[str, Any]:
    """What the verdicts on an item's programs add to its record. Without a verdict there is no grade, and no 0. What
    could not be read as a program is right nowhere, even where a case expects no output."""
    failed = next((one for verdict in verdicts for one in verdict.values() if not one.graded), None)
    if failed is not None:
        return {"status": "error", "message": f"the program could not be judged: {failed.message}"}
    names = list(verdicts[0])
    own = grader if grader in names else names[0]
    update: dict[str, Any] = {
        "grades": {
            name: [
                ["load error"] if answer is None else list(verdict[name].words)
                for verdict, answer in zip(verdicts, answers, strict=True)
            ]
            for name in names
        },
        "correct": answers[0] is not None and verdicts[0][own].passed if len(verdicts) == 1 else None,
    }
    if len(verdicts) == 1:
        update["message"] = next((v.message[:500] for v in verdicts[0].values() if v.message), "")
    return update


def _is_graded(one: Answered) -> bool:
    record = one.record
    return record is not None and record.status in GRADED and (bool(record.grades) or record.status == "refused")


def _right(cases: Sequence[str]) -> bool:
    """Whether a program passed every case. No case, no pass: the release counts an empty list as a success."""
    return bool(cases) and all(_passed(case) for case in cases)


def _passed(case: str) -> bool:
    return case == "passed"


@dataclass(frozen=True)
class _Graded:
    """An item's programs, as graders found them: for each grader, for each program, the outcome of each case."""

    one: Answered
    grades: Mapping[str, Sequence[Sequence[str]]]

    @classmethod
    def of(cls, one: Answered) -> _Graded:
        assert one.record is not None
        return cls(one, one.record.grades)

    def right(self, grader: str) -> list[bool]:
        """For each program whether it passed everything; a refusal is one wrong program."""
        return [_right(cases) for cases in self.grades.get(grader, ())] or [False]

    def shares(self, grader: str) -> list[float]:
        """For each program the share of cases passed."""
        found = [sum(map(_passed, cases)) / len(cases) if cases else 0.0 for cases in self.grades.get(grader, ())]
        return found or [0.0]


def _graders(graded: Sequence[_Graded], first: str) -> list[str]:
    """The graders that judged these items, the run's own first."""
    names = dict.fromkeys(name for one in graded for name in one.grades)
    return sorted(names, key=lambda name: (name != first, list(names).index(name)))


def _scores(graded: Sequence[_Graded], grader: str, suffix: str, headline: bool, several: bool) -> Iterator[Estimate]:
    """pass@k, the share of test cases, and error rates by one grader."""
    by = f" ({grader})" if several else ""
    counts = [(len(one.right(grader)), sum(one.right(grader))) for one in graded]
    least = min(n for n, _ in counts)
    single = all(n == 1 for n, _ in counts)
    method = "share of programs" if single else "unbiased estimate, mean over problems"
    for k in (k for k in _KS if k <= least):
        value, interval = _pass_at(k, counts)
        yield Estimate(
            name=f"strict accuracy (pass@1){by}{suffix}" if single else f"pass@{k}{by}{suffix}",
            value=value,
            interval=interval,
            n=len(counts),
            method=f"{method}; every test case must pass",
            headline=headline,
        )
    if _has_cases(graded):
        yield from _shares(graded, grader, f"{by}{suffix}", headline)


def _pass_at(k: int, counts: Sequence[tuple[int, int]]) -> tuple[float, Interval]:
    """pass@k over problems with (programs, right ones) each, and its interval: Wilson for one program a problem."""
    if all(n == 1 for n, _ in counts):
        right = sum(c for _, c in counts)
        return right / len(counts), wilson(right, len(counts))
    found = mean_pass_at_k([n for n, _ in counts], [c for _, c in counts], k, seed=0)
    return found.value, _spread(found.value, found.interval, len(counts))


def _spread(value: float, interval: Interval | None, problems: int) -> Interval:
    """`interval`; where problems do not differ, or there is one, only their number can speak."""
    if interval is None or interval.high - interval.low < 1e-9:
        return wilson_over_groups(value, problems)
    return interval


def _has_cases(graded: Sequence[_Graded]) -> bool:
    """Whether programs are run on several cases, so that a share of them says something."""
    return any(len(cases) > 1 for one in graded for programs in one.grades.values() for cases in programs)


def _shares(graded: Sequence[_Graded], grader: str, suffix: str, headline: bool) -> Iterator[Estimate]:
    """Test-case average, the best of all samples, and how many programs fail to load or to run."""
    means = [sum(one.shares(grader)) / len(one.shares(grader)) for one in graded]
    best = [max(one.shares(grader)) for one in graded]
    samples = max(len(one.shares(grader)) for one in graded)
    rows = [(f"test-case average{suffix}", means, "share of a problem's cases that pass, mean over problems", headline)]
    if samples > 1:
        rows.append((f"top-{samples} test-case average{suffix}", best, "the best program of each problem", False))
    names = [one.one.asked.item.group for one in graded]
    for name, values, method, first in rows:
        value = sum(values) / len(values)
        interval = _spread(value, cluster_bootstrap(values, names, seed=0) if len(values) > 1 else None, len(values))
        yield Estimate(name=name, value=value, interval=interval, n=len(values), method=method, headline=first)
    programs = [cases for one in graded for cases in one.grades.get(grader, ())]
    for what, bad in _ERRORS.items():
        hits = sum(any(case in bad for case in cases) for cases in programs)
        if programs:
            yield Estimate(
                name=f"{what} error rate{suffix}",
                value=hits / len(programs),
                interval=wilson(hits, len(programs)),
                n=len(programs),
                method=f"share of programs with a {what} error"
                + (" or time-out in some case" if what == "runtime" else ""),
            )


def _by_subset(work: Work, graded: Sequence[_Graded], grader: str, suffix: str) -> Table:
    """One row a difficulty."""
    rows: list[Row] = []
    cases = _has_cases(graded)
    for subset in work.data.task.subsets:
        part = [one for one in graded if one.one.asked.item.subset == subset]
        if not part:
            continue
        counts = [(len(one.right(grader)), sum(one.right(grader))) for one in part]
        value, interval = _pass_at(1, counts)
        average = sum(sum(one.shares(grader)) / len(one.shares(grader)) for one in part) / len(part)
        row: Row = [subset, value, interval.low, interval.high, len(part), sum(n for n, _ in counts)]
        rows.append([*row, average] if cases else row)
    columns = [Column(label="subset"), *(Column(label=x, format="fraction") for x in ("pass@1", "low", "high"))]
    columns += [Column(label=x, format="integer") for x in ("problems", "programs")]
    if cases:
        columns.append(Column(label="test-case average", format="fraction"))
    return Table(
        title=f"Score by subset{suffix}",
        columns=columns,
        rows=rows,
        caption=f"Grader: {grader}. 95% intervals over problems.",
        chart=IntervalChart(label=0, value=1, low=2, high=3),
        headline=True,
    )


def _outcomes(graded: Sequence[_Graded], names: Sequence[str], suffix: str) -> Table:
    """How programs ended, by the first case that they did not pass."""
    counts = {name: Counter(_outcome(cases) for one in graded for cases in one.grades.get(name, ())) for name in names}
    words = sorted({word for counter in counts.values() for word in counter}, key=lambda word: (word != "passed", word))
    rows: list[Row] = []
    for word in words:
        row: Row = [word]
        for name in names:
            row += [counts[name][word], counts[name][word] / max(1, counts[name].total())]
        rows.append(row)
    columns = [Column(label="first failure")]
    for name in names:
        columns += [Column(label=name, format="integer"), Column(label=f"{name}, share", format="fraction")]
    return Table(title=f"How programs ended{suffix}", columns=columns, rows=rows, headline=True)


def _outcome(cases: Sequence[str]) -> str:
    if not cases:
        return "no case"
    return next((case for case in cases if not _passed(case)), "passed")


def _disagreements(graded: Sequence[_Graded], names: Sequence[str], suffix: str) -> Iterator[Table]:
    """Programs that pass under one grader and not under another."""
    if len(names) < 2:
        return
    rows: list[Row] = []
    for one in graded:
        for number, verdicts in enumerate(zip(*(one.grades.get(name, ()) for name in names), strict=True)):
            if len({_right(cases) for cases in verdicts}) > 1:
                rows.append([one.one.asked.item.id, number, *(_outcome(cases) for cases in verdicts)])
    caption = f"{len(rows):,} in all." if len(rows) <= _MOST_DISAGREEMENTS else f"The first of {len(rows):,}."
    yield Table(
        title=f"Programs on which the graders disagree{suffix}",
        columns=[Column(label="item"), Column(label="program", format="integer"), *(Column(label=n) for n in names)],
        rows=rows[:_MOST_DISAGREEMENTS],
        caption=caption if rows else "None.",
    )


def _sample(one: Answered, grader: str) -> Sample:
    """The item's first program, and how it ended; the number of programs that passed where there are more."""
    item, record = one.asked.item, one.record
    assert record is not None
    texts = record.output.get("texts", ())
    verdicts = {name: _outcome(programs[0]) for name, programs in record.grades.items() if programs}
    if len(texts) > 1:
        verdicts = {
            name: f"{sum(_right(cases) for cases in programs)} of {len(programs)} pass"
            for name, programs in record.grades.items()
        }
    own = record.grades.get(grader)
    prompt = item.fields.get("question", item.fields.get("prompt", ""))
    return Sample(
        id=item.id,
        subset=item.subset,
        status=record.status,
        correct=_right(own[0]) if own and len(own) == 1 else None,
        prompt=prompt,
        answer="\n\n".join(filter(None, [texts[0] if texts else "", record.message])),
        target=str(item.key.get("canonical_solution", f"{item.key.get('cases', 0)} test cases")),
        verdicts=verdicts,
    )
