"""Benchmarks whose answers are expressions: what was written is read, judged by several graders, and their
disagreement shown.

Belongs here: the kind "mathematics". Does not belong here: finding and comparing answers (`grading/`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from gnomon.asks import Answer, Completion
from gnomon.blocks import Block, Column, Estimate, Matrix, Note, Sample, Table
from gnomon.evaluation import _summary as shared
from gnomon.evaluation._kinds import Appender, Asked, Progress, Work
from gnomon.evaluation._metrics import Verdict, pooled
from gnomon.evaluation._summary import GRADED, Answered, Row
from gnomon.grading.equivalence import equivalent_corrected, equivalent_official
from gnomon.grading.verify import Verifier

__all__ = ["Mathematics"]

_GRADERS = ("official", "corrected", "math-verify")
_WORDS = {True: "right", False: "wrong"}
_MOST_DISAGREEMENTS = 200


class Mathematics:
    """An answer is a short text, right if a grader takes it for the reference answer."""

    graders = _GRADERS
    several = False

    def refuse_early(self, work: Work) -> None:
        return

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        (written,) = answers
        assert isinstance(written, Completion)
        gold = asked.item.key["answer"]
        answer = work.protocol.extract(asked.item, written.text)
        grades: dict[str, Any] = {
            "official": equivalent_official(answer, gold),
            "corrected": answer is not None and equivalent_corrected(answer, gold),
        }
        if answer is None:  # nothing to verify
            grades["math-verify"] = False
        grader = work.settings.grader
        cut = written.finish == "length" or written.truncated
        return {
            "status": "unparsed" if answer is None else "truncated" if cut else "ok",
            "output": {
                "texts": [written.text],
                "answers": [answer],
                "finish": [written.finish],
                "tokens": [written.tokens],
                **({"cut": written.truncated} if written.truncated else {}),
            },
            "parsed": answer,
            "target": gold,
            "grades": grades,
            "correct": grades.get(grader) is True if grader in grades else None,
        }

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        """math-verify over what it has not seen, in a worker that can be killed."""
        left = [
            one.record
            for one in answered
            if one.record is not None and one.record.grades and "math-verify" not in one.record.grades
        ]
        if not left:
            return []
        with Verifier() as verifier:
            for number, record in enumerate(left):
                verdict = verifier.equivalent(str(record.target), str(record.parsed))
                outcome = verdict.equivalent if verdict.status == "ok" else verdict.status
                grades = {**record.grades, "math-verify": outcome}
                correct = outcome is True if work.settings.grader == "math-verify" else record.correct
                append([record.model_copy(update={"grades": grades, "correct": correct})])
                progress(number + 1, len(left))
        return []

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        task, splits = work.data.task, work.data.splits
        blocks: list[Block] = []
        tables: list[Block] = []
        for part, suffix in shared.split_parts(answered, splits):
            blocks.extend(shared.averages(task, part, suffix, f"accuracy ({work.settings.grader})"))
            blocks.extend(_other_graders(work.settings.grader, part, suffix))
            tables.append(shared.by_subset(task, part, suffix))
            tables.append(_by_subject_and_level(work, part, suffix))
        blocks.extend(notes)
        blocks.extend(shared.truncated_prompts(answered))
        blocks.extend(tables)
        blocks.extend(shared.writing(answered))
        for part, suffix in shared.split_parts(answered, splits):
            blocks.extend(shared.rollups(task, part, suffix))
        blocks.extend(_agreement(answered))
        blocks.extend(_disagreements(answered))
        blocks.append(shared.statuses(answered))
        blocks.extend(shared.first_prompt(answered))
        blocks.append(shared.samples(answered, _sample))
        return blocks


def _by(answered: Sequence[Answered], grader: str) -> list[Verdict]:
    """What `grader` says of every item that counts. A time-out of the grader is no verdict for the answer: wrong."""
    return [
        Verdict(one.asked.item, one.record.grades.get(grader) is True)
        for one in answered
        if one.record is not None and one.record.status in GRADED
    ]


def _other_graders(grader: str, answered: Sequence[Answered], suffix: str) -> Iterator[Estimate]:
    for other in _GRADERS:
        found = pooled(_by(answered, other)) if other != grader else None
        if found is not None:
            yield shared.estimate(
                f"accuracy ({other}), micro{suffix}", found, "the same answers judged by another grader", headline=False
            )


def _by_subject_and_level(work: Work, answered: Sequence[Answered], suffix: str) -> Matrix:
    """The paper's table: accuracy by subject and level."""
    levels = sorted({one.asked.item.fields["level"] for one in answered})
    subjects = [s for s in work.data.task.subsets if any(one.asked.item.subset == s for one in answered)]
    rights: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for verdict in shared.verdicts(answered):
        cell = verdict.item.subset, verdict.item.fields["level"]
        counts[cell] += 1
        rights[cell] += verdict.correct
    return Matrix(
        title=f"Accuracy by subject and level{suffix}",
        row_label="subject",
        column_label="level",
        rows=subjects,
        columns=levels,
        values=[[rights[s, v] / counts[s, v] if counts[s, v] else None for v in levels] for s in subjects],
        counts=[[counts[s, v] for v in levels] for s in subjects],
        caption=f"Grader: {work.settings.grader}.",
    )


def _agreement(answered: Sequence[Answered]) -> Iterator[Table]:
    """How often two graders judge the same answer differently."""
    records = [one.record for one in answered if one.record is not None and one.record.parsed is not None]
    if not records:
        return
    rows: list[Row] = []
    for a, b in combinations(_GRADERS, 2):
        pairs = Counter((r.grades.get(a) is True, r.grades.get(b) is True) for r in records)
        rows.append([f"{a} / {b}", pairs[True, True], pairs[True, False], pairs[False, True], pairs[False, False]])
    failed = Counter(str(r.grades.get("math-verify")) for r in records if not isinstance(r.grades["math-verify"], bool))
    caption = "Over answers that could be read."
    if failed:
        told = ", ".join(f"{count:,} {what}" for what, count in sorted(failed.items()))
        caption += f" math-verify gave no verdict on {told}: counted as wrong for it."
    yield Table(
        title="Agreement of the graders",
        columns=[
            Column(label="graders A / B"),
            *(Column(label=label, format="integer") for label in ("both right", "only A", "only B", "both wrong")),
        ],
        rows=rows,
        caption=caption,
    )


def _disagreements(answered: Sequence[Answered]) -> Iterator[Table]:
    """The answers that graders judge differently."""
    rows: list[Row] = []
    for one in answered:
        if one.record is not None and len({one.record.grades.get(name) is True for name in _GRADERS}) > 1:
            words = [_words(one.record.grades.get(name)) for name in _GRADERS]
            rows.append([one.record.id, str(one.record.parsed)[:200], str(one.record.target)[:200], *words])
    if rows:
        yield Table(
            title="Answers on which the graders disagree",
            columns=[Column(label=label) for label in ("item", "answer", "reference", *_GRADERS)],
            rows=rows[:_MOST_DISAGREEMENTS],
            caption=f"{len(rows):,} in all." if len(rows) <= _MOST_DISAGREEMENTS else f"The first of {len(rows):,}.",
        )


def _words(grade: Any) -> str:
    return _WORDS.get(grade, str(grade)) if isinstance(grade, bool) else str(grade)


def _sample(one: Answered) -> Sample:
    item, record = one.asked.item, one.record
    assert record is not None
    written = "".join(record.output.get("texts", ()))
    read = "no answer could be read" if record.parsed is None else f"read as: {record.parsed}"
    return Sample(
        id=item.id,
        subset=item.subset,
        status=record.status,
        correct=record.correct if record.status in GRADED else None,
        prompt=f"{item.fields['problem']}\n\n{item.fields['level']}",
        answer=record.message or f"{written}\n\n{read}",
        target=str(item.key["answer"]),
        verdicts={name: _words(grade) for name, grade in record.grades.items()},
    )
