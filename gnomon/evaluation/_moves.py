"""Benchmarks whose answers are moves of a game: what was written is read as a move and judged by two graders, with how
many answers were legal.

Belongs here: the kind "moves". Does not belong here: reading moves and the rules of the game (`grading/moves.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gnomon.asks import Answer, Completion
from gnomon.blocks import Block, Column, Estimate, Note, Sample, Table
from gnomon.evaluation import _summary as shared
from gnomon.evaluation._kinds import Appender, Asked, Progress, Work
from gnomon.evaluation._metrics import Verdict, pooled
from gnomon.evaluation._summary import GRADED, Answered, Row
from gnomon.grading.moves import judge, need
from gnomon.runs import Record

__all__ = ["Moves"]

_GRADERS = ("official", "any-mate")
_ABOUT = {
    "official": "the solution's move and no other",
    "any-mate": "where the solution's move mates, every move that mates",
}
_MOST_OTHERS = 200


class Moves:
    """An answer is one move, right if it is the solution's."""

    graders = _GRADERS
    several = False

    def refuse_early(self, work: Work) -> None:
        need()

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        (written,) = answers
        assert isinstance(written, Completion)
        key = asked.item.key
        answer = work.protocol.extract(asked.item, written.text)
        judged = judge(key["fen"], key["best"], answer)
        grades = {"official": judged.official, "any-mate": judged.any_mate}
        # What follows a move shows that it is whole; at the very end a promotion may be missing.
        unsure = written.finish == "length" and answer is not None and written.text.lower().endswith(answer.lower())
        return {
            "status": "unparsed" if answer is None else "truncated" if unsure or written.truncated else "ok",
            "output": {
                "texts": [written.text],
                "answers": [answer],
                "finish": [written.finish],
                "tokens": [written.tokens],
                "legal": judged.move is not None,
                "options": judged.options,
                "accepted": judged.accepted,
                **({"cut": written.truncated} if written.truncated else {}),
            },
            "parsed": judged.move or answer,
            "target": key["best"],
            "grades": grades,
            "correct": grades[work.settings.grader],
        }

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        return []

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        task, splits, grader = work.data.task, work.data.splits, work.settings.grader
        what = f"accuracy ({grader})"
        blocks: list[Block] = []
        tables: list[Block] = []
        for part, suffix in shared.split_parts(answered, splits):
            baseline = _baselines(part)
            for block in shared.averages(task, part, suffix, what):
                blocks.append(_beside(block, baseline[grader]) if isinstance(block, Estimate) else block)
            blocks.extend(_beside(one, baseline[other]) for other, one in _other(grader, part, suffix))
            blocks.extend(_legality(part, suffix))
            tables.append(shared.by_subset(task, part, suffix))
        blocks.extend(notes)
        blocks.extend(shared.truncated_prompts(answered))
        blocks.extend(tables)
        for part, suffix in shared.split_parts(answered, splits):
            blocks.extend(shared.rollups(task, part, suffix, what))
            blocks.extend(_side_by_side(work, part, suffix))
        blocks.extend(shared.writing(answered))
        blocks.extend(_other_mates(answered))
        blocks.append(shared.statuses(answered))
        blocks.extend(shared.first_prompt(answered))
        blocks.append(shared.samples(answered, _sample))
        return blocks


def _graded(answered: Sequence[Answered]) -> list[tuple[Answered, Record]]:
    return [(one, one.record) for one in answered if one.record is not None and one.record.status in GRADED]


def _share(answered: Sequence[Answered], holds: Callable[[Record], bool]) -> list[Verdict]:
    return [Verdict(one.asked.item, holds(record)) for one, record in _graded(answered)]


def _by(answered: Sequence[Answered], grader: str) -> list[Verdict]:
    return _share(answered, lambda record: record.grades.get(grader) is True)


def _legal(record: Record) -> bool:
    return record.output.get("legal") is True


def _read(record: Record) -> bool:
    return record.parsed is not None


def _other(grader: str, answered: Sequence[Answered], suffix: str) -> Iterator[tuple[str, Estimate]]:
    for other in _GRADERS:
        found = pooled(_by(answered, other)) if other != grader else None
        if found is not None:
            method = f"the same answers by another grader: {_ABOUT[other]}"
            yield other, shared.estimate(f"accuracy ({other}), micro{suffix}", found, method, headline=False)


def _legality(answered: Sequence[Answered], suffix: str) -> Iterator[Estimate]:
    for name, holds, method in (
        ("legal moves", _legal, "share of all answers that are a legal move of their position"),
        ("moves that could be read", _read, "share of all answers with the form of a move (parse rate)"),
    ):
        found = pooled(_share(answered, holds))
        if found is not None:
            yield shared.estimate(f"{name}{suffix}", found, method, headline=False)


def _baselines(answered: Sequence[Answered]) -> dict[str, float | None]:
    """What a legal move drawn at random would get on average."""
    outputs = [record.output for _, record in _graded(answered) if record.output.get("options")]
    if not outputs:
        return dict.fromkeys(_GRADERS)
    return {
        "official": sum(1 / output["options"] for output in outputs) / len(outputs),
        "any-mate": sum(output["accepted"] / output["options"] for output in outputs) / len(outputs),
    }


def _beside(estimate: Estimate, baseline: float | None) -> Estimate:
    if baseline is None or estimate.value is None:
        return estimate
    return estimate.model_copy(update={"baselines": {**estimate.baselines, "random legal move": baseline}})


def _side_by_side(work: Work, answered: Sequence[Answered], suffix: str) -> Iterator[Table]:
    """Both graders and the share of legal answers, in every group of every rollup."""
    for name, rollup in work.data.task.rollups.items():
        homes: dict[str, list[Answered]] = {}
        for one, _ in _graded(answered):
            if (home := rollup(one.asked.item)) is not None:
                homes.setdefault(home, []).append(one)
        rows: list[Row] = []
        for home in sorted(homes, key=shared.by_number):
            kinds = [*(_by(homes[home], grader) for grader in _GRADERS), _share(homes[home], _legal)]
            rows.append([home, *(sum(v.correct for v in found) / len(found) for found in kinds), len(kinds[0])])
        if rows:
            yield Table(
                title=f"Graders and legal moves by {name}{suffix}",
                columns=[
                    Column(label=name),
                    *(Column(label=label, format="fraction") for label in (*_GRADERS, "legal")),
                    Column(label="n", format="integer"),
                ],
                rows=rows,
                caption="; ".join(f"{grader}: {words}" for grader, words in _ABOUT.items()) + ".",
            )


def _other_mates(answered: Sequence[Answered]) -> Iterator[Table]:
    """Answers that mate and are not the solution's move."""
    rows: list[Row] = [
        [record.id, str(record.parsed), str(record.target)]
        for _, record in _graded(answered)
        if record.grades.get("any-mate") is True and record.grades.get("official") is not True
    ]
    if rows:
        yield Table(
            title="Answers on which the graders disagree",
            columns=[Column(label=label) for label in ("item", "answer (mates too)", "solution")],
            rows=rows[:_MOST_OTHERS],
            caption=f"{len(rows):,} in all." if len(rows) <= _MOST_OTHERS else f"The first of {len(rows):,}.",
        )


def _sample(one: Answered) -> Sample:
    item, record = one.asked.item, one.record
    assert record is not None
    written = "".join(record.output.get("texts", ()))
    if record.parsed is None:
        read = "no move could be read"
    else:
        read = f"read as: {record.parsed}" + ("" if _legal(record) else " (not legal here)")
    return Sample(
        id=item.id,
        subset=item.subset,
        status=record.status,
        correct=record.correct if record.status in GRADED else None,
        prompt="\n".join(f"{name}: {text}" for name, text in (*item.fields.items(), ("rating", item.key["rating"]))),
        answer=record.message or f"{written}\n\n{read}",
        target=str(item.key["best"]),
        verdicts={name: "right" if grade is True else "wrong" for name, grade in record.grades.items()},
    )
