"""Intervals for one proportion, and for a weighted sum of independent estimates.

Belongs here: closed forms for independent items. Does not belong here: items that share a group (`clusters.py`) or two
systems on the same items (`paired.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats._checks import natural, numbers, same_length, share

__all__ = ["mover", "wilson"]


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for the proportion behind `successes` out of `n` independent items.

    Parameters
    ----------
    successes : int
        How many of the items were right, 0 to `n`.
    n : int
        How many items there were, at least 1.
    level : float, default 0.95
        Confidence in (0, 1).

    Returns
    -------
    Interval
        Within [0, 1]; it always holds successes / n, and has width above 0 even at 0 of n and n of n.

    Raises
    ------
    UsageError
        If `n` is 0 (no items, no claim), `successes` is outside 0..n, or `level` is outside (0, 1).

    Notes
    -----
    Wilson (1927), JASA 22:209-212: all p with (p_hat - p)^2 <= z^2 p (1 - p) / n. Coverage is close to nominal on
    average over p and dips below it at some p (Brown, Cai & DasGupta 2001, Statistical Science 16:101-133).

    Examples
    --------
    >>> interval = wilson(50, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.4038, 0.5962)
    """
    n = natural(n, "n", least=0)
    if n == 0:
        raise UsageError("n is 0: no item was answered, so there is no proportion to give an interval for.")
    successes = natural(successes, "successes", least=0)
    if successes > n:
        raise UsageError(f"successes is {successes}, more than the n = {n} items.")
    z = float(ndtri(0.5 + share(level, "level") / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends one limit is p itself; rounding must not put it beside p.
    low = 0.0 if successes == 0 else min(float(centre - half), p)
    high = 1.0 if successes == n else max(float(centre + half), p)
    return Interval(low=low, high=high, level=level, method="Wilson")


def mover(estimates: ArrayLike, intervals: Sequence[Interval], weights: ArrayLike) -> Interval:
    """Interval for sum_i w_i theta_i from each estimate's own limits, by the method of variance estimates recovery.

    Use it for a macro average: one proportion and Wilson interval for each subset, every weight 1 / number of subsets.
    Unlike a normal approximation it keeps the limits' asymmetry, so that a mean of near-perfect subsets stays at or
    below 1.

    Parameters
    ----------
    estimates : array-like of shape (k,)
        The estimates theta_i, independent of one another.
    intervals : sequence of Interval, length k
        An interval for each estimate, all of one level, each holding its estimate.
    weights : array-like of shape (k,)
        The weights w_i, of any sign; (1, -1) gives a difference of two.

    Returns
    -------
    Interval
        For the weighted sum, at the level of `intervals`.

    Raises
    ------
    UsageError
        If the lengths differ, nothing is given, the levels differ, or an estimate lies outside its own interval.

    Notes
    -----
    Zou & Donner (2008), Statistics in Medicine 27:1693-1702. With T = sum_i w_i theta_i the lower limit is
    T - sqrt(sum_i (w_i theta_i - lower_i)^2), where lower_i = min(w_i l_i, w_i u_i); the upper limit likewise.
    For w = (1, -1) and Wilson limits this is Newcombe's (1998) hybrid score interval.

    Examples
    --------
    >>> parts = [wilson(9, 10), wilson(30, 60)]
    >>> macro = mover([0.9, 0.5], parts, [0.5, 0.5])
    >>> round(macro.low, 3), round(macro.high, 3), macro.method
    (0.536, 0.774, 'MOVER (Wilson)')
    """
    theta, w = numbers(estimates, "estimates"), numbers(weights, "weights")
    low = numbers([interval.low for interval in intervals], "intervals")
    high = np.array([interval.high for interval in intervals], dtype=np.float64)
    same_length(estimates=theta, intervals=low, weights=w)
    levels = sorted({interval.level for interval in intervals})
    if len(levels) > 1:
        raise UsageError(f"intervals have different levels {levels}.", hint="Compute them all at one level.")
    slack = 1e-9 * np.maximum(1.0, np.abs(theta))  # a zero-width interval may miss its estimate by rounding
    outside = (theta < low - slack) | (theta > high + slack)
    if outside.any():
        i = int(np.argmax(outside))
        raise UsageError(
            f"estimate {i} is {theta[i]:g}, outside its own interval [{low[i]:g}, {high[i]:g}].",
            hint="MOVER reads a variance off the distance to the limits: pass each estimate with its own interval.",
        )
    part, ends = w * theta, np.stack([w * low, w * high])
    total = float(part.sum())
    below = float(np.sqrt(np.square(part - ends.min(axis=0)).sum()))
    above = float(np.sqrt(np.square(ends.max(axis=0) - part).sum()))
    methods = ", ".join(sorted({interval.method for interval in intervals}))
    return Interval(low=total - below, high=total + above, level=levels[0], method=f"MOVER ({methods})")
