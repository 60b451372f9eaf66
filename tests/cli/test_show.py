"""Blocks on a terminal: what is shown of matrices and marked texts, and that no text drives the terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from gnomon.blocks import (
    Column,
    Comparison,
    Condition,
    Estimate,
    Interval,
    Mark,
    Marked,
    Matrix,
    Note,
    Selected,
    Selection,
    Table,
    Verdict,
)
from gnomon.cli._show import show


def printed(*blocks, width=120):
    out = io.StringIO()
    show(blocks, Console(file=out, width=width, highlight=False, color_system=None))
    return out.getvalue()


def matrix(height=2, width=3, **more):
    made = {"title": "By level", "row_label": "subject", "column_label": "level", "headline": True}
    made |= {"rows": [f"subject {row}" for row in range(height)], "columns": [f"L{at}" for at in range(width)]}
    made["values"] = [[(row * width + at) / 100 for at in range(width)] for row in range(height)]
    made["counts"] = [[1000 + row] * width for row in range(height)]
    return Matrix(**(made | more))


ONE = Estimate(name="accuracy", value=0.25, n=4, method="mean", headline=True)


def test_a_headline_matrix_shows_each_fraction_with_its_count_under_its_heads():
    text = printed(ONE, matrix(caption="Over all items.", values=[[0.5, None, 1], [0, 0.1234, 0.2]]))
    lines = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    assert ["subject by level", "L0", "L1", "L2"] in lines
    assert ["subject 0", "0.500 (1,000)", "– (1,000)", "1.000 (1,000)"] in lines
    assert ["subject 1", "0.000 (1,001)", "0.123 (1,001)", "0.200 (1,001)"] in lines
    assert text.index("By level") < text.index("subject 0") < text.index("Over all items.")


def test_a_matrix_that_is_no_headline_is_left_to_the_report_where_there_are_estimates():
    assert "By level" not in printed(ONE, matrix(headline=False))
    assert "By level" in printed(matrix(headline=False))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_columns_that_do_not_fit_follow_in_a_further_table_and_no_number_is_broken(width):
    text = printed(matrix(3, 24), width=width)
    found = re.findall(r"0\.\d{3} \(1,00\d\)", text)
    assert sorted(found) == sorted(f"{at / 100:.3f} ({1000 + at // 24:,})" for at in range(72))
    assert all(len(line) <= width for line in text.splitlines())
    assert text.count("By level") == 1
    assert text.count("subject 0") > 1


@pytest.mark.parametrize(("height", "width"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_matrix_is_no_accident(height, width):
    assert "By level" in printed(matrix(height, width))


def test_a_marked_text_is_one_line_with_its_marks_by_kind():
    marks = [Mark(start=0, end=4, kind=kind, label="Law") for kind in ("gold", "both", "both")]
    text = printed(ONE, Marked(title="A contract", text="Delaware\nlaw", marks=marks))
    assert "A contract: 3 marks (1 gold, 0 found, 2 both); the text is in the report.\n" in text
    assert "Delaware" not in text
    assert "Bare: 0 marks; the text" in printed(Marked(title="Bare", text="x", marks=[]))


def verdict(**more):
    conditions = [
        Condition(name="beats chance", value="0.61", bar="above 0.5", passed=True),
        Condition(name="beats the planted word", value="0.61", bar="above 0.93", passed=False),
        Condition(name="restarts agree", value="", bar="", passed=False),
        Condition(name="beats zero-shot", value="", bar="above 0.6", passed=None),
        Condition(name="transfers", value="", bar="above 0.5", passed=None),
    ]
    made = {"name": "boolq · ccs · layer 18", "identified": False, "reason": "It finds the planted word."}
    return Verdict(**(made | {"conditions": conditions, "required": ["beats zero-shot"]} | more))


def test_a_verdict_is_one_line_with_its_reason_and_below_it_what_stands_against_it():
    assert printed(verdict()).splitlines() == [
        "boolq · ccs · layer 18: NOT IDENTIFIED - It finds the planted word.",
        "  failed: beats the planted word (0.61; above 0.93), restarts agree",
        "  required, but not measured: beats zero-shot",
    ]
    good = [Condition(name="beats chance", value="0.61", bar="above 0.5", passed=True)]
    text = printed(verdict(identified=True, reason="All beaten.", conditions=good, required=[]))
    assert text == "boolq · ccs · layer 18: identified - All beaten.\n"


def test_a_verdict_that_is_no_headline_is_left_to_the_report_where_there_are_estimates():
    assert "boolq" not in printed(ONE, verdict(headline=False))
    assert "boolq" in printed(verdict(headline=False))


def test_no_text_drives_the_terminal_or_is_read_as_markup():
    h = "\x1b[2J\x1b]0;owned\x07[red]x[/red] \u202e\\"
    interval = Interval(low=0, high=1, method=h)
    blocks = [
        Estimate(name=h, value=None, n=0, method=h, reason=h),
        Estimate(name=h, value=0.5, n=1, method=h, baselines={h: 0.1}, interval=interval),
        Table(title=h, columns=[Column(label=h)], rows=[[h]], caption=h, headline=True),
        Comparison(name=h, a=h, b=h, value_a=0, value_b=0, difference=0, interval=interval, p_value=1, test=h, n=1),
        Selection(title=h, method=h, q=0.1, effect_label=h, hypotheses=[
            Selected(name=h, effect=0, p_value=0, q_value=0, n=1, selected=True),
        ]),
        matrix(title=h, row_label=h, column_label=h, rows=[h, h], columns=[h, h, h], caption=h),
        Marked(title=h, text="x", marks=[]),
        verdict(name=h, reason=h, required=[], conditions=[Condition(name=h, value=h, bar=h, passed=False)]),
        Note(level="warning", text=h),
    ]  # fmt: skip
    text = printed(*blocks, width=400)
    assert not set("\x1b\x07\u202e") & set(text)
    assert "‹U+001B›[2J" in text
    assert text.count("[red]x[/red]") >= 12


def test_words_stay_whole_while_there_is_room():
    """A name that is broken in its middle may read as another one: layers=1 over 0."""
    columns = [Column(label=label) for label in ("task", "supervisor", "student", "note", "verdict")]
    names = [f"model@layers={depth}" for depth in (1, 10, 100)]
    rows = [["one", name, name, "a long sentence that may be broken", "no (-0.005 to +0.084)"] for name in names]
    block = Table(title="", columns=columns, rows=rows, headline=True)
    shown = printed(block, width=84)
    assert shown.count("model@layers=100 ") == 2
    assert "broken" in shown
    assert all(len(line) <= 84 for line in shown.splitlines())
    tight = printed(block, width=66)  # gaps of one in place of two
    assert tight.count("model@layers=100 ") == 2
    assert all(len(line) <= 66 for line in tight.splitlines())
    narrow = printed(block, width=40)
    assert all(len(line) <= 40 for line in narrow.splitlines())
