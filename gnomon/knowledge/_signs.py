"""Which side of a label-free probe is "true": three ways, each named in what it gives.

Belongs here: signs from decisions or probabilities. Does not belong here: making compounds (`_plants.py`) or reading
them (`_resolve.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.stats import stream

__all__ = ["Sign", "conjunction", "few_labels", "oracle"]

Floats = NDArray[np.float64]

_DRAWS = 2000


@dataclass(frozen=True)
class Sign:
    """1 (keep) or -1 (turn around), where that comes from, by what margin, and what a reader must know of it.

    `margin` is accuracy minus a half, or the difference in differences of a conjunction; `interval` is its.
    """

    sign: int
    source: str
    margin: float
    interval: Interval | None = None
    note: str = ""


def oracle(decisions: ArrayLike, y: ArrayLike) -> Sign:
    """The better of both labelings on the very rows that are tested, as in the paper's tables.

    Examples
    --------
    >>> oracle([0.2, -0.1, 0.4], [0, 1, 0]).sign
    -1
    """
    agree = _agree(decisions, y)
    bias = np.sqrt(1 / (2 * np.pi * len(agree)))
    note = f"taken from the test labels; on independent rows luck alone lifts chance by {bias:.3f}"
    return Sign(1 if agree.mean() >= 0.5 else -1, "oracle", float(agree.mean() - 0.5), None, note)


def few_labels(decisions: ArrayLike, y: ArrayLike, k: int, seed: int = 0) -> Sign:
    """The sign under which the probe is more often right on `k` rows, drawn by `seed` without replacement.

    Give training rows. A tie keeps the sign as it is.

    Examples
    --------
    >>> few_labels([0.2, -0.1, 0.4, 0.1], [1, 0, 1, 1], k=3)
    Sign(sign=1, source='few-labels (3)', margin=0.5, interval=None, note='3 of 3 agree')
    """
    agree = _agree(decisions, y)
    if not 1 <= k <= len(agree):
        raise UsageError(f"{k} labels were asked for, and there are {len(agree)} rows.", hint="Ask for fewer.")
    some = agree[stream(seed, "few labels").permutation(len(agree))[:k]]
    note = f"{int(some.sum())} of {k} agree"
    return Sign(1 if some.mean() >= 0.5 else -1, f"few-labels ({k})", float(some.mean() - 0.5), None, note)


def conjunction(
    and_opposite: ArrayLike, or_opposite: ArrayLike, and_same: ArrayLike, or_same: ArrayLike, seed: int = 0
) -> Sign:
    """A sign without a label (Burns et al. 2022, appendix), from compounds of two statements.

    Parameters
    ----------
    and_opposite, or_opposite : (m,)
        p~ of "both are right" and "at least one is right" for couples that the probe put on opposite sides: one of the
        two is true, so "both" is false and "at least one" true.
    and_same, or_same : (k,)
        The same for couples on one side, where both questions have the same answer.

    Returns
    -------
    Sign
        Positive where mean(or - and) over opposite couples, less the same over couples on one side, is above 0: the
        words themselves cancel. Where its bootstrap interval (by couple) holds 0, or couples of a kind are fewer than
        2, the sign is kept and the source says "unresolved".

    Examples
    --------
    >>> conjunction([0.2, 0.1, 0.3], [0.9, 0.8, 0.9], [0.5, 0.6], [0.6, 0.5]).sign
    1
    """
    opposite = np.asarray(or_opposite, dtype=np.float64) - np.asarray(and_opposite, dtype=np.float64)
    same = np.asarray(or_same, dtype=np.float64) - np.asarray(and_same, dtype=np.float64)
    source = "conjunction"
    if len(opposite) < 2 or len(same) < 2:
        note = f"{len(opposite)} couples on opposite sides and {len(same)} on one are too few"
        return Sign(1, f"{source} (unresolved)", 0.0, None, note)
    margin = float(opposite.mean() - same.mean())
    random = stream(seed, "conjunction bootstrap")
    draws = [one[random.integers(0, len(one), size=(_DRAWS, len(one)))].mean(axis=1) for one in (opposite, same)]
    low, high = np.quantile(draws[0] - draws[1], [0.025, 0.975])
    interval = Interval(low=float(low), high=float(high), method=f"bootstrap over couples, {_DRAWS} draws")
    note = f"{len(opposite)} couples on opposite sides, {len(same)} on one"
    if low <= 0 <= high:
        return Sign(1, f"{source} (unresolved)", margin, interval, note)
    return Sign(1 if margin > 0 else -1, source, margin, interval, note)


def _agree(decisions: ArrayLike, y: ArrayLike) -> Floats:
    values, truth = np.asarray(decisions, dtype=np.float64), np.asarray(y)
    if values.shape != truth.shape or values.ndim != 1 or not len(values):
        raise UsageError(f"decisions and labels must be two equally long columns; got {values.shape}, {truth.shape}.")
    return np.asarray((values > 0) == (truth == 1), dtype=np.float64)
