"""Programs in what a model that chats wrote. Belongs here: reading fenced blocks. Does not belong here: judging."""

from __future__ import annotations

import re

__all__ = ["last_fence"]

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)


def last_fence(text: str) -> str:
    """The last block between lines of three backticks; the text itself where there is none.

    >>> last_fence("Here:\\n```python\\nprint(1)\\n```\\nDone.")
    'print(1)\\n'
    >>> last_fence("print(2)")
    'print(2)'
    """
    blocks = _FENCE.findall(text)
    return str(blocks[-1]) if blocks else text
