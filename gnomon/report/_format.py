"""Numbers as a reader sees them, by the format that their column declares.

Belongs here: one cell or one number to one string. Does not belong here: layout, alignment or escaping.
"""

from __future__ import annotations

import math
from typing import Literal

from gnomon.blocks import Cell, Interval

__all__ = ["DASH", "ColumnFormat", "format_cell", "format_interval"]

ColumnFormat = Literal["text", "integer", "fraction", "number", "p-value"]
DASH = "–"


def format_cell(value: Cell, style: ColumnFormat = "text") -> str:
    """One cell of a table as text.

    Parameters
    ----------
    value : str, int, float, bool or None
        None gives an en dash, a truth value "yes" or "no", a string itself, whatever the style.
    style : {"text", "integer", "fraction", "number", "p-value"}
        As in `gnomon.blocks.Column.format`.

    Examples
    --------
    >>> [format_cell(0.4567, "fraction"), format_cell(12345, "integer"), format_cell(0.0004, "p-value")]
    ['0.457', '12,345', '<0.001']
    >>> [format_cell(1234567.0, "number"), format_cell(0.00012345, "number"), format_cell(True), format_cell(None)]
    ['1,235,000', '0.0001234', 'yes', '–']
    """
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return DASH if math.isnan(value) else str(value)
    if style == "integer":
        return f"{value:,.0f}"
    if style == "fraction":
        return _unsigned_zero(f"{value:.3f}")
    if style == "p-value":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    if style == "number":
        return _four_digits(float(value))
    return str(value)


def format_interval(interval: Interval) -> str:
    """The two ends of an interval, to 3 decimals.

    >>> format_interval(Interval(low=0.2, high=0.4, method="Wilson"))
    '[0.200, 0.400]'
    """
    return f"[{format_cell(interval.low, 'fraction')}, {format_cell(interval.high, 'fraction')}]"


def _four_digits(value: float) -> str:
    """Four significant digits; exponents only where plain digits would be mostly zeros."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -5 < size < 9:
        return f"{value:.4g}"
    rounded = float(f"{value:.4g}")
    text = f"{rounded:,.{max(0, 3 - math.floor(math.log10(abs(rounded))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unsigned_zero(text: str) -> str:
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
