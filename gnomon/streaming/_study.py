"""`gnomon stream` in Python: one pass over a file or a pipe, a sketch that is saved on the way, a report.

Belongs here: the study's life. Does not belong here: reading (`_sources.py`), blocks (`_summary.py`), the sketch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gnomon.errors import RunError, UsageError
from gnomon.files import write_atomically
from gnomon.runs import Manifest, Run, now, surroundings
from gnomon.streaming._errors import InputError
from gnomon.streaming._files import load_sketch
from gnomon.streaming._sources import Piece, Source, pieces
from gnomon.streaming._summary import summarise
from gnomon.streaming.hinge_sketch import HingeSketch, largest_norm, size_for_bytes, size_for_error
from gnomon.studies import report_run, run_id

__all__ = ["stream"]

Progress = Callable[[str, int, int], None]


def stream(
    path: str | Path,
    *,
    target: str | None = None,
    columns: Sequence[str] = (),
    positive: str | None = None,
    weight: str | None = None,
    format: str = "auto",
    divide: float = 1.0,
    lams: Sequence[float] = (1e-2, 1e-3, 1e-4),
    k: int | None = None,
    epsilon: float | None = None,
    memory: int | None = None,
    radius: float | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    every: int = 1_000_000,
    seed: int = 0,
    report: bool = True,
    runs_dir: str | Path = "runs",
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Learn bias-regularised SVMs from one pass over rows that need not fit in memory.

    Parameters
    ----------
    path : path
        A CSV, Parquet or LIBSVM file, lines of numbers, or "-" for standard input.
    target, columns, positive, weight, format, divide
        How rows are read; see `gnomon stream --help`.
    lams : sequence of float
        Strengths of regularisation; all are read from one sketch.
    k, epsilon, memory : int, float, int
        At most one of: the sketch's size, the error of an objective that it must hold (at the optimum of the largest of
        `lams`, within `radius` or the range of the first rows), or the bytes of nodes and buffer. By default k = 1024.
    out : path, optional
        Where the sketch is kept; by default sketch.sk in the run's folder.
    resume : bool
        Go on from the sketch at `out`; what it has seen is passed over in the data.
    every : int
        Rows between two savings.
    report : bool
        Whether to write report.html, which needs address space for a JavaScript engine.

    Returns
    -------
    Run
        Its `result()` is a list of blocks.

    Raises
    ------
    UsageError, DataError, RunError
        In one sentence.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "points.csv")
    ...     _ = file.write_text("x,y\\n" + "".join(f"{i / 100},{1 if i > 30 else -1}\\n" for i in range(100)))
    ...     run = stream(file, target="y", lams=[0.01], runs_dir=folder, report=False)
    ...     print(run.manifest.status, run.result()[0].rows[0][0])
    complete 0.01
    """
    if sum(one is not None for one in (k, epsilon, memory)) > 1:
        raise UsageError("give one of  --k ,  --epsilon  and  --memory : each of them chooses the size.")
    if not lams or any(not lam > 0 for lam in lams):
        raise UsageError("every lam must be above 0.")
    if not divide > 0 or every < 1:
        raise UsageError(f"divide = {divide:g}, every = {every}: both must be above 0.")
    source = Source(str(path), format, target, tuple(columns), positive, weight, divide)
    size = {"k": k, "epsilon": epsilon, "memory": memory, "radius": radius}
    spec = {
        "study": "stream",
        "source": {**dataclasses.asdict(source), "path": Path(source.path).name, "bytes": _size(source.path)},
        "size": size,
        "lams": list(lams),
        "seed": seed,
    }
    run_name = run_id(spec, "stream", "standard input" if source.path == "-" else Path(source.path).name)
    place = Path(out) if out is not None else Path(runs_dir) / run_name / "sketch.sk"
    work = _Work(source, place, every, progress or (lambda what, done, total: None))
    began = time.perf_counter()
    work.begin(resume, size, list(lams), seed)  # what is wrong with the data shows here, before anything is written
    run = Run.begin(Path(runs_dir), _manifest(run_name, spec, source, seed, command))
    with run.locked():
        work.finish()
        blocks = summarise(work.sketch, list(lams), work.meta, epsilon)
        _finish(run, work.sketch, blocks, work.meta, began, report)
    return run


def _size(path: str) -> int | None:
    return os.path.getsize(path) if path != "-" and os.path.exists(path) else None


class _Work:
    """One pass: from the data into the sketch, and the sketch into its file on the way."""

    sketch: HingeSketch
    meta: dict[str, Any]

    def __init__(self, source: Source, place: Path, every: int, progress: Progress) -> None:
        self.source, self.place, self.every, self.progress = source, place, every, progress
        self.total = 0 if source.path.endswith((".gz", ".parquet", ".pq")) else _size(source.path) or 0

    def begin(self, resume: bool, size: dict[str, Any], lams: list[float], seed: int) -> None:
        """Find the sketch to go on with, or begin one; take in the first piece."""
        found = self._earlier() if resume else None
        start = found[1]["position"] if found else 0
        self.progress("reading" if self.total else "rows", int(start), self.total)
        self.rest = pieces(self.source, int(start))
        first = next(self.rest, None)
        if found:
            self.sketch, self.meta = found
        elif first is None:
            raise InputError(f"{self.source.path} has no rows.", hint="Look at  --format .")
        else:
            self.sketch = HingeSketch(_chosen_k(first, size, lams), size["radius"], seed)
            self.meta = {"names": list(first.names), "source": _reading(self.source), "first radius": 0.0}
        self.saved = self.rows
        if first is not None:
            self._take(first)

    @property
    def rows(self) -> int:
        return self.sketch.n_seen_ + getattr(self.sketch, "n_rejected_", 0)

    def _earlier(self) -> tuple[HingeSketch, dict[str, Any]]:
        if not self.place.exists():
            raise RunError(f"there is no sketch {self.place} to go on from.", hint="Leave out  --resume  to begin.")
        sketch, meta = load_sketch(self.place)
        if not isinstance(sketch, HingeSketch) or meta.get("source") != _reading(self.source):
            raise RunError(
                f"{self.place} was made from other data, or from the same read in another way.",
                hint="Give the same file, columns and target, or leave out  --resume .",
            )
        return sketch, meta

    def _take(self, piece: Piece) -> None:
        _take(self.sketch, piece)
        radius = self.meta["first radius"] or self.sketch.radius_
        self.meta = {**self.meta, "position": piece.position, "first radius": radius}

    def finish(self) -> None:
        """Take in what is left, saving the sketch every so many rows and at the end."""
        self._save(due=self.rows - self.saved >= self.every)
        for piece in self.rest:
            self._take(piece)
            self.progress(*(("reading", piece.position, self.total) if self.total else ("rows", self.rows, self.rows)))
            self._save(due=self.rows - self.saved >= self.every)
        if self.sketch.n_seen_ == 0:
            raise InputError(
                f"{self.source.path} has no row of {self.sketch.n_rejected_:,} that could be used.",
                hint="Look at  --columns ,  --target  and  --format .",
            )
        self._save(due=True)

    def _save(self, due: bool) -> None:
        if due:
            self.sketch.save(self.place, self.meta)
            self.saved = self.rows


def _reading(source: Source) -> dict[str, Any]:
    """How rows are read, as it is kept in a sketch file."""
    plain = {**dataclasses.asdict(source), "path": Path(source.path).name}
    return dict(json.loads(json.dumps(plain)))


def _take(sketch: HingeSketch, piece: Piece) -> None:
    try:
        sketch.partial_fit(piece.X, piece.y, piece.weight)
    except InputError as error:
        if "labels must be" in str(error):
            raise InputError(
                str(error).split(" Say ")[0], hint="Say which label is positive, as in  --positive 1 ."
            ) from None
        raise


def _chosen_k(piece: Piece, size: dict[str, Any], lams: list[float]) -> int:
    d = piece.X.shape[1]
    if size["memory"] is not None:
        return size_for_bytes(int(size["memory"]), d)
    if size["epsilon"] is None:
        return 1024 if size["k"] is None else int(size["k"])
    radius = size["radius"]
    if radius is None:
        import numpy as np

        finite = np.abs(piece.X[np.isfinite(piece.X)])
        radius = float(2 ** np.ceil(np.log2(finite.max()))) if finite.size and finite.max() > 0 else 1.0
    return size_for_error(float(size["epsilon"]), d, radius, largest_norm(max(lams), radius, d))


def _manifest(run_name: str, spec: dict[str, Any], source: Source, seed: int, command: str) -> Manifest:
    versions, host = surroundings()
    name = "standard input" if source.path == "-" else Path(source.path).name
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    return Manifest(
        id=run_name,
        study="stream",
        title=f"stream {name}",
        status="running",
        spec=spec,
        plan={"requests": [{"limit": None, "seed": seed}]},
        model={"name": "linear SVM, the bias regularised"},
        protocol={
            "name": "dyadic hinge sketch",
            "version": 1,
            "hash": digest[:12],
            "about": "one pass; every objective and solution is read from the sketch",
            "shots": 0,
        },
        data={"task": name, "paper": "none", "licence": "not stated", "source": name, "checksum": "see the sketch"},
        streams={"samples": "one point of each node"},
        command=command,
        started=now(),
        versions=versions,
        host=host,
    )


def _finish(run: Run, sketch: HingeSketch, blocks: list[Any], meta: dict[str, Any], began: float, report: bool) -> None:
    rows = {"ok": sketch.n_seen_, **({"error": sketch.n_rejected_} if sketch.n_rejected_ else {})}
    manifest = run.manifest.model_copy(
        update={
            "status": "complete",
            "finished": now(),
            "seconds": round(time.perf_counter() - began, 3),
            "statuses": rows,
            "data": {**run.manifest.data, "items": sketch.n_seen_, "columns": meta["names"]},
        }
    )
    write_atomically(run.path / "records.jsonl", "")
    if report:
        from gnomon.report import write

        write([report_run(run, manifest, blocks)], run.path / "report.html")
    run.finish(blocks, manifest)
    run.log(f"complete: {sketch.n_seen_:,} rows, {sketch.n_nodes_:,} nodes")
