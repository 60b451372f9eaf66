"""Handwritten digits that scikit-learn carries (UCI optdigits, Alpaydin & Kaynak 1998): 1,797 images of 8 x 8."""

from __future__ import annotations

import numpy as np

from gnomon.shift._pictures import Pictures
from gnomon.stats import stream


def read(options: dict[str, str]) -> Pictures:
    """1,200 images to learn from and 597 to test on, drawn once and for all."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = found.target.astype(np.int64)
    order = stream(0, "digits: train and test").permutation(len(images))
    train, test = np.sort(order[:1200]), np.sort(order[1200:])
    return Pictures(
        "digits",
        images[test],
        labels[test],
        tuple("0123456789"),
        images[train],
        labels[train],
        source="UCI optdigits, as scikit-learn carries it",
        licence="CC BY 4.0",
    )
