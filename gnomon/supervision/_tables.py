"""Tables of a weak-to-strong study.

Belongs here: columns, rows and their words. Does not belong here: computing (`_cells.py`), the order of blocks
(`_summary.py`), curves (`_figures.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import Cell as TableCell
from gnomon.blocks import Column, Table
from gnomon.stats import holm
from gnomon.supervision._cells import Cell, groups_of
from gnomon.supervision.aggregate import against, many
from gnomon.supervision.recovery import gained

if TYPE_CHECKING:
    from gnomon.supervision._plan import Study, TaskPool

__all__ = ["agreement_table", "cell_table", "course_table", "detail_table", "loss_tables", "total_table"]

_NAMES = ("task", "supervisor", "student", "method")


def cell_table(title: str, cells: Sequence[Cell], headline: bool) -> Table:
    """The three accuracies and their ratio."""
    numbers = ("weak", "strong", "ceiling", "PGR", "low", "high")
    return Table(
        title=title,
        columns=[
            *(Column(label=text) for text in _NAMES),
            *(Column(label=text, format="fraction") for text in numbers),
            Column(label="gap identified"),
        ],
        rows=[[*_start(one), *_recovered(one)] for one in cells],
        headline=headline,
        caption="Test accuracies of supervisor (weak), student (strong) and ceiling, means over training seeds, and "
        "the performance gap recovered. Its interval draws seeds, then groups, the same for all three. No number "
        "stands where the interval of ceiling minus supervisor, in brackets, covers 0 or lies below it.",
    )


def _start(one: Cell) -> list[TableCell]:
    return [one.task, one.weak, one.strong, one.method]


def _recovered(one: Cell) -> list[TableCell]:
    found = one.recovery
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    said = "yes" if found.identified else f"no ({found.gap.low:+.3f} to {found.gap.high:+.3f})"
    return [found.weak, found.student, found.ceiling, found.value, low, high, said]


def detail_table(cells: Sequence[Cell]) -> Table:
    """What else there is to know of each ratio."""
    rows: list[list[TableCell]] = []
    for one in cells:
        found, area = one.recovery, one.area
        ends = (found.fieller.low, found.fieller.high) if found.fieller else (None, None)
        areas = (area.interval.low, area.interval.high) if area and area.interval else (None, None)
        value = area.value if area else None
        rows.append([*_start(one), one.student.low, one.student.high, *ends, found.detectable, value, *areas])
    labels = ("student's accuracy, low", "high", "Fieller, low", "high", "least PGR that would show")
    return Table(
        title="Behind the gap recovered",
        columns=[
            *(Column(label=text) for text in _NAMES),
            *(Column(label=text, format="fraction") for text in (*labels, "PGR by AUROC", "low", "high")),
        ],
        rows=rows,
        caption="The student's interval is over groups of test items. Fieller's interval of the ratio stands beside "
        "the bootstrap's; where they differ, the gap is too small for either to be trusted. The least PGR that would "
        "show has 80% power at 5%. Areas under the ROC curve ignore a student's threshold.",
    )


def total_table(study: Study, cells: Sequence[Cell]) -> Table:
    """Every loss over all cells, and against the first."""
    losses = study.settings.losses
    by_loss = {loss: [one for one in cells if one.method == loss] for loss in losses}
    plain = [one.recovery.student for one in by_loss[losses[0]]]
    compared = {loss: against([one.recovery.student for one in by_loss[loss]], plain) for loss in losses[1:]}
    known = {loss: one.p_value for loss, one in compared.items() if one.p_value is not None}
    adjusted = dict(zip(known, holm(list(known.values())).tolist(), strict=True)) if known else {}
    rows: list[list[TableCell]] = []
    for loss in losses:
        total, other = many([one.recovery for one in by_loss[loss]]), compared.get(loss)
        rows.append(
            [
                loss,
                total.cells,
                total.identified,
                total.inverted,
                total.median,
                total.ratio,
                f"{other.wins} / {other.ties} / {other.losses}" if other else None,
                other.mean if other else None,
                other.p_value if other else None,
                adjusted.get(loss),
            ]
        )
    return Table(
        title="All cells together",
        columns=[
            Column(label="loss"),
            Column(label="cells", format="integer"),
            Column(label="identified", format="integer"),
            Column(label="ceiling at or below supervisor", format="integer"),
            Column(label="median PGR of those identified", format="fraction"),
            Column(label="sum of gains / sum of gaps", format="fraction"),
            Column(label=f"wins / ties / losses against {losses[0]}"),
            Column(label="mean difference in accuracy", format="fraction"),
            Column(label="Wilcoxon p", format="p-value"),
            Column(label="p, Holm", format="p-value"),
        ],
        rows=rows,
        caption="A supervisor is paired with every model above it. Cells share test sets and models, so a p-value is a "
        "guide; it is not given for fewer than 6 cells that differ.",
    )


def loss_tables(study: Study, cells: Sequence[Cell]) -> list[Table]:
    """What each further loss gains over the first: over all pairs of a task, and pair by pair."""
    first, *others = study.settings.losses
    if not others:
        return []
    right = {(one.task, one.weak, one.strong, one.method): one.right.astype(np.float64) for one in cells}

    def compared(task: TaskPool, pairs: Sequence[tuple[str, str]], loss: str) -> list[TableCell]:
        method, plain = (np.stack([right[task.name, *pair, name] for pair in pairs]) for name in (loss, first))
        found = gained(method, plain, groups_of(task.pool), seed=study.settings.seed)
        return [loss, float(method.mean() - plain.mean()), found.low, found.high]

    pairs = [(weak, strong) for weak, strong in study.pairs if weak != strong]
    total: list[list[TableCell]] = []
    each: list[list[TableCell]] = []
    for task in study.tasks:
        for loss in others:
            total.append([task.name, len(pairs), *compared(task, pairs, loss)])
            each += [[task.name, *pair, *compared(task, [pair], loss)] for pair in pairs]
    numbers = [Column(label=text, format="fraction") for text in ("gain in accuracy", "low", "high")]
    caption = "The interval draws training seeds, then groups of test items, the same for both losses."
    return [
        Table(
            title=f"Losses against {first}",
            columns=[Column(label="task"), Column(label="pairs", format="integer"), Column(label="loss"), *numbers],
            rows=total,
            headline=True,
            caption=f"Students' mean accuracy over all pairs. {caption}",
        ),
        Table(
            title=f"Losses against {first}, pair by pair",
            columns=[*(Column(label=text) for text in (*_NAMES[:3], "loss")), *numbers],
            rows=each,
            caption=f"{caption} Of twenty pairs without any gain, one interval is expected to lie beside 0.",
        ),
    ]


def agreement_table(cells: Sequence[Cell]) -> Table:
    rows: list[list[TableCell]] = []
    for one in cells:
        found, interval = one.agreement, one.agreement.wrong_interval
        rows.append(
            [
                one.task,
                one.weak,
                one.strong,
                one.method,
                found.overall,
                found.right,
                found.wrong,
                interval.low if interval else None,
                interval.high if interval else None,
                found.confident_copies,
                one.calibration_error,
            ]
        )
    labels = (
        "overall",
        "supervisor right",
        "supervisor wrong",
        "low",
        "high",
        "confident errors copied",
        "calibration error",
    )
    return Table(
        title="Agreement of student and supervisor",
        columns=[
            *(Column(label=text) for text in _NAMES),
            *(Column(label=text, format="fraction") for text in labels),
        ],
        rows=rows,
        caption="On test rows. Confident errors: P above 0.95 and wrong. Calibration: root mean square error of the "
        "student's confidence.",
    )


def course_table(cells: Sequence[Cell]) -> Table:
    return Table(
        title="What the choice of an epoch is worth",
        columns=[
            *(Column(label=text) for text in _NAMES),
            *(
                Column(label=text, format="fraction")
                for text in ("as chosen", "last epoch", "chosen by the truth of the test rows (upper bound)")
            ),
            Column(label="by seed"),
        ],
        rows=[
            [
                one.task,
                one.weak,
                one.strong,
                one.method,
                one.recovery.student,
                one.course[-1],
                one.best_truth,
                ", ".join(f"{value:.3f}" for value in one.per_seed),
            ]
            for one in cells
        ],
        caption="The last column but one looks at the test labels: nobody may choose so; it bounds what early stopping "
        "could give.",
    )
