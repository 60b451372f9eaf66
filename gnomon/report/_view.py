"""Blocks as the templates read them: every text cut and every number formatted, in the order of the page.

Belongs here: what is said about a block and in which order. Does not belong here: HTML (`templates/`),
drawing (`_figures.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gnomon.blocks import (
    Block,
    Cell,
    Column,
    Comparison,
    Curve,
    Estimate,
    Marked,
    Matrix,
    Note,
    Picture,
    Samples,
    Scatter,
    Selection,
    Table,
    Text,
    Verdict,
)
from gnomon.report._figures import page_spec
from gnomon.report._format import DASH, ColumnFormat, format_cell, format_interval
from gnomon.report._marked import MarkedView, marked_lead, marked_view
from gnomon.report._matrix import MatrixView, matrix_view
from gnomon.report._picture import PictureView, picture_view
from gnomon.report._samples import samples_data
from gnomon.report._text import cut
from gnomon.report._verdict import VerdictView, verdict_view

__all__ = ["Assets", "Part", "RunView", "run_view"]

_TITLE, _CELL, _FACT, _SENTENCE, _TEXT = 200, 400, 1000, 4000, 100_000


@dataclass
class Assets:
    """What the scripts need, gathered while blocks are viewed: chart specifications and samples, by element id."""

    limit: int
    """Characters of a sample's text that are kept."""
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    marked: int = 0
    """Marked texts viewed so far: all but the first start closed."""


@dataclass(frozen=True)
class GridCell:
    """One cell: its text, and for numbers the value to sort by."""

    text: str
    value: str | None = None


@dataclass(frozen=True)
class Grid:
    """A table ready to be laid out; `marked` are the indices of rows to stand out."""

    label: str
    columns: list[tuple[str, bool]]
    """Label, and whether the cells are numbers."""
    rows: list[list[GridCell]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Part:
    """One part of a run's section. `kind` names the template's macro; what a kind does not use stays empty."""

    kind: str
    id: str
    title: str = ""
    lead: str = ""
    caption: str = ""
    text: str = ""
    level: str = ""
    """A note's level."""
    chart: str = ""
    square: bool = False
    """Whether the chart's axes have the same scale."""
    grid: Grid | None = None
    folded: bool = False
    """Whether a table behind a chart, a marked text, or the conditions of a verdict start closed."""
    matrix: MatrixView | None = None
    marked: MarkedView | None = None
    picture: PictureView | None = None
    verdict: VerdictView | None = None


@dataclass(frozen=True)
class Card:
    """A headline estimate."""

    name: str
    value: str
    reason: str
    short: str
    """The interval's two ends."""
    interval: str
    basis: str
    method: str
    baselines: list[tuple[str, str]]
    strip: Strip | None


@dataclass(frozen=True)
class Strip:
    """Positions on a line from 0 to 1, in per cent: the value, its interval, the baselines."""

    value: float
    low: float | None
    width: float | None
    ticks: list[float]


@dataclass(frozen=True)
class RunView:
    """One run's section."""

    anchor: str
    id: str
    title: str
    status: str
    facts: list[tuple[str, str]]
    verdicts: list[Part]
    """The headline verdicts among the parts, to be named first: they say how the numbers may be read."""
    cards: list[Card]
    notes: list[Part]
    parts: list[Part]
    reproduce: str


def run_view(
    anchor: str,
    id: str,
    title: str,
    status: str,
    facts: Mapping[str, str],
    blocks: Sequence[Block],
    reproduce: str,
    assets: Assets,
) -> RunView:
    """View one run; charts and samples are added to `assets` under ids that begin with `anchor`."""
    cards: list[Card] = []
    notes: list[Part] = []
    rest: list[Block] = []
    for block in blocks:
        if isinstance(block, Estimate) and block.headline:
            cards.append(_card(block))
        elif isinstance(block, Note) and block.level != "info":
            notes.append(_note(block, f"{anchor}-note-{len(notes) + 1}"))
        else:
            rest.append(block)
    parts = _parts(anchor, rest, assets)
    return RunView(
        anchor=anchor,
        id=cut(id, _TITLE),
        title=cut(title, _TITLE),
        status=cut(status, _TITLE),
        facts=[(cut(name, _TITLE), cut(value, _FACT)) for name, value in facts.items()],
        verdicts=[part for part in parts if part.verdict is not None and part.verdict.headline],
        cards=cards,
        notes=notes,
        parts=parts,
        reproduce=cut(reproduce, _TEXT),
    )


def _parts(anchor: str, blocks: Sequence[Block], assets: Assets) -> list[Part]:
    """The blocks in order; neighbouring estimates share one table."""
    parts: list[Part] = []
    waiting: list[Estimate] = []
    for block in [*blocks, None]:
        if isinstance(block, Estimate):
            waiting.append(block)
            continue
        if waiting:
            parts.append(_estimates(waiting, f"{anchor}-{len(parts) + 1}"))
            waiting = []
        if block is not None:
            parts.append(_part(block, f"{anchor}-{len(parts) + 1}", assets))
    return parts


def _part(block: Block, id: str, assets: Assets) -> Part:
    if isinstance(block, Table):
        return _table(block, id, assets)
    if isinstance(block, Curve):
        return _curve(block, id, assets)
    if isinstance(block, Scatter):
        return _scatter(block, id, assets)
    if isinstance(block, Verdict):
        title, caption, view = cut(block.name, _TITLE), cut(block.caption, _SENTENCE), verdict_view(block)
        return Part("verdict", id, title=title, caption=caption, verdict=view, folded=not block.headline)
    if isinstance(block, Comparison):
        return _comparison(block, id)
    if isinstance(block, Selection):
        return _selection(block, id)
    if isinstance(block, Samples):
        return _samples(block, id, assets)
    if isinstance(block, Matrix):
        title, caption = cut(block.title, _TITLE), cut(block.caption, _SENTENCE)
        return Part("matrix", id, title=title, caption=caption, matrix=matrix_view(block))
    if isinstance(block, Marked):
        return _marked(block, id, assets)
    if isinstance(block, Picture):
        title, caption = cut(block.title, _TITLE), cut(block.caption, _SENTENCE)
        return Part("picture", id, title=title, caption=caption, picture=picture_view(block))
    if isinstance(block, Text):
        text = cut(block.text, _TEXT, rest="result.json")
        return Part("text", id, title=cut(block.title, _TITLE), caption=cut(block.caption, _SENTENCE), text=text)
    if isinstance(block, Note):
        return _note(block, id)
    raise TypeError(f"a report cannot show a block of type {type(block).__name__}")


def _note(block: Note, id: str) -> Part:
    return Part("note", id, level=block.level, text=cut(block.text, _SENTENCE))


# -- estimates ---------------------------------------------------------------------------------------------------------


def _card(block: Estimate) -> Card:
    interval = short = ""
    if block.interval is not None:
        short = format_interval(block.interval)
        interval = f"{100 * block.interval.level:g}% interval {short}, {cut(block.interval.method, _TITLE)}"
    return Card(
        name=cut(block.name, _TITLE),
        value="" if block.value is None else block.format(),
        reason=cut(block.reason, _FACT),
        short=short,
        interval=interval,
        basis=_basis(block.n, block.groups),
        method=cut(block.method, _TITLE),
        baselines=[(cut(name, _TITLE), format_cell(value, "fraction")) for name, value in block.baselines.items()],
        strip=_strip(block),
    )


def _basis(n: int, groups: int | None) -> str:
    return f"n = {n:,}" if groups is None else f"n = {n:,} in {groups:,} groups"


def _strip(block: Estimate) -> Strip | None:
    """Positions for the small scale under a headline number; only what lies in [0, 1] as a whole has one."""
    if block.value is None:
        return None
    ends = [] if block.interval is None else [block.interval.low, block.interval.high]
    if any(not 0 <= number <= 1 for number in [block.value, *ends, *block.baselines.values()]):
        return None
    ticks = [round(100 * number, 2) for number in block.baselines.values()]
    if not ends:
        return Strip(round(100 * block.value, 2), None, None, ticks)
    return Strip(round(100 * block.value, 2), round(100 * ends[0], 2), round(100 * (ends[1] - ends[0]), 2), ticks)


def _estimates(blocks: Sequence[Estimate], id: str) -> Part:
    baselines = list(dict.fromkeys(name for block in blocks for name in block.baselines))
    rows: list[list[Cell]] = []
    for block in blocks:
        interval = "" if block.interval is None else f"{format_interval(block.interval)} {block.interval.method}"
        method = block.method if block.value is not None else f"{block.method}; not given: {block.reason}"
        row: list[Cell] = [block.name, block.value, interval or None, block.n, block.groups, method]
        rows.append(row + [block.baselines.get(name) for name in baselines])
    heads: list[tuple[str, ColumnFormat]] = [("quantity", "text"), ("value", "fraction"), ("interval", "text")]
    heads += [("n", "integer"), ("groups", "integer"), ("method", "text"), *((name, "fraction") for name in baselines)]
    columns = [Column(label=label, format=style) for label, style in heads]
    if all(block.groups is None for block in blocks):
        columns.pop(4)
        rows = [row[:4] + row[5:] for row in rows]
    return Part("table", id, title="Estimates", grid=_grid("Estimates", columns, rows))


# -- tables ------------------------------------------------------------------------------------------------------------


def _grid(
    label: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], marked: frozenset[int] = frozenset()
) -> Grid:
    heads = [(cut(column.label, _TITLE), column.format != "text") for column in columns]
    cells = [[_cell(cell, column) for cell, column in zip(row, columns, strict=True)] for row in rows]
    return Grid(cut(label, _TITLE), heads, cells, marked)


def _cell(cell: Cell, column: Column) -> GridCell:
    text = cut(format_cell(cell, column.format), _CELL)
    if isinstance(cell, (int, float)):
        return GridCell(text, repr(float(cell)))
    return GridCell(text, "" if cell is None else None)


def _table(block: Table, id: str, assets: Assets) -> Part:
    chart = ""
    if block.chart is not None and block.rows:
        chart = f"{id}-chart"
        assets.charts[chart] = page_spec(block)
    grid = _grid(block.title, block.columns, block.rows)
    return Part(
        "table", id, title=cut(block.title, _TITLE), caption=cut(block.caption, _SENTENCE), chart=chart, grid=grid
    )


def _curve(block: Curve, id: str, assets: Assets) -> Part:
    """The chart, and the numbers behind it in a table that starts closed."""
    chart = f"{id}-chart"
    assets.charts[chart] = page_spec(block)
    x_format: ColumnFormat = "number" if block.x_names is None else "text"
    heads: list[tuple[str, ColumnFormat]] = [("series", "text"), (block.x_label, x_format), (block.y_label, "number")]
    heads += [("low", "number"), ("high", "number"), ("n", "integer")]
    rows: list[list[Cell]] = []
    for one in block.series:
        for at, (x, y) in enumerate(zip(one.x, one.y, strict=True)):
            extra: list[Cell] = [None if values is None else values[at] for values in (one.low, one.high, one.n)]
            rows.append([one.name, x if block.x_names is None else block.x_names[int(x)], y, *extra])
    return _drawn(block.title, block.caption, id, chart, heads, rows, square=block.diagonal)


def _scatter(block: Scatter, id: str, assets: Assets) -> Part:
    """The chart, and its points in a table that starts closed."""
    chart = f"{id}-chart"
    assets.charts[chart] = page_spec(block)
    heads: list[tuple[str, ColumnFormat]] = [("group", "text"), ("point", "text")]
    heads += [(block.x_label, "number"), (block.y_label, "number")]
    rows: list[list[Cell]] = []
    for one in block.series:
        labels: list[str] | list[None] = one.labels or [None] * len(one.x)
        rows += [[one.name, label, x, y] for label, x, y in zip(labels, one.x, one.y, strict=True)]
    return _drawn(block.title, block.caption, id, chart, heads, rows)


def _drawn(
    title: str,
    caption: str,
    id: str,
    chart: str,
    heads: Sequence[tuple[str, ColumnFormat]],
    rows: Sequence[Sequence[Cell]],
    square: bool = False,
) -> Part:
    grid = _grid(title, [Column(label=label, format=style) for label, style in heads], rows)
    title, caption = cut(title, _TITLE), cut(caption, _SENTENCE)
    return Part("table", id, title=title, caption=caption, chart=chart, square=square, grid=grid, folded=True)


# -- comparisons -------------------------------------------------------------------------------------------------------


def _comparison(block: Comparison, id: str) -> Part:
    a, b = cut(block.a, _TITLE), cut(block.b, _TITLE)
    size = format_cell(abs(block.difference), "fraction")
    verb = "the same as" if block.difference == 0 else f"{size} {'higher' if block.difference > 0 else 'lower'} than"
    inside = "includes" if block.interval.low <= 0 <= block.interval.high else "excludes"
    p_value = "p < 0.001" if block.p_value < 0.001 else f"p = {format_cell(block.p_value, 'p-value')}"
    lead = (
        f"{b} is {verb} {a}. The {100 * block.interval.level:g}% interval of the difference, "
        f"{format_interval(block.interval)} ({cut(block.interval.method, _TITLE)}), {inside} 0; "
        f"{p_value} ({cut(block.test, _TITLE)}), {_basis(block.n, block.groups)}."
    )
    caption = ""
    if block.detectable is not None:
        shown = format_cell(block.detectable, "fraction")
        caption = f"This many items show a true difference of {shown} or more with 80% power at the 5% level."
    columns = [
        Column(label=cut(block.name, _TITLE)),
        *(Column(label=label, format="fraction") for label in ("value", "low", "high")),
    ]
    rows: list[list[Cell]] = [
        [block.a, block.value_a, None, None],
        [block.b, block.value_b, None, None],
        ["difference (second minus first)", block.difference, block.interval.low, block.interval.high],
    ]
    title = f"{cut(block.name, _TITLE)}: {b} against {a}"
    return Part("table", id, title=title, lead=lead, caption=caption, grid=_grid(title, columns, rows))


def _selection(block: Selection, id: str) -> Part:
    chosen = frozenset(index for index, one in enumerate(block.hypotheses) if one.selected)
    heads: list[tuple[str, ColumnFormat]] = [
        ("selected", "text"),
        ("hypothesis", "text"),
        (block.effect_label, "number"),
    ]
    heads += [("p", "p-value"), ("q-value", "p-value"), ("n", "integer")]
    rows: list[list[Cell]] = [
        ["✓" if one.selected else DASH, one.name, one.effect, one.p_value, one.q_value, one.n]
        for one in block.hypotheses
    ]
    method = cut(block.method, _TITLE)
    lead = (
        f"{len(chosen):,} of {len(rows):,} selected by {method}, with the false-discovery rate held at q = {block.q:g}."
    )
    grid = _grid(block.title, [Column(label=label, format=style) for label, style in heads], rows, chosen)
    return Part(
        "table", id, title=cut(block.title, _TITLE), lead=lead, caption=cut(block.caption, _SENTENCE), grid=grid
    )


def _samples(block: Samples, id: str, assets: Assets) -> Part:
    assets.samples[f"{id}-samples"] = samples_data(block, assets.limit)
    lead = f"{len(block.samples):,} units."
    if block.total > len(block.samples):
        lead = f"{len(block.samples):,} of {block.total:,} units are in this page; all are in records.jsonl."
    return Part("samples", id, title=cut(block.title, _TITLE), lead=lead, caption=cut(block.caption, _SENTENCE))


def _marked(block: Marked, id: str, assets: Assets) -> Part:
    assets.marked += 1
    return Part(
        "marked",
        id,
        title=cut(block.title, _TITLE),
        lead=marked_lead(block),
        caption=cut(block.caption, _SENTENCE),
        marked=marked_view(block, id),
        folded=assets.marked > 1 and not block.legend,
    )
