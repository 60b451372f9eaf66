"""`gnomon probe`. Belongs here: flags and what is printed. The study is in `knowledge/`."""

from __future__ import annotations

import click

from gnomon.cli._ending import end, names_in, typed
from gnomon.cli._options import json_option, key_values, runs_dir_option


@click.command("probe")
@click.argument("tasks")
@click.option("-m", "--model", required=True, help="Whose states to read: smollm2, hf/<hub id or folder>, ...")
@click.option("-M", "model_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Model argument.")
@click.option(
    "-T",
    "task_args",
    multiple=True,
    callback=key_values,
    metavar="KEY=VALUE",
    help="Task argument: data, subsets, split, promptsource, ...",
)
@click.option("--methods", help="Names joined by commas; all by default (see  gnomon ls probes ).")
@click.option("--layers", default="all", show_default=True, help="all, names, or ranges such as 4-12.")
@click.option("--layer", help="Where the verdict is read; by default the layer with the lowest unlabelled loss.")
@click.option("--templates", default="all", show_default=True, help="Prompt templates, joined by commas.")
@click.option("--normalize", default="mean+norm", show_default=True, help="none, mean, mean+std, leace, cluster.")
@click.option(
    "--sign", default="few-labels", show_default=True, help="Which side is true: few-labels, conjunction, oracle."
)
@click.option("--labels", type=int, default=32, show_default=True, help="Labels of training rows for the sign.")
@click.option(
    "--prior", type=float, default=0.5, show_default=True, help="Calibrated zero-shot: share of first answers."
)
@click.option("--mode", default="lbfgs", show_default=True, help="How CCS is fitted: lbfgs, or paper (AdamW).")
@click.option("--restarts", type=int, default=10, show_default=True, help="Random starts of CCS.")
@click.option("--apart", is_flag=True, help="One probe a template, in place of one for all of them.")
@click.option("--transductive", is_flag=True, help="Normalise test rows with their own statistics.")
@click.option("--no-diagnostics", is_flag=True, help="Plant nothing; then nothing is called identified.")
@click.option("--label-place", default="suffix", show_default=True, help="suffix, or mid (masked language models).")
@click.option("--limit", type=click.IntRange(min=4), default=1000, show_default=True, help="Items a task, balanced.")
@click.option("--all-items", is_flag=True, help="Every item, balanced or not, in place of --limit.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes every draw.")
@click.option("--accept-errors", is_flag=True, help="Finish without the pairs that could not be read.")
@click.option("--no-cache", is_flag=True, help="Keep states in the run's folder, shared with no other run.")
@runs_dir_option
@json_option
def command(
    tasks: str,
    model: str,
    model_args: dict[str, str],
    task_args: dict[str, str],
    methods: str | None,
    apart: bool,
    no_diagnostics: bool,
    limit: int,
    all_items: bool,
    no_cache: bool,
    as_json: bool,
    **given: object,
) -> int:
    """What does a model know inside? TASKS are choice tasks joined by commas; several give a transfer matrix.

    \b
    gnomon probe facts -m smollm2 --limit 200
    gnomon probe boolq,rte -m hf/gpt2 --methods ccs,crc-tpc,logistic --layers 4-12
    gnomon probe true_false -m smollm2 --sign conjunction
    """
    from gnomon.cli._progress import bars
    from gnomon.knowledge._study import METHODS, probe

    names = names_in(tasks)
    if not names:
        raise click.UsageError("no task was named. All of them:  gnomon ls tasks")
    chosen = METHODS if methods is None else tuple(names_in(methods))
    with bars(model, enabled=not as_json) as progress:
        run = probe(
            names,
            model,
            methods=chosen,
            stacked=not apart,
            diagnostics=not no_diagnostics,
            task_args=task_args,
            model_args=model_args,
            limit=None if all_items else limit,
            cache=not no_cache,
            progress=progress,
            command=typed(),
            **given,  # type: ignore[arg-type]
        )
    return end(run, as_json, incomplete="Some pairs could not be read; see the warning above.")
