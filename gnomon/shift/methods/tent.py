"""TENT (Wang et al. 2021, ICLR, arXiv:2006.10726): entropy is minimised over the norms' scales and offsets, batch by
batch."""

from __future__ import annotations

import torch
from torch import Tensor

from gnomon.shift._method import Fit
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target
from gnomon.shift._tuning import entropy, tuning


def method(target: Target, *, lr: float = 0.001, steps: int = 1) -> Fit:
    """Entropy minimised over scales and offsets with batch statistics: Adam, one pass, predictions before each step."""
    with tuning(target) as tuned:
        if not tuned.parameters:
            return Fit(Mix(), target.unaligned)
        adam = torch.optim.Adam(tuned.parameters, lr=lr, betas=(0.9, 0.999))

        def learn(batch: Tensor) -> Tensor:
            logits = torch.empty(0)
            for _ in range(steps):
                logits = target.module(batch)
                adam.zero_grad()
                entropy(logits).mean().backward()  # type: ignore[no-untyped-call]
                adam.step()
            return logits

        return Fit(Mix(), tuned.over_batches(learn))
