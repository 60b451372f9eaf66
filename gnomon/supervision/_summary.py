"""What was found, as blocks: the gap recovered first, then accuracies, agreement, the course of training.

Belongs here: which blocks, and their words. Does not belong here: computing (`_cells.py`), drawing (`report/`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Block, Column, Curve, Estimate, Note, Series, Table, Text
from gnomon.blocks import Cell as TableCell
from gnomon.stats import holm
from gnomon.supervision import _ladder as make
from gnomon.supervision._cells import Cell, accuracy_of, cell
from gnomon.supervision._ladder import Ladder, Node
from gnomon.supervision._simulated import KINDS
from gnomon.supervision.aggregate import against, many

if TYPE_CHECKING:
    from gnomon.supervision._study import Study, TaskPool

__all__ = ["summarise"]

Of = Callable[[int], Node]
"""A stage by its training seed."""


def summarise(study: Study, ladders: Sequence[Ladder]) -> list[Block]:
    """All blocks of a finished study."""
    plain: list[Cell] = []
    extra: list[Cell] = []
    for one, ladder in zip(study.tasks, ladders, strict=True):
        plain += list(_cells(study, one, ladder))
        extra += list(_extra_cells(study, one, ladder))
    across = [one for one in plain if one.weak != one.strong]
    blocks: list[Block] = [*_headlines(study, across)]
    blocks.append(_cell_table("Supervisor, student, ceiling", across, headline=True))
    blocks.append(_total_table(study, across))
    if extra:
        blocks.append(_cell_table("Chains and simulated supervisors", extra, headline=False))
    for one, ladder in zip(study.tasks, ladders, strict=True):
        mine = [found for found in plain if found.task == one.name]
        blocks += _figures(study, one, ladder, mine, f" ({one.name})" if len(study.tasks) > 1 else "")
    blocks.append(_detail_table(across))
    blocks.append(_agreement_table(across))
    blocks.append(_course_table(across))
    blocks += _notes(study, across)
    return blocks


# cells --------------------------------------------------------------------------------------------------------------


def _cells(study: Study, one: TaskPool, ladder: Ladder) -> Iterator[Cell]:
    for weak, strong in study.pairs:
        for loss in study.settings.losses:
            yield _cell(study, one, ladder, weak, strong, loss, functools.partial(make.student, strong, weak, loss))


def _extra_cells(study: Study, one: TaskPool, ladder: Ladder) -> Iterator[Cell]:
    """Simulated supervisors, and chains beside direct students on the same rows."""
    names = list(study.models)
    for weak, strong in study.pairs:
        for kind in study.settings.simulate if weak != strong else ():
            node = functools.partial(make.student, strong, weak, "xent", errors=kind)
            yield _cell(study, one, ladder, weak, strong, f"xent, {kind} errors", node)
    if study.settings.chain:
        part = make.last_part(names)
        for loss in study.settings.losses:
            for words, stage in (("direct, last part", make.direct), (f"chain through {len(names) - 2}", make.chained)):
                of = functools.partial(stage, names, loss)
                yield _cell(study, one, ladder, names[0], names[-1], f"{loss}, {words}", of, part)


def _cell(
    study: Study, one: TaskPool, ladder: Ladder, weak: str, strong: str, method: str, node: Of, part: str = "b"
) -> Cell:
    seeds = range(study.settings.seeds)
    labels, groups = _test(one)
    return cell(
        (one.name, weak, strong, method),
        weak=[ladder.outcomes[make.supervisor(weak, seed)] for seed in seeds],
        student=[ladder.outcomes[node(seed)] for seed in seeds],
        ceiling=[ladder.outcomes[make.ceiling(strong, seed, part)] for seed in seeds],
        labels=labels,
        groups=groups,
        seed=study.settings.seed,
    )


def _test(one: TaskPool) -> tuple[NDArray[np.int64], list[str]]:
    return one.pool.labels[one.pool.test], [one.pool.groups[row] for row in one.pool.test]


# blocks -------------------------------------------------------------------------------------------------------------


def _headlines(study: Study, cells: Sequence[Cell]) -> Iterator[Block]:
    """Gap recovered by the strongest student of the weakest supervisor, task by task and loss by loss."""
    weak, strong = next(iter(study.models)), list(study.models)[-1]
    for one in cells:
        if (one.weak, one.strong) != (weak, strong):
            continue
        found = one.recovery
        yield Estimate(
            name=f"gap recovered, {one.task}, {one.method}",
            value=found.value,
            interval=found.interval,
            n=found.items,
            groups=found.groups if found.groups != found.items else None,
            method=f"(student - supervisor) / (ceiling - supervisor), {weak} to {strong}, {found.seeds} seeds",
            baselines={}
            if found.value is None
            else {"supervisor's accuracy": found.weak, "student's": found.student, "ceiling's": found.ceiling},
            headline=True,
            reason=found.reason,
        )


_NAMES = ("task", "supervisor", "student", "method")


def _cell_table(title: str, cells: Sequence[Cell], headline: bool) -> Table:
    """The three accuracies and their ratio."""
    numbers = ("weak", "strong", "ceiling", "PGR", "low", "high")
    return Table(
        title=title,
        columns=[
            *(Column(label=text) for text in _NAMES),
            *(Column(label=text, format="fraction") for text in numbers),
            Column(label="identified"),
        ],
        rows=[[*_start(one), *_recovered(one)] for one in cells],
        headline=headline,
        caption="Test accuracies of supervisor (weak), student (strong) and ceiling, means over training seeds, and "
        "the performance gap recovered. Its interval draws seeds, then groups, the same for all three. No number "
        "stands where the interval of ceiling minus supervisor covers 0.",
    )


def _start(one: Cell) -> list[TableCell]:
    return [one.task, one.weak, one.strong, one.method]


def _recovered(one: Cell) -> list[TableCell]:
    found = one.recovery
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    said = "yes" if found.identified else found.reason.removeprefix("not identified: ")
    return [found.weak, found.student, found.ceiling, found.value, low, high, said]


def _detail_table(cells: Sequence[Cell]) -> Table:
    """What else there is to know of each ratio."""
    rows: list[list[TableCell]] = []
    for one in cells:
        found, area = one.recovery, one.area
        ends = (found.fieller.low, found.fieller.high) if found.fieller else (None, None)
        areas = (area.interval.low, area.interval.high) if area.interval else (None, None)
        rows.append([*_start(one), one.student.low, one.student.high, *ends, found.detectable, area.value, *areas])
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


def _total_table(study: Study, cells: Sequence[Cell]) -> Table:
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


def _figures(study: Study, one: TaskPool, ladder: Ladder, cells: Sequence[Cell], suffix: str) -> list[Block]:
    """Accuracy against the student's size by supervisor; gap recovered; agreement with errors; course of training."""
    names = list(study.models)
    places = {name: float(place) for place, name in enumerate(names)}
    labels, groups = _test(one)
    top = [
        accuracy_of([ladder.outcomes[make.ceiling(name, seed)] for seed in range(study.settings.seeds)], labels, groups)
        for name in names
    ]
    ceilings = Series(
        name="ceiling (truth)",
        x=list(places.values()),
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
                reference=0.5,
                reference_label="chance",
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
    yield Curve(
        title=f"Over training, {names[0]} teaches {names[-1]}{suffix}",
        x_label="epoch" if study.settings.learner == "frozen" else "look",
        y_label="test accuracy, agreement",
        series=course,
        caption="Accuracy that rises and then falls while agreement rises: the student comes to copy errors.",
    )


def _agreement_table(cells: Sequence[Cell]) -> Table:
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


def _course_table(cells: Sequence[Cell]) -> Table:
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


def _notes(study: Study, cells: Sequence[Cell]) -> Iterator[Block]:
    for one in study.tasks:
        yield Text(title=f"First text ({one.name})", text=one.pool.texts[int(one.pool.test[0])])
    for text in study.notes:
        yield Note(level="warning", text=text)
    for one in study.tasks:
        parts = f"{len(one.pool.learn):,} rows to learn from in two halves, {len(one.pool.test):,} test rows"
        yield Note(level="info", text=f"{one.name}: {parts}, balanced; no group and no text stands in two parts.")
        for text in [*one.pool.notes, *one.data.notes]:
            yield Note(level="info", text=f"{one.name}: {text}")
    if study.settings.seeds == 1:
        yield Note(level="warning", text="One training seed: intervals say nothing of the luck of halves and order.")
    if study.settings.learner == "frozen":
        yield Note(
            level="deviation",
            text="Heads on frozen states, standardised, started at zero, 20 epochs; the paper finetunes whole models "
            "for 2.",
        )
    for kind in study.settings.simulate:
        yield Note(level="info", text=f"Simulated supervisors, '{kind}': {KINDS[kind]}; hard labels.")
    flat = [one for one in cells if not one.recovery.identified]
    if flat:
        yield Note(
            level="info",
            text=f"In {len(flat)} of {len(cells)} cells the gap is not identified: they have no PGR and are in no "
            "median.",
        )
