"""`diff-in-means`: from the mean of one class to that of the other. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gnomon.knowledge._linear import LinearProbe
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["DiffInMeans", "probe"]


class DiffInMeans(LinearProbe):
    """theta = mean of z+ - z- where x+ is true, minus the mean where x- is; the threshold is half-way. Needs labels.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(np.mean(DiffInMeans().fit(pairs.X, pairs.y).predict(pairs.X) == pairs.y) > 0.95)
    True
    """

    supervised: ClassVar[bool] = True
    about: ClassVar[str] = "difference of class means (one-shot, supervised)"

    def __init__(self, normalize: str = "mean+norm", seed: int = 0) -> None:
        self.normalize = normalize
        self.seed = seed

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        assert pairs.y is not None
        differences = Z[:, 0] - Z[:, 1]
        low, high = (np.average(differences[pairs.y == k], axis=0, weights=pairs.weight[pairs.y == k]) for k in (0, 1))
        theta = high - low
        size = float(np.linalg.norm(theta))
        theta = theta / size if size > 0 else theta
        self._set(theta, Z, bias=-float(theta @ (low + high)) / 2)


probe = DiffInMeans
