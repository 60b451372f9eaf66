"""`gnomon.supervise`: weak supervisors, students and ceilings over tasks, from names to a finished run.

Belongs here: the order of things. Does not belong here: rows (`_pool.py`), stages (`_ladder.py`), numbers
(`_cells.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.blocks import Block
from gnomon.errors import UsageError
from gnomon.files import cache_folder
from gnomon.models import Model, load_model, require
from gnomon.registry import did_you_mean, unknown
from gnomon.report import write
from gnomon.runs import Manifest, Run, now, surroundings
from gnomon.studies import report_run, run_id
from gnomon.supervision._heads import HeadRecipe
from gnomon.supervision._ladder import Ladder, Learner
from gnomon.supervision._loss import loss_named
from gnomon.supervision._pool import Pool, pool
from gnomon.supervision._simulated import KINDS
from gnomon.tasks import TaskData, judged, load_task

__all__ = ["LEARNERS", "Settings", "Study", "TaskPool", "supervise"]

LEARNERS = {
    "frozen": ("represent", "a linear head on frozen states of the last layer"),
    "lora": ("learn", "low-rank adapters at all linear layers, and a head"),
    "full": ("learn", "the whole network, and a head"),
}
SELECT = ("held", "last")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Settings:
    """How models are taught. Every field is part of the run's identity."""

    learner: str
    epochs: int
    lr: float | None
    max_tokens: int
    losses: tuple[str, ...]
    seeds: int
    chain: bool
    simulate: tuple[str, ...]
    select: str
    learn: int
    test: int
    seed: int


@dataclass
class TaskPool:
    """A task with its rows."""

    name: str
    data: TaskData
    pool: Pool


@dataclass
class Study:
    """Everything that is settled before the first text is read. `models` go from weak to strong."""

    models: dict[str, Model]
    tasks: list[TaskPool]
    settings: Settings
    spec: dict[str, Any]
    notes: list[str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(supervisor, student): every model teaches itself and all that stand above it."""
        names = list(self.models)
        return [(weak, strong) for place, weak in enumerate(names) for strong in names[place:]]


def supervise(
    tasks: str | Sequence[str],
    ladder: Sequence[str | Model],
    *,
    learner: str = "frozen",
    epochs: int = 2,
    lr: float | None = None,
    max_tokens: int = 1024,
    losses: Sequence[str] = ("xent", "confidence"),
    seeds: int = 3,
    chain: bool = False,
    simulate: Sequence[str] = (),
    select: str = "last",
    learn: int = 4000,
    test: int = 1000,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    seed: int = 0,
    runs_dir: Path | str = "runs",
    cache: bool = True,
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Let every model of a ladder teach all that stand above it, and say how much of the gap to the truth is recovered.

    Parameters
    ----------
    tasks : str or sequence of str
        Choice tasks, as in `gnomon ls tasks`; `task-subset` is one subset alone.
    ladder : sequence of str or Model
        At least two models, from weak to strong; `NAME@layers=K` is a model's first K layers.
    learner : {"frozen", "lora", "full"}
        What learns: a linear head on frozen states, low-rank adapters with a head, or the whole network.
    epochs, lr : optional
        Of "lora" and "full"; by default 2 (the paper), and 2e-4 or 5e-5.
    max_tokens : int
        Longer texts are left out for all models alike; for "lora" and "full".
    losses : sequence of str
        Names of `gnomon/supervision/losses`, with settings as in "confidence@alpha=0.75".
    seeds : int
        Training seeds: each draws the halves, the order of rows and the start anew.
    chain : bool
        Bootstrap through all models of the ladder, beside a direct student on as many rows.
    simulate : sequence of str
        Kinds of simulated errors (random, long, short, easy, hard) with as many errors as the real supervisor.
    select : {"held", "last"}
        Which epoch is taken: the last, or the best on held-out rows by the learner's own labels (weak ones for
        students), as the paper does on its NLP tasks. A report shows what the other choices would have given.
    learn, test : int
        Rows to learn from (both halves together) and to test on, at most.
    task_args, model_args : mapping
        As in `gnomon.evaluate`; for every task and every model. "sst2.split" is the argument of one task alone.
    seed : int
        Of the choice of rows, and of intervals.

    Returns
    -------
    Run
        Its `result()` is a list of blocks; `arrays/` holds every model's predictions on the test rows.

    Raises
    ------
    UsageError, DataError, ModelError, RunError
        In one sentence, before any work where that is possible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     models = ["mock/parrot", "mock/oracle"]
    ...     run = supervise("facts", models, seeds=2, learn=120, test=60, cache=False, runs_dir=folder)
    ...     print(run.manifest.status)
    complete
    """
    names = [tasks] if isinstance(tasks, str) else list(dict.fromkeys(tasks))
    settings = _settings(
        learner=learner,
        epochs=epochs,
        lr=lr,
        max_tokens=max_tokens,
        losses=tuple(dict.fromkeys(losses)),
        seeds=seeds,
        chain=chain,
        simulate=tuple(dict.fromkeys(simulate)),
        select=select,
        learn=learn,
        test=test,
        seed=seed,
    )
    models, notes = _models(ladder, model_args or {}, LEARNERS[learner][0])
    if chain and len(models) < 3:
        raise UsageError(
            "a chain was asked for, and the ladder has 2 models.", hint="Name one in between, or leave out  --chain ."
        )
    found = []
    for name in names:
        data = load_task(name, _of_task(name, names, task_args or {}))
        found.append(TaskPool(name, data, _rows(name, data, models, settings)))
    spec = {
        "study": "supervise",
        "tasks": [
            {"task": one.name, "data": one.data.checksum(), "rows": one.pool.digest(one.pool.test)} for one in found
        ],
        "models": {name: model.fingerprint() for name, model in models.items()},
        **dataclasses.asdict(settings),
    }
    study = Study(models, found, settings, spec, notes)
    run = Run.begin(Path(runs_dir), _manifest(study, command))
    with run.locked():
        _work(run, study, cache, progress or (lambda what, done, total: None))
    return run


def _settings(**given: Any) -> Settings:
    settings = Settings(**given)
    if settings.learner not in LEARNERS:
        raise unknown("learner", settings.learner, LEARNERS)
    if not settings.losses:
        raise UsageError("no loss was named.", hint="Give  --losses xent,confidence .")
    for name in settings.losses:
        loss_named(name)
    for kind in settings.simulate:
        if kind not in KINDS:
            raise unknown("kind of simulated error", kind, KINDS)
    if settings.select not in SELECT:
        raise unknown("way to select an epoch", settings.select, SELECT)
    for what in ("seeds", "learn", "test", "epochs", "max_tokens"):
        if getattr(settings, what) < 1:
            raise UsageError(f"{what}={getattr(settings, what)} was given.", hint="Give a whole number from 1.")
    if settings.lr is not None and not 0 < settings.lr < 1:
        raise UsageError(f"lr={settings.lr:g} was given.", hint="Give a number between 0 and 1.")
    return settings


def _of_task(name: str, names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The task arguments of one task: those for all, and those that begin with its name and a full stop."""
    found: dict[str, str] = {}
    for key, value in given.items():
        owner, stop, own = key.partition(".")
        if stop and owner not in names:
            hint = did_you_mean(owner, names) or f"The tasks here: {', '.join(names)}."
            raise UsageError(f"task argument '{key}' belongs to a task that is not studied here.", hint=hint)
        if not stop:
            found.setdefault(key, value)
        elif owner == name:
            found[own] = value
    return found


def _rows(name: str, data: TaskData, models: Mapping[str, Model], settings: Settings) -> Pool:
    """The task's rows, without those that are too long for any model."""
    found = judged(data.task, data.items())
    long = None
    if settings.learner != "frozen":
        most = np.zeros(len(found))
        for which in ("text", "against"):
            texts = [getattr(one, which) for one in found]
            for model in models.values() if any(texts) else ():
                most = np.maximum(most, model.count_tokens(texts))  # type: ignore[attr-defined]
        long = [bool(count > settings.max_tokens) for count in most]
    return pool(found, learn=settings.learn, test=settings.test, seed=settings.seed, long=long)


def _models(
    ladder: Sequence[str | Model], arguments: Mapping[str, str], ability: str
) -> tuple[dict[str, Model], list[str]]:
    """The models by name, weak ones first, and what a reader must be told of their order."""
    models: dict[str, Model] = {}
    for one in ladder:
        model = load_model(one, arguments) if isinstance(one, str) else one
        require(model, ability, "gnomon supervise")
        if model.name in models:
            raise UsageError(f"{model.name} stands twice in the ladder.", hint="Name each model once.")
        models[model.name] = model
    if len(models) < 2:
        raise UsageError(
            f"{len(models)} model was named, and a supervisor needs a student.",
            hint="Give  --weak NAME --strong NAME , or  --ladder a,b,c  from weak to strong.",
        )
    sizes = {name: getattr(model, "parameters", None) for name, model in models.items()}
    notes = []
    known = [(name, size) for name, size in sizes.items() if size]
    for (below, less), (above, more) in itertools.pairwise(known):
        if more < less:
            notes.append(
                f"{above} ({more:,} parameters) stands above {below} ({less:,}) in the ladder and is smaller: "
                "supervisor and student are named by their places."
            )
    return models, notes


def _manifest(study: Study, command: str) -> Manifest:
    versions, host = surroundings()
    names = list(study.models)
    tasks = [one.data.task for one in study.tasks]
    settings = study.settings
    title = ", ".join(one.name for one in study.tasks)
    return Manifest(
        id=run_id(study.spec, "supervise", "-".join(one.name for one in study.tasks), names[0], names[-1]),
        study="supervise",
        title=f"supervise {title} · {names[0]} to {names[-1]}",
        status="running",
        spec=study.spec,
        plan={"requests": [{"limit": settings.learn + settings.test, "seed": settings.seed}]},
        model={
            "name": ", ".join(names),
            **{f"{name}: {key}": text for name, one in study.models.items() for key, text in one.facts().items()},
        },
        protocol={
            "name": f"weak-to-strong, {settings.learner}",
            "version": 1,
            "hash": study.spec["tasks"][0]["rows"][:12],
            "about": f"{LEARNERS[settings.learner][1]}; texts right or wrong, balanced; half A with the truth, half B "
            f"with weak labels, one test set for all; {settings.seeds} training seeds",
            "shots": 0,
        },
        data={
            "task": title,
            "paper": ", ".join(dict.fromkeys(task.source for task in tasks)),
            "licence": ", ".join(dict.fromkeys(task.licence for task in tasks)),
            "source": ", ".join(dict.fromkeys(one.data.source.describe() for one in study.tasks)),
            "checksum": "+".join(one["data"][:16] for one in study.spec["tasks"]),
        },
        streams={
            "test, learn": "which rows",
            "halves, held, parts": "who learns what, by training seed",
            "order": "the order of rows, by training seed",
            "gap recovered, area recovered": "intervals",
        },
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _work(run: Run, study: Study, cache: bool, progress: Progress) -> None:
    """Compute stages, then write arrays, records, result, report and manifest, in this order."""
    from gnomon.supervision._stages import StageStore
    from gnomon.supervision._summary import summarise
    from gnomon.supervision._written import records, save_predictions

    began = time.perf_counter()
    journal = run.journal()
    root = cache_folder() if cache else run.path
    store = StageStore(root / "stages")
    ladders: list[Ladder] = []
    for one in study.tasks:
        told = functools.partial(_told, progress, one.name if len(study.tasks) > 1 else "")
        ladder = Ladder(one.pool, _learner(study, root, told), store, told)
        ladder.compute(nodes(study))
        run.log(f"{one.name}: {ladder.computed:,} stages computed, {ladder.reused:,} known before")
        ladders.append(ladder)
    for remark in store.remarks:
        run.log(remark)
    blocks = summarise(study, ladders)
    save_predictions(run.path / "arrays" / "predictions.safetensors", study, ladders)
    made = records(study, ladders)
    journal.append([record for record in made if journal.records.get(record.id) != record])
    _finish(run, study, blocks, len(made), began)


def _told(progress: Progress, task: str, what: str, done: int, total: int) -> None:
    """Say which of several tasks something is done for."""
    progress(f"{task} · {what}" if task else what, done, total)


def _learner(study: Study, root: Path, progress: Progress) -> Learner:
    from gnomon.supervision import _frozen, _tuned

    settings = study.settings
    if settings.learner == "frozen":
        return _frozen.Frozen(study.models, root / "states", HeadRecipe(), settings.select, progress)
    recipe = _tuned.TuneRecipe(settings.learner, settings.epochs, lr=settings.lr)
    return _tuned.Tuned(study.models, root / "stages", recipe, settings.select, progress)


def _finish(run: Run, study: Study, blocks: list[Block], rows: int, began: float) -> None:
    manifest = run.manifest.model_copy(
        update={
            "status": "complete",
            "finished": now(),
            "seconds": round(run.manifest.seconds + time.perf_counter() - began, 3),
            "tokens_computed": sum(getattr(model, "tokens_computed", 0) for model in study.models.values()),
            "statuses": {"ok": rows},
            "data": {**run.manifest.data, "items": sum(len(one.pool.texts) for one in study.tasks)},
        }
    )
    for model in study.models.values():
        for remark in getattr(model, "remarks", []):
            run.log(f"{model.name}: {remark}")
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"complete: {len(study.tasks)} tasks")


def nodes(study: Study) -> list[Any]:
    """All stages of the study."""
    from gnomon.supervision import _ladder as make

    settings, names = study.settings, list(study.models)
    found = []
    for seed in range(settings.seeds):
        found += [make.supervisor(name, seed) for name in names]
        found += [make.ceiling(name, seed) for name in names]
        for weak, strong in study.pairs:
            found += [make.student(strong, weak, loss, seed) for loss in settings.losses]
            if weak != strong:
                found += [make.student(strong, weak, "xent", seed, kind) for kind in settings.simulate]
        if settings.chain:
            for loss in settings.losses:
                found += [*make.chain(names, loss, seed), make.direct(names, loss, seed)]
            found.append(make.ceiling(names[-1], seed, make.last_part(names)))
    return found
