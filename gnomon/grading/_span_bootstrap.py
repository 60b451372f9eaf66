"""Intervals for the area and for precision at a recall, from resamples of whole contracts.

Belongs here: resampling, as recounts with weights. Does not belong here: the curves' definitions (`_span_curves.py`).

A resample gives each contract a whole-number weight. With events sorted once into steps of falling confidence,
counts of a resample are a product of a sparse (steps, contracts) matrix with the weights, then a cumulative sum.
For the exact curve only the golds' confidences need steps: between two of them recall stands still and precision
falls, so one sum of false predictions just before a step and one at it say all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import sparse

from gnomon.blocks import Interval
from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.grading._span_curves import (
    OFFICIAL_THRESHOLDS,
    Rule,
    area,
    best_from_here,
    check_exact,
    first_reaching,
    official_bin,
    ratios,
    recall_level,
)
from gnomon.grading._span_events import FloatArray, IntArray, Judged
from gnomon.stats.clusters import percentile
from gnomon.stats.seeds import as_generator

__all__ = ["SpanIntervals", "bootstrap"]

Steps: TypeAlias = "sparse.csr_array[np.float64]"
"""Events by step of falling confidence and by contract."""

CELLS = 2**21
"""Numbers in one table of a chunk of resamples; a handful of such tables exist at one time."""


@dataclass(frozen=True, slots=True)
class SpanIntervals:
    """Percentile intervals; `left_out` of the `draws` resamples held no gold span and were not used."""

    rule: Rule
    aupr: Interval
    precision_at: Mapping[float, Interval]
    contracts: int
    draws: int
    left_out: int


def bootstrap(
    judged: Judged,
    contracts: Sequence[Hashable],
    *,
    seed: int | np.random.Generator,
    rule: Rule = "exact",
    recalls: Sequence[float] = (0.8, 0.9),
    draws: int = 1000,
    level: float = 0.95,
) -> SpanIntervals:
    """Percentile intervals from samples of whole contracts with replacement.

    Parameters
    ----------
    judged : Judged
        From `judge`.
    contracts : sequence of hashables of shape (questions,)
        The contract of each question; the 41 questions of one contract rise and fall together.
    seed : int or numpy.random.Generator
        A seed, for its stream "span bootstrap", or a generator to draw from.
    rule : {"exact", "official"}
        Which curve; the numbers are those of `exact_curve` or `official_curve` on the resampled questions.
    recalls : sequence of float
        Where to read precision, in (0, 1].
    draws : int, default 1000
        Resamples, at least 100.
    level : float, default 0.95
        Confidence in (0, 1).

    Returns
    -------
    SpanIntervals
        The order of the questions plays no part.

    Raises
    ------
    NotIdentifiedError
        If fewer than 2 contracts hold gold spans.
    UsageError
        If the lengths differ, there are too few draws, or (exact) a confidence is not finite.

    Notes
    -----
    Monotone precision is a running maximum, so on few contracts the area comes out somewhat too high, and that of a
    resample higher once more: the intervals lean upward, and nothing here corrects that.

    Examples
    --------
    >>> from gnomon.grading.spans import SpanQuestion, judge
    >>> hit, miss = SpanQuestion(("a",), (("a", 0.9),)), SpanQuestion(("b",), (("c", 0.5),))
    >>> found = bootstrap(judge([hit, miss, hit, miss]), ["p", "p", "q", "r"], seed=0)
    >>> found.aupr.low < 0.5 < found.aupr.high
    True
    """
    if draws < 100 or not 0 < level < 1:
        raise UsageError(f"draws={draws} and level={level}: give at least 100 draws and a level in (0, 1).")
    levels = [recall_level(recall) for recall in recalls]
    if rule == "exact":
        check_exact(judged)
    cluster, count = _clusters(contracts, judged.questions)
    golds = np.bincount(cluster[judged.gold_question], minlength=count).astype(np.float64)
    if np.count_nonzero(golds) < 2:
        raise NotIdentifiedError(
            f"{np.count_nonzero(golds)} of {count} contracts hold gold spans, and an interval needs two that do.",
            hint="Report the number without an interval, or ask over more contracts.",
        )
    found, false = _steps(judged, cluster, count, rule)
    generator = as_generator(seed, "span bootstrap")
    values = _resampled(found, false, golds, rule, levels, draws, generator)
    if not values.shape[1]:
        raise NotIdentifiedError("no resample of the contracts held a gold span.", hint="Ask over more contracts.")
    aupr, *at = (percentile(row, level, values.shape[1]) for row in values)
    return SpanIntervals(
        rule=rule,
        aupr=aupr,
        precision_at=dict(zip(levels, at, strict=True)),
        contracts=count,
        draws=draws,
        left_out=draws - values.shape[1],
    )


def _resampled(
    found: Steps,
    false: Steps,
    golds: FloatArray,
    rule: Rule,
    levels: Sequence[float],
    draws: int,
    generator: np.random.Generator,
) -> FloatArray:
    """Area and precision at each of `levels` of the resamples that hold golds, shape (1 + levels, resamples)."""
    count = len(golds)
    chunk = max(1, CELLS // (found.shape[0] + count + 1))
    read: list[FloatArray] = []
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=size).T.astype(np.float64)
        total = golds @ times
        times, total = times[:, total > 0], total[total > 0]
        precision, recall = ratios(_cumulated(found, times), _cumulated(false, times), total, rule)
        best = best_from_here(precision)
        read.append(np.stack([area(recall, best), *(first_reaching(recall, best, at, rule) for at in levels)]))
    return np.concatenate(read, axis=1)


def _clusters(contracts: Sequence[Hashable], questions: int) -> tuple[IntArray, int]:
    """The number of each question's contract, in the order of the labels' texts, so that shuffling moves nothing."""
    if isinstance(contracts, str | bytes) or len(contracts) != questions:
        raise UsageError(
            f"{len(contracts)} contracts came with {questions} questions.", hint="Name the contract of each question."
        )
    number = {label: n for n, label in enumerate(sorted(set(contracts), key=repr))}
    return np.array([number[label] for label in contracts], dtype=np.int64), len(number)


def _steps(judged: Judged, cluster: IntArray, count: int, rule: Rule) -> tuple[Steps, Steps]:
    """Golds found and false predictions made at each step by each contract, both (steps, contracts)."""
    gold_cluster, false_cluster = cluster[judged.gold_question], cluster[judged.false_question]
    if rule == "official":
        steps = len(OFFICIAL_THRESHOLDS)
        gold_step, false_step = official_bin(judged.gold_last), official_bin(judged.false_last)
    else:
        reached = np.unique(judged.gold_largest[judged.gold_largest > -np.inf])[::-1]
        steps = 2 * len(reached)
        gold_step = 2 * np.searchsorted(-reached, -judged.gold_largest) + 1
        above = np.searchsorted(-reached, -judged.false_largest)
        level_with = np.append(reached, np.nan)[above] == judged.false_largest
        false_step = 2 * above + level_with
    return _table(gold_step, gold_cluster, steps, count), _table(false_step, false_cluster, steps, count)


def _table(step: IntArray, cluster: IntArray, steps: int, count: int) -> Steps:
    """Events by step and contract; steps past the last are dropped, for nothing after them is read."""
    kept = step < steps
    ones = np.ones(int(kept.sum()))
    return sparse.csr_array((ones, (step[kept], cluster[kept])), shape=(steps, count))


def _cumulated(table: Steps, times: FloatArray) -> FloatArray:
    """Weighted counts up to each step after a row of zeros, shape (steps + 1, draws); whole numbers, so exact."""
    sums = np.zeros((table.shape[0] + 1, times.shape[1]))
    np.cumsum(table @ times, axis=0, out=sums[1:])
    return sums
