"""The paper's released way (feature-alignment at 8dfd314): one pass in training mode, running averages, then eval."""

from __future__ import annotations

from gnomon.shift._method import Fit
from gnomon.shift._policy import Fixed, Pair
from gnomon.shift._target import Target


def method(target: Target, *, momentum: float = 0.1, first: int = 0, last: int = 0) -> Fit:
    """Running averages over the batches of one pass, as the released code; (1 - momentum)^B is left on the source.

    The last batches weigh most, a short last batch as much as a full one, and variances between batches are dropped:
    this is for making published numbers again.
    """
    kept = target.layers.kept(first, last)
    seen = target.observed(kept)
    pairs: dict[str, Pair] = {}
    batches = 0
    for layer in target.layers.aligned:
        if layer.name in kept:
            continue
        mean, variance = layer.mean, layer.variance
        for one in seen.tallies[layer.name].batches:
            # torch normalises with the biased variance and stores the unbiased one.
            unbiased = one.variance * (one.count / max(1, one.count - 1))
            mean = (1 - momentum) * mean + momentum * one.mean
            variance = (1 - momentum) * variance + momentum * unbiased
        batches = max(batches, len(seen.tallies[layer.name].batches))
        pairs[layer.name] = mean, variance
    return Fit(Fixed(pairs), None, {"weight of the source": (1 - momentum) ** batches})
