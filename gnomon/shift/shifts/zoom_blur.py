"""Zoom: an image and larger and larger ones, averaged."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import Floats, constants, scaled, shown

LEVELS = {
    32: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    224: ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """The mean of the image and of its enlargements about the centre, up to that factor, in these steps."""
    end, step = constants(LEVELS, given.side, severity)
    values = scaled(given).transpose(0, 3, 1, 2)
    factors = np.arange(1.0, end - step / 2, step)
    total = values.copy()
    for factor in factors:
        total += enlarge(values.shape[2], factor) @ values @ enlarge(values.shape[3], factor).T
    return shown(given, (total / (len(factors) + 1)).transpose(0, 2, 3, 1))


def enlarge(side: int, factor: float) -> Floats:
    """(side, side): the linear interpolation that enlarges a line about its middle; rows sum to 1."""
    middle = (side - 1) / 2
    places = np.clip(middle + (np.arange(side) - middle) / factor, 0, side - 1)
    low = np.minimum(places.astype(int), side - 2)
    found = np.zeros((side, side))
    rows = np.arange(side)
    found[rows, low] = 1 - (places - low)
    found[rows, low + 1] += places - low
    return found
