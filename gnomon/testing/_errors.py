"""The one error of this room. Belongs here: nothing else."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A promise that gnomon relies on is broken; the message says which, and by which value."""


def ensure(holds: bool, promise: str) -> None:
    """Raise ConformanceError with `promise` unless it holds.

    >>> ensure(1 < 2, "one is less than two")
    """
    if not holds:
        raise ConformanceError(promise)
