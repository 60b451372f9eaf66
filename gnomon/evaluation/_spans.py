"""Benchmarks whose answers are spans of a text: precision against recall over confidences, by category, and a text with
its spans in place.

Belongs here: the kind "spans". Does not belong here: matching and curves (`grading/spans.py`), reading quotes
(`grading/quotes.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gnomon.asks import Answer, Completion, Highlighted
from gnomon.blocks import (
    Block,
    Column,
    Curve,
    Estimate,
    Interval,
    IntervalChart,
    Mark,
    Marked,
    Note,
    Sample,
    Series,
    Table,
)
from gnomon.errors import NotIdentifiedError
from gnomon.evaluation import _summary as shared
from gnomon.evaluation._kinds import Appender, Asked, Progress, Work
from gnomon.evaluation._summary import GRADED, Answered, Row
from gnomon.grading.quotes import locate, read_quotes
from gnomon.grading.spans import (
    Judged,
    PrecisionRecall,
    SpanIntervals,
    SpanQuestion,
    bootstrap,
    exact_curve,
    is_lenient,
    judge,
    matches,
    official_curve,
    operating_point,
)
from gnomon.stats import stream

__all__ = ["Spans"]

_RECALLS = (0.8, 0.9)
_SHOWN_TEXTS = 3
_SHOWN_MARKS = 400
_POINTS = 300
_Rule = Literal["official", "exact"]
_ABOUT = {
    "official": "the released scorer: 101 thresholds, its quirks kept; predictions with their white space rebuilt",
    "exact": "every distinct confidence a threshold; predictions as they stand in the contract, words split at any "
    "white space",
}


class Spans:
    """Spans are matched with reference spans; a model with confidences gives a curve, one without gives a point."""

    graders: tuple[str, ...] = ()
    several = False

    def refuse_early(self, work: Work) -> None:
        return

    def read(self, work: Work, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
        first = answers[0]
        if isinstance(first, Highlighted):
            spans = [[span.start, span.end, round(span.probability, 8)] for span in first.spans]
            return {"output": {"spans": spans, "none": round(first.none, 8), "windows": first.windows}}
        return _quoted(work, asked, [answer for answer in answers if isinstance(answer, Completion)])

    def grade(self, work: Work, answered: Sequence[Answered], append: Appender, progress: Progress) -> list[str]:
        return []

    def summarise(self, work: Work, answered: Sequence[Answered], notes: Sequence[Note]) -> list[Block]:
        curves = work.protocol.ability == "highlight"
        blocks: list[Block] = []
        tables: list[Block] = []
        for part, suffix in shared.split_parts(answered, work.data.splits):
            graded = [one for one in part if one.record is not None and one.record.status in GRADED]
            if not graded:
                reason = "nothing was answered"
                blocks.append(Estimate(name=f"AUPR{suffix}", value=None, n=0, method="", headline=True, reason=reason))
                continue
            rules = {rule: _Judged.of(graded, rule) for rule in ("official", "exact")}
            if curves:
                blocks.extend(_scores(rules["official"], suffix, headline=True))
                blocks.extend(_scores(rules["exact"], suffix, headline=False))
                tables.append(_curve(rules, suffix))
            else:
                blocks.extend(_point(rules["exact"], suffix))
                tables.append(_located(graded, suffix))
            tables.append(_by_category(work, rules, suffix, curves))
        blocks.extend(notes)
        blocks.extend(shared.truncated_prompts(answered))
        blocks.extend(tables)
        blocks.extend(shared.writing(answered))
        blocks.append(shared.statuses(answered))
        blocks.extend(_marked(answered))
        blocks.extend(shared.first_prompt(answered))
        blocks.append(shared.samples(answered, _sample))
        return blocks


def _quoted(work: Work, asked: Asked, written: Sequence[Completion]) -> dict[str, Any]:
    """What a model that writes has quoted, found in the contract; what is not found is kept and counted."""
    context = asked.item.fields["contract"]
    quotes = [read_quotes(one.text) for one in written]
    found: dict[tuple[int, int], None] = {}
    missed: list[str] = []
    for quote in dict.fromkeys(quote for part in quotes for quote in part or ()):
        place = locate(quote, context)
        if place is None:
            missed.append(quote[:500])
        else:
            found[place] = None
    unread = all(part is None for part in quotes)
    cut = any(one.finish == "length" or one.truncated for one in written)
    prompts_cut = max(one.truncated for one in written)
    return {
        "status": "unparsed" if unread else "truncated" if cut else "ok",
        "output": {
            "spans": [[start, end, 1.0] for start, end in found],
            "missed": missed,
            "texts": [one.text for one in written],
            "answers": [None if part is None else len(part) for part in quotes],
            "finish": [one.finish for one in written],
            "tokens": [one.tokens for one in written],
            **({"cut": prompts_cut} if prompts_cut else {}),
        },
    }


@dataclass(frozen=True)
class _Judged:
    """Questions judged under one rule."""

    rule: _Rule
    judged: Judged
    contracts: list[str]
    subsets: np.ndarray[Any, Any]

    @classmethod
    def of(cls, answered: Sequence[Answered], rule: str) -> _Judged:
        official = rule == "official"
        questions = [_question(one, official) for one in answered]
        return cls(
            rule="official" if official else "exact",
            judged=judge(questions, separator=" " if official else None),
            contracts=[one.asked.item.group for one in answered],
            subsets=np.array([one.asked.item.subset for one in answered]),
        )

    def only(self, subset: str) -> _Judged:
        keep = self.subsets == subset
        contracts = [name for name, kept in zip(self.contracts, keep, strict=True) if kept]
        return _Judged(self.rule, self.judged.select(keep), contracts, self.subsets[keep])

    @property
    def questions(self) -> int:
        return len(self.contracts)

    def curve(self) -> PrecisionRecall | None:
        """None where no question has a reference span."""
        if not self.judged.golds:
            return None
        return official_curve(self.judged) if self.rule == "official" else exact_curve(self.judged)

    def intervals(self, draws: int) -> SpanIntervals | None:
        """None where too few contracts hold spans to show a spread."""
        try:
            return bootstrap(self.judged, self.contracts, seed=0, rule=self.rule, recalls=_RECALLS, draws=draws)
        except NotIdentifiedError:
            return None


def _question(one: Answered, official: bool) -> SpanQuestion:
    item, record = one.asked.item, one.record
    assert record is not None
    context = item.fields["contract"]
    golds = tuple(context[start:end] for start, end in item.key["spans"])
    texts = [(context[start:end], probability) for start, end, probability in record.output.get("spans", ())]
    if official:  # the release joins the words of a prediction with single spaces, and leaves references as they stand
        texts = [(" ".join(text.split()), probability) for text, probability in texts]
    return SpanQuestion(golds, texts, lenient=is_lenient(item.id) if official else item.key["category"] == "Parties")


def _scores(found: _Judged, suffix: str, headline: bool) -> Iterator[Estimate]:
    """AUPR and precision at two recalls, with intervals over contracts."""
    curve, intervals = found.curve(), found.intervals(draws=1000)
    names = ["AUPR", *(f"precision at {recall:.0%} recall" for recall in _RECALLS)]
    values: list[float | None] = [None] * len(names)
    spread: list[Interval | None] = [None] * len(names)
    if curve is not None:
        values = [curve.aupr, *(curve.precision_at(recall) for recall in _RECALLS)]
    if intervals is not None:
        spread = [intervals.aupr, *(intervals.precision_at[recall] for recall in _RECALLS)]
    for name, value, interval in zip(names, values, spread, strict=True):
        yield Estimate(
            name=f"{name} ({found.rule}){suffix}",
            value=value,
            interval=interval,
            n=found.questions,
            groups=len(set(found.contracts)),
            method=_ABOUT[found.rule] + ("" if interval else "; too few contracts hold spans for an interval"),
            headline=headline,
            reason="" if value is not None else "no question has a reference span, so there is no recall",
        )


def _point(found: _Judged, suffix: str) -> Iterator[Estimate]:
    """Precision, recall and F1 of all that was quoted."""
    judged = found.judged
    names = np.unique(found.contracts, return_inverse=True)[1]
    count = int(names.max()) + 1
    hit = judged.gold_largest > -np.inf
    parts = [
        np.bincount(names[judged.gold_question[hit]], minlength=count),
        np.bincount(names[judged.false_question], minlength=count),
        np.bincount(names[judged.gold_question[~hit]], minlength=count),
    ]
    times = stream(0, "span point").multinomial(count, np.full(count, 1 / count), size=1000)
    tp, fp, fn = (times @ part for part in parts)
    point = operating_point(judged)
    method = "one operating point over all quotes that stand in the contract; percentiles over contracts"
    for name, value, above, below in (
        ("F1", _f1(judged), 2 * tp, 2 * tp + fp + fn),
        ("precision", point.precision, tp, tp + fp),
        ("recall", point.recall, tp, tp + fn),
    ):
        ratios = above[below > 0] / below[below > 0]
        interval = None
        if value is not None and count > 1:
            low, high = np.quantile(ratios, [0.025, 0.975])
            interval = Interval(low=float(low), high=float(high), method="bootstrap over contracts")
        yield Estimate(
            name=f"{name}{suffix}",
            value=value,
            interval=interval,
            n=found.questions,
            groups=count,
            method=method,
            headline=name == "F1",
            reason="" if value is not None else "nothing was quoted, or no question has a reference span",
        )


def _f1(judged: Judged) -> float | None:
    """None where there is no recall: 0 would say that spans were missed."""
    return operating_point(judged).f1 if judged.golds else None


def _located(answered: Sequence[Answered], suffix: str) -> Table:
    """How many quotes stand in the contract."""
    records = [one.record for one in answered if one.record is not None]
    there = sum(len(record.output.get("spans", ())) for record in records)
    missed = sum(len(record.output.get("missed", ())) for record in records)
    every = there + missed
    share = [value / every if every else None for value in (there, missed)]
    return Table(
        title=f"Quotes{suffix}",
        columns=[
            Column(label="outcome"),
            Column(label="quotes", format="integer"),
            Column(label="share", format="fraction"),
        ],
        rows=[["stands in the contract", there, share[0]], ["invented or changed", missed, share[1]]],
        caption="A quote may differ from the contract in white space only; what is not there counts for nothing.",
        headline=True,
    )


def _by_category(work: Work, rules: dict[str, _Judged], suffix: str, curves: bool) -> Table:
    """Each category alone: the area under its own curve, or its F1."""
    columns = [Column(label="category"), Column(label="questions", format="integer")]
    columns += [Column(label="with a span", format="integer"), Column(label="spans", format="integer")]
    what = ["AUPR (official)", "low", "high", "AUPR (exact)"] if curves else ["F1", "precision", "recall"]
    columns += [Column(label=label, format="fraction") for label in what]
    rows: list[Row] = []
    for subset in work.data.task.subsets:
        if not (rules["exact"].subsets == subset).any():
            continue
        official, exact = rules["official"].only(subset), rules["exact"].only(subset)
        judged = exact.judged
        row: Row = [subset, exact.questions, len(set(judged.gold_question.tolist())), judged.golds]
        if curves:
            curve, better, spread = official.curve(), exact.curve(), official.intervals(draws=200)
            low, high = (spread.aupr.low, spread.aupr.high) if spread else (None, None)
            row += [curve.aupr if curve else None, low, high, better.aupr if better else None]
        else:
            point = operating_point(judged)
            row += [_f1(judged), point.precision, point.recall]
        rows.append(row)
    chart = IntervalChart(label=0, value=4, low=5, high=6) if curves else None
    return Table(
        title=f"Score by category{suffix}",
        columns=columns,
        rows=rows,
        caption="95% intervals by bootstrap over contracts." if curves else "",
        chart=chart,
        headline=True,
    )


def _curve(rules: dict[str, _Judged], suffix: str) -> Curve:
    """Precision against recall under both rules."""
    series = []
    for name, found in rules.items():
        curve = found.curve()
        if curve is None:
            continue
        points = np.column_stack([curve.recall, curve.monotone_precision])
        points = points[np.isfinite(points).all(axis=1)]
        step = np.unique(np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int))
        series.append(Series(name=name, x=points[step, 0].tolist(), y=points[step, 1].tolist()))
    return Curve(
        title=f"Precision and recall{suffix}",
        x_label="recall",
        y_label="precision (the best at this recall or more)",
        series=series,
        caption="Pooled over all questions. The area under a line is its AUPR; nothing is added beyond its last point.",
    )


def _marked(answered: Sequence[Answered]) -> Iterator[Marked]:
    """The first contracts with reference spans, each whole, with what should be and what was highlighted."""
    homes: dict[tuple[str, str], list[Answered]] = {}
    for one in answered:
        if one.record is not None:
            homes.setdefault((one.asked.item.split, one.asked.item.group), []).append(one)
    worth = [part for part in homes.values() if any(one.asked.item.key["spans"] for one in part)]
    for part in worth[:_SHOWN_TEXTS]:
        marks = [mark for one in part for mark in _marks(one)]
        marks.sort(key=lambda mark: (mark.start, mark.end, mark.label, mark.kind))
        cut = f" The first {_SHOWN_MARKS} of {len(marks):,} marks." if len(marks) > _SHOWN_MARKS else ""
        yield Marked(
            title=part[0].asked.item.fields["title"],
            text=part[0].asked.item.fields["contract"],
            marks=marks[:_SHOWN_MARKS],
            caption="Reference spans, and those that the model holds likelier than that there is none." + cut,
        )


def _marks(one: Answered) -> Iterator[Mark]:
    item, record = one.asked.item, one.record
    assert record is not None
    context, label = item.fields["contract"], item.key["category"]
    least = record.output.get("none", 0.0)
    lenient = label == "Parties"
    golds = [(start, end) for start, end in item.key["spans"]]
    hit = set()
    for start, end, probability in record.output.get("spans", ()):
        if probability < least:
            continue
        texts = {gold for gold in golds if matches(context[start:end], context[slice(*gold)], lenient, separator=None)}
        hit |= texts
        kind: Literal["both", "found"] = "both" if texts else "found"
        yield Mark(start=start, end=end, kind=kind, label=label, probability=probability)
    for start, end in golds:
        if (start, end) not in hit or not any(
            (start, end) == (s, e) and p >= least for s, e, p in record.output.get("spans", ())
        ):
            yield Mark(start=start, end=end, kind="gold", label=label)


def _sample(one: Answered) -> Sample:
    item, record = one.asked.item, one.record
    assert record is not None
    context = item.fields["contract"]
    spans = record.output.get("spans", ())
    lines = [f"{probability:.3f}  {context[start:end]}" for start, end, probability in spans[:5]]
    lines += [f"not in the contract: {quote}" for quote in record.output.get("missed", ())[:5]]
    if "none" in record.output:
        lines.append(f"{record.output['none']:.3f}  (none)")
    golds = "\n".join(context[start:end] for start, end in item.key["spans"])
    return Sample(
        id=item.id,
        subset=item.subset,
        status=record.status,
        correct=None,
        prompt=f"{item.fields['title']}\n\n{item.fields['question']}",
        answer=record.message or "\n".join(lines) or "nothing",
        target=golds or "(no span)",
    )
