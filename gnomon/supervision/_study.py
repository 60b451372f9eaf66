"""`gnomon.supervise`: weak supervisors, students and ceilings over tasks, from names to a finished run.

Belongs here: the order of things. Does not belong here: what was asked (`_plan.py`), rows (`_pool.py`), stages
(`_ladder.py`), numbers (`_cells.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gnomon.blocks import Block
from gnomon.errors import UsageError
from gnomon.files import cache_folder
from gnomon.models import Model
from gnomon.report import write
from gnomon.runs import Manifest, Run, now, surroundings
from gnomon.studies import report_run, run_id
from gnomon.supervision._given import WithGiven, read_labels, save_rows
from gnomon.supervision._heads import HeadRecipe
from gnomon.supervision._ladder import Ladder, Learner
from gnomon.supervision._plan import LEARNERS, Study, check_settings, models_of, nodes, read_tasks
from gnomon.supervision._stages import StageStore
from gnomon.supervision._team import Team

__all__ = ["supervise"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def supervise(
    tasks: str | Sequence[str],
    ladder: Sequence[str | Model],
    *,
    learner: str = "frozen",
    answers: str = "auto",
    epochs: int = 2,
    lr: float | None = None,
    start: str = "auto",
    max_tokens: int = 1024,
    shots: int = 5,
    losses: Sequence[str] | None = None,
    seeds: int = 3,
    chain: bool = False,
    simulate: Sequence[str] = (),
    generative_first: bool = False,
    saliency: bool = False,
    easy: float | None = None,
    select: str = "last",
    learn: int = 4000,
    test: int = 1000,
    weak_labels: Path | str | None = None,
    write_rows: Path | str | None = None,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    seed: int = 0,
    runs_dir: Path | str = "runs",
    cache: bool = True,
    progress: Progress | None = None,
    command: str = "",
) -> Run | None:
    """Let every model of a ladder teach all that stand above it, and say how much of the gap to the truth is recovered.

    Parameters
    ----------
    tasks : str or sequence of str
        Choice tasks, as in `gnomon ls tasks`; `task-subset` is one subset alone.
    ladder : sequence of str or Model
        At least two models, from weak to strong; `NAME@layers=K` is a model's first K layers.
    learner : {"frozen", "lora", "full", "prompt"}
        What learns: a linear head on frozen states, low-rank adapters with a head, the whole network; or nothing does,
        and a model is shown examples in its prompt.
    answers : {"auto", "judged", "written"}
        Whether texts are judged (right or wrong, better or worse) or answers are written, as chess moves are; "auto"
        writes where a task has no choices.
    epochs, lr : optional
        Of "lora" and "full"; by default 2 (the paper), and 2e-4 or 5e-5.
    start : {"auto", "unembedding", "zero"}
        What heads begin with: the output rows of "0" and "1" (the paper; "auto" for "lora" and "full"), or zeros (the
        released code; "auto" for "frozen").
    max_tokens : int
        Longer texts are left out for all models alike; for "lora" and "full".
    shots : int
        Examples that "prompt" shows.
    losses : sequence of str, optional
        Names of `gnomon/supervision/losses`, with settings as in "confidence@alpha=0.75"; by default xent and
        confidence, or xent alone where answers are written.
    seeds : int
        Training seeds: each draws the halves, the order of rows and the start anew.
    chain : bool
        Bootstrap through all models of the ladder, beside a direct student on as many rows.
    simulate : sequence of str
        Kinds of simulated errors (random, long, short, easy, hard) with as many errors as the real supervisor.
    generative_first : bool
        Students and ceilings that first learn to write the texts, whatever their labels, beside those that do not.
    saliency : bool
        Linear probes of students before and after they are finetuned.
    easy : float, optional
        Also learn the truth of rows up to this difficulty (a puzzle's rating), and test by difficulty.
    select : {"held", "last"}
        Which epoch is taken: the last, or the best on held-out rows by the learner's own labels (weak ones for
        students), as the paper does on its NLP tasks. A report shows what the other choices would have given.
    learn, test : int
        Rows to learn from (both halves together) and to test on, at most.
    weak_labels : path, optional
        A file of labels that take a supervisor's place; then one model is enough. See `read_labels`.
    write_rows : path, optional
        Write the rows that are to be labelled to this file, and do nothing else.
    task_args, model_args : mapping
        As in `gnomon.evaluate`; for every task and every model. "sst2.split" is the argument of one task alone.
    seed : int
        Of the choice of rows, and of intervals.

    Returns
    -------
    Run or None
        Its `result()` is a list of blocks; `arrays/` holds every model's predictions on the test rows. None where rows
        were written, and in every process but the first where several were started (accelerate launch -m gnomon ...).

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
    settings = check_settings(
        names,
        losses=None if losses is None else tuple(dict.fromkeys(losses)),
        learner=learner,
        answers=answers,
        epochs=epochs,
        lr=lr,
        start=start,
        max_tokens=max_tokens,
        shots=shots,
        seeds=seeds,
        chain=chain,
        simulate=tuple(dict.fromkeys(simulate)),
        generative_first=generative_first,
        saliency=saliency,
        easy=easy,
        select=select,
        learn=learn,
        test=test,
        seed=seed,
    )
    given = None if weak_labels is None else read_labels(weak_labels)
    least = 1 if given or write_rows is not None else 2
    models, notes = models_of(ladder, model_args or {}, settings, least)
    if chain and len(models) + bool(given) < 3:
        raise UsageError(
            "a chain was asked for, and the ladder has 2 models.", hint="Name one in between, or leave out  --chain ."
        )
    found = read_tasks(names, task_args or {}, models, settings)
    if write_rows is not None:
        save_rows(write_rows, [(one.name, one.pool) for one in found])
        return None
    for one in found:
        if given is not None:
            given.of(one.name, one.pool)
    spec = {
        "study": "supervise",
        "tasks": [
            {"task": one.name, "data": one.data.checksum(), "rows": one.pool.digest(one.pool.test)} for one in found
        ],
        "models": {name: model.fingerprint() for name, model in models.items()},
        "weak labels": given.digest if given else "",
        **dataclasses.asdict(settings),
    }
    study = Study(models, found, settings, spec, notes, given)
    team, told = Team.here(), progress or (lambda what, done, total: None)
    if team.size > 1 and not cache:
        raise UsageError(
            "several processes hand each other what they computed through the cache, which is off.",
            hint="Leave out  --no-cache , or start one process.",
        )
    if not team.leads:
        _climb(study, StageStore(cache_folder() / "stages"), cache_folder(), team, lambda what, done, total: None)
        return None
    run = Run.begin(Path(runs_dir), _manifest(study, command))
    with run.locked():
        _work(run, study, cache_folder() if cache else run.path, team, told)
    return run


def _manifest(study: Study, command: str) -> Manifest:
    versions, host = surroundings()
    names = study.names
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
        model={"name": ", ".join(names), **_shared_facts([one.facts() for one in study.models.values()])},
        protocol={
            "name": f"weak-to-strong, {settings.learner}",
            "version": 1,
            "hash": study.spec["tasks"][0]["rows"][:12],
            "about": f"{LEARNERS[settings.learner][1]}; "
            f"{'answers in writing' if settings.written else 'texts right or wrong, balanced'}; half A with the truth, "
            f"half B with weak labels, one test set for all; {settings.seeds} training seeds",
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


def _climb(study: Study, store: StageStore, root: Path, team: Team, progress: Progress) -> list[Ladder]:
    """Compute all stages, task by task."""
    ladders: list[Ladder] = []
    for one in study.tasks:
        told = functools.partial(_told, progress, one.name if len(study.tasks) > 1 else "")
        learner = _learner(study, root, told)
        if study.given is not None:
            learner = WithGiven(learner, study.given, study.given.of(one.name, one.pool))
        ladder = Ladder(one.pool, learner, store, told, team)
        ladder.compute(nodes(study))
        store.remarks += [f"{one.name}: {remark}" for remark in getattr(learner, "remarks", ())]
        ladders.append(ladder)
    return ladders


def _work(run: Run, study: Study, root: Path, team: Team, progress: Progress) -> None:
    """Compute stages, then write arrays, records, result, report and manifest, in this order."""
    from gnomon.supervision._summary import summarise
    from gnomon.supervision._written import records, save_predictions

    began = time.perf_counter()
    journal = run.journal()
    store = StageStore(root / "stages")
    ladders = _climb(study, store, root, team, progress)
    for one, ladder in zip(study.tasks, ladders, strict=True):
        run.log(f"{one.name}: {ladder.computed:,} stages computed, {ladder.reused:,} known before")
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
    from gnomon.supervision import _frozen, _prompted, _tuned

    settings = study.settings
    start = settings.start if settings.start != "auto" else "zero" if settings.learner == "frozen" else "unembedding"
    if settings.learner == "prompt":
        return _prompted.Prompted(study.models, shots=settings.shots, progress=progress)
    if settings.learner == "frozen":
        return _frozen.Frozen(study.models, root / "states", HeadRecipe(), settings.select, progress, start)
    recipe = _tuned.TuneRecipe(settings.learner, settings.epochs, lr=settings.lr, start=start)
    return _tuned.Tuned(study.models, root / "stages", recipe, settings.select, progress)


def _shared_facts(facts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What models say of themselves, a fact once: the text that all of them give, or one a model in their order.

    >>> _shared_facts([{"layers": "2", "dtype": "float32"}, {"layers": "30", "dtype": "float32"}])
    {'layers': '2, 30', 'dtype': 'float32'}
    """
    found = {}
    for key in dict.fromkeys(key for one in facts for key in one):
        texts = [one.get(key, "–") for one in facts]
        found[key] = texts[0] if len(set(texts)) == 1 else ", ".join(texts)
    return found


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
