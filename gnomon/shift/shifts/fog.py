"""Fog: a cloud of fractal noise, added and brought back into range."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown
from gnomon.shift._texture import plasma

LEVELS = {
    32: ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    224: ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """(density, smoothness): a diamond-square cloud an image, scaled so that the brightest pixel keeps its value."""
    density, smooth = constants(LEVELS, given.side, severity)
    values = scaled(given)
    out = np.empty_like(values)
    for row, image in enumerate(values):
        cloud = plasma(max(image.shape[:2]), smooth, generator)[: image.shape[0], : image.shape[1], None]
        top = float(image.max())
        out[row] = (image + density * cloud) * top / (top + density)
    return shown(given, out)
