"""A black border over the image: the paper's own counterexample. A quarter of the side is its size there."""

from __future__ import annotations

import numpy as np

from gnomon.errors import UsageError
from gnomon.shift._pictures import Pictures


def shift(given: Pictures, generator: np.random.Generator, *, size: int = 0) -> Pictures:
    """The outer `size` pixels on every side become black; by default a quarter of the side."""
    width = size or given.side // 4
    if 2 * width >= given.side:
        raise UsageError(f"a border of {width} pixels leaves nothing of images of {given.side}.")
    images = np.zeros_like(given.images)
    images[:, width:-width, width:-width] = given.images[:, width:-width, width:-width]
    return given.showing(images)
