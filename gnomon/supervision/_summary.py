"""What was found, as blocks: the gap recovered first, then accuracies, agreement, the course of training.

Belongs here: which blocks there are, and their order. Does not belong here: computing (`_cells.py`), tables
(`_tables.py`), curves (`_figures.py`), drawing (`report/`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gnomon.blocks import Block, Estimate, Note, Text
from gnomon.supervision import _ladder as make
from gnomon.supervision import _tables as tables
from gnomon.supervision._cells import Cell, cell
from gnomon.supervision._figures import figures
from gnomon.supervision._ladder import Ladder, Node
from gnomon.supervision._more import difficulty_table, saliency_table
from gnomon.supervision._simulated import KINDS

if TYPE_CHECKING:
    from gnomon.supervision._plan import Study, TaskPool

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
    blocks.append(tables.cell_table("Supervisor, student, ceiling", across, headline=True))
    blocks.append(tables.total_table(study, across))
    losses = tables.loss_tables(study, across)
    blocks += losses[:1]
    if extra:
        blocks.append(tables.cell_table("More ways to teach", extra, headline=True))
    if study.settings.saliency:
        blocks.append(saliency_table(study, ladders))
    if study.settings.easy is not None:
        blocks.append(difficulty_table(study, ladders))
    for one, ladder in zip(study.tasks, ladders, strict=True):
        mine = [found for found in plain if found.task == one.name]
        blocks += figures(study, one, ladder, mine, f" ({one.name})" if len(study.tasks) > 1 else "")
    blocks.append(tables.detail_table(across))
    blocks += losses[1:]
    blocks.append(tables.agreement_table(across))
    if study.settings.learner != "prompt":
        blocks.append(tables.course_table(across))
    blocks += _notes(study, across)
    return blocks


# cells --------------------------------------------------------------------------------------------------------------


def _cells(study: Study, one: TaskPool, ladder: Ladder) -> Iterator[Cell]:
    for weak, strong in study.pairs:
        for loss in study.settings.losses:
            of = functools.partial(make.student, strong, weak, loss, probed=study.settings.saliency)
            yield _cell(study, one, ladder, weak, strong, loss, of)


def _extra_cells(study: Study, one: TaskPool, ladder: Ladder) -> Iterator[Cell]:
    """Simulated supervisors, students that wrote first, and chains beside direct students on the same rows."""
    names, first = study.names, study.settings.losses[0]
    for weak, strong in study.pairs:
        for kind in study.settings.simulate if weak != strong else ():
            node = functools.partial(make.student, strong, weak, "xent", errors=kind)
            yield _cell(study, one, ladder, weak, strong, f"xent, {kind} errors", node)
        if study.settings.generative_first and weak != strong:
            node = functools.partial(make.student, strong, weak, first, primed=True)
            yield _cell(study, one, ladder, weak, strong, f"{first}, generative first", node, primed=True)
    if study.settings.chain:
        part = make.last_part(names)
        for loss in study.settings.losses:
            for words, stage in (("direct, last part", make.direct), (f"chain through {len(names) - 2}", make.chained)):
                of = functools.partial(stage, names, loss)
                yield _cell(study, one, ladder, names[0], names[-1], f"{loss}, {words}", of, part)


def _cell(
    study: Study,
    one: TaskPool,
    ladder: Ladder,
    weak: str,
    strong: str,
    method: str,
    node: Of,
    part: str = "b",
    primed: bool = False,
) -> Cell:
    seeds = range(study.settings.seeds)
    return cell(
        (one.name, weak, strong, method),
        weak=[ladder.outcomes[make.supervisor(weak, seed)] for seed in seeds],
        student=[ladder.outcomes[node(seed)] for seed in seeds],
        ceiling=[ladder.outcomes[make.ceiling(strong, seed, part, primed)] for seed in seeds],
        pool=one.pool,
        seed=study.settings.seed,
    )


# blocks -------------------------------------------------------------------------------------------------------------


def _headlines(study: Study, cells: Sequence[Cell]) -> Iterator[Block]:
    """Gap recovered by the strongest student of the weakest supervisor, task by task and loss by loss."""
    weak, strong = study.names[0], study.names[-1]
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


def _notes(study: Study, cells: Sequence[Cell]) -> Iterator[Block]:
    settings = study.settings
    for one in study.tasks:
        yield Text(title=f"First text ({one.name})", text=one.pool.texts[int(one.pool.test[0])])
    for text in study.notes:
        yield Note(level="warning", text=text)
    for one in study.tasks:
        parts = f"{len(one.pool.learn):,} rows to learn from in two halves, {len(one.pool.test):,} test rows"
        balanced = "" if one.pool.written else ", balanced"
        yield Note(level="info", text=f"{one.name}: {parts}{balanced}; no group and no text stands in two parts.")
        for text in [*one.pool.notes, *one.data.notes]:
            yield Note(level="info", text=f"{one.name}: {text}")
    if settings.seeds == 1:
        yield Note(level="warning", text="One training seed: intervals say nothing of the luck of halves and order.")
    if study.given:
        yield Note(
            level="info",
            text=f"The supervisor '{study.given.name}' is a file of labels ({study.given.digest[:12]}), the same for "
            "all training seeds.",
        )
    yield from _deviations(study)
    for kind in settings.simulate:
        yield Note(level="info", text=f"Simulated supervisors, '{kind}': {KINDS[kind]}; hard labels.")
    flat = [one for one in cells if not one.recovery.identified]
    if flat:
        yield Note(
            level="info",
            text=f"In {len(flat)} of {len(cells)} cells the gap is not identified: they have no PGR and are in no "
            "median.",
        )


def _deviations(study: Study) -> Iterator[Note]:
    """What differs from the paper's way."""
    settings = study.settings
    start = "at the output rows of 0 and 1" if settings.start == "unembedding" else "at zero"
    if settings.learner == "frozen":
        yield Note(
            level="deviation",
            text=f"Heads on frozen states, standardised, started {start}, 20 epochs; the paper finetunes whole models "
            "for 2.",
        )
    if settings.learner == "lora":
        yield Note(level="deviation", text="Low-rank adapters are trained; the paper finetunes whole models.")
    if settings.learner == "prompt":
        yield Note(
            level="deviation",
            text=f"Nothing is trained: {settings.shots} examples stand in the prompt. What a prompt favours by itself "
            "is taken off its log-odds, by their own spread over rows to learn from; no label is used for that.",
        )
    if settings.written:
        yield Note(
            level="info",
            text="Answers are written, greedily; what a teacher wrote is learned as it stands, readable or not.",
        )
