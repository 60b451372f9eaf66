"""Probes of one task on another: the transfer matrix.

Belongs here: applying and measuring. Does not belong here: fitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gnomon.blocks import Block, Matrix
from gnomon.knowledge._diagnose import Computed
from gnomon.knowledge._fit import apply
from gnomon.knowledge._measure import right
from gnomon.knowledge._read import Read

__all__ = ["transfer"]


def transfer(found: Sequence[Computed], states: Read) -> Iterator[Block]:
    """For the first label-free method and for logistic regression: accuracy of every task's probe on every task.

    A probe goes with its layer, its direction and its sign; only means and scales are taken from the (unlabelled)
    training rows of the task that it is applied to, as in the paper.
    """
    methods = [next(iter(found[0].label_free()))]
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


def _accuracy(source: Computed, target: Computed, method: str, states: Read) -> float | None:
    rows, test = target.rows, target.rows.test
    if source is target:
        return float(right(target.fitted[method].decisions[test], rows.y[test]).mean())
    X = np.asarray(states.layer(rows, source.layer), dtype=np.float64)
    decisions, _ = apply(source.fitted[method], X, rows, renormalize=rows.train)
    return float(right(decisions[test], rows.y[test]).mean())
