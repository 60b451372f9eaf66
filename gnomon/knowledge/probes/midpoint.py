"""`midpoint`: midpoint-displacement. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gnomon.errors import UsageError
from gnomon.knowledge._linear import LinearProbe, moments, oriented
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["MidpointDisplacement", "probe"]


class MidpointDisplacement(LinearProbe):
    """Midpoint-displacement (Fry et al. 2023, arXiv:2311.00488).

    Over unit theta, minimises (lam - 1) Var(theta . (z+ - z-)) + lam Var(theta . (z+ + z-) / 2): displacements far
    spread, midpoints all in one place. Taken before any sigmoid, so that it is an eigenproblem with one answer and no
    restarts; whether the authors take it before or after is not settled.

    Parameters
    ----------
    lam : float in [0, 1], default 0.5
        0 is the top principal component of displacements.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(abs(MidpointDisplacement().fit(pairs.X).theta_ @ pairs.truth) > 0.9)
    True
    """

    about: ClassVar[str] = "spread displacements, tight midpoints (Fry et al. 2023)"

    def __init__(self, normalize: str = "mean+norm", seed: int = 0, lam: float = 0.5) -> None:
        self.normalize = normalize
        self.seed = seed
        self.lam = lam

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        if not 0 <= self.lam <= 1:
            raise UsageError(f"lam={self.lam}: give a number from 0 to 1.")
        _, displacement = moments(Z[:, 0] - Z[:, 1], pairs.weight)
        _, midpoint = moments((Z[:, 0] + Z[:, 1]) / 2, pairs.weight)
        _, vectors = np.linalg.eigh((self.lam - 1) * displacement + self.lam * midpoint)
        self._set(oriented(vectors[:, 0]), Z)


probe = MidpointDisplacement
