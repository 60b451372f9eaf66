"""`window`: weak labels of rows that the student is unsure of. Belongs here: the loss."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, radius: float = 0.15) -> Tensor:
    """Cross-entropy over rows whose larger probability is below 0.5 + radius (EleutherAI/w2s, "window").

    A batch of which the student is sure everywhere gives 0 and moves nothing.

    >>> import torch
    >>> sure, unsure = [0.0, 9.0], [0.0, 0.0]
    >>> round(float(loss(torch.tensor([sure, unsure]), torch.tensor([0.0, 1.0]), Step(0, 1))), 4)
    0.6931
    """
    own = log_odds(logits).detach().sigmoid()
    return cross_entropy(logits, weak, ((own - 0.5).abs() < radius).to(weak.dtype))
