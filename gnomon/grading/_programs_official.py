"""Comparing as the release of APPS does (eval/testing_util.py at 362aedc), its faults included.

Belongs here: from what a program printed or returned to the release's verdict on one case. Does not belong here:
running programs (`_drivers/apps_official.py`), whole programs (`programs.py`).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gnomon.grading._programs_cases import lines

__all__ = ["WorkerDied", "arguments", "printable", "same_printed", "same_returned", "whole_keys"]


class WorkerDied(Exception):
    """The release's comparison raises, which ends its worker and with it all results of the program."""


def whole_keys(value: Any) -> Any:
    """A dict with its keys turned into integers, where all can be; anything else as it is. JSON has no other keys than
    texts, and the release guesses that they were numbers."""
    if isinstance(value, dict):
        try:
            return {int(key): inner for key, inner in value.items()}
        except ValueError:
            return value
    return value


def arguments(given: Any) -> Any:
    """An input as the release hands it over: a dict that comes first has its keys turned into integers, and takes all
    other arguments with it.

    >>> arguments([{"1": "a"}, 2])
    [{1: 'a'}]
    """
    if isinstance(given, list) and given and isinstance(given[0], dict):
        changed = whole_keys(given[0])
        return given if changed is given[0] else [changed]
    return given


def _expected(output: Any) -> Any:
    """An output as the release compares it: a dict with integer keys, in a list."""
    if isinstance(output, dict):
        changed = whole_keys(output)
        output = output if changed is output else [changed]
    if isinstance(output, list) and output and isinstance(output[0], dict):
        changed = whole_keys(output[0])
        output = output if changed is output[0] else [changed]
    return output


def printable(value: Any) -> Any:
    """An input or output for standard streams: lines as one text, all else as it is; raises WorkerDied for a list of
    anything else."""
    try:
        return lines(value)
    except TypeError:
        raise WorkerDied(f"a list of other things than lines: {str(value)[:100]}") from None


def same_printed(printed: str, output: Any) -> bool:
    """Whether the release takes what was printed for the expected `output`, a text or a list of lines.

    Seven ways to agree, one after the other. The last two take each line as a set of tokens and the whole as a set of
    lines, so order and number play no part.

    Raises
    ------
    WorkerDied
        If the expected output is neither text nor lines.

    Examples
    --------
    >>> same_printed("3 2 1", "1 2 3"), same_printed("1 1 2 2\\n", "1 2\\n"), same_printed("Yes", "YES")
    (True, True, False)
    """
    expected = printable(output)
    if not isinstance(expected, str):
        raise WorkerDied(f"an expected output is no text: {str(output)[:100]}")
    own = printed.splitlines()
    if expected.strip() in ("\n".join(own).strip(), "\n".join(line.strip() for line in own).strip()):
        return True
    if own == [expected]:
        return True
    wanted = [line.strip() for line in expected.split("\n") if line]
    own_lines = [line for line in own if line]
    if wanted in (own, own_lines) or _close(own_lines, wanted):
        return True
    # Blank lines are dropped on our side only: the release drops none of the expected ones here.
    tokens, wanted_tokens = [line.split() for line in own_lines], [line.split() for line in wanted]
    tokens = [line for line in tokens if line]
    if {frozenset(line) for line in tokens} == {frozenset(line) for line in wanted_tokens}:
        return True
    try:
        return _rounded(tokens) == _rounded(wanted_tokens)
    except (ValueError, OverflowError):  # not all of them are numbers
        return False


def _close(own: list[str], wanted: list[str]) -> bool:
    """Every line one number, and all within 1e-8 + 1e-5 |expected|."""
    try:
        ours, theirs = [float(line) for line in own], [float(line) for line in wanted]
    except ValueError:
        return False
    if len(ours) != len(theirs):
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(ours, theirs))


def _rounded(rows: list[list[str]]) -> set[frozenset[float]]:
    return {frozenset(round(float(token), 3) for token in row) for row in rows}


def same_returned(value: Any, outputs: tuple[Any, ...], index: int) -> bool | int:
    """Whether the release takes the returned `value` for the expected one: True, False, or -1 where comparing fails.

    `==` with `outputs[index]`, or with its first element where it is a list, whatever its length; a tuple is taken as a
    list, a list of tuples as a list of lists in the second comparison only.

    Examples
    --------
    >>> same_returned(3, ([3],), 0), same_returned(1, ([1, 2],), 0), same_returned((1, 2), ([1, 2],), 0)
    (True, True, True)
    >>> same_returned(np.array([1, 2]), ([1, 2],), 0)
    -1
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # numpy's, about comparing an array with something of another shape
        try:
            same = _equal(list(value) if isinstance(value, tuple) else value, _expected(outputs[index]))
        except Exception:  # `outputs` has no such index, or the truth of an array is asked for
            return -1
        if isinstance(same, np.ndarray):  # of an array that was compared once and never asked for its truth
            return bool(same.flat[0]) if same.size else False
        return bool(same)


def _equal(value: Any, expected: Any) -> Any:
    same = value == expected
    if isinstance(expected, list) and expected:
        same = same or (value == expected[0])
    try:
        tuples = isinstance(value[0], tuple)
    except Exception:  # a value that has no first element
        tuples = False
    if tuples:
        try:
            same = same or ([list(part) for part in value] == expected[0])
        except Exception:  # some other element is no sequence, or nothing is expected
            return same
    return same
