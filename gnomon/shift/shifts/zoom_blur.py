"""Zoom: an image and larger and larger ones, averaged."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {
    32: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    224: ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """The mean of the image and of its enlargements about the centre, up to that factor, in these steps."""
    end, step = constants(LEVELS, given.side, severity)
    values = scaled(given)
    factors = np.arange(1.0, end - step / 2, step)
    total = values.copy()
    middle = (np.array(values.shape[1:3]) - 1) / 2
    for factor in factors:
        matrix = np.array([1.0, 1 / factor, 1 / factor, 1.0])
        start = np.array([0.0, *(middle - middle / factor), 0.0])
        total += affine_transform(values, matrix, offset=start, order=1, mode="nearest")
    return shown(given, total / (len(factors) + 1))
