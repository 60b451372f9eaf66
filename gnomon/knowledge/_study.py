"""`gnomon.probe`: tasks x templates x layers x methods on one model, from names to a finished run.

Belongs here: the order of things. Does not belong here: which rows (`_plan.py`), states (`_read.py`), fits
(`_fit.py`), diagnostics (`_diagnose.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.blocks import Block, Note
from gnomon.errors import UsageError
from gnomon.files import cache_folder
from gnomon.knowledge._answers import own_answers
from gnomon.knowledge._plan import SIGNS, Part, plan
from gnomon.knowledge._probe import Probe, probes
from gnomon.knowledge._read import Read, chosen_layers, read
from gnomon.models import Model, Represents, Untrained, load_model, require
from gnomon.registry import unknown
from gnomon.report import write
from gnomon.runs import Manifest, Record, Run, surroundings
from gnomon.studies import report_run, run_id

if TYPE_CHECKING:
    from gnomon.knowledge._computed import Computed

__all__ = ["METHODS", "SIGNS", "Settings", "Study", "method_named", "probe"]

METHODS = ("ccs", "crc-tpc", "crc-bss", "vinc", "midpoint", "kmeans", "diff-in-means", "lda", "logistic", "random")
FORMATS = ("suffix", "mid")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Settings:
    """How tasks are probed. Every field is part of the run's identity."""

    methods: tuple[str, ...]
    layers: tuple[str, ...]
    layer: str | None
    normalize: str
    sign: str
    labels: int
    prior: float
    mode: str
    restarts: int
    stacked: bool
    transductive: bool
    diagnostics: bool
    curve: bool
    label_place: str
    seed: int


@dataclass
class Study:
    """Everything that is settled before the first text is read."""

    model: Model
    parts: list[Part]
    settings: Settings
    spec: dict[str, Any]
    limit: int | None


def probe(
    tasks: str | Sequence[str],
    model: str | Model,
    *,
    methods: Sequence[str] = METHODS,
    layers: str = "all",
    layer: str | None = None,
    templates: str = "all",
    normalize: str = "mean+norm",
    sign: str = "few-labels",
    labels: int = 32,
    prior: float = 0.5,
    mode: str = "lbfgs",
    restarts: int = 10,
    stacked: bool = True,
    transductive: bool = False,
    diagnostics: bool = True,
    curve: bool = True,
    label_place: str = "suffix",
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    limit: int | None = 1000,
    seed: int = 0,
    runs_dir: Path | str = "runs",
    accept_errors: bool = False,
    cache: bool = True,
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Look for what `model` knows of `tasks` in its hidden states, without labels, and say whether to believe it.

    Parameters
    ----------
    tasks : str or sequence of str
        Choice tasks, as in `gnomon ls tasks`; several give a transfer matrix.
    model : str or Model
        One that can `represent`.
    methods : sequence of str
        Names of `gnomon/knowledge/probes`. The first that needs no labels is the one that the headline is about; "ccs"
        is fitted in any case, since its unlabelled loss chooses the layer.
    layers : str
        "all", names joined by commas, or ranges such as "4-12".
    layer : str, optional
        Where verdict and diagnostics are read; by default the layer with the lowest CCS loss on the test rows, which
        needs no label.
    templates : str
        "all" or names joined by commas (the task's protocols that score its choices).
    normalize : str
        none, mean, mean+norm (the paper), mean+std, leace or cluster.
    sign : {"few-labels", "conjunction", "oracle"}
        What says which side is true: `labels` labels of training rows, compounds of statements (no label), or the test
        labels themselves (the paper's tables).
    labels : int
        Labels of training rows that settle a sign.
    prior : float in (0, 1)
        Share of pairs whose first answer is right, as far as it is known: calibrated zero-shot puts so many of the
        unlabelled training rows above its threshold.
    mode : {"lbfgs", "paper"}
        How CCS is fitted; "paper" is AdamW with 1,000 epochs.
    restarts : int
        Starts of CCS.
    stacked : bool
        One probe for all templates (the paper), or one a template.
    transductive : bool
        Normalise test rows with their own statistics, as the paper's code does.
    diagnostics : bool
        Plant words, opinions, prefixes and compounds, and read the texts with an untrained network too. Without them
        nothing is called identified.
    curve : bool
        Fit CCS on few pairs too (32 draws a size).
    label_place : {"suffix", "mid"}
        Whether the answer ends the text, or stands before a full stop (masked language models).
    limit : int, optional
        Items a task, as many of each label; a larger limit extends the run. None takes every item, balanced or not.

    Returns
    -------
    Run
        Its `result()` is a list of blocks; `arrays/` holds the probes.

    Raises
    ------
    UsageError, DataError, ModelError, RunError
        In one sentence, before any work where that is possible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = probe("facts", "mock/oracle", limit=60, methods=["ccs", "logistic"], curve=False, runs_dir=folder)
    ...     print(run.manifest.status)
    complete
    """
    names = [tasks] if isinstance(tasks, str) else list(tasks)
    source = load_model(model, model_args) if isinstance(model, str) else model
    require(source, "represent", "gnomon probe")
    assert isinstance(source, Represents)
    settings = _settings(
        source,
        methods=methods,
        layers=layers,
        layer=layer,
        normalize=normalize,
        sign=sign,
        labels=labels,
        prior=prior,
        mode=mode,
        restarts=restarts,
        stacked=stacked,
        transductive=transductive,
        diagnostics=diagnostics,
        curve=curve,
        label_place=label_place,
        seed=seed,
    )
    study = _settle(names, source, settings, templates, task_args or {}, limit, Path(runs_dir))
    run = Run.begin(Path(runs_dir), _manifest(study, command))
    with run.locked():
        _work(run, study, accept_errors, cache, progress or (lambda what, done, total: None))
    return run


def method_named(name: str, settings: Settings | None = None) -> Probe:
    """A fresh estimator of the method called `name` (with hyphens), set up as the study asks."""
    homes = {_hyphened(one): one for one in probes.names()}
    if _hyphened(name) not in homes:
        raise unknown("probe", name, homes)
    found: Probe = probes.load(homes[_hyphened(name)])()
    if settings is None:
        return found
    wanted = {"normalize": settings.normalize, "seed": settings.seed, "restarts": settings.restarts}
    if name == "ccs":
        wanted["mode"] = settings.mode
    known = found.get_params()
    found.set_params(**{key: value for key, value in wanted.items() if key in known})
    return found


def _hyphened(name: str) -> str:
    """A method's name as it is written everywhere; other packages' names stay as they are."""
    return name if "/" in name else name.replace("_", "-")


def _settings(model: Represents, *, methods: Sequence[str], layers: str, layer: str | None, **rest: Any) -> Settings:
    """Check every choice; raises UsageError with what is possible."""
    layout = model.layout()
    if not methods:
        raise UsageError("no method was named.", hint=f"Known: {', '.join(METHODS)}.")
    wanted = tuple(dict.fromkeys(_hyphened(name) for name in methods))
    _one_of("sign", rest["sign"], SIGNS)
    _one_of("mode", rest["mode"], ("lbfgs", "paper"))
    _one_of("label_place", rest["label_place"], FORMATS)
    for key, low in (("labels", 1), ("restarts", 1)):
        if rest[key] < low:
            raise UsageError(f"{key}={rest[key]}: give a whole number from {low}.")
    if not 0 < rest["prior"] < 1:
        raise UsageError(f"prior={rest['prior']}: give a share between 0 and 1.")
    chosen = chosen_layers(layers, layout)
    if layer is not None:
        chosen_layers(layer, layout)
        if layer not in chosen:
            raise UsageError(f"layer {layer} is none of the layers {layers}.", hint="Name it in --layers too.")
    settings = Settings(
        methods=wanted if "ccs" in wanted else (*wanted, "ccs"), layers=tuple(chosen), layer=layer, **rest
    )
    for name in settings.methods:
        method_named(name, settings)
    from gnomon.knowledge._normalize import normalizer

    normalizer(settings.normalize)
    return settings


def _one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{key}={value} is not possible.", hint=f"Use one of {', '.join(allowed)}.")


def _settle(
    names: Sequence[str],
    model: Model,
    settings: Settings,
    templates: str,
    task_args: Mapping[str, str],
    limit: int | None,
    runs_dir: Path,
) -> Study:
    """Read the data and lay out what will be read; nothing is written and no weights are read."""
    if not names:
        raise UsageError("no task was named.", hint="All of them:  gnomon ls tasks")
    if limit is not None and limit < 4:
        raise UsageError(f"--limit {limit}: give at least 4 items, or leave it out.")
    assert isinstance(model, Represents)

    def parts(most: int | None) -> list[Part]:
        return [
            plan(
                name,
                task_args,
                templates=templates,
                limit=most,
                seed=settings.seed,
                diagnostics=settings.diagnostics,
                couples=settings.diagnostics or settings.sign == "conjunction",
                after="." if settings.label_place == "mid" else "",
            )
            for name in dict.fromkeys(names)
        ]

    found = parts(limit)
    spec = {
        "study": "probe",
        "tasks": [part.spec() for part in found],
        "model": model.name,
        "model_fingerprint": model.fingerprint(),
        "rule": model.layout().rule,
        **dataclasses.asdict(settings),
    }
    largest = _largest(runs_dir / _id(spec), limit)
    if largest != limit:
        found = parts(largest)
    return Study(model, found, settings, spec, largest)


def _largest(path: Path, limit: int | None) -> int | None:
    """The largest limit that was ever asked of this run: it only grows. None is all items."""
    if not (path / "manifest.json").is_file():
        return limit
    earlier = [request["limit"] for request in Run(path).manifest.plan["requests"]]
    known = [*earlier, limit]
    return None if None in known else max(value for value in known if value is not None)


def _id(spec: Mapping[str, Any]) -> str:
    tasks = "+".join(task["task"] for task in spec["tasks"])
    return run_id(spec, "probe", tasks.replace("+", "-"), str(spec["model"]))


def _manifest(study: Study, command: str) -> Manifest:
    versions, host = surroundings()
    names = [part.name for part in study.parts]
    tasks = [part.data.task for part in study.parts]
    settings = study.settings
    return Manifest(
        id=_id(study.spec),
        study="probe",
        title=f"probe {', '.join(names)} · {study.model.name}",
        status="running",
        spec=study.spec,
        plan={"requests": [{"limit": study.limit, "seed": settings.seed}]},
        model={"name": study.model.name, **study.model.facts()},
        protocol={
            "name": f"contrast pairs, {settings.normalize}",
            "version": 1,
            "hash": hashlib.sha256(json.dumps(study.spec["tasks"], sort_keys=True).encode()).hexdigest()[:12],
            "about": f"{'one linear probe for all templates' if settings.stacked else 'one linear probe a template'}, "
            f"sign by {settings.sign}, 60% of items to learn from, whole groups; states: {study.spec['rule']}",
            "shots": 0,
        },
        data={
            "task": ", ".join(task.title for task in tasks),
            "paper": ", ".join(dict.fromkeys(task.source for task in tasks)),
            "licence": ", ".join(dict.fromkeys(task.licence for task in tasks)),
            "source": ", ".join(dict.fromkeys(part.data.source.describe() for part in study.parts)),
            "checksum": "+".join(task["data"][:16] for task in study.spec["tasks"]),
        },
        streams={
            "sample, split": "which items, and who learns",
            "probes": "starts of restarts",
            "bootstrap": "intervals",
        },
        command=command,
        started=_now(),
        versions=versions,
        host=host,
    )


def _now() -> str:
    from gnomon.runs._run import now

    return now()


def _work(run: Run, study: Study, accept_errors: bool, cache: bool, progress: Progress) -> None:
    """Read what is missing, fit, examine, then write arrays, result, report and manifest, in this order."""
    from gnomon.knowledge._diagnose import compute
    from gnomon.knowledge._summary import summarise

    began = time.perf_counter()
    journal = run.journal()
    for repair in journal.repairs:
        run.log(repair)
    root = cache_folder() / "states" if cache else run.path / "states"
    tables = [rows for part in study.parts for rows in part.tables()]
    texts = sum(len(rows) for rows in tables)
    run.log(f"reading {texts:,} pairs")
    states = read(study.model, tables, root, lambda done, total: progress("reading", done, total))
    bare: Read | None = None
    try:
        for remark in states.store.remarks:
            run.log(remark)
        run.log(f"{states.computed:,} readings computed, {states.reused:,} taken from the store")
        bare = _untrained(study, root, progress)
        own = own_answers(study.model, study.parts, journal, study.spec["model_fingerprint"], cache, progress)
        found = [compute(part, study.settings, states, bare, own.get(part.name), progress) for part in study.parts]
        blocks = summarise(study, found, states)
    finally:
        states.close()
        if bare is not None:
            bare.close()
    for one in found:
        for reason in (*one.reasons, *(one.answers.reasons if one.answers else ())):
            run.log(f"{one.part.name}: {reason}")
    missing = {
        "pairs could not be read": sum(one.refused for one in found),
        "answers of the model were not given": sum(one.answers.failed for one in found if one.answers),
    }
    records = [record for one in found for record in _records(one)]
    journal.append([record for record in records if journal.records.get(record.id) != record])
    _finish(run, study, found, blocks, missing, accept_errors, began)


def _untrained(study: Study, root: Path, progress: Progress) -> Read | None:
    """The same texts read by the same architecture with random weights; None where the model cannot be had so."""
    if not study.settings.diagnostics or not isinstance(study.model, Untrained):
        return None
    model = study.model.untrained(study.settings.seed)
    tables = [part.diagnosed() for part in study.parts]
    return read(model, tables, root, lambda done, total: progress("reading, untrained", done, total))


def _records(found: Computed) -> list[Record]:
    """One record a pair: what each method says of it at the chosen layer."""
    rows, fitted = found.rows, found.fitted
    first = fitted[found.label_free()[0]]
    records = []
    for index, pair in enumerate(rows.pairs):
        records.append(
            Record(
                id=f"{found.part.name}/{pair.template}/{pair.item}",
                subset=pair.subset,
                split="train" if rows.train[index] else "test",
                group=pair.group,
                input="",
                status="ok",
                output={"p": {name: round(float(one.p[index]), 6) for name, one in fitted.items()}},
                parsed=int(first.decisions[index] <= 0),
                target=1 - int(pair.label),
                correct=bool((first.decisions[index] > 0) == (pair.label == 1)),
            )
        )
    return records


def _finish(
    run: Run,
    study: Study,
    found: Sequence[Computed],
    blocks: list[Block],
    missing: Mapping[str, int],
    accept_errors: bool,
    began: float,
) -> None:
    from gnomon.knowledge._saved import save, saved_probes

    errors = sum(missing.values())
    if errors:
        counted = " and ".join(f"{count:,} {what}" for what, count in missing.items() if count)
        told = "left out of every number, as was asked" if accept_errors else "in no number, and the run is incomplete"
        blocks.append(Note(level="warning", text=f"{counted}: they are {told}."))
    save(run.path / "arrays" / "probes.safetensors", saved_probes(found, study.model, study.settings.normalize))
    records = run.records().values()
    manifest = run.manifest.model_copy(
        update={
            "status": "incomplete" if errors and not accept_errors else "complete",
            "finished": _now(),
            "seconds": round(run.manifest.seconds + time.perf_counter() - began, 3),
            "tokens_computed": getattr(study.model, "tokens_computed", 0),
            "statuses": dict(sorted(Counter(record.status for record in records).items())),
            "data": {**run.manifest.data, "items": sum(len(part.items) for part in study.parts)},
        }
    )
    for remark in getattr(study.model, "remarks", []):
        run.log(remark)
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"{manifest.status}: {len(study.parts)} tasks probed")
