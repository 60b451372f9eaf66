"""Agreement with labels, and the choice of a point by it. Belongs here: what both learners share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["agreement", "chosen_point"]


def agreement(says: Any, labels: Any) -> float:
    """Share of rows where `says` and `labels`, both P(class 1), fall on the same side of a half; of texts, those that
    are equal but for white space around them.

    >>> agreement(["a", " b"], ["b", "b "])
    0.5
    """
    one, other = np.asarray(says), np.asarray(labels)
    if one.dtype.kind == "U":
        return float(np.mean(np.char.strip(one) == np.char.strip(other)))
    return float(np.mean((one > 0.5) == (other > 0.5)))


def chosen_point(held: Any, select: str) -> int:
    """The last of the points with the most agreement on held-out rows, or ("last") the last of all.

    >>> chosen_point([0.6, 0.8, 0.8, 0.7], "held"), chosen_point([0.6, 0.8, 0.8, 0.7], "last")
    (2, 3)
    """
    return len(held) - 1 - (0 if select == "last" else int(np.argmax(held[::-1])))
