"""`logconf`: the log-confidence loss of EleutherAI/w2s, with a warm-up in steps. Belongs here: the loss."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, harden, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, alpha: float = 0.5, steps: float = 100) -> Tensor:
    """As `confidence`, but the coefficient rises over a fixed number of `steps` (EleutherAI/w2s at a929af0: 100).

    Its threshold looks at the last 32 predictions; here at a full batch, so with batches of 32 at the same number.

    >>> import torch
    >>> logits, weak = torch.tensor([[0.0, 2.0], [0.0, -1.0]]), torch.tensor([0.6, 0.4])
    >>> round(float(loss(logits, weak, Step(50, 1000, batch=2))), 4)
    0.6701
    """
    a = alpha * (min(1.0, step.number / steps) if steps else 1.0)
    return cross_entropy(logits, (1 - a) * weak + a * harden(log_odds(logits), weak, step))
