"""Probes whose decision is theta . (z+ - z-) + bias.

Belongs here: deciding, and what such methods share. Does not belong here: how theta is found (`probes/`).
"""

from __future__ import annotations

import numpy as np

from gnomon.knowledge._probe import Floats, Probe

__all__ = ["LinearProbe", "moments", "oriented"]


class LinearProbe(Probe):
    """A direction theta_ (d,) and a threshold bias_; p~ is the logistic function of the decision over its scale.

    `scale_` is the root mean square of decisions on training rows, so that p~ has the same spread for every method;
    methods that learn a probability set it to 1.
    """

    theta_: Floats
    bias_: float
    scale_: float

    @property
    def kind(self) -> str:
        return "linear"

    def _decide(self, Z: Floats) -> Floats:
        return np.asarray((Z[:, 0] - Z[:, 1]) @ self.theta_ + self.bias_, dtype=np.float64)

    def _probability(self, Z: Floats) -> Floats:
        from scipy.special import expit

        return np.asarray(expit(self._decide(Z) / self.scale_), dtype=np.float64)

    def _set(self, theta: Floats, Z: Floats, bias: float = 0.0, scale: float | None = None) -> None:
        self.theta_, self.bias_, self.scale_ = np.asarray(theta, dtype=np.float64), float(bias), 1.0
        if scale is None:
            size = float(np.sqrt(np.mean(np.square(self._decide(Z)))))
            self.scale_ = size if size > 0 else 1.0


def oriented(theta: Floats) -> Floats:
    """`theta` of unit length, its largest entry positive: the sign of an unsupervised direction is a convention."""
    length = np.linalg.norm(theta)
    unit = theta / length if length > 0 else theta
    return -unit if unit[np.argmax(np.abs(unit))] < 0 else unit


def moments(rows: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted mean (d,) and covariance (d, d), weights normalised to sum to 1."""
    share = weight / weight.sum()
    mean = share @ rows
    centred = rows - mean
    return mean, (centred * share[:, None]).T @ centred
