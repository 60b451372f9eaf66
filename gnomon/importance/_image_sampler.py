"""What samplers of images share: an image, a mask, values for the masked pixels.

Belongs here: shapes and checks. Does not belong here: any sampler (`samplers/`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._groups import Region
from gnomon.importance._sampler import Sampler

__all__ = ["ImageSampler", "images_of"]


class ImageSampler(Sampler):
    """A sampler of images (height, width) or (height, width, channels)."""

    kind: ClassVar[str] = "image"

    def sample(self, x: Any, group: Region, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """(n, *x.shape): x with the region's pixels drawn anew, in x's own type (whole numbers are clipped)."""
        x = np.asarray(x)
        if group.at.shape != x.shape[:2]:
            raise UsageError(f"region '{group.name}' is {group.at.shape}, and the image {x.shape[:2]}.")
        found = np.repeat(x[None], n, axis=0)
        if group.at.any():
            values = np.asarray(self._draw(x, group.at, n, rng), dtype=np.float64)
            if np.issubdtype(x.dtype, np.integer):
                values = np.clip(np.round(values), np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
            found[:, group.at] = values.astype(x.dtype)
        return found

    @abstractmethod
    def _draw(self, x: NDArray[Any], mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[Any]:
        """(n, pixels of the mask, ...) values."""


def images_of(X: ArrayLike, who: str) -> NDArray[Any]:
    """`X` as images (n, height, width[, channels]), at least two; raises UsageError else."""
    found = np.asarray(X)
    if found.ndim not in (3, 4) or len(found) < 2:
        raise UsageError(f"{who} was given data of shape {found.shape}: give (n, height, width[, channels]), n from 2.")
    if not np.isfinite(found).all():
        raise UsageError(f"{who} was given images with NaN or infinite values.")
    return found
