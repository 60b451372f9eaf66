"""Normalisation of contrast pairs: statistics of training rows, per template and per side, applied to any rows.

Belongs here: what is subtracted and divided. Does not belong here: probes. The two means are the essential part: they
take away that all x+ end in one answer and all x- in the other, which would solve any contrast loss (Burns et al. 2022,
section 2.2).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.registry import did_you_mean

__all__ = ["NORMALIZATIONS", "ClusterNorm", "Normalizer", "normalizer"]

Floats = NDArray[np.float64]

NORMALIZATIONS = {
    "none": "states as they are",
    "mean": "each side of each template is centred",
    "mean+norm": "centred, then scaled so that states have the mean norm sqrt(d) (the paper)",
    "mean+std": "centred, then every dimension has standard deviation 1",
    "leace": "no linear read-out of template and side is left (LEACE)",
    "cluster": "each side is centred within clusters of pairs (Laurito et al. 2024)",
}

_TINY = 1e-12


class Normalizer:
    """Statistics by template; `fit` and `transform` take pairs (n, 2, d) and the template of each.

    `statistics_` holds all that was learned, a few arrays a template.
    """

    statistics_: dict[Hashable, tuple[Floats, ...]]

    def fit(self, X: Floats, templates: NDArray[Any], weight: Floats | None = None) -> Self:
        """Take statistics of training rows; `weight` (n,) >= 0."""
        share = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=np.float64)
        self.statistics_ = {}
        for name in dict.fromkeys(templates.tolist()):
            mask = templates == name
            part = share[mask] if share[mask].sum() > 0 else np.ones(int(mask.sum()))
            self.statistics_[name] = self._learn(X[mask], part / part.sum())
        return self

    def restored(self, statistics: Mapping[str, tuple[Floats, ...]]) -> Self:
        """Take statistics that were learned before."""
        self.statistics_ = {}
        for name, parts in statistics.items():
            self.statistics_[name] = parts
        return self

    def transform(self, X: Floats, templates: NDArray[Any]) -> Floats:
        """Normalised pairs (n, 2, d), each row alone. Raises UsageError for a template that was not fitted."""
        out = np.empty(X.shape, dtype=np.float64)
        for name in dict.fromkeys(templates.tolist()):
            if name not in self.statistics_:
                known = ", ".join(map(str, list(self.statistics_)[:5]))
                raise UsageError(
                    f"there are no statistics of the template '{name}' (fitted: {known}).",
                    hint="Use renormalized() with unlabelled rows of it, or transductive=True.",
                )
            mask = templates == name
            out[mask] = self._apply(X[mask], self.statistics_[name])
        return out

    @abstractmethod
    def _learn(self, X: Floats, share: Floats) -> tuple[Floats, ...]:
        """Statistics of one template's rows; `share` sums to 1."""

    @abstractmethod
    def _apply(self, X: Floats, found: tuple[Floats, ...]) -> Floats:
        """One template's rows, normalised."""


class _Plain(Normalizer):
    """none, mean, mean+norm, mean+std: a shift and a scale for each side."""

    def __init__(self, centred: bool, scaled: str = "") -> None:
        self._centred, self._scaled = centred, scaled

    def _learn(self, X: Floats, share: Floats) -> tuple[Floats, Floats]:
        mean = np.einsum("n,nsd->sd", share, X) if self._centred else np.zeros(X.shape[1:])
        scale = np.ones((2, 1))
        if self._scaled == "norm":
            scale = (share @ np.linalg.norm(X - mean, axis=2) / np.sqrt(X.shape[2]))[:, None]
        elif self._scaled == "std":
            scale = np.sqrt(np.einsum("n,nsd->sd", share, np.square(X - mean)))
        floor = _TINY * max(1.0, float(np.abs(X).max(initial=0)))
        return mean, np.where(scale > floor, scale, 1.0)

    def _apply(self, X: Floats, found: tuple[Floats, ...]) -> Floats:
        mean, scale = found
        return (X - mean) / scale


class _Leace(Normalizer):
    """Erases the one-hot of template x side from all states together."""

    def fit(self, X: Floats, templates: NDArray[Any], weight: Floats | None = None) -> Self:
        from gnomon.knowledge._leace import fit_leace

        names = list(dict.fromkeys(templates.tolist()))
        place = {name: 2 * index for index, name in enumerate(names)}
        first = np.array([place[name] for name in templates.tolist()])
        which = np.stack([first, first + 1], axis=1).reshape(-1)
        share = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=np.float64)
        concept = np.eye(2 * len(names))[which]
        found = fit_leace(X.reshape(-1, X.shape[2]), concept, np.repeat(share, 2))
        self.statistics_ = dict.fromkeys(names, (found.mean, found.out, found.into))
        return self

    def _learn(self, X: Floats, share: Floats) -> tuple[Floats, ...]:
        raise NotImplementedError

    def _apply(self, X: Floats, found: tuple[Floats, ...]) -> Floats:
        from gnomon.knowledge._leace import Eraser

        # The mean that is left is the same for every side and template, and a difference would drop it.
        return Eraser(*found).transform(X.reshape(-1, X.shape[2])).reshape(X.shape) - found[0]


class ClusterNorm(Normalizer):
    """Centres each side within `k` clusters of pairs (Laurito et al. 2024, arXiv:2407.18712).

    Pairs are clustered by their centred midpoints (k-means, `seed`); a later pair belongs to the nearest centre. With
    a wrong `k`, or clusters that follow the truth, this takes away the signal itself.
    """

    def __init__(self, k: int = 2, seed: int = 0) -> None:
        if k < 1:
            raise UsageError(f"k={k}: give at least 1 cluster.")
        self.k, self.seed = k, seed

    def _learn(self, X: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        from sklearn.cluster import KMeans

        mean = np.einsum("n,nsd->sd", share, X)
        middle = (X - mean).mean(axis=1)
        different = len(np.unique(middle.round(9), axis=0))
        found = KMeans(n_clusters=min(self.k, different), n_init=10, random_state=self.seed)
        labels = found.fit_predict(middle, sample_weight=share * len(X))
        centres = np.stack([middle[labels == one].mean(0) for one in range(found.n_clusters)])
        means = np.stack(
            [np.average(X[labels == one], axis=0, weights=share[labels == one]) for one in range(found.n_clusters)]
        )
        rest = X - means[labels]
        norms = share @ np.linalg.norm(rest, axis=2) / np.sqrt(X.shape[2])
        floor = _TINY * max(1.0, float(np.abs(X).max(initial=0)))
        return mean, centres, means, np.where(norms > floor, norms, 1.0)

    def _apply(self, X: Floats, found: tuple[Floats, ...]) -> Floats:
        mean, centres, means, norms = found
        middle = (X - mean).mean(axis=1)
        nearest = np.argmin(np.square(middle[:, None] - centres[None]).sum(axis=2), axis=1)
        return np.asarray((X - means[nearest]) / norms[:, None], dtype=np.float64)


def normalizer(name: str) -> Normalizer:
    """A fresh normaliser by name; raises UsageError with the closest one.

    >>> X = np.random.default_rng(0).normal(size=(50, 2, 4)) + [[[9], [-9]]]
    >>> Z = normalizer("mean+norm").fit(X, np.zeros(50)).transform(X, np.zeros(50))
    >>> bool(np.allclose(Z.mean(0), 0)), np.linalg.norm(Z, axis=2).mean(0).round(6).tolist()
    (True, [2.0, 2.0])
    """
    match name:
        case "none":
            return _Plain(False)
        case "mean":
            return _Plain(True)
        case "mean+norm":
            return _Plain(True, "norm")
        case "mean+std":
            return _Plain(True, "std")
        case "leace":
            return _Leace()
        case "cluster":
            return ClusterNorm()
    hint = " ".join(filter(None, [did_you_mean(name, NORMALIZATIONS), f"Known: {', '.join(NORMALIZATIONS)}."]))
    raise UsageError(f"no normalisation is named '{name}'.", hint=hint)
