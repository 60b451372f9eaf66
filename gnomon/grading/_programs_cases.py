"""Test cases of APPS problems: what input_output.json holds.

Belongs here: reading and checking. Does not belong here: running and comparing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gnomon.errors import DataError

__all__ = ["Cases", "lines", "parse_cases"]

_SHORT = 600  # digits; below any limit on digits that Python may have been given


@dataclass(frozen=True, slots=True)
class Cases:
    """The test cases of one problem.

    With `fn_name` the problem is call-based: an input is a list of arguments, an output is what the function returns,
    alone or as the one element of a list. Without, an input is a text or a list of lines, and so is an output.

    The release's files do not promise as many outputs as inputs. Outputs beyond the inputs are never looked at. Where
    an input has no output the official grader does as the release (standard input: the whole program is judged to have
    died; calls: that case fails with -1), and the corrected grader leaves the case out.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    fn_name: str | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def judged(self) -> int:
        """How many cases have both an input and an output."""
        return min(len(self.inputs), len(self.outputs))


def parse_cases(text: str, where: str) -> Cases:
    """The cases in the text of an input_output.json; integers may have any number of digits.

    Parameters
    ----------
    text : str
        A JSON object with the lists "inputs" and "outputs" and, for call-based problems, "fn_name".
    where : str
        The file or record, for messages.

    Raises
    ------
    DataError
        If it is no such object. Lists of unequal length are kept: see `Cases`.

    Examples
    --------
    >>> parse_cases('{"inputs": ["1 2"], "outputs": ["3"]}', "0000/input_output.json")
    Cases(inputs=('1 2',), outputs=('3',), fn_name=None)
    """
    hint = "Get the file again; it should be as the release has it."
    try:
        try:
            data = json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # more digits than Python reads by itself
            data = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON: {error}.", hint=hint) from error
    if not isinstance(data, dict):
        raise DataError(f"{where} holds {_kind(data)}, not an object with inputs and outputs.", hint=hint)
    for key in ("inputs", "outputs"):
        if key not in data:
            raise DataError(f"{where} has no '{key}'.", hint=hint)
        if not isinstance(data[key], list):
            raise DataError(f"{where}: '{key}' is {_kind(data[key])}, not a list.", hint=hint)
    name = data.get("fn_name")
    if name is not None and not isinstance(name, str):
        raise DataError(f"{where}: 'fn_name' is {_kind(name)}, not a text.", hint=hint)
    return Cases(tuple(data["inputs"]), tuple(data["outputs"]), name)


def lines(value: Any) -> Any:
    """A list of lines as one text, and all else as it is; raises TypeError for a list of anything else.

    >>> lines(["1", "2"])
    '1\\n2'
    """
    return "\n".join(value) if isinstance(value, list) else value


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    return sign * _natural(digits)


def _natural(digits: str) -> int:
    """By halves, since `int` refuses long texts."""
    if len(digits) <= _SHORT:
        return int(digits)
    right = len(digits) // 2
    return _natural(digits[:-right]) * 10**right + _natural(digits[-right:])  # type: ignore[no-any-return]
