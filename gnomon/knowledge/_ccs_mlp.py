"""CCS with a hidden layer: what the released code fits unless it is told otherwise.

Belongs here: the MLP. Does not belong here: the linear probe, which is the paper's and the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnomon.stats import stream

if TYPE_CHECKING:
    from gnomon.knowledge.probes.ccs import CCS

__all__ = ["Network", "fit_mlp"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """w2 . relu(W1 z + b1) + b2, as arrays: `first` (d, h), `shift` (h,), `second` (h,), `bias`."""

    first: Floats
    shift: Floats
    second: Floats
    bias: float

    def logits(self, Z: Floats) -> Floats:
        """Logits of both sides of normalised pairs: (n, 2)."""
        return np.asarray(np.maximum(Z @ self.first + self.shift, 0) @ self.second + self.bias, dtype=np.float64)


def fit_mlp(method: CCS, Z: Floats, weights: Floats) -> tuple[Network, Floats]:
    """The network of the restart with the lowest loss, and the losses (restarts, 2) of all; AdamW, full batch."""
    import torch

    kind = getattr(torch, method.dtype)
    X = torch.as_tensor(Z, dtype=kind)
    weight = torch.as_tensor(weights / weights.sum(), dtype=kind)[:, None]
    parameters = [torch.as_tensor(one, dtype=kind).requires_grad_() for one in _starts(method, Z.shape[2])]
    optimiser = torch.optim.AdamW(parameters, lr=method.learning_rate, weight_decay=method.weight_decay)

    def losses() -> tuple[torch.Tensor, torch.Tensor]:
        first, shift, second, bias = parameters
        hidden = torch.relu(torch.einsum("nsd,rdh->nsrh", X, first) + shift)
        p = torch.sigmoid(torch.einsum("nsrh,rh->nsr", hidden, second) + bias)
        plus, minus = p[:, 0], p[:, 1]
        return (weight * (plus + minus - 1) ** 2).sum(0), (weight * torch.minimum(plus, minus) ** 2).sum(0)

    for _ in range(method.epochs):
        optimiser.zero_grad()
        consistency, confidence = losses()
        (consistency + confidence).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        found = torch.stack(losses(), dim=1).double().numpy()
    total = found.sum(1)
    best = int(np.nanargmin(total)) if np.isfinite(total).any() else 0
    first, shift, second, bias = (one.detach().double().numpy()[best] for one in parameters)
    return Network(first, shift, second, float(bias)), found


def _starts(method: CCS, d: int) -> list[Floats]:
    """Uniform within 1 / sqrt(fan-in), restart by restart."""
    h, sets = method.hidden, []
    for k in range(method.restarts):
        random = stream(method.seed, f"ccs/mlp/{k}")
        inner, outer = 1 / np.sqrt(d), 1 / np.sqrt(h)
        sets.append(
            [random.uniform(-a, a, size=size) for a, size in ((inner, (d, h)), (inner, h), (outer, h), (outer, ()))]
        )
    return [np.stack([one[part] for one in sets]) for part in range(4)]
