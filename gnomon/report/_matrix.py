"""A matrix as the templates read it: cells formatted, each with the step of its shade.

Belongs here: which shade a value gets, in the page and in figures alike. Does not belong here: colours
(`templates/page.css`) and the heat map for files (`_figures.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gnomon.blocks import Matrix
from gnomon.report._format import format_cell
from gnomon.report._text import cut

__all__ = ["STEPS", "MatrixCell", "MatrixView", "matrix_view", "shade_top"]

STEPS = 10
_LABEL = 200
_TOPS = (0.1, 0.2, 0.5, 1.0)
_SLACK = 1e-9
"""So that 0.6 lies within 0.1 of 0.5."""


@dataclass(frozen=True)
class MatrixCell:
    """The fraction, the number of items behind it, and the shade: 0 (none) to `STEPS`, below a centre to `-STEPS`."""

    text: str
    count: str
    step: int


@dataclass(frozen=True)
class MatrixView:
    """A matrix ready to be laid out; `low` and `top` are the values that the ends of the scale of shades stand for."""

    label: str
    row_label: str
    column_label: str
    columns: list[str]
    rows: list[tuple[str, list[MatrixCell]]]
    low: str
    centre: str
    """Empty where shades begin at 0."""
    top: str
    steps: range


def shade_top(values: Iterable[float | None], centre: float | None = None) -> float:
    """How far from the centre, or from 0, the strongest shade is: the least of 0.1, 0.2, 0.5 and 1 that suffices.

    A fixed scale from 0 to 1 would show a hard benchmark as one pale field; the legend names the ends of the scale.

    Parameters
    ----------
    values : iterable of float or None
        Fractions; None is passed over.
    centre : float, optional
        As in `gnomon.blocks.Matrix`; shades on both sides of it have the same scale.

    Returns
    -------
    float
        1 where there are no values.

    Examples
    --------
    >>> shade_top([0.03, None, 0.14]), shade_top([None])
    (0.2, 1.0)
    >>> shade_top([0.03, None, 0.14], 0.5)
    0.5
    """
    middle = centre or 0.0
    largest = max((abs(value - middle) for value in values if value is not None), default=1.0)
    return next((top for top in _TOPS if largest <= top + _SLACK), 1.0)


def matrix_view(block: Matrix) -> MatrixView:
    """Lay out a matrix: texts cut, numbers formatted, values turned into steps of shade.

    Examples
    --------
    >>> block = Matrix(title="By level", row_label="subject", column_label="level", rows=["Algebra"],
    ...                columns=["1", "2"], values=[[0.5, None]], counts=[[1200, 0]])
    >>> matrix_view(block).rows[0][1]
    [MatrixCell(text='0.500', count='1,200', step=10), MatrixCell(text='–', count='0', step=0)]
    """
    top = shade_top((value for row in block.values for value in row), block.centre)
    rows = []
    for label, values, counts in zip(block.rows, block.values, block.counts, strict=True):
        cells = [_cell(value, count, block.centre, top) for value, count in zip(values, counts, strict=True)]
        rows.append((cut(label, _LABEL), cells))
    first, last = _ends(block.centre, top)
    middle = block.centre or 0.0
    return MatrixView(
        label=cut(block.title, _LABEL),
        row_label=cut(block.row_label, _LABEL),
        column_label=cut(block.column_label, _LABEL),
        columns=[cut(label, _LABEL) for label in block.columns],
        rows=rows,
        low=f"{round(max(0.0, middle + first * top / STEPS), 3):g}",
        centre="" if block.centre is None else f"{round(block.centre, 3):g}",
        top=f"{round(min(1.0, middle + last * top / STEPS), 3):g}",
        steps=range(first, last + 1),
    )


def _ends(centre: float | None, top: float) -> tuple[int, int]:
    """The steps at the ends of the scale, which goes no further than fractions do: from 0 to 1."""
    if centre is None:
        return 0, STEPS
    first, last = (min(STEPS, math.ceil(STEPS * room / top - _SLACK)) for room in (centre, 1 - centre))
    return -first, last


def _cell(value: float | None, count: int, centre: float | None, top: float) -> MatrixCell:
    step = 0
    if value is not None:
        share = min(1.0, max(0.0 if centre is None else -1.0, (value - (centre or 0.0)) / top))
        step = round(STEPS * share)
    return MatrixCell(format_cell(value, "fraction"), format_cell(count, "integer"), step)
