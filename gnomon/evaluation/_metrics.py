"""From verdicts on rows to the numbers of a subset: accuracy, exact match over groups, averages, each with its
interval and baselines.

Belongs here: what a benchmark calls its score. Does not belong here: interval formulas (`stats/`), verdicts on one
answer (`grading/`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.blocks import Interval
from gnomon.grading.groups import exact_match
from gnomon.stats import clustered_macro, clustered_mean, mover, wilson
from gnomon.tasks import Item, Metric

__all__ = ["Score", "Verdict", "macro", "pooled", "score", "wilson_over_groups"]


@dataclass(frozen=True)
class Verdict:
    """An item and whether it was answered right."""

    item: Item
    correct: bool


@dataclass(frozen=True)
class Score:
    """One number: `value` in [0, 1] over `n` units (rows, or groups for exact match)."""

    value: float
    interval: Interval
    n: int
    groups: int
    chance: float | None
    """None where nothing is chosen from."""
    majority: float | None
    unit: str
    ignored: int = 0


def score(metric: Metric, verdicts: Sequence[Verdict]) -> Score | None:
    """The subset's own metric; None where nothing (or no whole group) was answered."""
    if metric.group_size is None:
        return pooled(verdicts)
    size = metric.group_size
    outcome = exact_match([v.correct for v in verdicts], [v.item.group for v in verdicts], size)
    if outcome.value is None:
        return None
    n = len(outcome.right)
    return Score(
        value=outcome.value,
        interval=wilson(sum(outcome.right), n),
        n=n,
        groups=n,
        chance=metric.chance if metric.chance is not None else 0.0,
        majority=_best_constant(
            verdicts, lambda rows: exact_match(rows, [v.item.group for v in verdicts], size).value or 0.0
        ),
        unit=f"groups of {size}",
        ignored=outcome.ignored,
    )


def pooled(verdicts: Sequence[Verdict]) -> Score | None:
    """Accuracy over all rows, every row weighing the same (micro); clustered where rows share groups."""
    if not verdicts:
        return None
    values = [float(v.correct) for v in verdicts]
    groups = [v.item.group for v in verdicts]
    options = all(v.item.choices for v in verdicts)
    return Score(
        value=sum(values) / len(values),
        interval=_accuracy_interval(values, groups),
        n=len(values),
        groups=len(set(groups)),
        chance=sum(1 / len(v.item.choices) for v in verdicts) / len(verdicts) if options else None,
        majority=_majority(verdicts) if options else None,
        unit="rows",
    )


def macro(parts: Sequence[tuple[Score, Sequence[Verdict]]]) -> tuple[float, Interval]:
    """The unweighted mean of subset scores and its interval.

    Where no group reaches into two subsets the scores are independent and their intervals are combined (MOVER); else
    rows are clustered by group, which needs row-wise scores. Where rows cannot show how much groups differ (one group
    in a subset, or no spread) only their number speaks.
    """
    value = sum(part.value for part, _ in parts) / len(parts)
    homes: dict[str, set[int]] = {}
    for number, (_, verdicts) in enumerate(parts):
        for verdict in verdicts:
            homes.setdefault(verdict.item.group, set()).add(number)
    if any(len(home) > 1 for home in homes.values()):
        rows = [
            (float(v.correct), v.item.group, number) for number, (_, verdicts) in enumerate(parts) for v in verdicts
        ]
        several = all(len({v.item.group for v in verdicts}) > 1 for _, verdicts in parts)
        found = clustered_macro([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]) if several else None
        return value, wilson_over_groups(value, len(homes)) if found is None or found.high - found.low < 1e-9 else found
    weights = [1 / len(parts)] * len(parts)
    return value, mover([part.value for part, _ in parts], [part.interval for part, _ in parts], weights)


def _accuracy_interval(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Wilson for single rows; cluster-robust for grouped ones, unless the groups do not differ at all: then only
    their number can speak."""
    right, distinct = int(sum(values)), len(set(groups))
    if distinct == len(values):
        return wilson(right, len(values))
    found = clustered_mean(values, groups) if distinct > 1 else None
    if found is None or found.high - found.low < 1e-9:
        return wilson_over_groups(right / len(values), distinct)
    return found.model_copy(update={"low": max(0.0, found.low), "high": min(1.0, found.high)})


def wilson_over_groups(share: float, groups: int) -> Interval:
    """For `share` where rows do not show how much groups differ: each group counts as one answer, rounded to either
    side."""
    right = share * groups
    low, high = wilson(math.floor(right + 1e-9), groups).low, wilson(math.ceil(right - 1e-9), groups).high
    return Interval(low=low, high=high, method="Wilson over groups")


def _majority(verdicts: Sequence[Verdict]) -> float:
    """Accuracy of always giving the commonest answer, chosen apart for each subset and number of choices."""
    counts: dict[tuple[str, int], Counter[int]] = {}
    for v in verdicts:
        counts.setdefault((v.item.subset, len(v.item.choices)), Counter())[v.item.answer] += 1
    return sum(max(counter.values()) for counter in counts.values()) / len(verdicts)


def _best_constant(verdicts: Sequence[Verdict], metric: Callable[[list[bool]], float]) -> float:
    options = range(max(len(v.item.choices) for v in verdicts))
    return max(metric([v.item.answer == option for v in verdicts]) for option in options)
