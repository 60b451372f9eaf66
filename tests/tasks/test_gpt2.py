"""Counting tokens as GPT-2 does: against the byte-pair merges done by hand, over the same published vocabulary."""

from __future__ import annotations

import csv
import json
from functools import cache
from itertools import pairwise

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.tasks import _gpt2

pytestmark = pytest.mark.skipif(not _gpt2.available(), reason=f"GPT-2's vocabulary is not installed: {_gpt2.INSTALL}")

# GPT-2's own way of cutting a text into words (Radford et al. 2019, encoder.py of the release).
WORDS = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


@cache
def merges() -> dict[tuple[bytes, bytes], int]:
    """The rank of every merge, as bytes."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    letters = {chr(byte): byte for byte in visible} | {chr(256 + n): byte for n, byte in enumerate(hidden)}
    lines = (_gpt2._folder() / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    pairs = [line.split(" ") for line in lines if line]
    return {
        (bytes(letters[c] for c in left), bytes(letters[c] for c in right)): rank
        for rank, (left, right) in enumerate(pairs)
    }


@cache
def word_tokens(word: bytes) -> int:
    """Number of tokens of one word: the best-ranked neighbours are merged until none can be."""
    parts = [bytes([byte]) for byte in word]
    while len(parts) > 1:
        ranks = [merges().get(pair, 1 << 30) for pair in pairwise(parts)]
        if min(ranks) == 1 << 30:
            break
        at = ranks.index(min(ranks))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return len(parts)


def by_hand(text: str) -> int:
    return sum(word_tokens(word.encode()) for word in WORDS.findall(text))


def test_the_vocabulary_is_gpt2s():
    vocabulary = json.loads((_gpt2._folder() / "encoder.json").read_text(encoding="utf-8"))
    assert len(vocabulary) == 50257
    assert len(merges()) == 50000


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("hello world", 2), (" A", 1), ("\n\n", 1), ("\nAnswer:", 3), ("Answer: B", 3), ("\u00e9", 1)],
)
def test_texts_whose_tokens_are_known(text, tokens):
    assert _gpt2.count([text]) == [tokens]
    assert by_hand(text) == tokens


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_has_as_many_tokens_as_the_merges_give_by_hand(text):
    assert _gpt2.count([text]) == [by_hand(text)]


def test_no_start_token_is_counted_and_texts_do_not_touch_each_other():
    texts = ["one two", "", "three"]
    assert _gpt2.count(texts) == [_gpt2.count([text])[0] for text in texts] == [2, 0, 1]


def test_a_long_text_is_not_cut():
    assert _gpt2.count([" a" * 5000]) == [5000]


@pytest.mark.realdata
def test_real_questions_have_as_many_tokens_as_the_merges_give_by_hand(release):
    texts = []
    for subject in ("high_school_us_history", "abstract_algebra", "college_medicine", "professional_law"):
        with (release("mmlu") / "test" / f"{subject}_test.csv").open(newline="", encoding="utf-8") as file:
            texts += ["\n".join(row) for row in csv.reader(file)][:60]
    assert _gpt2.count(texts) == [by_hand(text) for text in texts]


def test_without_the_wheel_the_vocabulary_is_not_available(monkeypatch):
    monkeypatch.setattr(_gpt2.importlib.util, "find_spec", lambda name: None)
    assert not _gpt2.available()
