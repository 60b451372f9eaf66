"""Snow: flakes that fall aslant, over a whitened image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import shift as ndshift
from scipy.ndimage import zoom as zoom_to

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import Floats, constants, growth, scaled, shown

LEVELS = {
    32: (
        (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    224: (
        (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """(mean and spread of the flakes, how near, threshold, length and width of their fall, weight of the image)."""
    mean, spread, zoom, least, radius, sd, weight = constants(LEVELS, given.side, severity)
    values = scaled(given)
    height, width = values.shape[1:3]
    out = np.empty_like(values)
    for row, image in enumerate(values):
        small = (max(2, int(np.ceil(height / zoom))), max(2, int(np.ceil(width / zoom))))
        field = generator.normal(mean, spread, size=small)
        field = resize(field, (height, width))
        field[field < least] = 0.0
        field = fall(np.clip(field, 0, 1), radius * growth(given.side), sd * growth(given.side), generator)[..., None]
        grey = np.maximum(image, image.mean(2, keepdims=True) * 1.5 + 0.5)
        out[row] = weight * image + (1 - weight) * grey + field + np.rot90(field, 2)
    return shown(given, out)


def fall(field: Floats, radius: float, sd: float, generator: np.random.Generator) -> Floats:
    """Flakes drawn out along a line between -135 and -45 degrees."""
    angle = generator.uniform(-0.75 * np.pi, -0.25 * np.pi)
    steps = np.arange(int(np.ceil(max(1.0, radius))) + 1)
    weights = np.exp(-(steps**2) / (2 * max(0.3, sd) ** 2))
    out = np.zeros_like(field)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        out += weight * ndshift(field, (step * np.sin(angle), step * np.cos(angle)), order=1, mode="nearest")
    return out


def resize(field: Floats, size: tuple[int, int]) -> Floats:
    """A field (h, w) at another size, bilinear."""
    return np.asarray(zoom_to(field, (size[0] / field.shape[0], size[1] / field.shape[1]), order=1), dtype=np.float64)
