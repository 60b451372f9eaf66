"""Simulated supervisors: the truth with as many errors as a real supervisor makes, of a chosen kind.

Belongs here: which labels are wrong. Does not belong here: who learns from them.

Burns et al. 2023, section 5.1 and appendix: supervisors of equal accuracy whose errors differ in structure. Random
errors are seen through; errors that follow something which a student can tell are copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.registry import unknown
from gnomon.stats import stream

__all__ = ["KINDS", "simulated"]

KINDS = {
    "random": "errors at random",
    "long": "errors on the longest texts",
    "short": "errors on the shortest texts",
    "easy": "errors on rows that are easy for the student: where, taught the truth elsewhere, it is surest of it",
    "hard": "errors on rows that are hard for it: where it is wrong or least sure",
}


def simulated(
    kind: str,
    truth: NDArray[np.float64],
    told: NDArray[np.float64],
    texts: Sequence[str],
    judged: NDArray[np.float64] | None,
    seed: int,
) -> NDArray[np.float64]:
    """Hard labels (n,) with as many errors as `told`, P(class 1) by a real supervisor, has.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    truth, told : ndarray (n,)
    texts : sequence of str, length n
        For "long" and "short".
    judged : ndarray (n,) or None
        P(class 1) by the student's model, taught the truth on other rows; for "easy" and "hard".
    seed : int
        Of "random", and of ties.

    Examples
    --------
    >>> simulated("long", np.array([0., 1., 1.]), np.array([.1, .9, .2]), ["a", "bbb", "cc"], None, 0)
    array([0., 0., 1.])
    """
    if kind not in KINDS:
        raise unknown("kind of error", kind, KINDS)
    errors = int(((told > 0.5) != (truth > 0.5)).sum())
    random = stream(seed, "simulated errors").random(len(truth))
    if kind == "random":
        order = random
    elif kind in ("long", "short"):
        order = np.array([len(text) for text in texts], dtype=np.float64) * (-1 if kind == "long" else 1)
    else:
        if judged is None:
            raise UsageError(f"'{kind}' errors need what the student's model says of the rows.")
        order = np.where(truth > 0.5, judged, 1 - judged) * (1 if kind == "hard" else -1)
    wrong = np.lexsort((random, order))[:errors]
    labels = truth.copy()
    labels[wrong] = 1 - labels[wrong]
    return labels
