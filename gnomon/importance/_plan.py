"""What is explained: inputs with names, a subject, a sampler, groups. Everything is settled here before any work.

Belongs here: reading tasks, files and arrays; which rows teach and which are explained. Does not belong here: asking
(`_observe.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.importance._fitted import fitted
from gnomon.importance._groups import Group, columns, grid, sentences, superpixels, words
from gnomon.importance._sampler import Sampler, samplers
from gnomon.importance._subject import Subject, as_subject
from gnomon.stats import stream

__all__ = ["Plan", "plan"]

DEFAULT_SAMPLERS = {"text": "ngram", "table": "copula", "image": "patches"}


@dataclass(eq=False)
class Plan:
    """A study's material. `facts` describe the data for the manifest; `rows` say what taught sampler and model."""

    kind: str
    inputs: Any
    ids: list[str]
    subject: Subject
    sampler: Sampler
    groups: Callable[[Any], Sequence[Group]]
    groups_name: str
    name: str
    facts: dict[str, str]
    taught: str
    truth: list[str] = field(default_factory=list)
    protocol: str = ""
    checksum: str = ""
    """Of the whole data set, whatever the limit."""


@dataclass
class _Data:
    kind: str
    inputs: Any
    ids: list[str]
    teaching: Any
    labels: Any
    name: str
    facts: dict[str, str]
    taught: str
    names: Sequence[str] = ()
    truth: list[str] = field(default_factory=list)
    items: Any = None
    task: Any = None
    checksum: str = ""


def plan(
    data: Any,
    model: Any,
    *,
    sampler: str | Sampler | None,
    groups: str | Callable[[Any], Sequence[Group]] | None,
    background: Any,
    names: Sequence[str],
    target: str,
    protocol: str | None,
    task_args: Mapping[str, str],
    model_args: Mapping[str, str],
    limit: int,
    seed: int,
) -> Plan:
    """Settle everything; raises UsageError, DataError or ModelError in one sentence."""
    if limit < 1:
        raise UsageError(f"limit={limit}: explain at least one input.")
    found = _read(data, background, names, target, task_args, limit, seed)
    subject, asked = _subject(model, found, protocol, model_args)
    law = _sampler(sampler or DEFAULT_SAMPLERS[found.kind], found)
    cut, cut_name = _groups(groups, found)
    return Plan(
        found.kind,
        found.inputs,
        found.ids,
        subject,
        law,
        cut,
        cut_name,
        found.name,
        found.facts,
        found.taught,
        found.truth,
        asked,
        found.checksum,
    )


def _read(
    data: Any, background: Any, names: Sequence[str], target: str, task_args: Mapping[str, str], limit: int, seed: int
) -> _Data:
    if isinstance(data, str):
        if data == "breast-cancer" or data.endswith(".csv"):
            return _table(data, target, limit, seed)
        return _task(data, task_args, limit, seed)
    inputs: Any
    if isinstance(data, list | tuple) and data and all(isinstance(one, str) for one in data):
        kind, inputs = "text", list(data)[:limit]
    else:
        inputs = np.atleast_1d(np.asarray(data))[:limit]
        if inputs.ndim not in (2, 3, 4) or not len(inputs):
            raise UsageError(
                f"inputs have shape {inputs.shape}.", hint="Give texts, rows (n, d) or images (n, h, w, c)."
            )
        kind = "table" if inputs.ndim == 2 else "image"
        if kind == "table":
            inputs = inputs.astype(np.float64)
    from gnomon.importance._observe import content_ids

    ids = [f"{number}-{name[:8]}{name[name.index('#') :]}" for number, name in enumerate(content_ids(inputs))]
    facts = {"task": f"{len(inputs):,} {kind}s of your own", "paper": "", "licence": "", "source": "Python"}
    digest = hashlib.sha256()
    for x in inputs:
        digest.update(
            x.encode("utf-8", "surrogatepass") + b"\0" if isinstance(x, str) else np.ascontiguousarray(x).tobytes()
        )
    taught = "data that you gave"
    return _Data(kind, inputs, ids, background, None, kind, facts, taught, names, checksum=digest.hexdigest())


def _task(name: str, task_args: Mapping[str, str], limit: int, seed: int) -> _Data:
    from gnomon.tasks import load_task

    data = load_task(name, dict(task_args))
    task = data.task
    if task.kind != "choice" or not task.body:
        raise UsageError(
            f"{name} has no text to judge by choices, so nothing of it can be explained.",
            hint="Take a choice task with a text, such as sst2, boolq or facts; or give texts from Python.",
        )
    items = data.items()
    order = stream(seed, "explained items").permutation(len(items))
    if "train" in task.splits and task_args.get("split") != "train":
        rest, pool = load_task(name, {**task_args, "split": "train"}).items(), order
        taught = f"the {len(rest):,} texts of the split train"
    else:  # the same half teaches whatever the limit
        pool = order[: (len(items) + 1) // 2]
        rest = [items[at] for at in order[len(pool) :]]
        taught = f"{len(rest):,} items that are never explained"
    explained = [items[at] for at in sorted(int(at) for at in pool[:limit])]
    texts = [str(item.fields[task.body]) for item in explained]
    facts = {"task": task.title, "paper": task.source, "licence": task.licence, "source": data.source.describe()}
    return _Data(
        "text",
        texts,
        [item.id for item in explained],
        [str(item.fields[task.body]) for item in rest],
        [int(item.answer) for item in rest],
        name,
        facts,
        taught,
        truth=[str(item.choices[item.answer]) for item in explained],
        items=explained,
        task=task,
        checksum=data.checksum(),
    )


def _table(data: str, target: str, limit: int, seed: int) -> _Data:
    if data == "breast-cancer":
        from sklearn.datasets import load_breast_cancer

        found = load_breast_cancer()
        X, y, names = (
            found.data,
            [str(found.target_names[at]) for at in found.target],
            [str(n) for n in found.feature_names],
        )
        facts = {"task": "breast cancer (Wisconsin, diagnostic)", "paper": "", "licence": "", "source": "scikit-learn"}
    else:
        X, y, names = _csv(Path(data), target)
        facts = {"task": Path(data).name, "paper": "", "licence": "", "source": Path(data).name}
    order = stream(seed, "rows that teach").permutation(len(X))
    half = len(X) // 2
    teach, explained = np.sort(order[:half]), np.sort(order[half : half + limit])
    name = Path(data).stem
    return _Data(
        "table",
        X[explained],
        [f"row {at}" for at in explained],
        X[teach],
        [y[at] for at in teach],
        name,
        facts,
        f"{half:,} rows that are not explained",
        names,
        truth=[y[at] for at in explained],
        checksum=hashlib.sha256(np.ascontiguousarray(X).tobytes() + repr(y).encode()).hexdigest(),
    )


def _csv(path: Path, target: str) -> tuple[Any, list[str], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if len(rows) < 5:
        raise DataError(f"{path} has {len(rows)} lines: give a line of names and at least four rows.")
    head = rows[0]
    if target not in head:
        raise UsageError(
            f"{path.name} has no column '{target}'.", hint=f"Name one of: {', '.join(head)}  ( --target )."
        )
    at = head.index(target)
    try:
        X = np.array([[float(cell) for j, cell in enumerate(row) if j != at] for row in rows[1:]])
    except ValueError as error:
        raise DataError(f"{path.name} holds something that is no number: {error}.") from error
    return X, [row[at] for row in rows[1:]], [name for j, name in enumerate(head) if j != at]


def _subject(model: Any, found: _Data, protocol: str | None, model_args: Mapping[str, str]) -> tuple[Subject, str]:
    if isinstance(model, str) and model.startswith("fit/"):
        if found.labels is None:
            raise UsageError(f"'{model}' needs labels to learn from.", hint="Give a fitted model from Python.")
        return fitted(model, found.teaching, found.labels, found.kind), ""
    from gnomon.models import Model, load_model, require

    source = load_model(model, model_args) if isinstance(model, str) else model
    if not isinstance(source, Model) or isinstance(source, Subject):
        return as_subject(source), ""
    from gnomon.importance._subject_text import Chooser, Classifier

    if found.kind != "text":
        raise UsageError(f"model '{source.name}' reads texts, and these are {found.kind}s.")
    if Classifier.fits(source):
        return Classifier(source.name), ""
    require(source, "score", "gnomon explain")
    if found.task is None:
        raise UsageError(f"model '{source.name}' needs a task that asks it about the texts, or must be a classifier.")
    name, asking = found.task.protocol(protocol)
    return Chooser(source, found.task, asking, found.items, found.task.body), name


def _sampler(given: str | Sampler, found: _Data) -> Sampler:
    if isinstance(given, Sampler):
        law, teach = given, found.teaching is not None and not given.exact and not _learnt(given)
    else:
        name, _, rest = given.partition(":")
        made = samplers.load(name.replace("-", "_"))
        law = made(rest) if rest else made()
        teach = found.teaching is not None
    if law.kind != found.kind:
        raise UsageError(f"the sampler {type(law).__name__} is for {law.kind}s, and these are {found.kind}s.")
    if teach:
        law.fit(found.teaching)
    elif isinstance(given, str) and given.partition(":")[0] not in ("masked-lm", "causal"):
        raise UsageError(
            f"the sampler {given} must learn from data.", hint="Give background=..., not the explained inputs."
        )
    return law


def _learnt(law: Sampler) -> bool:
    return any(name.endswith("_") and not name.startswith("_") for name in vars(law))


def _groups(given: Any, found: _Data) -> tuple[Callable[[Any], Sequence[Group]], str]:
    if callable(given):
        return given, "groups of your own"
    name, _, size = str(given or {"text": "words", "table": "columns", "image": "grid:4x4"}[found.kind]).partition(":")
    if found.kind == "text" and name in ("words", "sentences"):
        return (words if name == "words" else sentences), name
    if found.kind == "table" and name == "columns":
        every = columns(found.inputs.shape[1], list(found.names))
        return (lambda x: every), name
    if found.kind == "image" and name == "grid":
        rows, _, across = (size or "4x4").partition("x")
        if not (rows.isdecimal() and across.isdecimal()):
            raise UsageError(f"groups=grid:{size}: write grid:4x4 .")
        return grid(int(rows), int(across)), f"grid of {rows} by {across}"
    if found.kind == "image" and name == "superpixels":
        if size and not size.isdecimal():
            raise UsageError(f"groups=superpixels:{size}: write superpixels:20 .")
        return superpixels(int(size or 20)), f"about {size or 20} superpixels"
    raise UsageError(
        f"groups={given} is not possible for {found.kind}s.",
        hint="Texts: words, sentences. Tables: columns. Images: grid:4x4, superpixels:20.",
    )
