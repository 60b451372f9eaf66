"""One shift after another."""

from __future__ import annotations

import numpy as np

from gnomon.errors import UsageError
from gnomon.shift._pictures import Pictures
from gnomon.shift._shift import shift_named


def shift(given: Pictures, generator: np.random.Generator, *, of: str = "") -> Pictures:
    """Shifts joined by +, in this order, with : for @ and ~ for = inside: chain@of=fog:severity~3+labels:first~1."""
    if not of:
        raise UsageError("which shifts?", hint="Give  chain@of=fog:severity~3+labels:first~3 .")
    found = given
    for name in of.split("+"):
        found = shift_named(name.replace(":", "@").replace("~", "=")).of(found, int(generator.integers(2**31)))
    return found
