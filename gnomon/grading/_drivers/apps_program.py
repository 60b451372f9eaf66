"""Runs one program on one standard input as Python itself would: as `__main__`, with real streams.

Belongs here: loading and running. Does not belong here: comparing what was printed; waiting for threads and functions
registered with `atexit`, which the jail does.

Emits `["load", type, text]` where the program does not compile. Any other failure is the process's own; leaving with
`sys.exit`, whatever its argument, is none.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

from gnomon.grading._drivers.prelude import PRELUDE

_NAMES: dict[str, Any] = {}
exec(PRELUDE, _NAMES)
del _NAMES["__builtins__"]


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text}`."""
    sys.set_int_max_str_digits(0)
    sys.argv = ["program.py"]
    try:
        code = compile(payload["program"].removeprefix("\ufeff"), "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        emit(["load", type(error).__name__, str(error)[:500]])
        return
    space = sys.modules["__main__"].__dict__
    space.update(_NAMES)
    with contextlib.suppress(SystemExit):
        exec(code, space)
