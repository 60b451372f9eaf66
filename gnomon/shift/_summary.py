"""What was found, as blocks: verdicts first, then accuracy, confidence and calibration, then layers.

Belongs here: which blocks there are, and their order. Does not belong here: numbers (`_cells.py`), curves
(`_figures.py`), the rule (`_rule.py`), drawing (`report/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gnomon.blocks import Block, Column, Estimate, Matrix, Note, Table
from gnomon.blocks import Cell as TableCell
from gnomon.runs import Record
from gnomon.shift._cells import Cell, paired_interval, read_cell
from gnomon.shift._evidence import Evidence
from gnomon.shift._figures import figures
from gnomon.shift._rule import BARS, Choice, decide
from gnomon.shift._shift import CORRUPTIONS, shift_named
from gnomon.shift._study import EVIDENCE, file_of
from gnomon.stats import clustered_mean

if TYPE_CHECKING:
    from gnomon.shift._plan import Study

__all__ = ["summarise"]

Cells = Mapping[str, Mapping[str, Cell]]
"""By shift, then by variant."""


def summarise(study: Study, records: Sequence[Record], folder: Path) -> list[Block]:
    """All blocks of a study, from its records and predictions: what was recorded before counts, too."""
    cells: dict[str, dict[str, Cell]] = {}
    seen: dict[str, Evidence] = {}
    names = [*study.shifts, *sorted({one.subset for one in records} - set(study.shifts))]
    by_name: dict[str, list[Record]] = {name: [] for name in names}
    for record in records:
        by_name[record.subset].append(record)
    order = [*study.variants, *sorted({one.split for one in records} - {*study.variants, EVIDENCE})]
    for name in names:
        for record in sorted(by_name[name], key=lambda one: order.index(one.split) if one.split in order else 999):
            if record.status != "ok":
                continue
            if record.split == EVIDENCE:
                seen[name] = Evidence.model_validate(record.output)
            else:
                cells.setdefault(name, {})[record.split] = read_cell(
                    folder, file_of(name, record.split), name, record.split
                )
    choices = {name: decide(one) for name, one in seen.items()}
    blocks: list[Block] = [*_headlines(cells, order)]
    blocks.append(_verdicts(cells, choices))
    blocks += _accuracies(cells, order)
    blocks += figures(cells, seen, order)
    blocks.append(_reasons(choices))
    blocks += _detail(cells)
    blocks += _notes(study, seen, records, cells)
    return blocks


def _headlines(cells: Cells, order: Sequence[str]) -> Iterator[Block]:
    """Mean accuracy of each variant over shifts that show the same images, the shift of nothing left out."""
    if not cells:
        return
    many = max(one.n for row in cells.values() for one in row.values())
    shared = [
        row for name, row in cells.items()
        if name != "none" and all(one.n == many and one.right is not None for one in row.values())
    ]  # fmt: skip
    for variant in order:
        rights = [row[variant].right for row in shared if variant in row]
        if len(rights) < len(shared) or not shared:
            continue
        per_image = np.mean([one for one in rights if one is not None], axis=0)
        plain = cells.get("none", {}).get(variant)
        baselines = {} if plain is None or plain.accuracy is None else {"without a shift": plain.accuracy}
        yield Estimate(
            name=f"mean accuracy under {len(shared)} shifts, {variant}",
            value=float(per_image.mean()),
            interval=clustered_mean(per_image, None),
            n=many,
            method="mean over shifts, t interval over images",
            baselines=baselines,
            headline=True,
        )


def _verdicts(cells: Cells, choices: Mapping[str, Choice]) -> Table:
    rows: list[list[TableCell]] = []
    for name, choice in choices.items():
        row = cells.get(name, {})
        source, chosen = row.get("source"), row.get(choice.variant)
        gain: list[TableCell] = [None, None, None]
        if source and chosen and source.right is not None and chosen.right is not None:
            gap, interval, _ = paired_interval(source.right, chosen.right)
            gain = [gap, interval.low, interval.high]
        known = {key: one.accuracy for key, one in row.items() if one.accuracy is not None and key != "oracle"}
        best = max(known, key=lambda key: known[key]) if known else None
        own = source.accuracy if source else None
        rows.append([name, choice.verdict, own, *gain, best, known[best] if best else None])
    return Table(
        title="Align or not?",
        columns=[
            Column(label="shift"),
            Column(label="verdict"),
            Column(label="source", format="fraction"),
            Column(label="verdict gains", format="fraction"),
            Column(label="low", format="fraction"),
            Column(label="high", format="fraction"),
            Column(label="best here"),
            Column(label="its accuracy", format="fraction"),
        ],
        rows=rows,
        caption="The verdict is given without labels; the columns after it use labels and say how it did. adapt stands "
        "for whole, early layers only for early. The best of several variants is chosen by the labels that it is "
        "measured by.",
        headline=True,
    )


def _accuracies(cells: Cells, order: Sequence[str]) -> Iterator[Block]:
    """Accuracy by shift and variant."""
    names = [name for name, row in cells.items() if any(one.right is not None for one in row.values())]
    if not names:
        return
    values = [[cells[name][one].accuracy if one in cells[name] else None for one in order] for name in names]
    counts = [[cells[name][one].n if one in cells[name] else 0 for one in order] for name in names]
    yield Matrix(
        title="Accuracy",
        row_label="shift",
        column_label="variant",
        rows=names,
        columns=list(order),
        values=values,
        counts=counts,
        headline=len(names) <= 30,
    )


def _reasons(choices: Mapping[str, Choice]) -> Table:
    rows: list[list[TableCell]] = []
    for name, choice in choices.items():
        values = {one.name: one.value for one in choice.reasons}
        rows.append(
            [
                name,
                choice.verdict,
                values.get("unevenness over the image"),
                values.get("skew of predictions"),
                next((one.bar for one in choice.reasons if one.name == "skew of predictions"), None),
                values.get("largest shift of a middle layer"),
                values.get("middle shift of early layers"),
                choice.because,
            ]
        )
    return Table(
        title="Why",
        columns=[
            Column(label="shift"),
            Column(label="verdict"),
            Column(label="uneven", format="fraction"),
            Column(label="skew", format="fraction"),
            Column(label="its bar", format="fraction"),
            Column(label="middle moved", format="fraction"),
            Column(label="early moved", format="fraction"),
            Column(label="because"),
        ],
        rows=rows,
        caption="In standard deviations of the source, the network as it is. Bars: uneven "
        f"{BARS['places']:.2f}; middle layers moved {BARS['small']:.2f} (a little) and {BARS['large']:.2f}; early "
        f"moved {BARS['early']:.2f}. No label was looked at.",
    )


def _detail(cells: Cells) -> Iterator[Block]:
    rows: list[list[TableCell]] = []
    for name, row in cells.items():
        source = row.get("source")
        for variant, one in row.items():
            gain: list[TableCell] = [None, None, None, None]
            if source is not None and one is not source and source.right is not None and one.right is not None:
                gap, interval, p = paired_interval(source.right, one.right)
                gain = [gap, interval.low, interval.high, p]
            within = one.interval
            ends: list[TableCell] = [within.low, within.high] if within else [None, None]
            error = one.calibration_interval
            strays: list[TableCell] = [error.low, error.high] if error else [None, None]
            rows.append(
                [name, variant, one.accuracy, *ends, one.mean_confidence, one.calibration, *strays,
                 *gain, one.n]
            )  # fmt: skip
    labels = [
        "accuracy",
        "low",
        "high",
        "confidence",
        "calibration error",
        "low",
        "high",
        "minus source",
        "low",
        "high",
    ]
    yield Table(
        title="Every cell",
        columns=[
            Column(label="shift"),
            Column(label="variant"),
            *(Column(label=label, format="fraction") for label in labels),
            Column(label="p", format="p-value"),
            Column(label="n", format="integer"),
        ],
        rows=rows,
        caption="Accuracy with Wilson's interval; RMS calibration error over bins of about 100 images, with a "
        "bootstrap interval; the difference from the source is paired (Agresti and Min); p is McNemar's exact, and not "
        "adjusted.",
    )


def _notes(study: Study, seen: Mapping[str, Evidence], records: Sequence[Record], cells: Cells) -> Iterator[Note]:
    for text in study.notes:
        yield Note(level="info", text=text)
    remark = next((one.remark for one in seen.values() if one.remark), "")
    if remark:
        yield Note(level="warning", text=remark[0].upper() + remark[1:])
    families = {shift_named(name).family for name in cells}
    if families & set(CORRUPTIONS):
        size = 32 if study.subject.side <= 64 else 224
        yield Note(
            level="deviation",
            text=f"Corruptions are our own code with the constants published for {size} px, lengths scaled to "
            f"{study.subject.side} px: their pixels are not those of the released sets.",
        )
    if "frost" in families:
        yield Note(level="deviation", text="Frost is a drawn texture; the benchmark lays photographs over images.")
    if study.resize:
        yield Note(level="deviation", text=f"Images were brought to {study.subject.side} px: a shift of its own.")
    if any(one.split.partition("@")[0] == "oracle" for one in records):
        yield Note(
            level="warning",
            text="'oracle' knows the true mix of classes, which is label information: a bound, and no variant to use.",
        )
    yield Note(
        level="info",
        text="matched, prior and oracle, and the verdict, are gnomon's own; the other variants are the literature's.",
    )
    for record in records:
        if record.status != "ok":
            yield Note(level="warning", text=f"{record.subset}, {record.split}: {record.message}")
