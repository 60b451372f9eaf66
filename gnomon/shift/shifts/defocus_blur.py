"""Defocus: every point becomes a disc."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve, gaussian_filter

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import Floats, constants, growth, scaled, shown

LEVELS = {
    32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    224: ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """A disc of that radius, its edge softened, as the kernel."""
    radius, soft = constants(LEVELS, given.side, severity)
    kernel = disc(radius * growth(given.side), soft)
    return shown(given, convolve(scaled(given), kernel[None, :, :, None], mode="mirror"))


def disc(radius: float, soft: float) -> Floats:
    """A disc that sums to 1, blurred by a Gaussian of 3 x 3 pixels, or 5 x 5 above a radius of 8."""
    reach = np.arange(-max(8, int(radius)), max(8, int(radius)) + 1)
    inside = np.asarray(reach[:, None] ** 2 + reach[None, :] ** 2 <= radius**2, dtype=np.float64)
    wide = gaussian_filter(inside / inside.sum(), soft, mode="mirror", radius=1 if radius <= 8 else 2)
    return np.asarray(wide / wide.sum(), dtype=np.float64)
