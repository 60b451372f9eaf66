"""`confidence`: the paper's auxiliary confidence loss. Belongs here: the loss; ranks are in `_loss.py`."""

from __future__ import annotations

from torch import Tensor

from gnomon.supervision._loss import Step, cross_entropy, harden, log_odds

__all__ = ["loss"]


def loss(logits: Tensor, weak: Tensor, step: Step, *, alpha: float = 0.5, warmup: float = 0.2) -> Tensor:
    """(1 - a) CE(f, f_weak) + a CE(f, hardened f), Burns et al. 2023, section 4.3 and equation 1.

    Cross-entropy is linear in its target, so this is one cross-entropy against (1 - a) f_weak + a h. The coefficient a
    rises linearly from 0 to `alpha` over the first `warmup` of all steps; the paper takes 0.75 for its largest students
    and 0.5 for the others. Through h no gradient flows. With alpha 0 it is `xent`, bit for bit.

    >>> import torch
    >>> logits, weak = torch.tensor([[0.0, 2.0], [0.0, -1.0]]), torch.tensor([0.6, 0.4])
    >>> round(float(loss(logits, weak, Step(50, 100, batch=2))), 4)
    0.5201
    """
    a = alpha * step.ramp(warmup)
    return cross_entropy(logits, (1 - a) * weak + a * harden(log_odds(logits), weak, step))
