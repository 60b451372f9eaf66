"""Curves of a weak-to-strong study: the paper's figures.

Belongs here: series and their words. Does not belong here: computing (`_cells.py`), tables (`_tables.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gnomon.blocks import Block, Curve, Series
from gnomon.supervision import _ladder as make
from gnomon.supervision._cells import Cell, accuracy_of
from gnomon.supervision._ladder import Ladder

if TYPE_CHECKING:
    from gnomon.supervision._plan import Study, TaskPool

__all__ = ["figures"]


def figures(study: Study, one: TaskPool, ladder: Ladder, cells: Sequence[Cell], suffix: str) -> list[Block]:
    """Accuracy against the student's size by supervisor; gap recovered; agreement with errors; course of training."""
    names = study.names
    places = {name: float(place) for place, name in enumerate(names)}
    seeds = range(study.settings.seeds)
    top = [
        accuracy_of([ladder.outcomes[make.ceiling(name, seed)] for seed in seeds], one.pool) for name in study.models
    ]
    ceilings = Series(
        name="ceiling (truth)",
        x=[places[name] for name in study.models],
        y=[value for value, _ in top],
        low=[interval.low for _, interval in top],
        high=[interval.high for _, interval in top],
    )
    blocks: list[Block] = []
    for loss in study.settings.losses:
        mine = [found for found in cells if found.method == loss]
        lines = [ceilings]
        for weak in names[:-1]:
            row = [found for found in mine if found.weak == weak]
            lines.append(
                Series(
                    name=f"taught by {weak}",
                    x=[places[found.strong] for found in row],
                    y=[found.recovery.student for found in row],
                    low=[found.student.low for found in row],
                    high=[found.student.high for found in row],
                )
            )
        blocks.append(
            Curve(
                title=f"Accuracy of students, {loss}{suffix}",
                x_label="student",
                y_label="test accuracy",
                series=lines,
                reference=None if one.pool.written else 0.5,
                reference_label="" if one.pool.written else "chance",
                x_names=names,
                caption="Each line is a supervisor; its first point is a student of the supervisor's own size.",
            )
        )
    blocks += _lines(study, cells, names, places, suffix)
    return blocks


def _lines(
    study: Study, cells: Sequence[Cell], names: list[str], places: dict[str, float], suffix: str
) -> Iterator[Block]:
    first = study.settings.losses[0]
    recovered = []
    for loss in study.settings.losses:
        for weak in names[:-1]:
            row = [one for one in cells if (one.method, one.weak) == (loss, weak) and one.recovery.value is not None]
            row = [one for one in row if one.strong != weak]
            if row:
                recovered.append(
                    Series(
                        name=f"{weak}, {loss}",
                        x=[places[one.strong] for one in row],
                        y=[float(one.recovery.value or 0) for one in row],
                        low=[one.recovery.interval.low for one in row if one.recovery.interval],
                        high=[one.recovery.interval.high for one in row if one.recovery.interval],
                    )
                )
    if recovered:
        yield Curve(
            title=f"Gap recovered{suffix}",
            x_label="student",
            y_label="PGR",
            series=recovered,
            reference=0.0,
            reference_label="no better than the supervisor",
            x_names=names,
            caption="Only where the gap is identified. 1 is the ceiling.",
        )
    copies = []
    for weak in names[:-1]:
        row = [one for one in cells if (one.method, one.weak) == (first, weak) and one.agreement.wrong is not None]
        if row:
            copies.append(
                Series(
                    name=f"taught by {weak}",
                    x=[places[one.strong] for one in row],
                    y=[float(one.agreement.wrong or 0) for one in row],
                )
            )
    if copies:
        yield Curve(
            title=f"Agreement with the supervisor's errors, {first}{suffix}",
            x_label="student",
            y_label="share of errors copied",
            series=copies,
            x_names=names,
            caption="Test rows where the supervisor is wrong. Falling lines are inverse scaling: larger students copy "
            "fewer errors.",
        )
    widest = [one for one in cells if (one.weak, one.strong) == (names[0], names[-1])]
    course = [
        series
        for one in widest
        for series in (
            Series(name=f"{one.method}: accuracy", x=[*range(1, len(one.course) + 1)], y=list(one.course)),
            Series(name=f"{one.method}: agreement", x=[*range(1, len(one.course) + 1)], y=list(one.course_agreement)),
        )
    ]
    if study.settings.learner == "prompt":
        return
    yield Curve(
        title=f"Over training, {names[0]} teaches {names[-1]}{suffix}",
        x_label="epoch" if study.settings.learner == "frozen" else "look",
        y_label="test accuracy, agreement",
        series=course,
        caption="Accuracy that rises and then falls while agreement rises: the student comes to copy errors.",
    )
