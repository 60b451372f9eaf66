"""Curves of a study of shifts: by severity, and by layer.

Belongs here: series and their words. Does not belong here: numbers (`_cells.py`), tables (`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gnomon.blocks import Block, Curve, Interval, Series
from gnomon.shift._cells import Cell
from gnomon.shift._evidence import Evidence
from gnomon.shift._shift import shift_named
from gnomon.stats import clustered_mean

__all__ = ["figures"]

_SHOWN = 8

Row = tuple[float, Interval | None]


def figures(
    cells: Mapping[str, Mapping[str, Cell]], seen: Mapping[str, Evidence], order: Sequence[str]
) -> Iterator[Block]:
    """Means over corruptions by severity; every corruption by severity; how far layers moved, and how unevenly."""
    families: dict[str, dict[int, str]] = {}
    for name in cells:
        shift = shift_named(name)
        if shift.severity:
            families.setdefault(shift.family, {})[shift.severity] = name
    families = {family: row for family, row in families.items() if len(row) > 1}
    if families:
        yield from _means(cells, families, order)
        for family, row in families.items():
            yield from _family(cells, family, row, order)
    yield from _layers(seen)


def _means(
    cells: Mapping[str, Mapping[str, Cell]], families: Mapping[str, Mapping[int, str]], order: Sequence[str]
) -> Iterator[Block]:
    severities = sorted(set.intersection(*(set(row) for row in families.values())))
    if not severities:
        return
    whole = f"over {len(families)} corruptions"
    for title, label, number in (
        (f"Accuracy {whole}", "accuracy", _accuracy),
        (f"Confidence {whole}", "mean confidence", _confidence),
        (f"Calibration {whole}", "RMS calibration error", _calibration),
    ):
        lines = []
        for variant in order:
            rows = []
            for severity in severities:
                found = [cells[row[severity]].get(variant) for row in families.values()]
                rows.append(number([one for one in found if one is not None]))
            line = _series(variant, [float(one) for one in severities], rows)
            if line is not None:
                lines.append(line)
        if lines:
            yield Curve(
                title=title,
                x_label="severity",
                y_label=label,
                series=lines,
                caption="Means over corruptions; intervals over images, of which each is shown under every corruption."
                if label != "RMS calibration error"
                else "Means over corruptions, each with bins of about 100 images; bootstrap intervals, averaged.",
            )


def _family(
    cells: Mapping[str, Mapping[str, Cell]], family: str, row: Mapping[int, str], order: Sequence[str]
) -> Iterator[Block]:
    severities = sorted(row)
    lines = []
    for variant in order:
        found = [cells[row[severity]].get(variant) for severity in severities]
        rows = [None if one is None or one.accuracy is None else (one.accuracy, one.interval) for one in found]
        line = _series(variant, [float(one) for one in severities], rows)
        if line is not None:
            lines.append(line)
    if lines:
        yield Curve(title=family, x_label="severity", y_label="accuracy", series=lines, y_range=(0, 1))


def _series(name: str, x: list[float], rows: Sequence[Row | None]) -> Series | None:
    kept = [(place, one) for place, one in zip(x, rows, strict=True) if one is not None]
    if not kept:
        return None
    ends = [one[1] for _, one in kept]
    whole = all(one is not None for one in ends)
    return Series(
        name=name,
        x=[place for place, _ in kept],
        y=[one[0] for _, one in kept],
        low=[one.low for one in ends if one is not None] if whole else None,
        high=[one.high for one in ends if one is not None] if whole else None,
    )


def _accuracy(found: Sequence[Cell]) -> Row | None:
    rights = [one.right for one in found if one.right is not None]
    if not rights or len({len(one) for one in rights}) > 1:
        return None
    each = np.mean(rights, axis=0)
    return float(each.mean()), clustered_mean(each, None)


def _confidence(found: Sequence[Cell]) -> Row | None:
    if not found or len({one.n for one in found}) > 1:
        return None
    each = np.mean([one.confidence for one in found], axis=0)
    return float(each.mean()), clustered_mean(each, None)


def _calibration(found: Sequence[Cell]) -> Row | None:
    values = [one.calibration for one in found if one.calibration is not None]
    ends = [one for one in (cell.calibration_interval for cell in found) if one is not None]
    if not values:
        return None
    low, high = float(np.mean([one.low for one in ends])), float(np.mean([one.high for one in ends]))
    middle = float(np.mean(values))
    return middle, Interval(low=min(low, middle), high=max(high, middle), method="bootstrap, averaged")


def _layers(seen: Mapping[str, Evidence]) -> Iterator[Block]:
    """The strongest of each family, at most eight shifts."""
    last = {shift_named(name).family: name for name in seen}
    shown = {name: seen[name] for name in list(last.values())[:_SHOWN] if seen[name].layers}
    if not shown:
        return
    first = next(iter(shown.values()))
    names = [layer.name for layer in first.layers]
    x = [float(place) for place in range(len(names))]
    means, ratios, places = [], [], []
    for name, one in shown.items():
        y = [layer.mean for layer in one.layers]
        floor = [1.96 * layer.mean_floor for layer in one.layers]
        low = [max(0.0, value - gap) for value, gap in zip(y, floor, strict=True)]
        high = [value + gap for value, gap in zip(y, floor, strict=True)]
        means.append(Series(name=name, x=x, y=y, low=low, high=high))
        ratios.append(Series(name=name, x=x, y=[layer.ratio for layer in one.layers]))
        found = [layer.places for layer in one.layers]
        if all(value is not None for value in found):
            places.append(Series(name=name, x=x, y=[float(value or 0) for value in found]))
    common = {"x_label": "layer, in the order of use", "x_names": names}
    yield Curve(
        title="How far layers moved: means",
        y_label="source standard deviations",
        series=means,
        caption="Root mean square over channels of (target mean - source mean) / source standard deviation, the "
        "network as it is; bands are sampling error, images the independent units.",
        **common,
    )
    yield Curve(
        title="How far layers moved: variances",
        y_label="log variance ratio",
        series=ratios,
        caption="Root mean square over channels.",
        **common,
    )
    if places:
        yield Curve(
            title="How unevenly over the image",
            y_label="source standard deviations",
            series=places,
            caption="Spread over positions of the difference of mean maps. One shift and scale a channel, which is all "
            "that alignment has, cannot undo what differs from place to place.",
            **common,
        )
