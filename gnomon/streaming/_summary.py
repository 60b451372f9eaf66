"""Blocks of a stream's result: solutions with certificates, error against space, what was kept.

Belongs here: from a sketch to blocks. Does not belong here: reading, drawing.
"""

from __future__ import annotations

import math
from typing import Any

from gnomon.blocks import Block, Column, Curve, Note, Series, Table
from gnomon.streaming._fit import FitResult
from gnomon.streaming.hinge_sketch import HingeSketch

__all__ = ["summarise"]


def summarise(sketch: HingeSketch, lams: list[float], meta: dict[str, Any], epsilon: float | None) -> list[Block]:
    """The result's blocks, the solutions first."""
    fits = sketch.path(lams)
    names = [str(name) for name in meta.get("names") or range(1, sketch.n_features_in_ + 1)]
    return [
        _solutions(fits, names, sketch),
        _kept(sketch),
        _error_by_space(sketch, fits[-1]),
        *_notes(sketch, fits, meta, epsilon),
    ]


def _solutions(fits: list[FitResult], names: list[str], sketch: HingeSketch) -> Table:
    columns = [Column(label="lam", format="number"), *(Column(label=name, format="number") for name in names)]
    columns += [Column(label=label, format="number") for label in ("bias", "F", "F at most", "optimum at least")]
    columns.append(Column(label="gap at most", format="number"))
    rows: list[list[Any]] = [
        [fit.lam, *(float(part) for part in fit.coef), fit.intercept, fit.value, fit.high, fit.low, fit.gap]
        for fit in fits
    ]
    return Table(
        title="Solutions",
        columns=columns,
        rows=rows,
        caption=f"F = lam/2 (|theta|^2 + b^2) + mean hinge loss, over {sketch.n_seen_:,} rows. "
        "The last three columns are certified: they hold whatever the rows and their order were.",
        headline=True,
    )


def _kept(sketch: HingeSketch) -> Table:
    memory = sketch.memory()
    mass, _ = sketch.sums()
    rows: list[list[Any]] = [
        ["rows taken in", sketch.n_seen_],
        ["rows left out (a value was missing or not finite)", sketch.n_rejected_],
        ["weight of label -1", float(mass[0])],
        ["weight of label +1", float(mass[1])],
        ["size k", sketch.k],
        ["nodes", sketch.n_nodes_],
        ["bytes of nodes", memory.nodes],
        ["bytes of the buffer", memory.buffer],
        ["bytes used while taking in a slice, at most (reckoned)", memory.working],
        ["range R", sketch.radius_],
    ]
    return Table(
        title="What was kept",
        columns=[Column(label="what"), Column(label="value", format="number")],
        rows=[[label, float(value)] for label, value in rows],
    )


def _error_by_space(sketch: HingeSketch, fit: FitResult) -> Curve:
    """The same stream in smaller sketches, made by moving nodes of this one up."""
    sizes = sorted({max(1, sketch.k // 4**power) for power in range(5)})
    nodes: list[float] = []
    gaps: list[float] = []
    widths: list[float] = []
    floor = 1e-16
    for k in sizes:
        small = sketch if k == sketch.k else sketch.shrunk(k)
        found = small.solve(fit.lam)
        value = small.objective(fit.coef, fit.intercept, fit.lam)
        nodes.append(math.log10(small.n_nodes_))
        gaps.append(math.log10(max(found.gap, floor)))
        widths.append(math.log10(max(float(value.high) - float(value.low), floor)))
    return Curve(
        title="Error against space",
        x_label="log10 of nodes",
        y_label="log10 of what is certified",
        series=[
            Series(name="gap of the solution", x=nodes, y=gaps),
            Series(name="interval of one objective", x=nodes, y=widths),
        ],
        caption=f"At lam = {fit.lam:g}. Smaller sketches are made from the largest. True errors are below what is "
        "certified, far below it for two and three columns.",
    )


def _notes(sketch: HingeSketch, fits: list[FitResult], meta: dict[str, Any], epsilon: float | None) -> list[Note]:
    notes: list[Note] = []
    if sketch.n_rejected_:
        notes.append(Note(level="warning", text=f"{sketch.n_rejected_:,} rows were left out: a value was not finite."))
    mass, _ = sketch.sums()
    if (mass == 0).any():
        only = "+1" if mass[0] == 0 else "-1"
        notes.append(Note(level="warning", text=f"All rows have the label {only}: the solution separates nothing."))
    if sketch.n_features_in_ > 3:
        text = f"{sketch.n_features_in_} columns: no rate is guaranteed above 3; the certificates still hold."
        notes.append(Note(level="warning", text=text))
    if epsilon is not None and sketch.radius_ > meta.get("first radius", math.inf):
        text = (
            f"The range grew from {meta['first radius']:g} to {sketch.radius_:g} after the size was chosen for an "
            f"error of {epsilon:g}, which is no longer promised. Give  --radius {sketch.radius_:g} ."
        )
        notes.append(Note(level="warning", text=text))
    worst = max(fit.gap for fit in fits)
    notes.append(Note(level="info", text=f"The largest certified gap is {worst:.3g}; a larger size makes it smaller."))
    return notes
