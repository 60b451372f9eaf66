"""Comparing what programs print and return without the faults of APPS' release.

Belongs here: two comparisons and their rules. Does not belong here: running programs, whole programs.

What is printed
    Line by line and token by token, in order; blanks between tokens and blank lines play no part, case does. Two tokens
    agree if they are the same text. They also agree if both are decimal numbers and the expected one is

    - an integer, and the other has the same value (`2.0` for `2`), but not where either has leading zeros and not where
      both are integers (`07` for `7`);
    - a number with a point or an exponent, and the other is within 1e-6 of it, absolutely or relatively;
    - an infinity, and the other is the same one, or NaN, and the other is NaN.

What is returned
    Python's `==`, on values as JSON has them: tuples and numpy's arrays are lists, keys of dicts are texts. It takes
    True for 1 and 1.0 for 1, and has no tolerance. The expected value may stand in a list by itself, as in the release.
"""

from __future__ import annotations

import decimal
import math
import re
from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "arguments", "same_printed", "same_returned", "text_of"]

TOLERANCE = 1e-6
"""Absolute for expected values up to 1, relative above."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PADDED = re.compile(r"[+-]?0[0-9].*")
_SPECIAL = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)


def text_of(value: Any) -> str:
    """An input or output for standard streams: a text, a list of lines, or another JSON value, as Python prints it."""
    if isinstance(value, list):
        return "\n".join(text_of(line) for line in value)
    return value if isinstance(value, str) else str(value)


def arguments(given: Any) -> list[Any]:
    """An input as a list of arguments. Keys of dicts are turned into integers where all can be: JSON has made texts of
    them. The release does so for the first argument alone, and drops the others."""
    return [_whole_keys(one) for one in given] if isinstance(given, list) else [given]


def _whole_keys(value: Any) -> Any:
    if isinstance(value, dict) and value and all(re.fullmatch("-?[0-9]{1,600}", key) for key in value):
        return {int(key): inner for key, inner in value.items()}
    return value


def same_printed(printed: str, output: Any) -> bool:
    """Whether what was printed agrees with the expected `output`, a text or a list of lines.

    >>> same_printed("1 2\\n\\n", "1 2"), same_printed("2 1", "1 2"), same_printed("1\\n2", "1 2")
    (True, False, False)
    >>> same_printed("0.3333331", "0.333333"), same_printed("1000001000", "1000000000")
    (True, False)
    """
    own, wanted = _rows(printed), _rows(text_of(output))
    return len(own) == len(wanted) and all(
        len(ours) == len(theirs) and all(map(_same_token, ours, theirs))
        for ours, theirs in zip(own, wanted, strict=True)
    )


def _rows(text: str) -> list[list[str]]:
    return [tokens for line in text.split("\n") if (tokens := line.split())]


def _same_token(own: str, wanted: str) -> bool:
    if own == wanted:
        return True
    if _SPECIAL.fullmatch(wanted):
        return bool(_SPECIAL.fullmatch(own)) and _same_special(float(own), float(wanted))
    if not (_NUMBER.fullmatch(wanted) and _NUMBER.fullmatch(own)):
        return False
    if _INTEGER.fullmatch(wanted):
        plain = _INTEGER.fullmatch(own) or _PADDED.fullmatch(own) or _PADDED.fullmatch(wanted)
        return not plain and _exact(own) == _exact(wanted)
    ours, theirs = float(own), float(wanted)
    return ours == theirs or abs(ours - theirs) <= TOLERANCE * max(1.0, abs(theirs))


def _same_special(own: float, wanted: float) -> bool:
    return own == wanted or (math.isnan(own) and math.isnan(wanted))


def _exact(token: str) -> decimal.Decimal | None:
    try:
        return decimal.Decimal(token)
    except decimal.InvalidOperation:  # an exponent beyond all bounds
        return None


def same_returned(value: Any, output: Any) -> bool:
    """Whether the returned `value` agrees with the expected `output`, or with the one element of that list.

    >>> same_returned((1, 2), [1, 2]), same_returned(3, [3]), same_returned(1, [1, 2])
    (True, True, False)
    >>> same_returned({1: 2}, {"1": 2}), same_returned(0.1 + 0.2, 0.3)
    (True, False)
    """
    own = _as_json(value)
    try:
        return bool(own == _as_json(output)) or (
            isinstance(output, list) and len(output) == 1 and bool(own == _as_json(output[0]))
        )
    except (decimal.InvalidOperation, RecursionError):  # a signalling NaN; lists in lists without end
        return False


def _as_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {_key(key): _as_json(inner) for key, inner in value.items()}
    return value


def _key(key: Any) -> Any:
    """A key as JSON writes it."""
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key) if isinstance(key, int | float) and abs(key) < 1 << 64 else key
