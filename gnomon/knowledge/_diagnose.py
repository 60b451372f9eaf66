"""One task of a study, computed: the grid of fits, signs, and everything that the verdict and the report need.

Belongs here: the order of measurements. Does not belong here: what holds them (`_computed.py`), measurements on arrays
(`_examine.py`, `_controls.py`) or on changed texts (`_variants.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from gnomon.errors import ModelError, UsageError
from gnomon.knowledge._answers import Own
from gnomon.knowledge._computed import Agreement, Checked, Computed, Texts
from gnomon.knowledge._controls import restart_table
from gnomon.knowledge._examine import Sides, against_random, losses, near_best_agreement, randoms, versus
from gnomon.knowledge._fit import Grid, fit_grid
from gnomon.knowledge._measure import measure, right
from gnomon.knowledge._plan import SIGNS, Part
from gnomon.knowledge._probe import Probe
from gnomon.knowledge._read import Read, Usable, usable
from gnomon.knowledge._resolve import Couples, Resolver
from gnomon.knowledge._variants import (
    NEGATED,
    UNTRAINED,
    Variants,
    calibrated_margins,
    examined,
    misled_answers,
    prepared,
    sides_of,
)
from gnomon.knowledge._verdict import Evidence, judge

if TYPE_CHECKING:
    from gnomon.knowledge._study import Settings

__all__ = ["compute"]

Progress = Callable[[str, int, int], None]


def compute(
    part: Part, settings: Settings, states: Read, bare: Read | None, own: Own | None, progress: Progress
) -> Computed:
    """Fit, resolve signs, measure and examine one task.

    Raises ModelError where no pair could be read, UsageError where nothing can be found in what was read.
    """
    from gnomon.knowledge._study import method_named

    good = usable(states, part.rows)
    if not good.mask.any():
        raise _unreadable(part, states, good)
    rows = good.rows
    prototypes = {name: method_named(name, settings) for name in settings.methods}
    grid = fit_grid(
        rows,
        lambda layer: states.layer(rows, layer),
        settings.layers,
        prototypes,
        stacked=settings.stacked,
        transductive=settings.transductive,
        progress=lambda done, total: progress("fitting", done, total),
    )
    found = Computed(part, rows, grid, _layer(grid, settings, part.name), answers=own)
    found.texts.append(Texts.of("pairs", good))
    found.reasons += states.reasons(part.rows)
    resolver = Resolver(rows, part.first, states, _couples(found, states), settings.labels, settings.seed)
    for key, fitted in grid.fitted.items():
        if not fitted.probe.supervised:
            grid.fitted[key] = resolver.settle(fitted, settings.sign)
    _measure(found, settings, good)
    _check(found, settings, prototypes, resolver, states, bare, progress)
    return found


def _unreadable(part: Part, states: Read, good: Usable) -> ModelError | UsageError:
    """The error of a task of which no row can be used."""
    if reasons := states.reasons(part.rows, 1):
        return ModelError(f"none of the {len(part.rows):,} pairs of {part.name} can be used; {reasons[0]}.")
    return UsageError(
        f"none of the {good.equal:,} pairs of {part.name} can be used: both sides have the same states.",
        hint="The answers do not reach what is read; take other templates, or another reading rule.",
    )


def _layer(grid: Grid, settings: Settings, task: str) -> str:
    """The layer that was named, else the one with the lowest held-out loss."""
    if settings.layer is None:
        return min(grid.loss, key=lambda name: grid.loss[name])
    if settings.layer not in grid.loss:
        raise UsageError(
            f"the verdict on {task} cannot be read at layer {settings.layer}: no state differs between pairs there.",
            hint=f"States differ at {', '.join(grid.loss)}; or leave out --layer.",
        )
    return settings.layer


def _couples(found: Computed, states: Read) -> Couples | None:
    """The compounds that were read whole."""
    part = found.part
    if part.compounds is None:
        return None
    good = usable(states, part.compounds.rows, whole=True)
    found.texts.append(Texts.of("compounds", good))
    found.reasons += states.reasons(part.compounds.rows)
    source = part.diagnosed()
    return Couples.of(part.compounds, source.keep(source.train), found.rows, good.mask)


def _measure(found: Computed, settings: Settings, good: Usable) -> None:
    """Accuracy, AUROC and calibration of every method, and of the model's own answers, on the test rows."""
    rows, test = found.rows, found.rows.test
    for name, fitted in found.fitted.items():
        parts = (rows.y[test], rows.templates[test], rows.groups[test], settings.seed)
        found.measured[name] = measure(fitted.decisions[test], fitted.p[test], *parts)
    if found.answers is None:
        return
    margins = found.answers.rows[good.mask]
    ways = {"zero-shot": margins, "calibrated zero-shot": calibrated_margins(margins, rows, settings.prior)}
    for name, margin in ways.items():
        seen = test & np.isfinite(margin)
        if len(np.unique(rows.groups[seen])) > 1:
            found.own[name] = margin
            parts = (rows.y[seen], rows.templates[seen], rows.groups[seen], settings.seed)
            found.own_measured[name] = measure(margin[seen], expit(margin[seen]), *parts)


def _check(
    found: Computed,
    settings: Settings,
    prototypes: dict[str, Probe],
    resolver: Resolver,
    states: Read,
    bare: Read | None,
    progress: Progress,
) -> None:
    """Everything beyond accuracy, method by method."""
    rows, layer = found.rows, found.layer
    sides = sides_of(rows, states.layer(rows, layer), settings.transductive)
    found.random = randoms(settings.normalize, sides, settings.seed)
    found.agreement = _agreement(found)
    template, ccs = next(iter(found.fitted["ccs"].probes.items()))
    some = sides.keep(rows.templates == template) if template else sides
    if getattr(ccs, "thetas_", None) is not None:
        test = ~some.train
        found.restarts = restart_table(
            ccs, some.X[test], some.y[test], some.templates[test], transductive=settings.transductive
        )
    names = found.label_free() + [name for name in ("logistic",) if name in found.fitted]
    progress("examining", 0, len(names))
    made = Variants()
    if settings.diagnostics:
        made = prepared(found, states, bare, settings)
        misled_answers(found, settings.prior, settings.seed)
    for number, name in enumerate(names):
        checked = found.checked.setdefault(name, Checked())
        if name in found.label_free():
            plain = resolver.unsettled(found.fitted[name])
            checked.signs = {how: resolver.resolve(plain, how) for how in SIGNS}
            _restarts(found, checked, name, prototypes[name], sides, settings.seed)
        if settings.diagnostics:
            examined(found, made, checked, name, prototypes[name], settings.seed)
        if name in found.label_free():
            checked.evidence = _evidence(found, checked, name, settings)
            checked.verdict = judge(checked.evidence)
        progress("examining", number + 1, len(names))
    if settings.curve:
        from gnomon.knowledge._curve import sample_sizes

        found.sizes = sample_sizes(prototypes["ccs"], sides, rows.templates == found.part.first, settings.seed)


def _restarts(found: Computed, checked: Checked, name: str, prototype: Probe, sides: Sides, seed: int) -> None:
    """How restarts agree, and the loss on pairs and on shuffled pairs; with a probe a template the template whose
    restarts agree least, and mean losses."""
    agree, own, mixed = [], [], []
    for template, probe in found.fitted[name].probes.items():
        some = sides.keep(sides.templates == template) if template else sides
        share, (loss, shuffled) = near_best_agreement(probe, some), losses(prototype, probe, some, seed)
        agree += [] if share is None else [share]
        own += [] if loss is None else [loss]
        mixed += [] if shuffled is None else [shuffled]
    checked.restarts_agree = min(agree, default=None)
    checked.loss = float(np.mean(own)) if own else None
    checked.shuffled_loss = float(np.mean(mixed)) if mixed else None


def _agreement(found: Computed) -> Agreement:
    """Methods and the model's own answers, each pair on the test rows where both say something."""
    test = found.rows.test
    columns = {name: fitted.decisions[test] for name, fitted in found.fitted.items()}
    columns.update({name: margin[test] for name, margin in found.own.items()})
    decided = np.array(list(columns.values()))
    known, said = np.isfinite(decided), decided > 0
    both = known[:, None] & known[None]
    counts = both.sum(axis=2)
    same = ((said[:, None] == said[None]) & both).sum(axis=2) / np.maximum(counts, 1)
    return Agreement(list(columns), np.maximum(same, 1 - same), counts)


def _evidence(found: Computed, checked: Checked, name: str, settings: Settings) -> Evidence:
    rows, test = found.rows, found.rows.test
    measured = found.measured[name]
    correct = right(found.fitted[name].decisions, rows.y)
    own = [
        versus(what, correct[seen], right(margin[seen], rows.y[seen]), rows.groups[seen], settings.seed)
        for what, margin in found.own.items()
        for seen in [test & np.isfinite(margin)]
    ]
    untrained = next((one.versus for one in checked.refits if one.what == UNTRAINED), None)
    negated = next((one for one in checked.refits if one.what == NEGATED), None)
    assert found.random is not None
    several = hasattr(found.fitted[name].probe, "thetas_")
    return Evidence(
        name=f"{found.part.name} · {name} · layer {found.layer}",
        accuracy=measured.accuracy,
        interval=measured.interval,
        sign=checked.signs[settings.sign],
        random=against_random(correct[test], found.random, rows.groups[test], settings.seed),
        planted=[one.versus for one in checked.planted],
        unplanted=found.unplanted,
        zero_shot=own,
        gives_probabilities=found.answers is not None,
        restarts_agree=checked.restarts_agree,
        restarts_note="only its best restart is kept" if several else "the method has no restarts",
        loss=checked.loss,
        shuffled_loss=checked.shuffled_loss,
        untrained=untrained,
        negated=None if negated is None else (negated.accuracy, negated.interval),
    )
