"""Several tasks together: probes of one on another, and what may be claimed over all of them.

Belongs here: applying, measuring, and p-values over tasks. Does not belong here: fitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gnomon.blocks import Block, Cell, Column, Matrix, Table
from gnomon.knowledge._computed import Computed
from gnomon.knowledge._fit import apply
from gnomon.knowledge._measure import right
from gnomon.knowledge._read import Read
from gnomon.knowledge._verdict import Versus
from gnomon.stats import align_features, holm

__all__ = ["over_tasks", "transfer"]


def over_tasks(found: Sequence[Computed]) -> Iterator[Table]:
    """The headline method of every task against the median random direction and the model's own answers: p-values, and
    Holm's over all tasks for each comparison."""
    families: dict[str, list[tuple[str, Versus]]] = {}
    for one in found:
        method = one.label_free()[0]
        evidence = one.checked[method].evidence
        if evidence is not None:
            pairs = [*([evidence.random.median] if evidence.random else []), *evidence.zero_shot]
            for pair in pairs:
                families.setdefault(pair.name, []).append((f"{one.part.name} · {method}", pair))
    rows: list[list[Cell]] = []
    for name, tests in families.items():
        adjusted = holm([pair.difference.p_value for _, pair in tests])
        for (task, pair), value in zip(tests, adjusted.tolist(), strict=True):
            gap = pair.difference
            rows.append([name, task, gap.difference, gap.interval.low, gap.interval.high, gap.p_value, value])
    if rows:
        yield Table(
            title="Over all tasks",
            columns=[
                Column(label="against"),
                Column(label="task"),
                Column(label="difference", format="fraction"),
                Column(label="low", format="fraction"),
                Column(label="high", format="fraction"),
                Column(label="p", format="p-value"),
                Column(label="p, Holm", format="p-value"),
            ],
            rows=rows,
            caption="Accuracy minus that of what it is held against, paired, by group; two-sided sign-flip tests. "
            "Holm's p-values hold over all tasks of one comparison. Verdicts are given task by task and do not use "
            "them.",
            headline=True,
        )


def transfer(found: Sequence[Computed], states: Read) -> Iterator[Block]:
    """For the first label-free method and for logistic regression: accuracy of every task's probe on every task.

    A probe goes with its layer, its direction and its sign; only means and scales are taken from the (unlabelled)
    training rows of the task that it is applied to, as in the paper.
    """
    methods = [found[0].label_free()[0]]
    methods += [name for name in ("logistic",) if name in found[0].fitted]
    names = [one.part.name for one in found]
    for method in methods:
        values = [[_accuracy(source, target, method, states) for target in found] for source in found]
        yield Matrix(
            title=f"Transfer of {method}: fitted on the row's task, tested on the column's",
            row_label="fitted on",
            column_label="tested on",
            rows=[f"{one.part.name} (layer {one.layer})" for one in found],
            columns=names,
            values=[list(row) for row in values],
            counts=[[int(target.rows.test.sum()) for target in found] for _ in found],
            centre=0.5,
            caption="Accuracy on test rows, direction and sign as they were fitted; below 0.5 the direction points the "
            "other way there.",
            headline=True,
        )
    if rows := [row for method in methods for row in _alignment(found, method, states)]:
        yield Table(
            title="Transfer with and without aligned statistics",
            columns=[
                *(Column(label=text) for text in ("method", "fitted on", "tested on")),
                *(Column(label=text, format="fraction") for text in ("source's own statistics", "moments aligned")),
                Column(label="the target's statistics (the matrix above)", format="fraction"),
            ],
            rows=rows,
            caption="Accuracy on the target's test rows. The source's own: its means and scales, pooled over its "
            "templates, as if nothing had shifted. Moments aligned: every dimension and side of the target's states is "
            "first given the mean and variance of the source's, from unlabelled training rows. What alignment gains is "
            "the part of a failure that was a shift of features.",
        )


def _alignment(found: Sequence[Computed], method: str, states: Read) -> Iterator[list[Cell]]:
    """Each pair of tasks, where one probe judges all templates."""
    for source in found:
        fitted = source.fitted[method]
        if len(fitted.probes) > 1:
            continue
        S = np.asarray(states.layer(source.rows, source.layer), dtype=np.float64)[source.rows.train]
        probe = fitted.probe.renormalized(S)
        for target in found:
            if source is target:
                continue
            rows, test = target.rows, target.rows.test
            X = np.asarray(states.layer(rows, source.layer), dtype=np.float64)
            moved = np.stack(
                [align_features(S[:, side], X[rows.train, side]).transform(X[:, side]) for side in (0, 1)], axis=1
            )
            shares = [float(right(probe.decision_function(one)[test], rows.y[test]).mean()) for one in (X, moved)]
            yield [method, source.part.name, target.part.name, *shares, _accuracy(source, target, method, states)]


def _accuracy(source: Computed, target: Computed, method: str, states: Read) -> float | None:
    rows, test = target.rows, target.rows.test
    if source is target:
        return float(right(target.fitted[method].decisions[test], rows.y[test]).mean())
    X = np.asarray(states.layer(rows, source.layer), dtype=np.float64)
    decisions, _ = apply(source.fitted[method], X, rows, renormalize=rows.train)
    return float(right(decisions[test], rows.y[test]).mean())
