"""The question "how little memory is enough to learn it?": SVMs from a stream, with a certificate.

Belongs here: the room's public names. Does not belong here: anything that computes.
"""

from gnomon.streaming._core import Memory
from gnomon.streaming._errors import InputError, SketchFileError
from gnomon.streaming._fit import FitResult, ObjectiveValue
from gnomon.streaming.hinge_sketch import HingeSketch, largest_norm, size_for_bytes, size_for_error
from gnomon.streaming.streaming_svm import StreamingSVM

__all__ = [
    "FitResult",
    "HingeSketch",
    "InputError",
    "Memory",
    "ObjectiveValue",
    "SketchFileError",
    "StreamingSVM",
    "largest_norm",
    "size_for_bytes",
    "size_for_error",
]
