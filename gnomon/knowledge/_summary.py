"""What was computed, as blocks: the verdict first, then accuracy by layer, and everything behind the verdict.

Belongs here: which blocks, and their words. Does not belong here: computing (`_diagnose.py`), drawing (`report/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import (
    Block,
    Cell,
    Column,
    Curve,
    Estimate,
    Interval,
    IntervalChart,
    Note,
    Points,
    Sample,
    Samples,
    Scatter,
    Series,
    Table,
    Text,
)
from gnomon.knowledge._diagnose import Computed
from gnomon.knowledge._measure import Measured, accuracy_interval, auroc, oracle_bias, right
from gnomon.knowledge._read import Read
from gnomon.knowledge._summary_checks import checks
from gnomon.knowledge._transfer import transfer

if TYPE_CHECKING:
    from gnomon.knowledge._study import Study

__all__ = ["summarise"]

_MOST_SAMPLES = 500


def summarise(study: Study, found: Sequence[Computed], states: Read) -> list[Block]:
    """All blocks of a finished study, task by task."""
    several = len(found) > 1
    blocks: list[Block] = []
    for one in found:
        suffix = f" ({one.part.name})" if several else ""
        blocks.extend(_headline(one, suffix))
    if several:
        blocks.extend(transfer(found, states))
    for one in found:
        suffix = f" ({one.part.name})" if several else ""
        blocks.extend(_task(study, one, suffix))
    blocks.extend(_notes(study, found))
    return blocks


def _headline(found: Computed, suffix: str) -> Iterator[Block]:
    """The number that the study is about, or the reason why there is none."""
    name = next(iter(found.label_free()))
    measured, verdict = found.measured[name], found.checked[name].verdict
    assert verdict is not None
    method = f"{name} at layer {found.layer}, mean over prompts, test rows"
    baselines = {what: one.accuracy for what, one in found.own_measured.items()}
    baselines["majority class"] = measured.majority
    yield Estimate(
        name=f"truth found without labels{suffix}",
        value=measured.accuracy if verdict.identified else None,
        interval=measured.interval if verdict.identified else None,
        n=measured.n,
        groups=measured.groups if measured.groups != measured.n else None,
        method=method,
        baselines=baselines if verdict.identified else {},
        headline=True,
        reason="" if verdict.identified else "not identified; see the verdict",
    )
    yield verdict


def _task(study: Study, found: Computed, suffix: str) -> Iterator[Block]:
    yield _at_layer(found, suffix)
    yield from _by_layer(found, suffix)
    yield _calibration(found, suffix)
    yield from checks(study, found, suffix)
    yield _first_pair(study, found, suffix)
    yield _samples(found, suffix)


def _columns(*labels: str) -> list[Column]:
    """Text for the first and for what is named in words, fractions for the rest."""
    words = {"method", "learns from", "95%", "sign"}
    return [
        Column(label=label, format="integer" if label == "ties" else "text" if label in words else "fraction")
        for label in labels
    ]


def _named(found: Computed) -> list[tuple[str, str, Measured, str]]:
    """Every method and the model's own answers: name, what it learns from, its numbers, where its sign is from."""
    rows = [(name, "own answers", one, "") for name, one in found.own_measured.items()]
    for name, fitted in found.fitted.items():
        learns = "labels" if fitted.probe.supervised else "nothing" if name == "random" else "unlabelled pairs"
        rows.append((name, learns, found.measured[name], fitted.probe.sign_source_))
    return rows


def _at_layer(found: Computed, suffix: str) -> Table:
    rows: list[list[Cell]] = [
        [name, learns, one.accuracy, one.interval.low, one.interval.high, one.spread, one.auroc, one.oracle, sign]
        for name, learns, one, sign in _named(found)
    ]
    first = next(iter(found.measured.values()))
    bias = oracle_bias(first.groups)
    return Table(
        title=f"At layer {found.layer}{suffix}",
        columns=_columns(
            "method", "learns from", "accuracy", "low", "high", "s.d. prompts", "AUROC", "better sign", "sign"
        ),
        rows=rows,
        caption=f"{first.n:,} test rows of {first.groups:,} groups; intervals by group. Majority class "
        f"{first.majority:.3f}. 'Better sign' takes the better of both labelings on the test rows, as the paper's "
        f"tables do; luck alone lifts it by about {bias:.3f} over chance. {_layer_choice(found)}",
        chart=IntervalChart(label=0, value=2, low=3, high=4, colour=1, reference=0.5, reference_label="chance"),
        headline=True,
    )


def _calibration(found: Computed, suffix: str) -> Table:
    rows: list[list[Cell]] = []
    for name, _, one, _ in _named(found):
        area = one.auroc_interval
        rows.append(
            [
                name,
                one.auroc,
                "" if area is None else _range(area),
                one.balanced,
                one.ece,
                _range(one.ece_interval),
                one.brier,
                _range(one.brier_interval),
                one.ties,
            ]
        )
    return Table(
        title=f"Ranking and calibration at layer {found.layer}{suffix}",
        columns=_columns("method", "AUROC", "95%", "balanced accuracy", "ECE", "95%", "Brier", "95%", "ties"),
        rows=rows,
        caption="ECE over ten bins of p~, the probability that the first answer is right. A tie is a decision of "
        "exactly 0; it counts as the second answer.",
    )


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _layer_choice(found: Computed) -> str:
    best = max(found.grid.layers(), key=lambda layer: _accuracy(found, next(iter(found.label_free())), layer))
    return (
        f"The layer has the lowest CCS loss on the test rows of {len(found.grid.loss)} layers, chosen without labels; "
        f"labels would have chosen {best}."
    )


def _accuracy(found: Computed, method: str, layer: str) -> float:
    test = found.rows.test
    return float(right(found.grid.fitted[method, layer].decisions[test], found.rows.y[test]).mean())


def _by_layer(found: Computed, suffix: str) -> Iterator[Block]:
    layers, rows = found.grid.layers(), found.rows
    test = rows.test
    y, groups = rows.y[test], rows.groups[test]
    accuracy, area = [], []
    for name in found.grid.methods():
        values, lows, highs, areas = [], [], [], []
        for layer in layers:
            decisions = found.grid.fitted[name, layer].decisions[test]
            correct = right(decisions, y)
            interval = accuracy_interval(correct, groups)
            values.append(float(correct.mean()))
            lows.append(interval.low)
            highs.append(interval.high)
            areas.append(auroc(decisions, y) or 0.5)
        x = [float(number) for number in range(len(layers))]
        accuracy.append(Series(name=name, x=x, y=values, low=lows, high=highs))
        area.append(Series(name=name, x=x, y=areas))
    if len(layers) < 2:
        return
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


def _loss_by_layer(found: Computed, layers: Sequence[str], suffix: str) -> Scatter:
    from scipy.stats import spearmanr

    loss = [found.grid.loss[layer] for layer in layers]
    values = [_accuracy(found, "ccs", layer) for layer in layers]
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


def _first_pair(study: Study, found: Computed, suffix: str) -> Text:
    pair = found.rows.pairs[0]
    return Text(
        title=f"The first pair, exactly{suffix}",
        text=pair.question,
        caption=f"Item {pair.item}, template {pair.template}. x+ is this question with the answer {pair.answers[0]!r}, "
        f"x- with {pair.answers[1]!r}. How they are joined, and which token is read: {study.spec['rule']}.",
    )


def _samples(found: Computed, suffix: str) -> Samples:
    """Test pairs with p~ of every method, evenly spread."""
    rows = found.rows
    test = np.flatnonzero(rows.test)
    step = max(1.0, len(test) / _MOST_SAMPLES)
    chosen = [int(test[int(number * step)]) for number in range(min(_MOST_SAMPLES, len(test)))]
    first = next(iter(found.label_free()))
    samples = []
    for index in chosen:
        pair = rows.pairs[index]
        said = 0 if found.fitted[first].decisions[index] > 0 else 1
        samples.append(
            Sample(
                id=f"{pair.item} · {pair.template}",
                subset=pair.subset,
                status="ok",
                correct=said == 1 - pair.label,
                prompt=pair.question,
                answer=pair.answers[said],
                target=pair.answers[1 - pair.label],
                scores={f"p~ {name}": round(float(one.p[index]), 4) for name, one in found.fitted.items()},
            )
        )
    return Samples(
        title=f"Test pairs{suffix}",
        total=len(test),
        samples=samples,
        caption=f"p~ is the probability that the first answer is right. The verdict on each pair is that of {first}. "
        "All pairs are in records.jsonl.",
    )


def _notes(study: Study, found: Sequence[Computed]) -> Iterator[Note]:
    settings = study.settings
    for one in found:
        name = one.part.name
        for text in one.part.notes:
            yield Note(level="info", text=text)
        if one.equal:
            text = f"{one.equal:,} pairs of {name} were left out: both sides are the same text to the model."
            yield Note(level="deviation", text=text)
        uneven = {round(1 / float(weight)) for weight in one.rows.weight}
        if len(uneven) > 1:
            text = f"Items of {name} have {min(uneven)} to {max(uneven)} templates; each item weighs the same."
            yield Note(level="info", text=text)
    if settings.sign == "oracle":
        text = "Signs were taken from the test labels (oracle): these accuracies are biased above chance."
        yield Note(level="warning", text=text)
    if settings.sign == "few-labels":
        text = f"Signs were settled by {settings.labels} labels of training rows: one bit of supervision a probe."
        yield Note(level="info", text=text)
    if settings.transductive:
        text = "Test rows were normalised with their own statistics (transductive), as the paper's code does."
        yield Note(level="info", text=text)
    if not settings.diagnostics:
        text = "Nothing was planted, so nothing can be called identified (diagnostics were switched off)."
        yield Note(level="warning", text=text)
