"""A matrix as the templates read it: cells formatted, each with the step of its shade.

Belongs here: which shade a value gets, in the page and in figures alike. Does not belong here: colours
(`templates/page.css`) and the heat map for files (`_figures.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gnomon.blocks import Matrix
from gnomon.report._format import format_cell
from gnomon.report._text import cut

__all__ = ["STEPS", "MatrixCell", "MatrixView", "matrix_view", "shade_top"]

STEPS = 10
_LABEL = 200
_TOPS = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class MatrixCell:
    """The fraction, the number of items behind it, and the shade: 0 (none) to `STEPS`."""

    text: str
    count: str
    step: int


@dataclass(frozen=True)
class MatrixView:
    """A matrix ready to be laid out; `top` is the value that the strongest shade stands for."""

    label: str
    row_label: str
    column_label: str
    columns: list[str]
    rows: list[tuple[str, list[MatrixCell]]]
    top: str
    steps: range = range(STEPS + 1)


def shade_top(values: Iterable[float | None]) -> float:
    """The value of the strongest shade: the least of 0.1, 0.2, 0.5 and 1 that no value exceeds.

    A fixed scale from 0 to 1 would show a hard benchmark as one pale field; the legend names the end of the scale.

    Parameters
    ----------
    values : iterable of float or None
        Fractions; None is passed over.

    Returns
    -------
    float
        1 where there are no values.

    Examples
    --------
    >>> shade_top([0.03, None, 0.14]), shade_top([None])
    (0.2, 1.0)
    """
    largest = max((value for value in values if value is not None), default=1.0)
    return next((top for top in _TOPS if largest <= top), 1.0)


def matrix_view(block: Matrix) -> MatrixView:
    """Lay out a matrix: texts cut, numbers formatted, values turned into steps of shade.

    Examples
    --------
    >>> block = Matrix(title="By level", row_label="subject", column_label="level", rows=["Algebra"],
    ...                columns=["1", "2"], values=[[0.5, None]], counts=[[1200, 0]])
    >>> matrix_view(block).rows[0][1]
    [MatrixCell(text='0.500', count='1,200', step=10), MatrixCell(text='–', count='0', step=0)]
    """
    top = shade_top(value for row in block.values for value in row)
    rows = []
    for label, values, counts in zip(block.rows, block.values, block.counts, strict=True):
        cells = [_cell(value, count, top) for value, count in zip(values, counts, strict=True)]
        rows.append((cut(label, _LABEL), cells))
    return MatrixView(
        label=cut(block.title, _LABEL),
        row_label=cut(block.row_label, _LABEL),
        column_label=cut(block.column_label, _LABEL),
        columns=[cut(label, _LABEL) for label in block.columns],
        rows=rows,
        top=f"{top:g}",
    )


def _cell(value: float | None, count: int, top: float) -> MatrixCell:
    step = 0 if value is None else round(STEPS * min(1.0, max(0.0, value / top)))
    return MatrixCell(format_cell(value, "fraction"), format_cell(count, "integer"), step)
