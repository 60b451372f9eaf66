"""Figures with two axes of numbers: curves, with whiskers or bands, and scatters.

Belongs here: what is drawn of a `Curve` and of a `Scatter`. Does not belong here: colours (`_figures.py`) and what
other figures draw in the same way (`_drawing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gnomon.blocks import Curve, Scatter
from gnomon.report._drawing import LABEL, PICKED, WIDTH, by_category, distinct, layered, pickable, tooltip
from gnomon.report._format import DASH, format_cell
from gnomon.report._text import cut

if TYPE_CHECKING:
    import altair

__all__ = ["curve_chart", "scatter_chart"]

_DENSE = 12
"""Curves of more points have bands in place of whiskers, small dots, and one tooltip for all series at an x."""
_COLOURS = 8
"""Series beyond this number are dashed, for the colours begin again."""
_SHAPES = ["circle", "diamond", "square", "triangle-up", "cross", "triangle-down"]


# -- curves ------------------------------------------------------------------------------------------------------------


def curve_chart(curve: Curve) -> altair.LayerChart:
    """Lines through points, with intervals where given. The diagonal comes with both axes on [0, 1]."""
    import altair as alt

    names = None if curve.x_names is None else distinct(curve.x_names)
    rows = _curve_rows(curve, names)
    dense = any(len(one.x) > _DENSE for one in curve.series)
    x, scale = _x_axis(curve, names), _y_scale(curve)
    y_title = cut(curve.y_label, LABEL)
    y = alt.Y("y:Q", title=y_title, scale=scale)
    categories = list(dict.fromkeys(row["category"] for row in rows))
    several = len(curve.series) > 1
    look = by_category(None, categories) if several else {}
    dashes: dict[str, Any] = {}
    if len(categories) > _COLOURS:
        look["color"], dashes = _dashed(categories, look["color"])
    base = alt.Chart().encode(x=x, **look)
    clip: dict[str, Any] = {} if curve.y_range is None else {"clip": True}
    line = base.mark_line(style="line", **clip).encode(y=y, order="order:Q", detail="category:N", **dashes)
    dots = base.mark_point(style="small-dot" if dense else "dot", shape="circle", **clip).encode(y=y)
    layers = [pickable(line) if several and not dense else line]
    if any(row["low"] is not None for row in rows):
        low = alt.Y("low:Q", title=y_title, scale=scale)
        if dense:
            layers.insert(0, _bands(base, len(categories), low, clip))
        else:
            layers.append(_whiskers(base, low, clip, _point_tooltip(curve)))
    if several and dense:  # the legend has its own layer, which draws nothing, so that bands can lie under the lines
        key = alt.Chart().mark_line(style="line").encode(**look, **dashes)
        layers.insert(0, pickable(key.transform_filter("false")))
    if dense and _side_by_side(curve):
        layers += [dots, *_places(curve, rows, x, categories)]
    else:
        layers.append(dots.encode(tooltip=_point_tooltip(curve)))
    if curve.reference is not None:
        layers = [*_level(curve.reference, curve.reference_label, y_title, scale), *layers]
    if curve.diagonal:
        ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
        layers.insert(0, alt.Chart(ends).mark_line(style="reference").encode(x=x, y=y))
    return layered(layers, curve.title, height=380 if curve.diagonal else 320 if dense else 280, rows=rows)


def _dashed(categories: Sequence[str], colour: altair.Color) -> tuple[altair.Color, dict[str, Any]]:
    """Dashes for the series whose colours another one has; the legend then shows lines, for a dot has no dashes."""
    import altair as alt

    dashes = [[1, 0]] * _COLOURS + [[5, 3]] * (len(categories) - _COLOURS)
    scale = alt.Scale(domain=list(categories), range=dashes)
    legend = {**colour.to_dict()["legend"], "symbolType": "stroke", "symbolSize": 300, "symbolStrokeWidth": 2.5}
    dash = alt.StrokeDash("category:N", title=None, scale=scale, legend=alt.Legend(**legend))
    return colour.legend(**legend), {"strokeDash": dash}


def _x_axis(curve: Curve, names: Sequence[str] | None) -> altair.X:
    """Numbers, or names at equal distances, every so many of them so that none runs into the next."""
    import altair as alt

    title = cut(curve.x_label, LABEL)
    if names is None:
        scale = alt.Scale(domain=[0, 1], nice=False) if curve.diagonal else alt.Scale(zero=False)
        if not curve.diagonal and any(len(one.x) > _DENSE for one in curve.series):
            scale = alt.Scale(zero=False, nice=False, padding=8)
        whole = not curve.diagonal and all(x.is_integer() for one in curve.series for x in one.x)
        axis = alt.Axis(tickMinStep=1) if whole else alt.Undefined
        return alt.X("x:Q", title=title, scale=scale, axis=axis)
    flat = all(len(name) <= 3 for name in names)
    every = max(1, -(-len(names) * (22 if flat else 15) // WIDTH))
    axis = alt.Axis(
        labelAngle=0 if flat else -40, labelLimit=120, grid=False, values=list(names[::every]), labelOverlap=False
    )
    by_place = alt.EncodingSortField(field="place")  # a band joins its points in this order, not in that of the names
    return alt.X("x:N", title=title, sort=by_place, axis=axis, scale=alt.Scale(type="point", domain=names, padding=0.4))


def _y_scale(curve: Curve) -> altair.Scale:
    import altair as alt

    if curve.diagonal:
        return alt.Scale(domain=[0, 1], nice=False)
    if curve.y_range is not None:
        return alt.Scale(domain=list(curve.y_range), nice=False)
    return alt.Scale(zero=False)


def _curve_rows(curve: Curve, names: Sequence[str] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, series in zip(distinct([series.name for series in curve.series]), curve.series, strict=True):
        for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
            row: dict[str, Any] = {"category": name, "order": index, "place": x, "x": x, "y": y}
            row |= {"low": None, "high": None, "x_shown": format_cell(x, "number"), "y_shown": format_cell(y, "number")}
            if names is not None:
                row["x"] = row["x_shown"] = names[int(x)]
            row["n_shown"] = DASH if series.n is None else format_cell(series.n[index], "integer")
            if series.low is not None and series.high is not None:
                row |= {"low": series.low[index], "high": series.high[index]}
                row["y_shown"] += f" [{format_cell(row['low'], 'number')}, {format_cell(row['high'], 'number')}]"
            rows.append(row)
    return rows


def _point_tooltip(curve: Curve) -> list[altair.Tooltip]:
    lines = [tooltip("x_shown", curve.x_label), tooltip("y_shown", curve.y_label)]
    if any(series.n is not None for series in curve.series):
        lines.append(tooltip("n_shown", "n"))
    return [tooltip("category", "series"), *lines] if len(curve.series) > 1 else lines


def _whiskers(base: altair.Chart, low: altair.Y, clip: dict[str, Any], lines: Sequence[altair.Tooltip]) -> altair.Chart:
    bars = base.mark_rule(style="whisker", **clip).encode(y=low, y2="high:Q", tooltip=lines)
    return bars.transform_filter("isValid(datum.low)")


def _bands(base: altair.Chart, count: int, low: altair.Y, clip: dict[str, Any]) -> altair.Chart:
    """The fainter the more may lie over each other; one picked in the legend is strong, and the others go."""
    band = base.mark_area(style="band", **clip).encode(y=low, y2="high:Q", detail="category:N")
    if count > 1:
        faint = round(min(0.16, 0.8 / count), 3)
        picked = [{"param": PICKED, "empty": False, "value": 0.3}, {"param": PICKED, "value": faint}]
        band = band.encode(opacity={"condition": picked, "value": 0.02})
    return band.transform_filter("isValid(datum.low)")


def _side_by_side(curve: Curve) -> bool:
    """Whether the series were taken at about the same x, so that reading all of them at one x makes sense."""
    places = [set(one.x) for one in curve.series]
    longest = max((len(one) for one in places), default=0)
    twice = any(len(one) < len(series.x) for one, series in zip(places, curve.series, strict=True))
    return not twice and len(set().union(*places)) <= 1.5 * longest


def _places(curve: Curve, rows: Sequence[dict[str, Any]], x: altair.X, categories: Sequence[str]) -> list[altair.Chart]:
    """A rule at the x under the pointer, and what every series has there; fields have fixed names.

    The pointer meets unseen rules so wide that they cover the plot, for Vega-Lite's search for the nearest mark loses
    the fields of its tooltip.
    """
    import altair as alt

    places: dict[Any, dict[str, Any]] = {}
    field = {name: f"series_{number}" for number, name in enumerate(categories)}
    for row in rows:
        place = places.setdefault(row["x"], {"x": row["x"], "place": row["place"], "x_shown": row["x_shown"]})
        place |= {field[row["category"]]: row["y_shown"]}
    for place in places.values():
        for name in field.values():
            place.setdefault(name, DASH)
    lines = [tooltip("x_shown", curve.x_label)]
    lines += [tooltip(field[name], name if len(categories) > 1 else curve.y_label) for name in categories]
    near = alt.selection_point(
        name="near", fields=["x"], on="pointerover", clear="pointerout", toggle=False, empty=False
    )
    base = alt.Chart(alt.Data(values=list(places.values()))).encode(x=x)
    width = alt.ExprRef(f"width / {max(1, len(places))}")
    unseen = base.mark_rule(opacity=0, strokeWidth=width).encode(tooltip=lines)
    seen = base.mark_rule(style="near").encode(opacity=alt.condition(near, alt.value(1), alt.value(0)))
    return [seen, unseen.properties(name="places").add_params(near)]


def _level(value: float, label: str, y_title: str, scale: altair.Scale) -> list[altair.Chart]:
    """A horizontal line over the whole width; its label stands behind its end, where no other line runs."""
    import altair as alt

    data = alt.Data(values=[{"value": value, "label": cut(label, 40)}])
    base = alt.Chart(data).encode(y=alt.Y("value:Q", title=y_title, scale=scale))
    text = base.mark_text(style="reference-label", align="left", baseline="middle", dx=6)
    return [base.mark_rule(style="reference"), text.encode(x=alt.value("width"), text="label:N")]


# -- scatters ----------------------------------------------------------------------------------------------------------


def scatter_chart(scatter: Scatter) -> altair.LayerChart:
    """Points by group, each group with a colour and a shape of its own."""
    import altair as alt

    rows = _scatter_rows(scatter)
    x_title, y_title = cut(scatter.x_label, LABEL), cut(scatter.y_label, LABEL)
    scale = alt.Scale(zero=False, padding=10)
    x_scale = alt.Scale(type="log", nice=False, padding=14) if scatter.log_x else alt.Scale(zero=False, padding=10)
    encoding: dict[str, Any] = {
        "x": alt.X("x:Q", title=x_title, scale=x_scale, axis=alt.Axis(tickCount=8)),
        "y": alt.Y("y:Q", title=y_title, scale=scale),
    }
    lines = [tooltip("x_shown", x_title), tooltip("y_shown", y_title)]
    if any(one.labels is not None for one in scatter.series):
        lines.insert(0, tooltip("label", "point"))
    several = len(scatter.series) > 1
    if several:
        lines.insert(0, tooltip("category", "group"))
        names = list(dict.fromkeys(row["category"] for row in rows))
        shapes = [_SHAPES[number % len(_SHAPES)] for number in range(len(names))]
        encoding |= by_category(None, names)
        encoding["shape"] = alt.Shape("category:N", title=None, scale=alt.Scale(domain=names, range=shapes))
    points = alt.Chart().mark_point(style="scatter").encode(tooltip=lines, **encoding)
    layers = [pickable(points) if several else points]
    if scatter.reference is not None:
        layers = [*_level(scatter.reference, scatter.reference_label, y_title, scale), *layers]
    return layered(layers, scatter.title, height=300, rows=rows)


def _scatter_rows(scatter: Scatter) -> list[dict[str, Any]]:
    rows = []
    for name, points in zip(distinct([points.name for points in scatter.series]), scatter.series, strict=True):
        labels = points.labels or [DASH] * len(points.x)
        for x, y, label in zip(points.x, points.y, labels, strict=True):
            shown = {"x_shown": format_cell(x, "number"), "y_shown": format_cell(y, "number")}
            rows.append({"category": name, "label": cut(label, LABEL), "x": x, "y": y, **shown})
    return rows
