"""From outcomes to numbers: one cell is a supervisor, a student and a method on one task.

Belongs here: accuracies, gap recovered, agreement, calibration, the course of training. Does not belong here: training,
or the words and figures of a report (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Interval
from gnomon.stats.calibration import rms_calibration_error
from gnomon.stats.clusters import clustered_mean
from gnomon.supervision._stages import Outcome
from gnomon.supervision.recovery import Recovery, auroc_recovered, gap_recovered

__all__ = ["Agreement", "Cell", "accuracy_of", "cell"]

Floats = NDArray[np.float64]


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
    been chosen by the truth of the test rows: an upper bound that no honest choice reaches.
    """

    task: str
    weak: str
    strong: str
    method: str
    recovery: Recovery
    area: Recovery
    student: Interval
    agreement: Agreement
    calibration_error: float
    majority: float
    course: tuple[float, ...]
    course_agreement: tuple[float, ...]
    best_truth: float
    per_seed: tuple[float, ...]


def cell(
    names: tuple[str, str, str, str],
    weak: Sequence[Outcome],
    student: Sequence[Outcome],
    ceiling: Sequence[Outcome],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    seed: int,
) -> Cell:
    """One cell from the outcomes of every training seed; `names` are task, supervisor, student, method."""
    says = [np.stack([one.final for one in outcomes]) for outcomes in (weak, student, ceiling)]
    right = [(part > 0.5) == labels for part in says]
    recovery = gap_recovered(right[0], right[1], right[2], groups, seed=seed)
    area = auroc_recovered(says[0], says[1], says[2], labels, groups, seed=seed)
    points = min(len(one.test) for one in student)
    course = [np.mean([np.mean((one.test[at] > 0.5) == labels) for one in student]) for at in range(points)]
    copies = [
        np.mean([np.mean((one.test[at] > 0.5) == (told.final > 0.5)) for one, told in zip(student, weak, strict=True)])
        for at in range(points)
    ]
    best = [max(np.mean((point > 0.5) == labels) for point in one.test) for one in student]
    confidence = np.maximum(says[1], 1 - says[1]).ravel()
    return Cell(
        *names,
        recovery=recovery,
        area=area,
        student=clustered_mean(right[1].mean(axis=0), groups),
        agreement=_agreement(says[0], says[1], labels, groups),
        calibration_error=float(rms_calibration_error(confidence, right[1].ravel())),
        majority=float(max(labels.mean(), 1 - labels.mean())),
        course=tuple(float(value) for value in course),
        course_agreement=tuple(float(value) for value in copies),
        best_truth=float(np.mean(best)),
        per_seed=tuple(float(row.mean()) for row in right[1]),
    )


def accuracy_of(
    outcomes: Sequence[Outcome], labels: NDArray[np.int64], groups: Sequence[str]
) -> tuple[float, Interval]:
    """Mean test accuracy over seeds, with an interval over groups."""
    right = np.stack([(one.final > 0.5) == labels for one in outcomes]).mean(axis=0)
    return float(right.mean()), clustered_mean(right, groups)


def _agreement(weak: Floats, student: Floats, labels: NDArray[np.int64], groups: Sequence[str]) -> Agreement:
    same = (weak > 0.5) == (student > 0.5)
    told = (weak > 0.5) == labels
    sure = (np.maximum(student, 1 - student) > 0.95) & ((student > 0.5) != labels)
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
