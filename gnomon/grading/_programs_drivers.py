"""The text of the drivers that run inside a jail. Belongs here: putting files of `_drivers/` together. Does not belong
here: what a driver does."""

from __future__ import annotations

import functools
import importlib.resources
import re

__all__ = ["driver"]

_IMPORT = re.compile(r"^from gnomon\.grading\._drivers\.(\w+) import .*\n", re.MULTILINE)
_FUTURE = "from __future__ import annotations\n"


@functools.cache
def driver(name: str) -> str:
    """The source of the driver of that name, with the files of `_drivers/` that it imports put before it.

    >>> "def main(payload" in driver("apps_call") and "def decode(" in driver("apps_call")
    True
    """
    return _FUTURE + "\n".join(_parts(name, []))


def _parts(name: str, seen: list[str]) -> list[str]:
    """The files in an order in which each comes after those that it imports, without their imports of one another."""
    seen.append(name)
    text = (importlib.resources.files("gnomon.grading") / "_drivers" / f"{name}.py").read_text(encoding="utf-8")
    before = [part for other in _IMPORT.findall(text) if other not in seen for part in _parts(other, seen)]
    return [*before, _IMPORT.sub("", text).replace(_FUTURE, "")]
