"""Statistics of the target as training would have shown it: flipped and cropped. The paper's variant "with aug"."""

from __future__ import annotations

from gnomon.shift._method import Fit
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target


def method(target: Target, *, first: int = 0, last: int = 0) -> Fit:
    """Whole-set statistics of augmented images, used on images as they are: stored statistics are of that kind, too."""
    kept = target.layers.kept(first, last)
    seen = target.observed(kept, augmented=True)
    return Fit(Mix(0.0, kept).settled(target.layers.aligned, seen.tallies))
