"""`entropy`: weak labels mixed with the student's own soft predictions. Belongs here: the loss."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, alpha: float = 0.5, warmup: float = 0.2) -> Tensor:
    """Cross-entropy against (1 - a) f_weak + a f, with no gradient through the target (EleutherAI/w2s, "entropy").

    The part that comes from f has no gradient where f is its own target, so what is left is `xent` at a rate of 1 - a.

    >>> import torch
    >>> logits, weak = torch.tensor([[0.0, 2.0]]), torch.tensor([0.6])
    >>> round(float(loss(logits, weak, Step(50, 100))), 4)
    0.6461
    """
    a = alpha * step.ramp(warmup)
    own = log_odds(logits).detach().sigmoid()
    return cross_entropy(logits, (1 - a) * weak + a * own)
