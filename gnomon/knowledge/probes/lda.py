"""`lda`: linear discriminant analysis of differences. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gnomon.knowledge._linear import LinearProbe, moments
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["LDA", "probe"]


class LDA(LinearProbe):
    """theta = S^-1 (mean where x+ is true - mean where x- is) on z+ - z-, S the pooled covariance. Needs labels.

    Parameters
    ----------
    shrinkage : float in [0, 1] or None
        S becomes (1 - s) S + s tr(S) / d I, which keeps it invertible where n < d; None takes the value of Ledoit and
        Wolf (2004).

    Notes
    -----
    The decision is the log-odds of the Gaussian model with equal class weights, so p~ is a probability. Where classes
    have no spread (one pair each), S is the identity, at the scale of the difference of means.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(np.mean(LDA().fit(pairs.X, pairs.y).predict(pairs.X) == pairs.y) > 0.95)
    True
    """

    supervised: ClassVar[bool] = True
    about: ClassVar[str] = "linear discriminant, shrunk covariance (supervised)"

    def __init__(self, normalize: str = "mean+norm", seed: int = 0, shrinkage: float | None = None) -> None:
        self.normalize = normalize
        self.seed = seed
        self.shrinkage = shrinkage

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        from sklearn.covariance import ledoit_wolf_shrinkage

        assert pairs.y is not None
        differences = Z[:, 0] - Z[:, 1]
        means = [np.average(differences[pairs.y == k], axis=0, weights=pairs.weight[pairs.y == k]) for k in (0, 1)]
        rest = differences - np.stack(means)[pairs.y]
        _, S = moments(rest, pairs.weight)
        size = float(np.trace(S)) / len(S)
        if size > 1e-24 * float(np.square(differences).mean()):
            shrink = ledoit_wolf_shrinkage(rest, assume_centered=True) if self.shrinkage is None else self.shrinkage
            S = (1 - shrink) * S + (shrink + 1e-12) * size * np.eye(len(S))
        else:  # one pair a class, say: nothing is known of S but that it is small
            S = np.eye(len(S)) * max(float(np.square(means[1] - means[0]).mean()), 1e-300)
        theta = np.linalg.lstsq(S, means[1] - means[0], rcond=None)[0]
        self._set(theta, Z, bias=-float(theta @ (means[0] + means[1])) / 2, scale=1.0)


probe = LDA
