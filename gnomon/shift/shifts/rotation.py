"""Rotation about the centre."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import rotate

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import scaled, shown


def shift(given: Pictures, generator: np.random.Generator, *, degrees: float = 15.0) -> Pictures:
    """Counter-clockwise, bilinear; corners that come from outside are black."""
    values = scaled(given)
    if degrees % 90 == 0 and values.shape[1] == values.shape[2]:
        return shown(given, np.rot90(values, int(degrees // 90), axes=(1, 2)))
    turned = rotate(values, degrees, axes=(2, 1), reshape=False, order=1, mode="constant", cval=0.0)
    return shown(given, turned)
