"""Names to things: the folder is the registry, and other people's packages join through entry points.

Belongs here: finding modules by name and saying what was probably meant. Does not belong here: what a task or a model
is.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from gnomon.errors import UsageError

__all__ = ["Registry", "did_you_mean", "unknown"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names the closest known name, or an empty string.

    >>> did_you_mean("anatmy", ["anatomy", "virology"])
    "Did you mean 'anatomy'?"
    >>> did_you_mean("zzz", ["anatomy"])
    ''
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: str, known: Iterable[str], see: str = "") -> UsageError:
    """The error for a name that is not known: the name, the closest one, and where all of them are listed.

    >>> print(unknown("task", "mmul", ["mmlu", "ethics"]))
    no task is named 'mmul'. Did you mean 'mmlu'? Known: mmlu, ethics.
    """
    known = list(known)
    everything = f"All {len(known)}:  {see}" if see else f"Known: {', '.join(known)}."
    return UsageError(
        f"no {what} is named '{name}'.", hint=" ".join(filter(None, [did_you_mean(name, known), everything]))
    )


@dataclass(frozen=True)
class Registry:
    """All things of one kind: one module a thing in `package`, plus entry points of other packages.

    Parameters
    ----------
    kind : str
        The word that errors use, such as "task".
    package : str
        Import path of the folder; modules whose name starts with an underscore are not things.
    attribute : str
        What each module must define.
    group : str
        Entry-point group; a foreign thing is named `distribution/name`.
    """

    kind: str
    package: str
    attribute: str
    group: str

    def names(self) -> list[str]:
        """All names, our own first, each part in alphabetical order."""
        return [*self._own(), *sorted(self._foreign())]

    def load(self, name: str) -> Any:
        """The thing called `name`; raises UsageError with the closest name where there is none."""
        if name in self._own():
            return getattr(importlib.import_module(f"{self.package}.{name}"), self.attribute)
        foreign = self._foreign()
        if name in foreign:
            return foreign[name].load()
        raise unknown(self.kind, name, self.names())

    def _own(self) -> list[str]:
        path = importlib.import_module(self.package).__path__
        return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))

    def _foreign(self) -> dict[str, metadata.EntryPoint]:
        return {
            f"{point.dist.name}/{point.name}" if point.dist else point.name: point
            for point in metadata.entry_points(group=self.group)
        }
