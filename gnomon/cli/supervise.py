"""`gnomon supervise`. Belongs here: flags and what is printed. The study is in `supervision/`."""

from __future__ import annotations

import click

from gnomon.cli._ending import end, names_in, typed
from gnomon.cli._options import json_option, key_values, runs_dir_option


@click.command("supervise")
@click.argument("tasks")
@click.option("--ladder", help="Models joined by commas, from weak to strong.")
@click.option("--weak", help="The supervisor; with --strong, a ladder of two.")
@click.option("--strong", help="The student.")
@click.option(
    "--weak-labels",
    type=click.Path(dir_okay=False),
    help="A file of labels in a supervisor's place: JSON lines with id and p, P(right), or answer.",
)
@click.option(
    "--write-rows", type=click.Path(dir_okay=False), help="Write the rows that are to be labelled, and do nothing else."
)
@click.option("-M", "model_args", multiple=True, callback=key_values, metavar="KEY=VALUE", help="Model argument.")
@click.option(
    "-T",
    "task_args",
    multiple=True,
    callback=key_values,
    metavar="KEY=VALUE",
    help="Task argument: data, subsets, split, ...; TASK.KEY=VALUE for one task alone.",
)
@click.option(
    "--learner",
    default="frozen",
    show_default=True,
    help="What learns: frozen (heads on frozen states), lora, full; or prompt (examples in the prompt).",
)
@click.option(
    "--answers",
    default="auto",
    show_default=True,
    help="judged (texts are right or wrong) or written (moves, or any right choice); auto: judged where there are "
    "choices.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=2, show_default=True, help="Of lora and full.")
@click.option(
    "--start",
    default="auto",
    show_default=True,
    help="What heads begin with: unembedding (rows of 0 and 1; auto for lora, full), zero (auto for frozen).",
)
@click.option("--shots", type=click.IntRange(min=0), default=5, show_default=True, help="Examples in a prompt.")
@click.option("--lr", type=float, help="Learning rate; by default 2e-4 for lora, 5e-5 for full.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    help="Longer texts are left out (lora, full).",
)
@click.option(
    "--losses",
    help="Joined by commas, with settings as in confidence@alpha=0.75 (see  gnomon ls losses ); by default "
    "xent,confidence, and xent alone for answers in writing and for prompts.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Training seeds.")
@click.option("--chain", is_flag=True, help="Bootstrap through the whole ladder, too.")
@click.option("--simulate", default="", help="Simulated errors, too: random, long, short, easy, hard; or all.")
@click.option("--generative-first", is_flag=True, help="Also students that first learn to write the texts.")
@click.option("--saliency", is_flag=True, help="Linear probes before and after finetuning.")
@click.option(
    "--easy", type=float, metavar="N", help="Also learn the truth of rows up to this difficulty (chess: rating)."
)
@click.option(
    "--select",
    default="last",
    show_default=True,
    help="Epoch: last, or held (best on held-out weak labels).",
)
@click.option("--learn", type=click.IntRange(min=8), default=4000, show_default=True, help="Rows to learn from.")
@click.option("--test", type=click.IntRange(min=4), default=1000, show_default=True, help="Rows to test on.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes every draw.")
@click.option("--no-cache", is_flag=True, help="Keep states and stages in the run's folder, shared with no other run.")
@runs_dir_option
@json_option
def command(
    tasks: str,
    ladder: str | None,
    weak: str | None,
    strong: str | None,
    losses: str | None,
    simulate: str,
    no_cache: bool,
    as_json: bool,
    **given: object,
) -> int:
    """Could a weaker overseer bring it out? TASKS are choice tasks joined by commas.

    \b
    gnomon supervise sst2 --weak smollm2@layers=2 --strong smollm2
    gnomon supervise boolq,ethics-justice --ladder smollm2@layers=2,smollm2@layers=10,smollm2
    gnomon supervise piqa --ladder hf/gpt2,hf/gpt2-large --losses xent,confidence@alpha=0.75 --seeds 5
    gnomon supervise chess --ladder smollm2@layers=6,smollm2 --learner full --easy 1200
    gnomon supervise rte --strong smollm2 --write-rows rows.jsonl
    gnomon supervise rte --strong smollm2 --weak-labels labels.jsonl
    """
    from gnomon.cli._progress import bars
    from gnomon.supervision import supervise
    from gnomon.supervision._simulated import KINDS

    names = names_in(tasks)
    if not names:
        raise click.UsageError("no task was named. All of them:  gnomon ls tasks")
    with bars(names[0] if len(names) == 1 else f"{len(names)} tasks", enabled=not as_json) as progress:
        run = supervise(
            names,
            _ladder(ladder, weak, strong, labelled=bool(given["weak_labels"] or given["write_rows"])),
            losses=None if losses is None else names_in(losses),
            simulate=list(KINDS) if simulate == "all" else names_in(simulate),
            cache=not no_cache,
            progress=progress,
            command=typed(),
            **given,  # type: ignore[arg-type]
        )
    if run is None:
        if given["write_rows"]:
            click.echo(f"Rows: {given['write_rows']}")
        return 0
    return end(run, as_json)


def _ladder(ladder: str | None, weak: str | None, strong: str | None, labelled: bool) -> list[str]:
    if ladder and (weak or strong):
        raise click.UsageError("give  --ladder , or  --weak  and  --strong , and not both.")
    if ladder:
        return names_in(ladder)
    if labelled and strong:
        return [*([weak] if weak else []), strong]
    if not weak or not strong:
        raise click.UsageError(
            "whom shall who teach? Give  --weak NAME --strong NAME , or  --ladder a,b,c  from weak to strong."
        )
    return [weak, strong]
