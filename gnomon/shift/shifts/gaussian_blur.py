"""Gaussian blur: not among the fifteen, but the plainest of blurs."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, growth, scaled, shown

LEVELS = {32: (0.4, 0.6, 0.7, 0.8, 1.0), 224: (1.0, 2.0, 3.0, 4.0, 6.0)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, sd: float = 0.0) -> Pictures:
    """A Gaussian of standard deviation `sd` pixels, the same for all channels."""
    width = sd or constants(LEVELS, given.side, severity) * growth(given.side)
    return shown(given, gaussian_filter(scaled(given), (0, width, width, 0), mode="nearest"))
