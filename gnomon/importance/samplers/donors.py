"""`donors`: values of the rows that are nearest in what stays. Belongs here: nearest donors for tables."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._sampler import TableSampler, table

__all__ = ["Donors", "sampler"]

Floats = NDArray[np.float64]


class Donors(TableSampler):
    """x_S is taken whole from one of the k rows nearest in the other columns (each divided by its spread).

    Parameters
    ----------
    k : int
        Donors, at least 2. Few follow the conditional closely and vary little; all rows are plain permutation.

    Examples
    --------
    >>> from gnomon.importance import Columns
    >>> X = np.repeat(np.arange(10.0)[:, None], 2, axis=1)
    >>> drawn = Donors(k=3).fit(X).sample(np.array([0.0, 5.0]), Columns("x", (0,)), 20, np.random.default_rng(0))
    >>> sorted(set(drawn[:, 0].tolist()))
    [4.0, 5.0, 6.0]
    """

    about: ClassVar[str] = "values of the k nearest rows"
    leaves_open: ClassVar[str] = "the k nearest rows stand for rows that agree in all other columns"

    def __init__(self, k: int = 20) -> None:
        self.k = k

    def fit(self, X: ArrayLike) -> Self:
        self.rows_ = table(X, "Donors")
        if not 2 <= self.k <= len(self.rows_):
            raise UsageError(f"k={self.k}: give a number of donors from 2 to the {len(self.rows_):,} rows.")
        self.d_ = self.rows_.shape[1]
        spread = self.rows_.std(axis=0)
        self.scaled_ = self.rows_ / np.where(spread > 0, spread, 1)
        self._spread = np.where(spread > 0, spread, 1)
        return self

    def _draw(self, x: Floats, at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator) -> Floats:
        away = ((self.scaled_[:, stays] - x[stays] / self._spread[stays]) ** 2).sum(axis=1)
        nearest = np.argsort(away, kind="stable")[: self.k] if len(stays) else np.arange(len(self.rows_))
        return np.asarray(self.rows_[np.ix_(rng.choice(nearest, size=n), at)], dtype=np.float64)


sampler = Donors
