"""Another set with the same classes, brought to the size of this one."""

from __future__ import annotations

import dataclasses

import numpy as np

from gnomon.errors import UsageError
from gnomon.shift._pictures import Pictures, load_pictures, resized


def shift(given: Pictures, generator: np.random.Generator, *, to: str = "", data: str = "") -> Pictures:
    """Test images of the set `to` (with `data` its folder), as many as there are or as there were here."""
    if not to:
        raise UsageError("which set? ", hint="Give  domain@to=usps .")
    found = load_pictures(to, {"data": data} if data else {})
    if found.classes != given.classes:
        raise UsageError(
            f"'{to}' has the classes {', '.join(found.classes[:4])} ..., and '{given.name}' others.",
            hint="A domain is another set of the same things.",
        )
    many = min(len(found.images), len(given.images))
    rows = np.sort(generator.permutation(len(found.images))[:many])
    taken = found.taken(rows)
    images = resized(taken.images, given.images.shape[1], given.images.shape[3])
    return dataclasses.replace(taken, images=images, name=f"{given.name} to {to}")
