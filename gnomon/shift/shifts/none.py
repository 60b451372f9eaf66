"""No shift: the images as they are."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures


def shift(given: Pictures, generator: np.random.Generator) -> Pictures:
    """The images as they are."""
    return given
