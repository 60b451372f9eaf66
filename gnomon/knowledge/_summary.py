"""What was computed, as blocks: the verdict first, then accuracy by layer, and everything behind the verdict.

Belongs here: which blocks, and their words. Does not belong here: computing (`_diagnose.py`), diagnostics
(`_summary_checks.py`), layers (`_summary_layers.py`), notes (`_summary_notes.py`), drawing (`report/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import (
    Block,
    Cell,
    Column,
    Estimate,
    Interval,
    IntervalChart,
    Matrix,
    Sample,
    Samples,
    Table,
    Text,
)
from gnomon.knowledge._computed import Computed
from gnomon.knowledge._measure import Measured, oracle_bias
from gnomon.knowledge._read import Read
from gnomon.knowledge._summary_checks import checks
from gnomon.knowledge._summary_layers import accuracy_at, by_layer
from gnomon.knowledge._summary_notes import notes
from gnomon.knowledge._transfer import over_tasks, transfer

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
        blocks.extend(over_tasks(found))
        blocks.extend(transfer(found, states))
    for one in found:
        suffix = f" ({one.part.name})" if several else ""
        blocks.extend(_task(study, one, suffix))
    blocks.extend(notes(study, found))
    return blocks


def _headline(found: Computed, suffix: str) -> Iterator[Block]:
    """The number that the study is about, or the reason why there is none."""
    name = found.label_free()[0]
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
    yield _at_layer(study, found, suffix)
    yield from _by_prompt(found, suffix)
    yield from by_layer(found, suffix)
    yield _calibration(found, suffix)
    yield _methods(found, suffix)
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


def _at_layer(study: Study, found: Computed, suffix: str) -> Table:
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
        f"tables do; luck alone lifts it by about {bias:.3f} over chance. "
        + _answered(study, found)
        + _layer_choice(study, found),
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


def _answered(study: Study, found: Computed) -> str:
    """What the model's own answers rest on."""
    if not found.own_measured:
        return ""
    n, of = next(iter(found.own_measured.values())).n, next(iter(found.measured.values())).n
    told = f"Zero-shot is on the {n:,} test rows that the model answered. " if n < of else ""
    prior = f"{study.settings.prior:g}"
    return f"{told}Calibrated zero-shot puts a share of {prior} of the unlabelled training rows above its threshold. "


def _layer_choice(study: Study, found: Computed) -> str:
    name, loss = found.label_free()[0], found.grid.loss
    best = max(found.grid.layers(), key=lambda layer: accuracy_at(found, name, layer))
    lowest = min(loss, key=lambda layer: loss[layer])
    if study.settings.layer is not None:
        return (
            f"The layer was named beforehand; of {len(loss)} layers, {lowest} has the lowest CCS loss on the test "
            f"rows, and labels would have chosen {best}."
        )
    return (
        f"The layer has the lowest CCS loss on the test rows of {len(loss)} layers, chosen without labels; labels "
        f"would have chosen {best}."
    )


def _by_prompt(found: Computed, suffix: str) -> Iterator[Matrix]:
    """Accuracy of every method in every template, where there are several."""
    names = found.rows.template_names()
    if len(names) < 2:
        return
    test = found.rows.test
    counts = [int((test & (found.rows.templates == name)).sum()) for name in names]
    rows = _named(found)
    yield Matrix(
        title=f"Accuracy by prompt at layer {found.layer}{suffix}",
        row_label="method",
        column_label="template",
        rows=[name for name, *_ in rows],
        columns=names,
        values=[[one.by_template.get(name) for name in names] for _, _, one, _ in rows],
        counts=[counts for _ in rows],
        centre=0.5,
        caption="Test rows; the spread of a row over its columns is the 's.d. prompts' of the table above.",
    )


def _methods(found: Computed, suffix: str) -> Table:
    rows: list[list[Cell]] = []
    for name, fitted in found.fitted.items():
        told = dict.fromkeys(probe.remark() for probe in fitted.probes.values())
        rows.append([name, fitted.probe.kind, fitted.probe.about, "; ".join(filter(None, told))])
    return Table(
        title=f"Methods at layer {found.layer}{suffix}",
        columns=[Column(label="method"), Column(label="kind"), Column(label="about"), Column(label="of this fit")],
        rows=rows,
        caption="What was fitted: a linear probe reads one direction of the states.",
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
    first = found.label_free()[0]
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
