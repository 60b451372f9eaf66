"""Intervals for a mean over items that share a group: a passage, a scenario, a premise.

Belongs here: one mean. Does not belong here: two systems on the same items (`paired.py`).

Items of one group rise and fall together, so n items carry less than n items' worth of evidence, and an interval that
takes them as independent is too narrow. Both intervals here take whole groups as the independent units.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats._checks import FloatArray, natural, numbers, share
from gnomon.stats._totals import Totals
from gnomon.stats.seeds import as_generator

__all__ = ["cluster_bootstrap", "clustered_macro", "clustered_mean"]


def clustered_mean(values: ArrayLike, clusters: Iterable[Hashable] | None, level: float = 0.95) -> Interval:
    """Interval for the mean over items: cluster-robust standard error, Student's t with G - 1 degrees of freedom.

    Parameters
    ----------
    values : array-like of shape (n,)
        One number an item: right (1) or wrong (0), or any score.
    clusters : iterable of hashables, length n, or None
        The label of each item's group; None makes each item its own group, which gives the usual t interval.
    level : float, default 0.95
        Confidence in (0, 1).

    Returns
    -------
    Interval
        Symmetric about the mean. It is not cut to [0, 1], for `values` may be anything.

    Raises
    ------
    UsageError
        If there are fewer than G = 2 clusters (one cluster shows no spread between clusters), the lengths differ, or a
        value is not finite.

    Notes
    -----
    Liang & Zeger (1986), Biometrika 73:13-22, with the factor G / (G - 1):
    n^2 se^2 = G / (G - 1) sum_g (S_g - mean n_g)^2, for sums S_g and sizes n_g. With clusters of one size it is the t
    interval of the cluster means. With few, very unequal clusters it is still somewhat narrow. Where every item has the
    same value the width is 0, which says nothing about certainty: for right and wrong answers near 0 or 1 in groups of
    one, use `wilson`.

    Examples
    --------
    >>> interval = clustered_mean([1, 1, 0, 0, 1, 1], ["p", "p", "q", "q", "r", "r"])
    >>> round(interval.low, 3), round(interval.high, 3)
    (-0.768, 2.101)
    """
    level = share(level, "level")
    totals = Totals.of(numbers(values, "values"), clusters)
    half = float(stdtrit(totals.groups - 1, 0.5 + level / 2)) * totals.standard_error
    return Interval(low=totals.mean - half, high=totals.mean + half, level=level, method="clustered t")


def cluster_bootstrap(
    values: ArrayLike,
    clusters: Iterable[Hashable] | None,
    *,
    seed: int | np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval for the mean over items, from samples of whole clusters with replacement.

    Parameters
    ----------
    values : array-like of shape (n,)
        One number an item: right (1) or wrong (0), or any score.
    clusters : iterable of hashables, length n, or None
        The label of each item's group; None makes each item its own group.
    seed : int or numpy.random.Generator
        A seed, for its stream "cluster bootstrap", or a generator to draw from.
    draws : int, default 2000
        Bootstrap samples, at least 100.
    level : float, default 0.95
        Confidence in (0, 1).

    Returns
    -------
    Interval
        Within the range of the cluster means. The order of the items and the names of the clusters do not change it.

    Raises
    ------
    UsageError
        If there are fewer than 2 clusters, fewer than 100 draws, the lengths differ, or a value is not finite.

    Notes
    -----
    Davison & Hinkley (1997), Bootstrap Methods and their Application, section 3.8, strategy 1. A sample of G clusters
    has a random number of items, so each draw is a ratio, sum of sums over sum of sizes. With under about 30 clusters
    the interval is too narrow; `clustered_mean` is then the safer one.

    Examples
    --------
    >>> right, passage = [1, 1, 0, 0, 1, 1, 0, 1], [1, 1, 2, 2, 3, 3, 4, 4]
    >>> interval = cluster_bootstrap(right, passage, seed=0)
    >>> interval.low, interval.high
    (0.25, 1.0)
    """
    level, draws = share(level, "level"), natural(draws, "draws", least=100)
    totals = Totals.of(numbers(values, "values"), clusters)
    means = totals.resampled_means(draws, as_generator(seed, "cluster bootstrap"))
    return percentile(means, level, draws)


def percentile(means: FloatArray, level: float, draws: int) -> Interval:
    """The central `level` of bootstrap `means` as an interval whose method names the number of `draws`.

    Examples
    --------
    >>> round(percentile(np.linspace(0, 1, 101), 0.9, draws=101).high, 6)
    0.95
    """
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(
        low=float(low), high=float(high), level=level, method=f"cluster bootstrap, percentile, {draws} draws"
    )


def clustered_macro(
    values: ArrayLike, clusters: Sequence[Hashable], strata: Sequence[Hashable], level: float = 0.95
) -> Interval:
    """Interval for the unweighted mean of stratum means, where a cluster may reach into several strata.

    Each value's influence on the mean, w (y - stratum mean) with w = 1 / (strata x rows in the stratum), is summed by
    cluster; the variance is G / (G - 1) times the sum of squares of these sums, as for any linearised statistic, with
    t on G - 1 degrees of freedom.

    Parameters
    ----------
    values, clusters, strata : sequences of length n
        Numbers in [0, 1] or any real ones; the cluster and the stratum of each.
    level : float in (0, 1)

    Raises UsageError for fewer than two clusters or unequal lengths.

    Examples
    --------
    >>> clustered_macro([1, 0, 1, 1], ["a", "b", "a", "b"], [0, 0, 1, 1]).method
    'clustered t, macro'
    """
    y = numbers(values, "values")
    level = share(level, "level")
    if not len(y) == len(clusters) == len(strata):
        raise UsageError(
            f"{len(y)} values came with {len(clusters)} clusters and {len(strata)} strata; give one of each a value."
        )
    _, stratum = np.unique(np.array([repr(s) for s in strata]), return_inverse=True)
    _, cluster = np.unique(np.array([repr(c) for c in clusters]), return_inverse=True)
    groups = int(cluster.max()) + 1 if len(y) else 0
    if groups < 2:
        raise UsageError(f"an interval needs at least two clusters; there are {groups}.")
    sizes = np.bincount(stratum)
    means = np.bincount(stratum, weights=y) / sizes
    influence = (y - means[stratum]) / (len(sizes) * sizes[stratum])
    error = float(np.sqrt(groups / (groups - 1) * np.sum(np.bincount(cluster, weights=influence) ** 2)))
    half = float(stdtrit(groups - 1, 0.5 + level / 2)) * error
    center = float(means.mean())
    return Interval(low=center - half, high=center + half, level=level, method="clustered t, macro")
