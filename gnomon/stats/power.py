"""How small a difference these items could have shown: what "no difference was found" is worth.

Belongs here: detectable paired differences, from data or from a plan. Does not belong here: the tests (`paired.py`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.stats._checks import natural, numbers, same_length, share
from gnomon.stats._totals import Totals

__all__ = ["detectable_with", "minimum_detectable_difference"]


def minimum_detectable_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Iterable[Hashable] | None = None,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Smallest true difference of two systems that as many items, as noisy as these, would show with the given power.

    Parameters
    ----------
    a, b : array-like of shape (n,)
        One number an item and system: right (1) or wrong (0), or any score, in the same order.
    clusters : iterable of hashables, length n, or None
        The label of each item's group; None makes each item its own group.
    power : float, default 0.8
        Probability of finding the difference, above `alpha` and below 1.
    alpha : float, default 0.05
        Two-sided significance level in (0, 1).

    Returns
    -------
    float
        In the unit of the scores, above 0. It depends on the spread of the differences and not on their mean.

    Raises
    ------
    UsageError
        If the lengths differ, there are fewer than 2 clusters, or power is not above alpha.
    NotIdentifiedError
        If all clusters show the same mean difference (for example none at all): no spread is seen, so no limit can be
        given.

    Notes
    -----
    Bloom (1995), Evaluation Review 19:547-556: (t_{1 - alpha/2} + t_{power}) se, both quantiles of Student's t with
    G - 1 degrees of freedom, se the cluster-robust standard error of the mean difference.

    Examples
    --------
    >>> a, b = [0, 1] * 50, [0, 1, 1, 1, 1, 0, 0, 1, 0, 1] * 10
    >>> round(minimum_detectable_difference(a, b), 3)
    0.153
    """
    alpha, power = _alpha_and_power(alpha, power)
    first, second = numbers(a, "a"), numbers(b, "b")
    same_length(a=first, b=second)
    difference = second - first
    totals = Totals.of(difference, clusters)
    if totals.standard_error <= 1e-12 * float(np.abs(difference).max()):
        raise NotIdentifiedError(
            f"All {totals.groups} clusters show the same mean difference ({totals.mean:g}), so its spread is not seen "
            "and no detectable difference follows.",
            hint="Add items on which the systems differ.",
        )
    freedom = totals.groups - 1
    return float(stdtrit(freedom, 1 - alpha / 2) + stdtrit(freedom, power)) * totals.standard_error


def detectable_with(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest true difference in accuracy that `n` independent items would show: for planning a study.

    Parameters
    ----------
    n : int
        Number of items, at least 1.
    discordance : float
        Share of items that exactly one of the two systems gets right, in (0, 1]; 0.1 to 0.3 for kindred models.
    power : float, default 0.8
        Probability of finding the difference, above `alpha` and below 1.
    alpha : float, default 0.05
        Two-sided significance level in (0, 1).

    Returns
    -------
    float
        A difference of accuracies in (0, discordance].

    Raises
    ------
    UsageError
        If an argument is out of range, or `n` is so small that even a difference as large as the discordance goes
        unseen.

    Notes
    -----
    Connor (1987), Biometrics 43:207-211, for McNemar's test without continuity correction: the delta that solves
    delta sqrt(n) = z_{1 - alpha/2} sqrt(discordance) + z_{power} sqrt(discordance - delta^2).
    The exact test of `mcnemar` needs slightly more items.

    Examples
    --------
    >>> round(detectable_with(1000, discordance=0.2), 4)
    0.0396
    """
    n = natural(n, "n", least=1)
    alpha, power = _alpha_and_power(alpha, power)
    if discordance != 1:
        discordance = share(discordance, "discordance")
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    # The solution is at most the discordance from here on, where one system wins every discordant item.
    needed = (z_alpha + z_power * math.sqrt(1 - discordance)) ** 2 / discordance
    if n < needed:
        raise UsageError(
            f"With n = {n} and discordance {discordance:g} no true difference is found with power {power:g}.",
            hint=f"Use at least {math.ceil(needed)} items.",
        )
    # The condition above is a quadratic equation in delta; this is its larger root.
    root = z_alpha * math.sqrt(n) + z_power * math.sqrt(n + z_power**2 - z_alpha**2)
    return min(discordance, math.sqrt(discordance) * root / (n + z_power**2))


def _alpha_and_power(alpha: float, power: float) -> tuple[float, float]:
    alpha, power = share(alpha, "alpha"), share(power, "power")
    if power <= alpha:
        raise UsageError(f"power is {power:g}, not above alpha = {alpha:g}; a test finds that much where nothing is.")
    return alpha, power
