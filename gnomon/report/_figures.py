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

from gnomon.blocks import Block, Curve, IntervalChart, Matrix, Table
from gnomon.errors import RunError, UsageError
from gnomon.files import cache_folder, write_atomically
from gnomon.report._format import DASH, format_cell
from gnomon.report._matrix import shade_top
from gnomon.report._text import cut

if TYPE_CHECKING:
    import altair

__all__ = ["chart_runtime", "figure", "page_spec", "vegalite_version"]

# Okabe and Ito's colours, darkened where they are too faint on white; told apart under the common colour deficiencies.
PALETTE = ["#0072b2", "#d55e00", "#009e73", "#b5689a", "#c28a00", "#3d9bd1", "#6a51a3", "#5b6570"]
_LABEL, _WIDTH, _COLUMN = 80, 480, 48
_INK, _FAINT, _GRID = "#1f2430", "#5b6570", "#e3e6ea"


def figure(block: Block) -> altair.LayerChart:
    """Draw a table that declares a chart, a curve, or a matrix.

    Parameters
    ----------
    block : Table, Curve or Matrix
        A `Table` whose `chart` says which columns hold label, value and interval; a `Curve`; or a `Matrix`.

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
        chart = _curve_chart(block)
    elif isinstance(block, Matrix):
        chart = _heat_map(block)
    else:
        name = getattr(block, "title", None) or getattr(block, "name", None) or "this block"
        raise UsageError(
            f"{name!r} ({block.kind}) has no figure.",
            hint="Figures are drawn of curves, of matrices and of tables that declare a chart.",
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
    spec["description"] = f"Chart: {cut(getattr(block, 'title', ''), _LABEL)}."
    if not isinstance(block, Matrix):
        spec["description"] += " The table below it holds its numbers."
    if spec["width"] == _WIDTH:  # a wider one scrolls in its place, for its numbers would run into each other
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
            "line": {"color": first, "strokeWidth": 2},
            "reference": {"color": faint, "strokeWidth": 1.2, "strokeDash": [4, 3]},
            "reference-label": {"color": faint, "fontSize": 11},
            "heat": {"color": first, "stroke": grid, "strokeWidth": 1},
            "heat-label": {"color": ink, "fontSize": 11.5},
            "heat-count": {"color": ink, "fontSize": 9},
        },
    }


# -- dots with intervals -----------------------------------------------------------------------------------------------


def _interval_chart(table: Table, parts: IntervalChart) -> altair.LayerChart:
    """Horizontal dots with whiskers, rows as given. Fields have fixed names: no text becomes part of an expression."""
    import altair as alt

    rows = _interval_rows(table, parts)
    title = cut(table.columns[parts.value].label, _LABEL)
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
    tooltip = [_tooltip("label", table.columns[parts.label].label), _tooltip("shown", title)]
    encoding: dict[str, Any] = {"y": y}
    if parts.colour is not None:
        name = cut(table.columns[parts.colour].label, _LABEL)
        tooltip.append(_tooltip("category", name))
        encoding |= _by_category(name, [row["category"] for row in rows])
    base = alt.Chart(alt.Data(values=rows)).encode(tooltip=tooltip, **encoding)
    whiskers = base.mark_rule(style="whisker").encode(x=alt.X("low:Q", **shared), x2="high:Q")
    dots = base.mark_point(style="dot", shape="circle").encode(x=x)
    if parts.colour is not None:
        whiskers = _pickable(whiskers)
    layers = [whiskers.transform_filter("isValid(datum.low)"), dots.transform_filter("isValid(datum.value)")]
    if parts.reference is not None:
        layers = [*_reference(parts, x, domain), *layers]
    return _layered(layers, table.title, height=max(60, (17 if len(rows) <= 200 else 5) * len(rows)))


def _interval_rows(table: Table, parts: IntervalChart) -> list[dict[str, Any]]:
    """One record a row; labels that occur twice are numbered, for the axis has one place a label."""
    style = table.columns[parts.value].format
    labels = _distinct([format_cell(cells[parts.label]) for cells in table.rows])
    categories: dict[str, str] = {}
    if parts.colour is not None:
        names = list(dict.fromkeys(format_cell(cells[parts.colour]) for cells in table.rows))
        categories = dict(zip(names, _distinct(names), strict=True))
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


# -- curves ------------------------------------------------------------------------------------------------------------


def _curve_chart(curve: Curve) -> altair.LayerChart:
    """Lines through points, with error bars where given. The diagonal comes with both axes on [0, 1]."""
    import altair as alt

    rows, bounds = _curve_rows(curve)
    unit = alt.Scale(domain=[0, 1], nice=False) if curve.diagonal else alt.Scale(zero=False)
    x_title, y_title = cut(curve.x_label, _LABEL), cut(curve.y_label, _LABEL)
    x, y = alt.X("x:Q", title=x_title, scale=unit), alt.Y("y:Q", title=y_title, scale=unit)
    tooltip = [_tooltip("x_shown", x_title), _tooltip("y_shown", y_title)]
    if any(series.n is not None for series in curve.series):
        tooltip.append(_tooltip("n_shown", "n"))
    encoding: dict[str, Any] = {"x": x}
    if len(curve.series) > 1:
        tooltip.insert(0, _tooltip("category", "series"))
        encoding |= _by_category(None, [row["category"] for row in rows])
    base = alt.Chart(alt.Data(values=rows)).encode(**encoding)
    line = base.mark_line(style="line").encode(y=y, order="order:Q", detail="category:N")
    layers = [_pickable(line) if len(curve.series) > 1 else line]
    if bounds:
        bars = base.mark_rule(style="whisker").encode(
            y=alt.Y("low:Q", title=y_title, scale=unit), y2="high:Q", tooltip=tooltip
        )
        layers.append(bars.transform_filter("isValid(datum.low)"))
    dots = base.mark_point(style="dot", shape="circle").encode(y=y, tooltip=tooltip)
    layers.append(dots)
    if curve.diagonal:
        ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
        layers.insert(0, alt.Chart(ends).mark_line(style="reference").encode(x=x, y=y))
    return _layered(layers, curve.title, height=380 if curve.diagonal else 280)


def _curve_rows(curve: Curve) -> tuple[list[dict[str, Any]], bool]:
    rows: list[dict[str, Any]] = []
    bounds = False
    for name, series in zip(_distinct([series.name for series in curve.series]), curve.series, strict=True):
        for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
            row: dict[str, Any] = {"category": name, "order": index, "x": x, "y": y, "low": None, "high": None}
            row |= {"x_shown": format_cell(x, "number"), "y_shown": format_cell(y, "number")}
            row["n_shown"] = DASH if series.n is None else format_cell(series.n[index], "integer")
            if series.low is not None and series.high is not None:
                bounds = True
                row |= {"low": series.low[index], "high": series.high[index]}
                row["y_shown"] += f" [{format_cell(row['low'], 'number')}, {format_cell(row['high'], 'number')}]"
            rows.append(row)
    return rows, bounds


# -- heat maps ---------------------------------------------------------------------------------------------------------


def _heat_map(matrix: Matrix) -> altair.LayerChart:
    """One hue, more of it for more; never so much that the number on it could not be read."""
    import altair as alt

    rows, columns = _distinct(matrix.rows), _distinct(matrix.columns)
    top = shade_top(value for row in matrix.values for value in row)
    shade = alt.FillOpacity("value:Q", scale=alt.Scale(domain=[0, top], range=[0, 0.6], clamp=True), legend=None)
    x_title, y_title = cut(matrix.column_label, _LABEL), cut(matrix.row_label, _LABEL)
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
            _tooltip("row", y_title),
            _tooltip("column", x_title),
            _tooltip("shown", "fraction"),
            _tooltip("n", "n"),
        ],
    )
    layers = [
        base.mark_rect(style="heat").encode(fillOpacity=shade),
        base.mark_text(style="heat-label", dy=-5).encode(text="shown:N"),
        base.mark_text(style="heat-count", dy=8).encode(text="n:N"),
    ]
    width = _WIDTH if len(columns) <= _WIDTH // _COLUMN else _COLUMN * len(columns)
    return _layered(layers, matrix.title, height=max(60, 34 * len(rows)), width=width)


def _heat_rows(matrix: Matrix, rows: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "column": column,
            "value": value,
            "shown": format_cell(value, "fraction"),
            "n": format_cell(count, "integer"),
        }
        for row, values, counts in zip(rows, matrix.values, matrix.counts, strict=True)
        for column, value, count in zip(columns, values, counts, strict=True)
    ]


# -- shared ------------------------------------------------------------------------------------------------------------


def _by_category(title: str | None, categories: Sequence[str]) -> dict[str, Any]:
    """Colour by category in order of first appearance; a click on the legend fades the others."""
    import altair as alt

    colour = alt.Color("category:N", title=title, scale=alt.Scale(domain=list(dict.fromkeys(categories))))
    faded = alt.condition(_picked(), alt.value(1), alt.value(0.15))
    return {"color": colour, "opacity": faded}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names made visible and cut; those that are then equal are numbered, so that no two become one place or line."""
    taken: set[str] = set()
    made = []
    for name in names:
        short = label = cut(name, _LABEL)
        again = 1
        while label in taken:
            again += 1
            label = f"{short} ({again})"
        taken.add(label)
        made.append(label)
    return made


def _pickable(layer: altair.Chart) -> altair.Chart:
    """Let the legend choose categories.

    It must be the first layer with a legend, for Vega-Lite merges later legends into that one. The view has a name of
    ours, for altair would count one up, and equal blocks are to give equal specifications.
    """
    return layer.properties(name="pickable").add_params(_picked())


def _picked() -> altair.Parameter:
    import altair as alt

    return alt.selection_point(name="picked", fields=["category"], bind="legend")


def _tooltip(field: str, title: str) -> altair.Tooltip:
    import altair as alt

    return alt.Tooltip(field=field, type="nominal", title=cut(title, _LABEL) or "value")


def _layered(layers: Sequence[altair.Chart], title: str, *, height: int, width: int = _WIDTH) -> altair.LayerChart:
    import altair as alt

    return alt.layer(*layers).properties(title=cut(title, _LABEL), width=width, height=height)
