"""Precision and recall of span predictions over confidence thresholds, and what is read off these curves.

Belongs here: the released scorer's 101 thresholds with their quirks, the exact curve, area and precision at a recall.
Does not belong here: which span matches which (`spans.py`), intervals (`_span_bootstrap.py`).

In both curves, pooled over all questions: a true positive is a gold that an active prediction matches, a false
negative is any other gold, a false positive is an active prediction that matches no gold. So true positives count
golds, false positives count predictions, and precision is no share of predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.grading._span_events import FloatArray, IntArray, Judged

__all__ = ["OFFICIAL_THRESHOLDS", "PrecisionRecall", "Rule", "exact_curve", "official_curve"]

Rule = Literal["official", "exact"]

OFFICIAL_THRESHOLDS: tuple[float, ...] = (*np.arange(0.99, 0, -0.01).tolist(), 0.001, 0.0)
"""The release's thresholds with its rounding errors: most are not the nearest double to two decimals."""


@dataclass(frozen=True, eq=False, slots=True)
class PrecisionRecall:
    """Counts, precision and recall over k thresholds from strict to loose, after a starting point where nothing is
    active.

    Parameters
    ----------
    rule : {"official", "exact"}
        How the curve was made, which settles how it is read: see `official_curve` and `exact_curve`.
    thresholds : float array of shape (k + 1,)
        Falling. The first is infinity, the starting point. Active is what lies strictly above ("official"), or at or
        above ("exact") a threshold.
    precision : float array of shape (k + 1,)
        TP / (TP + FP), as measured, in [0, 1]; NaN where nothing is active. The official starting point is 1 by decree.
    recall : float array of shape (k + 1,)
        TP / (TP + FN), rising from 0; NaN where there are no golds (official only).
    tp, fp, fn : int arrays of shape (k + 1,)
        Golds found, false predictions, golds missed.
    """

    rule: Rule
    thresholds: FloatArray
    precision: FloatArray
    recall: FloatArray
    tp: IntArray
    fp: IntArray
    fn: IntArray

    @property
    def monotone_precision(self) -> FloatArray:
        """The best precision at this or any looser threshold, shape (k + 1,); a looser threshold never has less
        recall. All NaN where nothing is active at the loosest."""
        return best_from_here(self.precision)

    @property
    def aupr(self) -> float:
        """Area under monotone precision over recall, in [0, 1], by trapezoids, up to the recall that was reached; 0
        where nothing is active at all."""
        return float(area(self.recall, self.monotone_precision))

    def precision_at(self, recall: float) -> float:
        """Monotone precision at the first threshold whose recall is at least `recall`, in (0, 1]; 0 if none.

        The official reading never looks at the last threshold. Raises UsageError for a recall outside (0, 1].

        Examples
        --------
        >>> from gnomon.grading.spans import SpanQuestion, judge
        >>> judged = judge([SpanQuestion(("a",), (("a", 0.0005),))])
        >>> official_curve(judged).precision_at(0.8), exact_curve(judged).precision_at(0.8)
        (0.0, 1.0)
        """
        level = recall_level(recall)
        return float(first_reaching(self.recall, self.monotone_precision, level, self.rule))

    def confidence_at(self, recall: float) -> float | None:
        """The threshold that reaches `recall`; None if none does.

        The official one is what the release returns: one step looser than the right one, and 0 if none reaches it.
        """
        level = recall_level(recall)
        reached = readable(self.recall, self.rule) >= level
        if self.rule == "official":
            return float(self.thresholds[1:][int(reached.argmax()) if reached.any() else -1])
        return float(self.thresholds[int(reached.argmax())]) if reached.any() else None


def official_curve(judged: Judged) -> PrecisionRecall:
    """The curve of CUAD's released scorer (evaluate.py), quirks included: 0.99, 0.98, ..., 0.01, 0.001, 0.

    Parameters
    ----------
    judged : Judged
        From `judge`; a text that is repeated within a question counts with its last probability.

    Returns
    -------
    PrecisionRecall
        102 points: the decreed start (recall 0, precision 1), then 101 thresholds.

    Notes
    -----
    Quirks kept, since they move numbers: the trapezoid from (0, 1) to the first point gives credit to a model whose
    first point lies above 0.99; `precision_at` ignores threshold 0; if nothing is active at threshold 0 the area is
    0; without any gold all three numbers are 0; NaN probabilities are never active.

    Examples
    --------
    >>> from gnomon.grading.spans import SpanQuestion, judge
    >>> curve = official_curve(judge([SpanQuestion((), (("b", 0.6),)), SpanQuestion(("a",), (("a", 0.8),))]))
    >>> curve.aupr, float(curve.precision[-1])
    (1.0, 0.5)
    """
    thresholds = np.array(OFFICIAL_THRESHOLDS)
    steps = len(thresholds)
    tp = np.cumsum(np.bincount(official_bin(judged.gold_last), minlength=steps + 1)[:steps])
    fp = np.cumsum(np.bincount(official_bin(judged.false_last), minlength=steps + 1)[:steps])
    return _curve("official", thresholds, tp, fp, judged.golds)


def exact_curve(judged: Judged) -> PrecisionRecall:
    """The curve with every distinct confidence as a threshold: what the official one tends to as its steps get finer.

    Parameters
    ----------
    judged : Judged
        From `judge`; a text that is repeated within a question counts with its largest confidence. Any finite scale
        will do (probabilities, logits); only the order of the confidences matters.

    Returns
    -------
    PrecisionRecall
        One point for each distinct confidence that changes a count, after the start. Predictions of one confidence
        enter together. From recall 0 to the first point the area takes the first point's monotone precision, not a
        line from precision 1.

    Raises
    ------
    NotIdentifiedError
        If there is no gold span, so that recall means nothing.
    UsageError
        If a confidence is NaN or infinite.

    Examples
    --------
    >>> from gnomon.grading.spans import SpanQuestion, judge
    >>> curve = exact_curve(judge([SpanQuestion(("a b", "c d"), (("a b", 2.5), ("e", 2.5), ("c d", -1.0)))]))
    >>> curve.thresholds, curve.recall, curve.tp, curve.fp
    (array([ inf,  2.5, -1. ]), array([0. , 0.5, 1. ]), array([0, 1, 2]), array([0, 1, 1]))
    >>> round(curve.aupr, 4)
    0.6667
    """
    check_exact(judged)
    gold, false = judged.gold_largest, judged.false_largest
    found = gold[gold > -np.inf]
    thresholds = np.unique(np.concatenate([found, false]))[::-1]
    rising = -thresholds
    tp = np.cumsum(np.bincount(np.searchsorted(rising, -found), minlength=len(thresholds)))
    fp = np.cumsum(np.bincount(np.searchsorted(rising, -false), minlength=len(thresholds)))
    return _curve("exact", thresholds, tp, fp, judged.golds)


def _curve(rule: Rule, thresholds: FloatArray, tp: IntArray, fp: IntArray, golds: int) -> PrecisionRecall:
    tp, fp = np.concatenate([[0], tp]).astype(np.int64), np.concatenate([[0], fp]).astype(np.int64)
    precision, recall = ratios(tp.astype(np.float64), fp.astype(np.float64), np.array(float(golds)), rule)
    return PrecisionRecall(
        rule=rule,
        thresholds=np.concatenate([[np.inf], thresholds]),
        precision=precision,
        recall=recall,
        tp=tp,
        fp=fp,
        fn=golds - tp,
    )


# What follows works along the first axis, so that many resamples can be read at once: (k + 1,) or (k + 1, draws).


def ratios(tp: FloatArray, fp: FloatArray, golds: FloatArray, rule: Rule) -> tuple[FloatArray, FloatArray]:
    """Precision and recall from cumulative counts whose first row, the start, is 0."""
    active = tp + fp
    precision = np.divide(tp, active, out=np.full(tp.shape, np.nan), where=active > 0)
    recall = np.divide(tp, golds, out=np.full(tp.shape, np.nan), where=np.broadcast_to(golds > 0, tp.shape))
    recall[0] = 0
    if rule == "official":
        precision[0] = 1
    return precision, recall


def best_from_here(precision: FloatArray) -> FloatArray:
    """Running maximum from the loosest threshold back.

    The release's `max(previous, this)` passes over NaN, except at the loosest threshold, whence it spreads to all.
    """
    best = np.fmax.accumulate(precision[::-1], axis=0)[::-1]
    return np.where(np.isnan(precision[-1]), np.nan, best)


def area(recall: FloatArray, precision: FloatArray) -> FloatArray:
    """Trapezoids along the first axis; NaN becomes 0."""
    total: FloatArray = np.sum(np.diff(recall, axis=0) * (precision[1:] + precision[:-1]) / 2, axis=0)
    return np.nan_to_num(total, nan=0.0)


def readable(points: FloatArray, rule: Rule) -> FloatArray:
    """The points that precision at a recall is looked for in: the release pairs 102 points with 101 thresholds, so the
    last one is lost."""
    return points[:-1] if rule == "official" else points


def first_reaching(recall: FloatArray, precision: FloatArray, level: float, rule: Rule) -> FloatArray:
    """`precision` at the first point with recall of at least `level`, 0 where there is none."""
    reached = readable(recall, rule) >= level
    first = np.expand_dims(reached.argmax(axis=0), 0)
    return np.where(reached.any(axis=0), np.take_along_axis(precision, first, axis=0)[0], 0.0)


def official_bin(confidence: FloatArray) -> IntArray:
    """The first of the release's thresholds that lies strictly below; 101 where none does."""
    return np.searchsorted(-np.array(OFFICIAL_THRESHOLDS), -confidence, side="right").astype(np.int64)


def check_exact(judged: Judged) -> None:
    """Refuse what has no exact curve."""
    if judged.not_finite:
        question, value = judged.not_finite[0]
        raise UsageError(
            f"{len(judged.not_finite)} confidences are not finite; the first is {value}, in question {question}.",
            hint="Give finite confidences; only the official curve takes others.",
        )
    if not judged.golds:
        raise NotIdentifiedError(
            f"none of the {judged.questions} questions has a gold span, so there is no recall.",
            hint="Report the number of false predictions instead.",
        )


def recall_level(recall: float) -> float:
    """`recall` where it lies in (0, 1]."""
    if not 0 < recall <= 1:
        raise UsageError(f"recall is {recall!r}, outside (0, 1].", hint="0.8 asks for precision at 80% recall.")
    return float(recall)
