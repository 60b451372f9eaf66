"""Quotes are read from what models write, and found again to the character or not at all."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gnomon.grading.quotes import locate, read_quotes


def test_a_list_is_found_wherever_it_stands():
    assert read_quotes('Sure! ```json\n["a b", "c"]\n``` Bye.') == ["a b", "c"]


def test_a_list_after_brackets_that_are_none_is_found():
    assert read_quotes('Section [3] says ["x"]') == ["x"]


def test_an_empty_list_is_an_answer_and_no_list_is_none():
    assert read_quotes("[]") == []
    assert read_quotes("Nothing.") is None
    assert read_quotes('["unfinished') is None


def test_line_breaks_inside_a_quote_are_kept():
    assert read_quotes('["one\ntwo"]') == ["one\ntwo"]


def test_deep_nesting_is_no_error():
    assert read_quotes("[" * 100_000) is None


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=5), st.text(alphabet="abc .{}\"'", max_size=20))
def test_any_list_survives_being_written(quotes, before):
    assert read_quotes(before + json.dumps(quotes)) == list(dict.fromkeys(quotes))


@given(st.text(max_size=200), st.data())
def test_every_part_of_a_text_is_located_where_it_is_equal(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    part = text[start:end]
    place = locate(part, text)
    if part:
        assert place is not None
        assert text[slice(*place)] == part
    else:
        assert place is None


def test_white_space_may_differ_and_nothing_else():
    text = "This Agreement\n  is governed by the laws of Delaware."
    assert locate("Agreement is governed", text) == (5, 28)
    assert locate("Agreement is Governed", text) is None
    assert locate("   ", text) is None
