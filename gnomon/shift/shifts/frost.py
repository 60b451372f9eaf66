"""Frost: needles of ice over the image. Ours are drawn, for the benchmark's are photographs."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants, scaled, shown
from gnomon.shift._texture import plasma

LEVELS = {
    32: ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    224: ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """weight x image + weight x frost; a bluish texture of ridges, drawn anew for every image. A deviation: accuracies
    under it are not those of the released sets."""
    own, ice = constants(LEVELS, given.side, severity)
    values = scaled(given)
    tint = np.array([0.85, 0.95, 1.0]) if values.shape[3] == 3 else np.ones(values.shape[3])
    out = np.empty_like(values)
    for row, image in enumerate(values):
        field = plasma(max(image.shape[:2]), 2.0, generator)[: image.shape[0], : image.shape[1]]
        ridges = np.clip(1.25 - 2.5 * np.abs(field - np.median(field)) / (field.std() + 1e-9) / 1.5, 0, 1)
        out[row] = own * image + ice * (0.25 + 0.75 * ridges)[..., None] * tint
    return shown(given, out)
