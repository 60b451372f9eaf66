"""Prediction-time BatchNorm (Nado et al. 2020, arXiv:2006.10963): every batch by its own statistics."""

from __future__ import annotations

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target


def method(target: Target, *, first: int = 0, last: int = 0) -> Fit:
    """Each batch by its own statistics; predictions depend on the batch. The first and last so many layers can stay."""
    return over(target, Mix(0.0, target.layers.kept(first, last)), "batch")
