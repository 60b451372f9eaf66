"""`Pegasos`: stochastic subgradient steps, one a row. A baseline.

Belongs here: the estimator and its bound. Does not belong here: anything of sketches.
"""

from __future__ import annotations

import math

import numpy as np

from gnomon.streaming._baseline import LinearBaseline
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import Rows

__all__ = ["Pegasos", "pegasos_sample_bound"]


class Pegasos(LinearBaseline):
    """Pegasos (Shalev-Shwartz et al. 2011) on rows in the order in which they come, the bias regularised.

    w <- (1 - 1/t) w + (1 / (lam t)) y z [y w . z < 1] with z = (x, 1), then w is put back to |w| <= 1 / sqrt(lam).
    The answer is the average of all w, weighted by t, which is O(1 / (lam T)) from the optimum where rows come in
    random order; the plain average has a factor log T more. In another order nothing is promised, unless rows are drawn
    from a stored sample (`ReservoirSVM`) of the size that `pegasos_sample_bound` gives.

    Parameters
    ----------
    lam : float, default 1e-3
    average : {"weighted", "plain", "last"}, default "weighted"
    project : bool, default True

    Notes
    -----
    With fewer than 1 / lam rows the first, wild steps still rule: it is then of no use. A weight counts as a factor of
    the loss of its row.

    Examples
    --------
    >>> X = np.random.default_rng(0).choice([-1.0, 1.0], size=(4000, 1))
    >>> found = Pegasos(lam=0.1).partial_fit(X, X[:, 0])
    >>> bool(abs(found.coef_[0, 0] - 1) < 0.05)
    True
    """

    def __init__(self, lam: float = 1e-3, average: str = "weighted", project: bool = True) -> None:
        self.lam = lam
        self.average = average
        self.project = project

    def _start(self, d: int) -> None:
        self._w = np.zeros(d + 1)
        self._mean = np.zeros(d + 1)
        self._t = 0

    def _take(self, rows: Rows) -> None:
        from gnomon.streaming._errors import InputError

        if self.average not in ("weighted", "plain", "last"):
            raise InputError(f"average = {self.average!r} is unknown.", hint="Known: weighted, plain, last.")
        lam, weight, t = self.lam, rows.weight, self._t
        z = np.column_stack([rows.X, np.ones(len(rows.X))]) * rows.y[:, None]
        w, mean = self._w.tolist(), self._mean.tolist()
        limit = 1 / math.sqrt(lam)
        steps = [1.0] * len(z) if weight is None else weight.tolist()
        axes = range(len(w))
        for row, share in zip(z.tolist(), steps, strict=True):  # plain numbers: arrays of three are slower
            t += 1
            margin = sum(w[i] * row[i] for i in axes)
            keep, push = 1 - 1 / t, share / (lam * t) if margin < 1 else 0.0
            for i in axes:
                w[i] = keep * w[i] + push * row[i]
            if self.project:
                norm = math.sqrt(sum(w[i] * w[i] for i in axes))
                if norm > limit:
                    w = [part * limit / norm for part in w]
            part = 2 / (t + 1) if self.average == "weighted" else 1 / t if self.average == "plain" else 1.0
            for i in axes:
                mean[i] += part * (w[i] - mean[i])
        self._w, self._mean, self._t = np.array(w), np.array(mean), t

    def _weights(self) -> Floats:
        return self._mean

    def memory_bytes(self) -> int:
        """Bytes of both vectors and the step."""
        return self._w.nbytes + self._mean.nbytes + 8


def pegasos_sample_bound(lam: float, epsilon: float, radius: float, d: int) -> int:
    """Rows in random order after which the weighted average is within epsilon of the optimum, in mean.

    2 G^2 / (lam (T + 1)) <= epsilon (Lacoste-Julien et al. 2012, arXiv:1212.2002), where |x| <= radius on each of d
    axes bounds the subgradient by G = 2 sqrt(1 + d radius^2): |lam w| <= G / 2 holds along the way.

    >>> pegasos_sample_bound(0.1, 0.01, 1.0, 1)
    16000
    """
    reach = 1 + d * radius * radius
    return math.ceil(8 * reach / (lam * epsilon))
