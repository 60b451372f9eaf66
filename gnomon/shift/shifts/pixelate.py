"""Pixels: the image is made smaller and large again."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import Floats, constants, scaled, shown

LEVELS = {32: (0.95, 0.9, 0.85, 0.75, 0.65), 224: (0.6, 0.5, 0.4, 0.3, 0.25)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, size: int = 0) -> Pictures:
    """Area means on a coarser grid, `size` pixels a side, and each spread over the pixels that it covers."""
    height, width = given.images.shape[1:3]
    factor = constants(LEVELS, given.side, severity)
    down = [grid(side, size or max(1, int(side * factor))) for side in (height, width)]
    planes = scaled(given).transpose(0, 3, 1, 2)
    values = (down[0] @ planes @ down[1].T).transpose(0, 2, 3, 1)
    places = [np.arange(side) * len(one) // side for side, one in zip((height, width), down, strict=True)]
    return shown(given, values[:, places[0]][:, :, places[1]])


def grid(side: int, small: int) -> Floats:
    """(small, side): shares of every old pixel in every new one; rows sum to 1."""
    edges = np.arange(small + 1) * side / small
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)[None, :]
    share = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return np.asarray(share / share.sum(axis=1, keepdims=True), dtype=np.float64)
