"""`gaussian`: the conditional of a multivariate normal. Belongs here: that law, given or estimated."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._sampler import TableSampler, table

__all__ = ["Gaussian", "conditional", "sampler"]

Floats = NDArray[np.float64]


def conditional(covariance: Floats, at: NDArray[Any], stays: NDArray[Any]) -> tuple[Floats, Floats]:
    """Weights (|S|, |rest|) of the conditional mean and a root (|S|, |S|) of the conditional covariance.

    x_S | x_rest is normal with mean mu_S + W (x_rest - mu_rest), W = C_SR C_RR^-1, and covariance C_SS - W C_RS.
    """
    if len(stays):
        W = np.linalg.lstsq(covariance[np.ix_(stays, stays)], covariance[np.ix_(stays, at)], rcond=None)[0].T
    else:
        W = np.zeros((len(at), 0))
    rest = covariance[np.ix_(at, at)] - W @ covariance[np.ix_(stays, at)]
    values, vectors = np.linalg.eigh((rest + rest.T) / 2)
    return W, np.asarray(vectors * np.sqrt(np.clip(values, 0, None)), dtype=np.float64)


class Gaussian(TableSampler):
    """x_S given the rest under a multivariate normal law.

    Parameters
    ----------
    mean, covariance : array-like (d,), (d, d), optional
        The law, where it is known: then `exact`. Else `fit` estimates it.
    shrink : float
        Share of the diagonal that is mixed into an estimated covariance, in [0, 1].

    Examples
    --------
    >>> law = Gaussian(mean=[0.0, 0.0], covariance=[[1.0, 0.8], [0.8, 1.0]])
    >>> from gnomon.importance import Columns
    >>> drawn = law.sample(np.array([5.0, 1.0]), Columns("x", (0,)), 10_000, np.random.default_rng(0))
    >>> drawn[:, 0].mean().round(1), drawn[:, 0].std().round(1), law.exact
    (np.float64(0.8), np.float64(0.6), True)
    """

    about: ClassVar[str] = "conditional of a multivariate normal, known or estimated"
    leaves_open: ClassVar[str] = "the columns are jointly normal with the estimated mean and covariance"

    def __init__(
        self, mean: ArrayLike | None = None, covariance: ArrayLike | None = None, shrink: float = 0.01
    ) -> None:
        self.mean = mean
        self.covariance = covariance
        self.shrink = shrink

    @property
    def exact(self) -> bool:
        return self.mean is not None

    def fit(self, X: ArrayLike | None = None) -> Self:
        if self.mean is not None or self.covariance is not None:
            if self.mean is None or self.covariance is None:
                raise UsageError("a known law needs both its mean and its covariance.")
            self._know(np.asarray(self.mean, dtype=np.float64), np.asarray(self.covariance, dtype=np.float64))
            return self
        rows = table([] if X is None else X, "Gaussian")
        if not 0 <= self.shrink <= 1:
            raise UsageError(f"shrink={self.shrink}: give a number from 0 to 1.")
        covariance = np.atleast_2d(np.cov(rows, rowvar=False))
        self._know(rows.mean(axis=0), (1 - self.shrink) * covariance + self.shrink * np.diag(np.diag(covariance)))
        return self

    def _know(self, mean: Floats, covariance: Floats) -> None:
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise UsageError(f"a mean of shape {mean.shape} does not go with a covariance of {covariance.shape}.")
        self.mean_, self.covariance_, self.d_ = mean, covariance, len(mean)
        self._known: dict[bytes, tuple[Floats, Floats]] = {}

    def _draw(self, x: Floats, at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator) -> Floats:
        key = at.tobytes()
        if key not in self._known:
            self._known[key] = conditional(self.covariance_, at, stays)
        W, root = self._known[key]
        centre = self.mean_[at] + W @ (x[stays] - self.mean_[stays])
        return np.asarray(centre + rng.normal(size=(n, len(at))) @ root.T, dtype=np.float64)


sampler = Gaussian
