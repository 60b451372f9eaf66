"""`gnomon stream`, `gnomon stream merge`, `gnomon stream query`. Belongs here: flags and what is printed. The study is
in `streaming/`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from gnomon.cli._ending import end, names_in, typed
from gnomon.cli._options import json_option, runs_dir_option


class _Stream(click.Group):
    """A first word that is no verb of its own is a file to learn from."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["learn", *args]
        return super().parse_args(ctx, args)


def _lams(ctx: click.Context, param: click.Parameter, text: str) -> list[float]:
    return _numbers(text, param.opts[0])


def _numbers(text: str, flag: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.UsageError(f"{flag} {text}: write numbers joined by commas.") from None


def _bytes(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgG]?)[iI]?[bB]?", text.strip())
    if not found:
        raise click.UsageError(f"--memory {text}: write bytes, as in 64K or 1M.")
    return int(float(found[1]) * 1024 ** " kmg".index(found[2].lower() or " "))


@click.group("stream", cls=_Stream)
def command() -> None:
    """How little memory is enough to learn it? An SVM from one pass over FILE, or - for standard input.

    \b
    gnomon stream points.csv --target y --epsilon 1e-3
    zcat rows.gz | gnomon stream - --memory 64K --positive 1
    gnomon stream merge a.sk b.sk -o both.sk
    gnomon stream query both.sk --theta 1.5 --bias -0.2

    All flags of the first two:  gnomon stream learn --help
    """


@command.command("learn")
@click.argument("path", metavar="FILE|-")
@click.option("--target", help="Column of labels, by name or number from 1; by default the last.")
@click.option("--columns", default="", help="Columns of x joined by commas; by default all others. At most 3 are best.")
@click.option("--positive", help="The label that is +1, all others being -1; by default labels are -1 and +1.")
@click.option("--weight", help="Column of weights.")
@click.option("--format", default="auto", show_default=True, help="csv, parquet, libsvm, lines.")
@click.option("--divide", type=float, default=1.0, help="Divide all x by this.")
@click.option(
    "--lam", "lams", default="1e-2,1e-3,1e-4", show_default=True, callback=_lams, help="Regularisation, any number."
)
@click.option("--k", type=click.IntRange(min=1), help="Size of the sketch; 1024 where nothing chooses it.")
@click.option("--epsilon", type=float, help="Choose the size for this error of the objective at the optimum.")
@click.option("--memory", callback=_bytes, help="Choose the size for these bytes of nodes and buffer, as in 64K.")
@click.option("--radius", type=float, help="A bound of all |x|, where known.")
@click.option("-o", "--out", type=click.Path(dir_okay=False), help="Sketch file; by default in the run's folder.")
@click.option("--resume", is_flag=True, help="Go on from the last saved sketch.")
@click.option("--every", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Rows between savings.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the nodes' samples.")
@click.option("--no-report", is_flag=True, help="Write no report.html (for little address space, as by ulimit -v).")
@runs_dir_option
@json_option
def learn(path: str, columns: str, no_report: bool, as_json: bool, **given: Any) -> int:
    """Learn from FILE, or - for standard input: CSV, Parquet, LIBSVM, or lines of numbers."""
    from gnomon.cli._progress import bars
    from gnomon.streaming import stream

    with bars("standard input" if path == "-" else Path(path).name, enabled=not as_json) as progress:
        run = stream(
            path,
            columns=names_in(columns),
            report=not no_report,
            progress=progress,
            command=typed(),
            **given,
        )
    sketch = given["out"] or run.path / "sketch.sk"
    return end(run, as_json, report=not no_report, files={"Sketch": sketch})


@command.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False), help="Where to write the merged sketch.")
def merge(files: tuple[str, ...], out: str) -> int:
    """Merge sketch FILES of one size and the same columns."""
    from gnomon.streaming import merge_files

    whole = merge_files(files, out)
    click.echo(f"{out}: {whole.n_seen_:,} rows of {len(files)} sketches, {whole.memory().kept:,} bytes")
    return 0


@command.command("query")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--theta", help="theta, joined by commas; with --bias, the objective there.")
@click.option("--bias", type=float, default=0.0, show_default=True)
@click.option("--lam", "lams", default="", help="Regularisation of the objective; without --theta, solve for each.")
@json_option
def query(file: str, theta: str | None, bias: float, lams: str, as_json: bool) -> int:
    """An objective, or solutions, from a sketch FILE."""
    from gnomon.streaming import HingeSketch

    sketch = HingeSketch.load(file)
    found: list[dict[str, Any]] = []
    if theta is not None:
        for lam in _numbers(lams or "0", "--lam"):
            value = sketch.objective(_numbers(theta, "--theta"), bias, lam)
            found.append({"lam": lam, "low": value.low, "estimate": value.estimate, "high": value.high})
    else:
        for fit in sketch.path(_numbers(lams or "1e-3", "--lam")):
            solved = {"lam": fit.lam, "theta": fit.coef.tolist(), "bias": fit.intercept, "estimate": fit.value}
            found.append({**solved, "high": fit.high, "gap at most": fit.gap})
    for one in found:
        click.echo(json.dumps(one) if as_json else ", ".join(f"{name} {_shown(part)}" for name, part in one.items()))
    return 0


def _shown(part: Any) -> str:
    return ",".join(f"{one:.6g}" for one in part) if isinstance(part, list) else f"{part:.6g}"
