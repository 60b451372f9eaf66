"""`crc-bss`: bimodal salience search. Belongs here: the estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gnomon.errors import NotIdentifiedError
from gnomon.knowledge._linear import LinearProbe, oriented
from gnomon.knowledge._probe import Floats, Pairs
from gnomon.stats import stream

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CRCBSS", "bimodality", "probe"]


class CRCBSS(LinearProbe):
    """Contrastive representation clustering, bimodal salience search (Burns et al. 2022, appendix on CRC).

    Over unit theta, with s = theta . (z+ - z-), minimises [Var(s | s < 0) + Var(s | s >= 0)] / Var(s): two tight groups
    far apart. Adam with step 0.1 for 20 epochs from 20 starts at once, put back on the unit sphere after each step. A
    direction that leaves one half empty has an infinite loss and never wins.

    Attributes
    ----------
    theta_ : ndarray (d,)
    losses_ : ndarray (starts,)

    Raises
    ------
    NotIdentifiedError
        If every start leaves one half empty.

    Examples
    --------
    >>> from gnomon.knowledge import planted_pairs
    >>> pairs = planted_pairs(200, 16, truth=6.0)
    >>> bool(abs(CRCBSS().fit(pairs.X).theta_ @ pairs.truth) > 0.9)
    True
    """

    about: ClassVar[str] = "direction whose differences form the two tightest groups (Burns et al. 2022)"
    losses_: Floats

    def __init__(self, normalize: str = "mean+norm", seed: int = 0, starts: int = 20, epochs: int = 20) -> None:
        self.normalize = normalize
        self.seed = seed
        self.starts = starts
        self.epochs = epochs

    def _learn(self, Z: Floats, pairs: Pairs) -> None:
        import torch

        D = torch.as_tensor(Z[:, 0] - Z[:, 1])
        weight = torch.as_tensor(pairs.weight / pairs.weight.sum())
        begin = np.stack([stream(self.seed, f"bss/{k}").normal(size=D.shape[1]) for k in range(self.starts)])
        theta = torch.as_tensor((begin / np.linalg.norm(begin, axis=1, keepdims=True)).T.copy()).requires_grad_()
        optimiser = torch.optim.Adam([theta], lr=0.1)
        for _ in range(self.epochs):
            optimiser.zero_grad()
            loss = bimodality(D @ theta, weight)
            fine = torch.isfinite(loss)
            if not fine.any():
                break
            loss[fine].sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                theta /= theta.norm(dim=0, keepdim=True)
        with torch.no_grad():
            self.losses_ = bimodality(D @ theta, weight).numpy()
        if not np.isfinite(self.losses_).any():
            raise NotIdentifiedError(
                f"all {self.starts} directions of crc-bss put every difference on one side.",
                hint="Normalise each side (normalize='mean' or 'mean+norm').",
            )
        best = int(np.argmin(np.where(np.isfinite(self.losses_), self.losses_, np.inf)))
        self._set(oriented(theta.detach().numpy()[:, best]), Z)


def bimodality(s: Tensor, weight: Tensor) -> Tensor:
    """[Var(s | s < 0) + Var(s | s >= 0)] / Var(s) of projections (n, starts) under weights (n,); infinite where a half
    is empty."""
    import torch

    def variance(share: Tensor) -> tuple[Tensor, Tensor]:
        total = share.sum(0)
        safe = total.clamp_min(1e-300)
        mean = (share * s).sum(0) / safe
        return (share * (s - mean).square()).sum(0) / safe, total

    w = weight[:, None].expand_as(s)
    low, below = variance(w * (s < 0))
    high, above = variance(w * (s >= 0))
    whole, _ = variance(w)
    ratio = (low + high) / whole.clamp_min(1e-300)
    return torch.where((below > 0) & (above > 0) & (whole > 0), ratio, torch.inf)


probe = CRCBSS
