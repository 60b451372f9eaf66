"""Will it hold when the data shift? `gnomon adapt`: post-hoc feature alignment, and when not to use it.

Belongs here: the room's public names, imported when first used. Does not belong here: anything that computes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.shift._align import align, align_and_evaluate
    from gnomon.shift._layers import find_layers
    from gnomon.shift._pictures import Pictures, load_pictures
    from gnomon.shift._study import adapt
    from gnomon.shift._subject import Subject, load_network, load_weights
    from gnomon.shift._target import SourceSample, Target

_HOMES = {
    "Pictures": "gnomon.shift._pictures",
    "SourceSample": "gnomon.shift._target",
    "Subject": "gnomon.shift._subject",
    "Target": "gnomon.shift._target",
    "adapt": "gnomon.shift._study",
    "align": "gnomon.shift._align",
    "align_and_evaluate": "gnomon.shift._align",
    "find_layers": "gnomon.shift._layers",
    "load_network": "gnomon.shift._subject",
    "load_pictures": "gnomon.shift._pictures",
    "load_weights": "gnomon.shift._subject",
}

__all__ = [
    "Pictures",
    "SourceSample",
    "Subject",
    "Target",
    "adapt",
    "align",
    "align_and_evaluate",
    "find_layers",
    "load_network",
    "load_pictures",
    "load_weights",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gnomon.shift' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
