"""`pca`: a probabilistic principal-component model of whole images, conditioned. Belongs here: that law."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._image_sampler import ImageSampler, images_of

__all__ = ["PCAGaussian", "sampler"]

Floats = NDArray[np.float64]


class PCAGaussian(ImageSampler):
    """x = mean + B z + noise, z standard normal of `components`, noise of one variance (Tipping & Bishop 1999).

    Given the pixels that stay (o), z is normal with precision I + B_o' B_o / s2 and mean
    precision^-1 B_o' (x_o - mean_o) / s2; the region is mean + B z + noise. Exact for this model, and of the cost of a
    k x k solve.

    Parameters
    ----------
    components : int
        k, at least 1; fewer than images.
    """

    about: ClassVar[str] = "principal components of images with Gaussian noise, conditioned on what stays"
    leaves_open: ClassVar[str] = "images are jointly normal with a few principal components and white noise"

    def __init__(self, components: int = 100) -> None:
        self.components = components

    def fit(self, X: ArrayLike) -> Self:
        images = images_of(X, "PCAGaussian")
        rows = images.reshape(len(images), -1).astype(np.float64)
        if not 1 <= self.components < min(rows.shape):
            raise UsageError(f"components={self.components}: give a number from 1 to {min(rows.shape) - 1}.")
        self.shape_ = images.shape[1:]
        self.mean_ = rows.mean(axis=0)
        from sklearn.decomposition import PCA

        found = PCA(self.components, svd_solver="randomized", random_state=0).fit(rows)
        self.noise_ = max(float(found.noise_variance_), 1e-6)
        scale = np.sqrt(np.clip(found.explained_variance_ - self.noise_, 0, None))
        self.basis_ = np.asarray(found.components_.T * scale, dtype=np.float64)
        self._known: dict[bytes, Floats] = {}
        return self

    def _draw(self, x: NDArray[Any], mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Floats:
        if not hasattr(self, "basis_"):
            raise UsageError("PCAGaussian has seen no images.", hint="Call fit(images) first.")
        if x.shape != self.shape_:
            raise UsageError(f"an image of shape {x.shape} is none of the {self.shape_} that it knows.")
        inside = np.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - 2)), x.shape).reshape(-1)
        B, stays = self.basis_, ~inside
        key = np.packbits(mask).tobytes()
        if key not in self._known:
            if len(self._known) > 256:
                self._known.clear()
            precision = np.eye(B.shape[1]) + B[stays].T @ B[stays] / self.noise_
            self._known[key] = np.asarray(np.linalg.cholesky(precision), dtype=np.float64)
        root = self._known[key]
        rest = x.reshape(-1)[stays] - self.mean_[stays]
        mean = np.linalg.solve(root.T, np.linalg.solve(root, B[stays].T @ rest / self.noise_))
        z = mean + np.linalg.solve(root.T, rng.normal(size=(B.shape[1], n))).T
        values = self.mean_[inside] + z @ B[inside].T + np.sqrt(self.noise_) * rng.normal(size=(n, int(inside.sum())))
        return np.asarray(values.reshape(n, int(mask.sum()), *x.shape[2:]), dtype=np.float64)


sampler = PCAGaussian
