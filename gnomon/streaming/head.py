"""`StreamingHead`: a probe of states that do not fit in memory.

Belongs here: projecting states and learning on the projection. Does not belong here: where states are kept (`runs/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from gnomon.runs import StateStore
from gnomon.streaming._errors import InputError
from gnomon.streaming._fit import FitResult
from gnomon.streaming._lattice import Floats
from gnomon.streaming.streaming_svm import StreamingSVM

__all__ = ["StreamingHead", "stored_states"]

Parts = Callable[[], Iterable[tuple[ArrayLike, ArrayLike]]]


class StreamingHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear probe learned from states that pass by twice.

    The first pass keeps moments and finds `directions` directions: Fisher's, then the strongest principal components of
    the states within classes. The second feeds the projections, scaled to unit spread, to a `StreamingSVM`. Memory is
    O(width^2 + k), whatever the number of states.

    Parameters
    ----------
    directions : int, 1 to 3
    lam, k, seed
        See `StreamingSVM`.

    Attributes
    ----------
    directions_ : ndarray (directions, width)
    svm_ : StreamingSVM
        Its `fit_result_` certifies the fit *on the projections*; of what was projected away it says nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 2000)
    >>> H = rng.normal(size=(2000, 32)) + 2.0 * y[:, None] * np.eye(32)[5]
    >>> head = StreamingHead().fit_parts(lambda: ((H[at : at + 256], y[at : at + 256]) for at in range(0, 2000, 256)))
    >>> bool(head.score(H, y) > 0.8)
    True
    """

    def __init__(self, directions: int = 2, lam: float = 1e-3, k: int = 1024, seed: int = 0) -> None:
        self.directions = directions
        self.lam = lam
        self.k = k
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> StreamingHead:
        """Learn from arrays that are at hand."""
        return self.fit_parts(lambda: [(X, y)])

    def fit_parts(self, parts: Parts) -> StreamingHead:
        """Learn from parts (states (n, width), labels (n,) of two classes); `parts` is called twice."""
        if self.directions not in (1, 2, 3):
            raise InputError(f"directions = {self.directions}: there can be 1, 2 or 3.")
        count: dict[Any, int] = {}
        total: dict[Any, Floats] = {}
        moment: Floats | None = None
        for X, y in parts():
            states, labels = np.asarray(X, dtype=np.float64), np.asarray(y)
            for name in np.unique(labels).tolist():
                rows = states[labels == name]
                count[name] = count.get(name, 0) + len(rows)
                total[name] = total.get(name, 0.0) + rows.sum(axis=0)
            square = states.T @ states
            moment = square if moment is None else moment + square
        if moment is None or len(count) != 2:
            raise InputError(f"states of {len(count)} classes were given, and a head tells two apart.")
        self._choose(count, total, moment)
        self.svm_ = StreamingSVM(lam=self.lam, k=self.k, seed=self.seed)
        for X, y in parts():
            self.svm_.partial_fit(self.project(X), np.asarray(y), classes=sorted(count))
        self.classes_ = self.svm_.classes_
        return self

    def _choose(self, count: dict[Any, int], total: dict[Any, Floats], moment: Floats) -> None:
        n = sum(count.values())
        (a, b), width = sorted(count), len(moment)
        means = {name: total[name] / count[name] for name in count}
        self.centre_ = (total[a] + total[b]) / n
        within = moment - sum(count[name] * np.outer(means[name], means[name]) for name in count)
        within /= n
        # Fisher's direction, with a little of the average variance added so that it exists
        ridge = 0.01 * np.trace(within) / width + 1e-12
        first = np.linalg.solve(within + ridge * np.eye(width), means[b] - means[a])
        first /= max(float(np.linalg.norm(first)), 1e-300)
        found = [first]
        _, vectors = np.linalg.eigh(within)
        for vector in vectors.T[::-1]:
            if len(found) == min(self.directions, width):
                break
            rest = vector - sum(float(vector @ one) * one for one in found)
            size = float(np.linalg.norm(rest))
            if size > 1e-6:
                found.append(rest / size)
        D = np.array(found)
        spread = np.sqrt(
            np.maximum(np.einsum("ij,jk,ik->i", D, moment / n - np.outer(self.centre_, self.centre_), D), 0)
        )
        self.directions_ = D / np.maximum(spread, 1e-12)[:, None]

    def project(self, X: ArrayLike) -> Floats:
        """(n, directions)."""
        states = np.asarray(X, dtype=np.float64)
        return np.asarray((states - self.centre_) @ self.directions_.T, dtype=np.float64)

    @property
    def fit_result_(self) -> FitResult:
        found = self.svm_.fit_result_
        assert isinstance(found, FitResult)
        return found

    def decision_function(self, X: ArrayLike) -> Floats:
        return self.svm_.decision_function(self.project(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        return self.svm_.predict(self.project(X))


def stored_states(
    store: StateStore, readings: Sequence[Any], labels: ArrayLike, layer: str, rows: int = 4096
) -> Callable[[], Iterator[tuple[Floats, NDArray[Any]]]]:
    """Parts for `StreamingHead.fit_parts` from kept states: x+ less x- of each reading, `rows` readings at a time.

    Parameters
    ----------
    store : StateStore
        Of `gnomon.runs`; its files are memory-mapped, and a part is gathered when it is needed.
    readings : sequence of Reading
        With two answers each.
    labels : array-like (n,)
        Which of two classes each reading is of.
    layer : str
    """
    given = np.asarray(labels)
    if given.shape != (len(readings),):
        raise InputError(f"{len(readings):,} readings were given, and labels of the shape {given.shape}.")

    def parts() -> Iterator[tuple[Floats, NDArray[Any]]]:
        for at in range(0, len(readings), rows):
            states = store.layer(readings[at : at + rows], layer)
            yield (states[:, 0] - states[:, 1]).astype(np.float64), given[at : at + rows]

    return parts
