"""`crc-tpc`: the top principal component of differences. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gnomon.knowledge._linear import LinearProbe, oriented
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["CRCTPC", "probe"]


class CRCTPC(LinearProbe):
    """Contrastive representation clustering, top principal component (Burns et al. 2022, appendix on CRC).

    theta is the first principal component of z+ - z-, and the threshold 0. Variance of a difference is confidence plus
    consistency, Var(a - b) = Var a + Var b - 2 Cov(a, b), so this is CCS's idea in closed form; in the literature it
    reaches about 97% of CCS's accuracy. Run it first.

    Attributes
    ----------
    theta_ : ndarray (d,)
        Unit length, its largest entry positive (the sign is arbitrary).
    gap_ : float
        Second eigenvalue over the first, in [0, 1].
    degenerate_ : bool
        Whether both are equal to rounding, so that the direction is not determined.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(abs(CRCTPC().fit(pairs.X).theta_ @ pairs.truth) > 0.95)
    True
    """

    about: ClassVar[str] = "top principal component of the differences (Burns et al. 2022)"
    gap_: float
    degenerate_: bool

    def __init__(self, normalize: str = "mean+norm", seed: int = 0) -> None:
        self.normalize = normalize
        self.seed = seed

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        share = pairs.weight / pairs.weight.sum()
        differences = Z[:, 0] - Z[:, 1]
        rows = (differences - share @ differences) * np.sqrt(share)[:, None]
        small = rows.shape[0] < rows.shape[1]
        values, vectors = np.linalg.eigh(rows @ rows.T if small else rows.T @ rows)
        top = rows.T @ vectors[:, -1] if small else vectors[:, -1]
        second = float(values[-2]) if len(values) > 1 else 0.0
        self.gap_ = max(0.0, second / float(values[-1])) if values[-1] > 0 else 1.0
        self.degenerate_ = self.gap_ > 1 - 1e-6
        self._set(oriented(top), Z)

    def remark(self) -> str:
        found = f"second eigenvalue over the first: {self.gap_:.2f}"
        return f"{found}; they are equal, so the direction is not determined" if self.degenerate_ else found


probe = CRCTPC
