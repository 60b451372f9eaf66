"""The network as it is: stored statistics of the source."""

from __future__ import annotations

from gnomon.shift._method import Fit
from gnomon.shift._policy import Source
from gnomon.shift._target import Target


def method(target: Target) -> Fit:
    """Stored statistics: no alignment."""
    return Fit(Source(), target.unaligned)
