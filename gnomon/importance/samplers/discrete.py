"""`discrete`: the conditional read off a table of probabilities or counts. Belongs here: few whole values a column."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._sampler import TableSampler, table

__all__ = ["Discrete", "sampler"]

Floats = NDArray[np.float64]


class Discrete(TableSampler):
    """x_S given the rest, where every column takes whole values from 0.

    Parameters
    ----------
    probabilities : array-like (v_1, ..., v_d), optional
        The joint law, where it is known: then `exact`. Else rows that agree in all other columns are counted; where no
        row agrees, those that agree in most.

    Examples
    --------
    >>> from gnomon.importance import Columns
    >>> law = Discrete(probabilities=[[0.1, 0.3], [0.4, 0.2]])
    >>> drawn = law.sample(np.array([0.0, 1.0]), Columns("x", (0,)), 10_000, np.random.default_rng(0))
    >>> drawn[:, 0].mean().round(1), law.exact
    (np.float64(0.4), True)
    """

    about: ClassVar[str] = "a table of joint probabilities, known or counted"
    leaves_open: ClassVar[str] = "the counts of rows that agree in the other columns are their true frequencies"

    def __init__(self, probabilities: ArrayLike | None = None) -> None:
        self.probabilities = probabilities

    @property
    def exact(self) -> bool:
        return self.probabilities is not None

    def fit(self, X: ArrayLike | None = None) -> Self:
        if self.probabilities is not None:
            law = np.asarray(self.probabilities, dtype=np.float64)
            if (law < 0).any() or not np.isclose(law.sum(), 1):
                raise UsageError(f"the probabilities sum to {law.sum():g}, or one is negative: give a joint law.")
            self.law_, self.d_ = law, law.ndim
            return self
        self.rows_ = table([] if X is None else X, "Discrete")
        if (self.rows_ != np.round(self.rows_)).any() or (self.rows_ < 0).any():
            raise UsageError("Discrete needs whole values from 0.", hint="Use the sampler donors, tree or copula.")
        self.d_ = self.rows_.shape[1]
        return self

    def _draw(self, x: Floats, at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator) -> Floats:
        if not self.exact:
            agreeing = (self.rows_[:, stays] == x[stays]).sum(axis=1)
            pool = np.flatnonzero(agreeing == agreeing.max())
            return np.asarray(self.rows_[np.ix_(rng.choice(pool, size=n), at)], dtype=np.float64)
        where: list[Any] = [slice(None)] * self.d_
        for j in stays:
            value = int(x[j])
            if value != x[j] or not 0 <= value < self.law_.shape[j]:
                raise UsageError(f"column {j} has the value {x[j]:g}; the law knows 0 to {self.law_.shape[j] - 1}.")
            where[int(j)] = value
        # Axes that are left are in the order of columns, and those of a group in its own.
        law = self.law_[tuple(where)]
        order = np.sort(at)
        if not law.sum() > 0:
            raise UsageError("the law gives probability 0 to what stays of this row.")
        drawn = rng.choice(law.size, size=n, p=law.reshape(-1) / law.sum())
        values = np.stack(np.unravel_index(drawn, law.shape), axis=1).astype(np.float64)
        return np.asarray(values[:, np.searchsorted(order, at)], dtype=np.float64)


sampler = Discrete
