"""LEACE: the least change of states after which no linear read-out of a concept beats a constant.

Belongs here: the closed form. Does not belong here: what is erased, and why (`_normalize.py`, `_controls.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError

__all__ = ["Eraser", "fit_leace"]

Floats = NDArray[np.float64]

_SMALL = 1e-10


@dataclass(frozen=True)
class Eraser:
    """x -> mean + (I - out into)(x - mean); `out` (d, r) times `into` (r, d) is the oblique projection onto what is
    erased, r the number of directions that a read-out of the concept can use."""

    mean: Floats
    out: Floats
    into: Floats

    def transform(self, X: ArrayLike) -> Floats:
        """States (m, d) without the concept."""
        rows = np.asarray(X, dtype=np.float64)
        return np.asarray(rows - (rows - self.mean) @ self.into.T @ self.out.T, dtype=np.float64)


def fit_leace(X: ArrayLike, Z: ArrayLike, weight: ArrayLike | None = None) -> Eraser:
    """The eraser of concept `Z` from states `X` (Belrose et al. 2023, arXiv:2306.03819, theorem 4.3).

    Parameters
    ----------
    X : (n, d)
        States.
    Z : (n, k) or (n,)
        The concept, such as a one-hot class.
    weight : (n,), optional
        Weights >= 0.

    Returns
    -------
    Eraser
        After it cov(X', Z) = 0 on these rows, with the least expected squared change. Where cov(X) is singular (n < d,
        constant dimensions) whitening is by the pseudo-inverse; a constant `Z` erases nothing.

    Notes
    -----
    With W = cov(X)^(-1/2), pseudo-inverse, and P the orthogonal projection onto the columns of W cov(X, Z):
    out = W^+ U and into = U^T W, where P = U U^T: their product is W^+ P W.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> z = random.integers(0, 2, 200)
    >>> X = random.normal(size=(200, 5)) + np.outer(z, [3, 0, 0, 0, 1])
    >>> erased = fit_leace(X, z).transform(X)
    >>> bool(np.abs((erased - erased.mean(0)).T @ (z - z.mean())).max() < 1e-8)
    True
    """
    rows, concept = np.asarray(X, dtype=np.float64), np.asarray(Z, dtype=np.float64)
    concept = concept[:, None] if concept.ndim == 1 else concept
    if rows.ndim != 2 or len(concept) != len(rows):
        raise UsageError(f"LEACE needs states (n, d) and a concept of n rows; got {rows.shape} and {concept.shape}.")
    share = np.ones(len(rows)) if weight is None else np.asarray(weight, dtype=np.float64)
    share = share / share.sum()
    mean = share @ rows
    centred, off = rows - mean, concept - share @ concept
    half = np.sqrt(share)[:, None]
    # The right singular vectors and values of the weighted, centred rows are those of cov(X)^(1/2).
    _, scale, basis = np.linalg.svd(half * centred, full_matrices=False)
    kept = scale > max(_SMALL, _SMALL * scale.max(initial=0))
    scale, basis = scale[kept], basis[kept]
    cross = (half * centred).T @ (half * off)
    whitened = (basis @ cross) / scale[:, None]  # W cov(X, Z), in the basis
    left, size, _ = np.linalg.svd(whitened, full_matrices=False)
    left = left[:, size > 1e-9 * np.sqrt(np.square(off).mean() + 1e-300)]
    return Eraser(mean, (basis.T * scale) @ left, left.T @ (basis / scale[:, None]))
