"""`gnomon explain`: what did it look at?

Belongs here: flags, progress, the terminal's summary. Does not belong here: the study (`gnomon/importance`).
"""

from __future__ import annotations

from typing import Any

import click

from gnomon.cli._ending import end, typed
from gnomon.cli._options import json_option, key_values, runs_dir_option

__all__ = ["command"]


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("data", required=False)
@click.option(
    "-m", "--model", help="smollm2, hf/<folder or hub id>, fit/words, fit/logistic, fit/boosting, fit/forest."
)
@click.option("-M", "model_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Model arguments.")
@click.option("-T", "task_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Task arguments.")
@click.option("--protocol", help="How the task asks; see  gnomon ls tasks NAME .")
@click.option("--test", default="irt", show_default=True, help="irt (p-values from K draws) or osft (one draw).")
@click.option("--q", type=float, default=0.1, show_default=True, help="False-discovery rate to hold.")
@click.option("--side", default="two", show_default=True, help="two, or one: is the output larger than it would be?")
@click.option("--draws", type=click.IntRange(min=1), help="irt: draws K a hypothesis.  [default: 100]")
@click.option("--rule", help="irt: bh, by or ebh (both under any dependence).  [default: bh]")
@click.option("--centre", help="irt: median, mean, draw or pilot.  [default: median]")
@click.option("--adaptive", type=click.IntRange(min=1), help="irt: stop drawing at this many exceedances.")
@click.option("--randomized", is_flag=True, default=None, help="irt: p of exact size for discrete outputs.")
@click.option("--centres", type=click.IntRange(min=1), help="osft: further draws M that say where to measure from.")
@click.option("--allow-shared", is_flag=True, default=None, help="osft: one-sided although inputs are shared.")
@click.option(
    "--sampler", help="ngram, masked-lm:FOLDER, causal:MODEL; copula, gaussian, donors, tree, discrete, marginal."
)
@click.option("--groups", help="words or sentences; columns.")
@click.option("--target", default="target", show_default=True, help="Column of a .csv file that is predicted.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Inputs.")
@click.option("--chunk", type=click.IntRange(min=1), help="Counterfactuals in a call; a kill loses at most one call.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes every draw.")
@click.option("--accept-errors", is_flag=True, help="Finish although outputs were NaN: they count as not discovered.")
@click.option("--simulate", is_flag=True, help="The paper's simulations in place of data, beside its figures.")
@click.option("--replicates", type=click.IntRange(min=2), default=100, show_default=True, help="Of simulations.")
@runs_dir_option
@json_option
def command(data: str | None, model: str | None, simulate: bool, replicates: int, as_json: bool, **given: Any) -> int:
    """What did it look at? DATA is a choice task with a text, a .csv file, or breast-cancer.

    \b
    gnomon explain sst2 -m fit/words --limit 200 --q 0.1
    gnomon explain sst2 -m smollm2 --test osft --limit 50
    gnomon explain breast-cancer -m fit/boosting --draws 200 --sampler tree
    gnomon explain sales.csv --target bought -m fit/logistic --rule by
    gnomon explain --simulate --replicates 100
    """
    from gnomon.cli._progress import bars

    if simulate:
        from gnomon.cli._show import console, show
        from gnomon.importance._simulate import simulate as run_simulations
        from gnomon.importance._simulate import simulation_blocks

        with bars("simulations", enabled=not as_json) as progress:
            cells = run_simulations(replicates, draws=given["draws"] or 100, seed=given["seed"], progress=progress)
        blocks = simulation_blocks(cells)
        if as_json:
            for block in blocks:
                click.echo(block.model_dump_json())
        else:
            show(blocks, console())
        return 0
    if not data or not model:
        raise click.UsageError("name what is explained, and by which model:  gnomon explain DATA -m MODEL .")
    from gnomon.importance import explain

    settings = {key: given.pop(key) for key in _OF_TESTS}
    with bars(data, enabled=not as_json) as progress:
        run = explain(
            data,
            model,
            progress=progress,
            command=typed(),
            **given,
            **{key: value for key, value in settings.items() if value is not None},
        )
    return end(run, as_json)


_OF_TESTS = ("draws", "rule", "centre", "adaptive", "randomized", "centres", "allow_shared")
