"""Could a weaker overseer bring it out? `gnomon supervise`: weak-to-strong generalisation.

Belongs here: the room's public names, imported when first used. Does not belong here: anything that computes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.supervision._heads import HeadRecipe, Heads, Lesson, train_heads
    from gnomon.supervision._study import supervise
    from gnomon.supervision.aggregate import against, many
    from gnomon.supervision.recovery import Recovery, auroc_recovered, fieller, gained, gap_recovered

_HOMES = {
    "HeadRecipe": "gnomon.supervision._heads",
    "Heads": "gnomon.supervision._heads",
    "Lesson": "gnomon.supervision._heads",
    "against": "gnomon.supervision.aggregate",
    "auroc_recovered": "gnomon.supervision.recovery",
    "many": "gnomon.supervision.aggregate",
    "supervise": "gnomon.supervision._study",
    "train_heads": "gnomon.supervision._heads",
    "Recovery": "gnomon.supervision.recovery",
    "fieller": "gnomon.supervision.recovery",
    "gained": "gnomon.supervision.recovery",
    "gap_recovered": "gnomon.supervision.recovery",
}

__all__ = [
    "HeadRecipe",
    "Heads",
    "Lesson",
    "Recovery",
    "against",
    "auroc_recovered",
    "fieller",
    "gained",
    "gap_recovered",
    "many",
    "supervise",
    "train_heads",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gnomon.supervision' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
