"""Turning arguments into arrays that the formulas can trust, or into an error that names the first bad value.

Belongs here: checks of length, type and range that several files of `stats/` share. Does not belong here: statistics.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError

__all__ = ["BoolArray", "FloatArray", "fractions", "natural", "numbers", "outcomes", "same_length", "share"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def numbers(values: ArrayLike, name: str) -> FloatArray:
    """`values` as a non-empty vector of finite floats; `name` is what the error calls it.

    Raises
    ------
    UsageError
        If `values` is empty, not one-dimensional, not numeric (text and None included), or holds NaN or infinity.

    Examples
    --------
    >>> numbers([True, False], "values")
    array([1., 0.])
    """
    try:
        given: NDArray[Any] = np.asarray(values)
    except ValueError as error:  # ragged nesting
        raise UsageError(f"{name} is no array: {error}.", hint="Pass a flat list or vector of numbers.") from error
    if given.ndim != 1:
        raise UsageError(f"{name} has shape {given.shape}, not (n,).", hint="Pass a flat list or vector of numbers.")
    if given.size == 0:
        raise UsageError(f"{name} is empty, and nothing may be claimed from no items.")
    if given.dtype.kind not in "biuf":
        raise UsageError(
            f"{name} holds {given.dtype} values such as {given[0]!r}, not numbers.",
            hint="Leave out items that have no value, or count them as 0, before asking.",
        )
    array = given.astype(np.float64)
    _refuse(array, ~np.isfinite(array), name, "not finite", "Leave out items that have no value, or count them as 0.")
    return array


def fractions(values: ArrayLike, name: str) -> FloatArray:
    """Like `numbers`, and every value must lie in [0, 1].

    Raises
    ------
    UsageError
        As `numbers` does, or if a value is below 0 or above 1.

    Examples
    --------
    >>> fractions([0, 0.5], "confidence")
    array([0. , 0.5])
    """
    array = numbers(values, name)
    _refuse(array, (array < 0) | (array > 1), name, "outside [0, 1]", "Pass fractions, not percentages or logits.")
    return array


def outcomes(values: ArrayLike, name: str) -> BoolArray:
    """Like `numbers`, and every value must be 0 or 1 (or a bool); gives a boolean vector.

    Raises
    ------
    UsageError
        As `numbers` does, or if a value is neither 0 nor 1.

    Examples
    --------
    >>> outcomes([1, 0], "correct")
    array([ True, False])
    """
    array = numbers(values, name)
    _refuse(array, (array != 0) & (array != 1), name, "neither 0 nor 1", "Pass one right (1) or wrong (0) an item.")
    return np.equal(array, 1)


def same_length(**parts: FloatArray | BoolArray) -> None:
    """Refuse vectors of unequal length; the keywords are the names that the error uses.

    Raises
    ------
    UsageError
        If two of them differ in length.

    Examples
    --------
    >>> same_length(a=np.zeros(2), b=np.ones(2))
    """
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UsageError(f"These must hold one value for each item: {listing}.", hint="Match the items by id first.")


def share(value: float, name: str) -> float:
    """`value` as a float strictly between 0 and 1.

    Raises
    ------
    UsageError
        If it is not a number in (0, 1).

    Examples
    --------
    >>> share(0.95, "level")
    0.95
    """
    if not isinstance(value, int | float | np.floating) or not 0 < value < 1:
        raise UsageError(f"{name} is {value!r}, not a number strictly between 0 and 1.")
    return float(value)


def natural(value: int, name: str, *, least: int) -> int:
    """`value` as an int that is at least `least`.

    Raises
    ------
    UsageError
        If it is no whole number or too small.

    Examples
    --------
    >>> natural(np.int64(3), "n", least=1)
    3
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise UsageError(f"{name} is {value!r}, not a whole number.") from error
    if isinstance(value, bool) or number < least:
        raise UsageError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    return number


def _refuse(array: FloatArray, bad: BoolArray, name: str, fault: str, hint: str) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        found = f"{name} holds {int(bad.sum())} of {len(array)} values that are {fault}"
        raise UsageError(f"{found}; the first is {float(array[first])} at position {first}.", hint=hint)
