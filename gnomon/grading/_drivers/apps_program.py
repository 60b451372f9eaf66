"""Runs one program on one standard input as Python itself would: as `__main__`, with real streams.

Belongs here: loading and running. Does not belong here: comparing what was printed; waiting for threads and functions
registered with `atexit`, which the jail does.

A `return` outside of any function ends the program: many of the release's own solutions have one, since it runs every
program as the body of a function, and Python alone would not load them.

Emits `["load", type, text]` where the program does not compile. Any other failure is the process's own; leaving with
`sys.exit`, whatever its argument, is none.
"""

from __future__ import annotations

import ast
import contextlib
import sys
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


def _compiled(program: str) -> Any:
    try:
        return compile(program, "program.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        if "'return' outside function" not in str(error):
            raise
    tree = ast.fix_missing_locations(_Ends().visit(ast.parse(program, "program.py")))
    return compile(tree, "program.py", "exec", dont_inherit=True)


def main(payload: Any, emit: Callable[[Any], None], receive: Callable[[], Any]) -> None:
    """`payload`: `{"program": text}`."""
    sys.set_int_max_str_digits(0)
    sys.argv = ["program.py"]
    try:
        code = _compiled(payload["program"].removeprefix("\ufeff"))
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        emit(["load", type(error).__name__, str(error)[:500]])
        return
    space = sys.modules["__main__"].__dict__
    space.update(_NAMES)
    with contextlib.suppress(SystemExit):
        exec(code, space)
