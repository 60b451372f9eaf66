"""How a verb that makes a run begins and ends: the command as typed, names joined by commas, what is shown of the run.

Belongs here: what every such verb says alike. Does not belong here: flags (`_options.py`), tables (`_show.py`).
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from rich.markup import escape

if TYPE_CHECKING:
    from gnomon.runs import Run

__all__ = ["end", "names_in", "typed"]

_NUMBERS = ("estimate", "verdict", "table", "matrix", "curve", "scatter", "note")


def typed() -> str:
    """The command as it was typed; "" where gnomon was not started from a command line."""
    return shlex.join(["gnomon", *sys.argv[1:]]) if len(sys.argv) > 1 else ""


def names_in(text: str) -> list[str]:
    """Names joined by commas.

    >>> names_in("boolq, rte,")
    ['boolq', 'rte']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def end(
    run: Run,
    as_json: bool,
    *,
    about: str = "",
    incomplete: str = "",
    report: bool = True,
    files: Mapping[str, object] | None = None,
) -> int:
    """Show a run, or its numbers as one line of JSON, and give the exit status: 1 where it is incomplete.

    Parameters
    ----------
    about : str
        What follows the title.
    incomplete : str
        What to do where the run is incomplete.
    report : bool
        Whether there is one.
    files : mapping of name to path
        What else was written.
    """
    status = 0 if run.manifest.status == "complete" else 1
    if as_json:
        kept = [block.model_dump(mode="json") for block in run.result() if block.kind in _NUMBERS]
        about_run = {"run": str(run.path), "status": run.manifest.status, "statuses": run.manifest.statuses}
        click.echo(json.dumps({**about_run, "blocks": kept}))
        return status
    from gnomon.cli._show import console, show

    out = console()
    out.print(f"\n[bold]{escape(run.manifest.title)}{f'  [dim]{escape(about)}[/dim]' if about else ''}[/bold]")
    show(run.result(), out)
    if status:
        out.print(f"[bold]The run is incomplete.[/bold] {escape(incomplete)}")
    if report:
        out.print(f"\nReport: open {run.path / 'report.html'} in a browser", soft_wrap=True, markup=False)
    for name, path in {**(files or {}), "Run": run.path}.items():
        out.print(f"{name + ':':<7} {path}", soft_wrap=True, markup=False)
    return status
