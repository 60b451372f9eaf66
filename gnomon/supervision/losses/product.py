"""`product`: a product of experts of student and supervisor as the target. Belongs here: the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """Cross-entropy against a target proportional to f^beta f_weak^alpha, with no gradient through it.

    Computed in log-odds, so that certain labels give certain targets and nothing underflows (the public code,
    openai/weak-to-strong, multiplies probabilities and gave NaN). A label of 0 or 1 makes it `xent`; one of 0.5 makes
    it self-training.

    >>> import torch
    >>> round(float(loss(torch.tensor([[0.0, -50.0]]), torch.tensor([1.0]), Step(0, 1))), 1)
    50.0
    """
    own = log_odds(logits).detach()
    told = torch.logit(weak) * alpha if alpha else torch.zeros_like(weak)
    return cross_entropy(logits, torch.sigmoid(beta * own + told))
