"""Benchmarks that choose from options: reading log-probabilities, and what their summary adds (calibration, ties).

Belongs here: the kind "choice". Does not belong here: blocks that other kinds share (`_summary.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gnomon.asks import Answer, Scored
from gnomon.blocks import Block, Curve, Estimate, Note, Sample, Series
from gnomon.evaluation import _summary as shared
from gnomon.evaluation._kinds import Appender, Asked, Progress, Work
from gnomon.evaluation._summary import GRADED, Answered
from gnomon.stats import reliability, rms_calibration_error, rms_calibration_error_official
from gnomon.tasks import Task

__all__ = ["Choices"]

_CALIBRATION_LEAST = 50


class Choices:
    """Options are compared by log-probability."""

    graders: tuple[str, ...] = ()
    several = False

    def refuse_early(self, work: Work) -> None:
        return

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        item = asked.item
        scored = [answer for answer in answers if isinstance(answer, Scored)]
        choice = work.protocol.read(item, scored)
        cut = max(answer.truncated for answer in scored)
        unread = choice.option is None and not choice.tie
        return {
            "status": "unparsed" if unread else "truncated" if cut else "ok",
            "output": {
                "logprobs": [list(answer.logprobs) for answer in scored],
                "probabilities": list(choice.probabilities),
                **({"cut": cut} if cut else {}),
            },
            "parsed": choice.option,
            "target": item.answer,
            "correct": choice.option == item.answer,
            "tie": choice.tie,
        }

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        return []

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        """All blocks of the result, in reading order. They depend on the records' answers only, never on times or
        machines."""
        task, splits = work.data.task, work.data.splits
        blocks: list[Block] = []
        tables = []
        for part, suffix in shared.split_parts(answered, splits):
            blocks.extend(shared.averages(task, part, suffix))
            blocks.extend(_calibration(task, part, suffix))
            tables.append(shared.by_subset(task, part, suffix))
        blocks.extend(notes)
        blocks.extend(shared.truncated_prompts(answered))
        blocks.extend(_ties(answered))
        blocks.extend(tables)
        for part, suffix in shared.split_parts(answered, splits):
            blocks.extend(shared.rollups(task, part, suffix))
            blocks.extend(_reliability(part, suffix))
        blocks.append(shared.statuses(answered))
        blocks.extend(shared.first_prompt(answered))
        blocks.append(shared.samples(answered, _sample))
        return blocks


def _confidences(answered: Sequence[Answered]) -> tuple[list[float], list[bool]]:
    """The probability that the model gave to its answer, and whether it was right; empty where there are too few."""
    pairs = [
        (max(probabilities), bool(one.record.correct))
        for one in answered
        if one.record is not None
        and one.record.status in GRADED
        and (probabilities := one.record.output.get("probabilities"))
    ]
    if len(pairs) < _CALIBRATION_LEAST:
        return [], []
    return [confidence for confidence, _ in pairs], [right for _, right in pairs]


def _calibration(task: Task, answered: Sequence[Answered], suffix: str) -> Iterator[Estimate]:
    """RMS calibration error, as textbooks have it and, where the task has a release that computes it, as released."""
    confidence, correct = _confidences(answered)
    if not confidence:
        return
    yield Estimate(
        name=f"RMS calibration error{suffix}",
        value=rms_calibration_error(confidence, correct),
        n=len(confidence),
        method="adaptive bins of about 100 answers; confidence is the softmax over the options",
    )
    if "official" in task.protocols:
        yield Estimate(
            name=f"RMS calibration error, as released{suffix}",
            value=rms_calibration_error_official(confidence, correct),
            n=len(confidence),
            method="the released code: flips confidences up to 0.5, squares the weights, takes a second root",
        )


def _reliability(answered: Sequence[Answered], suffix: str) -> Iterator[Curve]:
    """Accuracy against confidence, in about 15 bins."""
    confidence, correct = _confidences(answered)
    if not confidence:
        return
    bins = reliability(confidence, correct, bin_size=max(20, len(confidence) // 15))
    yield Curve(
        title=f"Reliability{suffix}",
        x_label="confidence",
        y_label="accuracy",
        series=[
            Series(
                name="answers",
                x=[one.confidence for one in bins],
                y=[one.accuracy for one in bins],
                low=[one.interval.low for one in bins],
                high=[one.interval.high for one in bins],
                n=[one.n for one in bins],
            )
        ],
        diagonal=True,
        caption="On the diagonal, an answer given with probability p is right a share p of the time. Wilson intervals.",
    )


def _ties(answered: Sequence[Answered]) -> Iterator[Note]:
    """A note where options were equally likely."""
    ties: Counter[str] = Counter()
    for one in answered:
        if one.record is not None and one.record.tie:
            ties[one.asked.item.subset] += 1
    total = sum(ties.values())
    if total:
        where = ", ".join(f"{name} {count:,}" for name, count in ties.most_common(5))
        rest = "" if len(ties) <= 5 else f" and {len(ties) - 5} more"
        rule = "A tie between options goes to the earlier one; a tie between two texts' utilities counts as wrong."
        yield Note(level="warning", text=f"{total:,} of {len(answered):,} answers were ties ({where}{rest}). {rule}")


def _sample(one: Answered) -> Sample:
    item, record = one.asked.item, one.record
    assert record is not None
    prompt = (
        "\n".join(item.fields.values())
        if len(item.fields) == 1
        else "\n".join(f"{k}: {v}" for k, v in item.fields.items())
    )
    options = "\n".join(f"({number + 1}) {choice}" for number, choice in enumerate(item.choices))
    probabilities: Mapping[str, float] = {}
    if values := record.output.get("probabilities"):
        probabilities = {
            f"({number + 1}) {item.choices[number][:60]}": round(value, 6) for number, value in enumerate(values)
        }
    chosen = record.parsed
    answer = record.message or (f"({chosen + 1}) {item.choices[chosen]}" if isinstance(chosen, int) else "no option")
    return Sample(
        id=item.id,
        subset=item.subset,
        status=record.status,
        correct=bool(record.correct) if record.status in GRADED else None,
        prompt=f"{prompt}\n\n{options}",
        answer=answer,
        target=f"({item.answer + 1}) {item.choices[item.answer]}",
        scores=dict(probabilities),
    )
