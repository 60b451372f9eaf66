"""`gnomon compare`. Belongs here: flags and what is printed. The comparison is in `evaluation/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, cast

import click

from gnomon.cli._options import json_option


@click.command("compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--q", type=float, default=0.05, show_default=True, help="False-discovery rate over subsets.")
@click.option(
    "--method",
    type=click.Choice(["bh", "by"]),
    default="bh",
    show_default=True,
    help="Benjamini-Hochberg or -Yekutieli.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--across-protocols", is_flag=True, help="Compare runs that were asked under different protocols.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the comparison as an HTML page."
)
@json_option
def command(
    a: Path, b: Path, q: float, method: str, seed: int, across_protocols: bool, output: Path | None, as_json: bool
) -> int:
    """Two runs on the same items: A is the one to beat, B the other. Differences are B minus A."""
    from gnomon.cli._show import console, show
    from gnomon.evaluation import compare
    from gnomon.report import ReportRun, write
    from gnomon.runs import Run

    first, second = Run(a), Run(b)
    kind = cast(Literal["bh", "by"], method)
    blocks = compare(first, second, q=q, method=kind, seed=seed, across_protocols=across_protocols)
    if output is not None:
        page = ReportRun(
            id=f"{first.manifest.id} vs {second.manifest.id}",
            title=f"{second.manifest.title} against {first.manifest.title}",
            status="complete",
            facts={"A": first.manifest.id, "B": second.manifest.id, "seed": str(seed)},
            blocks=blocks,
            reproduce=f"gnomon compare {a} {b} --q {q} --method {method} --seed {seed}",
        )
        write([page], output)
    if as_json:
        click.echo(
            json.dumps({"a": str(a), "b": str(b), "blocks": [block.model_dump(mode="json") for block in blocks]})
        )
        return 0
    out = console()
    show(blocks, out)
    if output is not None:
        out.print(f"\nReport: open {output} in a browser", soft_wrap=True, markup=False)
    return 0
