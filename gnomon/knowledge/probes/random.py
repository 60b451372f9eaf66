"""`random`: a direction that knows nothing. Belongs here: the estimator; many at once are in `_controls.py`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gnomon.knowledge._linear import LinearProbe
from gnomon.knowledge._probe import Floats, Pairs
from gnomon.stats import stream

__all__ = ["RandomDirection", "probe"]


class RandomDirection(LinearProbe):
    """A unit Gaussian direction drawn from `seed`: what normalised states give away to chance.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> RandomDirection(seed=3).fit(planted_pairs(20, 8).X).theta_.shape
    (8,)
    """

    about: ClassVar[str] = "a random direction (control)"

    def __init__(self, normalize: str = "mean+norm", seed: int = 0) -> None:
        self.normalize = normalize
        self.seed = seed

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        theta = stream(self.seed, "random direction").normal(size=Z.shape[2])
        self._set(np.asarray(theta / np.linalg.norm(theta), dtype=np.float64), Z)


probe = RandomDirection
