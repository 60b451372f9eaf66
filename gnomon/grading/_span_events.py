"""What judging leaves of predictions and golds: for each gold and each false prediction, the confidence at which it
enters the counts.

Belongs here: these sufficient statistics and choosing questions among them. Does not belong here: which prediction
matches which gold (`spans.py`), curves (`_span_curves.py`) or resampling (`_span_bootstrap.py`).

A gold is found as soon as any prediction that matches it is active, so only the highest confidence among those
matters. A prediction that matches no gold of its question is false from its own confidence on. All other
predictions move nothing. Hence these numbers determine every count at every threshold, for any weighting of the
questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError

__all__ = ["FloatArray", "IntArray", "Judged"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """Confidences at which golds are found and false predictions made, under both rules for repeated texts.

    `-inf` is a gold that no prediction matches, or a prediction that is never active. "last" keeps the last confidence
    of a text that is repeated within a question, as the release does; "largest" keeps the largest.

    Parameters
    ----------
    questions : int
        Number of questions, those without golds or predictions included.
    gold_question, false_question : int arrays of shapes (golds,) and (false predictions,)
        The question, from 0, of each gold and of each distinct text that matches no gold of its question.
    gold_last, gold_largest : float arrays of shape (golds,)
        The highest confidence among the predictions that match the gold.
    false_last, false_largest : float arrays of shape (false predictions,)
        The confidence of the false prediction.
    not_finite : tuple of (question, value)
        Confidences that are NaN or infinite.
    """

    questions: int
    gold_question: IntArray
    gold_last: FloatArray
    gold_largest: FloatArray
    false_question: IntArray
    false_last: FloatArray
    false_largest: FloatArray
    not_finite: tuple[tuple[int, float], ...] = ()

    @property
    def golds(self) -> int:
        """Number of gold spans."""
        return len(self.gold_question)

    def select(self, keep: Sequence[bool] | NDArray[np.bool_]) -> Judged:
        """Only the questions where `keep`, of shape (questions,), is true, numbered anew from 0 in their order.

        Raises
        ------
        UsageError
            If `keep` has another length or is not boolean.

        Examples
        --------
        >>> from gnomon.grading.spans import SpanQuestion, judge
        >>> both = judge([SpanQuestion(("a",), (("a", 0.9),)), SpanQuestion(("b", "c"), ())])
        >>> both.select([False, True]).golds
        2
        """
        mask = np.asarray(keep)
        if mask.shape != (self.questions,) or (mask.dtype != np.bool_ and mask.size):
            raise UsageError(
                f"keep has shape {mask.shape} and type {mask.dtype} for {self.questions} questions.",
                hint="Give one True or False for each question.",
            )
        mask = mask.astype(np.bool_)
        number = np.cumsum(mask, dtype=np.int64) - 1
        gold, false = mask[self.gold_question], mask[self.false_question]
        return Judged(
            questions=int(mask.sum()),
            gold_question=number[self.gold_question[gold]],
            gold_last=self.gold_last[gold],
            gold_largest=self.gold_largest[gold],
            false_question=number[self.false_question[false]],
            false_last=self.false_last[false],
            false_largest=self.false_largest[false],
            not_finite=tuple((int(number[q]), value) for q, value in self.not_finite if mask[q]),
        )
