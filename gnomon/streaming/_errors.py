"""Errors about what a stream brought. Belongs here: their types. Does not belong here: anything else."""

from __future__ import annotations

from gnomon.errors import DataError, UsageError

__all__ = ["InputError", "SketchFileError"]


class InputError(UsageError, ValueError):
    """Rows, labels or arguments that a sketch cannot take; also a ValueError, as scikit-learn's users expect."""


class SketchFileError(DataError, ValueError):
    """A sketch file that is truncated, damaged, foreign or of another version."""
