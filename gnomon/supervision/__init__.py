"""Could a weaker overseer bring it out? `gnomon supervise`: weak-to-strong generalisation.

Belongs here: the room's public names, imported when first used. Does not belong here: anything that computes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.supervision.recovery import Recovery, fieller, gap_recovered

_HOMES = {
    "Recovery": "gnomon.supervision.recovery",
    "fieller": "gnomon.supervision.recovery",
    "gap_recovered": "gnomon.supervision.recovery",
}

__all__ = ["Recovery", "fieller", "gap_recovered"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gnomon.supervision' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
