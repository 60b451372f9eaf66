"""Motion: every point becomes a short line, the same way over an image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import shift as ndshift

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, growth, scaled, shown

LEVELS = {
    32: ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    224: ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """One-sided Gaussian weights along a line of `radius` pixels, at an angle from -45 to 45 degrees an image."""
    length, width = constants(LEVELS, given.side, severity)
    radius, sd = max(1.0, length * growth(given.side)), max(0.3, width * growth(given.side))
    angles = generator.uniform(-np.pi / 4, np.pi / 4, size=len(given.images))
    steps = np.arange(int(np.ceil(radius)) + 1)
    weights = np.exp(-(steps**2) / (2 * sd**2))
    weights /= weights.sum()
    values = scaled(given)
    out = np.zeros_like(values)
    for row, angle in enumerate(angles):
        for step, weight in zip(steps, weights, strict=True):
            by = (step * np.sin(angle), step * np.cos(angle), 0)
            out[row] += weight * ndshift(values[row], by, order=1, mode="nearest")
    return shown(given, out)
