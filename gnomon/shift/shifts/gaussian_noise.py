"""Gaussian noise, as of a dark sensor."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {32: (0.04, 0.06, 0.08, 0.09, 0.10), 224: (0.08, 0.12, 0.18, 0.26, 0.38)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, sd: float = 0.0) -> Pictures:
    """Independent noise at every pixel and channel; `sd` in images from 0 to 1 instead of a severity."""
    values = scaled(given)
    return shown(given, values + generator.normal(size=values.shape) * (sd or constants(LEVELS, given.side, severity)))
