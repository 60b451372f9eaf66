"""What does it know inside? `gnomon probe`: latent knowledge from unlabelled activations, and whether to believe it.

::

    probe(tasks, model)       the study: tasks x templates x layers x methods, diagnostics, a verdict
    CCS, CRC_TPC, ...         estimators on arrays (n, 2, d), scikit-learn style, one file each in `probes/`
    examine(X, y, planted)    a verdict on states of your own
    load_probes(path)         the directions that a run saved

Belongs here: the room's public names, imported when first used. Does not belong here: anything that computes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.knowledge._examine import examine
    from gnomon.knowledge._leace import fit_leace
    from gnomon.knowledge._normalize import ClusterNorm, normalizer
    from gnomon.knowledge._planted import planted_pairs
    from gnomon.knowledge._probe import Probe
    from gnomon.knowledge._saved import SavedProbe, load_probes
    from gnomon.knowledge._study import probe

_HOMES = {
    "ClusterNorm": "gnomon.knowledge._normalize",
    "Probe": "gnomon.knowledge._probe",
    "SavedProbe": "gnomon.knowledge._saved",
    "examine": "gnomon.knowledge._examine",
    "fit_leace": "gnomon.knowledge._leace",
    "load_probes": "gnomon.knowledge._saved",
    "normalizer": "gnomon.knowledge._normalize",
    "planted_pairs": "gnomon.knowledge._planted",
    "probe": "gnomon.knowledge._study",
}

__all__ = [
    "ClusterNorm",
    "Probe",
    "SavedProbe",
    "examine",
    "fit_leace",
    "load_probes",
    "normalizer",
    "planted_pairs",
    "probe",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gnomon.knowledge' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
