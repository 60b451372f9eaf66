"""Values from a hostile program: what is JSON within the limits comes out as it went in, all else is one refusal."""

from __future__ import annotations

import json
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.sandbox._values import DEPTH, DIGITS, NODES, BadValue, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=40,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value):
    assert decode(encode(value)) == value


@given(VALUES)
def test_text_is_read_as_the_standard_library_reads_it(value):
    for text in (json.dumps(value), json.dumps(value, indent=2), json.dumps(value, ensure_ascii=False)):
        assert decode(text.encode()) == json.loads(text)


@given(st.binary(max_size=300))
def test_bytes_are_a_value_or_a_refusal(data):
    try:
        decode(data)
    except BadValue:
        return
    json.loads(data.decode())  # what was taken is JSON


@given(st.text('[]{}",:\\u0dD8"nul 1e9-', max_size=400))
@settings(max_examples=300)
def test_text_that_nearly_is_json_is_a_value_or_a_refusal(text):
    try:
        value = decode(text.encode())
    except BadValue:
        return
    repr(value).encode("utf-8")  # no lone surrogate came through


@given(st.integers(2, 200), st.randoms())
def test_depth_is_counted_exactly(depth, random):
    # Nothing is counted below a hundred brackets, so wide neighbours are added.
    value = 1
    for _ in range(depth - 1):
        value = [value] if random.random() < 0.5 else {"a": value}
    text = json.dumps([*[[]] * 200, value]).encode()
    if depth <= DEPTH:
        decode(text)
    else:
        with pytest.raises(BadValue, match="levels deep"):
            decode(text)


def test_brackets_and_commas_in_strings_do_not_count():
    text = "[[{" * 1000 + "," * (NODES + 1) + '\\"[['
    assert decode(json.dumps([text, text]).encode()) == [text, text]


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b'{"a":' * 500_000 + b"1" + b"}" * 500_000,
        b"[" + b"[]," * (NODES + 1) + b"1]",
        b"[" + b"0," * (NODES + 1) + b"0]",
        b'"' + b"\\" * 2_000_001,
        b'"a",' * 600_000,
        b"9" * (DIGITS + 1),
        b"-" + b"9" * (DIGITS + 1),
        b"[" * 90 + b"9" * 1_000_000,
        b"\xff\xfe",
        b"",
        b"1e",
        b"[1" + b" " * 1_000_000,
    ],
    ids=range(14),
)
def test_large_nonsense_is_refused_soon(text):
    started = time.process_time()
    with pytest.raises(BadValue):
        decode(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("digits", [1, 4300, 4301, 20_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_long_integers_are_read_whatever_pythons_own_limit_is(digits, sign):
    # 10^d - 1 is d nines, known without any conversion to text
    expected = sign * (10**digits - 1)
    text = (b"-" if sign < 0 else b"") + b"9" * digits
    assert decode(b'{"n": [' + text + b"]}") == {"n": [expected]}
    before = sys.get_int_max_str_digits()
    assert encode(expected) == text
    assert sys.get_int_max_str_digits() == before


def test_the_longest_integer_is_read():
    assert decode(b"9" * DIGITS) == 10**DIGITS - 1


def test_lone_surrogates_are_replaced_and_pairs_are_kept():
    text = b'["\\ud800", "\\uD83D\\uDE00", "\\\\ud800", {"\\udc00x": "\\udfff"}]'
    assert decode(text) == ["�", "😀", "\\ud800", {"�x": "�"}]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_no_json_cannot_be_sent(value):
    with pytest.raises(TypeError):
        encode(value)
