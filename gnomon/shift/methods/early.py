"""Whole-set statistics in the first half of the layers alone: late layers encode the class, and a changed mix of
classes moves them."""

from __future__ import annotations

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target


def method(target: Target) -> Fit:
    """Whole-set statistics in the first half of the layers; the later half stays as it is."""
    return over(target, Mix(0.0, target.layers.kept(last=len(target.layers.aligned) // 2)), "set")
