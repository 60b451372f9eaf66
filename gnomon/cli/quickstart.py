"""`gnomon quickstart`. Belongs here: one small run that needs no network, no data and no choice."""

from __future__ import annotations

from pathlib import Path

import click

from gnomon.cli._options import runs_dir_option


@click.command("quickstart")
@click.option("--limit", type=click.IntRange(min=1), default=12, show_default=True, help="Items a subset.")
@runs_dir_option
def command(limit: int, runs_dir: Path) -> int:
    """Try gnomon: ask the embedded model (SmolLM2-135M) the embedded facts. Takes about a minute on a laptop."""
    from gnomon.cli._progress import Bar
    from gnomon.cli.eval import finish
    from gnomon.evaluation import evaluate

    with Bar("facts · smollm2") as bar:
        run = evaluate(
            "facts",
            "smollm2",
            limit=limit,
            runs_dir=runs_dir,
            progress=bar,
            command=f"gnomon eval facts -m smollm2 --limit {limit}",
        )
    finish(run, as_json=False)
    click.echo(
        "\nNext:   gnomon ls tasks        gnomon eval mmlu -m smollm2 -T data=FOLDER --limit 20        gnomon doctor"
    )
    return 0
