"""A study's results as blocks: what was discovered, what may be claimed, and where to look.

Belongs here: which blocks, in which order. Does not belong here: how they are drawn (`gnomon/report/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.blocks import (
    Block,
    Cell,
    Column,
    Estimate,
    IntervalChart,
    Mark,
    Marked,
    Note,
    Picture,
    PictureRegion,
    Table,
    Text,
)
from gnomon.importance._explained import Explained
from gnomon.importance._groups import Region, Spans
from gnomon.importance._guarantee import family as family_words
from gnomon.importance._observe import Hypothesis
from gnomon.importance._plan import Plan
from gnomon.importance.methods.irt import IRT
from gnomon.stats import wilson

__all__ = ["hypothesis_label", "picture", "summarise"]

_TEXTS, _PICTURES, _ROWS, _NAMES = 40, 24, 1000, 60
_SIDE = 64
"""Most pixels of a picture's side in a report."""


def summarise(
    found: Plan, explained: Explained, family: Sequence[Hypothesis], errors: int, accept_errors: bool
) -> list[Block]:
    """Blocks in the order of the page."""
    blocks: list[Block] = [_headline(found, explained)]
    if errors:
        told = "left out of the discoveries, as was asked" if accept_errors else "and the run is incomplete"
        blocks.append(Note(level="warning", text=f"{errors:,} inputs gave NaN or infinite outputs: {told}."))
    level = {"sharing": "info", "inexact": "info", "unmoved": "info", "smallest": "info"}
    for one in explained.cautions:
        blocks.append(Note(level="info" if one.kind in level else "warning", text=one.text))
    said = [family_words(explained.outputs, len(found.ids)), *explained.guarantee]
    blocks.append(Text(title="What may be claimed", text="\n\n".join(said)))
    blocks.append(_by_name(found, explained, family))
    if found.kind == "text":
        blocks += _texts(found, explained, family)
    elif found.kind == "image":
        blocks += _pictures(found, explained, family)
    blocks.append(_hypotheses(found, explained, family))
    return blocks


def _headline(found: Plan, explained: Explained) -> Estimate:
    m, n = explained.outputs.m, int(explained.selected.sum())
    test = explained.test
    rule = f", {test.rule.upper()}" if isinstance(test, IRT) else ", knockoff+"
    return Estimate(
        name=f"share of {found.groups_name} discovered",
        value=n / m,
        n=m,
        groups=len(found.ids),
        method=f"{type(test).__name__}{rule}, FDR held at q = {test.q:g}; a share of this family, with no interval",
        headline=True,
    )


def hypothesis_label(explained: Explained, row: int) -> str:
    """p or t of a hypothesis, and how far the output is from its counterfactuals."""
    moved = f"{explained.test.statistics_[row]:+.3g}"
    if explained.p_values is not None:
        return f"p = {explained.p_values[row]:.3g}, output {moved}"
    t = explained.test.t_[row]
    return f"t = {t:.3g}, output {moved}"


def _by_name(found: Plan, explained: Explained, family: Sequence[Hypothesis]) -> Table:
    """Groups of one name over all inputs: how often tested, how often discovered."""
    rows: dict[str, list[int]] = {}
    for row, one in enumerate(family):
        name = one.group.name.lower() if found.kind == "text" else one.group.name
        rows.setdefault(name, []).append(row)
    chosen = explained.selected
    tallies = [(name, int(chosen[at].sum()), at) for name, at in rows.items()]
    if found.kind == "text" and chosen.any():  # most words are never discovered
        tallies = [one for one in tallies if one[1]]
    elif found.kind == "text":
        tallies = sorted(tallies, key=lambda one: (-len(one[2]), one[0]))[:10]
    tallies.sort(key=lambda one: (-one[1], -one[1] / len(one[2]), one[0]))
    cells: list[list[Cell]] = []
    for name, hits, at in tallies[:_NAMES]:
        interval = wilson(hits, len(at))
        mean = float(explained.test.statistics_[[k for k in at if chosen[k]]].mean()) if hits else None
        cells.append([name, len(at), hits, hits / len(at), interval.low, interval.high, mean])
    heads = [("group", "text"), ("tested", "integer"), ("discovered", "integer"), ("share", "fraction")]
    heads += [("low", "fraction"), ("high", "fraction"), ("output where discovered", "number")]
    caption = "Over all inputs. The interval (Wilson) treats inputs as independent. The last column is the mean, over "
    caption += (
        "discoveries, of f(x) minus its counterfactuals: above 0 the feature spoke for the class that was chosen."
    )
    if len(tallies) > _NAMES:
        caption += f" The first {_NAMES} of {len(tallies):,} names."
    columns = [Column(label=label, format=style) for label, style in heads]
    chart = IntervalChart(label=0, value=3, low=4, high=5) if found.kind == "table" else None
    return Table(
        title="Discoveries over all inputs", columns=columns, rows=cells, caption=caption, chart=chart, headline=True
    )


def _hypotheses(found: Plan, explained: Explained, family: Sequence[Hypothesis]) -> Table:
    test = explained.test
    given = explained.p_values if explained.p_values is not None else test.t_
    what = "p" if explained.p_values is not None else "t"
    order = sorted(range(len(family)), key=lambda k: (test.q_values_[k], -abs(test.statistics_[k]), k))[:_ROWS]
    cells: list[list[Cell]] = [
        [
            "✓" if explained.selected[k] else "",
            found.ids[family[k].input],
            family[k].group.name[:80],
            float(test.statistics_[k]),
            float(given[k]),
            float(test.q_values_[k]),
        ]
        for k in order
    ]
    heads = [("discovered", "text"), ("input", "text"), ("group", "text"), ("output moved", "number")]
    heads += [(what, "p-value" if what == "p" else "number"), ("smallest q", "fraction")]
    columns = [Column(label=label, format=style) for label, style in heads]
    title = f"Hypotheses, the first {len(order):,} of {len(family):,}"
    return Table(
        title=title, columns=columns, rows=cells, caption="Sorted by the smallest q at which each is selected."
    )


def _texts(found: Plan, explained: Explained, family: Sequence[Hypothesis]) -> list[Block]:
    """Texts with their discoveries marked: those with most discoveries first."""
    mine: dict[int, list[int]] = {}
    for row, one in enumerate(family):
        if explained.selected[row]:
            mine.setdefault(one.input, []).append(row)
    shown = sorted(mine, key=lambda at: (-len(mine[at]), at))[:_TEXTS]
    blocks: list[Block] = []
    for at in shown:
        marks = []
        for row in mine[at]:
            group = family[row].group
            assert isinstance(group, Spans)
            for start, end in group.at:
                marks.append(Mark(start=start, end=end, kind="found", label=hypothesis_label(explained, row)))
        title = f"{found.ids[at]}" + (f" · label {found.truth[at]}" if found.truth else "")
        caption = "" if blocks else "Marked: words whose value made the output unusual. Point at one for its p or t."
        blocks.append(Marked(title=title, text=str(found.inputs[at]), marks=marks, caption=caption, legend=_LEGEND))
    if not blocks:
        blocks.append(Note(level="info", text="No text has a discovery."))
    return blocks


_LEGEND = {"found": "discovered"}


def _pictures(found: Plan, explained: Explained, family: Sequence[Hypothesis]) -> list[Block]:
    own: dict[int, list[int]] = {}
    for row, one in enumerate(family):
        own.setdefault(one.input, []).append(row)
    count = {at: int(explained.selected[rows].sum()) for at, rows in own.items()}
    shown = sorted(own, key=lambda at: (-count[at], at))[:_PICTURES]
    return [picture(found.ids[at], found.inputs[at], [family[k] for k in own[at]], own[at], explained) for at in shown]


def picture(name: str, image: Any, family: Sequence[Hypothesis], rows: Sequence[int], explained: Explained) -> Picture:
    """An image with the regions that were tested, as a block."""
    array = np.asarray(image)
    step = max(1, -(-max(array.shape[:2]) // _SIDE))
    small = array[::step, ::step]
    if not np.issubdtype(small.dtype, np.integer):
        top = float(small.max()) or 1.0
        small = small * (255 / top if top <= 1.5 else 1)
    small = np.clip(small, 0, 255).astype(np.uint8)
    if small.ndim == 2 or small.shape[2] == 1:
        small = np.repeat(small.reshape(*small.shape[:2], 1), 3, axis=2)
    regions = []
    for one, row in zip(family, rows, strict=True):
        assert isinstance(one.group, Region)
        mask = one.group.at[::step, ::step]
        if mask.any():
            label = f"{one.group.name}: {hypothesis_label(explained, row)}"
            selected = bool(explained.selected[row])
            regions.append(PictureRegion(label=label, runs=_runs(mask), selected=selected))
    return Picture(
        title=name, width=small.shape[1], height=small.shape[0], pixels=small[..., :3].tobytes().hex(), regions=regions
    )


def _runs(mask: Any) -> list[tuple[int, int, int]]:
    """(row, first column, columns) of every horizontal stretch of a mask."""
    found = []
    for y, line in enumerate(np.pad(mask, ((0, 0), (1, 1)))):
        edges = np.flatnonzero(np.diff(line.astype(np.int8)))
        found += [(y, int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]
    return found
