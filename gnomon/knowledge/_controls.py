"""Controls on arrays: random directions, shuffled pairs, permuted labels, an erased direction, restarts.

Belongs here: what is compared with. Does not belong here: what is concluded (`_verdict.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.knowledge._leace import fit_leace
from gnomon.knowledge._probe import Probe
from gnomon.stats import stream

__all__ = [
    "RandomDirections",
    "Restarts",
    "erase_then_refit",
    "label_permuted",
    "random_directions",
    "restart_agreement",
    "restart_table",
    "shuffled_pairs",
]

Floats = NDArray[np.float64]

NEAR = 0.1
"""A restart is near the best when its loss is at most this share above it, or within 0.005 of it."""
ALIKE = 0.9
"""Share of rows on which two restarts must say the same to agree."""


@dataclass(frozen=True)
class RandomDirections:
    """Accuracies of random directions (k,): under the sign that was drawn, and under the better one; and right (1) or
    wrong (0) on every row (m,) for the direction whose better accuracy is the median."""

    raw: Floats
    best: Floats
    median: Floats

    def share(self, accuracy: float) -> float:
        """Share of the directions whose better accuracy is at least `accuracy`."""
        return float((self.best >= accuracy - 1e-12).mean())


def random_directions(differences: ArrayLike, y: ArrayLike, *, n: int = 200, seed: int = 0) -> RandomDirections:
    """`n` unit Gaussian directions on normalised differences (m, d), all in one product.

    >>> random = np.random.default_rng(0)
    >>> found = random_directions(random.normal(size=(100, 8)), random.integers(0, 2, 100))
    >>> bool((found.best >= 0.5).all()), found.share(1.0), bool(found.median.mean() == np.sort(found.best)[99])
    (True, 0.0, True)
    """
    D, truth = np.asarray(differences, dtype=np.float64), np.asarray(y)
    theta = stream(seed, "random directions").normal(size=(D.shape[1], n))
    right = ((D @ theta) > 0) == (truth == 1)[:, None]
    raw = right.mean(axis=0)
    best = np.maximum(raw, 1 - raw)
    middle = int(np.argsort(best, kind="stable")[(n - 1) // 2])
    median = right[:, middle] if raw[middle] >= 0.5 else ~right[:, middle]
    return RandomDirections(raw, best, median.astype(np.float64))


def shuffled_pairs(X: ArrayLike, templates: NDArray[Any], *, seed: int = 0) -> NDArray[Any]:
    """Pairs (n, 2, d) whose x- comes from another pair of the same template: no pair keeps its own where there are two.

    >>> X = np.arange(8.0).reshape(4, 2, 1)
    >>> bool((shuffled_pairs(X, np.zeros(4))[:, 1] != X[:, 1]).all())
    True
    """
    mixed = np.array(X)
    random = stream(seed, "shuffled pairs")
    for name in dict.fromkeys(templates.tolist()):
        rows = np.flatnonzero(templates == name)
        order = random.permutation(rows)
        # One step along a random cycle through all rows moves every one of them.
        mixed[order, 1] = np.asarray(X)[np.roll(order, 1), 1]
    return mixed


def label_permuted(y: NDArray[np.int64], train: NDArray[np.bool_], seed: int = 0) -> NDArray[np.int64]:
    """Labels with those of the training rows permuted among themselves."""
    mixed = y.copy()
    mixed[train] = stream(seed, "permuted labels").permutation(y[train])
    return mixed


def erase_then_refit(X: ArrayLike, y: NDArray[np.int64], train: NDArray[np.bool_], templates: NDArray[Any]) -> Floats:
    """States without what a linear read-out with labels finds in training rows: LEACE of "this side is true".

    Each side of each template is centred first, by training rows; the eraser is fitted on training rows and applied to
    all. What a label-free method still finds in the result is not that direction (Roger 2023).
    """
    from gnomon.knowledge._normalize import normalizer

    states = np.asarray(X, dtype=np.float64)
    centred = normalizer("mean").fit(states[train], templates[train]).transform(states, templates)
    is_true = np.stack([y, 1 - y], axis=1)
    eraser = fit_leace(centred[train].reshape(-1, states.shape[2]), is_true[train].reshape(-1))
    return eraser.transform(centred.reshape(-1, states.shape[2])).reshape(states.shape)


@dataclass(frozen=True)
class Restarts:
    """One entry a restart: loss on training rows, accuracy (the sign of the best restart), cosine to the best; and the
    rank correlation of loss with accuracy (NaN where one of them does not vary)."""

    loss: Floats
    accuracy: Floats
    cosine: Floats
    rank_correlation: float


def restart_table(
    probe: Probe, X: ArrayLike, y: NDArray[np.int64], templates: NDArray[Any], *, transductive: bool = False
) -> Restarts:
    """What each restart of a fitted CCS is worth on these rows; finite restarts only."""
    from scipy.stats import spearmanr

    decisions, loss, cosine = _each_restart(probe, X, templates, transductive)
    accuracy = ((decisions > 0) == (y == 1)[:, None]).mean(axis=0)
    varied = len(set(loss.tolist())) > 1 and len(set(accuracy.tolist())) > 1
    rho = float(spearmanr(loss, accuracy).statistic) if varied else float("nan")
    return Restarts(loss, accuracy, cosine, rho)


def restart_agreement(probe: Probe, X: ArrayLike, templates: NDArray[Any], *, transductive: bool = False) -> float:
    """Share of near-best restarts that say the same as the best, up to sign, on 90% of these rows; 1 where the best is
    alone."""
    decisions, loss, _ = _each_restart(probe, X, templates, transductive)
    best = int(np.argmin(loss))
    near = loss <= max(loss[best] * (1 + NEAR), loss[best] + 0.005)
    same = ((decisions > 0) == (decisions[:, [best]] > 0)).mean(axis=0)
    return float((np.maximum(same, 1 - same)[near] >= ALIKE).mean())


def _each_restart(
    probe: Probe, X: ArrayLike, templates: NDArray[Any], transductive: bool
) -> tuple[Floats, Floats, Floats]:
    """Decisions (n, restarts) of all finite restarts under the probe's sign, their losses, their cosines to the
    best."""
    losses = np.asarray(probe.losses_).sum(axis=1)
    fine = np.isfinite(losses)
    thetas = np.asarray(probe.thetas_)[fine, :-1]
    Z = probe.normalized(X, templates=templates, transductive=transductive)
    decisions = probe.sign_ * ((Z[:, 0] - Z[:, 1]) @ thetas.T)
    best = thetas[int(np.argmin(losses[fine]))]
    lengths = np.linalg.norm(thetas, axis=1) * np.linalg.norm(best)
    cosine = thetas @ best / np.where(lengths > 0, lengths, 1)
    return decisions, losses[fine], cosine
