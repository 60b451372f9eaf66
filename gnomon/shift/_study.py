"""`gnomon.adapt`: variants of alignment under shifts, from names to a finished run.

Belongs here: the order of things, and what is kept of each pass. Does not belong here: what was asked (`_plan.py`),
numbers (`_cells.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnomon.errors import GnomonError
from gnomon.files import write_atomically
from gnomon.report import write
from gnomon.runs import Journal, Manifest, Record, Run, now, surroundings
from gnomon.shift._evidence import dumped, gather
from gnomon.shift._layers import Layers, find_layers
from gnomon.shift._method import method_named
from gnomon.shift._pictures import Pictures
from gnomon.shift._plan import SHIFTS, Study, settle
from gnomon.shift._shift import shift_named
from gnomon.shift._subject import Subject
from gnomon.shift._target import SourceSample, Target
from gnomon.studies import report_run, run_id

__all__ = ["adapt"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

EVIDENCE = "evidence"


def adapt(
    data: str,
    model: str | Subject = "small",
    *,
    shifts: Sequence[str] = SHIFTS,
    severities: Sequence[int] = (1, 3, 5),
    variants: Sequence[str] | None = None,
    limit: int | None = 1000,
    batch_size: int = 200,
    source: int = 1000,
    resize: bool = False,
    seed: int = 0,
    task_args: Mapping[str, str] | None = None,
    model_args: Mapping[str, str] | None = None,
    runs_dir: Path | str = "runs",
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Show a network shifted images, align it with each variant, and say where alignment helps and where it hurts.

    Parameters
    ----------
    data : str
        An image set of `gnomon/shift/pictures`: digits, cifar10, mnist, usps, or folder.
    model : str or Subject
        "small" (trained here on the set), "cifar10/resnet20", "torchvision/NAME", "timm/NAME", or your own.
    shifts : sequence of str
        Names of `gnomon/shift/shifts`, with settings as in "border@size=8"; "corruptions" is all fifteen, "all" these
        and border, rotation, colour.
    severities : sequence of int
        From 1 to 5, of corruptions without settings of their own.
    variants : sequence of str, optional
        Names of `gnomon/shift/methods`, as in "mix@N=256"; the network as it is always is the first.
    limit : int, optional
        Test images, at most; None takes all.
    batch_size : int
        Of variants that read batches.
    source : int
        Images of the source, at most, that alignment may aim at and that shifts are measured against; 0: none.
    resize : bool
        Bring images to the network's size.
    task_args, model_args : mapping
        Of the image set ("data"), and of the network ("weights").
    seed : int
        Of every draw.

    Returns
    -------
    Run
        Its `result()` is a list of blocks; `arrays/` holds every prediction. Another shift or variant of the same
        images, network and batches extends the run.

    Raises
    ------
    UsageError, DataError, ModelError, RunError
        In one sentence, before any work where that is possible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = adapt("digits", shifts=["none", "border"], variants=["batch"], limit=60, runs_dir=folder)
    ...     print(run.manifest.status)
    complete
    """
    study = settle(
        data,
        model if isinstance(model, str) else model.name,
        shifts=shifts,
        severities=severities,
        variants=variants,
        limit=limit,
        batch_size=batch_size,
        source=source,
        resize=resize,
        seed=seed,
        task_args=task_args or {},
        model_args=model_args or {},
        subject=None if isinstance(model, str) else model,
    )
    run = Run.begin(Path(runs_dir), _manifest(study, command))
    with run.locked():
        _work(run, study, progress or (lambda what, done, total: None))
    return run


def _manifest(study: Study, command: str) -> Manifest:
    versions, host = surroundings()
    pictures, subject = study.pictures, study.subject
    many = 0 if study.source is None else len(study.source)
    return Manifest(
        id=run_id(study.spec, "adapt", pictures.name, subject.name),
        study="adapt",
        title=f"adapt {pictures.name} · {subject.name}",
        status="running",
        spec=study.spec,
        plan={
            "requests": [
                {
                    "limit": len(pictures.images),
                    "seed": study.seed,
                    "shifts": study.shifts,
                    "variants": study.variants,
                }
            ]
        },
        model={"name": subject.name, **subject.facts()},
        protocol={
            "name": "post-hoc feature alignment",
            "version": 1,
            "hash": hashlib.sha256(repr(sorted(study.spec.items())).encode()).hexdigest()[:12],
            "about": f"batches of {study.batch_size} in random order; {many} images of the source as they are",
            "shots": 0,
        },
        data={
            "task": pictures.name,
            "paper": pictures.source,
            "licence": pictures.licence,
            "source": pictures.options.get("data", "") or "as found",
            "checksum": study.spec["data"],
        },
        streams={"which images": "the test images", "shift NAME": "each shift", "order of inputs": "batches"},
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _work(run: Run, study: Study, progress: Progress) -> None:
    """Every cell that is missing, then result, report and manifest, in this order."""
    from gnomon.shift._summary import summarise

    began = time.perf_counter()
    journal = run.journal()
    bench = _Bench(study)
    total = len(study.shifts) * len(study.variants)
    for place, name in enumerate(study.shifts):
        progress("adapting", place * len(study.variants), total)
        missing = [one for one in [EVIDENCE, *study.variants] if not _known(run, journal, name, one)]
        if missing:
            _cell(run, journal, bench, name, missing)
    run.log(f"{bench.passes:.0f} forward passes over sets of up to {len(study.pictures.images):,} images")
    blocks = summarise(study, list(journal.records.values()), run.path / "arrays")
    statuses: dict[str, int] = {}
    for record in journal.records.values():
        statuses[record.status] = statuses.get(record.status, 0) + 1
    complete = set(statuses) <= {"ok"}
    manifest = run.manifest.model_copy(
        update={
            "status": "complete" if complete else "incomplete",
            "finished": now(),
            "seconds": round(run.manifest.seconds + time.perf_counter() - began, 3),
            "statuses": statuses,
            "data": {**run.manifest.data, "items": len(study.pictures.images)},
        }
    )
    write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"{manifest.status}: {len(journal.records):,} records")


class _Bench:
    """The network with its source sample, made when first needed, and counted."""

    def __init__(self, study: Study) -> None:
        self.study, self.passes = study, 0.0
        self._ready: tuple[Layers, SourceSample | None] | None = None

    def target(self, shifted: Pictures) -> Target:
        study, subject = self.study, self.study.subject
        inputs = subject.inputs(shifted.images)
        layers, sample = self._source()
        prior = None
        if shifted.labels is not None:
            prior = torch.from_numpy(np.bincount(shifted.labels, minlength=subject.classes) / len(shifted.labels))
        return Target(
            subject.module,
            inputs,
            batch_size=study.batch_size,
            seed=study.seed,
            source=sample,
            prior=prior,
            augment=subject.augment,
            layers=layers,
        )

    def _source(self) -> tuple[Layers, SourceSample | None]:
        if self._ready is None:
            study, subject = self.study, self.study.subject
            layers = find_layers(subject.module, subject.inputs(study.pictures.images[:2]))
            sample = None
            if study.source is not None:
                labels = None if study.source_labels is None else torch.from_numpy(study.source_labels)
                sample = SourceSample(subject.module, layers, subject.inputs(study.source), labels, subject.classes)
            self._ready = layers, sample
        return self._ready


def file_of(shift: str, variant: str) -> str:
    """The name of the file that holds one cell's predictions."""
    return hashlib.sha256(f"{shift}|{variant}".encode()).hexdigest()[:16] + ".safetensors"


def _known(run: Run, journal: Journal, shift: str, variant: str) -> bool:
    record = journal.records.get(f"{shift}|{variant}")
    if record is None or record.status != "ok":
        return False
    return variant == EVIDENCE or (run.path / "arrays" / file_of(shift, variant)).is_file()


def _cell(run: Run, journal: Journal, bench: _Bench, name: str, missing: Sequence[str]) -> None:
    """One shift: its images once, every missing variant, and the evidence; each recorded as soon as it is there."""
    study = bench.study
    shifted = shift_named(name).of(study.pictures, study.seed)
    if study.resize:
        shifted = shifted.showing(study.subject.fitting(shifted.images, True))
    target = bench.target(shifted)
    given = hashlib.sha256(shifted.checksum().encode() + repr(sorted(study.spec.items())).encode()).hexdigest()[:16]
    for variant in missing:
        record: dict[str, Any] = {"id": f"{name}|{variant}", "subset": name, "split": variant, "group": name}
        began = time.perf_counter()
        try:
            output = dumped(gather(target)) if variant == EVIDENCE else _variant(run, target, shifted, name, variant)
            status, message = "ok", ""
        except GnomonError as error:
            output, status, message = {}, "error", str(error)
        spent = round(time.perf_counter() - began, 4)
        journal.append([Record(**record, input=given, status=status, output=output, message=message, seconds=spent)])
    bench.passes += target.passes


def _variant(run: Run, target: Target, shifted: Pictures, name: str, variant: str) -> dict[str, Any]:
    """Predictions to a file; what a reader should know back."""
    from safetensors.numpy import save

    before = target.passes
    fit = method_named(variant)(target)
    soft = torch.softmax(fit.evaluated(target).double(), 1)
    confidence, predicted = soft.max(1)
    kept = {"confidence": confidence.numpy(), "predicted": predicted.numpy().astype(np.int32)}
    if shifted.labels is not None:
        kept["labels"] = shifted.labels.astype(np.int32)
    write_atomically(run.path / "arrays" / file_of(name, variant), save(kept))
    return {"n": len(predicted), "passes": target.passes - before, **fit.facts}
