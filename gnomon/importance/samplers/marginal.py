"""`marginal`: values of any row, whatever stays. Belongs here: the wrong sampler, kept to show what it does."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.importance._sampler import TableSampler, table

__all__ = ["Marginal", "sampler"]


class Marginal(TableSampler):
    """What permutation importance and SHAP's backgrounds do: x_S from any row. Valid only for independent columns.

    Where columns depend on each other the draws look unlike any row, the model reacts to that, and features without any
    effect are discovered. It is here as a control, and for designs in which columns are independent.
    """

    about: ClassVar[str] = "values of any row (as permutation does): valid for independent columns only"
    leaves_open: ClassVar[str] = "the columns are independent of one another; else it does not hold its rate at all"

    def fit(self, X: ArrayLike) -> Self:
        self.rows_ = table(X, "Marginal")
        self.d_ = self.rows_.shape[1]
        return self

    def _draw(
        self, x: NDArray[Any], at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator
    ) -> NDArray[Any]:
        return np.asarray(self.rows_[np.ix_(rng.integers(len(self.rows_), size=n), at)], dtype=np.float64)


sampler = Marginal
