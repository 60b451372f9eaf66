"""States whose truth is known: contrast pairs drawn with a planted truth direction and planted distractors.

Belongs here: synthetic states for doctests, tests and demonstrations. Does not belong here: states of real models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Planted", "planted_pairs"]


@dataclass(frozen=True)
class Planted:
    """Synthetic contrast pairs.

    `X` (n, 2, d): states of x+ and x-; `y` (n,): 1 where x+ is true; `distractor` (n,): 1 where the planted distractor
    points to x+; `templates` (n,), `items` (n,): whose template and item a row is; `truth`, `other` (d,): the planted
    unit directions.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    distractor: NDArray[np.int64]
    templates: NDArray[np.int64]
    items: NDArray[np.int64]
    truth: NDArray[np.float64]
    other: NDArray[np.float64]


def planted_pairs(
    n: int = 200,
    d: int = 16,
    *,
    seed: int = 0,
    truth: float = 4.0,
    distractor: float = 0.0,
    side: float = 5.0,
    noise: float = 1.0,
    templates: int = 1,
) -> Planted:
    """Draw `n` items in `templates` wordings: n * templates rows, item by item.

    Parameters
    ----------
    truth, distractor : float
        How far a true (or distracted-to) and a false state lie apart, along orthogonal directions, in units of noise.
    side : float
        How far all x+ lie from all x-, along a random direction of each template: what normalisation must remove.
    noise : float
        Standard deviation of every dimension of what an item shares between its two sides; half of it is drawn for
        each side apart.

    Examples
    --------
    >>> planted = planted_pairs(n=100, d=8)
    >>> planted.X.shape, planted.y.shape
    ((100, 2, 8), (100,))
    """
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(d, 2)))
    y, other = random.integers(0, 2, n), random.integers(0, 2, n)
    shared = random.normal(size=(n, d)) * noise
    rows = []
    for _ in range(templates):
        direction = random.normal(size=d)
        direction *= side / np.linalg.norm(direction)
        offset = random.normal(size=d)
        plus = truth / 2 * np.outer(2 * y - 1, basis[:, 0]) + distractor / 2 * np.outer(2 * other - 1, basis[:, 1])
        own = random.normal(size=(n, 2, d)) * noise / 2
        pair = np.stack([plus + direction / 2, -plus - direction / 2], axis=1)
        rows.append(shared[:, None] + pair + own + offset)
    X = np.stack(rows, axis=1).reshape(n * templates, 2, d)
    which = np.tile(np.arange(templates), n)
    repeat = np.repeat(np.arange(n), templates)
    return Planted(X, y[repeat], other[repeat], which, repeat, basis[:, 0], basis[:, 1])
