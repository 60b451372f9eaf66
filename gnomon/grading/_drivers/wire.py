"""Python values as JSON and back, for values that pass between a jail and whoever judges them.

Belongs here: what crosses, and as what. Does not belong here: comparing. It runs on both sides: inside a jail as text,
and in the parent as a module. `encode` meets hostile objects and `decode` hostile text; neither calls a method that a
program could have written, truth values apart.

Text, truth values, None, lists, short integers and finite floats are themselves. All else is an object with one key::

    {"int": "-ff"}  {"float": "nan"}  {"complex": [1.0, 2.0]}  {"bytes": "00ff"}
    {"fraction": [1, 3]}  {"decimal": "1.50"}
    {"tuple": [...]}  {"set": [...]}  {"frozenset": [...]}  {"deque": [...]}  {"dict": [[key, value], ...]}
    {"array": [dtype, shape, bytes]}  {"scalar": [dtype, bytes]}          of numpy
    {"opaque": [type name, truth value]}                                   anything else, equal to itself alone
"""

from __future__ import annotations

import collections
import decimal
import fractions
import math
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Opaque", "WireError", "decode", "encode"]

_SHORT = 1 << 63
_KINDS = "biufcUS"
_GROUPS: list[tuple[str, Any]] = [
    ("list", list),
    ("tuple", tuple),
    ("set", set),
    ("frozenset", frozenset),
    ("deque", collections.deque),
]
# A dict, and what is equal to a dict with the same entries though it says so in words of its own.
_DICTS: list[Any] = [dict.__eq__, collections.OrderedDict.__eq__, collections.Counter.__eq__]


class WireError(ValueError):
    """Not what `encode` writes."""


class Opaque:
    """A value that did not cross: its type's name and its truth value. It is equal to nothing but itself.

    >>> Opaque("generator", True) == Opaque("generator", True)
    False
    """

    def __init__(self, kind: str, truth: bool) -> None:
        self.kind, self.truth = kind, truth

    def __bool__(self) -> bool:
        return self.truth

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def encode(value: Any) -> Any:
    """`value` as JSON can hold it; never fails on account of what `value` is.

    >>> encode((1, {2: 0.5}))
    {'tuple': [1, {'dict': [[2, 0.5]]}]}
    >>> encode(x for x in [])
    {'opaque': ['generator', True]}
    """
    try:
        return _encode(value)
    except Exception:  # nested without end, or a type that does not want to be looked at
        return _opaque(value)


def _encode(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_SHORT < value < _SHORT else {"int": format(value, "x")}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [_encode(one) for one in value]
    if kind is tuple:
        return {"tuple": [_encode(one) for one in value]}
    numpy: Any = sys.modules.get("numpy")
    if hasattr(numpy, "ndarray") and isinstance(value, (numpy.ndarray, numpy.generic)):
        return _numpy(numpy, value)
    return _less_common(value, kind)


def _less_common(value: Any, kind: Any) -> Any:
    """Types seldom seen, and subclasses that compare as the type they come from."""
    if isinstance(value, dict) and kind.__eq__ in _DICTS:
        return {"dict": [[_encode(key), _encode(one)] for key, one in dict.items(value)]}
    for name, base in _GROUPS:
        if isinstance(value, base) and kind.__eq__ is base.__eq__:
            parts = [_encode(one) for one in base.__iter__(value)]
            return parts if base is list else {name: parts}
    plain: Any
    for plain, base in ((str.__str__, str), (int.__int__, int), (float.__float__, float)):
        if isinstance(value, base) and kind.__eq__ is base.__eq__:
            return _encode(plain(value))
    if kind is complex:
        return {"complex": [_encode(value.real), _encode(value.imag)]}
    if kind is bytes or kind is bytearray:
        return {"bytes": value.hex()}
    if kind is fractions.Fraction:
        return {"fraction": [_encode(value.numerator), _encode(value.denominator)]}
    if kind is decimal.Decimal:
        return {"decimal": str(value)}
    return _opaque(value)


def _numpy(numpy: Any, value: Any) -> Any:
    dtype = value.dtype
    if dtype.kind not in _KINDS or type(value) not in (numpy.ndarray, numpy.matrix, dtype.type):
        return _opaque(value)
    if dtype.kind in "US" and isinstance(value, numpy.generic):
        return _encode(value.item())
    if isinstance(value, numpy.generic):
        return {"scalar": [dtype.str, value.tobytes().hex()]}
    return {"array": [dtype.str, list(value.shape), value.tobytes().hex()]}


def _opaque(value: Any) -> Any:
    truth = True
    try:
        truth = bool(value)
    except Exception:  # an object may refuse to be true or false; nobody may fail on that
        truth = True
    return {"opaque": [str(type.__dict__["__name__"].__get__(type(value)))[:100], truth]}


def decode(data: Any) -> Any:
    """The value that `encode` was given; raises WireError for anything that it does not write.

    >>> decode({"tuple": [1, {"int": "-8000000000000000"}]})
    (1, -9223372036854775808)
    >>> decode({"tuple": 3})
    Traceback (most recent call last):
    gnomon.grading._drivers.wire.WireError: not a value: {'tuple': 3}
    """
    try:
        return _decode(data)
    except RecursionError:
        raise WireError("not a value: nested too deeply") from None


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return [_decode(one) for one in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((tag, inner),) = data.items()
        if tag in _READERS:
            try:
                return _READERS[tag](inner)
            except WireError:
                raise
            except (TypeError, ValueError, AttributeError, ArithmeticError, ImportError):
                pass
    raise WireError(f"not a value: {str(data)[:100]}")


def _parts(inner: Any) -> list[Any]:
    if not isinstance(inner, list):
        raise TypeError
    return [_decode(one) for one in inner]


def _array(inner: Any) -> Any:
    import numpy

    name, shape, data = inner
    flat = numpy.frombuffer(bytes.fromhex(data), _dtype(name)) if data else numpy.zeros(0, _dtype(name))
    return flat.reshape(shape).copy()


def _scalar(inner: Any) -> Any:
    import numpy

    name, data = inner
    (value,) = numpy.frombuffer(bytes.fromhex(data), _dtype(name))
    return value


def _dtype(name: Any) -> Any:
    import numpy

    # Letter and size: anything else could name a structure, or an object's address.
    if not isinstance(name, str) or len(name) < 3 or name[1] not in _KINDS or not name[2:].isdecimal():
        raise ValueError
    return numpy.dtype(name)


def _opaque_from(inner: Any) -> Opaque:
    kind, truth = inner
    if not isinstance(kind, str) or not isinstance(truth, bool):
        raise TypeError
    return Opaque(kind, truth)


def _special(inner: Any) -> float:
    if inner not in ("nan", "inf", "-inf"):
        raise ValueError
    return float(inner)


_READERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda inner: int(inner, 16),
    "float": _special,
    "complex": lambda inner: complex(*_parts(inner)),
    "bytes": bytes.fromhex,
    "fraction": lambda inner: fractions.Fraction(*_parts(inner)),
    "decimal": decimal.Decimal,
    "tuple": lambda inner: tuple(_parts(inner)),
    "set": lambda inner: set(_parts(inner)),
    "frozenset": lambda inner: frozenset(_parts(inner)),
    "deque": lambda inner: collections.deque(_parts(inner)),
    "dict": lambda inner: dict(map(_parts, inner)),
    "array": _array,
    "scalar": _scalar,
    "opaque": _opaque_from,
}
