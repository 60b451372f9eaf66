"""Judging spans of text against gold spans, as CUAD does: word overlap, curves over confidences, intervals.

Belongs here: when a span matches a gold, and what a set of predictions amounts to. Does not belong here: where
spans and contracts come from (`tasks/`), averages over categories (`evaluation/`).

Source: the released scorer of CUAD (Hendrycks et al. 2021, arXiv:2103.06268), evaluate.py at commit 67faa0e.
Typical use::

    judged = judge(questions)            # once; matching is the slow part
    official_curve(judged).aupr          # the released number, quirks included
    exact_curve(judged).precision_at(0.8)
    bootstrap(judged, contracts, seed=0).aupr
    operating_point(judged)              # for predictions without confidences

The release's other known version splits words at any white space, not at single spaces: `separator=None` follows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.errors import UsageError
from gnomon.grading._span_bootstrap import SpanIntervals, bootstrap
from gnomon.grading._span_curves import OFFICIAL_THRESHOLDS, PrecisionRecall, exact_curve, official_curve
from gnomon.grading._span_events import Judged

__all__ = [
    "OFFICIAL_THRESHOLDS",
    "Judged",
    "OperatingPoint",
    "PrecisionRecall",
    "SpanIntervals",
    "SpanQuestion",
    "bootstrap",
    "by_id",
    "exact_curve",
    "in_category",
    "is_lenient",
    "jaccard",
    "judge",
    "matches",
    "official_curve",
    "operating_point",
]

OVERLAP = 0.5
"""Least share of common words for a match."""

_DROPPED = str.maketrans({".": None, ",": None, ";": None, ":": None})


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """One question: its gold texts, the predicted (text, confidence) pairs, and whether a prediction may hold more than
    the gold.

    `golds` may be empty: then every prediction is false. An empty predicted text means "nothing" and is dropped.

    >>> SpanQuestion.of_texts(["Delaware"], ["the State of Delaware"]).predictions
    (('the State of Delaware', 1.0),)
    """

    golds: tuple[str, ...]
    predictions: Sequence[tuple[str, float]]
    lenient: bool = False

    @classmethod
    def of_texts(cls, golds: Iterable[str], texts: Iterable[str], lenient: bool = False) -> SpanQuestion:
        """From predictions without confidences; each gets 1. Only `operating_point` means something then."""
        return cls(tuple(golds), tuple((text, 1.0) for text in texts), lenient)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Counts for one set of active predictions; the ratios are in [0, 1], and None where they divide by 0."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float | None:
        """Golds found / (golds found + false predictions)."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Golds found / golds."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two, 2 TP / (2 TP + FP + FN), which is 0 where golds exist and nothing is predicted."""
        whole = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / whole if whole else None


def jaccard(a: str, b: str, *, separator: str | None = " ") -> float:
    """Share of words that two texts have in common, in [0, 1] (the release's `get_jaccard`).

    Words are what stands between single spaces after `. , ; :` are deleted, case is lowered and `/` made a space.
    So two spaces hold an empty word between them, a line break separates nothing, and brackets and quotes belong to
    words.

    Parameters
    ----------
    a, b : str
        The order plays no part.
    separator : str or None, default " "
        What separates words; None for any white space. Two texts without any word then count as equal.

    Examples
    --------
    >>> jaccard("Delaware law", "delaware LAW."), jaccard("a/b", "a b"), round(jaccard("a b", "a  b"), 3)
    (1.0, 1.0, 0.667)
    >>> jaccard("a\\nb", "a b"), jaccard("a\\nb", "a b", separator=None)
    (0.0, 1.0)
    """
    return _overlap(_words(a, separator), _words(b, separator))


def _words(text: str, separator: str | None) -> frozenset[str]:
    return frozenset(text.translate(_DROPPED).lower().replace("/", " ").split(separator))


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    common = len(a & b)
    either = len(a) + len(b) - common
    return common / either if either else 1.0


def matches(prediction: str, gold: str, lenient: bool = False, *, separator: str | None = " ") -> bool:
    """Whether `prediction` finds `gold`: a word overlap of at least one half or, if `lenient`, the gold's text
    inside the prediction's, letter by letter.

    Examples
    --------
    >>> matches("the Company", "Company"), matches("(the Company)", "the Company")
    (True, False)
    >>> matches("This is between Acme and others", "Acme", lenient=True)
    True
    """
    return jaccard(prediction, gold, separator=separator) >= OVERLAP or (lenient and gold in prediction)


def is_lenient(question_id: str) -> bool:
    """Whether the release judges this id leniently: it holds "Parties" anywhere, the contract's title included.

    >>> is_lenient("acme__Parties"), is_lenient("acme__Document Name")
    (True, False)
    """
    return "Parties" in question_id


def in_category(question_id: str, category: str) -> bool:
    """Whether the release counts this id to `category`: it holds the name anywhere, the contract's title included.

    >>> in_category("acme License Grant__Parties", "License Grant")
    True
    """
    return category in question_id


def by_id(
    golds: Mapping[str, Sequence[str]], predictions: Mapping[str, Sequence[tuple[str, float]]]
) -> list[SpanQuestion]:
    """Questions from the release's two tables, in the order of `golds`, lenient as their ids say (`is_lenient`).

    Raises
    ------
    UsageError
        If the ids differ: a missing question would be a silent gain or loss.

    Examples
    --------
    >>> by_id({"c__Parties": ["Acme"]}, {"c__Parties": [("Acme Inc", 0.4)]})
    [SpanQuestion(golds=('Acme',), predictions=[('Acme Inc', 0.4)], lenient=True)]
    """
    missing, extra = golds.keys() - predictions.keys(), predictions.keys() - golds.keys()
    if missing or extra:
        example = min(missing or extra)
        raise UsageError(
            f"{len(missing)} questions have no predictions and {len(extra)} predictions no question, "
            f"such as {example!r}.",
            hint="Give every question an entry, an empty one where nothing is predicted.",
        )
    return [SpanQuestion(tuple(texts), predictions[key], is_lenient(key)) for key, texts in golds.items()]


def judge(questions: Sequence[SpanQuestion], *, separator: str | None = " ") -> Judged:
    """Match all predictions with the golds of their question.

    Parameters
    ----------
    questions : sequence of SpanQuestion
        In any order; a question may lack golds, predictions or both.
    separator : str or None, default " "
        What separates words, see `jaccard`.

    Returns
    -------
    Judged
        All that curves, intervals and counts need.

    Raises
    ------
    UsageError
        If a gold is empty, a text is not a str or a confidence not a number; the message names the question.

    Examples
    --------
    >>> judged = judge([SpanQuestion(("a b", "a c"), (("a", 0.7), ("a b", 0.2), ("d", 0.1)))])
    >>> judged.gold_largest, judged.false_largest
    (array([0.7, 0.7]), array([0.1]))
    """
    gold_rows: list[tuple[int, float, float]] = []
    false_rows: list[tuple[int, float, float]] = []
    not_finite: list[tuple[int, float]] = []
    for number, question in enumerate(questions):
        texts = _distinct(question, number, not_finite)
        found, false = _matched(question, number, texts, separator)
        gold_rows += [(number, last, largest) for last, largest in found]
        false_rows += [(number, last, largest) for last, largest in false]
    gold, false_ = (np.array(rows, dtype=np.float64).reshape(-1, 3) for rows in (gold_rows, false_rows))
    return Judged(
        questions=len(questions),
        gold_question=gold[:, 0].astype(np.int64),
        gold_last=gold[:, 1].copy(),
        gold_largest=gold[:, 2].copy(),
        false_question=false_[:, 0].astype(np.int64),
        false_last=false_[:, 1].copy(),
        false_largest=false_[:, 2].copy(),
        not_finite=tuple(not_finite),
    )


_Confidences = tuple[float, float]
"""The last and the largest confidence of one text."""


def _distinct(question: SpanQuestion, number: int, not_finite: list[tuple[int, float]]) -> dict[str, _Confidences]:
    """The distinct texts that are not empty; NaN becomes -inf, for it is never above a threshold."""
    texts: dict[str, _Confidences] = {}
    for text, given in question.predictions:
        if not isinstance(text, str) or not isinstance(given, int | float | np.integer | np.floating):
            raise UsageError(
                f"question {number}: the prediction ({text!r}, {given!r}) is no pair of a text and a number.",
                hint="Predictions are (text, confidence); SpanQuestion.of_texts takes texts alone.",
            )
        if not text:
            continue
        confidence = float(given)
        if not math.isfinite(confidence):
            not_finite.append((number, confidence))
            confidence = -math.inf if math.isnan(confidence) else confidence
        before = texts.get(text)
        texts[text] = (confidence, confidence if before is None else max(confidence, before[1]))
    return texts


def _matched(
    question: SpanQuestion, number: int, texts: dict[str, _Confidences], separator: str | None
) -> tuple[list[_Confidences], list[_Confidences]]:
    """The best confidences for each gold, and those of the texts that match none."""
    golds = question.golds
    if isinstance(golds, str) or not all(isinstance(gold, str) and gold for gold in golds):
        raise UsageError(
            f"question {number}: the golds {golds!r} are no tuple of texts that are not empty.",
            hint="A question without an answer has no golds: () .",
        )
    if not golds:
        return [], list(texts.values())
    words = [_words(gold, separator) for gold in golds]
    best: list[_Confidences] = [(-math.inf, -math.inf)] * len(golds)
    false: list[_Confidences] = []
    for text, (last, largest) in texts.items():
        own = _words(text, separator)
        hit = False
        for index, (gold, gold_words) in enumerate(zip(golds, words, strict=True)):
            if _overlap(own, gold_words) >= OVERLAP or (question.lenient and gold in text):
                hit = True
                before = best[index]
                best[index] = (max(before[0], last), max(before[1], largest))
        if not hit:
            false.append((last, largest))
    return best, false


def operating_point(judged: Judged, threshold: float | None = None) -> OperatingPoint:
    """Counts at one threshold: predictions with a confidence of at least `threshold` are active; None takes all.

    Parameters
    ----------
    judged : Judged
        From `judge`; a text that is repeated within a question counts once, with its largest confidence.
    threshold : float or None
        On the scale of the confidences.

    Returns
    -------
    OperatingPoint
        Pooled over all questions (micro).

    Raises
    ------
    UsageError
        If the threshold is NaN, or a confidence is not finite.

    Examples
    --------
    >>> point = operating_point(judge([SpanQuestion.of_texts(["a b", "c"], ["a b", "d", "e"])]))
    >>> point, round(point.f1, 3)
    (OperatingPoint(tp=1, fp=2, fn=1), 0.4)
    """
    if threshold is not None and math.isnan(threshold):
        raise UsageError("the threshold is not a number.", hint="Give a number, or None for all predictions.")
    if judged.not_finite:
        question, value = judged.not_finite[0]
        raise UsageError(
            f"{len(judged.not_finite)} confidences are not finite; the first is {value}, in question {question}.",
            hint="Predictions without confidences get 1 (SpanQuestion.of_texts).",
        )
    least = -math.inf if threshold is None else threshold
    found = int(np.count_nonzero((judged.gold_largest >= least) & (judged.gold_largest > -math.inf)))
    return OperatingPoint(found, int(np.count_nonzero(judged.false_largest >= least)), judged.golds - found)
