"""Label shift: images of some classes alone, pixels as they are."""

from __future__ import annotations

import numpy as np

from gnomon.errors import UsageError
from gnomon.shift._pictures import Pictures
from gnomon.stats import stream


def shift(
    given: Pictures, generator: np.random.Generator, *, classes: int = 3, first: int = 0, draw: int = 0
) -> Pictures:
    """Images of `classes` classes drawn at random (`draw` names the draw), or of the `first` so many.

    The paper keeps the first m; with 10 classes and one draw, m then also decides which kinds of things are left.
    """
    if given.labels is None:
        raise UsageError("a shift of labels chooses images by their labels, and there are none.")
    many = len(given.classes)
    wanted = first or classes
    if not 1 <= wanted <= many:
        raise UsageError(f"{wanted} classes were asked for, and there are {many}.", hint=f"Give 1 to {many}.")
    order = np.arange(many) if first else stream(draw, "classes kept").permutation(many)
    return given.taken(np.isin(given.labels, order[:wanted]))
