"""Figures: a block as one Vega-Lite specification, which serves the page, and files for a paper in five formats.

Belongs here: what is drawn and the look of an exported figure. Does not belong here: the page's colours
(`templates/page.css`) and the code that draws in a browser (`templates/charts.js`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from gnomon.blocks import Block, Curve, IntervalChart, Matrix, Scatter, Table
from gnomon.errors import RunError, UsageError
from gnomon.files import cache_folder, write_atomically
from gnomon.report._curves import curve_chart, scatter_chart
from gnomon.report._drawing import LABEL, WIDTH, by_category, distinct, layered, pickable, tooltip
from gnomon.report._format import format_cell
from gnomon.report._matrix import shade_top
from gnomon.report._text import cut

if TYPE_CHECKING:
    import altair

__all__ = ["chart_runtime", "figure", "page_spec", "vegalite_version"]

# Okabe and Ito's colours, darkened where they are too faint on white; told apart under the common colour deficiencies.
PALETTE = ["#0072b2", "#d55e00", "#009e73", "#b5689a", "#c28a00", "#3d9bd1", "#6a51a3", "#5b6570"]
_COLUMN = 48
_INK, _FAINT, _GRID = "#1f2430", "#5b6570", "#e3e6ea"


def figure(block: Block) -> altair.LayerChart:
    """Draw a table that declares a chart, a curve, a scatter, or a matrix.

    Parameters
    ----------
    block : Table, Curve, Scatter or Matrix
        A `Table` whose `chart` says which columns hold label, value and interval; or any block of the other kinds.

    Returns
    -------
    altair.LayerChart
        480 pixels wide, a matrix of more than 10 columns wider; equal blocks give equal specifications. Text in it is
        made visible and cut at 80 characters.

    Raises
    ------
    UsageError
        If the block is of another kind, or a table without a chart.

    Examples
    --------
    >>> from gnomon.blocks import Series
    >>> line = Series(name="smollm2", x=[0.1, 0.9], y=[0.2, 0.8])
    >>> figure(Curve(title="Reliability", x_label="confidence", y_label="accuracy", series=[line])).to_dict()["width"]
    480
    """
    if isinstance(block, Table) and block.chart is not None:
        chart = _interval_chart(block, block.chart)
    elif isinstance(block, Curve):
        chart = curve_chart(block)
    elif isinstance(block, Scatter):
        chart = scatter_chart(block)
    elif isinstance(block, Matrix):
        chart = _heat_map(block)
    else:
        name = getattr(block, "title", None) or getattr(block, "name", None) or "this block"
        raise UsageError(
            f"{name!r} ({block.kind}) has no figure.",
            hint="Figures are drawn of curves, scatters, matrices and tables that declare a chart.",
        )
    return chart.configure(**_config(_INK, _FAINT, _GRID, PALETTE))


@cache
def chart_runtime(script: str) -> str:
    """Vega, Vega-Lite and vega-embed with `script` behind them in one module, without an address to load anything from.

    Making it takes over a second, so it is kept in gnomon's cache under all that it is made of.
    """
    made_of = f"{importlib.metadata.version('vl-convert-python')}\0{vegalite_version()}\0{script}"
    kept = cache_folder() / f"charts-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text, _, digest = kept.read_text(encoding="utf-8").rpartition("\n// ")
        if digest == hashlib.sha256(text.encode()).hexdigest():
            return text
    text = _bundle(script)
    with contextlib.suppress(RunError):  # a cache that cannot be written costs a second, no report
        write_atomically(kept, f"{text}\n// {hashlib.sha256(text.encode()).hexdigest()}")
    return text


def _bundle(script: str) -> str:
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(script, vl_version=vegalite_version())
    # In strings and patterns, the only places where these can stand, the added backslash changes nothing.
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def vegalite_version() -> str:
    """The Vega-Lite that altair writes for, as vl-convert names it, such as "6.4"."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def page_spec(block: Block) -> dict[str, Any]:
    """The figure's specification for the page: as wide as its place, in the page's colours, the title left to the page.

    Colours are CSS variables, so a drawn chart follows a switch between light and dark, and a printer, by itself.
    """
    spec: dict[str, Any] = figure(block).to_dict(validate=False)
    for part in ("$schema", "title", "background"):
        spec.pop(part, None)
    spec["description"] = f"Chart: {cut(getattr(block, 'title', ''), LABEL)}."
    if not isinstance(block, Matrix):
        spec["description"] += " The table below it holds its numbers."
    if spec["width"] == WIDTH:  # a wider one scrolls in its place, for its numbers would run into each other
        spec["width"] = "container"
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    series = [f"var(--series-{number})" for number in range(1, len(PALETTE) + 1)]
    spec["config"] = _config("var(--ink)", "var(--muted)", "var(--grid)", series)
    return spec


def _config(ink: str, faint: str, grid: str, palette: Sequence[str]) -> dict[str, Any]:
    """The look of a figure in the given colours; marks refer to the named styles at its end."""
    label = {
        "labelColor": ink,
        "labelFontSize": 11.5,
        "titleColor": faint,
        "titleFontSize": 11.5,
        "titleFontWeight": 500,
    }
    first = palette[0]
    return {
        "background": "transparent" if ink.startswith("var") else "white",
        "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
        "view": {"stroke": None},
        "title": {"color": ink, "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 10},
        "axis": {
            **label,
            "domain": False,
            "ticks": False,
            "gridColor": grid,
            "labelPadding": 6,
            "titlePadding": 8,
            "titleLimit": 280,
        },
        "legend": {
            **label,
            "orient": "top",
            "direction": "horizontal",
            "labelLimit": 220,
            "symbolSize": 70,
            "offset": 22,
        },
        "range": {"category": list(palette)},
        "style": {
            "whisker": {"color": first, "strokeWidth": 1.5},
            "dot": {"color": first, "filled": True, "size": 46, "opacity": 1},
            "small-dot": {"color": first, "filled": True, "size": 16, "opacity": 1},
            "scatter": {"color": first, "filled": True, "size": 80, "opacity": 0.9},
            "line": {"color": first, "strokeWidth": 2},
            "band": {"color": first, "opacity": 0.16},
            "near": {"color": faint, "strokeWidth": 1},
            "reference": {"color": faint, "strokeWidth": 1.2, "strokeDash": [4, 3]},
            "reference-label": {"color": faint, "fontSize": 11},
            "heat": {"color": first, "stroke": grid, "strokeWidth": 1},
            "heat-low": {"color": palette[1], "stroke": grid, "strokeWidth": 1},
            "heat-label": {"color": ink, "fontSize": 11.5},
            "heat-count": {"color": ink, "fontSize": 9},
        },
    }


# -- dots with intervals -----------------------------------------------------------------------------------------------


def _interval_chart(table: Table, parts: IntervalChart) -> altair.LayerChart:
    """Horizontal dots with whiskers, rows as given. Fields have fixed names: no text becomes part of an expression."""
    import altair as alt

    rows = _interval_rows(table, parts)
    title = cut(table.columns[parts.value].label, LABEL)
    numbers = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    numbers += [] if parts.reference is None else [parts.reference]
    domain = _domain(numbers, table.columns[parts.value].format == "fraction")
    shared = {"title": title, "scale": alt.Scale(domain=domain, nice=False, zero=False), "axis": alt.Axis(tickCount=8)}
    x = alt.X("value:Q", **shared)
    y = alt.Y(
        "label:N",
        title=None,
        axis=alt.Axis(labelLimit=260, grid=False),
        scale=alt.Scale(domain=[row["label"] for row in rows], padding=0.5),
    )
    lines = [tooltip("label", table.columns[parts.label].label), tooltip("shown", title)]
    encoding: dict[str, Any] = {"y": y}
    if parts.colour is not None:
        name = cut(table.columns[parts.colour].label, LABEL)
        lines.append(tooltip("category", name))
        encoding |= by_category(name, [row["category"] for row in rows])
    base = alt.Chart(alt.Data(values=rows)).encode(tooltip=lines, **encoding)
    whiskers = base.mark_rule(style="whisker").encode(x=alt.X("low:Q", **shared), x2="high:Q")
    dots = base.mark_point(style="dot", shape="circle").encode(x=x)
    if parts.colour is not None:
        whiskers = pickable(whiskers)
    layers = [whiskers.transform_filter("isValid(datum.low)"), dots.transform_filter("isValid(datum.value)")]
    if parts.reference is not None:
        layers = [*_reference(parts, x, domain), *layers]
    return layered(layers, table.title, height=max(60, (17 if len(rows) <= 200 else 5) * len(rows)))


def _interval_rows(table: Table, parts: IntervalChart) -> list[dict[str, Any]]:
    """One record a row; labels that occur twice are numbered, for the axis has one place a label."""
    style = table.columns[parts.value].format
    labels = distinct([format_cell(cells[parts.label]) for cells in table.rows])
    categories: dict[str, str] = {}
    if parts.colour is not None:
        names = list(dict.fromkeys(format_cell(cells[parts.colour]) for cells in table.rows))
        categories = dict(zip(names, distinct(names), strict=True))
    rows = []
    for label, cells in zip(labels, table.rows, strict=True):
        value, low, high = (_number(cells[index]) for index in (parts.value, parts.low, parts.high))
        shown = format_cell(value, style)
        if low is not None and high is not None:
            shown += f" [{format_cell(low, style)}, {format_cell(high, style)}]"
        else:
            low = high = None
        row = {"label": label, "shown": shown, "value": value, "low": low, "high": high}
        if parts.colour is not None:
            row["category"] = categories[format_cell(cells[parts.colour])]
        rows.append(row)
    return rows


def _reference(parts: IntervalChart, x: altair.X, domain: Sequence[float]) -> list[altair.Chart]:
    import altair as alt

    data = alt.Data(values=[{"value": parts.reference, "label": cut(parts.reference_label, 40)}])
    base = alt.Chart(data).encode(x=x)
    low, high = domain
    place = ((parts.reference or 0.0) - low) / (high - low)
    align = "left" if place < 0.2 else "right" if place > 0.8 else "center"
    label = base.mark_text(style="reference-label", align=align, baseline="bottom", dy=-4)
    return [base.mark_rule(style="reference"), label.encode(y=alt.value(0), text="label:N")]


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) else None


def _domain(numbers: Sequence[float], fraction: bool) -> list[float]:
    """The range of the numbers with a little air; fractions stay inside [0, 1] where all of them are."""
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    air = 0.04 * (high - low) or 0.05
    if fraction and low >= 0 and high <= 1:
        return [max(0.0, low - air), min(1.0, high + air)]
    return [low - air, high + air]


# -- heat maps ---------------------------------------------------------------------------------------------------------


def _heat_map(matrix: Matrix) -> altair.LayerChart:
    """One hue, more of it for more, or two around a centre; never so much that a number on it could not be read."""
    import altair as alt

    rows, columns = distinct(matrix.rows), distinct(matrix.columns)
    top = shade_top((value for row in matrix.values for value in row), matrix.centre)
    shade = alt.FillOpacity("strength:Q", scale=alt.Scale(domain=[0, top], range=[0, 0.6], clamp=True), legend=None)
    x_title, y_title = cut(matrix.column_label, LABEL), cut(matrix.row_label, LABEL)
    angle = 0 if all(len(name) <= 7 for name in columns) else -40
    base = alt.Chart(alt.Data(values=_heat_rows(matrix, rows, columns))).encode(
        x=alt.X(
            "column:N",
            title=x_title,
            scale=alt.Scale(domain=columns),
            axis=alt.Axis(orient="top", labelAngle=angle, labelLimit=160, grid=False),
        ),
        y=alt.Y("row:N", title=y_title, scale=alt.Scale(domain=rows), axis=alt.Axis(labelLimit=220, grid=False)),
        tooltip=[
            tooltip("row", y_title),
            tooltip("column", x_title),
            tooltip("shown", "fraction"),
            tooltip("n", "n"),
        ],
    )
    cells = base.mark_rect(style="heat").encode(fillOpacity=shade)
    if matrix.centre is not None:
        low = base.mark_rect(style="heat-low").encode(fillOpacity=shade)
        cells, below = cells.transform_filter("!datum.below"), low.transform_filter("datum.below")
    layers = [
        *([cells] if matrix.centre is None else [cells, below]),
        base.mark_text(style="heat-label", dy=-5).encode(text="shown:N"),
        base.mark_text(style="heat-count", dy=8).encode(text="n:N"),
    ]
    width = WIDTH if len(columns) <= WIDTH // _COLUMN else _COLUMN * len(columns)
    return layered(layers, matrix.title, height=max(60, 34 * len(rows)), width=width)


def _heat_rows(matrix: Matrix, rows: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    centre = matrix.centre or 0.0
    return [
        {
            "row": row,
            "column": column,
            "value": value,
            "strength": None if value is None else abs(value - centre),
            "below": value is not None and value < centre,
            "shown": format_cell(value, "fraction"),
            "n": format_cell(count, "integer"),
        }
        for row, values, counts in zip(rows, matrix.values, matrix.counts, strict=True)
        for column, value, count in zip(columns, values, counts, strict=True)
    ]
