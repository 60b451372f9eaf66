"""`infill`: a user's own generative in-filler. Belongs here: calling it, and keeping what stays in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.importance._image_sampler import ImageSampler

__all__ = ["Infill", "sampler"]


class Infill(ImageSampler):
    """A callable (image, mask, n, rng) -> n images; only the masked pixels of what it gives are taken.

    Parameters
    ----------
    fill : callable
        It is given a copy of the image, the mask (height, width) of pixels to fill, n and a numpy generator. One that
        wraps a network should have it in evaluation mode and take its chance from the generator.
    deterministic : bool
        Whether it always gives the same: then only the one-sided OSFT makes sense, with one group an input.
    known_exact : bool
        Whether it is known to draw from the true conditional.
    """

    about: ClassVar[str] = "a generative model of your own"
    leaves_open: ClassVar[str] = "the in-filler draws from the true distribution of the region, given the rest"

    def __init__(
        self, fill: Callable[..., Any] | None = None, deterministic: bool = False, known_exact: bool = False
    ) -> None:
        self.fill = fill
        self.deterministic = deterministic
        self.known_exact = known_exact

    @property
    def exact(self) -> bool:
        return self.known_exact

    def _draw(self, x: NDArray[Any], mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[Any]:
        if self.fill is None:
            raise UsageError("Infill needs a callable (image, mask, n, rng) -> n images.")
        found = np.asarray(self.fill(x.copy(), mask.copy(), n, rng))
        if found.shape != (n, *x.shape):
            raise UsageError(f"the in-filler gave shape {found.shape} where {(n, *x.shape)} was asked for.")
        return found[:, mask]


sampler = Infill
