"""`logistic`: what a linear read-out with labels reaches. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from gnomon.errors import UsageError
from gnomon.knowledge._linear import LinearProbe
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["Logistic", "probe"]


class Logistic(LinearProbe):
    """Logistic regression with an L2 penalty on z+ - z-: the supervised ceiling.

    Minimises sum_i w_i log(1 + exp(-(2 y_i - 1) (theta . d_i + bias))) + |theta|^2 / (2 C), the bias free.

    Parameters
    ----------
    on : {"difference", "concat"}
        What is regressed on: z+ - z- (the released code), or z+ and z- side by side (the paper), which has twice the
        parameters. The default is "difference": it has a direction that can be compared with the others', and on a few
        hundred pairs it overfits less.
    C : float, default 0.01
        Inverse strength of the penalty; states have the mean norm sqrt(d) under the default normalisation, so entries
        are of size 1.
    balanced : bool, default True
        Weigh both classes the same.

    Attributes
    ----------
    theta_ : ndarray (d,)
        With "concat": half the difference of both sides' weights, the direction as far as differences see it.
    weights_ : ndarray (d,) or (2 d,)

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(np.mean(Logistic().fit(pairs.X, pairs.y).predict(pairs.X) == pairs.y) > 0.95)
    True
    """

    supervised: ClassVar[bool] = True
    about: ClassVar[str] = "logistic regression, the supervised ceiling (Burns et al. 2022)"
    weights_: Floats

    def __init__(
        self,
        normalize: str = "mean+norm",
        seed: int = 0,
        on: str = "difference",
        C: float = 0.01,
        balanced: bool = True,
    ) -> None:
        self.normalize = normalize
        self.seed = seed
        self.on = on
        self.C = C
        self.balanced = balanced

    def _features(self, Z: Floats) -> Floats:
        return Z[:, 0] - Z[:, 1] if self.on == "difference" else Z.reshape(len(Z), -1)

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        if self.on not in ("difference", "concat"):
            raise UsageError(f"on={self.on!r}: use 'difference' or 'concat'.")
        if not self.C > 0:
            raise UsageError(f"C={self.C}: give a number above 0.")
        assert pairs.y is not None
        rows, side, weight = self._features(Z), 2.0 * pairs.y - 1, pairs.weight.copy()
        if self.balanced:
            total = weight.sum()
            for k in (0, 1):
                weight[pairs.y == k] *= total / (2 * weight[pairs.y == k].sum())

        def loss(parameters: Floats) -> tuple[float, Floats]:
            theta, bias = parameters[:-1], parameters[-1]
            margin = side * (rows @ theta + bias)
            pull = -side * weight * expit(-margin)
            value = float(weight @ np.logaddexp(0, -margin)) + float(theta @ theta) / (2 * self.C)
            return value, np.append(rows.T @ pull + theta / self.C, pull.sum())

        found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
        self.weights_ = found.x[:-1]
        d = Z.shape[2]
        theta = self.weights_ if self.on == "difference" else (self.weights_[:d] - self.weights_[d:]) / 2
        self._set(theta, Z, bias=found.x[-1], scale=1.0)

    def _decide(self, Z: Floats) -> Floats:
        return np.asarray(self._features(Z) @ self.weights_ + self.bias_, dtype=np.float64)


probe = Logistic
