"""The question "how little memory is enough to learn it?": SVMs from a stream, with a certificate.

Belongs here: the room's public names. Does not belong here: anything that computes.
"""

from gnomon.streaming._core import Memory
from gnomon.streaming._errors import InputError, SketchFileError
from gnomon.streaming._fit import FitResult, ObjectiveValue
from gnomon.streaming._shards import merge_files, merge_tree, sketch_shards
from gnomon.streaming._study import stream
from gnomon.streaming.head import StreamingHead, stored_states
from gnomon.streaming.hinge_sketch import HingeSketch, largest_norm, size_for_bytes, size_for_error
from gnomon.streaming.peers import RiverSVM, SklearnSGD
from gnomon.streaming.pegasos import Pegasos, pegasos_sample_bound
from gnomon.streaming.quantile import QuantileHinge
from gnomon.streaming.reservoir import ReservoirSVM
from gnomon.streaming.streaming_svm import StreamingSVM
from gnomon.streaming.window import WindowSketch

__all__ = [
    "FitResult",
    "HingeSketch",
    "InputError",
    "Memory",
    "ObjectiveValue",
    "Pegasos",
    "QuantileHinge",
    "ReservoirSVM",
    "RiverSVM",
    "SketchFileError",
    "SklearnSGD",
    "StreamingHead",
    "StreamingSVM",
    "WindowSketch",
    "largest_norm",
    "stream",
    "merge_files",
    "merge_tree",
    "pegasos_sample_bound",
    "size_for_bytes",
    "size_for_error",
    "sketch_shards",
    "stored_states",
]
