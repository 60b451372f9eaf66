"""`vinc`: variance, invariance, negation consistency. Belongs here: the estimator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.knowledge._linear import LinearProbe, oriented
from gnomon.knowledge._probe import Floats, Pairs

__all__ = ["VINC", "probe"]


class VINC(LinearProbe):
    """The eigen reporter of EleutherAI's elk, in closed form.

    With z(i, t, k) the state of item i, template t, side k and c(i, k) its mean over templates, theta is the top
    eigenvector of P A P,
    A = variance Cov(c) - invariance E_i Cov_t(z(i, ., k)) - negation (C + C^T) / 2, C = Cov(c(., +), c(., -)),
    and P is the orthogonal projection off cov(z, side x template), so that theta reads nothing of sides or prompts (a
    read-out theta survives a LEACE erasure of them just when it is orthogonal to that).

    Parameters
    ----------
    variance, negation : float
        Weights >= 0; the defaults 0 and 0.5 are elk's.
    invariance : float or None
        None is 1 - negation, as in elk.
    erase_prompts : bool
        Whether P also takes off templates.

    Notes
    -----
    Every item weighs the same however many templates it has; an item with one template has no spread over templates.
    Its authors call the gains small and noisy.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0, templates=3)
    >>> found = VINC().fit(pairs.X, templates=pairs.templates, items=pairs.items)
    >>> bool(abs(found.theta_ @ pairs.truth) > 0.9)
    True
    """

    about: ClassVar[str] = "variance and negation against invariance over templates (EleutherAI elk)"

    def __init__(
        self,
        normalize: str = "mean+norm",
        seed: int = 0,
        variance: float = 0.0,
        negation: float = 0.5,
        invariance: float | None = None,
        erase_prompts: bool = True,
    ) -> None:
        self.normalize = normalize
        self.seed = seed
        self.variance = variance
        self.negation = negation
        self.invariance = invariance
        self.erase_prompts = erase_prompts

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        invariance = 1 - self.negation if self.invariance is None else self.invariance
        if min(self.variance, self.negation, invariance) < 0:
            raise UsageError("the weights of VINC must not be negative.")
        _, item = np.unique(pairs.items, return_inverse=True)
        centres, sizes = _centroids(Z, item)
        spread = _within(Z, centres, item, sizes)
        shifted = centres - centres.mean(axis=0)
        n = len(centres)
        both = shifted.reshape(2 * n, -1)
        cross = shifted[:, 0].T @ shifted[:, 1] / n
        A = self.variance * both.T @ both / (2 * n) - invariance * spread - self.negation * (cross + cross.T) / 2
        P = self._projector(Z, pairs)
        _, vectors = np.linalg.eigh(P @ A @ P)
        theta = P @ vectors[:, -1]
        self._set(oriented(theta), Z)

    def _projector(self, Z: Floats, pairs: Pairs) -> Floats:
        """The orthogonal projection off the directions along which sides (and templates) differ."""
        _, template = np.unique(pairs.templates, return_inverse=True)
        if not self.erase_prompts:
            template = np.zeros_like(template)
        which = np.stack([2 * template, 2 * template + 1], axis=1).reshape(-1)
        concept = np.eye(2 * (int(template.max()) + 1))[which]
        rows = Z.reshape(-1, Z.shape[2])
        share = np.repeat(pairs.weight, 2) / (2 * pairs.weight.sum())
        off = (concept - share @ concept) * share[:, None]
        basis, scale, _ = np.linalg.svd((rows - share @ rows).T @ off, full_matrices=False)
        basis = basis[:, scale > 1e-9 * max(1e-30, float(np.linalg.norm(rows) * np.linalg.norm(off)))]
        return np.asarray(np.eye(Z.shape[2]) - basis @ basis.T, dtype=np.float64)


def _centroids(Z: Floats, item: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Means over templates of every item and side (m, 2, d), and the number of rows of each item."""
    sizes = np.bincount(item).astype(np.float64)
    sums = np.zeros((len(sizes), *Z.shape[1:]))
    np.add.at(sums, item, Z)
    return sums / sizes[:, None, None], sizes


def _within(Z: Floats, centres: Floats, item: NDArray[np.intp], sizes: Floats) -> Floats:
    """E over items and sides of the covariance over templates (d, d)."""
    rest = (Z - centres[item]) / np.sqrt(sizes[item] * len(centres) * 2)[:, None, None]
    flat = rest.reshape(-1, Z.shape[2])
    return np.asarray(flat.T @ flat, dtype=np.float64)


probe = VINC
