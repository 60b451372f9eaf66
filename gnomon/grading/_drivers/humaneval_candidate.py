"""Serves calls of one function of an untrusted program, one after the other.

Belongs here: loading and calling. Does not belong here: which calls there are, and what they should give
(`humaneval_checker.py`, in another jail).

Emits `["ready"]` or `["load", type, text]`; then for each `["call", arguments, keywords]` that it receives
`["value", what was returned]` or `["raised", type, text]`. It ends when the parent ends it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from gnomon.grading._drivers.guard import take_away
from gnomon.grading._drivers.wire import decode, encode


class _WriteOnly(io.StringIO):
    """A text in memory for all three streams, which refuses to be read, as in the release (execution.py)."""

    def read(self, *args: Any) -> NoReturn:
        raise OSError

    readline = readlines = read

    def readable(self) -> bool:
        return False


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text, "name": function}`."""
    sys.stdin = sys.stdout = sys.stderr = _WriteOnly()
    take_away()
    space: dict[str, Any] = {}
    try:
        exec(payload["program"], space)
        function = space[payload["name"]]
    except BaseException as error:
        emit(["load", type(error).__name__, str(error)[:500]])
        return
    emit(["ready"])
    while True:
        _, arguments, keywords = receive()
        try:
            value = function(*decode(arguments), **decode(keywords))
        except BaseException as error:
            emit(["raised", type(error).__name__, str(error)[:500]])
        else:
            emit(["value", encode(value)])
