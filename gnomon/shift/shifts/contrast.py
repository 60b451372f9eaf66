"""Contrast: every channel is drawn towards its mean over the image."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {32: (0.75, 0.5, 0.4, 0.3, 0.15), 224: (0.4, 0.3, 0.2, 0.1, 0.05)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, factor: float = 0.0) -> Pictures:
    """What is left of the distance from the mean."""
    values = scaled(given)
    mean = values.mean(axis=(1, 2), keepdims=True)
    return shown(given, (values - mean) * (factor or constants(LEVELS, given.side, severity)) + mean)
