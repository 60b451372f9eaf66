"""`QuantileHinge`: hinge sums from quantile sketches (KLL), for one column. A baseline.

Belongs here: what ranks give of a hinge sum, and a KLL sketch of our own. Does not belong here: the dyadic sketch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from gnomon.streaming._errors import InputError
from gnomon.streaming._fit import ObjectiveValue
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import accepted

__all__ = ["KLL", "QuantileHinge"]


class KLL:
    """A quantile sketch (Karnin, Lang and Liberty 2016, arXiv:1603.05346): values with weights 2^h in levels h.

    A full level is sorted, and every second value of it, from the first or the second by a coin, moves up. Ranks err by
    about 1 / k of n.

    >>> sketch = KLL(200, np.random.default_rng(0))
    >>> sketch.add(np.arange(100_000.0))
    >>> values, weights = sketch.points()
    >>> bool(weights.sum() == 100_000 and abs(weights[values < 50_000].sum() - 50_000) < 3000)
    True
    """

    def __init__(self, k: int, random: np.random.Generator) -> None:
        self.k = k
        self.random = random
        self.levels: list[Floats] = [np.empty(0)]

    def add(self, values: Floats) -> None:
        """Take in values; a long array is halved on its way, as if it had come in pieces of k."""
        for at in range(0, len(values), self.k):
            self.levels[0] = np.concatenate([self.levels[0], values[at : at + self.k]])
            self._shrink()

    def merge(self, other: KLL) -> None:
        while len(self.levels) < len(other.levels):
            self.levels.append(np.empty(0))
        for height, values in enumerate(other.levels):
            self.levels[height] = np.concatenate([self.levels[height], values])
        self._shrink()

    def _capacity(self, height: int) -> int:
        return max(2, int(np.ceil(self.k * (2 / 3) ** (len(self.levels) - 1 - height))))

    def _shrink(self) -> None:
        height = 0
        while height < len(self.levels):
            values = self.levels[height]
            if len(values) > self._capacity(height):
                if height + 1 == len(self.levels):
                    self.levels.append(np.empty(0))
                values = np.sort(values)
                odd = len(values) % 2
                left, values = values[:odd], values[odd:]
                self.levels[height] = left
                rising = values[int(self.random.integers(2)) :: 2]
                self.levels[height + 1] = np.concatenate([self.levels[height + 1], rising])
            height += 1

    def points(self) -> tuple[Floats, Floats]:
        """Values and weights."""
        weights = [np.full(len(values), 2.0**height) for height, values in enumerate(self.levels)]
        return np.concatenate(self.levels), np.concatenate(weights)

    @property
    def nbytes(self) -> int:
        return sum(values.nbytes for values in self.levels)


class QuantileHinge(BaseEstimator):  # type: ignore[misc]
    """A KLL sketch of the values of each label: a hinge sum is that of the sketch's weighted values.

    A rank error of e gives a hinge error of e R B, so it takes about 1 / epsilon values where the dyadic sketch takes
    1 / sqrt(epsilon) nodes.

    Parameters
    ----------
    k : int, default 200
        Of KLL; about 3k values are kept a label.
    seed : int

    Examples
    --------
    >>> x = np.linspace(-1, 1, 10_001)[:, None]
    >>> found = QuantileHinge(k=300).partial_fit(x, np.where(x[:, 0] > 0, 1, -1)).objective([0.5], 0.0)
    >>> round(found.estimate, 2)
    0.75
    """

    def __init__(self, k: int = 200, seed: int = 0) -> None:
        self.k = k
        self.seed = seed

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> QuantileHinge:
        """Take in rows of one column with labels -1 and +1."""
        rows = accepted(X, y)
        if rows.X.shape[1] != 1:
            raise InputError(f"quantiles are of one column, and X has {rows.X.shape[1]}.")
        if not np.isin(rows.y, (-1, 1)).all():
            raise InputError("labels must be -1 and +1.")
        if not hasattr(self, "sketches_"):
            random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed)))
            self.sketches_ = {sign: KLL(self.k, random) for sign in (-1.0, 1.0)}
        for sign, sketch in self.sketches_.items():
            sketch.add(rows.X[rows.y == sign, 0])
        return self

    def merge(self, other: QuantileHinge) -> QuantileHinge:
        """Take in what another has seen."""
        for sign, sketch in self.sketches_.items():
            sketch.merge(other.sketches_[sign])
        return self

    def objective(self, theta: ArrayLike, b: ArrayLike, lam: float = 0.0) -> ObjectiveValue:
        """An estimate; low and high are it, too: nothing is certified."""
        if not hasattr(self, "sketches_"):
            raise InputError("the sketch is empty, and a mean over no rows is undefined.")
        T, B = np.atleast_2d(np.asarray(theta, dtype=np.float64)), np.atleast_1d(np.asarray(b, dtype=np.float64))
        found, mass = np.zeros(len(T)), 0.0
        for sign, sketch in self.sketches_.items():
            values, weights = sketch.points()
            found += weights @ np.maximum(0, 1 - sign * (values[:, None] * T[:, 0] + B))
            mass += float(weights.sum())
        found = found / mass + lam / 2 * (T[:, 0] ** 2 + B * B)
        parts = [found] * 5 if np.ndim(theta) == 2 else [float(found[0])] * 5
        return ObjectiveValue(*parts)

    def memory_bytes(self) -> int:
        """Bytes of values."""
        return sum(sketch.nbytes for sketch in self.sketches_.values())
