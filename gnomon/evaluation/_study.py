"""`gnomon.evaluate`: a task asked of a model, from names to a finished run.

Belongs here: the order of things. Does not belong here: how items are drawn (`_plan.py`), asked (`runs/`), or what one
kind of benchmark reads, grades and sums up (`_choice.py`, `_mathematics.py`, `_moves.py`, ...).
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.asks import Answer, Completion, Decoding, Failed, Prompt
from gnomon.blocks import Note
from gnomon.errors import DataError, UsageError
from gnomon.evaluation._kinds import Asked, Kind, Progress, Work, read_settings
from gnomon.evaluation._plan import Prepared, Request, choose, prepare
from gnomon.evaluation._solutions import Solutions
from gnomon.evaluation._summary import Answered
from gnomon.files import cache_folder
from gnomon.models import Model, Reports, Told, load_model, require
from gnomon.report import write
from gnomon.runs import AnswerCache, Journal, Manifest, Record, Run, Unit, ask_all, surroundings
from gnomon.runs._run import now
from gnomon.studies import report_run, run_id
from gnomon.tasks import WRITING_ARGUMENTS, Item, Protocol, Task, TaskData, load_task

__all__ = ["evaluate", "kind_of"]

_KINDS = {
    "choice": ("gnomon.evaluation._choice", "Choices"),
    "mathematics": ("gnomon.evaluation._mathematics", "Mathematics"),
    "moves": ("gnomon.evaluation._moves", "Moves"),
    "programs": ("gnomon.evaluation._programs", "Programs"),
    "spans": ("gnomon.evaluation._spans", "Spans"),
}


def kind_of(name: str) -> Kind:
    """How a kind of benchmark is read, graded and summed up; its module is imported when first needed."""
    module, attribute = _KINDS[name]
    kind: Kind = getattr(importlib.import_module(module), attribute)()
    return kind


@dataclass(frozen=True)
class _Study:
    """Everything that is settled before the first question is asked."""

    work: Work
    kind: Kind
    model: Model
    protocol_name: str
    shots: int
    items: list[Item]
    spec: dict[str, Any]
    requests: list[Request]
    notes: list[str]


def evaluate(
    task: str,
    model: str | Model | None = None,
    *,
    solutions: Path | str | None = None,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    protocol: str | None = None,
    shots: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    runs_dir: Path | str = "runs",
    accept_errors: bool = False,
    cache: bool = True,
    unsafe_code: bool = False,
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
    solutions : Path, optional
        A file of programs made elsewhere, graded in place of a model's answers (programming tasks only).
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
        Whether answers are taken from and given to the cache that all runs share.
    unsafe_code : bool
        Run programs without a jail where there is none. They can then do all that you can.
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
    source = _source(task, model, model_args, solutions)
    study = _settle(task, source, task_args, protocol, shots, Request(limit, seed), Path(runs_dir), unsafe_code)
    work = study.work
    if isinstance(study.model, Solutions):
        prepared = Prepared([Asked(item, (), 0) for item in study.items])
    else:
        prepared = prepare(work.data, study.items, work.protocol, study.shots, study.model, work.settings)
    run = Run.begin(Path(runs_dir), _manifest(study, task, command))
    with run.locked():
        _work(run, study, prepared, accept_errors, cache, progress or (lambda done, total: None))
    return run


def _source(
    task: str, model: str | Model | None, model_args: Mapping[str, str] | None, solutions: Path | str | None
) -> Model:
    """Whom the answers come from: a model, or a file of solutions."""
    if model is None and solutions is None:
        raise UsageError(
            f"no model was named to answer {task}.",
            hint="Give  -m smollm2  or another model. Programs made elsewhere are graded with  --solutions FILE .",
        )
    if model is not None and solutions is not None:
        raise UsageError("a model and a file of solutions were given.", hint="Give one of  -m  and  --solutions .")
    if solutions is not None:
        return Solutions(Path(solutions))
    assert model is not None
    return load_model(model, model_args) if isinstance(model, str) else model


def _settle(
    task: str,
    model: Model,
    task_args: Mapping[str, str] | None,
    protocol: str | None,
    shots: int | None,
    request: Request,
    runs_dir: Path,
    unsafe_code: bool,
) -> _Study:
    """Check every name and read the data; nothing is written and no weights are read."""
    data = load_task(task, task_args)
    name, found = data.task.protocol(protocol)
    kind = kind_of(data.task.kind)
    settings = read_settings(data.options, kind, task, request.seed, unsafe_code)
    if (usual := _usual(data.task, found)) is not None:
        settings = settings.beyond(usual)
    number = found.shots if shots is None else shots
    if number < 0:
        raise UsageError(f"--shots {number}: give 0 or a whole number above it.")
    work = Work(data, found, settings)
    _refuse_early(work, model, kind)
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
        "model": model.name,
        "model_fingerprint": model.fingerprint(),
        **settings.spec(),
    }
    requests = _requests(runs_dir / _run_id(spec), request)
    items, notes = choose(every, requests, data.task.together)
    if data.task.together:  # the questions about one text follow one another
        items.sort(key=lambda item: (item.split, item.group))
    if len(items) < len(every):
        notes.append(
            f"{len(items):,} of {len(every):,} items were asked (--limit); averages weigh subsets by the "
            "items asked, not by the benchmark's sizes."
        )
    if isinstance(model, Solutions):
        passed = model.match(items, every, part=set(data.subsets) < set(data.task.subsets))
        if passed:
            notes.append(f"{passed:,} records of the file belong to no item of these subsets and were passed over.")
    data.notes.extend(text for text in data.task.notes(every) if text not in data.notes)
    return _Study(work, kind, model, name, number, items, spec, requests, notes)


def _usual(task: Task, protocol: Protocol) -> Decoding | None:
    """How the protocol writes if nothing is said; None where it writes nothing, or not always in one way."""
    asks = [ask for item in task.examples for ask in protocol.ask(item, [])]
    ways = {ask.decoding for ask in asks if isinstance(ask, Prompt)}
    return ways.pop() if len(ways) == 1 else None


def _refuse_early(work: Work, model: Model, kind: Kind) -> None:
    """What would fail after hours fails before anything is written: a missing ability, tokenizer or jail."""
    task = work.data.task
    idle = [key for key in WRITING_ARGUMENTS if key in work.data.options]
    if idle and (isinstance(model, Solutions) or work.protocol.ability != "generate"):
        raise UsageError(
            f"task argument {idle[0]}={work.data.options[idle[0]]} says how a model writes, and none writes here.",
            hint=f"Leave out  -T {idle[0]}=... .",
        )
    if isinstance(model, Solutions):
        if task.kind != "programs":
            hint = "Leave out  --solutions ; programs are graded for apps and humaneval."
            raise UsageError(f"{task.name} grades no files of solutions.", hint=hint)
    else:
        require(model, work.protocol.ability, "gnomon eval")
        if work.protocol.ability != "highlight":
            model.count_tokens(["a"])  # type: ignore[attr-defined]
    kind.refuse_early(work)


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
    return run_id(spec, str(spec["task"]), str(spec["model"]), str(spec["protocol"]))


def _manifest(study: _Study, task: str, command: str) -> Manifest:
    versions, host = surroundings()
    model, work = study.model, study.work
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
            "version": work.protocol.version,
            "hash": study.spec["protocol_hash"],
            "about": work.protocol.about,
            "shots": study.shots,
            **work.settings.spec(),
        },
        data={
            "task": work.data.task.title,
            "paper": work.data.task.source,
            "licence": work.data.task.licence,
            "source": work.data.source.describe(),
            "checksum": study.spec["data"],
        },
        streams={
            "sample/<split>/<subset>": "which groups a --limit draws, from each request's seed",
            **({"sampling/<item>/<number>": "the draws of one sample"} if work.settings.temperature else {}),
        },
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _work(
    run: Run, study: _Study, prepared: Prepared, accept_errors: bool, use_cache: bool, progress: Progress
) -> None:
    """Ask what is missing, grade what is not graded, then write result, report and manifest, in this order."""
    began = time.perf_counter()
    journal = run.journal()
    for repair in journal.repairs:
        run.log(repair)
    run.log(f"asking {len(prepared.asked):,} items; {len(journal.records):,} are recorded")
    units = [_unit(asked, study) for asked in prepared.asked]
    remarks = _ask(units, study, prepared, journal, use_cache, progress)
    answered = [Answered(asked, journal.records.get(asked.item.id)) for asked in prepared.asked]
    remarks.extend(study.kind.grade(study.work, answered, journal.append, progress))
    answered = [Answered(asked, journal.records.get(asked.item.id)) for asked in prepared.asked]
    errors = sum(one.record is None or one.record.status == "error" for one in answered)
    blocks = study.kind.summarise(study.work, answered, _notes(study, prepared, errors, accept_errors))
    reports = study.model if isinstance(study.model, Reports) else None
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
    for remark in [*remarks, *(reports.remarks if reports else [])]:
        run.log(remark)
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"{manifest.status}: {len(answered) - errors:,} of {len(answered):,} items answered")


def _ask(
    units: Sequence[Unit], study: _Study, prepared: Prepared, journal: Journal, use_cache: bool, progress: Progress
) -> list[str]:
    """Answers for every unit: the model's, or the file's."""
    model, protocol = study.model, study.work.protocol
    if isinstance(model, Solutions):
        fresh = [unit for unit in units if _open(journal.records.get(unit.id), unit)]
        journal.append([unit.finish(model.answers(unit.id), unit.input) for unit in fresh])
        return []
    if isinstance(model, Told):
        ideal = [
            best
            for asked in prepared.asked
            for best in protocol.ideal(asked.item)
            for _ in range(study.work.settings.samples)
        ]
        model.tell([ask for asked in prepared.asked for ask in asked.asks], ideal)
    cached = use_cache and not isinstance(model, Told)
    cache = AnswerCache(cache_folder() / "scores.sqlite" if cached else None)
    respond = getattr(model, protocol.ability)  # an ability's name is its method's
    try:
        ask_all(units, journal, respond, fingerprint=study.spec["model_fingerprint"], cache=cache, progress=progress)
    finally:
        cache.close()
    return cache.remarks


def _open(known: Record | None, unit: Unit) -> bool:
    return known is None or known.input != unit.input or known.status == "error"


def _notes(study: _Study, prepared: Prepared, errors: int, accepted: bool) -> list[Note]:
    work = study.work
    asked = () if isinstance(study.model, Solutions) else work.protocol.deviations  # nothing was asked of a file
    notes = [Note(level="deviation", text=text) for text in (*asked, *work.data.notes, *prepared.notes)]
    if study.shots != work.protocol.shots:
        text = (
            f"{study.shots} few-shot examples were given; the protocol '{study.protocol_name}' has "
            f"{work.protocol.shots}."
        )
        notes.append(Note(level="deviation", text=text))
    usual = _usual(work.data.task, work.protocol)
    for name, value in work.settings.spec().items():
        if usual is not None and hasattr(usual, name):
            text = f"Text was written with {name}={value:g}; the protocol '{study.protocol_name}' has "
            notes.append(Note(level="deviation", text=f"{text}{getattr(usual, name):g}."))
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


def _unit(asked: Asked, study: _Study) -> Unit:
    """How the answers to one item become its record."""
    item = asked.item

    def finish(answers: Sequence[Answer], given: str) -> Record:
        answers = [_writable(answer) for answer in answers]
        record = Record(
            id=item.id,
            subset=item.subset,
            split=item.split,
            group=item.group,
            input=given,
            status="ok",
            target=item.answer if item.choices else None,
            shots=asked.shots,
        )
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        if failed is not None:
            refused = failed.status == "refused"
            return record.model_copy(
                update={"status": failed.status, "message": failed.message, "correct": False if refused else None}
            )
        return record.model_copy(update=study.kind.read(study.work, asked, answers))

    given = study.model.input(item.id) if isinstance(study.model, Solutions) else ""
    return Unit(item.id, asked.asks, finish, given)


def _writable(answer: Answer) -> Answer:
    """`answer` without half surrogate pairs: JSON can bring them into a text, and no file can hold them."""
    if isinstance(answer, Completion):
        return dataclasses.replace(answer, text=_whole_characters(answer.text))
    if isinstance(answer, Failed):
        return dataclasses.replace(answer, message=_whole_characters(answer.message))
    return answer


def _whole_characters(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
