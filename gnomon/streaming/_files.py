"""Sketch files: a format of our own, without pickle, whole or refused.

Belongs here: bytes. Does not belong here: what a sketch is.

::

    8 bytes   GNOMONSK
    uint32    version of the format
    uint32    length of the header
    header    JSON: kind, params, state, meta, arrays [name, type, shape], length of the arrays
    arrays    one after the other, little-endian
    uint32    CRC-32 of everything before
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError
from gnomon.files import write_atomically
from gnomon.streaming._errors import SketchFileError

__all__ = ["VERSION", "load_sketch", "read_file", "save_sketch", "write_file"]

MAGIC = b"GNOMONSK"
VERSION = 1
_FRONT = struct.Struct("<8sII")
_TYPES = ("<i8", "<f8", "|b1")


def write_file(path: Path, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a file in one step."""
    described, body = [], []
    for name, array in arrays.items():
        kind = array.dtype.newbyteorder("<").str
        if kind not in _TYPES:
            raise TypeError(f"{name} is of the type {array.dtype}")
        described.append([name, kind, list(array.shape)])
        body.append(np.ascontiguousarray(array, dtype=kind).tobytes())
    joined = b"".join(body)
    text = json.dumps({**header, "arrays": described, "size": len(joined)}, sort_keys=True).encode()
    content = _FRONT.pack(MAGIC, VERSION, len(text)) + text + joined
    write_atomically(path, content + struct.pack("<I", zlib.crc32(content)))


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of a file. Raises SketchFileError in one sentence for anything that is not right."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not content.startswith(MAGIC[: len(content)]) or not content:
        raise SketchFileError(f"{path} is no sketch of gnomon: it begins with {content[:8]!r}.")
    if len(content) < _FRONT.size:
        raise _truncated(path, len(content))
    _, version, length = _FRONT.unpack_from(content)
    if version != VERSION:
        raise SketchFileError(
            f"{path} has version {version} of the sketch format, and this gnomon reads version {VERSION}.",
            hint="Use the gnomon that wrote it, or make the sketch again.",
        )
    if len(content) < _FRONT.size + length:
        raise _truncated(path, len(content))
    try:
        header = json.loads(content[_FRONT.size : _FRONT.size + length])
        size = header["size"]
        whole = _FRONT.size + length + size + 4
    except (ValueError, KeyError, TypeError):
        raise _damaged(path) from None
    if len(content) < whole:
        raise _truncated(path, len(content), whole)
    if len(content) > whole or zlib.crc32(content[:-4]) != struct.unpack("<I", content[-4:])[0]:
        raise _damaged(path)
    return header, _arrays(path, header, content[_FRONT.size + length : -4])


def _arrays(path: Path, header: dict[str, Any], body: bytes) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    at = 0
    try:
        for name, kind, shape in header["arrays"]:
            if kind not in _TYPES or any(not isinstance(part, int) or part < 0 for part in shape):
                raise ValueError(kind)
            count = math.prod(shape)
            found[str(name)] = np.frombuffer(body, dtype=kind, count=count, offset=at).reshape(shape).copy()
            at += count * np.dtype(kind).itemsize
        if at != len(body):
            raise ValueError("bytes left over")
    except (ValueError, TypeError, KeyError):
        raise _damaged(path) from None
    return found


def _truncated(path: Path, there: int, whole: int | None = None) -> SketchFileError:
    of = f" of {whole:,}" if whole else ""
    return SketchFileError(f"{path} is truncated: {there:,}{of} bytes are there.", hint="Make the sketch again.")


def _damaged(path: Path) -> SketchFileError:
    return SketchFileError(f"{path} is damaged: its contents do not match its checksum.", hint="Make it again.")


def save_sketch(sketch: Any, path: Path, meta: dict[str, Any]) -> None:
    """Write a HingeSketch or StreamingSVM that has seen rows."""
    from gnomon.streaming._errors import InputError

    if not hasattr(sketch, "_core"):
        raise InputError("an empty sketch cannot be saved: nothing says yet how many columns it has.")
    state, arrays = sketch._core.state()
    own = {"n_rejected": sketch.n_rejected_, **getattr(sketch, "_own_state", dict)()}
    header = {
        "kind": type(sketch).__name__,
        "params": sketch.get_params(),
        "state": state,
        "own": own,
        "meta": meta,
    }
    write_file(path, header, arrays)


def load_sketch(path: Path) -> tuple[Any, dict[str, Any]]:
    """The sketch of a file, and what was kept beside it."""
    from gnomon.streaming._core import Core
    from gnomon.streaming.hinge_sketch import HingeSketch
    from gnomon.streaming.streaming_svm import StreamingSVM

    kinds: dict[str, Any] = {"HingeSketch": HingeSketch, "StreamingSVM": StreamingSVM}
    header, arrays = read_file(path)
    try:
        sketch = kinds[header["kind"]](**header["params"])
        core = Core.of_state(header["state"], arrays)
        sketch._core = core
        sketch.n_features_in_ = core.d
        sketch.n_rejected_ = int(header["own"]["n_rejected"])
        if hasattr(sketch, "_take_own_state"):
            sketch._take_own_state(header["own"])
        return sketch, dict(header["meta"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise SketchFileError(f"{path} is no sketch that this gnomon can use ({type(error).__name__}).") from error
