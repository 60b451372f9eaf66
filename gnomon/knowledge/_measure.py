"""What decisions on test rows are worth: accuracy, AUROC and calibration with intervals by item, spread over prompts.

Belongs here: numbers from decisions, probabilities and truth. Does not belong here: fits, signs, or verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Interval
from gnomon.stats import clustered_mean, stream, wilson

__all__ = ["Measured", "accuracy_interval", "auroc", "calibration_error", "measure", "oracle_bias", "right"]

Floats = NDArray[np.float64]

_DRAWS = 1000
_BINS = 10


@dataclass(frozen=True)
class Measured:
    """One probe on test rows.

    `spread` is the standard deviation of accuracy over prompts (None with one prompt); `oracle` the better of both
    signs, which needs the test labels; `ties` the rows whose decision is exactly 0, which count as "second answer".
    """

    accuracy: float
    interval: Interval
    by_template: dict[str, float]
    spread: float | None
    oracle: float
    balanced: float
    majority: float
    auroc: float | None
    auroc_interval: Interval | None
    brier: float
    brier_interval: Interval
    ece: float
    ece_interval: Interval
    ties: int
    n: int
    groups: int


def right(decisions: Floats, y: NDArray[np.int64]) -> Floats:
    """1 where a decision is right, else 0; a decision of 0 says "second answer"."""
    return np.asarray((decisions > 0) == (y == 1), dtype=np.float64)


def measure(
    decisions: Floats,
    p: Floats,
    y: NDArray[np.int64],
    templates: NDArray[Any],
    groups: NDArray[Any],
    seed: int = 0,
) -> Measured:
    """All numbers of one probe; whole groups are the independent units.

    Parameters
    ----------
    decisions, p : (n,)
        Above 0 (above a half) where the first answer is judged right.
    y : (n,)
        1 where it is.
    templates, groups : (n,)
        Prompt template and group of each row.

    Examples
    --------
    >>> y = np.array([1, 0] * 10)
    >>> found = measure(y - 0.5, y * 0.8 + 0.1, y, np.zeros(20), np.arange(20))
    >>> found.accuracy, found.auroc, round(found.brier, 3), round(found.ece, 3)
    (1.0, 1.0, 0.01, 0.1)
    """
    correct = right(decisions, y)
    by_template = {str(name): float(correct[templates == name].mean()) for name in dict.fromkeys(templates.tolist())}
    classes = [float(correct[y == value].mean()) for value in (0, 1) if (y == value).any()]
    weights = _resampled(groups, seed)
    brier = np.square(p - y)
    ece = calibration_error(p, y)
    area = auroc(decisions, y)
    accuracy = float(correct.mean())
    return Measured(
        accuracy=accuracy,
        interval=accuracy_interval(correct, groups),
        by_template=by_template,
        spread=float(np.std(list(by_template.values()), ddof=1)) if len(by_template) > 1 else None,
        oracle=max(accuracy, float(right(-decisions, y).mean())),
        balanced=float(np.mean(classes)),
        majority=float(max(y.mean(), 1 - y.mean())),
        auroc=area,
        auroc_interval=None if area is None else _percentile(_weighted_auroc(decisions, y, weights), area),
        brier=float(brier.mean()),
        brier_interval=_clipped(clustered_mean(brier, groups)),
        ece=ece,
        ece_interval=_percentile(_weighted_ece(p, y, weights), ece),
        ties=int((decisions == 0).sum()),
        n=len(y),
        groups=len(np.unique(groups)),
    )


def accuracy_interval(correct: Floats, groups: NDArray[Any]) -> Interval:
    """Cluster-robust t interval within [0, 1]; Wilson over groups where no group differs from another."""
    if np.ptp(correct) == 0:
        n = len(np.unique(groups))
        found = wilson(n if correct[0] else 0, n)
        return found.model_copy(update={"method": "Wilson over groups"})
    return _clipped(clustered_mean(correct, groups))


def auroc(decisions: Floats, y: NDArray[np.int64]) -> float | None:
    """Area under the ROC curve; ties count a half. None where one class is absent."""
    if len(np.unique(y)) < 2:
        return None
    return float(_weighted_auroc(decisions, y, np.ones((1, len(y))))[0])


def calibration_error(p: Floats, y: NDArray[np.int64], bins: int = _BINS) -> float:
    """Expected calibration error of P(first answer) in `bins` equal-width bins: sum_b n_b / n |mean y - mean p|."""
    return float(_weighted_ece(p, y, np.ones((1, len(y))), bins)[0])


def oracle_bias(n: int) -> float:
    """By how much the better of both signs beats chance by luck alone, on n independent rows: sqrt(1 / (2 pi n)).

    >>> round(oracle_bias(400), 4), round(oracle_bias(100), 4)
    (0.0199, 0.0399)
    """
    return float(np.sqrt(1 / (2 * np.pi * n)))


def _clipped(interval: Interval) -> Interval:
    return interval.model_copy(update={"low": max(0.0, interval.low), "high": min(1.0, interval.high)})


def _resampled(groups: NDArray[Any], seed: int) -> Floats:
    """How often each row is in each of `_DRAWS` samples of whole groups with replacement: (draws, n)."""
    _, number = np.unique(groups, return_inverse=True)
    count = int(number.max()) + 1
    times = stream(seed, "probe bootstrap").multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return np.asarray(times[:, number], dtype=np.float64)


def _percentile(values: Floats, center: float) -> Interval:
    kept = values[np.isfinite(values)]
    low, high = np.quantile(kept, [0.025, 0.975]) if len(kept) else (center, center)
    method = f"cluster bootstrap, percentile, {_DRAWS} draws"
    return Interval(low=float(min(low, center)), high=float(max(high, center)), method=method)


def _weighted_auroc(decisions: Floats, y: NDArray[np.int64], weights: Floats) -> Floats:
    """AUROC under each row of `weights` (draws, n); NaN where a class has no weight."""
    order = np.argsort(decisions, kind="stable")
    starts = np.flatnonzero(np.diff(decisions[order], prepend=np.nan) != 0)
    sorted_weights = weights[:, order]
    positive = np.add.reduceat(sorted_weights * (y[order] == 1), starts, axis=1)
    negative = np.add.reduceat(sorted_weights * (y[order] == 0), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    total = positive.sum(1) * negative.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((positive * below).sum(1) / total, dtype=np.float64)


def _weighted_ece(p: Floats, y: NDArray[np.int64], weights: Floats, bins: int = _BINS) -> Floats:
    number = np.minimum((p * bins).astype(np.int64), bins - 1)
    gaps = np.zeros((len(p), bins))
    gaps[np.arange(len(p)), number] = y - p
    return np.asarray(np.abs(weights @ gaps).sum(1) / weights.sum(1), dtype=np.float64)
