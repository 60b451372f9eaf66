"""Impulse noise: salt and pepper, channel by channel."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {32: (0.01, 0.02, 0.03, 0.05, 0.07), 224: (0.03, 0.06, 0.09, 0.17, 0.27)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, share: float = 0.0) -> Pictures:
    """A `share` of all values becomes 0 or 1, each as often."""
    values = scaled(given)
    drawn = generator.random(values.shape)
    amount = share or constants(LEVELS, given.side, severity)
    values[drawn < amount / 2] = 0.0
    values[(drawn >= amount / 2) & (drawn < amount)] = 1.0
    return shown(given, values)
