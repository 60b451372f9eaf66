"""Colour: one affine map of the channels for all images, as of another camera."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import scaled, shown


def shift(given: Pictures, generator: np.random.Generator, *, strength: float = 0.5) -> Pictures:
    """x -> gain x + offset, channel by channel: gains from 1 to 1 - `strength`, offsets from 0 to half of it."""
    values = scaled(given)
    channels = values.shape[3]
    gain = np.linspace(1 - strength, 1.0, channels) if channels > 1 else np.array([1 - strength])
    offset = np.linspace(0.5 * strength, 0.0, channels) if channels > 1 else np.array([0.5 * strength])
    return shown(given, values * gain + offset)
