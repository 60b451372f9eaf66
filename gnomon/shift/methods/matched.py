"""Ours: target moments are moved onto those of un-augmented source images; the layer then works as it was trained."""

from __future__ import annotations

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Match
from gnomon.shift._target import Target


def method(target: Target, *, N: float = 0.0, where: str = "set", first: int = 0, last: int = 0) -> Fit:
    """Moments of the set (or batch) moved onto those of un-augmented source images; needs some, without labels."""
    source = target.need_source("matched")
    return over(target, Match(source.pairs(), target.layers.kept(first, last), N), where)
