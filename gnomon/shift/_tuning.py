"""What TENT and SAR share: the norms' scales and offsets learn for the length of a `with` block, and are put back.

Belongs here: parameters, flags and their return. Does not belong here: what is minimised (`methods/`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gnomon.shift._norms import Norms
from gnomon.shift._policy import Live
from gnomon.shift._target import Target

__all__ = ["Tuned", "entropy", "tuning"]


def entropy(logits: Tensor) -> Tensor:
    """Entropy of softmax (n,), in nats.

    >>> round(float(entropy(torch.zeros(1, 4))[0]), 4)
    1.3863
    """
    logs = torch.log_softmax(logits, 1)
    return -(logs.exp() * logs).sum(1)


class Tuned:
    """The parameters that learn, and their values before."""

    def __init__(self, target: Target, parameters: list[nn.Parameter]) -> None:
        self._target, self.parameters = target, parameters
        self._before = [one.detach().clone() for one in parameters]

    def restore(self) -> None:
        """Every value as it was, bit for bit."""
        with torch.no_grad():
            for part, before in zip(self.parameters, self._before, strict=True):
                part.copy_(before)

    def over_batches(self, learn: Callable[[Tensor], Tensor]) -> Tensor:
        """Logits (n, classes) of every batch in the target's order, as `learn` gives them."""
        target = self._target
        out = None
        for part in torch.split(target.order, target.batch_size):
            batch = target.inputs[part]
            laid = batch.contiguous(memory_format=torch.channels_last) if batch.dim() == 4 else batch
            logits = learn(laid).detach().float()
            if out is None:
                out = logits.new_empty(len(target.inputs), logits.shape[1])
            out[part] = logits
        target.passes += 1
        assert out is not None
        return out


@contextlib.contextmanager
def tuning(target: Target) -> Iterator[Tuned]:
    """Scales and offsets of BatchNorm (with its batch's statistics), GroupNorm and LayerNorm take gradients; afterwards
    values, gradients and flags are as before, also after an exception."""
    kinds = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
    parts = [one for one in target.module.modules() if isinstance(one, kinds)]
    parameters = [one for part in parts for one in part.parameters(recurse=False)]
    flags = [(one, one.requires_grad, one.grad) for one in target.module.parameters()]
    tuned = Tuned(target, parameters)
    try:
        for one, _, _ in flags:
            one.requires_grad_(False)
        for one in parameters:
            one.requires_grad_(True)
            one.grad = None
        with torch.enable_grad(), Norms(target.module, target.layers, Live()):
            yield tuned
    finally:
        tuned.restore()
        for one, flag, gradient in flags:
            one.requires_grad_(flag)
            one.grad = gradient
