"""Blocks over layers: accuracy, AUROC, and the CCS loss in its two parts.

Belongs here: curves. Does not belong here: fitting (`_fit.py`), what is shown at the chosen layer (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gnomon.blocks import Block, Curve, Points, Scatter, Series
from gnomon.knowledge._computed import Computed
from gnomon.knowledge._measure import accuracy_interval, auroc, right

__all__ = ["accuracy_at", "by_layer"]


def accuracy_at(found: Computed, method: str, layer: str) -> float:
    """Accuracy on the test rows."""
    test = found.rows.test
    return float(right(found.grid.fitted[method, layer].decisions[test], found.rows.y[test]).mean())


def by_layer(found: Computed, suffix: str) -> Iterator[Block]:
    """What all methods are worth at all layers; nothing where there is one layer alone."""
    layers = found.grid.layers()
    if len(layers) < 2:
        return
    accuracy, area = _series(found, layers)
    left_out = (
        f" Left out, since no state differs there: {', '.join(found.grid.skipped)}." if found.grid.skipped else ""
    )
    yield Curve(
        title=f"Accuracy by layer{suffix}",
        x_label="layer",
        y_label="accuracy on test rows",
        series=accuracy,
        reference=0.5,
        reference_label="chance",
        x_names=layers,
        y_range=(0.0, 1.0),
        caption=f"Bands are 95% intervals by group. A curve below chance has its sign the wrong way round.{left_out}",
    )
    yield Curve(
        title=f"AUROC by layer{suffix}",
        x_label="layer",
        y_label="AUROC on test rows",
        series=area,
        reference=0.5,
        reference_label="chance",
        x_names=layers,
        y_range=(0.0, 1.0),
    )
    yield _loss_by_layer(found, layers, suffix)
    yield _loss_against_accuracy(found, layers, suffix)


def _series(found: Computed, layers: Sequence[str]) -> tuple[list[Series], list[Series]]:
    """Accuracy with its interval, and AUROC, of every method at every layer."""
    test = found.rows.test
    y, groups = found.rows.y[test], found.rows.groups[test]
    x = [float(number) for number in range(len(layers))]
    accuracy, area = [], []
    for name in found.grid.methods():
        decided = [found.grid.fitted[name, layer].decisions[test] for layer in layers]
        correct = [right(decisions, y) for decisions in decided]
        intervals = [accuracy_interval(one, groups) for one in correct]
        lows, highs = [one.low for one in intervals], [one.high for one in intervals]
        accuracy.append(Series(name=name, x=x, y=[float(one.mean()) for one in correct], low=lows, high=highs))
        area.append(Series(name=name, x=x, y=[auroc(decisions, y) or 0.5 for decisions in decided]))
    return accuracy, area


def _loss_by_layer(found: Computed, layers: Sequence[str], suffix: str) -> Curve:
    x = [float(number) for number in range(len(layers))]
    parts = [found.grid.parts[layer] for layer in layers]
    return Curve(
        title=f"CCS loss by layer{suffix}",
        x_label="layer",
        y_label="loss on test rows (no labels)",
        series=[
            Series(name=name, x=x, y=[both[number] for both in parts])
            for number, name in enumerate(("consistency", "confidence"))
        ],
        x_names=list(layers),
        caption="Consistency is mean (p+ + p- - 1)², confidence mean min(p+, p-)²; the loss is their sum.",
    )


def _loss_against_accuracy(found: Computed, layers: Sequence[str], suffix: str) -> Scatter:
    from scipy.stats import spearmanr

    loss = [found.grid.loss[layer] for layer in layers]
    values = [accuracy_at(found, "ccs", layer) for layer in layers]
    better = [max(value, 1 - value) for value in values]
    rho = spearmanr(loss, better).statistic if len(set(loss)) > 1 and len(set(better)) > 1 else float("nan")
    told = f"Rank correlation {rho:+.2f}" if np.isfinite(rho) else "No rank correlation"
    return Scatter(
        title=f"CCS: loss against accuracy over layers{suffix}",
        x_label="CCS loss on test rows (no labels)",
        y_label="accuracy, better sign",
        series=[Points(name="layer", x=loss, y=better, labels=[f"layer {layer}" for layer in layers])],
        reference=0.5,
        reference_label="chance",
        caption=f"{told} over {len(layers)} layers. Where a low loss does not go with a high accuracy, the loss cannot "
        "choose a layer.",
    )
