"""`gnomon report`. Belongs here: flags. The page is made in `report/`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--title", help="Heading of the page.")
def command(runs: tuple[Path, ...], output: Path, title: str | None) -> int:
    """One HTML page from one or more runs. It opens from disk with the network off."""
    from gnomon.files import write_atomically
    from gnomon.report import render
    from gnomon.runs import Run
    from gnomon.studies import report_run

    write_atomically(output, render([report_run(Run(path)) for path in runs], title=title))
    click.echo(f"Report: open {output} in a browser")
    return 0
