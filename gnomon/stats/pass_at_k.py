"""pass@k: the chance that at least one of k programs drawn for a problem is right.

Belongs here: the unbiased estimate from n >= k programs, its mean over problems, and an interval. Does not belong here:
whether a program is right (`grading/programs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats._checks import natural
from gnomon.stats.clusters import cluster_bootstrap

__all__ = ["PassAtK", "mean_pass_at_k", "pass_at_k"]


@dataclass(frozen=True, slots=True)
class PassAtK:
    """The mean of pass@k over `problems`, in [0, 1]; `interval` is None where one problem is all there is."""

    k: int
    value: float
    interval: Interval | None
    problems: int


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k for one problem: 1 - C(n - c, k) / C(n, k).

    Parameters
    ----------
    n : int
        Programs that were drawn, at least k.
    c : int
        How many of them are right, in [0, n].
    k : int
        At least 1.

    Returns
    -------
    float
        In [0, 1]: the share of all subsets of k programs that hold a right one.

    Raises
    ------
    UsageError
        If k > n (no subset of k programs exists), c > n, or a number is out of range.

    Notes
    -----
    Chen et al. (2021), arXiv:2107.03374, eq. 1. The quotient of the two binomials is the product of 1 - k / i over
    i = n - c + 1 .. n, whose factors lie in [0, 1], so nothing overflows. The plug-in 1 - (1 - c / n)^k is biased.

    Examples
    --------
    >>> pass_at_k(10, 3, 1), pass_at_k(10, 3, 8)
    (0.3, 1.0)
    """
    n, c, k = natural(n, "n", least=1), natural(c, "c", least=0), natural(k, "k", least=1)
    if c > n:
        raise UsageError(f"c is {c}, and only n = {n} programs were drawn.", hint="c counts the right ones among n.")
    if k > n:
        raise UsageError(
            f"pass@{k} cannot be told from {n} programs a problem.", hint=f"Draw at least {k}, or ask for k up to {n}."
        )
    if n - c < k:  # every subset of k holds a right one
        return 1.0
    if k == 1:
        return c / n
    return 1.0 - float(np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def mean_pass_at_k(
    n: Sequence[int],
    c: Sequence[int],
    k: int,
    *,
    seed: int | np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> PassAtK:
    """pass@k of a model: the mean over problems, with a percentile interval from samples of problems.

    Parameters
    ----------
    n, c : sequences of int, one each a problem
        Programs drawn, and how many of them are right.
    k : int
        At least 1, at most the smallest n.
    seed, draws, level
        As in `cluster_bootstrap`; problems are the clusters.

    Returns
    -------
    PassAtK
        Its interval speaks of other problems like these, not of other draws from the model on these problems.

    Raises
    ------
    UsageError
        As `pass_at_k` does, naming the problem; if there is no problem, or n and c differ in length.

    Examples
    --------
    >>> found = mean_pass_at_k([4, 4, 4], [4, 1, 0], 2, seed=0)
    >>> found.value, found.problems
    (0.5, 3)
    """
    if len(n) != len(c):
        raise UsageError(f"n has {len(n)} problems and c has {len(c)}.", hint="Give both numbers for each problem.")
    values = []
    for position, (drawn, right) in enumerate(zip(n, c, strict=True)):
        try:
            values.append(pass_at_k(drawn, right, k))
        except UsageError as error:
            raise UsageError(f"Problem {position}: {error}") from error
    if not values:
        raise UsageError("pass@k was asked for over no problems, and nothing may be claimed from them.")
    interval = cluster_bootstrap(values, None, seed=seed, draws=draws, level=level) if len(values) > 1 else None
    return PassAtK(k, float(np.mean(values)), interval, len(values))
