"""From outcomes to numbers: one cell is a supervisor, a student and a method on one task.

Belongs here: accuracies, gap recovered, agreement, calibration, the course of training. Does not belong here: training,
or the words and figures of a report (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Interval
from gnomon.stats.calibration import rms_calibration_error
from gnomon.stats.clusters import clustered_mean
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Outcome
from gnomon.supervision.recovery import Recovery, auroc_recovered, gap_recovered

__all__ = ["Agreement", "Cell", "accuracy_of", "cell", "groups_of"]


@dataclass(frozen=True)
class Agreement:
    """How often a student agrees with its supervisor on test rows: overall, where the supervisor is right, where it is
    wrong (None where it never is). `confident_copies` is the share of the student's confident (above 0.95) wrong
    answers that the supervisor gives, too (None where there is none)."""

    overall: float
    right: float | None
    wrong: float | None
    wrong_interval: Interval | None
    confident_copies: float | None


@dataclass(frozen=True)
class Cell:
    """One cell of a ladder, over all training seeds.

    `course` is the student's mean test accuracy at every point of its training, `best_truth` its accuracy had the point
    been chosen by the truth of the test rows: an upper bound that no honest choice reaches. Where answers are written
    there are neither areas, nor calibration, nor a majority.
    """

    task: str
    weak: str
    strong: str
    method: str
    recovery: Recovery
    area: Recovery | None
    student: Interval
    agreement: Agreement
    calibration_error: float | None
    majority: float | None
    course: tuple[float, ...]
    course_agreement: tuple[float, ...]
    best_truth: float
    right: NDArray[np.bool_]

    @property
    def per_seed(self) -> list[float]:
        """The student's accuracy, by training seed."""
        return [float(row.mean()) for row in self.right]


def cell(
    names: tuple[str, str, str, str],
    weak: Sequence[Outcome],
    student: Sequence[Outcome],
    ceiling: Sequence[Outcome],
    pool: Pool,
    seed: int,
) -> Cell:
    """One cell from the outcomes of every training seed; `names` are task, supervisor, student, method."""
    rows, groups = pool.test, groups_of(pool)
    says = [np.stack([one.final for one in outcomes]) for outcomes in (weak, student, ceiling)]
    right = [pool.right(part, rows) for part in says]
    recovery = gap_recovered(right[0], right[1], right[2], groups, seed=seed)
    area = calibration = majority = None
    if not pool.written:
        labels = pool.labels[rows]
        area = auroc_recovered(says[0], says[1], says[2], labels, groups, seed=seed)
        confidence = np.maximum(says[1], 1 - says[1]).ravel()
        calibration = float(rms_calibration_error(confidence, right[1].ravel()))
        majority = float(max(labels.mean(), 1 - labels.mean()))
    points = min(len(one.test) for one in student)
    over = [pool.right(one.test[:points], rows).mean(axis=1) for one in student]
    copied = [
        pool.same(one.test[:points], np.broadcast_to(told.final, (points, len(rows))), rows).mean(axis=1)
        for one, told in zip(student, weak, strict=True)
    ]
    return Cell(
        *names,
        recovery=recovery,
        area=area,
        student=clustered_mean(right[1].mean(axis=0), groups),
        agreement=_agreement(pool, says[0], says[1], right[0], right[1]),
        calibration_error=calibration,
        majority=majority,
        course=tuple(np.mean(over, axis=0).tolist()),
        course_agreement=tuple(np.mean(copied, axis=0).tolist()),
        best_truth=float(np.mean([pool.right(one.test, rows).mean(axis=1).max() for one in student])),
        right=right[1],
    )


def groups_of(pool: Pool) -> list[str]:
    """The groups of the test rows."""
    return [pool.groups[row] for row in pool.test]


def accuracy_of(outcomes: Sequence[Outcome], pool: Pool) -> tuple[float, Interval]:
    """Mean test accuracy over seeds, with an interval over groups."""
    right = pool.right(np.stack([one.final for one in outcomes]), pool.test).mean(axis=0)
    return float(right.mean()), clustered_mean(right, groups_of(pool))


def _agreement(
    pool: Pool, weak: NDArray[Any], student: NDArray[Any], told: NDArray[np.bool_], right: NDArray[np.bool_]
) -> Agreement:
    same = pool.same(weak, student, pool.test)
    groups = groups_of(pool)
    sure = np.zeros_like(same) if pool.written else (np.maximum(student, 1 - student) > 0.95) & ~right
    interval = None
    names = np.tile(np.array(groups), (len(weak), 1))
    if len(set(names[~told].tolist())) > 1:
        interval = clustered_mean(same[~told], names[~told].tolist())
    return Agreement(
        overall=float(same.mean()),
        right=float(same[told].mean()) if told.any() else None,
        wrong=float(same[~told].mean()) if (~told).any() else None,
        wrong_interval=interval,
        confident_copies=float(same[sure].mean()) if sure.any() else None,
    )
