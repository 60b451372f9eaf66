"""`ReservoirSVM`: a uniform sample of the stream, and the exact SVM of the sample. A baseline.

Belongs here: the estimator. Does not belong here: the solver (`_solve.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gnomon.streaming._baseline import LinearBaseline
from gnomon.streaming._fit import FitResult, ObjectiveValue
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import Rows
from gnomon.streaming._solve import solve

__all__ = ["ReservoirSVM"]


class ReservoirSVM(LinearBaseline):
    """A reservoir of `size` rows, each set of rows as likely as any other, whatever the order of the stream.

    An objective is estimated with a standard deviation of at most (range of the loss) / sqrt(size); the solution is
    O(1 / (lam size)) from the optimum. The number of columns does not matter, so this is what to use above 6.

    Parameters
    ----------
    lam : float, default 1e-3
    size : int, default 1024
        Rows kept.
    seed : int, default 0

    Attributes
    ----------
    fit_result_ : FitResult
        The sample's optimum. low and high are of the SAMPLE's objective: they certify nothing of the stream.

    Notes
    -----
    Weighted rows are drawn in proportion to their weight (Efraimidis and Spirakis 2006) and count alike afterwards,
    which is exact for equal weights and an approximation else.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 1000)[:, None]
    >>> found = ReservoirSVM(size=100).partial_fit(X, np.sign(X[:, 0]))
    >>> bool(found.score(X, np.sign(X[:, 0])) > 0.95), found.memory_bytes()
    (True, 2400)
    """

    _rows: Floats
    _keys: Floats

    def __init__(self, lam: float = 1e-3, size: int = 1024, seed: int = 0) -> None:
        self.lam = lam
        self.size = size
        self.seed = seed

    def _start(self, d: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed)))
        self._rows = np.empty((0, d + 1))
        self._keys = np.empty(0)

    def _take(self, rows: Rows) -> None:
        """The `size` smallest of independent exponential arrival times are a uniform sample."""
        arrival = self._random.standard_exponential(len(rows.X))
        if rows.weight is not None:
            arrival /= rows.weight
        if len(self._keys) == self.size:
            early = arrival < self._keys.max()
            points, labels, arrival = rows.X[early], rows.y[early], arrival[early]
        else:
            points, labels = rows.X, rows.y
        keys = np.concatenate([self._keys, arrival])
        kept = np.column_stack([points, labels])
        every = np.concatenate([self._rows, kept])
        if len(keys) > self.size:
            chosen = np.argpartition(keys, self.size - 1)[: self.size]
            every, keys = every[chosen], keys[chosen]
        self._rows, self._keys = every, keys

    def _weights(self) -> Floats:
        return self.fit_result_.w

    @property
    def fit_result_(self) -> FitResult:
        self._check_seen()
        X, y = self._rows[:, :-1], self._rows[:, -1]
        found = solve(X, y, np.full(len(X), 1 / len(X)), self.lam)
        return FitResult(self.lam, found.w[:-1], float(found.w[-1]), found.value, found.bound, found.value, len(X))

    def objective(self, theta: ArrayLike, b: ArrayLike, lam: float | None = None) -> ObjectiveValue:
        """The sample's F. low and high are the estimate, two standard errors to each side: no certificate."""
        self._check_seen()
        T, B = np.atleast_2d(np.asarray(theta, dtype=np.float64)), np.atleast_1d(np.asarray(b, dtype=np.float64))
        loss = np.maximum(0, 1 - self._rows[:, -1:] * (self._rows[:, :-1] @ T.T + B))
        strength = self.lam if lam is None else lam
        found = loss.mean(axis=0) + strength / 2 * ((T * T).sum(axis=1) + B * B)
        error = 2 * loss.std(axis=0) / np.sqrt(len(loss))
        parts = [found - error, found + error, found, found, found]
        return ObjectiveValue(*(parts if np.ndim(theta) == 2 else [float(part[0]) for part in parts]))

    def memory_bytes(self) -> int:
        """Bytes of rows and their keys."""
        return self._rows.nbytes + self._keys.nbytes
