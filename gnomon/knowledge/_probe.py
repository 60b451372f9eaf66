"""What every probe is: an estimator on contrast pairs that says, for each pair, which of its two sides is true.

Belongs here: the contract, validation, normalisation around a method, signs as a bit. Does not belong here: any method
(`probes/`), or how statistics of rows are taken (`_normalize.py`).

Shapes and meanings, everywhere in this room:

- `X` (n, 2, d): the states of x+ (`X[:, 0]`, the first answer) and x- (`X[:, 1]`, the second) of n pairs;
- `y` (n,): 1 where x+ is true, 0 where x- is;
- `templates` (n,): which prompt template a pair was worded in; `items` (n,): which item it comes from; any labels;
- `sample_weight` (n,): weights >= 0; an item with few templates weighs as much as one with many when they are
  1 / number of its rows.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from gnomon.errors import UsageError
from gnomon.knowledge._normalize import Normalizer, normalizer
from gnomon.registry import Registry

__all__ = ["Floats", "Labels", "Pairs", "Probe", "probes"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

probes = Registry(kind="probe", package="gnomon.knowledge.probes", attribute="probe", group="gnomon.probes")


class Pairs:
    """Checked input: `X` float64 (n, 2, d), labels as integers from 0, weights that sum to n."""

    __slots__ = ("X", "items", "templates", "weight", "y")

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        templates: ArrayLike | None = None,
        items: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        self.X = _pairs(X)
        n = len(self.X)
        self.y: Labels | None = None if y is None else _labels(y, n)
        self.templates = _column("templates", templates, n, np.zeros(n, dtype=np.int64))
        self.items = _column("items", items, n, np.arange(n))
        self.weight = _weights(weight, n)


class Probe(BaseEstimator):  # type: ignore[misc]
    """A method that reads, from the states of contrast pairs, which side is true.

    A subclass stores its parameters in `__init__` (`normalize` and `seed` among them), learns in `_learn` and decides
    in `_decide`. Everything else is here.

    Attributes
    ----------
    normalizer_ : Normalizer
        Statistics of the training rows, applied to every later row.
    sign_ : int
        1, or -1 where `resolved` turned the probe around.
    sign_source_ : str
        "arbitrary" (unsupervised methods, until a sign is resolved), "labels", or how it was resolved.
    n_features_in_ : int
        d.
    """

    supervised: ClassVar[bool] = False
    """Whether `fit` needs y."""
    about: ClassVar[str] = ""
    """One line for tables: the method and its source."""

    normalize: str
    seed: int
    normalizer_: Normalizer
    sign_: int
    sign_source_: str
    n_features_in_: int

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        templates: ArrayLike | None = None,
        items: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from pairs; `y` is read by supervised methods alone.

        Raises UsageError for another shape, fewer than 2 pairs, values that are not finite, a constant set, or, where
        labels are needed, none or one class only.
        """
        pairs = Pairs(X, y if self.supervised else None, templates, items, sample_weight)
        self._check(pairs)
        return self._fit_checked(pairs)

    def fit_layers(
        self,
        X: Sequence[ArrayLike],
        y: ArrayLike | None = None,
        *,
        templates: ArrayLike | None = None,
        items: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> list[Self]:
        """One fitted copy for each entry of `X` (layers, say): the same as fitting one by one.

        A method that can fit many at once overrides `_fit_many`.
        """
        every = [Pairs(layer, y if self.supervised else None, templates, items, sample_weight) for layer in X]
        for pairs in every:
            self._check(pairs)
        return self._fit_many(every)

    def decision_function(
        self, X: ArrayLike, *, templates: ArrayLike | None = None, transductive: bool = False
    ) -> Floats:
        """How much more x+ seems true than x-: (n,), above 0 where x+ does.

        `transductive` normalises the rows with their own statistics (the paper's codes do so); else those of the
        training rows are used, so that one pair can be judged alone.
        """
        return self.sign_ * self._decide(self.normalized(X, templates=templates, transductive=transductive))

    def predict_proba(self, X: ArrayLike, *, templates: ArrayLike | None = None, transductive: bool = False) -> Floats:
        """The probability (n,) that x+ is true, in [0, 1]; a half at a decision of 0."""
        p = self._probability(self.normalized(X, templates=templates, transductive=transductive))
        return p if self.sign_ > 0 else 1 - p

    def predict(self, X: ArrayLike, *, templates: ArrayLike | None = None, transductive: bool = False) -> Labels:
        """1 where x+ is judged true, else 0; a decision of exactly 0 is given to x- (the paper's "above .5")."""
        return (self.decision_function(X, templates=templates, transductive=transductive) > 0).astype(np.int64)

    def resolved(self, sign: int, source: str) -> Self:
        """A copy whose sign is `sign` (1 or -1) times what was learned, and which says where that came from."""
        if sign not in (1, -1):
            raise UsageError(f"sign={sign!r}: give 1 or -1.")
        other = copy.copy(self)
        other.sign_, other.sign_source_ = sign, source
        return other

    def renormalized(self, X: ArrayLike, *, templates: ArrayLike | None = None) -> Self:
        """A copy that keeps the direction and takes the statistics of these (unlabelled) rows: for transfer."""
        pairs = Pairs(X, templates=templates)
        self._check_width(pairs.X)
        other = copy.copy(self)
        other.normalizer_ = normalizer(self.normalize).fit(pairs.X, pairs.templates)
        return other

    def normalized(self, X: ArrayLike, *, templates: ArrayLike | None = None, transductive: bool = False) -> Floats:
        """Pairs (n, 2, d) as the method sees them: by the statistics of the training rows, or by their own."""
        if not hasattr(self, "normalizer_"):
            raise UsageError(f"this {type(self).__name__} has not been fitted.", hint="Call fit first.")
        pairs = Pairs(X, templates=templates)
        self._check_width(pairs.X)
        if not transductive:
            return self.normalizer_.transform(pairs.X, pairs.templates)
        names, counts = np.unique(pairs.templates, return_counts=True)
        if counts.min() < 2:
            where = f" of the template '{names[counts.argmin()]}'" if len(names) > 1 else ""
            raise UsageError(
                f"one pair{where} has no statistics of its own: transductive normalisation would make it zero.",
                hint="Give more pairs, or leave out transductive=True.",
            )
        return normalizer(self.normalize).fit(pairs.X, pairs.templates).transform(pairs.X, pairs.templates)

    @property
    def kind(self) -> str:
        """What is fitted, such as "linear"; named wherever a result is."""
        return type(self).__name__

    def remark(self) -> str:
        """What a reader of this fit must be told beyond its numbers; often nothing."""
        return ""

    @abstractmethod
    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        """Set learned state from normalised pairs `Z` (n, 2, d); `pairs` has labels, templates, items, weights."""

    @abstractmethod
    def _decide(self, Z: Floats) -> Floats:
        """Decisions (n,) on normalised pairs, before the sign."""

    def _probability(self, Z: Floats) -> Floats:
        """P(x+ is true), before the sign; the logistic function of the decision unless a method says otherwise."""
        from scipy.special import expit

        return np.asarray(expit(self._decide(Z)), dtype=np.float64)

    def _fit_checked(self, pairs: Pairs) -> Self:
        self._begin(pairs)
        self._learn(self.normalizer_.transform(pairs.X, pairs.templates), pairs)
        return self

    def _fit_many(self, every: list[Pairs]) -> list[Self]:
        return [clone(self)._fit_checked(pairs) for pairs in every]

    def _begin(self, pairs: Pairs) -> None:
        """What is learned of rows before any method: statistics, width, an unresolved sign."""
        self.n_features_in_ = pairs.X.shape[2]
        self.normalizer_ = normalizer(self.normalize).fit(pairs.X, pairs.templates, pairs.weight)
        self.sign_, self.sign_source_ = 1, "labels" if self.supervised else "arbitrary"

    def _check_width(self, X: Floats) -> None:
        if X.shape[2] != self.n_features_in_:
            raise UsageError(
                f"the probe was fitted on states of width {self.n_features_in_}, and these have {X.shape[2]}.",
                hint="Use states of the same model, layer and reading rule.",
            )

    def _check(self, pairs: Pairs) -> None:
        name = type(self).__name__
        if len(pairs.X) < 2:
            raise UsageError(f"{name} needs at least 2 pairs; got {len(pairs.X)}.")
        if not np.ptp(pairs.X, axis=0).any():
            raise UsageError(f"all {len(pairs.X)} pairs have the same states, so {name} has nothing to tell apart.")
        if not self.supervised:
            return
        if pairs.y is None:
            raise UsageError(f"{name} learns from labels, and none were given.", hint="Give y: 1 where x+ is true.")
        if len(np.unique(pairs.y)) < 2:
            raise UsageError(f"{name} needs pairs of both classes; every y is {pairs.y[0]}.")


def _pairs(X: ArrayLike) -> Floats:
    array = np.asarray(X)
    if array.ndim != 3 or array.shape[1] != 2 or 0 in array.shape:
        raise UsageError(
            f"contrast pairs are an array of shape (n, 2, d); got {array.shape}.", hint="X[:, 0] is x+, X[:, 1] is x-."
        )
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        row, side = np.argwhere(~np.isfinite(array))[0][:2]
        raise UsageError(f"pair {row} holds a value that is not finite, in x{'+' if side == 0 else '-'}.")
    return array


def _labels(y: ArrayLike, n: int) -> Labels:
    array = np.asarray(y)
    if array.shape != (n,) or not np.isin(array, (0, 1)).all():
        raise UsageError(f"y must be {n} labels, each 0 or 1; got an array of shape {array.shape}.")
    return array.astype(np.int64)


def _column(name: str, given: ArrayLike | None, n: int, default: Labels) -> NDArray[Any]:
    """Labels as given (compared by value); one a row."""
    if given is None:
        return default
    array = np.asarray(given)
    if array.shape != (n,):
        raise UsageError(f"{name} must have one label for each of {n} pairs; got an array of shape {array.shape}.")
    return array


def _weights(weight: ArrayLike | None, n: int) -> Floats:
    if weight is None:
        return np.ones(n)
    array = np.asarray(weight, dtype=np.float64)
    if array.shape != (n,) or not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise UsageError(f"sample_weight must be {n} numbers >= 0, not all 0; got an array of shape {array.shape}.")
    return np.asarray(array * (n / array.sum()), dtype=np.float64)
