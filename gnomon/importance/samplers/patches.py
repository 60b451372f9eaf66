"""`patches`: the same region of other images, the ones that look alike around it. Belongs here: those donors."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._image_sampler import ImageSampler, images_of

__all__ = ["Patches", "sampler"]


class Patches(ImageSampler):
    """Pixels of the region are taken whole from one of the k images that are nearest in a rim around it.

    Parameters
    ----------
    k : int
        Donors, at least 2.
    rim : int
        Width in pixels of the rim that is compared.

    Examples
    --------
    >>> from gnomon.importance import boxes
    >>> X = np.stack([np.full((4, 4), value) for value in range(10)])
    >>> law = Patches(k=2).fit(X)
    >>> drawn = law.sample(np.full((4, 4), 5), boxes([(0, 0, 2, 2)])(X[0])[0], 9, np.random.default_rng(0))
    >>> sorted(set(drawn[:, 0, 0].tolist())), int(drawn[:, 3, 3].min())
    ([4, 5], 5)
    """

    about: ClassVar[str] = "the same region of the k images that are nearest around it"
    leaves_open: ClassVar[str] = (
        "a region of the k images that are nearest in a rim around it stands for what could be in this image; edges "
        "of patches can show, and a model may react to an edge"
    )

    def __init__(self, k: int = 50, rim: int = 2) -> None:
        self.k = k
        self.rim = rim

    def fit(self, X: ArrayLike) -> Self:
        self.images_ = images_of(X, "Patches")
        if not 2 <= self.k <= len(self.images_) or self.rim < 1:
            raise UsageError(
                f"k={self.k}, rim={self.rim}: give k from 2 to the {len(self.images_):,} images, rim from 1."
            )
        return self

    def _draw(self, x: NDArray[Any], mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[Any]:
        if not hasattr(self, "images_"):
            raise UsageError("Patches has seen no images.", hint="Call fit(images) first.")
        if self.images_.shape[1:] != x.shape:
            raise UsageError(f"an image of shape {x.shape} is none of the {self.images_.shape[1:]} that it knows.")
        rim = _around(mask, self.rim)
        if not rim.any():  # the whole image
            nearest = np.arange(len(self.images_))
        else:
            away = ((self.images_[:, rim].astype(np.float32) - x[rim].astype(np.float32)) ** 2).reshape(
                len(self.images_), -1
            )
            nearest = np.argsort(away.sum(axis=1), kind="stable")[: self.k]
        return np.asarray(self.images_[rng.choice(nearest, size=n)][:, mask])


def _around(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels outside the mask and at most `width` steps from it."""
    grown = mask.copy()
    for _ in range(width):
        wide = grown.copy()
        wide[1:] |= grown[:-1]
        wide[:-1] |= grown[1:]
        wide[:, 1:] |= grown[:, :-1]
        wide[:, :-1] |= grown[:, 1:]
        grown = wide
    return np.asarray(grown & ~mask, dtype=np.bool_)


sampler = Patches
