"""From a run's records to its blocks: scores with intervals and baselines, categories, calibration, statuses,
samples, notes.

Belongs here: what the summary of a choice benchmark consists of. Does not belong here: formulas (`_metrics.py`,
`stats/`), drawing (`report/`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gnomon.blocks import Block, Column, Curve, Estimate, IntervalChart, Note, Sample, Samples, Series, Table, Text
from gnomon.evaluation._metrics import Score, Verdict, macro, pooled, score
from gnomon.evaluation._plan import Asked
from gnomon.runs import Record
from gnomon.stats import reliability, rms_calibration_error, rms_calibration_error_official
from gnomon.tasks import Task

__all__ = ["GRADED", "Answered", "summarise"]

GRADED = ("ok", "truncated", "unparsed", "refused")
"""Statuses that count: an answer that cannot be read is wrong and counted apart; an error is no answer and is not
scored."""

_MOST_SAMPLES = 2000
_CALIBRATION_LEAST = 50


@dataclass(frozen=True)
class Answered:
    """An asked item with its record, if there is one."""

    asked: Asked
    record: Record | None

    @property
    def verdict(self) -> Verdict | None:
        if self.record is None or self.record.status not in GRADED:
            return None
        return Verdict(self.asked.item, bool(self.record.correct))


def summarise(task: Task, answered: Sequence[Answered], splits: Sequence[str], notes: Sequence[Note]) -> list[Block]:
    """All blocks of a run's result, in reading order. Depends on the records' answers only, never on times or
    machines."""
    blocks: list[Block] = []
    headline_subsets = []
    for split in splits:
        part = [one for one in answered if one.asked.item.split == split]
        suffix = f" ({split})" if len(splits) > 1 else ""
        blocks.extend(_averages(task, part, suffix))
        blocks.extend(_calibration(task, part, suffix))
        headline_subsets.append(_by_subset(task, part, suffix))
    blocks.extend(notes)
    blocks.extend(_remarks(answered))
    blocks.extend(headline_subsets)
    for split in splits:
        part = [one for one in answered if one.asked.item.split == split]
        suffix = f" ({split})" if len(splits) > 1 else ""
        blocks.extend(_rollups(task, part, suffix))
        blocks.extend(_reliability(part, suffix))
    blocks.append(_statuses(answered))
    first = answered[0].asked.asks[0]
    continuations = "\n".join(repr(text) for text in first.continuations)
    caption = (
        f"Item {answered[0].asked.item.id}. The continuations whose log-probabilities were compared:\n{continuations}"
    )
    blocks.append(Text(title="The first full prompt, exactly", text=first.context, caption=caption))
    blocks.append(_samples(answered))
    return blocks


def _verdicts(answered: Sequence[Answered]) -> list[Verdict]:
    return [verdict for one in answered if (verdict := one.verdict) is not None]


def _by(answered: Sequence[Answered], task: Task) -> dict[str, list[Verdict]]:
    """Verdicts by subset, in the task's order; a subset without one has an empty list."""
    found: dict[str, list[Verdict]] = {
        subset: [] for subset in task.subsets if any(one.asked.item.subset == subset for one in answered)
    }
    for verdict in _verdicts(answered):
        found[verdict.item.subset].append(verdict)
    return found


def _averages(task: Task, answered: Sequence[Answered], suffix: str) -> Iterator[Block]:
    """Micro and macro, the paper's own average first."""
    subsets = _by(answered, task)
    row_wise = all(task.metric(subset).group_size is None for subset in subsets)
    scores = {subset: score(task.metric(subset), verdicts) for subset, verdicts in subsets.items()}
    whole = [(found, subsets[subset]) for subset, found in scores.items() if found is not None]
    micro = _micro(pooled(_verdicts(answered)), suffix, task.headline == "micro" or len(subsets) == 1, row_wise)
    if len(subsets) == 1:
        found = next(iter(scores.values()))
        metric = task.metric(next(iter(subsets)))
        if found is not None and metric.group_size is not None:
            yield _estimate(f"{metric.name}{suffix}", found, f"share of whole {found.unit}", headline=True)
            yield micro.model_copy(update={"headline": False})
        else:
            yield micro
        return
    average = _macro(whole, len(subsets), row_wise, suffix, task.headline == "macro")
    yield from (micro, average) if task.headline == "micro" else (average, micro)


def _micro(found: Score | None, suffix: str, headline: bool, row_wise: bool) -> Estimate:
    name = f"accuracy, micro{suffix}" if row_wise else f"accuracy over rows{suffix}"
    method = "mean over all questions (micro)"
    if found is None:
        return Estimate(name=name, value=None, n=0, method=method, headline=headline, reason="nothing was answered")
    return _estimate(name, found, method, headline)


def _estimate(name: str, found: Score, method: str, headline: bool) -> Estimate:
    return Estimate(
        name=name,
        value=found.value,
        interval=found.interval,
        n=found.n,
        groups=found.groups if found.groups != found.n else None,
        method=method,
        baselines={"chance": found.chance, "majority class": found.majority},
        headline=headline,
    )


def _macro(
    whole: Sequence[tuple[Score, list[Verdict]]], subsets: int, row_wise: bool, suffix: str, headline: bool
) -> Estimate:
    name = f"{'accuracy' if row_wise else 'average'}, macro over {subsets} subsets{suffix}"
    method = "unweighted mean of the subsets' scores (macro)"
    n = sum(found.n for found, _ in whole)
    if len(whole) < subsets:
        reason = f"{subsets - len(whole)} of {subsets} subsets have no score"
        return Estimate(name=name, value=None, n=n, method=method, headline=headline, reason=reason)
    value, interval = macro(whole)
    interval = interval.model_copy(update={"low": max(0.0, interval.low), "high": min(1.0, interval.high)})
    baselines = {
        "chance": sum(found.chance for found, _ in whole) / subsets,
        "majority class": sum(found.majority for found, _ in whole) / subsets,
    }
    return Estimate(
        name=name, value=value, interval=interval, n=n, method=method, baselines=baselines, headline=headline
    )


_SCORE_COLUMNS = [
    Column(label="score", format="fraction"),
    Column(label="low", format="fraction"),
    Column(label="high", format="fraction"),
    Column(label="n", format="integer"),
    Column(label="chance", format="fraction"),
    Column(label="majority", format="fraction"),
]

_Row = list[str | int | float | bool | None]


def _score_cells(found: Score | None) -> _Row:
    if found is None:
        return [None, None, None, 0, None, None]
    low, high = found.interval.low, found.interval.high
    return [found.value, low, high, found.n, found.chance, found.majority]


def _by_subset(task: Task, answered: Sequence[Answered], suffix: str) -> Table:
    """One row a subset; the metric and the accuracy over rows where some subset reports another metric; the category,
    which colours the chart."""
    subsets = _by(answered, task)
    scores = {subset: score(task.metric(subset), verdicts) for subset, verdicts in subsets.items()}
    mixed = any(task.metric(subset).group_size is not None for subset in subsets)
    category = _category(task, answered)
    columns = [Column(label="subset"), *_SCORE_COLUMNS]
    if mixed:
        columns += [Column(label="metric"), Column(label="accuracy over rows", format="fraction")]
    if category:
        columns.append(Column(label="category"))
    rows: list[_Row] = []
    for subset, verdicts in subsets.items():
        row: _Row = [subset, *_score_cells(scores[subset])]
        if mixed:
            over_rows = pooled(verdicts)
            row += [task.metric(subset).name, over_rows.value if over_rows else None]
        rows.append(row + ([category[subset]] if category else []))
    found = [one for one in scores.values() if one is not None]
    caption = f"95% intervals: {', '.join(sorted({one.interval.method for one in found})) or 'none'}."
    if mixed:
        caption += " n counts rows, or whole groups for exact match."
    if ignored := sum(one.ignored for one in found):
        caption += f" {ignored} rows stand in groups that are not whole and do not count for exact match."
    chance = {one.chance for one in found}
    return Table(
        title=f"Score by subset{suffix}",
        columns=columns,
        rows=rows,
        caption=caption,
        chart=IntervalChart(
            label=0,
            value=1,
            low=2,
            high=3,
            colour=len(columns) - 1 if category else None,
            reference=chance.pop() if len(chance) == 1 else None,
            reference_label="chance",
        ),
        headline=True,
    )


def _category(task: Task, answered: Sequence[Answered]) -> dict[str, str]:
    """Subset to its name in the coarsest rollup that covers every item and keeps subsets whole; empty where there is
    none."""
    for rollup in reversed(list(task.rollups.values())):
        homes: dict[str, set[str | None]] = {}
        for one in answered:
            homes.setdefault(one.asked.item.subset, set()).add(rollup(one.asked.item))
        if all(len(home) == 1 and None not in home for home in homes.values()):
            return {subset: str(next(iter(home))) for subset, home in homes.items()}
    return {}


def _rollups(task: Task, answered: Sequence[Answered], suffix: str) -> Iterator[Table]:
    """Pooled accuracy of larger groups of items, such as MMLU's categories."""
    for name, rollup in task.rollups.items():
        parts: dict[str, list[Verdict]] = {}
        for verdict in _verdicts(answered):
            if (home := rollup(verdict.item)) is not None:
                parts.setdefault(home, []).append(verdict)
        if not parts or (len(parts) == 1 and len(task.rollups) > 1):
            continue
        rows: list[_Row] = [[home, *_score_cells(pooled(parts[home]))] for home in sorted(parts)]
        yield Table(
            title=f"Accuracy by {name}{suffix}",
            columns=[Column(label=name), *_SCORE_COLUMNS],
            rows=rows,
            caption="Pooled over questions (micro).",
            chart=IntervalChart(label=0, value=1, low=2, high=3, reference=None),
        )


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


def _remarks(answered: Sequence[Answered]) -> Iterator[Note]:
    """Notes that the records themselves call for."""
    records = [one.record for one in answered if one.record is not None]
    cut = sum(record.status == "truncated" for record in records)
    if cut:
        text = f"{cut:,} of {len(answered):,} prompts were longer than the model can see and were cut on their left."
        yield Note(level="deviation", text=text)
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


def _statuses(answered: Sequence[Answered]) -> Table:
    counts = Counter(one.record.status if one.record is not None else "not asked" for one in answered)
    meaning = {
        "ok": "answered and graded",
        "truncated": "answered and graded; the prompt was cut to fit",
        "unparsed": "no option could be read: counted as wrong",
        "refused": "the model declined: counted as wrong",
        "error": "no answer: not scored; asked again by the same command",
        "timeout": "no answer in time: not scored",
        "not asked": "not reached yet",
    }
    rows: list[_Row] = [
        [status, counts[status], counts[status] / len(answered), meaning[status]]
        for status in meaning
        if counts[status]
    ]
    return Table(
        title="Statuses",
        columns=[
            Column(label="status"),
            Column(label="items", format="integer"),
            Column(label="share", format="fraction"),
            Column(label="meaning"),
        ],
        rows=rows,
    )


def _samples(answered: Sequence[Answered]) -> Samples:
    """At most a few thousand items, evenly spread over the run."""
    with_record = [one for one in answered if one.record is not None]
    step = max(1.0, len(with_record) / _MOST_SAMPLES)
    chosen = [with_record[int(number * step)] for number in range(min(_MOST_SAMPLES, len(with_record)))]
    caption = "" if len(chosen) == len(with_record) else "An even selection; all of them are in records.jsonl."
    return Samples(title="Samples", total=len(with_record), samples=[_sample(one) for one in chosen], caption=caption)


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
    answer = record.message or (
        "no option" if record.parsed is None else f"({record.parsed + 1}) {item.choices[record.parsed]}"
    )
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
