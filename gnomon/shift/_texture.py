"""Fractal clouds for fog and frost.

Belongs here: the one texture that two shifts draw. Does not belong here: what they do with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["plasma"]


def plasma(side: int, decay: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """A cloud (size, size) from 0 to 1, size the power of 2 from `side` on: diamond-square on a torus.

    Noise shrinks by `decay` at each halving: the larger, the smoother.

    >>> cloud = plasma(32, 2.0, np.random.default_rng(0))
    >>> cloud.shape, float(cloud.min()), float(cloud.max())
    ((32, 32), 0.0, 1.0)
    """
    size = 1 << max(1, (side - 1).bit_length())
    cloud = np.zeros((size, size))
    step, wobble = size, 1.0
    while step > 1:
        half = step // 2
        corners = cloud[::step, ::step]
        right, below = np.roll(corners, -1, 1), np.roll(corners, -1, 0)
        shape = corners.shape
        square = (corners + right + below + np.roll(right, -1, 0)) / 4
        cloud[half::step, half::step] = square + wobble * generator.uniform(-1, 1, size=shape)
        middle = cloud[half::step, half::step]
        across = (corners + right + middle + np.roll(middle, 1, 0)) / 4
        down = (corners + below + middle + np.roll(middle, 1, 1)) / 4
        cloud[::step, half::step] = across + wobble * generator.uniform(-1, 1, size=shape)
        cloud[half::step, ::step] = down + wobble * generator.uniform(-1, 1, size=shape)
        step, wobble = half, wobble / decay
    cloud -= cloud.min()
    return np.asarray(cloud / max(float(cloud.max()), 1e-12), dtype=np.float64)
