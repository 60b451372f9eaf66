"""The pieces that several figures are made of: categories with a legend to pick from, tooltips, layers.

Belongs here: what more than one kind of figure draws in the same way. Does not belong here: any one kind of figure
(`_figures.py`, `_curves.py`) or its colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gnomon.report._text import cut

if TYPE_CHECKING:
    import altair

__all__ = ["LABEL", "PICKED", "WIDTH", "by_category", "distinct", "layered", "pickable", "tooltip"]

LABEL, WIDTH = 80, 480
PICKED = "picked"
_CHARACTER, _SYMBOL, _LABEL_LIMIT = 6.2, 30, 220


def by_category(title: str | None, categories: Sequence[str]) -> dict[str, Any]:
    """Colour by category in order of first appearance; a click on the legend fades the others.

    The legend has as many columns as the figure's width holds of the longest name.
    """
    import altair as alt

    names = list(dict.fromkeys(categories))
    widest = _SYMBOL + min(_LABEL_LIMIT, _CHARACTER * max((len(name) for name in names), default=0))
    columns = max(1, min(len(names), int(WIDTH // widest)))
    colour = alt.Color(
        "category:N", title=title, scale=alt.Scale(domain=names), legend=alt.Legend(columns=columns, title=title)
    )
    faded = alt.condition(_picked(), alt.value(1), alt.value(0.15))
    return {"color": colour, "opacity": faded}


def distinct(names: Sequence[str]) -> list[str]:
    """Names made visible and cut; those that are then equal are numbered, so that no two become one place or line.

    >>> distinct(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    taken: set[str] = set()
    made = []
    for name in names:
        short = label = cut(name, LABEL)
        again = 1
        while label in taken:
            again += 1
            label = f"{short} ({again})"
        taken.add(label)
        made.append(label)
    return made


def pickable(layer: altair.Chart) -> altair.Chart:
    """Let the legend choose categories.

    It must be the first layer with a legend, for Vega-Lite merges later legends into that one. The view has a name of
    ours, for altair would count one up, and equal blocks are to give equal specifications.
    """
    return layer.properties(name="pickable").add_params(_picked())


def _picked() -> altair.Parameter:
    import altair as alt

    return alt.selection_point(name=PICKED, fields=["category"], bind="legend")


def tooltip(field: str, title: str) -> altair.Tooltip:
    """A line of a tooltip: the field's text under `title`."""
    import altair as alt

    return alt.Tooltip(field=field, type="nominal", title=cut(title, LABEL) or "value")


def layered(
    layers: Sequence[altair.Chart],
    title: str,
    *,
    height: int,
    width: int = WIDTH,
    rows: list[dict[str, Any]] | None = None,
) -> altair.LayerChart:
    """The layers as one chart, in pixels. Layers without data of their own share `rows`, which are then stored once."""
    import altair as alt

    chart = alt.layer(*layers) if rows is None else alt.layer(*layers, data=alt.Data(values=rows))
    return chart.properties(title=cut(title, LABEL), width=width, height=height)
