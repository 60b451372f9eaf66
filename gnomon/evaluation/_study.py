"""`gnomon.evaluate`: a task asked of a model, from names to a finished run.

Belongs here: the order of things. Does not belong here: how items are drawn (`_plan.py`), asked (`runs/`), graded
(`grading/`) or summed up (`_summary.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gnomon.asks import Failed, Scored
from gnomon.blocks import Note, Text
from gnomon.errors import DataError, UsageError
from gnomon.evaluation._plan import Asked, Prepared, Request, choose, prepare
from gnomon.evaluation._summary import Answered, summarise
from gnomon.files import cache_folder
from gnomon.models import Model, Reports, Scores, Told, load_model, require
from gnomon.report import ReportRun, write
from gnomon.runs import Manifest, Record, Run, AnswerCache, Unit, ask_all, surroundings
from gnomon.runs._run import now
from gnomon.tasks import Item, Protocol, TaskData, load_task

__all__ = ["evaluate", "report_run"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Study:
    """Everything that is settled before the first question is asked."""

    data: TaskData
    model: Scores
    protocol_name: str
    protocol: Protocol
    shots: int
    items: list[Item]
    spec: dict[str, Any]
    requests: list[Request]
    notes: list[str]


def evaluate(
    task: str,
    model: str | Model,
    *,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    protocol: str | None = None,
    shots: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    runs_dir: Path | str = "runs",
    accept_errors: bool = False,
    cache: bool = True,
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Ask `model` every question of `task` and sum up what it can do.

    Parameters
    ----------
    task : str
        A task's name, as in `gnomon ls tasks`.
    model : str or Model
        `provider/name`, such as "smollm2", "hf/gpt2" or "mock/uniform", or a model made with `load_model`.
    task_args, model_args : mapping of str to str
        What `-T` and `-M` take: for example `{"subsets": "anatomy,virology"}`, `{"dtype": "bfloat16"}`.
    protocol : str, optional
        The way of asking; the task's first by default.
    shots : int, optional
        Few-shot examples; the protocol's number by default.
    limit : int, optional
        At most so many items a subset, drawn by `seed` in whole groups; a larger limit extends the same run.
    seed : int
        Fixes every draw. No global generator is touched.
    runs_dir : Path
        Where the run's folder goes.
    accept_errors : bool
        Finish although some items could not be answered; they are left out of the numbers, and the result says how
        many.
    cache : bool
        Whether scores are taken from and given to the cache that all runs share.
    progress : callable (done, total), optional
        Called as units are done.
    command : str
        What a user would type to make this run again; kept in the manifest.

    Returns
    -------
    Run
        Its `result()` is a list of blocks; its folder holds everything.

    Raises
    ------
    UsageError, DataError, ModelError, RunError
        In one sentence, before any work where that is possible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = evaluate("facts", "mock/oracle", limit=5, runs_dir=folder)
    ...     print(run.manifest.status, run.result()[0].format())
    complete 1.000
    """
    study = _settle(task, model, task_args, model_args, protocol, shots, limit, seed, Path(runs_dir))
    prepared = prepare(study.data, study.items, study.protocol, study.shots, study.model)
    run = Run.begin(Path(runs_dir), _manifest(study, task, command))
    with run.locked():
        _work(run, study, prepared, accept_errors, cache, progress or (lambda done, total: None))
    return run


def _settle(
    task: str,
    model: str | Model,
    task_args: Mapping[str, str] | None,
    model_args: Mapping[str, str] | None,
    protocol: str | None,
    shots: int | None,
    limit: int | None,
    seed: int,
    runs_dir: Path,
) -> _Study:
    """Check every name and read the data; nothing is written and no weights are read."""
    data = load_task(task, task_args)
    name, found = data.task.protocol(protocol)
    number = found.shots if shots is None else shots
    if number < 0:
        raise UsageError(f"--shots {number}: give 0 or a whole number above it.")
    asked_model = load_model(model, model_args) if isinstance(model, str) else model
    require(asked_model, "score", "gnomon eval")
    cast(Scores, asked_model).count_tokens(["a"])  # a tokenizer that cannot be read fails before anything is written
    every = data.items()
    items_checksum = data.checksum()
    _no_subset_is_empty(data, every)
    for subset in data.subsets:
        data.shots(subset, number)
    spec = {
        "task": task,
        "subsets": list(data.subsets),
        "splits": list(data.splits),
        "protocol": name,
        "protocol_version": found.version,
        "protocol_hash": data.task.fingerprint(found),
        "shots": number,
        "shots_split": data.shots_split if number else None,
        "items": items_checksum,
        "data": data.checksum(),
        "model": asked_model.name,
        "model_fingerprint": asked_model.fingerprint(),
    }
    requests = _requests(runs_dir / _run_id(spec), Request(limit, seed))
    items, notes = choose(every, requests)
    if len(items) < len(every):
        notes.append(
            f"{len(items):,} of {len(every):,} items were asked (--limit); averages weigh subsets by the "
            "items asked, not by the benchmark's sizes."
        )
    return _Study(data, cast(Scores, asked_model), name, found, number, items, spec, requests, notes)


def _no_subset_is_empty(data: TaskData, items: Sequence[Item]) -> None:
    """A file without rows passes where counts are free; a score over the others would pass for the whole."""
    have = {(item.split, item.subset) for item in items}
    empty = [f"{name} ({split})" for split in data.splits for name in data.subsets if (split, name) not in have]
    if empty:
        hint = "Complete the folder, or name others with  -T subsets=... ."
        raise DataError(f"{data.source.describe()} has no row of {', '.join(empty)}.", hint=hint)


def _requests(path: Path, new: Request) -> list[Request]:
    """What earlier invocations of this run asked for, and the new wish: a run only grows."""
    earlier = Run(path).manifest.plan["requests"] if (path / "manifest.json").is_file() else []
    requests = [Request(**request) for request in earlier]
    return requests if new in requests else [*requests, new]


def _run_id(spec: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    model = re.sub(r"[^A-Za-z0-9.@=-]+", "-", str(spec["model"])).strip("-")[-60:]
    return f"{spec['task']}-{model}-{spec['protocol']}-{digest}".replace("/", "-")


def _manifest(study: _Study, task: str, command: str) -> Manifest:
    versions, host = surroundings()
    model = cast(Model, study.model)
    return Manifest(
        id=_run_id(study.spec),
        study="eval",
        title=f"{task} · {model.name}",
        status="running",
        spec=study.spec,
        plan={"requests": [{"limit": request.limit, "seed": request.seed} for request in study.requests]},
        model={"name": model.name, **model.facts()},
        protocol={
            "name": study.protocol_name,
            "version": study.protocol.version,
            "hash": study.spec["protocol_hash"],
            "about": study.protocol.about,
            "shots": study.shots,
        },
        data={
            "task": study.data.task.title,
            "paper": study.data.task.source,
            "licence": study.data.task.licence,
            "source": study.data.source.describe(),
            "checksum": study.spec["data"],
        },
        streams={"sample/<split>/<subset>": "which groups a --limit draws, from each request's seed"},
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _work(
    run: Run, study: _Study, prepared: Prepared, accept_errors: bool, use_cache: bool, progress: Progress
) -> None:
    """Ask what is missing, then write result, report and manifest, in this order."""
    began = time.perf_counter()
    journal = run.journal()
    for repair in journal.repairs:
        run.log(repair)
    model = study.model
    if isinstance(model, Told):
        model.tell(
            [ask for asked in prepared.asked for ask in asked.asks],
            [best for asked in prepared.asked for best in study.protocol.ideal(asked.item)],
        )
    cached = use_cache and not isinstance(model, Told)
    cache = AnswerCache(cache_folder() / "scores.sqlite" if cached else None)
    run.log(f"asking {len(prepared.asked):,} items; {len(journal.records):,} are recorded")
    units = [_unit(asked, study.protocol) for asked in prepared.asked]
    try:
        ask_all(
            units, journal, model.score, fingerprint=study.spec["model_fingerprint"], cache=cache, progress=progress
        )
    finally:
        cache.close()
    answered = [Answered(asked, journal.records.get(asked.item.id)) for asked in prepared.asked]
    errors = sum(one.record is None or one.record.status == "error" for one in answered)
    blocks = summarise(study.data.task, answered, study.data.splits, _notes(study, prepared, errors, accept_errors))
    reports = model if isinstance(model, Reports) else None
    manifest = run.manifest.model_copy(
        update={
            "status": "incomplete" if errors and not accept_errors else "complete",
            "finished": now(),
            "seconds": round(run.manifest.seconds + time.perf_counter() - began, 3),
            "tokens_computed": reports.tokens_computed if reports else 0,
            "statuses": dict(sorted(Counter(one.record.status for one in answered if one.record).items())),
            "data": {**run.manifest.data, "items": len(answered)},
        }
    )
    for remark in [*cache.remarks, *(reports.remarks if reports else [])]:
        run.log(remark)
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"{manifest.status}: {len(answered) - errors:,} of {len(answered):,} items answered")


def _notes(study: _Study, prepared: Prepared, errors: int, accepted: bool) -> list[Note]:
    notes = [
        Note(level="deviation", text=text) for text in (*study.protocol.deviations, *study.data.notes, *prepared.notes)
    ]
    if study.shots != study.protocol.shots:
        text = (
            f"{study.shots} few-shot examples were given; the protocol '{study.protocol_name}' has "
            f"{study.protocol.shots}."
        )
        notes.append(Note(level="deviation", text=text))
    notes.extend(Note(level="info", text=text) for text in study.notes)
    if errors:
        told = (
            "they are left out of every number, as was asked"
            if accepted
            else "the run is incomplete, and they are in no number"
        )
        notes.append(
            Note(level="warning", text=f"{errors:,} of {len(prepared.asked):,} items could not be answered: {told}.")
        )
    return notes


def _unit(asked: Asked, protocol: Protocol) -> Unit:
    """How the answers to one item become its record."""
    item = asked.item

    def finish(answers: Sequence[Scored | Failed], given: str) -> Record:
        record = Record(
            id=item.id,
            subset=item.subset,
            split=item.split,
            group=item.group,
            input=given,
            status="ok",
            target=item.answer,
            shots=asked.shots,
        )
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        if failed is not None:
            refused = failed.status == "refused"
            return record.model_copy(
                update={"status": failed.status, "message": failed.message, "correct": False if refused else None}
            )
        scored = [answer for answer in answers if isinstance(answer, Scored)]
        choice = protocol.read(item, scored)
        cut = max(answer.truncated for answer in scored)
        unread = choice.option is None and not choice.tie
        return record.model_copy(
            update={
                "status": "unparsed" if unread else "truncated" if cut else "ok",
                "output": {
                    "logprobs": [list(answer.logprobs) for answer in scored],
                    "probabilities": list(choice.probabilities),
                    **({"cut": cut} if cut else {}),
                },
                "parsed": choice.option,
                "correct": choice.option == item.answer,
                "tie": choice.tie,
            }
        )

    return Unit(item.id, asked.asks, finish)


def report_run(run: Run, manifest: Manifest | None = None, blocks: Sequence[Any] | None = None) -> ReportRun:
    """A run as its report shows it."""
    manifest = manifest or run.manifest
    blocks = run.result() if blocks is None else blocks
    protocol, data = manifest.protocol, manifest.data
    facts = {
        "model": manifest.model.get("name", ""),
        **{f"model {key}": value for key, value in manifest.model.items() if key != "name"},
        "protocol": f"{protocol['name']} v{protocol['version']} (hash {protocol['hash']}), {protocol['shots']} shots",
        "asked as": protocol["about"],
        "data": f"{data['task']}, {data['paper']}, {data['source']}, licence {data['licence']}",
        "data checksum": str(data["checksum"])[:16],
        "limits and seeds": ", ".join(
            f"{'all items' if r['limit'] is None else 'limit ' + str(r['limit'])}, seed {r['seed']}"
            for r in manifest.plan["requests"]
        ),
        "finished": manifest.finished or "",
        "time": f"{manifest.seconds:,.0f} s on {manifest.host.get('cores', '?')} cores, "
        f"{manifest.tokens_computed:,} tokens computed",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
    return ReportRun(
        id=manifest.id,
        title=manifest.title,
        status=manifest.status,
        facts=facts,
        blocks=[block for block in blocks if not (isinstance(block, Text) and not block.text)],
        reproduce=manifest.command or "(made from Python: gnomon.evaluate)",
    )
