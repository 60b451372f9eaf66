"""The exception tree: what happened, with which value, and what to do.

Belongs here: every exception that gnomon raises on purpose. Does not belong here: formatting for a terminal (`cli/`).

::

    GnomonError               anything a user can mend; the command line prints it in one sentence and exits with 2
    |- UsageError             a name, flag or argument that gnomon does not know or cannot use together
    |- DataError              a file or data set that is missing, malformed or not what the release holds
    |- ModelError             a model that cannot be loaded, or lacks what was asked of it
    |  `- AbilityError        a model without the ability that a study needs
    |- RunError               a run folder that cannot be written, read or compared
    `- NotIdentifiedError     a quantity that the data do not identify
"""

from __future__ import annotations

__all__ = [
    "AbilityError",
    "DataError",
    "GnomonError",
    "ModelError",
    "NotIdentifiedError",
    "RunError",
    "UsageError",
]


class GnomonError(Exception):
    """Base of all errors that gnomon raises on purpose.

    Examples
    --------
    >>> try:
    ...     raise UsageError("mmlu has no subset 'anatmy'.", hint="Did you mean 'anatomy'?")
    ... except GnomonError as error:
    ...     print(error)
    mmlu has no subset 'anatmy'. Did you mean 'anatomy'?
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}" if hint else message)


class UsageError(GnomonError):
    """A name, flag or argument that gnomon does not know or cannot use together."""


class DataError(GnomonError):
    """A file or data set that is missing, malformed or not what the release holds."""


class ModelError(GnomonError):
    """A model that cannot be loaded, or lacks what was asked of it."""


class AbilityError(ModelError):
    """A model without an ability (`Scores`, ...) that a study needs."""


class RunError(GnomonError):
    """A run folder that cannot be written, read or compared."""


class NotIdentifiedError(GnomonError):
    """A quantity that the data do not identify; the message gives the reason."""
