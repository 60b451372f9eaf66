"""`gnomon eval`. Belongs here: flags and what is printed. The study is in `evaluation/`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gnomon.cli._ending import end, names_in
from gnomon.cli._options import json_option, key_values, runs_dir_option

if TYPE_CHECKING:
    from gnomon.runs import Run


@click.command("eval")
@click.argument("tasks")
@click.option("-m", "--model", help="Whom to ask: smollm2, hf/<hub id or folder>, openai/<name>, mock/uniform, ...")
@click.option(
    "--solutions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of programs made elsewhere, graded in a model's place (apps, humaneval).",
)
@click.option(
    "-M",
    "model_args",
    multiple=True,
    callback=key_values,
    metavar="KEY=VALUE",
    help="Model argument, such as dtype=bfloat16.",
)
@click.option(
    "-T",
    "task_args",
    multiple=True,
    callback=key_values,
    metavar="KEY=VALUE",
    help="Task argument: data, subsets, split, samples, temperature, ...",
)
@click.option("--protocol", help="Way of asking; the task's first by default (see gnomon ls tasks NAME).")
@click.option("--shots", type=click.IntRange(min=0), help="Few-shot examples; the protocol's number by default.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many items a subset; a larger one extends the run."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes every draw.")
@click.option("--accept-errors", is_flag=True, help="Finish without the items that could not be answered.")
@click.option("--no-cache", is_flag=True, help="Neither take nor give answers that runs share.")
@click.option("--unsafe-code", is_flag=True, help="Run programs without a jail; they can then do all that you can.")
@runs_dir_option
@json_option
def command(
    tasks: str,
    model: str | None,
    solutions: Path | None,
    model_args: dict[str, str],
    task_args: dict[str, str],
    protocol: str | None,
    shots: int | None,
    limit: int | None,
    seed: int,
    accept_errors: bool,
    no_cache: bool,
    unsafe_code: bool,
    runs_dir: Path,
    as_json: bool,
) -> int:
    """What can a model do? TASKS are names joined by commas, as in  gnomon ls tasks .

    \b
    gnomon eval facts -m smollm2
    gnomon eval mmlu -m hf/gpt2 -T data=FOLDER -T subsets=anatomy,virology --limit 50
    gnomon eval humaneval -m openai/NAME -M base_url=URL -T samples=20 -T temperature=0.8
    gnomon eval apps --solutions FILE
    """
    from gnomon.cli._progress import Bar
    from gnomon.evaluation import evaluate
    from gnomon.tasks import load_task

    names = names_in(tasks)
    if not names:
        raise click.UsageError("no task was named. All of them:  gnomon ls tasks")
    for name in names:  # all of them first: a slip in the last name must not show after hours
        load_task(name, task_args).task.protocol(protocol)
    status = 0
    for name in names:
        with Bar(f"{name} · {model or solutions}", enabled=not as_json) as bar:
            run = evaluate(
                name,
                model,
                solutions=solutions,
                task_args=task_args,
                model_args=model_args,
                protocol=protocol,
                shots=shots,
                limit=limit,
                seed=seed,
                runs_dir=runs_dir,
                accept_errors=accept_errors,
                cache=not no_cache,
                unsafe_code=unsafe_code,
                progress=bar,
                command=_again(names, name),
            )
        status = max(status, finish(run, as_json))
    return status


def _again(names: list[str], name: str) -> str:
    """The command as typed, for one task of it; a folder given relative stays so."""
    words = ["gnomon", *sys.argv[1:]] if len(sys.argv) > 1 else ["gnomon", "eval", name]
    return shlex.join([name if word == ",".join(names) else word for word in words])


def finish(run: Run, as_json: bool) -> int:
    """Show a run of this question, by what protocol it was asked, and give the exit status."""
    protocol = run.manifest.protocol
    return end(
        run,
        as_json,
        about=f"{protocol['name']} v{protocol['version']}, {protocol['shots']} shots",
        incomplete="Give the same command again to ask what is missing, or add  --accept-errors .",
    )
