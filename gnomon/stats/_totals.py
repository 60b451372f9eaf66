"""The total and size of every cluster: all that cluster methods need of the items.

Belongs here: grouping items, the cluster-robust standard error, resampling whole clusters. Does not belong here: what
is concluded from them (`clusters.py`, `paired.py`, `power.py`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.stats._checks import FloatArray

__all__ = ["CHUNK", "FEW", "Totals"]

CHUNK = 2**21
"""Random numbers that exist at one time: 16 MB as 64-bit values, so a bootstrap stays far under 200 MB."""

FEW = 16
"""Drawing a count for a kind costs about as much as drawing this many single clusters."""


@dataclass(frozen=True)
class Totals:
    """Sum of the values and number of items of every cluster, sorted by them.

    Being sorted makes every seeded result the same for the same data, however rows were shuffled or groups renamed.

    >>> Totals.of(np.array([1.0, 0.0, 1.0]), ["q", "p", "q"])
    Totals(sums=array([0., 2.]), sizes=array([1., 2.]))
    """

    sums: FloatArray
    sizes: FloatArray

    @classmethod
    def of(cls, values: FloatArray, clusters: Iterable[Hashable] | None) -> Totals:
        """Group `values` by `clusters`; None makes each item a cluster of its own.

        Raises
        ------
        UsageError
            If the lengths differ, a label is None, NaN or unhashable, or there are fewer than two clusters.
        """
        if clusters is None:
            sums, sizes = values, np.ones(len(values))
        else:
            members = _grouped(values, clusters)
            # fsum is correctly rounded, so neither the order of items nor swapping two systems changes a bit.
            sums = np.array([math.fsum(member) for member in members])
            sizes = np.array([float(len(member)) for member in members])
        if len(sums) < 2:
            raise UsageError(
                f"All {len(values)} items are in one cluster, and spread between clusters cannot be seen from one.",
                hint="Add items of other clusters, or claim no interval.",
            )
        return cls._sorted(sums, sizes)

    @classmethod
    def _sorted(cls, sums: FloatArray, sizes: FloatArray) -> Totals:
        order = np.lexsort((sizes, sums))
        return cls(sums[order], sizes[order])

    @property
    def groups(self) -> int:
        """Number of clusters, G."""
        return len(self.sums)

    @property
    def n(self) -> int:
        """Number of items."""
        return int(self.sizes.sum())

    @property
    def mean(self) -> float:
        """Mean over items (not over clusters)."""
        return math.fsum(self.sums.tolist()) / self.n

    @property
    def standard_error(self) -> float:
        """Cluster-robust standard error of the mean, sqrt(G / (G - 1) sum_g (S_g - mean n_g)^2) / n."""
        residual = self.sums - self.mean * self.sizes
        return math.sqrt(self.groups / (self.groups - 1) * float(residual @ residual)) / self.n

    def mirrored(self) -> Totals:
        """The totals of the negated values."""
        return self._sorted(-self.sums, self.sizes)

    def precedes(self, other: Totals) -> bool:
        """Whether these come before `other` in lexical order, for choosing one of two in a fixed way."""
        return (self.sums.tolist(), self.sizes.tolist()) < (other.sums.tolist(), other.sizes.tolist())

    def resampled_means(self, draws: int, generator: np.random.Generator) -> FloatArray:
        """Means over items of `draws` samples of G clusters with replacement, shape (draws,).

        Clusters with the same sum and size are of one kind. A sample only matters through how often each kind is in it,
        which is multinomial; with few kinds (right or wrong answers in small groups) that is far less work than drawing
        each cluster.
        """
        new = np.ones(self.groups, dtype=bool)
        new[1:] = (np.diff(self.sums) != 0) | (np.diff(self.sizes) != 0)
        counts = np.diff(np.append(np.flatnonzero(new), self.groups))
        if FEW * len(counts) <= self.groups:
            return self._means_by_kind(new, counts, draws, generator)
        means = np.empty(draws)
        step = max(1, CHUNK // self.groups)
        for start in range(0, draws, step):
            part = slice(start, min(start + step, draws))
            picked = generator.integers(0, self.groups, size=(part.stop - start, self.groups))
            means[part] = self.sums[picked].sum(axis=1) / self.sizes[picked].sum(axis=1)
        return means

    def _means_by_kind(
        self, new: NDArray[np.bool_], counts: NDArray[np.int64], draws: int, generator: np.random.Generator
    ) -> FloatArray:
        means = np.empty(draws)
        step = max(1, CHUNK // len(counts))
        for start in range(0, draws, step):
            part = slice(start, min(start + step, draws))
            times = generator.multinomial(self.groups, counts / self.groups, size=part.stop - start).astype(np.float64)
            means[part] = (times @ self.sums[new]) / (times @ self.sizes[new])
        return means


def _grouped(values: FloatArray, clusters: Iterable[Hashable]) -> list[list[float]]:
    """The values of each cluster; labels that compare equal are one cluster."""
    if isinstance(clusters, str | bytes):
        raise UsageError(f"clusters is the text {clusters!r}, not a label for each item.")
    try:
        labels: list[Hashable] = list(clusters.tolist() if isinstance(clusters, np.ndarray) else clusters)
    except TypeError as error:
        raise UsageError(f"clusters is {clusters!r}, not a label for each item.") from error
    if len(labels) != len(values):
        raise UsageError(
            f"There are {len(values)} values and {len(labels)} cluster labels.",
            hint="Give each item the label of its group.",
        )
    members: dict[Hashable, list[float]] = {}
    for position, (label, value) in enumerate(zip(labels, values.tolist(), strict=True)):
        if label is None or label != label:
            # One missing label read as one big cluster would be a silent disaster, so it is refused.
            raise UsageError(
                f"The cluster label at position {position} is {label!r}.",
                hint="Give an item without a group its own id as its label.",
            )
        try:
            members.setdefault(label, []).append(value)
        except TypeError as error:
            raise UsageError(
                f"The cluster label at position {position} is {label!r}, which cannot be hashed.",
                hint="Use text, numbers or tuples as labels.",
            ) from error
    return list(members.values())
