"""Moving one sample's feature statistics onto another's: means and variances, dimension by dimension.

Belongs here: moments that can be merged, and the map between two sets of moments, on arrays. Does not belong here:
networks (`shift/`), contrast pairs (`knowledge/`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import DataError, UsageError
from gnomon.stats._checks import FloatArray

__all__ = ["FeatureAlignment", "Moments", "align_features", "mix_moments"]


@dataclass(frozen=True)
class Moments:
    """How many values there were, their mean, and the sum of squares about it; all float64, one entry a dimension.

    `a + b` is what all values together would have given (Chan, Golub & LeVeque 1979): the variance of a union is the
    mean of the variances plus the variance of the means, which averaging variances would leave out.

    >>> a, b = Moments.of([[1.0], [1.0]]), Moments.of([[3.0], [3.0]])
    >>> (a + b).variance.tolist(), (a.variance + b.variance).tolist()
    ([1.0], [0.0])
    """

    count: float
    mean: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, X: ArrayLike) -> Moments:
        """Moments of rows X (n, d); raises DataError where a value is not finite, for one would spoil all."""
        rows: NDArray[np.float64] = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or not len(rows):
            raise UsageError(f"features have shape {rows.shape}, not (n, d) with n > 0.", hint="Pass a row an item.")
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            raise DataError(
                f"row {int(bad.argmax())} of the features holds a value that is not finite ({int(bad.sum())} such "
                "rows), and statistics would keep it.",
                hint="Leave these rows out.",
            )
        mean = rows.mean(axis=0)
        return cls(float(len(rows)), mean, np.square(rows - mean).sum(axis=0))

    @property
    def variance(self) -> FloatArray:
        """Biased, as a network normalises with: divided by the count."""
        return np.asarray(self.squares / self.count, dtype=np.float64)

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        squares = self.squares + other.squares + np.square(gap) * (self.count * other.count / count)
        return Moments(count, mean, squares)


def mix_moments(source: ArrayLike, target: ArrayLike, n: float, N: float) -> FloatArray:
    """N / (N + n) of the source's moment and n / (N + n) of the target's (Schneider et al. 2020, arXiv:2006.16971).

    Means with means and variances with variances: linear in both, as in the paper, and so not the moments of a pooled
    sample. N = 0 is the target, a very large N the source.

    >>> mix_moments([0.0], [4.0], n=10, N=30).tolist()
    [1.0]
    """
    if N < 0 or n <= 0:
        raise UsageError(f"N={N:g} with n={n:g} was given.", hint="Give a pseudo-count N of at least 0, and n above 0.")
    share = 1.0 / (1.0 + N / n)
    first, second = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return np.asarray((1 - share) * first + share * second, dtype=np.float64)


@dataclass(frozen=True)
class FeatureAlignment:
    """x -> to + (x - from) * scale, dimension by dimension; `transform` takes rows (n, d)."""

    origin: FloatArray
    to: FloatArray
    scale: FloatArray

    def transform(self, X: ArrayLike) -> FloatArray:
        """Rows in the place of the source's."""
        return np.asarray(self.to + (np.asarray(X, dtype=np.float64) - self.origin) * self.scale, dtype=np.float64)


def align_features(
    source: ArrayLike | Moments,
    target: ArrayLike | Moments,
    *,
    scale: bool = True,
    N: float = 0.0,
    eps: float = 1e-5,
) -> FeatureAlignment:
    """The map that gives target features the source's mean and variance in every dimension; no label is used.

    Whatever was fitted on source features (a probe, a head) is then applied to `transform(X)` as it stands.

    Parameters
    ----------
    source, target : array-like of shape (n, d), or Moments
        Features as the fitted thing knows them, and as they come now.
    scale : bool
        Move the variance, too, and not only the mean.
    N : float
        Pseudo-count of source items in the target's moments (`mix_moments`): with few target items, 0 trusts them
        wholly. As N grows the map becomes the identity.
    eps : float
        Added to both variances, relative to the source's mean variance, so that a constant dimension is not blown up.

    Returns
    -------
    FeatureAlignment

    Raises
    ------
    UsageError, DataError
        For widths that differ, no rows, or values that are not finite.

    Notes
    -----
    x' = mu_s + (x - mu_t) sqrt((v_s + e) / (v_t + e)). It undoes any shift and positive scale of single dimensions. It
    also takes away a change of the mix of classes, which is no shift of features: where one class alone is left, its
    mean becomes that of all classes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> source = rng.normal(size=(500, 3))
    >>> moved = align_features(source, 5 + 2 * source).transform(5 + 2 * source)
    >>> bool(np.allclose(moved, source, atol=1e-4))
    True
    """
    first = source if isinstance(source, Moments) else Moments.of(source)
    second = target if isinstance(target, Moments) else Moments.of(target)
    if first.mean.shape != second.mean.shape:
        raise UsageError(
            f"source features have {len(first.mean)} dimensions, and target features {len(second.mean)}.",
            hint="Take both from the same layer of the same model.",
        )
    mean = mix_moments(first.mean, second.mean, second.count, N)
    variance = mix_moments(first.variance, second.variance, second.count, N)
    floor = eps * max(float(first.variance.mean()), np.finfo(np.float64).tiny)
    ratio = np.sqrt((first.variance + floor) / (variance + floor)) if scale else np.ones_like(mean)
    return FeatureAlignment(mean, first.mean, np.asarray(ratio, dtype=np.float64))
