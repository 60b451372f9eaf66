"""`kmeans`: two clusters of differences. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from gnomon.errors import NotIdentifiedError
from gnomon.knowledge._linear import LinearProbe, oriented
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["KMeansProbe", "probe"]


class KMeansProbe(LinearProbe):
    """k-means with k = 2 on z+ - z- (Farquhar et al. 2023, arXiv:2312.10029, section 4).

    theta points from one centre to the other and the threshold lies half-way between them, which is the same partition
    as the nearest centre.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(abs(KMeansProbe().fit(pairs.X).theta_ @ pairs.truth) > 0.9)
    True
    """

    about: ClassVar[str] = "two clusters of the differences (Farquhar et al. 2023)"

    def __init__(self, normalize: str = "mean+norm", seed: int = 0, starts: int = 10) -> None:
        self.normalize = normalize
        self.seed = seed
        self.starts = starts

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        differences = Z[:, 0] - Z[:, 1]
        if not np.ptp(differences, axis=0).any():
            raise NotIdentifiedError("all differences are equal, so there are no two clusters of them.")
        found = KMeans(n_clusters=2, n_init=self.starts, random_state=self.seed)
        with threadpool_limits(1):  # its threads and torch's get in each other's way; one is faster here
            first, second = found.fit(differences, sample_weight=pairs.weight).cluster_centers_
        theta = oriented(first - second)
        self._set(theta, Z, bias=-float(theta @ (first + second)) / 2)


probe = KMeansProbe
