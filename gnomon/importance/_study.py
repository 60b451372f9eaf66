"""`gnomon.explain`: inputs x groups on one subject, from names to a finished run.

Belongs here: the order of things, and what is recorded. Does not belong here: which inputs (`_plan.py`), asking
(`_observe.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.importance._explained import Explained, tested
from gnomon.importance._groups import Group
from gnomon.importance._observe import Hypothesis, hypotheses, observe
from gnomon.importance._outputs import Outputs
from gnomon.importance._plan import Plan, plan
from gnomon.importance._sampler import Sampler
from gnomon.importance._test import ImportanceTest, tests
from gnomon.importance.methods.irt import IRT
from gnomon.report import write
from gnomon.runs import Journal, Manifest, Record, Run, now, surroundings
from gnomon.studies import report_run, run_id

__all__ = ["explain"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def explain(
    data: Any,
    model: Any,
    *,
    test: str | ImportanceTest = "irt",
    q: float = 0.1,
    side: str = "two",
    sampler: str | Sampler | None = None,
    groups: str | Callable[[Any], Sequence[Group]] | None = None,
    background: Any = None,
    names: Sequence[str] = (),
    target: str = "target",
    protocol: str | None = None,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    limit: int = 100,
    seed: int = 0,
    chunk: int | None = None,
    runs_dir: Path | str = "runs",
    accept_errors: bool = False,
    progress: Progress | None = None,
    command: str = "",
    **settings: Any,
) -> Run:
    """Say which features made a model's outputs unusual, with a bound on how often that is wrong.

    Parameters
    ----------
    data : str, sequence of str, or array
        A choice task (its text is explained), a .csv file, "breast-cancer", texts, rows (n, d), or images
        (n, height, width[, channels]).
    model : str or anything callable
        A model of gnomon that scores or classifies texts, "fit/words" and the like (fitted on the data's training
        part), a scikit-learn estimator, a torch module, a callable on a batch, or a `Subject`.
    test : {"irt", "osft"} or ImportanceTest
        `settings` are those of the test: draws, rule, centre, adaptive, randomized; centres, allow_shared.
    q : float
        The false-discovery rate to hold over all hypotheses together.
    side : {"two", "one"}
    sampler : str or Sampler
        By default ngram for texts, copula for tables, patches for images; "masked-lm:FOLDER", "causal:MODEL".
    groups : str or callable
        words, sentences; columns; grid:4x4, superpixels:20; or a function from an input to groups.
    background : optional
        What a sampler learns from, for data from Python. Not the inputs that are explained.
    limit : int
        Inputs.
    chunk : int
        Counterfactuals that are shown to the subject in one call, about; what a kill can lose. By default 4,096, and
        256 for language models.

    Returns
    -------
    Run
        Its `result()` is a list of blocks; records.jsonl holds every output. q is part of the run's identity.

    Raises
    ------
    UsageError, DataError, ModelError, RunError
        In one sentence, before any work where that is possible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = explain("breast-cancer", "fit/logistic", draws=99, limit=20, runs_dir=folder)
    ...     print(run.manifest.status)
    complete
    """
    method = _method(test, q, side, seed, settings)

    def planned(most: int) -> Plan:
        return plan(
            data,
            model,
            sampler=sampler,
            groups=groups,
            background=background,
            names=names,
            target=target,
            protocol=protocol,
            task_args=task_args or {},
            model_args=model_args or {},
            limit=most,
            seed=seed,
        )

    found = planned(limit)
    largest = _largest(Path(runs_dir) / _manifest(found, method, seed, limit, command).id, limit)
    if largest != limit:
        found, limit = planned(largest), largest
    family = hypotheses(found.inputs, found.groups, found.ids)
    _refuse_early(method, family, found)
    run = Run.begin(Path(runs_dir), _manifest(found, method, seed, limit, command))
    with run.locked():
        size = chunk or found.subject.chunk
        _work(run, found, method, family, seed, size, accept_errors, progress or (lambda what, done, total: None))
    return run


def _largest(path: Path, limit: int) -> int:
    """The largest limit that was ever asked of this run: it only grows."""
    if not (path / "manifest.json").is_file():
        return limit
    return max([limit, *(int(request["limit"]) for request in Run(path).manifest.plan["requests"])])


def _method(test: str | ImportanceTest, q: float, side: str, seed: int, settings: dict[str, Any]) -> ImportanceTest:
    if isinstance(test, ImportanceTest):
        return test
    made: ImportanceTest = tests.load(test)()
    known = made.get_params()
    for key in settings:
        if key not in known:
            raise UsageError(f"{test} has no setting '{key}'.", hint=f"Known: {', '.join(known)}.")
    made.set_params(q=q, side=side, nan="mask", **settings, **({"seed": seed} if "seed" in known else {}))
    made.fit_outputs(Outputs([0.0], np.zeros((1, max(1, made.columns))), [0]))  # bad settings end here
    return made


def _refuse_early(test: ImportanceTest, family: Sequence[Hypothesis], found: Plan) -> None:
    """What a test would refuse after all the work, refused before it."""
    own = [one.input for one in family]
    draws = np.arange(len(family) * test.columns, dtype=np.float64).reshape(len(family), -1)
    tested(type(test)(**test.get_params()), Outputs(np.zeros(len(family)), draws, own), found.sampler, None)


def _manifest(found: Plan, test: ImportanceTest, seed: int, limit: int, command: str) -> Manifest:
    versions, host = surroundings()
    spec = {
        "study": "explain",
        "data": found.name,
        "subject": found.subject.name,
        "fingerprint": found.subject.fingerprint(),
        "protocol": found.protocol,
        "sampler": found.sampler.digest(),
        "groups": found.groups_name,
        "test": type(test).__name__,
        "settings": test.get_params(),  # q among them: it is stated before the results are seen
        "seed": seed,
        "inputs": found.checksum,
    }
    name = type(test).__name__
    sides = "one-sided" if test.side == "one" else "two-sided"
    return Manifest(
        id=run_id(spec, "explain", found.name, found.subject.name),
        study="explain",
        title=f"explain {found.name} · {found.subject.name}",
        status="running",
        spec=spec,
        plan={"requests": [{"limit": limit, "seed": seed}]},
        model=found.subject.describe(),
        protocol={
            "name": f"{name}, {sides}, q = {test.q:g}",
            "version": 1,
            "hash": hashlib.sha256(repr(sorted(spec.items())).encode()).hexdigest()[:12],
            "about": f"groups: {found.groups_name}; sampler: {type(found.sampler).__name__} ({found.sampler.about}), "
            f"taught by {found.taught}" + (f"; asked by the protocol {found.protocol}" if found.protocol else ""),
            "shots": 0,
        },
        data={**found.facts, "checksum": found.checksum},
        streams={"explained items, rows that teach": "which inputs", "draws": "counterfactuals, by input and group"},
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _work(
    run: Run,
    found: Plan,
    test: ImportanceTest,
    family: Sequence[Hypothesis],
    seed: int,
    chunk: int,
    accept_errors: bool,
    progress: Progress,
) -> None:
    """Ask for what is missing, test, then write result, report and manifest, in this order."""
    from gnomon.importance._summary import summarise

    began = time.perf_counter()
    journal = run.journal()
    for repair in journal.repairs:
        run.log(repair)
    parts = _parts(family, test.columns, chunk, len(found.ids))
    calls = 0
    for part in parts:
        progress("explaining", part[0], len(found.ids))
        missing = [at for at in part if not _known(journal, found, at)]
        if missing:  # a part is asked whole, so that the last digit does not depend on what was there before
            calls += _ask(found, test, part, set(missing), seed, chunk, journal)
    progress("explaining", len(found.ids), len(found.ids))
    run.log(f"{calls:,} inputs were shown to the subject")
    explained, errors = _tested(found, test, family, journal)
    blocks = summarise(found, explained, family, errors, accept_errors)
    statuses = Counter(journal.records[name].status for name in found.ids)
    manifest = run.manifest.model_copy(
        update={
            "status": "incomplete" if errors and not accept_errors else "complete",
            "finished": now(),
            "seconds": round(run.manifest.seconds + time.perf_counter() - began, 3),
            "tokens_computed": int(getattr(getattr(found.subject, "model", None), "tokens_computed", 0)),
            "statuses": dict(sorted(statuses.items())),
            "data": {**run.manifest.data, "items": len(found.ids)},
        }
    )
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"{manifest.status}: {explained.outputs.m:,} hypotheses, {int(explained.selected.sum()):,} discoveries")


def _parts(family: Sequence[Hypothesis], draws: int, chunk: int, inputs: int) -> list[range]:
    """Inputs in parts of about `chunk` counterfactuals; no input is cut in two."""
    sizes = np.bincount([one.input for one in family], minlength=inputs) * draws
    parts, start, size = [], 0, 0
    for at in range(inputs):
        size += int(sizes[at])
        if size >= chunk or at == inputs - 1:
            parts.append(range(start, at + 1))
            start, size = at + 1, 0
    return parts


def _known(journal: Journal, found: Plan, at: int) -> bool:
    record = journal.records.get(found.ids[at])
    return record is not None and record.status == "ok"


def _ask(
    found: Plan, test: ImportanceTest, part: range, missing: set[int], seed: int, chunk: int, journal: Journal
) -> int:
    adaptive = isinstance(test, IRT) and test.adaptive is not None
    inputs = [found.inputs[at] for at in part]
    groups = {id(x): list(found.groups(x)) for x in inputs}
    if not any(groups.values()):
        journal.append([_record(found, at, 0.0, 0, [], []) for at in part if at in missing])
        return 0
    seen = observe(
        found.subject,
        inputs,
        found.sampler,
        lambda x: groups[id(x)],
        test.columns,
        seed=seed,
        chunk=max(chunk, 1),
        goes_on=test.open if adaptive and isinstance(test, IRT) else None,
        first=test.further if isinstance(test, IRT) else 0,
        ids=[found.ids[at] for at in part],
        numbers=list(part),
    )
    records = []
    own = np.array([one.input for one in seen.hypotheses])
    for place, at in enumerate(part):
        mine = np.flatnonzero(own == place)
        Y = float(seen.outputs.original[mine[0]]) if len(mine) else 0.0
        names = [seen.hypotheses[k].group.name for k in mine]
        draws = [[float(v) for v in _made(seen.outputs.drawn[k], adaptive)] for k in mine]
        if at in missing:
            records.append(_record(found, at, Y, int(seen.chosen[place]), names, draws))
    journal.append(records)
    return seen.calls


def _made(row: Any, adaptive: bool) -> Any:
    """Draws that were made: where draws are adaptive, those before the first that was not."""
    if not adaptive:
        return row
    absent = np.flatnonzero(np.isnan(row))
    return row[: absent[0]] if len(absent) else row


def _record(found: Plan, at: int, Y: float, chosen: int, names: list[str], draws: list[list[float]]) -> Record:
    fine = math.isfinite(Y) and all(math.isfinite(v) for row in draws for v in row)
    classes = found.subject.classes
    return Record(
        id=found.ids[at],
        subset=found.name,
        split="",
        group="",
        input="",
        status="ok" if fine else "error",
        output={"f": Y, "class": chosen, "groups": names, "draws": draws} if fine else {},
        parsed=str(classes[chosen]) if fine and chosen < len(classes) else None,
        target=found.truth[at] if found.truth else None,
        message="" if fine else "an output is NaN or infinite",
    )


def _tested(found: Plan, test: ImportanceTest, family: Sequence[Hypothesis], journal: Journal) -> tuple[Explained, int]:
    D = np.full((len(family), test.columns), np.nan)
    Y = np.full(len(family), np.nan)
    place: Counter[int] = Counter()
    for row, one in enumerate(family):
        record = journal.records[found.ids[one.input]]
        if record.status == "ok":
            Y[row] = record.output["f"]
            draws = record.output["draws"][place[one.input]]
            D[row, : len(draws)] = draws
        place[one.input] += 1
    outputs = Outputs(Y, D, [one.input for one in family], [one.key for one in family])
    errors = sum(journal.records[name].status == "error" for name in found.ids)
    return tested(test, outputs, found.sampler, None), errors
