"""Rows as users give them, made rows that can be sketched.

Belongs here: checking arrays. Does not belong here: files (`_sources.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gnomon.streaming._errors import InputError
from gnomon.streaming._lattice import Floats

__all__ = ["Rows", "accepted"]


@dataclass(frozen=True)
class Rows:
    """Finite rows X (n, d), labels y (n,), weights (n,) or None for 1 each, and how many rows were left out."""

    X: Floats
    y: Floats
    weight: Floats | None
    rejected: int


def accepted(X: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> Rows:
    """Rows without those that hold a value that is not finite, and without those of weight 0.

    Raises InputError for arrays of the wrong shape or type, and for weights below 0.

    >>> accepted([[1.0], [float("nan")]], [1, -1]).rejected
    1
    """
    try:
        points: Floats = np.asarray(X, dtype=np.float64)
        labels: Floats = np.asarray(y, dtype=np.float64)
        w: Floats | None = None if weight is None else np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"rows must be numbers: {error}.") from None
    if points.ndim != 2 or points.shape[1] < 1:
        raise InputError(f"X has the shape {points.shape}.", hint="Give (n, d), for one column X[:, None].")
    if labels.shape != (len(points),):
        raise InputError(f"X has {len(points):,} rows, and y has the shape {labels.shape}.")
    if w is not None and w.shape != (len(points),):
        raise InputError(f"X has {len(points):,} rows, and sample_weight has the shape {w.shape}.")
    # One pass over each array where all is well: a sum is finite only if nothing in it is not.
    if not (np.isfinite(points.sum()) and np.isfinite(labels.sum()) and (w is None or np.isfinite(w.sum()))):
        good = np.isfinite(points).all(axis=1) & np.isfinite(labels) & (True if w is None else np.isfinite(w))
    else:
        good = None
    rejected = 0
    if good is not None and not good.all():
        rejected = int((~good).sum())
        points, labels, w = points[good], labels[good], None if w is None else w[good]
    if w is not None:
        if (w < 0).any():
            raise InputError(f"a weight of {w.min():g} was given.", hint="Weights are 0 or above.")
        if (w == 0).any():
            points, labels, w = points[w > 0], labels[w > 0], w[w > 0]
        if (w == 1).all():
            w = None
    return Rows(points, labels, w, rejected)
