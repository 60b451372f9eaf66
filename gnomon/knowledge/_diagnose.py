"""One task of a study, computed: the grid of fits, signs, and everything that the verdict and the report need.

Belongs here: the order of measurements and what holds them. Does not belong here: measurements on arrays
(`_examine.py`, `_controls.py`), blocks (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gnomon.blocks import Interval, Verdict
from gnomon.knowledge._answers import Own
from gnomon.knowledge._controls import erase_then_refit, label_permuted, restart_table
from gnomon.knowledge._examine import (
    PlantedAccuracy,
    Sides,
    losses,
    near_best_agreement,
    planted_accuracy,
    random_95_and_mean,
    train_sign,
    versus,
)
from gnomon.knowledge._fit import Fitted, Grid, apply, fit_grid, informative
from gnomon.knowledge._measure import Measured, accuracy_interval, measure, right
from gnomon.knowledge._plan import SIGNS, Part
from gnomon.knowledge._probe import Probe
from gnomon.knowledge._read import Read, usable
from gnomon.knowledge._resolve import Couples, Resolver
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._signs import Sign
from gnomon.knowledge._verdict import Evidence, Versus, judge
from gnomon.knowledge._zero_shot import calibrated

if TYPE_CHECKING:
    from gnomon.knowledge._study import Settings

__all__ = ["Checked", "Computed", "Refit", "compute"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Refit:
    """One method under one change (another network, an erased direction, a prefix ...): accuracy on test rows."""

    what: str
    method: str
    accuracy: float
    interval: Interval
    n: int
    versus: Versus | None = None


@dataclass
class Checked:
    """What one method showed at the chosen layer beyond its accuracy."""

    signs: dict[str, Sign] = field(default_factory=dict)
    planted: list[PlantedAccuracy] = field(default_factory=list)
    refits: list[Refit] = field(default_factory=list)
    restarts_agree: float | None = None
    loss: float | None = None
    shuffled_loss: float | None = None
    verdict: Verdict | None = None


@dataclass
class Computed:
    """All that was computed of one task.

    `own` holds the model's own answers on `rows` (zero-shot and calibrated margins), `checked` one entry a method,
    `random` the mean and 95th percentile of random directions, `restarts` (loss, accuracy, cosine) of CCS's restarts.
    """

    part: Part
    rows: Rows
    grid: Grid
    layer: str
    refused: int
    equal: int
    measured: dict[str, Measured] = field(default_factory=dict)
    own: dict[str, Floats] = field(default_factory=dict)
    own_measured: dict[str, Measured] = field(default_factory=dict)
    checked: dict[str, Checked] = field(default_factory=dict)
    random: tuple[float, float] | None = None
    restarts: Any = None
    agreement: Floats | None = None
    sizes: list[tuple[int, float, float, float]] = field(default_factory=list)
    gives_probabilities: bool = False

    @property
    def fitted(self) -> dict[str, Fitted]:
        """Every method at the chosen layer."""
        return {method: self.grid.fitted[method, self.layer] for method in self.grid.methods()}

    def label_free(self) -> list[str]:
        return [name for name, one in self.fitted.items() if not one.probe.supervised and name != "random"]


def compute(
    part: Part,
    settings: Settings,
    states: Read,
    bare: Read | None,
    own: Own | None,
    progress: Callable[[str, int, int], None],
) -> Computed:
    """Fit, resolve signs, measure and examine one task."""
    from gnomon.knowledge._study import method_named

    good = usable(states, part.rows)
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
    layer = settings.layer if settings.layer in grid.loss else min(grid.loss, key=lambda name: grid.loss[name])
    couples = (
        Couples.of(part.compounds, part.diagnosed().keep(part.diagnosed().train), rows, states)
        if (part.compounds)
        else None
    )
    resolver = Resolver(rows, part.first, states, couples, settings.labels, settings.seed)
    for key, fitted in grid.fitted.items():
        if not fitted.probe.supervised:
            grid.fitted[key] = resolver.settle(fitted, settings.sign)
    found = Computed(part, rows, grid, layer, good.refused, good.equal, gives_probabilities=own is not None)
    _measure(found, settings, own, good.mask)
    _check(found, settings, prototypes, resolver, states, bare, own, progress)
    return found


def _measure(found: Computed, settings: Settings, own: Own | None, mask: NDArray[np.bool_]) -> None:
    """Accuracy, AUROC and calibration of every method, and of the model's own answers, on the test rows."""
    rows, test = found.rows, found.rows.test
    parts = (rows.y[test], rows.templates[test], rows.groups[test], settings.seed)
    for name, fitted in found.fitted.items():
        found.measured[name] = measure(fitted.decisions[test], fitted.p[test], *parts)
    if own is None:
        return
    margins = own.rows[mask]
    if not np.isfinite(margins).all():
        return
    found.own = {"zero-shot": margins, "calibrated zero-shot": _calibrated(margins, rows)}
    for name, margin in found.own.items():
        found.own_measured[name] = measure(margin[test], expit(margin[test]), *parts)


def _calibrated(margins: Floats, rows: Rows) -> Floats:
    """Margins less a threshold a template, set on the (unlabelled) training rows so that half of them are above."""
    shifted = np.empty(len(margins))
    for name in rows.template_names():
        part = rows.templates == name
        learn = part & rows.train
        shifted[part] = margins[part] - calibrated(margins[learn if learn.any() else part])
    return shifted


def _check(
    found: Computed,
    settings: Settings,
    prototypes: dict[str, Probe],
    resolver: Resolver,
    states: Read,
    bare: Read | None,
    own: Own | None,
    progress: Callable[[str, int, int], None],
) -> None:
    """Everything beyond accuracy, method by method."""
    rows, layer = found.rows, found.layer
    X = states.layer(rows, layer)
    sides = sides_of(rows, X)
    found.random = random_95_and_mean(found.fitted["ccs"].probe, sides, settings.seed)
    found.agreement = _agreement(found)
    if settings.stacked:
        test, ccs = rows.test, found.fitted["ccs"].probe
        found.restarts = restart_table(ccs, X[test], rows.y[test], rows.templates[test])
    names = found.label_free() + [name for name in ("logistic",) if name in found.fitted]
    progress("examining", 0, len(names))
    for number, name in enumerate(names):
        checked = found.checked.setdefault(name, Checked())
        if name in found.label_free():
            plain = resolver.unsettled(found.fitted[name])
            checked.signs = {how: resolver.resolve(plain, how) for how in SIGNS}
            probe = found.fitted[name].probe
            checked.restarts_agree = near_best_agreement(probe, sides) if settings.stacked else None
            if settings.stacked:
                checked.loss, checked.shuffled_loss = losses(prototypes[name], probe, sides, settings.seed)
        if settings.diagnostics:
            _variants(found, checked, name, prototypes[name], states, bare, settings.seed)
        if name in found.label_free():
            checked.verdict = judge(_evidence(found, checked, name, settings))
        progress("examining", number + 1, len(names))
    if settings.curve:
        found.sizes = _sizes(found, prototypes["ccs"], sides, settings.seed)


def sides_of(rows: Rows, X: NDArray[Any]) -> Sides:
    return Sides(X, rows.y, rows.train, rows.templates, rows.items, rows.groups, rows.weight, rows.feature)


def _agreement(found: Computed) -> Floats:
    """Share of test rows on which two methods say the same, the better of both signs: methods x methods."""
    test = found.rows.test
    said = np.array([fitted.decisions[test] > 0 for fitted in found.fitted.values()])
    same = (said[:, None] == said[None]).mean(axis=2)
    return np.asarray(np.maximum(same, 1 - same), dtype=np.float64)


def _variants(
    found: Computed,
    checked: Checked,
    name: str,
    prototype: Probe,
    states: Read,
    bare: Read | None,
    seed: int,
) -> None:
    """One method on changed texts and in changed states."""
    part, layer = found.part, found.layer
    for key, words in (("word", "a planted word"), ("opinion", "a stated opinion")):
        rows = usable(states, part.variants[key]).rows
        X = states.layer(rows, layer)
        if _testable(rows) and informative(X[rows.train], rows.templates[rows.train]):
            checked.planted.append(planted_accuracy(words, name, prototype, sides_of(rows, X), seed))
    base = found.rows.of(part.first, part._diagnosed)
    plain = sides_of(base, states.layer(base, layer))
    correct = _refit(prototype, plain)
    _add(checked, "refitted on the first template alone", name, correct, plain)
    erased = erase_then_refit(plain.X, plain.y, plain.train, plain.templates)
    _add(checked, "after the labelled direction was erased", name, _refit(prototype, plain.replaced(erased)), plain)
    if prototype.supervised:
        permuted = label_permuted(plain.y, plain.train, seed)
        _add(checked, "with permuted labels", name, _refit(prototype, plain, permuted), plain)
    if bare is not None:
        _untrained(checked, name, prototype, base, plain, correct, bare, layer, seed)
    _prefixed(found, checked, name, prototype, states)
    if "negated" in part.variants:
        rows = usable(states, part.variants["negated"]).rows
        X = states.layer(rows, layer)
        decisions, _ = apply(found.fitted[name], X, rows, renormalize=np.ones(len(rows), dtype=bool))
        _add_rows(checked, "on negated statements", name, right(decisions, rows.y), rows.groups)


def _untrained(
    checked: Checked,
    name: str,
    prototype: Probe,
    base: Rows,
    plain: Sides,
    correct: Floats,
    bare: Read,
    layer: str,
    seed: int,
) -> None:
    """The same method on the states of random weights, compared on the rows that both networks read."""
    good = usable(bare, base)
    X = bare.layer(good.rows, layer)
    if not _testable(good.rows) or not informative(X[good.rows.train], good.rows.templates[good.rows.train]):
        return
    sides = sides_of(good.rows, X)
    other = _refit(prototype, sides)
    both = good.mask & plain_test(plain)
    pair = versus("the untrained network", correct[both], other[~good.rows.train], sides.groups[~good.rows.train], seed)
    _add(checked, "on an untrained network", name, other, sides, pair)


def plain_test(plain: Sides) -> NDArray[np.bool_]:
    return ~plain.train


def _prefixed(found: Computed, checked: Checked, name: str, prototype: Probe, states: Read) -> None:
    """Behind a misleading prefix: fitted anew there, and as fitted without it."""
    rows = usable(states, found.part.variants["prefix"]).rows
    X = states.layer(rows, found.layer)
    sides = sides_of(rows, X)
    if not _testable(rows):
        return
    _add(checked, "refitted behind a misleading prefix", name, _refit(prototype, sides), sides)
    decisions, _ = apply(found.fitted[name], X, rows, renormalize=rows.train)
    _add(checked, "behind a misleading prefix, as fitted without", name, right(decisions, rows.y), sides)


def _refit(prototype: Probe, sides: Sides, y: Any = None) -> Floats:
    """Right or wrong on every row, by a fresh fit whose sign the training labels settle."""
    probe = sides.fit(prototype, y)
    decisions = sides.decide(probe)
    sign = 1 if prototype.supervised else train_sign(decisions, sides)
    return right(sign * decisions, sides.y)


def _add(checked: Checked, what: str, method: str, correct: Floats, sides: Sides, pair: Versus | None = None) -> None:
    test = ~sides.train
    _add_rows(checked, what, method, correct[test], sides.groups[test], pair)


def _add_rows(
    checked: Checked, what: str, method: str, correct: Floats, groups: NDArray[Any], pair: Versus | None = None
) -> None:
    if len(np.unique(groups)) > 1:
        interval = accuracy_interval(correct, groups)
        checked.refits.append(Refit(what, method, float(correct.mean()), interval, len(correct), pair))


def _testable(rows: Rows) -> bool:
    """At least two rows of each half, both classes among those that learn."""
    return (
        int(rows.train.sum()) >= 2
        and int(rows.test.sum()) >= 2
        and len(set(rows.y[rows.train].tolist())) == 2
        and len(set(rows.groups[rows.test].tolist())) >= 2
    )


def _evidence(found: Computed, checked: Checked, name: str, settings: Settings) -> Evidence:
    rows, test = found.rows, found.rows.test
    measured = found.measured[name]
    correct = right(found.fitted[name].decisions[test], rows.y[test])
    own = [
        versus(what, correct, right(margin[test], rows.y[test]), rows.groups[test], settings.seed)
        for what, margin in found.own.items()
    ]
    untrained = next((one.versus for one in checked.refits if one.versus is not None), None)
    negated = next((one for one in checked.refits if one.what == "on negated statements"), None)
    return Evidence(
        name=f"{found.part.name} · {name} · layer {found.layer}",
        accuracy=measured.accuracy,
        interval=measured.interval,
        sign=_chosen(checked, settings.sign),
        random_95=found.random[1] if found.random else None,
        planted=[one.versus for one in checked.planted],
        zero_shot=own,
        gives_probabilities=found.gives_probabilities,
        restarts_agree=checked.restarts_agree,
        loss=checked.loss,
        shuffled_loss=checked.shuffled_loss,
        untrained=untrained,
        negated=None if negated is None else (negated.accuracy, negated.interval),
    )


def _chosen(checked: Checked, how: str) -> Sign:
    return checked.signs[how]


def _sizes(found: Computed, prototype: Probe, sides: Sides, seed: int) -> list[tuple[int, float, float, float]]:
    """CCS fitted on k pairs, k = 1, 2, 4, ...: mean, 5th and 95th percentile of accuracy over 32 draws."""
    from gnomon.knowledge._curve import sample_sizes

    base = found.rows.templates == found.part.first
    return sample_sizes(prototype, sides, base, seed)
