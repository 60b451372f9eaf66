"""`tree`: values of the rows in one leaf of a tree that was grown on what stays. Belongs here: that tree."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._sampler import TableSampler, table

__all__ = ["Tree", "sampler"]

Floats = NDArray[np.float64]


class Tree(TableSampler):
    """Conditional permutation: a regression tree predicts x_S from the other columns; x_S is taken from the same leaf.

    Parameters
    ----------
    leaf : int
        Fewest rows in a leaf, at least 2.
    seed : int
        Of ties between splits.

    Examples
    --------
    >>> from gnomon.importance import Columns
    >>> X = np.repeat(np.arange(40.0)[:, None], 2, axis=1)
    >>> drawn = Tree(leaf=5).fit(X).sample(np.array([0.0, 20.0]), Columns("x", (0,)), 50, np.random.default_rng(0))
    >>> bool((abs(drawn[:, 0] - 20) <= 10).all())
    True
    """

    about: ClassVar[str] = "values of the rows in the same leaf of a tree"
    leaves_open: ClassVar[str] = "within a leaf of the tree the group does not depend on the other columns"

    def __init__(self, leaf: int = 20, seed: int = 0) -> None:
        self.leaf = leaf
        self.seed = seed

    def fit(self, X: ArrayLike) -> Self:
        self.rows_ = table(X, "Tree")
        self.d_ = self.rows_.shape[1]
        if not 2 <= self.leaf <= len(self.rows_):
            raise UsageError(f"leaf={self.leaf}: give a number from 2 to the {len(self.rows_):,} rows.")
        self._grown: dict[bytes, tuple[Any, dict[int, NDArray[Any]]]] = {}
        return self

    def _draw(self, x: Floats, at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator) -> Floats:
        pool = np.arange(len(self.rows_))
        if len(stays):
            grown, leaves = self._tree(at, stays)
            pool = leaves[int(grown.apply(x[stays][None])[0])]
        return np.asarray(self.rows_[np.ix_(rng.choice(pool, size=n), at)], dtype=np.float64)

    def _tree(self, at: NDArray[Any], stays: NDArray[Any]) -> tuple[Any, dict[int, NDArray[Any]]]:
        from sklearn.tree import DecisionTreeRegressor

        key = at.tobytes()
        if key not in self._grown:
            target = self.rows_[:, at]
            spread = target.std(axis=0)
            tree = DecisionTreeRegressor(min_samples_leaf=self.leaf, random_state=self.seed)
            tree.fit(self.rows_[:, stays], target / np.where(spread > 0, spread, 1))
            where = tree.apply(self.rows_[:, stays])
            self._grown[key] = tree, {int(leaf): np.flatnonzero(where == leaf) for leaf in np.unique(where)}
        return self._grown[key]


sampler = Tree
