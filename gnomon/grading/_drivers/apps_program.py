"""Runs one program on one standard input as Python itself would: as `__main__`, with real streams.

Belongs here: loading and running. Does not belong here: comparing what was printed; waiting for threads and functions
registered with `atexit`, which the jail does.

What Python alone would not load and the release does, since it runs every program as the body of a function: a `return`
outside of any function ends the program, as many of the data set's own solutions need it; a program with a `nonlocal`
for a name of its own is run as the body of a function.

Emits `["load", type, text]` where the program does not compile. Any other failure is the process's own; leaving with
`sys.exit`, whatever its argument, is none.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import types
from collections.abc import Callable
from typing import Any

from gnomon.grading._drivers.prelude import PRELUDE

_NAMES: dict[str, Any] = {}
exec(PRELUDE, _NAMES)
del _NAMES["__builtins__"]


class _Ends(ast.NodeTransformer):
    """Makes every `return` that stands in no function the end of the program."""

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        return ast.copy_location(ast.Raise(exc=ast.Name("SystemExit", ast.Load()), cause=None), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return node


_BODY = "_program_as_function"


def compiled(program: str) -> types.CodeType:
    """The program, changed where Python alone would not load it; raises what Python raises where that is no help.

    >>> with contextlib.suppress(SystemExit):
    ...     exec(compiled("for x in range(9):\\n    print(x)\\n    if x:\\n        return\\n"))
    0
    1
    >>> exec(compiled("x = 1\\ndef f():\\n    nonlocal x\\n    x = 2\\nf()\\nprint(x)\\n"), {})
    2
    """
    try:
        return compile(program, "program.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        if error.args[0] == "'return' outside function":
            with contextlib.suppress(SyntaxError):
                return _code(_Ends().visit(ast.parse(program)))
        with contextlib.suppress(SyntaxError):
            return _code(_as_function(ast.parse(program)))
        raise


def _code(tree: ast.Module) -> types.CodeType:
    return compile(ast.fix_missing_locations(tree), "program.py", "exec", dont_inherit=True)


def _as_function(tree: ast.Module) -> ast.Module:
    """The program as a function and a call of it; what may stand in modules alone stays outside."""
    frame = ast.parse(f"def {_BODY}(): pass\n{_BODY}()")
    function = frame.body[0]
    assert isinstance(function, ast.FunctionDef)
    outside = [node for node in tree.body if _only_in_modules(node)]
    function.body = [node for node in tree.body if node not in outside] or function.body
    frame.body[:0] = outside
    return frame


def _only_in_modules(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.names[0].name == "*")


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text}`."""
    sys.set_int_max_str_digits(0)
    sys.argv = ["program.py"]
    try:
        code = compiled(payload["program"].removeprefix("\ufeff"))
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        emit(["load", type(error).__name__, str(error)[:500]])
        return
    space = sys.modules["__main__"].__dict__
    space.update(_NAMES)
    with contextlib.suppress(SystemExit):
        exec(code, space)
