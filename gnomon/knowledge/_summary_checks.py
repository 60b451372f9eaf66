"""The tables behind a verdict: every method's verdict, planted features, refits, signs, restarts, agreement.

Belongs here: blocks of the diagnostics. Does not belong here: the measurements (`_diagnose.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import Block, Cell, Column, Curve, Matrix, Points, Scatter, Series, Table
from gnomon.knowledge._curve import DRAWS
from gnomon.knowledge._diagnose import Computed

if TYPE_CHECKING:
    from gnomon.knowledge._study import Study

__all__ = ["checks"]


def checks(study: Study, found: Computed, suffix: str) -> Iterator[Block]:
    """All diagnostics of one task."""
    yield _verdicts(found, suffix)
    yield from _planted(found, suffix)
    yield from _refits(found, suffix)
    yield _signs(found, suffix)
    yield from _restarts(found, suffix)
    yield from _agreement(found, suffix)
    yield from _sizes(study, found, suffix)


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
                Column(label="finds"),
            ],
            rows=rows,
            caption="Fitted anew on texts with a word or an opinion drawn at random for each item (first template). "
            "The planted feature is granted the better of both signs.",
            headline=True,
        )


def _refits(found: Computed, suffix: str) -> Iterator[Table]:
    rows: list[list[Cell]] = []
    for name, checked in found.checked.items():
        for one in checked.refits:
            rows.append([name, one.what, one.accuracy, one.interval.low, one.interval.high, one.n])
    if found.random:
        mean, high = found.random
        rows.append(["random directions", "better of both signs: mean", mean, None, None, None])
        rows.append(["random directions", "better of both signs: 95th percentile", high, None, None, None])
    ccs = found.checked.get("ccs")
    caption = ""
    if ccs is not None and ccs.loss is not None and ccs.shuffled_loss is not None:
        caption = f"CCS loss on pairs {ccs.loss:.2g}, on shuffled pairs {ccs.shuffled_loss:.2g}."
    if rows:
        yield Table(
            title=f"Controls{suffix}",
            columns=[
                Column(label="method"),
                Column(label="what was changed"),
                Column(label="accuracy", format="fraction"),
                Column(label="low", format="fraction"),
                Column(label="high", format="fraction"),
                Column(label="n", format="integer"),
            ],
            rows=rows,
            caption=f"First template, test rows; signs of refits by all training labels. {caption}".strip(),
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
        + ("" if agree is None else f" {agree:.0%} of the restarts near the lowest loss agree with the best."),
    )


def _agreement(found: Computed, suffix: str) -> Iterator[Matrix]:
    if found.agreement is None or len(found.fitted) < 2:
        return
    names = list(found.fitted)
    n = int(found.rows.test.sum())
    yield Matrix(
        title=f"Agreement of methods{suffix}",
        row_label="method",
        column_label="method",
        rows=names,
        columns=names,
        values=[[float(value) for value in row] for row in found.agreement],
        counts=[[n] * len(names) for _ in names],
        centre=0.5,
        caption="Share of test rows on which two methods say the same, the better of both signs.",
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
