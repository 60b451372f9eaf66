"""`permutation`: how far the output moves when a column's value is taken from other rows. Belongs here: that score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.stats import stream

__all__ = ["baseline"]


def baseline(
    f: Callable[[NDArray[Any]], NDArray[Any]],
    X: NDArray[np.float64],
    background: NDArray[np.float64],
    seed: int = 0,
    draws: int = 20,
) -> NDArray[np.float64]:
    """|f(x) - mean f(x with column j of another row)|: scores (n, d).

    >>> scores = baseline(lambda X: X[:, 0], np.ones((1, 2)), np.zeros((5, 2)))
    >>> scores
    array([[1., 0.]])
    """
    random = stream(seed, "permutation")
    n, d = X.shape
    rows = np.repeat(X, d * draws, axis=0).reshape(n, d, draws, d)
    for j in range(d):
        rows[:, j, :, j] = background[random.integers(len(background), size=(n, draws)), j]
    found = np.asarray(f(rows.reshape(-1, d)), dtype=np.float64).reshape(n, d, draws)
    return np.asarray(np.abs(np.asarray(f(X), dtype=np.float64)[:, None] - found.mean(axis=2)), dtype=np.float64)
