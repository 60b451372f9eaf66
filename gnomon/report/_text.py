"""Hostile text made visible and short: what a page may show of a string that a data set or a model wrote.

Belongs here: turning characters that hide, reorder or control into visible escapes, and cutting. Does not belong here:
HTML escaping, which is Jinja's (`_page.py`) and the JSON writer's (`_json.py`).
"""

from __future__ import annotations

import re

__all__ = ["cut", "visible"]

# Everything whose effect a reader cannot see: C0 and C1 controls but tab and line feed, bidirectional controls,
# zero-width and other format characters, fillers, invisible operators, tag characters, variation selectors but U+FE0F
# (it only picks emoji style), line and paragraph separators, lone surrogates, non-characters.
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)


def visible(text: str) -> str:
    """Replace every invisible, reordering or control character by its name in angle quotes.

    Tabs and line feeds stay. The result holds no lone surrogate, so it can be written as UTF-8.

    Parameters
    ----------
    text : str
        Any string, of any length.

    Returns
    -------
    str
        The same text with, for example, ``‹U+202E›`` in place of a right-to-left override.

    Examples
    --------
    >>> visible("safe\\u202egpj.exe")
    'safe‹U+202E›gpj.exe'
    >>> visible("two\\nlines")
    'two\\nlines'
    """
    return _INVISIBLE.sub(lambda match: f"‹U+{ord(match.group()):04X}›", text)


def cut(text: str, limit: int, *, rest: str = "") -> str:
    """Make text visible and cut it after `limit` of its characters, saying how many there were and where the rest is.

    Parameters
    ----------
    text : str
        Any string.
    limit : int
        Characters of `text` to keep, at least 1.
    rest : str, default ""
        The file that holds the whole text; without it the cut is marked by "…" only.

    Returns
    -------
    str
        `visible(text)` where the text is short enough.

    Examples
    --------
    >>> cut("a" * 5000, 3, rest="records.jsonl")
    'aaa… 5,000 characters in all; the rest is in records.jsonl'
    >>> cut("abc", 3)
    'abc'
    """
    if len(text) <= limit:
        return visible(text)
    tail = f"… {len(text):,} characters in all; the rest is in {rest}" if rest else "…"
    return visible(text[:limit]) + tail
