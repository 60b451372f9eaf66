"""Methods on changed texts and in changed states: planted features, a prefix, an untrained network, negated statements.

Belongs here: what of a task's variants can be used, and one method measured on them. Does not belong here: making the
texts (`_plants.py`), measurements on arrays (`_examine.py`), or the order of a study (`_diagnose.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnomon.knowledge._computed import Checked, Computed, Refit, Texts
from gnomon.knowledge._controls import erase_then_refit, label_permuted
from gnomon.knowledge._examine import Sides, planted_accuracy, train_sign, versus
from gnomon.knowledge._fit import apply, informative
from gnomon.knowledge._measure import accuracy_interval, right
from gnomon.knowledge._probe import Probe
from gnomon.knowledge._read import Read, Usable, usable
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._verdict import Versus
from gnomon.knowledge._zero_shot import calibrated

if TYPE_CHECKING:
    from gnomon.knowledge._study import Settings

__all__ = ["NEGATED", "UNTRAINED", "Variants", "calibrated_margins", "examined", "misled_answers", "prepared"]

Floats = NDArray[np.float64]

PLANTED = {"word": "a planted word", "opinion": "a stated opinion"}
NEGATED = "on negated statements"
UNTRAINED = "on an untrained network"
_PREFIXED = "refitted behind a misleading prefix"
_AS_FITTED = "behind a misleading prefix, as fitted without"


@dataclass
class Variants:
    """States at the chosen layer, each None or absent where too few rows can be used: those of the first template as
    they are, with something planted (by what), behind a prefix, by an untrained network, and negated."""

    plain: Sides | None = None
    planted: dict[str, Sides] = field(default_factory=dict)
    prefix: tuple[Rows, Sides] | None = None
    bare: Sides | None = None
    negated: tuple[Rows, NDArray[Any]] | None = None


def prepared(found: Computed, states: Read, bare: Read | None, settings: Settings) -> Variants:
    """What of the variants can be used; how they were read, and why one cannot be used, is noted in `found`."""
    part, layer, made = found.part, found.layer, Variants()
    source = part.diagnosed()
    base = found.rows.of(part.first, part._diagnosed)
    made.plain = _sides(base, states.layer(base, layer), settings.transductive)
    for key, words in PLANTED.items():
        good = _read(found, f"pairs with {words}", states, part.variants[key], source)
        sides = _sides(good.rows, states.layer(good.rows, layer), settings.transductive)
        if sides is not None:
            made.planted[words] = sides
        else:
            found.unplanted[words] = _why(good)
    good = _read(found, "pairs behind a misleading prefix", states, part.variants["prefix"], source)
    if (sides := _sides(good.rows, states.layer(good.rows, layer), settings.transductive)) is not None:
        made.prefix = good.rows, sides
    if bare is not None:
        other = usable(bare, base)
        made.bare = _sides(other.rows, bare.layer(other.rows, layer), settings.transductive)
    if "negated" in part.variants:
        good = _read(found, "negated pairs", states, part.variants["negated"], None)
        if len(good.rows) > 1:
            made.negated = good.rows, states.layer(good.rows, layer)
    return made


def _read(found: Computed, what: str, states: Read, rows: Rows, plain: Rows | None) -> Usable:
    good = usable(states, rows, plain)
    found.texts.append(Texts.of(what, good))
    found.reasons += states.reasons(rows)
    return good


def _why(good: Usable) -> str:
    """Why a planted feature was not measured."""
    told = [
        f"{count:,} {words}"
        for count, words in (
            (good.lost, "lost what was planted, since they are too long for the model"),
            (good.refused, "could not be read"),
            (good.equal, "have equal sides"),
        )
        if count
    ]
    return f"of {len(good.mask):,} texts {', '.join(told)}" if told else "too few texts differ"


def sides_of(rows: Rows, X: NDArray[Any], transductive: bool = False) -> Sides:
    """Rows with their states."""
    known = (rows.y, rows.train, rows.templates, rows.items, rows.groups, rows.weight, rows.feature)
    return Sides(X, *known, transductive)


def _sides(rows: Rows, X: NDArray[Any], transductive: bool) -> Sides | None:
    """Rows with their states, if at least two of each half are there, both classes among those that learn, and
    something to learn from."""
    halves = min(int(rows.train.sum()), int(rows.test.sum())) >= 2
    if not halves or len(set(rows.y[rows.train].tolist())) < 2 or len(set(rows.groups[rows.test].tolist())) < 2:
        return None
    if not informative(X[rows.train], rows.templates[rows.train]):
        return None
    return sides_of(rows, X, transductive)


def examined(found: Computed, made: Variants, checked: Checked, name: str, prototype: Probe, seed: int) -> None:
    """One method on all variants."""
    for words, sides in made.planted.items():
        checked.planted.append(planted_accuracy(words, name, prototype, sides, seed))
    plain = made.plain
    if plain is not None:
        correct = _refit(prototype, plain)
        _add(checked, "refitted on the first template alone", name, correct, plain)
        erased = erase_then_refit(plain.X, plain.y, plain.train, plain.templates)
        _add(checked, "after the labelled direction was erased", name, _refit(prototype, plain.replaced(erased)), plain)
        if prototype.supervised:
            permuted = label_permuted(plain.y, plain.train, seed)
            _add(checked, "with permuted labels", name, _refit(prototype, plain, permuted), plain)
        if made.bare is not None:
            other = _refit(prototype, made.bare)
            pair = _paired("the untrained network", plain.items, correct, made.bare, other, seed)
            _add(checked, UNTRAINED, name, other, made.bare, pair)
        if made.prefix is not None:
            _prefixed(found, checked, name, prototype, made.prefix, (plain.items, correct), seed)
    if made.negated is not None:
        rows, X = made.negated
        decisions, _ = apply(found.fitted[name], X, rows, renormalize=np.ones(len(rows), dtype=bool))
        _add_rows(checked.refits, NEGATED, name, right(decisions, rows.y), rows.groups)


def _prefixed(
    found: Computed,
    checked: Checked,
    name: str,
    prototype: Probe,
    prefix: tuple[Rows, Sides],
    plain: tuple[NDArray[Any], Floats],
    seed: int,
) -> None:
    """Behind a misleading prefix: fitted anew there, and as fitted without it; each against the same without."""
    rows, sides = prefix
    other = _refit(prototype, sides)
    _add(checked, _PREFIXED, name, other, sides, _paired(_PREFIXED, *plain, sides, other, seed))
    fitted, first = found.fitted[name], found.rows.where(found.part.first)
    decisions, _ = apply(fitted, sides.X, rows, renormalize=rows.train)
    other, correct = right(decisions, rows.y), right(fitted.decisions[first], found.rows.y[first])
    pair = _paired(_AS_FITTED, found.rows.items[first], correct, sides, other, seed)
    _add(checked, _AS_FITTED, name, other, sides, pair)


def misled_answers(found: Computed, prior: float, seed: int) -> None:
    """The model's own answers behind a misleading prefix, against those without it, on the same test rows."""
    own, part = found.answers, found.part
    if own is None or own.prefix is None:
        return
    rows = part.variants["prefix"]
    before = own.rows[part.rows.where(part.first, part._diagnosed)]
    ways = {"zero-shot": (before, own.prefix)}
    ways["calibrated zero-shot"] = (
        calibrated_margins(before, rows, prior),
        calibrated_margins(own.prefix, rows, prior),
    )
    for name, (plain, behind) in ways.items():
        seen = rows.test & np.isfinite(plain) & np.isfinite(behind)
        if len(np.unique(rows.groups[seen])) > 1:
            y, groups = rows.y[seen], rows.groups[seen]
            pair = versus(_PREFIXED, right(plain[seen], y), right(behind[seen], y), groups, seed)
            _add_rows(found.own_refits, "behind a misleading prefix", name, right(behind[seen], y), groups, pair)


def calibrated_margins(margins: Floats, rows: Rows, prior: float) -> Floats:
    """Margins less a threshold a template, set on the (unlabelled) training rows so that a share `prior` of them is
    above it; NaN stays NaN."""
    shifted = np.full(len(margins), np.nan)
    for name in rows.template_names():
        part = (rows.templates == name) & np.isfinite(margins)
        learn = part & rows.train
        if part.any():
            shifted[part] = margins[part] - calibrated(margins[learn if learn.any() else part], prior)
    return shifted


def _paired(what: str, items: NDArray[Any], correct: Floats, sides: Sides, other: Floats, seed: int) -> Versus | None:
    """`correct` of `items` against `other` of `sides`, on the test rows that both have; None where they are of fewer
    than two groups."""
    where = {item: index for index, item in enumerate(items.tolist())}
    second = [index for index in np.flatnonzero(~sides.train) if sides.items[index] in where]
    first = [where[sides.items[index]] for index in second]
    if len(np.unique(sides.groups[second])) < 2:
        return None
    return versus(what, correct[first], other[second], sides.groups[second], seed)


def _refit(prototype: Probe, sides: Sides, y: Any = None) -> Floats:
    """Right or wrong on every row, by a fresh fit whose sign the training labels settle."""
    probe = sides.fit(prototype, y)
    decisions = sides.decide(probe)
    sign = 1 if prototype.supervised else train_sign(decisions, sides)
    return right(sign * decisions, sides.y)


def _add(checked: Checked, what: str, method: str, correct: Floats, sides: Sides, pair: Versus | None = None) -> None:
    test = ~sides.train
    _add_rows(checked.refits, what, method, correct[test], sides.groups[test], pair)


def _add_rows(
    refits: list[Refit], what: str, method: str, correct: Floats, groups: NDArray[Any], pair: Versus | None = None
) -> None:
    if len(np.unique(groups)) > 1:
        interval = accuracy_interval(correct, groups)
        refits.append(Refit(what, method, float(correct.mean()), interval, len(correct), pair))
