"""Conformance checks for other people's tasks and models. gnomon's own tests call them on everything that it registers.

A check returns None, or raises `ConformanceError` that says which promise is broken and by which value. Belongs here:
promises that the rooms rely on. Does not belong here: tests of gnomon's own code.
"""

from gnomon.testing._errors import ConformanceError
from gnomon.testing._model import check_model
from gnomon.testing._task import check_task

__all__ = ["ConformanceError", "check_model", "check_task"]
