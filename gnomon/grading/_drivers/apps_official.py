"""Runs one program as the release of APPS does (testing_util.py): one process for all cases, streams patched.

Belongs here: the release's way of loading and calling, faults included. Does not belong here: comparing, which is done
where the expected outputs are; the release's end of 11 seconds, which is the job's limit.

Emits for each case `["text", what was printed]`, `["value", what was returned]` or `["error", type, text]`, then
`["done"]`; or `["load", type, text]` alone. A process that ends without `["done"]` is a worker that died.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn
from unittest import mock

from gnomon.grading._drivers.guard import take_away
from gnomon.grading._drivers.prelude import PRELUDE
from gnomon.grading._drivers.wire import decode, encode

_SECONDS = 4  # for loading, and for each case


class _OutOfTime(Exception):
    pass


def _ring(number: int, frame: object) -> NoReturn:
    # The words go where the program's output goes: one that swallows the exception has them in its output.
    print("alarm went off")
    raise _OutOfTime


class _Captured(io.StringIO):
    """Standard output in memory. The release's stand-in for `close` cannot be called without an argument."""

    def close(self, unused: Any) -> int:  # type: ignore[override]
        return 1


def wrap(program: str) -> str:
    """A program for standard input as the body of a function `code`, line by line; lines that begin with an import
    before any other stay outside.

    >>> print(wrap("import re\\nprint(input())").expandtabs(2), end="")
    import re
    stdin = sys.stdin
    stdout = sys.stdout
    def code():
      print(input())
    """
    text, started = [], False
    for line in program.split("\n"):
        outside = line.startswith(("from ", "import "))
        if not outside and not started:
            text.append("stdin = sys.stdin\nstdout = sys.stdout\ndef code():\n")
            started = True
        text.append(f"\t{line}\n" if started else f"{line}\n")
    return "".join(text)


def _load(program: str, name: str | None) -> Callable[..., Any]:
    """The function that every case calls. Globals are a bare dict, so `__name__` is found among the builtins."""
    space: dict[str, Any] = {}
    exec(PRELUDE + (wrap(program) if name is None else program), space)
    module: Any = types.ModuleType("tmp_sol")
    module.__dict__.update(space)
    sys.modules["tmp_sol"] = module
    if name is None:
        return module.code  # type: ignore[no-any-return]
    return getattr(module.Solution() if "class Solution" in program else module, name)  # type: ignore[no-any-return]


def _call(code: Callable[[], Any], given: Any) -> None:
    """Call `code` on an input. The object that was standard input at first gets other reading methods, and no more; the
    one that is standard input now is a text in memory; and every `open` gives the same text."""
    lines = iter(given.split("\n"))
    readers: dict[str, Any] = {
        "read": lambda *_: given,
        "readlines": lambda *_: given.split("\n"),
        "readline": lambda *_: next(lines),
    }
    with (
        mock.patch.multiple(sys.stdin, **readers),
        mock.patch.object(sys, "stdin", io.StringIO(given)),
        mock.patch("builtins.open", mock.mock_open(read_data=given)),
        contextlib.suppress(SystemExit),
    ):
        code()


def _stdio_case(code: Callable[[], Any], given: Any) -> list[Any]:
    real, captured = sys.stdout, _Captured()
    sys.stdout = captured
    try:
        signal.alarm(_SECONDS)
        try:
            _call(code, given)
            signal.alarm(0)
        except Exception as error:
            signal.alarm(0)
            return ["error", type(error).__name__, _text(error)]
        return ["text", captured.getvalue()]
    finally:
        sys.stdout = real


def _call_case(function: Callable[..., Any], given: Any) -> list[Any]:
    signal.alarm(_SECONDS)
    try:
        value = function(*given)
        signal.alarm(0)
    except Exception as error:
        signal.alarm(0)
        return ["error", type(error).__name__, _text(error)]
    return ["value", encode(value)]


def _text(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except Exception:  # an exception of the program's own making
        return ""


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text, "name": function or None, "inputs": [...]}`."""
    sys.set_int_max_str_digits(0)  # the release is of a time when integers had no limit
    take_away()
    signal.signal(signal.SIGALRM, _ring)
    name, inputs = payload["name"], [decode(one) for one in payload["inputs"]]
    signal.alarm(_SECONDS)
    try:
        function = _load(payload["program"], name)
    except Exception as error:
        signal.alarm(0)
        emit(["load", type(error).__name__, _text(error)])
        return
    signal.alarm(0)
    for given in inputs:
        emit(_stdio_case(function, given) if name is None else _call_case(function, given))
    emit(["done"])
