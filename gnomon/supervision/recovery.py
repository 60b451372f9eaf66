"""Performance gap recovered, with what it owes its reader.

Belongs here: the ratio, its intervals, and when it means nothing. Does not belong here: training (`_heads.py`,
`models/`) or sums over many cells (`aggregate.py`).

Scores are arrays (seeds, items): one row for each training seed, the same test items in every row and for all three
models.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats.seeds import as_generator

__all__ = ["Recovery", "fieller", "gap_recovered"]

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
    if draws < 100:
        raise UsageError(f"{draws} bootstrap draws were asked for.", hint="Take at least 100.")
    if not 0 < level < 1:
        raise UsageError(f"level {level} is no confidence; give a number between 0 and 1.")
    _, seeds, items = scores.shape
    sums, sizes = _by_group(scores, groups, items)
    drawn = _resampled(sums, sizes, draws, as_generator(seed, "gap recovered"))
    means = scores.mean(axis=(1, 2))
    gains, gaps = drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0]
    gap, gain = _percentile(gaps, level, draws), _percentile(gains, level, draws)
    reason = _fault(means, gap, len(sizes), level)
    point = None if reason else float((means[1] - means[0]) / (means[2] - means[0]))
    spread = float(gains.std())
    return Recovery(
        weak=float(means[0]),
        student=float(means[1]),
        ceiling=float(means[2]),
        gap=gap,
        gain=gain,
        value=point,
        interval=None if reason else _percentile(_ratios(gains, gaps), level, draws),
        fieller=None if reason else fieller(gains, gaps, level),
        identified=not reason,
        reason=reason,
        detectable=None
        if reason
        else (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) * spread / float(means[2] - means[0]),
        items=items,
        groups=len(sizes),
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


def _by_group(
    scores: NDArray[np.float64], groups: Sequence[Hashable] | None, items: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of scores (3, seeds, groups) and numbers of items (groups,)."""
    if groups is None:
        return scores, np.ones(items)
    if len(groups) != items:
        raise UsageError(f"{len(groups)} groups were given for {items} items.")
    places = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    index = np.array([places[name] for name in groups])
    sums = np.zeros((*scores.shape[:2], len(places)))
    for model in range(scores.shape[0]):
        for row in range(scores.shape[1]):
            sums[model, row] = np.bincount(index, scores[model, row], len(places))
    return sums, np.bincount(index, minlength=len(places)).astype(np.float64)


def _resampled(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], draws: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Means of the three models in every draw: (draws, 3). Seeds are drawn first, then groups."""
    models, seeds, groups = sums.shape
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    found = np.empty((draws, models))
    flat = sums.reshape(models * seeds, groups)
    step = max(1, _CHUNK // groups)
    for low in range(0, draws, step):
        high = min(low + step, draws)
        counts = generator.multinomial(groups, np.full(groups, 1 / groups), size=high - low).astype(np.float64)
        means = (counts @ flat.T) / (counts @ sizes)[:, None]
        found[low:high] = np.einsum("dms,ds->dm", means.reshape(-1, models, seeds), weights[low:high])
    return found


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
