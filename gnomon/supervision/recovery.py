"""Performance gap recovered, with what it owes its reader; and what one method gains over another.

Belongs here: the ratio, its intervals, and when it means nothing; a paired difference. Does not belong here: training
(`_heads.py`, `models/`) or sums over many cells (`aggregate.py`).

Scores are arrays (seeds, items): one row for each training seed, the same test items in every row and for all three
models.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats.seeds import as_generator

__all__ = ["Recovery", "auroc_recovered", "fieller", "gap_recovered", "gained"]

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Recovery:
    """What a weak supervisor brought out of a strong student.

    Attributes
    ----------
    weak, student, ceiling : float
        Mean scores of supervisor, student and ceiling over seeds and items.
    gap, gain : Interval
        Of ceiling minus weak, and of student minus weak.
    value : float or None
        Performance gap recovered, gain / gap; neither clipped at 0 nor at 1. None where `reason` says why.
    interval : Interval or None
        Of `value`: percentiles of the bootstrap.
    fieller : Interval or None
        Of `value`, by Fieller's theorem from the bootstrap's covariance; None where the set is not an interval.
    identified : bool
        Whether the interval of the gap lies above 0.
    reason : str
        Why there is no number, or a number that means little; "" where all is well.
    detectable : float or None
        The smallest PGR that this many items and seeds would show to differ from 0 (80% power, two-sided 5%).
    items, groups, seeds : int
    """

    weak: float
    student: float
    ceiling: float
    gap: Interval
    gain: Interval
    value: float | None
    interval: Interval | None
    fieller: Interval | None
    identified: bool
    reason: str
    detectable: float | None
    items: int
    groups: int
    seeds: int


def gap_recovered(
    weak: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int | np.random.Generator = 0,
    draws: int = 2000,
    level: float = 0.95,
) -> Recovery:
    """Performance gap recovered: (student - weak) / (ceiling - weak), Burns et al. 2023, section 3.

    Parameters
    ----------
    weak, student, ceiling : array-like of shape (items,) or (seeds, items)
        A score an item, such as right (1) or wrong (0), of the supervisor, of the student that learned from it, and of
        the same strong model that learned from the truth.
    groups : sequence of hashables, length items, optional
        Items that share a passage or question; they are drawn together. None makes each item its own group.
    seed : int or numpy.random.Generator
        Of the bootstrap.
    draws : int
        Bootstrap samples, at least 100.
    level : float
        Confidence in (0, 1).

    Returns
    -------
    Recovery

    Raises
    ------
    UsageError
        If the three have different shapes (three different test sets give no PGR), are empty, or are not finite.

    Notes
    -----
    Each draw takes training seeds with replacement, then groups with replacement, the same for all three models, so
    that what makes an item easy for all of them cancels. With one seed, only items vary, and the interval says nothing
    of training.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> weak, student, ceiling = (rng.random((3, 2000)) < rate for rate in (.6, .7, .8))
    >>> found = gap_recovered(weak, student, ceiling)
    >>> found.identified, round(found.value, 1)
    (True, 0.5)
    >>> gap_recovered(weak, student, weak).reason
    'not identified: the ceiling scores as the supervisor does'
    """
    scores = _stacked(weak, student, ceiling)
    _check_draws(draws, level)
    means, sizes = _means(scores, groups)
    return _recovery(scores.mean(axis=2), means, sizes, draws, level, as_generator(seed, "gap recovered"))


def gained(
    method: ArrayLike,
    plain: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int | np.random.Generator = 0,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """The interval of mean(method) - mean(plain): what students gain by another method, on the same items.

    Parameters
    ----------
    method, plain : array-like of shape (items,), (seeds, items) or (pairs, seeds, items)
        A score an item, such as right (1) or wrong (0). Over pairs of supervisor and student the mean is taken: they
        share items and seeds, and are no further evidence.
    groups, seed, draws, level
        As in `gap_recovered`, and drawn as there: training seeds first, then groups, the same for both.

    Examples
    --------
    >>> import numpy as np
    >>> plain = np.random.default_rng(0).random((3, 2000)) < .6
    >>> found = gained(plain | (np.arange(2000) % 20 == 0), plain)
    >>> 0 < found.low < .02 < found.high < .03
    True
    """
    if np.shape(method) != np.shape(plain) or np.ndim(method) > 3 or not np.size(method):
        raise UsageError(
            f"scores of the shapes {np.shape(method)} and {np.shape(plain)} were given.",
            hint="Score both methods on the same items, seeds and pairs of models.",
        )
    _check_draws(draws, level)
    differences = np.atleast_2d(np.asarray(method, dtype=np.float64) - np.asarray(plain, dtype=np.float64))
    scores = differences.reshape(-1, *differences.shape[-2:]).mean(axis=0)[None]
    if not np.isfinite(scores).all():
        raise UsageError("a score is not finite.", hint="Leave out what was not scored, for both methods.")
    means, sizes = _means(scores, groups)
    drawn = _resampled(means, scores.shape[1], sizes, draws, as_generator(seed, "method gained"))
    return _percentile(drawn[:, 0], level, draws)


def auroc_recovered(
    weak: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int | np.random.Generator = 0,
    draws: int = 300,
    level: float = 0.95,
) -> Recovery:
    """The same ratio of areas under the ROC curve: threshold-free, so that a badly calibrated student is not punished.

    Parameters
    ----------
    weak, student, ceiling : array-like of shape (items,) or (seeds, items)
        P(class 1), or any score that grows with it.
    labels : array-like of shape (items,)
        0 or 1, both present.
    groups, seed, draws, level
        As in `gap_recovered`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(2000) % 2
    >>> scores = [labels * gap + rng.standard_normal(2000) for gap in (.5, 1., 2.)]
    >>> found = auroc_recovered(*scores, labels)
    >>> round(found.weak, 1), round(found.ceiling, 1), found.identified
    (0.6, 0.9, True)
    """
    scores = _stacked(weak, student, ceiling)
    _check_draws(draws, level)
    index, sizes = _grouped(groups, scores.shape[2])
    truth = np.asarray(labels)
    if truth.shape != scores.shape[2:] or set(np.unique(truth).tolist()) != {0, 1}:
        raise UsageError(f"labels of the shape {truth.shape} were given; give one 0 or 1 an item, and some of each.")

    def areas(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = counts[:, index]
        return np.stack([[_area(row, truth, weights) for row in seeds] for seeds in scores], axis=0).transpose(2, 0, 1)

    points = areas(np.ones((1, len(sizes))))[0]
    return _recovery(points, areas, sizes, draws, level, as_generator(seed, "area recovered"))


def _area(scores: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted areas under the ROC curve, ties counted half: (draws,) from weights (draws, items). A draw that lacks a
    class gives a half."""
    _, place = np.unique(scores, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    positive = np.add.reduceat((weights * labels)[:, order], starts, axis=1)
    negative = np.add.reduceat((weights * (1 - labels))[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    both = positive.sum(axis=1) * negative.sum(axis=1)
    found = (positive * below).sum(axis=1) / np.where(both > 0, both, 1.0)
    return np.asarray(np.where(both > 0, found, 0.5), dtype=np.float64)


def _recovery(
    points: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    sizes: NDArray[np.float64],
    draws: int,
    level: float,
    generator: np.random.Generator,
) -> Recovery:
    """From point values (3, seeds) and a statistic of group counts (draws, groups) -> (draws, 3, seeds)."""
    seeds, groups = points.shape[1], len(sizes)
    drawn = _resampled(statistic, seeds, sizes, draws, generator)
    means = points.mean(axis=1)
    gains, gaps = drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0]
    gap, gain = _percentile(gaps, level, draws), _percentile(gains, level, draws)
    reason = _fault(means, gap, groups, level)
    width = float(means[2] - means[0])
    power = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    return Recovery(
        weak=float(means[0]),
        student=float(means[1]),
        ceiling=float(means[2]),
        gap=gap,
        gain=gain,
        value=None if reason else float((means[1] - means[0]) / width),
        interval=None if reason else _percentile(_ratios(gains, gaps), level, draws),
        fieller=None if reason else fieller(gains, gaps, level),
        identified=not reason,
        reason=reason,
        detectable=None if reason else power * float(gains.std()) / width,
        items=int(sizes.sum()),
        groups=groups,
        seeds=seeds,
    )


def fieller(gains: NDArray[np.float64], gaps: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Fieller's interval for mean(gains) / mean(gaps), from draws of both; None where the confidence set is unbounded.

    Fieller (1954), J. R. Stat. Soc. B 16:175-185: all r for which the mean of gains - r gaps does not differ from 0.

    >>> rng = np.random.default_rng(0)
    >>> gaps = .2 + .01 * rng.standard_normal(4000)
    >>> found = fieller(gaps / 2 + .01 * rng.standard_normal(4000), gaps)
    >>> round(found.low, 1), round(found.high, 1)
    (0.4, 0.6)
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    a, b = float(gains.mean()), float(gaps.mean())
    (va, vab), (_, vb) = np.cov(gains, gaps)
    lead = b * b - z * z * vb
    if lead <= 0:
        return None
    middle, last = a * b - z * z * vab, a * a - z * z * va
    root = float(np.sqrt(max(middle * middle - lead * last, 0.0)))
    return Interval(
        low=float((middle - root) / lead), high=float((middle + root) / lead), level=level, method="Fieller"
    )


def _stacked(*parts: ArrayLike) -> NDArray[np.float64]:
    """(3, seeds, items)."""
    arrays = [np.atleast_2d(np.asarray(part, dtype=np.float64)) for part in parts]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        raise UsageError(
            f"supervisor, student and ceiling have scores of the shapes {', '.join(map(str, shapes))}: PGR compares "
            "three models on the same test items and seeds.",
            hint="Score all three on one test set.",
        )
    stacked = np.stack(arrays)
    if stacked.ndim != 3 or not stacked.size:
        raise UsageError(f"scores of the shape {shapes[0]} were given; give (items,) or (seeds, items), not empty.")
    if not np.isfinite(stacked).all():
        raise UsageError("a score is not finite.", hint="Leave out what was not scored, for all three models.")
    return stacked


def _check_draws(draws: int, level: float) -> None:
    if draws < 100:
        raise UsageError(f"{draws} bootstrap draws were asked for.", hint="Take at least 100.")
    if not 0 < level < 1:
        raise UsageError(f"level {level} is no confidence; give a number between 0 and 1.")


def _grouped(groups: Sequence[Hashable] | None, items: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The number of every item's group, and the sizes of groups."""
    if groups is None:
        return np.arange(items), np.ones(items)
    if len(groups) != items:
        raise UsageError(f"{len(groups)} groups were given for {items} items.")
    places = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    index = np.array([places[name] for name in groups], dtype=np.int64)
    return index, np.bincount(index, minlength=len(places)).astype(np.float64)


def _means(
    scores: NDArray[np.float64], groups: Sequence[Hashable] | None
) -> tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], NDArray[np.float64]]:
    """From scores (models, seeds, items): means (draws, models, seeds) as a function of how often each group was drawn
    (draws, groups), and the groups' sizes."""
    index, sizes = _grouped(groups, scores.shape[2])
    sums = np.zeros((*scores.shape[:2], len(sizes)))
    for model, seeds in enumerate(scores):
        for row, values in enumerate(seeds):
            sums[model, row] = np.bincount(index, values, len(sizes))

    def means(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = sums.reshape(-1, len(sizes))
        found = (counts @ flat.T) / (counts @ sizes)[:, None]
        return np.asarray(found.reshape(len(counts), *scores.shape[:2]), dtype=np.float64)

    return means, sizes


def _resampled(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    seeds: int,
    sizes: NDArray[np.float64],
    draws: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """The models' values in every draw: (draws, models). Seeds are drawn first, then groups."""
    groups = len(sizes)
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    step = max(1, _CHUNK // int(sizes.sum()))
    found = []
    for low in range(0, draws, step):
        high = min(low + step, draws)
        counts = generator.multinomial(groups, np.full(groups, 1 / groups), size=high - low).astype(np.float64)
        found.append(np.einsum("dms,ds->dm", statistic(counts), weights[low:high]))
    return np.concatenate(found)


def _ratios(gains: NDArray[np.float64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratios of the draws; a gap of 0 stands for a very small one, which the percentiles then see as far out."""
    return gains / np.where(gaps == 0, 1e-12, gaps)


def _fault(means: NDArray[np.float64], gap: Interval, groups: int, level: float) -> str:
    weak, _, ceiling = means
    if groups < 2:
        return "not identified: all test items belong to one group"
    if ceiling == weak:
        return "not identified: the ceiling scores as the supervisor does"
    if ceiling < weak:
        return f"not identified: the ceiling ({ceiling:.3f}) scores below the supervisor ({weak:.3f})"
    if gap.low <= 0:
        return (
            f"not identified: the {level:.0%} interval of ceiling minus supervisor ({gap.low:+.3f} to {gap.high:+.3f}) "
            "covers 0"
        )
    return ""


def _percentile(values: NDArray[np.float64], level: float, draws: int) -> Interval:
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(low=float(low), high=float(high), level=level, method=f"paired bootstrap, {draws} draws")
