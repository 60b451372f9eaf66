"""Spans that a model quoted: read from what it wrote, and found again in the text they should come from.

Belongs here: reading quotes and locating them to the character. Does not belong here: judging spans (`spans.py`).
"""

from __future__ import annotations

import json
import re

__all__ = ["locate", "read_quotes"]


def read_quotes(text: str) -> list[str] | None:
    """The quotes in a JSON list of strings, wherever it stands in `text`; None where there is no such list.

    Empty strings are left out, a quote that is repeated counts once.

    >>> read_quotes('Here they are: ["Delaware law governs.", ""]')
    ['Delaware law governs.']
    >>> read_quotes("[]"), read_quotes("There is no such clause.")
    ([], None)
    """
    decoder = json.JSONDecoder(strict=False)  # models write line breaks inside strings as they stand
    at = text.find("[")
    while at >= 0:
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return list(dict.fromkeys(one for one in found if one.strip()))
        at = text.find("[", at + 1)
    return None


def locate(quote: str, text: str, start: int = 0) -> tuple[int, int] | None:
    """Where `quote` first stands in `text` from `start` on, as (start, end); None where it does not.

    White space may differ (a line break for a space), nothing else: a quote that is not in the text is an invention.

    >>> locate("law  of Delaware", "The law of\\nDelaware governs.")
    (4, 19)
    >>> locate("laws of Delaware", "The law of Delaware governs.") is None
    True
    """
    plain = text.find(quote, start)
    if plain >= 0 and quote:
        return plain, plain + len(quote)
    words = quote.split()
    if not words:
        return None
    found = re.compile(r"\s+".join(map(re.escape, words))).search(text, start)
    return found.span() if found else None
