"""Shot noise: so few photons that their number is random."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {32: (500, 250, 100, 75, 50), 224: (60, 25, 12, 5, 3)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, photons: float = 0.0) -> Pictures:
    """Poisson counts; `photons` of a white pixel instead of a severity."""
    rate = photons or constants(LEVELS, given.side, severity)
    return shown(given, generator.poisson(scaled(given) * rate) / rate)
