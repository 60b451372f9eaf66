"""Two systems on the same items: is the difference theirs, or chance?

Belongs here: tests and intervals for a paired difference. Does not belong here: many comparisons at once
(`multiplicity.py`) or how small a difference could have been seen (`power.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from gnomon.blocks import Interval
from gnomon.stats._checks import FloatArray, natural, numbers, outcomes, same_length, share
from gnomon.stats._totals import CHUNK, FEW, Totals
from gnomon.stats.clusters import percentile
from gnomon.stats.seeds import as_generator

__all__ = ["McNemar", "PairedDifference", "mcnemar", "paired_cluster_bootstrap"]

ENUMERATED = 14
"""Up to this many clusters that differ, all 2^k sign patterns are tried where the draws would pay for them."""


@dataclass(frozen=True)
class McNemar:
    """An exact McNemar test: items that only a got right, that only b got right, all items, and the p-value.

    >>> McNemar(only_a=1, only_b=4, n=20, p_value=0.375).only_b
    4
    """

    only_a: int
    only_b: int
    n: int
    p_value: float


@dataclass(frozen=True)
class PairedDifference:
    """Mean of b minus mean of a, its interval, a two-sided p-value in (0, 1], and the numbers of items and of clusters.

    >>> from gnomon.blocks import Interval
    >>> PairedDifference(0.1, Interval(low=0.0, high=0.2, method="example"), p_value=0.04, n=90, groups=30).groups
    30
    """

    difference: float
    interval: Interval
    p_value: float
    n: int
    groups: int


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> McNemar:
    """Exact two-sided McNemar test that two systems are right equally often on independent items.

    Parameters
    ----------
    a_correct, b_correct : array-like of shape (n,)
        Right (1) or wrong (0) on the same items in the same order.

    Returns
    -------
    McNemar
        The discordant counts and the binomial p-value; 1 where there is no discordant pair.

    Raises
    ------
    UsageError
        If the lengths differ, there is no item, or a value is neither 0 nor 1.

    Notes
    -----
    McNemar (1947), Psychometrika 12:153-157. Given the discordant pairs, each is a fair coin under the null hypothesis,
    so p = min(1, 2 P(X <= min(only_a, only_b))) with X ~ Binomial(only_a + only_b, 1/2). Items that share a group are
    not independent: use `paired_cluster_bootstrap`.

    Examples
    --------
    >>> mcnemar([1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1])
    McNemar(only_a=1, only_b=4, n=6, p_value=0.375)
    """
    a, b = outcomes(a_correct, "a_correct"), outcomes(b_correct, "b_correct")
    same_length(a_correct=a, b_correct=b)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    discordant = only_a + only_b
    p_value = min(1.0, 2 * float(bdtr(min(only_a, only_b), discordant, 0.5))) if discordant else 1.0
    return McNemar(only_a=only_a, only_b=only_b, n=len(a), p_value=p_value)


def paired_cluster_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Iterable[Hashable] | None = None,
    *,
    seed: int | np.random.Generator,
    draws: int = 10000,
    level: float = 0.95,
) -> PairedDifference:
    """Difference of two systems' means on the same items, with whole clusters as the independent units.

    The interval is the percentile interval of a cluster bootstrap. The p-value is that of a cluster sign-flip test: if
    the systems are exchangeable, then swapping them in any set of clusters is as likely as what was seen.

    Parameters
    ----------
    a, b : array-like of shape (n,)
        One number an item and system: right (1) or wrong (0), or any score, in the same order.
    clusters : iterable of hashables, length n, or None
        The label of each item's group; None makes each item its own group.
    seed : int or numpy.random.Generator
        A seed, for its streams "paired bootstrap" and "sign flips", or a generator to draw both from.
    draws : int, default 10000
        Bootstrap samples, and random sign patterns; at least 100.
    level : float, default 0.95
        Confidence in (0, 1).

    Returns
    -------
    PairedDifference
        `difference` is mean(b) - mean(a), in the unit of the scores. Swapping a and b mirrors it and its interval and
        leaves the p-value as it is; the order of items and the names of clusters change nothing.

    Raises
    ------
    UsageError
        If the lengths differ, there are fewer than 2 clusters or 100 draws, or a value is not finite.

    Notes
    -----
    The p-value is (1 + patterns at least as extreme) / (1 + draws), which is valid at any number of draws (Phipson &
    Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39) and never 0; where all sign patterns can be tried (at most 14
    clusters differ, and there are no more patterns than draws) it is their exact share. For right and wrong answers in
    clusters of one it estimates the p-value of `mcnemar`. Interval and test rest on different arguments, so near the
    level one may include 0 where the other rejects.

    Examples
    --------
    >>> a, b = [1, 0, 0, 1, 0, 0, 1, 0], [1, 1, 1, 1, 0, 1, 1, 1]
    >>> found = paired_cluster_bootstrap(a, b, ["p", "p", "q", "q", "r", "r", "s", "s"], seed=0)
    >>> found.difference, found.p_value, found.n, found.groups
    (0.5, 0.125, 8, 4)
    """
    level, draws = share(level, "level"), natural(draws, "draws", least=100)
    first, second = numbers(a, "a"), numbers(b, "b")
    same_length(a=first, b=second)
    totals = Totals.of(second - first, clusters)
    means = _mirrored_alike(totals, draws, as_generator(seed, "paired bootstrap"))
    interval = percentile(means, level, draws)
    p_value = _sign_flip_p_value(np.abs(totals.sums), totals.mean * totals.n, draws, as_generator(seed, "sign flips"))
    return PairedDifference(totals.mean, interval, p_value, n=totals.n, groups=totals.groups)


def _mirrored_alike(totals: Totals, draws: int, generator: np.random.Generator) -> FloatArray:
    """Bootstrap means that only change sign where the systems are swapped: "a against b" must not differ by chance."""
    mirrored = totals.mirrored()
    if totals.precedes(mirrored):
        return -mirrored.resampled_means(draws, generator)
    means = totals.resampled_means(draws, generator)
    # Data that are their own mirror image have a symmetric bootstrap distribution, so each draw stands for two.
    return means if mirrored.precedes(totals) else np.concatenate([means, -means])


def _sign_flip_p_value(gaps: FloatArray, observed: float, draws: int, generator: np.random.Generator) -> float:
    """Share of sign patterns s with |sum_g s_g gaps_g| at least |observed|; `gaps` are absolute cluster differences."""
    gaps = np.sort(gaps[gaps > 0])  # sorted: the same draws whichever system comes first
    k = len(gaps)
    if k == 0:
        return 1.0
    # Patterns that tie with what was seen must count as at least as extreme, whatever rounding does to their sum.
    threshold = abs(observed) - 1e-10 * float(gaps.sum())
    if k <= ENUMERATED and 2**k <= draws:
        signs = 1.0 - 2.0 * (np.arange(2**k)[:, None] >> np.arange(k) & 1)
        return float(np.mean(np.abs(signs @ gaps) >= threshold))
    kinds, counts = np.unique(gaps, return_counts=True)
    few = FEW * len(kinds) <= k
    step = max(1, CHUNK // (len(kinds) if few else k))
    extreme = 0
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        if few:  # of c clusters with the same absolute difference, Binomial(c, 1/2) keep their sign
            kept = generator.binomial(counts, 0.5, size=(rows, len(kinds))).astype(np.float64) @ kinds
        else:
            bits = generator.integers(0, 256, size=(rows, -(-k // 8)), dtype=np.uint8)
            kept = np.unpackbits(bits, axis=1, count=k).astype(np.float64) @ gaps
        extreme += int(np.count_nonzero(np.abs(2 * kept - gaps.sum()) >= threshold))
    return (1 + extreme) / (1 + draws)
