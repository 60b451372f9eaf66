"""`xent`: plain finetuning on weak labels. Belongs here: the loss."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step) -> Tensor:
    """Cross-entropy against soft weak labels ("naive", Burns et al. 2023, section 4.1).

    >>> import torch
    >>> round(float(loss(torch.tensor([[0.0, 2.0]]), torch.tensor([1.0]), Step(0, 1))), 4)
    0.1269
    """
    return cross_entropy(logits, weak)
