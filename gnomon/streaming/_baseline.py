"""What the baselines share: labels of two classes made -1 and +1, a hyperplane, predictions.

Belongs here: scikit-learn's side of a baseline. Does not belong here: any method.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gnomon.streaming._errors import InputError
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import Rows, accepted

__all__ = ["LinearBaseline"]


class LinearBaseline(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Two classes, one pass, a hyperplane with a regularised bias. Subclasses take rows in and give w = (theta, b)."""

    classes_: NDArray[Any]
    n_features_in_: int
    n_seen_: int
    n_rejected_: int
    lam: float

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    @abstractmethod
    def _start(self, d: int) -> None:
        """Forget everything."""

    @abstractmethod
    def _take(self, rows: Rows) -> None:
        """Take in rows with labels -1 and +1."""

    @abstractmethod
    def _weights(self) -> Floats:
        """(theta, b): (d + 1,)."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Forget everything, and learn from these rows in their order."""
        if hasattr(self, "classes_"):
            del self.classes_
        return self._add(X, y, None, sample_weight, first=True)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from more rows. Labels -1 and +1 need no `classes`; others do, unless the first rows have both."""
        return self._add(X, y, classes, sample_weight, first=not hasattr(self, "classes_"))

    def _add(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None, weight: ArrayLike | None, first: bool
    ) -> Self:
        points, labels = validate_data(self, X, y, reset=first, dtype=np.float64, ensure_all_finite=False)
        check_classification_targets(labels)
        names = np.unique(labels)
        if first:
            self._start(points.shape[1])
            self.n_seen_ = self.n_rejected_ = 0
            signs = np.issubdtype(names.dtype, np.number) and set(names.tolist()) <= {-1, 1}
            known = np.unique(np.asarray(classes)) if classes is not None else names
            self.classes_ = np.array([-1, 1], dtype=names.dtype) if signs and classes is None else known
            if len(self.classes_) != 2:
                found, word = len(self.classes_), "class" if len(self.classes_) == 1 else "classes"
                del self.classes_
                raise InputError(
                    f"Only binary classification is supported, and y has {found} {word}.",
                    hint="Name both with  classes= , or use StreamingSVM for more.",
                )
        if bad := [name for name in names.tolist() if name not in self.classes_.tolist()]:
            raise InputError(f"y holds {bad[0]!r}, which is none of the classes {self.classes_.tolist()}.")
        rows = accepted(points, np.where(labels == self.classes_[1], 1.0, -1.0), weight)
        if first and len(rows.X) == 0 and weight is not None:
            raise InputError("no row could be used: all weights are zero, or no row is finite.")
        self.n_rejected_ += rows.rejected
        self.n_seen_ += len(rows.X)
        if len(rows.X):
            self._take(rows)
        return self

    def _check_seen(self) -> None:
        check_is_fitted(self, "classes_")
        if self.n_seen_ == 0:
            raise InputError("no row was seen yet.")

    @property
    def coef_(self) -> Floats:
        if not hasattr(self, "classes_"):
            raise AttributeError("coef_")
        return self._weights()[None, :-1]

    @property
    def intercept_(self) -> Floats:
        if not hasattr(self, "classes_"):
            raise AttributeError("intercept_")
        return self._weights()[-1:]

    def decision_function(self, X: ArrayLike) -> Floats:
        """theta . x + b: (n,)."""
        self._check_seen()
        points: Floats = validate_data(self, X, reset=False, dtype=np.float64)
        w = self._weights()
        return np.asarray(points @ w[:-1] + w[-1], dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes: (n,)."""
        positive = self.decision_function(X) > 0
        return np.asarray(self.classes_[positive.astype(np.int64)])
