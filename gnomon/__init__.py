"""gnomon: say what a model can do, and whether to believe it.

>>> import gnomon
>>> run = gnomon.evaluate("facts", "mock/oracle", limit=2, runs_dir=tmp)   # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.errors import AbilityError, DataError, GnomonError, ModelError, NotIdentifiedError, RunError, UsageError
    from gnomon.evaluation import compare, evaluate
    from gnomon.importance import explain
    from gnomon.knowledge import probe
    from gnomon.models import load_model
    from gnomon.runs import Run, list_runs
    from gnomon.shift import adapt
    from gnomon.streaming import stream
    from gnomon.supervision import supervise
    from gnomon.tasks import load_task

__all__ = [
    "AbilityError",
    "DataError",
    "GnomonError",
    "ModelError",
    "NotIdentifiedError",
    "Run",
    "RunError",
    "UsageError",
    "adapt",
    "compare",
    "evaluate",
    "explain",
    "list_runs",
    "load_model",
    "load_task",
    "probe",
    "stream",
    "supervise",
]

__version__ = "0.1.0"

_HOMES = {
    "adapt": "gnomon.shift",
    "compare": "gnomon.evaluation",
    "evaluate": "gnomon.evaluation",
    "explain": "gnomon.importance",
    "load_model": "gnomon.models",
    "load_task": "gnomon.tasks",
    "probe": "gnomon.knowledge",
    "stream": "gnomon.streaming",
    "supervise": "gnomon.supervision",
    "list_runs": "gnomon.runs",
    "Run": "gnomon.runs",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import gnomon` brings in neither torch nor numpy."""
    if name not in __all__:
        raise AttributeError(f"module 'gnomon' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "gnomon.errors")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
