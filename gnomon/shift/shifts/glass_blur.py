"""Frosted glass: pixels change places with their neighbours, between two slight blurs."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, growth, scaled, shown

LEVELS = {
    32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    224: ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """(width of the blur, how far pixels go, how often), exchanged from the lower right corner on."""
    sd, reach, times = constants(LEVELS, given.side, severity)
    sd *= growth(given.side)
    values = gaussian_filter(scaled(given), (0, sd, sd, 0), mode="nearest")
    rows = np.arange(len(values))
    height, width = values.shape[1:3]
    for _ in range(times):
        for y in range(height - reach - 1, reach, -1):
            for x in range(width - reach - 1, reach, -1):
                by, bx = generator.integers(-reach, reach, size=(2, len(values)))
                held = values[:, y, x].copy()
                values[:, y, x] = values[rows, y + by, x + bx]
                values[rows, y + by, x + bx] = held
    return shown(given, gaussian_filter(values, (0, sd, sd, 0), mode="nearest"))
