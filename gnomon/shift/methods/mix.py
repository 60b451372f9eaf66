"""Pseudo-counts (Schneider et al. 2020, arXiv:2006.16971): a source worth N images beside the n that came."""

from __future__ import annotations

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target


def method(target: Target, *, N: float = 256.0, where: str = "batch", first: int = 0, last: int = 0) -> Fit:
    """N / (N + n) of the source's moments, n / (N + n) of the batch's (or the set's); means and variances linearly."""
    n = min(target.batch_size, len(target.inputs)) if where == "batch" else len(target.inputs)
    facts = {"weight of the source": N / (N + n)}
    return over(target, Mix(N, target.layers.kept(first, last)), where, facts)
