"""Calls one function of a program on one list of arguments.

Belongs here: loading, finding the function, calling it. Does not belong here: comparing what it returns.

Emits `["load", type, text]` where the program does not load or has no such function, else `["value", what was
returned]`. An exception of the call is the process's own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

from gnomon.grading._drivers.prelude import PRELUDE
from gnomon.grading._drivers.wire import decode, encode

_NAMES: dict[str, Any] = {}
exec(PRELUDE, _NAMES)
del _NAMES["__builtins__"]


def _function(space: dict[str, Any], name: str) -> Callable[..., Any]:
    """The method of that name of `Solution()`, else the function."""
    solution = space.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        return getattr(solution(), name)  # type: ignore[no-any-return]
    if name in space:
        return space[name]  # type: ignore[no-any-return]
    raise AttributeError(f"there is no function '{name}'")


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text, "name": function, "arguments": list}`."""
    sys.set_int_max_str_digits(0)
    sys.argv = ["program.py"]
    given = decode(payload["arguments"])
    module = sys.modules["__main__"]
    # The part for `__main__` is not run: it would read an input that there is none of.
    module.__name__ = "program"
    sys.modules["program"] = module
    space = module.__dict__
    space.update(_NAMES)
    try:
        code = compile(payload["program"].removeprefix("\ufeff"), "program.py", "exec", dont_inherit=True)
        with contextlib.suppress(SystemExit):
            exec(code, space)
        function = _function(space, payload["name"])
    except Exception as error:
        emit(["load", type(error).__name__, str(error)[:500]])
        return
    emit(["value", encode(function(*given))])
