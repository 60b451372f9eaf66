"""`copula`: normal scores of each column, and their joint normal law. Belongs here: the transform there and back."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from gnomon.importance._sampler import TableSampler, table
from gnomon.importance.samplers.gaussian import conditional

__all__ = ["Copula", "sampler"]

Floats = NDArray[np.float64]


class Copula(TableSampler):
    """A Gaussian copula: every column keeps its own distribution (as observed), dependence is that of a normal.

    Values go to normal scores by their mid-ranks, are drawn there conditionally, and come back by the column's
    quantiles, so that no draw leaves the observed range.

    Examples
    --------
    >>> from gnomon.importance import Columns
    >>> X = np.exp(np.random.default_rng(0).normal(size=(500, 2)))
    >>> drawn = Copula().fit(X).sample(X[0], Columns("x", (0,)), 50, np.random.default_rng(0))
    >>> bool((drawn[:, 0] > 0).all() and (drawn[:, 1] == X[0, 1]).all())
    True
    """

    about: ClassVar[str] = "columns as observed, dependence of a normal"
    leaves_open: ClassVar[str] = "the dependence between columns is that of a normal copula, as estimated"

    def __init__(self, shrink: float = 0.01) -> None:
        self.shrink = shrink

    def fit(self, X: ArrayLike) -> Self:
        rows = table(X, "Copula")
        self.d_ = rows.shape[1]
        self.sorted_ = np.sort(rows, axis=0)
        scores = np.stack([self._score(rows[:, j], j) for j in range(self.d_)], axis=1)
        covariance = np.atleast_2d(np.cov(scores, rowvar=False))
        self.covariance_ = (1 - self.shrink) * covariance + self.shrink * np.diag(np.diag(covariance))
        self.mean_ = scores.mean(axis=0)
        self._known: dict[bytes, tuple[Floats, Floats]] = {}
        return self

    def _score(self, values: Floats, column: int) -> Floats:
        known = self.sorted_[:, column]
        n = len(known)
        low, high = np.searchsorted(known, values, side="left"), np.searchsorted(known, values, side="right")
        return np.asarray(ndtri(np.clip((low + high) / 2, 0.5, n - 0.5) / n), dtype=np.float64)

    def _draw(self, x: Floats, at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator) -> Floats:
        key = at.tobytes()
        if key not in self._known:
            self._known[key] = conditional(self.covariance_, at, stays)
        W, root = self._known[key]
        here = np.array([self._score(x[[j]], int(j))[0] for j in stays]).reshape(-1)
        scores = self.mean_[at] + W @ (here - self.mean_[stays]) + rng.normal(size=(n, len(at))) @ root.T
        rank = ndtr(scores) * len(self.sorted_)
        nearest = np.clip(np.floor(rank).astype(int), 0, len(self.sorted_) - 1)
        return np.asarray(self.sorted_[nearest, at], dtype=np.float64)


sampler = Copula
