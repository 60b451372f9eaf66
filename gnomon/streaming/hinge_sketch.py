"""`HingeSketch`: any SVM objective of a stream, from a small summary.

Belongs here: the estimator. Does not belong here: nodes (`_table.py`), bounds (`_query.py`), learning (`_solve.py`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from gnomon.streaming._core import Core, Memory, node_bound, node_bytes
from gnomon.streaming._errors import InputError
from gnomon.streaming._fit import FitResult, ObjectiveValue, certified_fit, objective_value
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import accepted

__all__ = ["HingeSketch", "largest_norm", "size_for_bytes", "size_for_error"]


class HingeSketch(BaseEstimator):  # type: ignore[misc]
    """A dyadic sketch of labelled points from which every SVM objective can be read.

    The objective is F(theta, b) = (lam / 2) (|theta|^2 + b^2) + mean_i w_i max(0, 1 - y_i (theta . x_i + b)): the bias
    is regularised (Andoni et al. 2020, arXiv:2007.03633). The sketch is gnomon's own construction; it meets the rates
    that the paper and its follow-up (arXiv:2211.07132) prove to be needed, and is not an algorithm of theirs.

    Parameters
    ----------
    k : int, default 256
        Size. At most 2 * 2^(d * base) + 2^(d + 1) k nodes are kept, of which there are 2 to 5 k in practice.
    radius : float, optional
        A bound of all |x|, where one is known. Without it the range follows the points and may grow at any time.
    seed : int, default 0
        Of the points that nodes keep as samples. Shards of one stream need seeds of their own: equal ones would make
        their samples dependent.

    Attributes
    ----------
    n_seen_ : int
        Rows taken in.
    weight_ : float
        The sum of their weights.
    n_rejected_ : int
        Rows that were left out because a value was not finite.
    n_nodes_ : int
    radius_ : float
        R, a power of two: no |x| so far is above it.

    Raises
    ------
    InputError
        A ValueError: labels other than -1 and +1, another number of columns than before, negative weights.

    Notes
    -----
    For d = 1 the estimate errs by at most 2 |theta| R / k^2 for every query at once, whatever the order. For d = 2 the
    standard deviation is at most 2 R |theta| k^(-5/4), for d = 3 about k^-1 sqrt(log k). Beyond, a sample of equal size
    is still beaten, but the rate is not the best known; above 6 keep a sample (`ReservoirSVM`). The interval [low,
    high] holds always.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(10_000, 1))
    >>> y = np.where(X[:, 0] > 0.2, 1.0, -1.0)
    >>> sketch = HingeSketch(k=64).partial_fit(X[:6000], y[:6000]).partial_fit(X[6000:], y[6000:])
    >>> value = sketch.objective([3.0], -0.5, lam=0.01)
    >>> true = 0.01 / 2 * (3**2 + 0.5**2) + np.maximum(0, 1 - y * (3 * X[:, 0] - 0.5)).mean()
    >>> bool(value.low <= true <= value.high), bool(abs(value.estimate - true) <= 2 * 3 / 64**2)
    (True, True)
    >>> [round(float(fit.coef[0]), 1) for fit in sketch.path([0.1, 0.01])]      # any lam, after the stream
    [1.7, 3.7]
    """

    _core: Core
    n_features_in_: int
    n_rejected_: int

    def __init__(self, k: int = 256, radius: float | None = None, seed: int = 0) -> None:
        self.k = k
        self.radius = radius
        self.seed = seed

    # taking in ------------------------------------------------------------------------------------------------------

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> HingeSketch:
        """Take in rows; those with a value that is not finite are counted and left out.

        Parameters
        ----------
        X : array-like (n, d)
        y : array-like (n,)
            -1 or +1.
        sample_weight : array-like (n,), optional
            At least 0.
        """
        rows = accepted(X, y, sample_weight)
        if bad := [value for value in np.unique(rows.y).tolist() if value not in (-1.0, 1.0)]:
            raise InputError(
                f"labels must be -1 and +1, and {bad[0]:g} was found.",
                hint="Say which is which first, as in  y = 2 * y - 1  for 0 and 1.",
            )
        core = self._begun(rows.X.shape[1])
        self.n_rejected_ += rows.rejected
        core.add(rows.X, (rows.y > 0).astype(np.int64), 2, rows.weight)
        return self

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> HingeSketch:
        """Forget everything, and take in these rows."""
        for name in ("_core", "n_rejected_", "n_features_in_"):
            if hasattr(self, name):
                delattr(self, name)
        return self.partial_fit(X, y, sample_weight)

    def merge(self, other: HingeSketch) -> HingeSketch:
        """Take in another sketch of the same d and k; `other` stays as it is. Any order of merges is as good."""
        if not isinstance(other, HingeSketch):
            raise InputError(f"a {type(other).__name__} is no HingeSketch.")
        if not hasattr(other, "_core"):
            return self
        core = self._begun(other._core.d)
        core.merge(other._core, [0, 1], 2)
        self.n_rejected_ += other.n_rejected_
        return self

    def _begun(self, d: int) -> Core:
        if not hasattr(self, "_core"):
            self._core = new_core(d, self.k, self.radius, self.seed)
            self.n_features_in_ = d
            self.n_rejected_ = 0
        if d != self._core.d:
            raise InputError(f"X has {d} columns, and {self._core.d} came before.")
        while len(self._core.tables) < 2:
            self._core.add(np.empty((0, d)), np.empty(0, np.int64), 2, None)
        return self._core

    # reading --------------------------------------------------------------------------------------------------------

    def objective(self, theta: ArrayLike, b: ArrayLike, lam: float = 0.0) -> ObjectiveValue:
        """F(theta, b) of all rows so far: a certified interval and an estimate.

        Parameters
        ----------
        theta : array-like (d,) or (q, d)
        b : float or array-like (q,)
        lam : float
            At least 0. It enters here, and no sooner.

        Raises
        ------
        InputError
            Before the first row: a mean over nothing is undefined.
        """
        core = self._filled()
        nodes = core.nodes()
        return objective_value(nodes, nodes.label * 2 - 1, core.weight, theta, b, lam)

    def solve(self, lam: float, polish: bool = False) -> FitResult:
        """A near-optimal (theta, b), with a certificate on how far from the optimum its objective can be.

        Parameters
        ----------
        lam : float
            Above 0.
        polish : bool
            For d of 2 and more, also search near the solution for a lower estimate, which the theory's rate for d = 2
            asks for. On real data it has found worse points more often than better ones. The certificate is of
            whichever is given.
        """
        core = self._filled()
        nodes = core.nodes()
        return certified_fit(nodes, nodes.label * 2 - 1, core.weight, lam, polish=polish)

    def path(self, lams: Sequence[float], polish: bool = False) -> list[FitResult]:
        """The solution for each of `lams`, in their order, each begun at the one before."""
        core = self._filled()
        nodes = core.nodes()
        found: list[FitResult] = []
        for lam in lams:
            start = found[-1].w if found else None
            found.append(certified_fit(nodes, nodes.label * 2 - 1, core.weight, lam, polish=polish, start=start))
        return found

    def _filled(self) -> Core:
        if not hasattr(self, "_core") or self._core.rows == 0:
            raise InputError("the sketch is empty, and a mean over no rows is undefined.", hint="Give it rows first.")
        return self._core

    @property
    def n_seen_(self) -> int:
        return self._core.rows if hasattr(self, "_core") else 0

    @property
    def weight_(self) -> float:
        if not hasattr(self, "_core"):
            return 0.0
        self._core.flush()
        return self._core.weight

    @property
    def n_nodes_(self) -> int:
        if not hasattr(self, "_core"):
            return 0
        self._core.flush()
        return self._core.count

    @property
    def radius_(self) -> float:
        if not hasattr(self, "_core"):
            return 0.0
        self._core.flush()
        return self._core.radius

    def sums(self) -> tuple[NDArray[Any], Floats]:
        """Weight and sum of the points of labels -1 and +1, as exact as their addition: (2,) and (2, d)."""
        core = self._filled()
        core.flush()
        mass = np.array([table.mass.sum() for table in core.tables])
        return mass, np.array([table.total.sum(axis=0) for table in core.tables])

    def memory(self) -> Memory:
        """Bytes that are kept, buffer included, and that taking rows in has used besides."""
        return self._core.memory() if hasattr(self, "_core") else Memory(0, 0, 0)

    def copy(self) -> HingeSketch:
        """Another sketch in the same state."""
        return copy.deepcopy(self)

    def shrunk(self, k: int) -> HingeSketch:
        """A smaller sketch of the same rows, made of this one's nodes; this one stays as it is."""
        core = copy.deepcopy(self._filled())
        core.flush()
        if not 1 <= k <= core.k:
            raise InputError(f"a sketch of k = {core.k} cannot be shrunk to k = {k}.")
        small = HingeSketch(k, self.radius, self.seed)
        core.resize(k)
        small._core, small.n_rejected_, small.n_features_in_ = core, self.n_rejected_, self.n_features_in_
        return small

    # keeping --------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, meta: dict[str, Any] | None = None) -> None:
        """Write the sketch to a file, whole or not at all; `meta` is kept beside it (plain values)."""
        from gnomon.streaming._files import save_sketch

        save_sketch(self, Path(path), meta or {})

    @classmethod
    def load(cls, path: str | Path) -> HingeSketch:
        """Read a sketch. Raises SketchFileError for a file that is truncated, damaged, foreign or of another
        version."""
        from gnomon.streaming._files import load_sketch

        found, _ = load_sketch(Path(path))
        if not isinstance(found, cls):
            raise InputError(f"{path} holds a {type(found).__name__}, not a HingeSketch.")
        return found


def new_core(d: int, k: int, radius: float | None, seed: int) -> Core:
    """An empty core, its arguments checked."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k = {k!r} is no size.", hint="Give a whole number of 1 or more.")
    if radius is not None and not (math.isfinite(radius) and radius > 0):
        raise InputError(f"radius = {radius!r} bounds nothing.", hint="Give a number above 0, or leave it out.")
    exponent = None if radius is None else math.ceil(math.log2(radius))
    return Core(d, int(k), int(seed), exponent)


def largest_norm(lam: float, radius: float, d: int) -> float:
    """A bound of |(theta, b)| at the optimum: the lesser of 1 / sqrt(lam) and sqrt(1 + d R^2) / lam.

    >>> largest_norm(0.01, 1.0, 1)
    10.0
    """
    return min(1 / math.sqrt(lam), math.sqrt(1 + d * radius * radius) / lam)


def size_for_error(epsilon: float, d: int, radius: float, norm: float, failure: float = 0.05) -> int:
    """k for an error of the estimate of at most epsilon, for |(theta, b)| <= norm and |x| <= radius.

    For d = 1 that holds for every query at once. For d = 2 and 3 it holds for a query with probability 1 - failure, by
    the bounds on the standard deviation 2 R B k^(-5/4) and 2 R B sqrt(log2 k) / k. Above 3 there is no bound to invert.

    >>> size_for_error(1e-3, 1, 1.0, 10.0), size_for_error(1e-2, 2, 1.0, 1.0)
    (142, 155)
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise InputError(f"an error of {epsilon!r} cannot be asked for.", hint="Give a number above 0.")
    scale = 2 * radius * norm / epsilon
    if d == 1:
        return max(1, math.ceil(math.sqrt(scale)))
    if d > 3:
        raise InputError(
            f"for {d} columns no size guarantees an error.", hint="Give a size, and read the certificate; or keep 3."
        )
    scale *= math.sqrt(2 * math.log(2 / failure))
    if d == 2:
        return max(1, math.ceil(math.pow(scale, 0.8)))
    k = max(2.0, scale)
    for _ in range(40):
        k = max(2.0, scale * math.sqrt(math.log2(k)))
    return math.ceil(k)


def size_for_bytes(bytes_: int, d: int, labels: int = 2) -> int:
    """The largest k whose nodes and buffer cannot take more than so many bytes.

    >>> size_for_bytes(65_536, 1)
    311
    """

    def cost(k: int) -> int:
        return node_bound(d, k, labels) * node_bytes(d) + 8 * (d + 2) * k

    if cost(1) > bytes_:
        raise InputError(f"{bytes_:,} bytes hold no sketch of {d} columns: the smallest takes {cost(1):,}.")
    low, high = 1, 2
    while cost(high) <= bytes_:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= bytes_ else (low, middle)
    return low
