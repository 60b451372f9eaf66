"""Data for the page's scripts, as JSON that no HTML parser can mistake for markup.

Belongs here: the one way in which data enters a script element. Does not belong here: which data.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from gnomon.report._text import visible

__all__ = ["script_json"]

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def script_json(data: Any) -> Markup:
    """Write `data` as JSON to stand in ``<script type="application/json">``.

    Every string, keys too, is made visible first; then `<`, `>`, `&` and the two Unicode line separators are escaped,
    so the text can neither end its element nor open a comment in it.

    Parameters
    ----------
    data : dict, list, str, int, float, bool or None
        Plain JSON values; floats must be finite.

    Returns
    -------
    Markup
        Safe in a script element; `json.loads` reads it.

    Examples
    --------
    >>> print(script_json({"answer": "</script>"}))
    {"answer":"\\u003c/script\\u003e"}
    """
    text = json.dumps(_visible(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_ESCAPES))


def _visible(data: Any) -> Any:
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {visible(str(key)): _visible(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_visible(value) for value in data]
    return data
