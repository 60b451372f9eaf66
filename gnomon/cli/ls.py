"""`gnomon ls`. Belongs here: lists of what there is."""

from __future__ import annotations

from pathlib import Path

import click

from gnomon.cli._options import runs_dir_option
from gnomon.registry import unknown

_KINDS = ("tasks", "models", "probes", "losses", "samplers", "shifts", "variants", "runs")


@click.command("ls")
@click.argument("kind")
@click.argument("name", required=False)
@runs_dir_option
def command(kind: str, name: str | None, runs_dir: Path) -> int:
    """List tasks, models, probes, losses, samplers, shifts, variants or runs.

    `gnomon ls tasks NAME` tells all of one task.
    """
    if kind not in _KINDS:
        raise unknown("list", kind, _KINDS)
    if kind == "models":
        _models()
    elif kind == "probes":
        _probes()
    elif kind == "losses":
        _losses()
    elif kind == "samplers":
        _samplers()
    elif kind in ("shifts", "variants"):
        _alignment(kind)
    elif kind == "runs":
        _runs(runs_dir)
    elif name is None:
        _tasks()
    else:
        _task(name)
    return 0


def _tasks() -> None:
    from gnomon.tasks import registry, task_named

    for name in registry.names():
        task = task_named(name)
        total = sum(n for (split, _), n in task.counts.items() if split in (task.default_splits or task.splits[:1]))
        size = f"{total:,} items" if total else "as many items as its file holds"
        click.echo(
            f"{name:12} {task.title} ({task.source}): {size}, {len(task.subsets)} subsets, "
            f"protocols {', '.join(task.protocols)}"
        )
    click.echo("\nAll of one task:  gnomon ls tasks NAME")


def _task(name: str) -> None:
    from gnomon.tasks import task_named

    task = task_named(name)
    click.echo(f"{name}: {task.title}, {task.source}, licence {task.licence}")
    click.echo(
        f"splits: {', '.join(task.splits)} (asked by default: {', '.join(task.default_splits or task.splits[:1])})"
    )
    click.echo(f"data folder: {task.finder.layout}")
    if task.finder.hub:
        click.echo(f"hub: {task.finder.hub.id} at {task.finder.hub.revision}")
    click.echo("protocols:")
    for protocol_name, protocol in task.protocols.items():
        click.echo(
            f"  {protocol_name} v{protocol.version} ({task.fingerprint(protocol)}, {protocol.shots} "
            f"shots, needs a model that can {protocol.ability}): {protocol.about}"
        )
    own = dict(task.options)
    if any(protocol.ability == "generate" for protocol in task.protocols.values()):
        own = {"temperature, top_p, max_tokens": "how text is written; greedy by default", **own}
        if task.kind == "programs":
            own = {"samples": "programs an item, for pass@k (needs a temperature)", **own}
    if own:
        click.echo("task arguments (-T) beside data, subsets, split, counts, shots_split:")
        for key, words in own.items():
            click.echo(f"  {key}: {words}")
    click.echo("subsets (items by split):")
    for subset in task.subsets:
        counts = ", ".join(
            f"{split} {task.counts[split, subset]:,}" for split in task.splits if (split, subset) in task.counts
        )
        click.echo(f"  {subset:40} {counts}  {task.metric(subset).name}")


def _models() -> None:
    from gnomon.models import providers

    words = {
        "hf": "hf/<hub id or folder>   any causal language model of transformers",
        "smollm2": "smollm2                 the embedded model, SmolLM2-135M-Instruct; smollm2@layers=10 "
        "is its first ten layers",
        "openai": "openai/<name>           any OpenAI-compatible server, -M base_url=http://127.0.0.1:8000/v1",
        "mock": "mock/uniform, mock/oracle, mock/parrot, mock/flaky, mock/garbage   for tests and drills",
    }
    for name in providers.names():
        click.echo(words.get(name, f"{name}/..."))


def _probes() -> None:
    from gnomon.knowledge._probe import probes

    for name in probes.names():
        method = probes.load(name)
        learns = "labels" if method.supervised else "no labels"
        click.echo(f"{name.replace('_', '-'):14} {learns:10} {method.about}")
    click.echo("\nUse them:  gnomon probe TASK -m MODEL --methods ccs,crc-tpc,logistic")


def _runs(runs_dir: Path) -> None:
    from gnomon.runs import list_runs

    found = list_runs(runs_dir)
    if not found:
        click.echo(f"No runs in {runs_dir}. Make one:  gnomon quickstart")
    for run in found:
        statuses = ", ".join(f"{count:,} {status}" for status, count in run.manifest.statuses.items())
        click.echo(f"{run.path}  {run.manifest.status}  {run.manifest.title}  {statuses}  {run.manifest.started}")


def _alignment(kind: str) -> None:
    """What `gnomon adapt` shows a network, and how it aligns one."""
    import inspect

    from gnomon.shift import _method, _shift

    registry = _shift.registry if kind == "shifts" else _method.registry
    for name in registry.names():
        found = registry.load(name)
        own = [
            one for one in inspect.signature(found).parameters.values() if one.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        shown = "".join(f"@{one.name}={one.default}" for one in own)
        click.echo(f"{name + shown:44} {_about(inspect.getmodule(found) if kind == 'shifts' else found)}")
    click.echo("\nUse them:  gnomon adapt digits --shifts none,fog,border --variants batch,whole,mix@N=64")


def _samplers() -> None:
    """Counterfactual distributions of `gnomon explain`, each with what it leaves open."""
    from gnomon.importance._sampler import samplers

    for name in samplers.names():
        found = samplers.load(name)
        click.echo(f"{name.replace('_', '-'):10} {_about(found)}")
        if found.leaves_open:
            click.echo(f"{'':10} assumes: {found.leaves_open}")
    click.echo("\nUse them:  gnomon explain DATA -m MODEL --sampler NAME")


def _losses() -> None:
    import inspect

    from gnomon.supervision._loss import registry

    for name in registry.names():
        loss = registry.load(name)
        settings = [
            one for one in inspect.signature(loss).parameters.values() if one.default is not inspect.Parameter.empty
        ]
        shown = "".join(f"@{one.name}={one.default:g}" for one in settings)
        click.echo(f"{name + shown:34} {_about(loss)}")
    click.echo("\nUse them:  gnomon supervise TASK --weak MODEL --strong MODEL --losses xent,confidence@alpha=0.75")


def _about(found: object) -> str:
    """The first paragraph of what a module, class or function says of itself, on one line."""
    import inspect

    return " ".join((inspect.getdoc(found) or "").split("\n\n")[0].split())
