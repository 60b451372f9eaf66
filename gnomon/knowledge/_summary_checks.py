"""The tables behind a verdict: every method's verdict, planted features, refits, signs, restarts, agreement.

Belongs here: blocks of the diagnostics. Does not belong here: the measurements (`_diagnose.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import Block, Cell, Column, Curve, Matrix, Points, Scatter, Series, Table
from gnomon.knowledge._computed import Computed, Refit
from gnomon.knowledge._curve import DRAWS

if TYPE_CHECKING:
    from gnomon.knowledge._study import Study

__all__ = ["checks"]


def checks(study: Study, found: Computed, suffix: str) -> Iterator[Block]:
    """All diagnostics of one task."""
    yield _verdicts(found, suffix)
    yield from _planted(found, suffix)
    yield from _refits(found, suffix)
    yield _signs(found, suffix)
    yield _losses(found, suffix)
    yield from _restarts(found, suffix)
    yield from _agreement(found, suffix)
    yield from _sizes(study, found, suffix)
    yield _texts(found, suffix)


def _verdicts(found: Computed, suffix: str) -> Table:
    rows: list[list[Cell]] = []
    for name in found.label_free():
        verdict = found.checked[name].verdict
        if verdict is not None:
            rows.append([name, "identified" if verdict.identified else "not identified", verdict.reason])
    return Table(
        title=f"Verdicts at layer {found.layer}{suffix}",
        columns=[Column(label="method"), Column(label="verdict"), Column(label="reason")],
        rows=rows,
        caption="The rule is the same for all; methods that learn from labels or from nothing are not judged.",
    )


def _planted(found: Computed, suffix: str) -> Iterator[Table]:
    rows: list[list[Cell]] = []
    for name, checked in found.checked.items():
        for one in checked.planted:
            difference = one.versus.difference.interval
            rows.append(
                [
                    name,
                    one.name,
                    one.truth,
                    one.truth_interval.low,
                    one.truth_interval.high,
                    one.feature,
                    f"{difference.low:+.3f} to {difference.high:+.3f}",
                    one.truth_auroc,
                    one.feature_auroc,
                    "truth" if difference.low > 0 else "the planted feature" if difference.high < 0 else "undecided",
                ]
            )
    if rows:
        yield Table(
            title=f"What is found when something is planted{suffix}",
            columns=[
                Column(label="method"),
                Column(label="planted"),
                Column(label="follows truth", format="fraction"),
                Column(label="low", format="fraction"),
                Column(label="high", format="fraction"),
                Column(label="follows the planted", format="fraction"),
                Column(label="truth minus planted, 95%"),
                Column(label="AUROC, truth", format="fraction"),
                Column(label="AUROC, planted", format="fraction"),
                Column(label="finds"),
            ],
            rows=rows,
            caption="Fitted anew on texts with a word or an opinion drawn at random for each item (first template). "
            "The planted feature is granted the better of both signs.",
            headline=True,
        )


def _refits(found: Computed, suffix: str) -> Iterator[Table]:
    refits = [*found.own_refits, *(one for checked in found.checked.values() for one in checked.refits)]
    rows: list[list[Cell]] = [
        [one.method, one.what, one.accuracy, one.interval.low, one.interval.high, _lost_by(one), one.n]
        for one in refits
    ]
    if found.random is not None:
        best = found.random.best
        for what, value in (("mean", np.mean(best)), ("95th percentile", np.quantile(best, 0.95))):
            what = f"better of both signs: {what} of {len(best)}"
            rows.append(["random directions", what, float(value), None, None, "", None])
    if rows:
        yield Table(
            title=f"Controls{suffix}",
            columns=[
                Column(label="method"),
                Column(label="what was changed"),
                Column(label="accuracy", format="fraction"),
                Column(label="low", format="fraction"),
                Column(label="high", format="fraction"),
                Column(label="lost by the change, 95%"),
                Column(label="n", format="integer"),
            ],
            rows=rows,
            caption="First template, test rows; signs of refits by all training labels. What a change loses is the "
            "paired difference on the rows that were read both ways, by group: above 0 it does harm.",
        )


def _lost_by(one: Refit) -> str:
    """The paired difference of a refit, in words."""
    if one.versus is None:
        return ""
    interval = one.versus.difference.interval
    return f"{one.versus.difference.difference:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _losses(found: Computed, suffix: str) -> Table:
    """The CCS loss in its two parts, and that of every method that has one on shuffled pairs."""
    rows: list[list[Cell]] = []
    for name, fitted in found.fitted.items():
        for template, probe in fitted.probes.items():
            if getattr(probe, "best_", None) is not None:
                consistency, confidence = probe.losses_[probe.best_].tolist()
                where = "training rows" + (f", {template}" if template else "")
                rows.append([name, where, consistency, confidence, consistency + confidence])
        if name == "ccs":
            rows.append([name, "test rows", *found.grid.parts[found.layer], found.grid.loss[found.layer]])
        if (checked := found.checked.get(name)) is not None and checked.shuffled_loss is not None:
            rows.append([name, "training rows, shuffled pairs", None, None, checked.shuffled_loss])
    return Table(
        title=f"Loss at layer {found.layer}{suffix}",
        columns=[
            Column(label="method"),
            Column(label="on"),
            Column(label="consistency", format="number"),
            Column(label="confidence", format="number"),
            Column(label="loss", format="number"),
        ],
        rows=rows,
        caption="Consistency is mean (p+ + p- - 1)², confidence mean min(p+, p-)². A shuffled pair has its x- from "
        "another question, so a loss near that of shuffled pairs says nothing of pairs.",
    )


def _signs(found: Computed, suffix: str) -> Table:
    rows: list[list[Cell]] = []
    for name, checked in found.checked.items():
        for how, sign in checked.signs.items():
            interval = "" if sign.interval is None else f"{sign.interval.low:+.3f} to {sign.interval.high:+.3f}"
            rows.append(
                [name, how, "kept" if sign.sign > 0 else "turned", sign.source, sign.margin, interval, sign.note]
            )
    return Table(
        title=f"Which side is true{suffix}",
        columns=[
            Column(label="method"),
            Column(label="way"),
            Column(label="sign"),
            Column(label="source"),
            Column(label="margin", format="number"),
            Column(label="95%"),
            Column(label="note"),
        ],
        rows=rows,
        caption="A label-free loss does not say which side is true. Three ways to settle it, side by side: labels of "
        "training rows, compounds of two statements (no label), and the test labels.",
    )


def _restarts(found: Computed, suffix: str) -> Iterator[Block]:
    table = found.restarts
    if table is None or len(table.loss) < 2:
        return
    agree = found.checked["ccs"].restarts_agree
    rho = f"{table.rank_correlation:+.2f}" if np.isfinite(table.rank_correlation) else "not defined"
    yield Scatter(
        title=f"CCS restarts at layer {found.layer}{suffix}",
        x_label="loss on training rows",
        y_label="accuracy on test rows, sign of the best restart",
        series=[
            Points(
                name="restart",
                x=[float(value) for value in table.loss],
                y=[float(value) for value in table.accuracy],
                labels=[f"restart {k}, cosine to the best {value:+.2f}" for k, value in enumerate(table.cosine)],
            )
        ],
        reference=0.5,
        reference_label="chance",
        caption=f"Rank correlation of loss and accuracy {rho}."
        + ("" if agree is None else f" {agree:.0%} of the restarts near the lowest loss agree with the best.")
        + _whose(found),
    )


def _whose(found: Computed) -> str:
    """Which of several probes is shown."""
    names = list(found.fitted["ccs"].probes)
    if len(names) == 1:
        return ""
    return f" Shown is the probe of the template {names[0]}; the agreement is the least of all templates'."


def _agreement(found: Computed, suffix: str) -> Iterator[Matrix]:
    table = found.agreement
    if table is None or len(table.names) < 2:
        return
    names = list(table.names)
    yield Matrix(
        title=f"Agreement of methods{suffix}",
        row_label="method",
        column_label="method",
        rows=names,
        columns=names,
        values=[
            [float(value) if count else None for value, count in zip(*both, strict=True)]
            for both in zip(table.values, table.counts, strict=True)
        ],
        counts=[[int(count) for count in row] for row in table.counts],
        centre=0.5,
        caption="Share of test rows on which two say the same, the better of both signs; zero-shot where it was given.",
    )


def _texts(found: Computed, suffix: str) -> Table:
    """How every table of texts was read."""
    labels = ("rows", "used", "not read", "equal sides", "left out, planted text cut", "used, question cut")
    return Table(
        title=f"Texts{suffix}",
        columns=[Column(label="texts"), *(Column(label=label, format="integer") for label in labels)],
        rows=[[one.what, one.rows, one.used, one.refused, one.equal, one.lost, one.cut] for one in found.texts],
        caption="A text that is too long for the model loses the start of its question. Where that takes away what was "
        "planted, or part of a compound, the row is left out.",
    )


def _sizes(study: Study, found: Computed, suffix: str) -> Iterator[Curve]:
    if len(found.sizes) < 2:
        return
    yield Curve(
        title=f"CCS by number of pairs{suffix}",
        x_label="pairs that the direction was learned from (log2)",
        y_label="accuracy on test rows",
        series=[
            Series(
                name="ccs",
                x=[float(np.log2(k)) for k, *_ in found.sizes],
                y=[mean for _, mean, _, _ in found.sizes],
                low=[low for *_, low, _ in found.sizes],
                high=[high for *_, high in found.sizes],
                n=[k for k, *_ in found.sizes],
            )
        ],
        reference=0.5,
        reference_label="chance",
        y_range=(0.0, 1.0),
        caption=f"First template, layer {found.layer}; mean and 5th to 95th percentile over {DRAWS} draws of each size "
        "(all pairs: one). Sign by all training labels.",
    )
