"""`released`: the confidence loss with the warm-up of the public code, for comparison. Belongs here: the loss."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, harden, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, alpha: float = 0.5, warmup: float = 0.1) -> Tensor:
    """As `confidence`, but during warm-up the coefficient is alpha times the share of all steps done, then alpha.

    openai/weak-to-strong at 6b450f2: it creeps to 0.1 alpha and then jumps (a proposed mending is open there). Its
    threshold is a quantile; here it is a rank, which differs where scores tie.

    >>> import torch
    >>> logits, weak = torch.tensor([[0.0, 2.0], [0.0, -1.0]]), torch.tensor([0.6, 0.4])
    >>> round(float(loss(logits, weak, Step(5, 100, batch=2))), 4)
    0.8051
    """
    done = step.number / max(step.total, 1)
    a = alpha * (1.0 if done > warmup else done)
    return cross_entropy(logits, (1 - a) * weak + a * harden(log_odds(logits), weak, step))
