"""JSON that must not hurt: reading values that a hostile program wrote, writing values with very long integers.

Belongs here: text to value and back. Does not belong here: frames and pipes (`_wire.py`).
"""

from __future__ import annotations

import json
import re
import sys
import threading
from typing import Any

__all__ = ["DEPTH", "DIGITS", "NODES", "BadValue", "decode", "encode"]

DEPTH = 100
"""Levels of lists and objects that a value may have."""
NODES = 2_000_000
"""Elements that a value may have: an empty list of three bytes takes sixty-four once it is read."""
DIGITS = 200_000
"""Digits that an integer may have."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')  # possessive: no stack of places to go back to
_SAFE_DIGITS = 600  # below every limit that Python may have been given
_digits_lock = threading.Lock()


class BadValue(ValueError):
    """Not JSON, or JSON beyond the limits of this module."""


def decode(text: bytes) -> Any:
    """The value that `text` says, in bounded time and memory; raises BadValue and nothing else.

    Integers may be longer than Python's own limit, up to `DIGITS`. Lone surrogates become U+FFFD.

    >>> decode(b'{"a": [1, NaN, "x"]}')
    {'a': [1, nan, 'x']}
    >>> decode(b"[" * 100_000)
    Traceback (most recent call last):
    gnomon.sandbox._values.BadValue: more than 100 levels deep
    """
    _check_shape(text)
    try:
        plain = text.decode("utf-8")
        try:
            value = json.loads(plain)
        except BadValue:
            raise
        except json.JSONDecodeError as error:
            raise BadValue(f"not JSON: {error}") from error
        except ValueError:  # an integer beyond Python's limit on digits
            value = json.loads(plain, parse_int=_integer)
    except BadValue:
        raise
    except (ValueError, RecursionError) as error:
        raise BadValue(f"not JSON: {type(error).__name__}") from error
    return _without_lone_surrogates(value) if b"\\ud" in text or b"\\uD" in text else value


def encode(value: Any) -> bytes:
    """`value` as JSON; integers of any length.

    >>> encode([1, "é"])
    b'[1,"\\\\u00e9"]'
    """
    try:
        return json.dumps(value, separators=(",", ":")).encode()
    except ValueError as error:
        if "int_max_str_digits" not in str(error):
            raise
    with _digits_lock:  # the limit belongs to the whole interpreter, so it is away for this call only
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return json.dumps(value, separators=(",", ":")).encode()
        finally:
            sys.set_int_max_str_digits(before)


def _check_shape(text: bytes) -> None:
    brackets = text.count(b"[") + text.count(b"{")
    if brackets <= DEPTH and text.count(b",") <= NODES:
        return
    bare = _STRING.sub(b"", text)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > NODES:
        raise BadValue(f"more than {NODES:,} elements")
    import numpy as np  # here, since importing gnomon imports no numpy

    steps = np.frombuffer(bare, np.uint8)
    opened = ((steps == ord("[")) | (steps == ord("{"))).view(np.int8)
    closed = ((steps == ord("]")) | (steps == ord("}"))).view(np.int8)
    if np.cumsum(opened - closed, dtype=np.int64).max(initial=0) > DEPTH:
        raise BadValue(f"more than {DEPTH} levels deep")


def _integer(text: str) -> int:
    """`int(text)` without Python's limit on digits, by halves: about 20 ms for 200,000 digits."""
    digits = text.removeprefix("-")
    if len(digits) > DIGITS:
        raise BadValue(f"an integer of {len(digits):,} digits")
    number = _halves(digits)
    return -number if len(digits) < len(text) else number


def _halves(digits: str) -> int:
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    right = len(digits) // 2
    shift: int = 10**right
    return _halves(digits[:-right]) * shift + _halves(digits[-right:])


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(one) for one in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(one) for key, one in value.items()}
    return value
