"""Runs a problem's own tests, with a stand-in for the function under test that asks for its values from outside.

Belongs here: code of the data set, which is trusted. Does not belong here: a line of a program under test
(`humaneval_candidate.py`, in another jail): neither the tests nor the verdict ever meet it.

It checks one program after another, each in a fresh name space, whenever it receives `["check"]`; it ends when the
parent ends it. For each it emits `["call", arguments, keywords]` and receives `["value", value]` or
`["raised", type, text]`; at the end `["passed"]`, `["failed", type, text]`, or `["broken", type, text]` where the data
themselves do not run.
"""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Callable
from typing import Any

from gnomon.grading._drivers.wire import decode, encode


class CandidateError(Exception):
    """An exception of the program under test that has no name here."""


def _raise(name: Any, text: Any) -> None:
    """Raise what the program raised, where tests could expect it; never what would end this process."""
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind, text = CandidateError, f"{name}: {text}"
    try:
        error = kind(text)
    except TypeError:  # such as UnicodeDecodeError, which wants more than a text
        error = CandidateError(f"{name}: {text}")
    raise error


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"prompt": text, "test": text, "name": function}`."""

    def candidate(*arguments: Any, **keywords: Any) -> Any:
        emit(["call", encode(list(arguments)), encode(keywords)])
        reply = receive()
        if reply[0] == "raised":
            _raise(reply[1], reply[2])
        return decode(reply[1])

    parts: list[Any] = []
    while True:
        receive()
        sys.stdout = sys.stderr = io.StringIO()
        try:
            parts = parts or [_prompt(payload["prompt"]), compile(payload["test"], "test", "exec")]
            check = _tests(parts, payload["name"], candidate)
        except Exception as error:
            emit(["broken", type(error).__name__, str(error)[:500]])
            continue
        try:
            check(candidate)
        except Exception as error:
            emit(["failed", type(error).__name__, str(error)[:500]])
        else:
            emit(["passed"])


def _prompt(text: str) -> Any:
    """The prompt as a program: one that ends in a function's head, without a docstring, is given a body."""
    try:
        return compile(text, "prompt", "exec")
    except SyntaxError:
        return compile(f"{text}\n    pass\n", "prompt", "exec")


def _tests(parts: list[Any], name: str, candidate: Callable[..., Any]) -> Callable[..., Any]:
    """The problem's `check`, anew."""
    space: dict[str, Any] = {}
    prompt, test = parts
    exec(prompt, space)  # its helper functions, which tests use
    space[name] = candidate
    exec(test, space)
    found: Callable[..., Any] = space["check"]
    return found
