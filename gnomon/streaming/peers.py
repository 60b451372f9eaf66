"""Other people's learners on gnomon's objective: a constant 1 appended, their own intercept off.

Belongs here: adapters. Does not belong here: any method of ours. River needs the extra `stream`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.streaming._baseline import LinearBaseline
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import Rows

__all__ = ["RiverSVM", "SklearnSGD"]


class SklearnSGD(LinearBaseline):
    """scikit-learn's SGDClassifier, hinge loss, alpha = lam, averaged, one epoch over each part of the stream.

    Parameters
    ----------
    lam : float
    average : bool
    seed : int

    Examples
    --------
    >>> X = np.linspace(-1, 1, 2000)[:, None]
    >>> found = SklearnSGD(lam=0.01).partial_fit(X, np.sign(X[:, 0]))
    >>> found.coef_.shape
    (1, 1)
    """

    def __init__(self, lam: float = 1e-3, average: bool = True, seed: int = 0) -> None:
        self.lam = lam
        self.average = average
        self.seed = seed

    def _start(self, d: int) -> None:
        from sklearn.linear_model import SGDClassifier

        self._learner: Any = SGDClassifier(
            alpha=self.lam, fit_intercept=False, average=self.average, shuffle=False, random_state=self.seed
        )

    def _take(self, rows: Rows) -> None:
        Z = np.column_stack([rows.X, np.ones(len(rows.X))])
        self._learner.partial_fit(Z, rows.y, classes=[-1.0, 1.0], sample_weight=rows.weight)

    def _weights(self) -> Floats:
        return np.asarray(self._learner.coef_[0], dtype=np.float64)

    def memory_bytes(self) -> int:
        """Bytes of its vectors: coefficients, and their averages."""
        return int(8 * self._learner.coef_.size * (3 if self.average else 1))


class RiverSVM(LinearBaseline):
    """river's LogisticRegression with the hinge loss, that is a linear SVM by SGD, L2 = lam, one row at a time.

    River regularises by lam w in every step, as the objective does; steps shrink as learning_rate / sqrt(t). Needs the
    package river ( pip install 'gnomon[stream]' ).
    """

    def __init__(self, lam: float = 1e-3, learning_rate: float = 0.05) -> None:
        self.lam = lam
        self.learning_rate = learning_rate

    def _start(self, d: int) -> None:
        try:
            from river import linear_model, optim
        except ImportError:
            raise UsageError("RiverSVM needs the package river.", hint="pip install 'gnomon[stream]'") from None
        self._learner: Any = linear_model.LogisticRegression(
            optimizer=optim.SGD(optim.schedulers.InverseScaling(self.learning_rate, 0.5)),
            loss=optim.losses.Hinge(),
            l2=self.lam,
            intercept_lr=0.0,
        )
        self._names = list(range(d + 1))

    def _take(self, rows: Rows) -> None:
        Z = np.column_stack([rows.X, np.ones(len(rows.X))])
        weights = [1.0] * len(Z) if rows.weight is None else rows.weight.tolist()
        for row, label, weight in zip(Z.tolist(), (rows.y > 0).tolist(), weights, strict=True):
            self._learner.learn_one(dict(zip(self._names, row, strict=True)), label, weight)

    def _weights(self) -> Floats:
        return np.array([self._learner.weights.get(name, 0.0) for name in self._names])
