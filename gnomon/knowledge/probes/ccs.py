"""`ccs`: contrast-consistent search.

Belongs here: the estimator. Does not belong here: the batched program (`_ccs_core.py`), signs, verdicts.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.knowledge._probe import Floats, Pairs, Probe
from gnomon.stats import stream

__all__ = ["CCS", "half_apart", "probe", "starts"]

_CHUNK = 1 << 25
"""Bytes of states in one batch: more no longer stay near the processor from one epoch to the next."""
_ALIGNED = 16
"""Rows of states are filled up with zeros to a multiple of so many numbers."""


class CCS(Probe):
    """Contrast-consistent search (Burns et al. 2022, arXiv:2212.03827, section 2.3, eqs. 1 to 3).

    Finds theta and b so that p(x) = sigmoid(theta . z(x) + b) makes x+ and x- of a pair each other's negation:
    mean (p+ + p- - 1)^2 + mean min(p+, p-)^2, with z the normalised states. Answers by
    p~ = (p+ + 1 - p-) / 2, the first answer where p~ > 1/2.

    Parameters
    ----------
    normalize : str, default "mean+norm"
        See `gnomon.knowledge._normalize`.
    mode : {"lbfgs", "paper"}, default "lbfgs"
        "paper" is AdamW over `epochs` full batches with `learning_rate` and `weight_decay`. "lbfgs" minimises the same
        loss with `l2` / 2 |theta|^2 added until the gradient vanishes.
    restarts : int, default 10
        Starts on the unit sphere of (theta, b), fitted together. Restart k depends on (seed, k) alone, so fewer are a
        prefix of more.
    hidden : int, default 0
        0 is the paper's linear probe. Above 0: an MLP with so many hidden ReLU units, fitted by AdamW ("paper" only).
    dtype : {"float32", "float64"}
        What is computed in.

    Attributes
    ----------
    theta_ : ndarray (d + 1,)
        The restart with the lowest unsupervised loss on all training rows, the bias last (linear probes).
    thetas_ : ndarray (restarts, d + 1)
        All restarts (linear probes).
    losses_ : ndarray (restarts, 2)
        Consistency and confidence of every restart at its last parameters: a spread is a warning, not noise.
    best_, loss_ : int, float
        Which restart was taken, and its loss.

    Raises
    ------
    NotIdentifiedError
        If no restart ends with a finite loss.

    Notes
    -----
    Swapping x+ and x- leaves the loss as it is and turns p~ into 1 - p~. Negating theta does not leave it as it is. The
    loss is zero for any feature of the question with two values (Farquhar et al. 2023), so a low one is no knowledge.
    p~ - 1/2 is computed so that sigmoids which are both near 0 or 1 keep their order: a tie needs equal logits.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> found = CCS(restarts=3).fit(pairs.X)
    >>> p = found.predict_proba(pairs.X)
    >>> p.shape, bool(max(np.mean((p > 0.5) == pairs.y), np.mean((p < 0.5) == pairs.y)) > 0.95)
    ((200,), True)
    """

    about: ClassVar[str] = "contrast-consistent search (Burns et al. 2022, eqs. 1-3)"

    theta_: Floats
    thetas_: Floats | None
    losses_: Floats
    best_: int
    loss_: float

    def __init__(
        self,
        normalize: str = "mean+norm",
        mode: str = "lbfgs",
        restarts: int = 10,
        seed: int = 0,
        weight_decay: float = 0.01,
        learning_rate: float = 0.01,
        epochs: int = 1000,
        l2: float = 1e-7,
        iterations: int = 500,
        tolerance: float = 1e-6,
        hidden: int = 0,
        dtype: str = "float32",
    ) -> None:
        self.normalize = normalize
        self.mode = mode
        self.restarts = restarts
        self.seed = seed
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.l2 = l2
        self.iterations = iterations
        self.tolerance = tolerance
        self.hidden = hidden
        self.dtype = dtype

    @property
    def kind(self) -> str:
        """ "linear", or the MLP by its size; named wherever a result is."""
        return "linear" if self.hidden == 0 else f"MLP with {self.hidden} hidden units"

    def side_logits(self, Z: Floats) -> Floats:
        """Logits of x+ and x- of normalised pairs: (n, 2)."""
        if self.hidden:
            return np.asarray(self._network.logits(Z), dtype=np.float64)
        return np.asarray(Z @ self.theta_[:-1] + self.theta_[-1], dtype=np.float64)

    def _decide(self, Z: Floats) -> Floats:
        return half_apart(*self.side_logits(Z).T)

    def _probability(self, Z: Floats) -> Floats:
        return 0.5 + self._decide(Z)

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        if self.hidden:
            from gnomon.knowledge._ccs_mlp import fit_mlp

            self._network, self.losses_ = fit_mlp(self, Z, pairs.weight)
            self.thetas_ = None
            self._take_best()
            return
        self._set(*_fit(self, [Z], [pairs.weight])[0])

    def _fit_many(self, every: list[Pairs]) -> list[Any]:
        """All problems of one shape as one batch."""
        self._check_parameters()
        shapes = {pairs.X.shape for pairs in every}
        if self.hidden or len(shapes) > 1 or len(every) == 1:
            return super()._fit_many(every)
        found = []
        step = max(1, _CHUNK // (every[0].X.size * 4))
        for first in range(0, len(every), step):
            some = every[first : first + step]
            copies = [clone(self) for _ in some]
            states = []
            for copy, pairs in zip(copies, some, strict=True):
                copy._begin(pairs)
                states.append(copy.normalizer_.transform(pairs.X, pairs.templates))
            for copy, fitted in zip(copies, _fit(self, states, [pairs.weight for pairs in some]), strict=True):
                copy._set(*fitted)
            found += copies
        return found

    def _check(self, pairs: Pairs) -> None:
        super()._check(pairs)
        self._check_parameters()

    def _check_parameters(self) -> None:
        if self.mode not in ("lbfgs", "paper"):
            raise UsageError(f"mode={self.mode!r} is not possible for CCS.", hint="Use 'lbfgs' or 'paper'.")
        if self.hidden and self.mode != "paper":
            raise UsageError("an MLP is fitted by AdamW.", hint="Use mode='paper' with hidden above 0.")
        if self.restarts < 1:
            raise UsageError(f"restarts={self.restarts}: give at least 1.")
        if self.dtype not in ("float32", "float64"):
            raise UsageError(f"dtype={self.dtype!r}: use 'float32' or 'float64'.")

    def _set(self, thetas: Floats, losses: Floats) -> None:
        self.thetas_, self.losses_ = thetas, losses
        self._take_best()
        self.theta_ = thetas[self.best_]

    def _take_best(self) -> None:
        total = self.losses_.sum(1)
        if not np.isfinite(total).any():
            raise NotIdentifiedError(
                f"none of {len(total)} restarts of CCS ended with a finite loss.",
                hint="Look at the scale of the states, or use normalize='mean+norm' and a smaller learning_rate.",
            )
        self.best_ = int(np.nanargmin(np.where(np.isfinite(total), total, np.nan)))
        self.loss_ = float(total[self.best_])


def half_apart(plus: Floats, minus: Floats) -> Floats:
    """p~ - 1/2 = (sigmoid(plus) - sigmoid(minus)) / 2 of the logits of both sides, never 0 - 0."""
    high, low = np.maximum(plus, minus), np.minimum(plus, minus)
    half = expit(high) * expit(-low) * -np.expm1(low - high) / 2
    return np.asarray(np.where(plus >= minus, half, -half), dtype=np.float64)


def starts(seed: int, restarts: int, size: int) -> NDArray[np.float64]:
    """Points on the unit sphere, (restarts, size); row k depends on (seed, k) alone."""
    rows = np.stack([stream(seed, f"ccs/restart/{k}").normal(size=size) for k in range(restarts)])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float64)


def _fit(method: CCS, states: list[Floats], weights: list[Floats]) -> list[tuple[Floats, Floats]]:
    """(thetas, losses) of every problem, all of one shape, by one batched program."""
    import torch

    from gnomon.knowledge._ccs_core import Objective, adamw, lbfgs

    kind = getattr(torch, method.dtype)
    n, _, d = states[0].shape
    begin = starts(method.seed, method.restarts, d + 1)
    bases: list[Floats | None] = [None] * len(states)
    fast = method.mode == "lbfgs"
    if fast and d > 2 * n:  # L-BFGS does not mind a rotation, and no row has a part outside of the rows' span
        pairs = [_reduced(Z) for Z in states]
        states, bases = [Z for Z, _ in pairs], [basis for _, basis in pairs]
    k = states[0].shape[2]
    width = -(-(k + 1) // _ALIGNED) * _ALIGNED
    X = torch.zeros((len(states), 2 * n, width), dtype=kind)
    theta = torch.zeros((len(states), width, method.restarts), dtype=kind)
    for index, (Z, basis) in enumerate(zip(states, bases, strict=True)):
        X[index, :, :k] = torch.as_tensor(np.concatenate([Z[:, 0], Z[:, 1]]), dtype=kind)
        inside = torch.as_tensor(_inside(begin, basis).T, dtype=kind)
        theta[index, :k], theta[index, -1] = inside[:-1], inside[-1]
    X[:, :, -1] = 1
    weight = torch.as_tensor(np.stack([one / one.sum() for one in weights]), dtype=kind)
    objective = Objective(X, weight, method.l2 if fast else 0.0)
    with torch.no_grad():
        if fast:
            theta = lbfgs(objective, theta, iterations=method.iterations, tolerance=method.tolerance)
        else:
            theta = adamw(
                objective,
                theta,
                epochs=method.epochs,
                learning_rate=method.learning_rate,
                weight_decay=method.weight_decay,
            )
        losses = objective.parts(theta).double().numpy()
    found = np.delete(theta.double().numpy(), np.s_[k : width - 1], axis=1).transpose(0, 2, 1)
    return [(_outside(one, basis), loss) for one, loss, basis in zip(found, losses, bases, strict=True)]


def _reduced(Z: Floats) -> tuple[Floats, Floats]:
    """Coordinates in the span of the rows, and its orthonormal basis (d, k)."""
    n, _, d = Z.shape
    basis, _ = np.linalg.qr(Z.reshape(2 * n, d).T)
    return Z @ basis, basis


def _inside(thetas: Floats, basis: Floats | None) -> Floats:
    return thetas if basis is None else np.column_stack([thetas[:, :-1] @ basis, thetas[:, -1]])


def _outside(thetas: Floats, basis: Floats | None) -> Floats:
    return thetas if basis is None else np.column_stack([thetas[:, :-1] @ basis.T, thetas[:, -1]])


probe = CCS
