"""Elastic: a random affine map of the image, then smooth random displacements."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import Floats, constants, scaled, shown

LEVELS = {
    32: ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    224: (
        (2.18, 0.76, 0.109),
        (2.18, 0.087, 0.218),
        (0.054, 0.011, 0.022),
        (0.076, 0.011, 0.022),
        (0.131, 0.011, 0.022),
    ),
}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3) -> Pictures:
    """(size of displacements, their smoothness, how far three corners move), in sides of the image."""
    far, smooth, corner = constants(LEVELS, given.side, severity)
    values = scaled(given)
    height, width = values.shape[1:3]
    side = given.side
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float64)
    out = np.empty_like(values)
    for row, image in enumerate(values):
        places = affine(grid, side, corner * side, generator)
        noise = generator.uniform(-1, 1, size=(2, height, width))
        drawn = gaussian_filter(noise, (0, smooth * side, smooth * side), mode="reflect") if smooth else noise
        places += drawn * far * side
        for channel in range(image.shape[2]):
            out[row, ..., channel] = map_coordinates(image[..., channel], places, order=1, mode="reflect")
    return shown(given, out)


def affine(grid: Floats, side: int, reach: float, generator: np.random.Generator) -> Floats:
    """Where the pixels of a map come from that moves three points about the centre by up to `reach`."""
    middle, arm = side // 2, side // 3
    points = np.array([[middle + arm, middle + arm], [middle + arm, middle - arm], [middle - arm, middle - arm]], float)
    moved = points + generator.uniform(-reach, reach, size=points.shape)
    # The affine map with moved -> points, for it says where the new image looks in the old one.
    solved = np.linalg.solve(np.column_stack([moved, np.ones(3)]), points)
    flat = np.column_stack([grid.reshape(2, -1).T, np.ones(grid[0].size)])
    return np.asarray((flat @ solved).T.reshape(grid.shape), dtype=np.float64)
