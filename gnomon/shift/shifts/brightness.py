"""Brightness: the value of hue, saturation and value grows."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown

LEVELS = {32: (0.05, 0.1, 0.15, 0.2, 0.3), 224: (0.1, 0.2, 0.3, 0.4, 0.5)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, by: float = 0.0) -> Pictures:
    """The largest channel grows `by` that much, at most to 1, and the others in proportion."""
    values = scaled(given)
    top = values.max(axis=3, keepdims=True)
    grown = np.clip(top + (by or constants(LEVELS, given.side, severity)), 0, 1)
    ratio = np.divide(grown, top, out=np.zeros_like(top), where=top > 0)
    return shown(given, np.where(top > 0, values * ratio, grown))
