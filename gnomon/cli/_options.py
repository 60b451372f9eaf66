"""Flags that several verbs share.

Belongs here: their names, help and reading. Does not belong here: what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["json_option", "key_values", "runs_dir_option"]

F = TypeVar("F", bound=Callable[..., Any])


def key_values(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`key=value` given any number of times, as a dict; a key given twice or without a value is an error."""
    found: dict[str, str] = {}
    flag = param.opts[0]
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise click.UsageError(f"{flag} {text}: write  {flag} key=value .")
        if key in found:
            raise click.UsageError(f"{flag} {key}=... was given twice; join several names with commas.")
        found[key] = value
    return found


def runs_dir_option(command: F) -> F:
    return click.option(
        "--runs-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("runs"),
        show_default=True,
        help="Folder of runs.",
    )(command)


def json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object a line on standard output, for machines."
    )(command)
