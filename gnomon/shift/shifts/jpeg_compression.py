"""JPEG at a low quality."""

from __future__ import annotations

import io

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import constants

LEVELS = {32: (80, 65, 58, 50, 40), 224: (25, 18, 15, 10, 7)}


def shift(given: Pictures, generator: np.random.Generator, *, severity: int = 3, quality: int = 0) -> Pictures:
    """Written as JPEG at that quality, and read again."""
    from PIL import Image

    grey = given.images.shape[3] == 1
    out = np.empty_like(given.images)
    for row, image in enumerate(given.images):
        buffer = io.BytesIO()
        Image.fromarray(image[..., 0] if grey else image).save(
            buffer, "JPEG", quality=quality or constants(LEVELS, given.side, severity)
        )
        with Image.open(buffer) as read:
            back = np.asarray(read)
        out[row] = back[..., None] if grey else back
    return given.showing(out)
