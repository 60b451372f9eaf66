"""`StreamingSVM`: a linear classifier learned in one pass, with a certificate.

Belongs here: the estimator. Does not belong here: the sketch (`_core.py`), learning (`_fit.py`).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gnomon.streaming._core import Core, Memory
from gnomon.streaming._errors import InputError
from gnomon.streaming._fit import FitResult, ObjectiveValue, certified_fit, objective_value
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import accepted
from gnomon.streaming.hinge_sketch import new_core

__all__ = ["StreamingSVM"]


class StreamingSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The bias-regularised SVM of a stream, fitted on a sketch whenever it is asked for.

    Two classes give one hyperplane; more give one a class against the rest, all from one sketch with a table of nodes a
    class.

    Parameters
    ----------
    lam : float, default 1e-3
        Strength of regularisation. It is not used before `fit_result_` is: `set_params(lam=...)` after the stream
        costs no second pass.
    k : int, default 1024
        Size of the sketch (`HingeSketch`).
    radius : float, optional
        A bound of all |x|, where one is known.
    polish : bool, default False
        See `HingeSketch.solve`.
    seed : int, default 0
        Of the sketch's samples.

    Attributes
    ----------
    classes_ : ndarray (L,)
        Sorted.
    fit_result_ : FitResult or list of FitResult
        The solution and its certificate; one a class where there are more than two.
    coef_, intercept_ : ndarray (1 or L, d), (1 or L,)
    n_seen_, n_rejected_ : int
        Rows taken in, and rows left out because a value was not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(5000, 2))
    >>> y = np.where(X[:, 0] + X[:, 1] > 0, "warm", "cold")
    >>> svm = StreamingSVM(k=256)
    >>> for at in range(0, 5000, 1000):
    ...     _ = svm.partial_fit(X[at : at + 1000], y[at : at + 1000])
    >>> bool(svm.score(X, y) > 0.98), bool(svm.fit_result_.gap < 0.1)
    (True, True)
    """

    _core: Core
    _type: np.dtype[Any]
    n_features_in_: int
    n_rejected_: int

    def __init__(
        self, lam: float = 1e-3, k: int = 1024, radius: float | None = None, polish: bool = False, seed: int = 0
    ) -> None:
        self.lam = lam
        self.k = k
        self.radius = radius
        self.polish = polish
        self.seed = seed

    # learning -------------------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> StreamingSVM:
        """Forget everything, and learn from these rows; they must be of at least two classes."""
        for name in ("_core", "_classes", "_given", "_cache", "n_rejected_"):
            if hasattr(self, name):
                delattr(self, name)
        self._add(X, y, None, sample_weight, first=True)
        if self._core.rows == 0:
            raise InputError("no row could be used: all weights are zero, or no row is finite.")
        present = [label for label, table in zip(self._classes, self._flushed().tables, strict=True) if len(table)]
        if len(present) < 2:
            raise InputError(
                f"all rows are of one class, {present[0]!r}.",
                hint="A classifier needs rows of two classes at least.",
            )
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> StreamingSVM:
        """Learn from more rows.

        Parameters
        ----------
        X : array-like (n, d)
            Rows with a value that is not finite are counted and left out.
        y : array-like (n,)
        classes : array-like, optional
            All classes there may be; others are then refused. Without it classes may turn up at any time.
        sample_weight : array-like (n,), optional
            At least 0.
        """
        return self._add(X, y, classes, sample_weight, first=not hasattr(self, "_core"))

    def _add(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None, weight: ArrayLike | None, first: bool
    ) -> StreamingSVM:
        points, labels = validate_data(self, X, y, reset=first, dtype=np.float64, ensure_all_finite=False)
        check_classification_targets(labels)
        names, label = np.unique(labels, return_inverse=True)
        rows = accepted(points, label, weight)
        if first:
            self._core = new_core(points.shape[1], self.k, self.radius, self.seed)
            self._cache: dict[str, Any] = {}
            self._classes: list[Any] = []
            self._given = False
            self.n_rejected_ = 0
        if classes is not None:
            self._declare(np.unique(np.asarray(classes)).tolist())
        known = {name: place for place, name in enumerate(self._classes)}
        for name in names.tolist():
            if name not in known:
                if self._given:
                    raise InputError(f"y holds the class {name!r}, which is not among the classes that were given.")
                known[name] = len(known)
                self._classes.append(name)
        self._type = np.result_type(names.dtype, *([self._type] if hasattr(self, "_type") and not first else []))
        places = np.array([known[name] for name in names.tolist()], dtype=np.int64)
        self._cache.clear()
        self.n_rejected_ += rows.rejected
        self._core.add(rows.X, places[rows.y.astype(np.int64)], len(self._classes), rows.weight)
        return self

    def _declare(self, classes: list[Any]) -> None:
        if self._given and set(classes) != set(self._classes):
            raise InputError(f"classes {classes} were given, and {sorted(self._classes)} before.")
        self._classes.extend(name for name in classes if name not in self._classes)
        self._given = True

    def merge(self, other: StreamingSVM) -> StreamingSVM:
        """Take in what another has seen; `other` stays as it is."""
        if not isinstance(other, StreamingSVM):
            raise InputError(f"a {type(other).__name__} is no StreamingSVM.")
        if not hasattr(other, "_core"):
            return self
        if not hasattr(self, "_core"):
            self._core = new_core(other._core.d, self.k, self.radius, self.seed)
            self._cache, self._classes, self._given, self.n_rejected_ = {}, [], False, 0
            self._type, self.n_features_in_ = other._type, other.n_features_in_
        self._classes.extend(name for name in other._classes if name not in self._classes)
        self._core.merge(other._core, [self._classes.index(name) for name in other._classes], len(self._classes))
        self._type = np.result_type(self._type, other._type)
        self.n_rejected_ += other.n_rejected_
        self._cache.clear()
        return self

    # results --------------------------------------------------------------------------------------------------------

    @property
    def classes_(self) -> NDArray[Any]:
        if not hasattr(self, "_classes"):
            raise AttributeError("classes_")
        return np.array(sorted(self._classes), dtype=self._type)

    @property
    def n_seen_(self) -> int:
        return self._core.rows if hasattr(self, "_core") else 0

    @property
    def fit_result_(self) -> FitResult | list[FitResult]:
        """Solved when first asked for after new rows or another lam."""
        if not hasattr(self, "_core"):
            raise AttributeError("fit_result_")
        found = self._fits()
        return found[0] if len(self._classes) == 2 else found

    def _fits(self) -> list[FitResult]:
        core = self._flushed()
        if len(self._classes) < 2 or core.rows == 0:
            raise InputError(
                f"{core.rows:,} rows of {len(self._classes)} class were seen, and a classifier needs two classes."
            )
        asked = (self.lam, self.polish)
        if self._cache.get("asked") != asked:
            nodes = core.nodes()
            signs = [self._sign(name) for name in self.classes_.tolist()]
            signs = signs[1:] if len(signs) == 2 else signs
            fits = [certified_fit(nodes, sign, core.weight, self.lam, polish=self.polish) for sign in signs]
            self._cache.update(asked=asked, fits=fits)
        fits = self._cache["fits"]
        assert isinstance(fits, list)
        return fits

    def _sign(self, positive: Any) -> Floats:
        """+1 for nodes of one class, -1 for the others'."""
        return np.where(self._core.nodes().label == self._classes.index(positive), 1.0, -1.0)

    def objective(self, theta: ArrayLike, b: ArrayLike, positive: Any = None) -> ObjectiveValue:
        """F(theta, b) at the estimator's lam, for one class against the rest (by default the last class)."""
        check_is_fitted(self, "_core")
        core = self._flushed()
        if core.rows == 0:
            raise InputError("the sketch is empty, and a mean over no rows is undefined.", hint="Give it rows first.")
        name = self.classes_[-1].item() if positive is None else positive
        if name not in self._classes:
            raise InputError(f"no row was of the class {name!r}.", hint=f"There are {self.classes_.tolist()}.")
        return objective_value(core.nodes(), self._sign(name), core.weight, theta, b, self.lam)

    def _flushed(self) -> Core:
        self._core.flush()
        return self._core

    @property
    def coef_(self) -> Floats:
        if not hasattr(self, "_core"):
            raise AttributeError("coef_")
        return np.array([fit.coef for fit in self._fits()])

    @property
    def intercept_(self) -> Floats:
        if not hasattr(self, "_core"):
            raise AttributeError("intercept_")
        return np.array([fit.intercept for fit in self._fits()])

    def decision_function(self, X: ArrayLike) -> Floats:
        """theta . x + b: (n,) for two classes, else (n, L)."""
        check_is_fitted(self, "_core")
        points: Floats = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite=True)
        found = points @ self.coef_.T + self.intercept_
        return np.asarray(found[:, 0] if len(self._classes) == 2 else found, dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes: (n,)."""
        scores = self.decision_function(X)
        at = (scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[at])

    def memory(self) -> Memory:
        """See `HingeSketch.memory`."""
        return self._core.memory() if hasattr(self, "_core") else Memory(0, 0, 0)

    def copy(self) -> StreamingSVM:
        """Another estimator in the same state."""
        return copy.deepcopy(self)

    # keeping --------------------------------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        if bad := [name for name in self._classes if not isinstance(name, str | int | float | bool)]:
            raise InputError(f"a class of the type {type(bad[0]).__name__} cannot be kept in a sketch file.")
        return {"classes": self._classes, "given": self._given, "type": self._type.str}

    def _take_own_state(self, own: dict[str, Any]) -> None:
        self._classes, self._given, self._cache = list(own["classes"]), bool(own["given"]), {}
        self._type = np.dtype(own["type"])

    def save(self, path: str | Path, meta: dict[str, Any] | None = None) -> None:
        """Write everything to a file, whole or not at all."""
        from gnomon.streaming._files import save_sketch

        save_sketch(self, Path(path), meta or {})

    @classmethod
    def load(cls, path: str | Path) -> StreamingSVM:
        """Read what `save` wrote. Raises SketchFileError."""
        from gnomon.streaming._files import load_sketch

        found, _ = load_sketch(Path(path))
        if not isinstance(found, cls):
            raise InputError(f"{path} holds a {type(found).__name__}, not a StreamingSVM.")
        return found
