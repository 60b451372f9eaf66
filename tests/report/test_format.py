"""Numbers are shown as their column declares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.report import format_cell


@pytest.mark.parametrize(
    ("value", "style", "shown"),
    [
        (None, "fraction", "–"),
        (True, "number", "yes"),
        (False, "text", "no"),
        ("a", "integer", "a"),
        (1234, "integer", "1,234"),
        (1234.0, "integer", "1,234"),
        (0.25, "fraction", "0.250"),
        (1, "fraction", "1.000"),
        (-0.0001, "fraction", "0.000"),
        (-0.25, "fraction", "-0.250"),
        (0.00099, "p-value", "<0.001"),
        (0.001, "p-value", "0.001"),
        (1.0, "p-value", "1.000"),
        (0.0, "number", "0"),
        (3.14159, "number", "3.142"),
        (-271828.0, "number", "-271,800"),
        (99999.0, "number", "100,000"),
        (50, "number", "50"),
        (0.000012345, "number", "1.234e-05"),
        (7.5e12, "number", "7.5e+12"),
        (2, "text", "2"),
    ],
)
def test_cells_follow_their_columns_format(value, style, shown):
    assert format_cell(value, style) == shown


@given(st.floats(1e-12, 1e15) | st.floats(-1e15, -1e-12))
def test_number_keeps_four_significant_digits(value):
    read = float(format_cell(value, "number").replace(",", ""))
    assert math.isclose(read, value, rel_tol=0.5001e-3)
    assert read == float(f"{value:.4g}")
