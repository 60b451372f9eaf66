"""Hostile text: what a reader cannot see is named, and what is long is cut."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gnomon.report._text import cut, visible

# Format characters that have a shape of their own: signs that stand over or around digits and letters.
DRAWN = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


def test_every_control_format_surrogate_and_separator_character_of_unicode_is_named():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in "\n\t" and code not in DRAWN:
            assert visible(char) == f"‹U+{code:04X}›"


def test_letters_of_all_scripts_marks_emoji_and_ordinary_space_stay_as_they_are():
    text = "añ Ωж עברית العربية 中文 हिन्दी ไทย 🙂 ❤️ x̂\t\n  ∑≤ “quoted” – —"
    assert visible(text) == text


def test_a_carriage_return_is_named_for_it_could_hide_what_stands_before_it():
    assert visible("shown\rhidden") == "shown‹U+000D›hidden"


@given(st.text(st.characters()))
def test_visible_text_is_utf8_and_naming_it_again_changes_nothing(text):
    once = visible(text)
    once.encode("utf-8")
    assert visible(once) == once


@given(st.text(), st.integers(1, 50))
def test_cut_keeps_the_first_characters_and_says_how_many_there_were(text, limit):
    short = cut(text, limit, rest="records.jsonl")
    if len(text) <= limit:
        assert short == visible(text)
    else:
        assert short == visible(text[:limit]) + f"… {len(text):,} characters in all; the rest is in records.jsonl"


def test_a_megabyte_leaves_a_few_thousand_characters():
    short = cut("x" * 2**20, 4000, rest="records.jsonl")
    assert short.endswith("… 1,048,576 characters in all; the rest is in records.jsonl")
    assert len(short) < 4100
