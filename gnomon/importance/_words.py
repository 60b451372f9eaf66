"""Texts as words with places, and putting other words in their place.

Belongs here: cutting, casing, putting back. Does not belong here: which words (`samplers/`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from gnomon.errors import UsageError
from gnomon.importance._groups import Spans

__all__ = ["TOKEN", "cased", "is_word", "put", "texts_of", "tokens", "within"]

TOKEN = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]", re.UNICODE)
"""A word, as in `_groups.words`, or one mark."""


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[tuple[tuple[int, int], str], ...]:
    """Words and marks with their places; kept, since every word of a text asks for them."""
    return tuple((found.span(), found.group()) for found in TOKEN.finditer(text))


@lru_cache(maxsize=1024)
def _spans(text: str) -> frozenset[tuple[int, int]]:
    return frozenset(span for span, token in tokens(text) if is_word(token))


def is_word(token: str) -> bool:
    """Whether a token is a word and no mark."""
    return bool(token) and (token[0].isalnum() or token[0] == "_")


def cased(word: str, like: str) -> str:
    """`word` written in capitals as `like` is: the casing of what is replaced stays in place.

    >>> cased("fine", "Bad"), cased("fine", "BAD"), cased("fine", "bad")
    ('Fine', 'FINE', 'fine')
    """
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def put(text: str, spans: Sequence[tuple[int, int]], words: Sequence[str]) -> str:
    """`text` with each span (in order, apart) replaced.

    >>> put("a fine film", [(2, 6)], ["bad"])
    'a bad film'
    """
    parts, last = [], 0
    for (start, end), word in zip(spans, words, strict=True):
        parts += [text[last:start], word]
        last = end
    return "".join([*parts, text[last:]])


def within(text: str, group: Spans) -> list[tuple[int, int]]:
    """The words of `text` inside the group, as spans; raises UsageError where a word is cut, or the text left."""
    if len(group.at) == 1 and group.at[0] in _spans(text):
        return [group.at[0]]
    found = []
    for start, end in group.at:
        if not 0 <= start <= end <= len(text):
            raise UsageError(f"group '{group.name}' reaches from {start} to {end} in a text of {len(text)} characters.")
    for (low, high), token in tokens(text):
        if any(start <= low and high <= end for start, end in group.at):
            if is_word(token):
                found.append((low, high))
        elif any(low < end and start < high for start, end in group.at):
            raise UsageError(f"group '{group.name}' cuts the word {token!r} in two.", hint="Take whole words.")
    return found


def texts_of(X: Any, who: str) -> list[str]:
    """`X` as a list of texts, at least one of them with a word."""
    texts = [X] if isinstance(X, str) else list(X if X is not None else ())
    if not texts or not all(isinstance(one, str) for one in texts) or not any(TOKEN.search(one) for one in texts):
        raise UsageError(f"{who} needs texts to learn from, and was given none with a word in it.")
    return texts
