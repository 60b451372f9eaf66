"""A matrix in the page: heads, fractions, counts, and a shade that says the same as the number."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.blocks import Matrix
from gnomon.report import ReportRun, render
from gnomon.report._matrix import STEPS, matrix_view, shade_top

fractions = st.none() | st.floats(0, 1)


class Cells(HTMLParser):
    """The rows of the table of class matrix: for each cell its tag, its attributes and its text."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.rows, self.inside = [], False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.inside = self.inside or dict(attrs).get("class") == "matrix"
        if self.inside and tag == "tr":
            self.rows.append([])
        elif self.inside and tag in {"th", "td"}:
            self.rows[-1].append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "table"
        if self.inside and tag in {"th", "td"}:
            self.rows[-1][-1][2] = " ".join(self.rows[-1][-1][2].split())
            self.rows[-1][-1] = tuple(self.rows[-1][-1])

    def handle_data(self, data):
        if self.inside and self.rows and self.rows[-1] and isinstance(self.rows[-1][-1], list):
            self.rows[-1][-1][2] += data


def matrix(values, counts=None, **more):
    counts = counts or [[5] * len(row) for row in values]
    named = {"title": "By level", "row_label": "subject", "column_label": "level"}
    named |= {"rows": [f"r{i}" for i in range(len(values))], "columns": [f"c{i}" for i in range(len(values[0]))]}
    return Matrix(values=values, counts=counts, **(named | more))


def page(block):
    return render([ReportRun(id="r", title="t", status="complete", blocks=[block])])


def test_every_cell_stands_under_its_heads_with_its_fraction_and_its_count():
    block = matrix([[0.4567, None], [0, 1]], [[1234, 0], [7, 8]], rows=["Algebra", "<b>"], columns=["1", "2"])
    first, second, *body = Cells(page(block)).rows
    assert [(tag, attrs["scope"], text) for tag, attrs, text in first] == [
        ("th", "col", "subject"),
        ("th", "colgroup", "level"),
    ]
    assert (first[0][1]["rowspan"], first[1][1]["colspan"]) == ("2", "2")
    assert [(attrs["scope"], text) for _, attrs, text in second] == [("col", "1"), ("col", "2")]
    assert [(row[0][1]["scope"], row[0][2]) for row in body] == [("row", "Algebra"), ("row", "<b>")]
    texts = [[text for _, _, text in row[1:]] for row in body]
    assert texts == [["0.457 n = 1,234", "– n = 0"], ["0.000 n = 7", "1.000 n = 8"]]


def test_the_caption_and_the_end_of_the_scale_are_told():
    text = page(matrix([[0.13]], caption="Each over its own items."))
    assert "Each over its own items." in text
    assert re.search(r"Shade: 0 .*</span> 0\.2</span>", text)


@given(st.lists(fractions, min_size=1, max_size=20))
def test_more_is_never_a_fainter_shade_and_nothing_has_none(values):
    cells = matrix_view(matrix([values])).rows[0][1]
    steps = [(value, cell.step) for value, cell in zip(values, cells, strict=True)]
    assert all(step == 0 for value, step in steps if value is None)
    known = sorted(pair for pair in steps if pair[0] is not None)
    assert [step for _, step in known] == sorted(step for _, step in known)
    assert all(0 <= step <= STEPS for _, step in known)


@given(st.lists(fractions))
def test_no_fraction_lies_past_the_end_of_the_scale_and_the_largest_uses_at_least_four_tenths_of_it(values):
    top = shade_top(values)
    known = [value for value in values if value is not None]
    assert top in {0.1, 0.2, 0.5, 1.0}
    assert all(value <= top for value in known)
    if known and max(known) > 0.1:
        assert max(known) >= 0.4 * top


@given(st.lists(fractions, min_size=1, max_size=20), st.floats(0, 1))
def test_around_a_centre_shades_grow_with_the_distance_and_the_hue_tells_the_side(values, centre):
    view = matrix_view(matrix([values], centre=centre))
    steps = [
        (value - centre, cell.step) for value, cell in zip(values, view.rows[0][1], strict=True) if value is not None
    ]
    assert all(step == 0 or (step > 0) == (away > 0) for away, step in steps)
    assert [step for _, step in sorted(steps)] == sorted(step for _, step in steps)
    assert all(abs(step) <= STEPS and step in view.steps for _, step in steps)
    assert 0 <= float(view.low) <= round(centre, 3) <= float(view.top) <= 1


def test_chance_has_no_shade_and_equal_distances_from_it_have_equal_shades_of_two_hues():
    text = page(matrix([[0.5, 0.7, 0.3, None]], centre=0.5))
    classes = [attrs["class"] for _, attrs, _ in Cells(text).rows[2][1:]]
    assert classes == ["shade shade-0", "shade shade-10", "shade shade-10 under", "shade shade-0"]
    assert re.search(r"Shade: 0\.3 .*</span> 0\.7</span> <span>None at 0\.5;", text)


@pytest.mark.parametrize(("rows", "columns"), [([], []), (["a"], []), ([], ["x"])])
def test_a_matrix_without_rows_or_columns_is_shown_all_the_same(rows, columns):
    empty = [[] for _ in rows]
    block = Matrix(title="t", row_label="r", column_label="c", rows=rows, columns=columns, values=empty, counts=empty)
    assert [row[0][2] for row in Cells(page(block)).rows[2:]] == rows
