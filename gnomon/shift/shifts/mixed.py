"""Several corruptions in one set, each on its share of the images."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import shift_named

USUAL = ("gaussian_noise:sd~0.08", "contrast:factor~0.3", "gaussian_blur:sd~1", "brightness:by~0.3")


def shift(given: Pictures, generator: np.random.Generator, *, of: str = "") -> Pictures:
    """Shifts joined by +, in turn over the images: noise of .08, contrast x .3, a blur of 1 px, brightness +.3."""
    names = of.split("+") if of else list(USUAL)
    images = given.images.copy()
    for place, name in enumerate(names):
        rows = np.arange(place, len(images), len(names))
        seed = int(generator.integers(2**31))
        images[rows] = shift_named(name.replace(":", "@").replace("~", "=")).of(given.taken(rows), seed).images
    return given.showing(images)
