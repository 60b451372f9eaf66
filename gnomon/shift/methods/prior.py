"""Ours: like 'matched', aimed at the moments that the source would have under the target's own mix of classes."""

from __future__ import annotations

import torch
from torch import Tensor

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Match
from gnomon.shift._target import SourceSample, Target


def method(
    target: Target, *, steps: int = 3, damping: float = 0.5, where: str = "set", first: int = 0, last: int = 0
) -> Fit:
    """Matched under an estimated mix of classes: softmax means, `steps` times, each pulled towards the one before.

    The estimate starts at the source's mix. It costs a pass a step, and it fails where one class alone is left under
    heavy noise, which is not identified.
    """
    source = target.need_source("prior")
    kept = target.layers.kept(first, last)
    mix = estimate(target, source, steps, damping, kept)
    facts = {"largest estimated share of a class": float(mix.max())}
    return over(target, Match(source.pairs_for(mix), kept), where, facts)


def estimate(target: Target, source: SourceSample, steps: int, damping: float, kept: frozenset[str]) -> Tensor:
    """The target's mix of classes (classes,), float64, without labels."""
    mix = source.prior
    for _ in range(steps):
        seen = target.batches(Match(source.pairs_for(mix), kept), keep=False)
        found = torch.softmax(seen.logits.double(), 1).mean(0)
        mix = damping * mix + (1 - damping) * found
    return mix / mix.sum()
