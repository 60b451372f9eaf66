"""Which hypotheses are discoveries: BH, BY, e-BH and the knockoff+ rule, each in O(m log m).

Belongs here: from p-values, e-values or signed statistics to a selection. Does not belong here: where those come from
(`methods/`), or what a selection guarantees (`_guarantee.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.stats import adjust

__all__ = ["RULES", "Chosen", "Floats", "Mask", "by", "bh", "checked_q", "ebh", "knockoff_plus", "smallest_selection"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RULES = ("bh", "by", "ebh")
"""Rules for p-values, in the order of their strictness."""

_ROUNDING = 1e-12
"""A value that misses its cut by rounding alone (1/10 against q = 0.1) has reached it."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A selection.

    `selected` (m,) says which; `threshold` is the largest p, smallest e or smallest t among them, and None where
    nothing was selected (never a number that could be used as an index or a cut by mistake); `q_values` (m,) is the
    smallest q at which each would be selected, at most 1.
    """

    selected: Mask
    threshold: float | None
    q_values: Floats


def bh(p_values: ArrayLike, q: float) -> Chosen:
    """Benjamini & Hochberg (1995): the largest k with p_(k) <= q k / m; p <= p_(k) are selected.

    FDR <= q for independent or positively dependent (PRDS) tests. Raises UsageError for p outside [0, 1] or q outside
    (0, 1).

    >>> bh([0.01, 0.5, 0.02], 0.1).selected
    array([ True, False,  True])
    >>> bh([1.0, 1.0], 0.1).threshold is None
    True
    """
    return _step_up(p_values, q, by_sum=False)


def by(p_values: ArrayLike, q: float) -> Chosen:
    """Benjamini & Yekutieli (2001): BH at q / (1 + 1/2 + ... + 1/m); FDR <= q under any dependence.

    >>> by([0.01, 0.5, 0.02], 0.1).selected
    array([ True, False,  True])
    >>> by([0.02, 0.5, 0.04], 0.1).selected.any()
    np.False_
    """
    return _step_up(p_values, q, by_sum=True)


def ebh(e_values: ArrayLike, q: float) -> Chosen:
    """Wang & Ramdas (2022): the largest k with e_(k) >= m / (q k), e sorted downwards; FDR <= q under any dependence.

    `e_values` (m,) are >= 0 and have expectation at most 1 under their hypotheses.

    >>> ebh([40.0, 0.1, 20.0], 0.1).selected
    array([ True, False,  True])
    """
    e = np.asarray(e_values, dtype=np.float64)
    if e.ndim != 1 or not len(e) or np.isnan(e).any() or (e < 0).any():
        raise UsageError("e-values must be a vector of numbers from 0 upwards, at least one.")
    q, m = checked_q(q), len(e)
    order = np.argsort(-e, kind="stable")
    with np.errstate(divide="ignore"):
        needed = m / (np.arange(1, m + 1) * e[order])
    q_values = np.empty(m)
    q_values[order] = np.minimum(np.minimum.accumulate(needed[::-1])[::-1], 1.0)
    selected = q_values <= q * (1 + _ROUNDING)
    return Chosen(selected, float(e[selected].min()) if selected.any() else None, q_values)


def knockoff_plus(statistics: ArrayLike, q: float) -> Chosen:
    """The knockoff+ rule (Barber & Candes 2015): t >= z* are selected, where
       z* = min{z in |t|, t != 0 : (1 + #{t <= -z}) / max(1, #{t >= z}) <= q}.
    Needs: given all |t| and the true effects, the signs of null t's are independent fair coins.
       The smallest selection that is not empty has 1/q members. Raises UsageError for t that are not finite.

       >>> knockoff_plus([1.0] * 5, 0.2).selected.sum(), knockoff_plus([1.0] * 4, 0.2).threshold
       (np.int64(5), None)
       >>> int(knockoff_plus([0.0] + [1.0] * 99, 0.05).selected.sum())
       99
    """
    t = np.asarray(statistics, dtype=np.float64)
    if t.ndim != 1 or not len(t):
        raise UsageError(f"statistics have shape {t.shape}; give a vector of at least one.")
    if bad := int((~np.isfinite(t)).sum()):
        raise UsageError(f"{bad:,} of {len(t):,} statistics are not finite.", hint="Look at the model's outputs.")
    q = checked_q(q)
    z = np.unique(np.abs(t[t != 0]))
    if not len(z):
        return Chosen(np.zeros(len(t), dtype=np.bool_), None, np.ones(len(t)))
    above, below = np.sort(t[t > 0]), np.sort(-t[t < 0])
    positive = len(above) - np.searchsorted(above, z, side="left")
    negative = len(below) - np.searchsorted(below, z, side="left")
    estimate = (1 + negative) / np.maximum(1, positive)
    reached = estimate <= q * (1 + _ROUNDING)
    least = np.minimum(np.minimum.accumulate(estimate), 1.0)
    q_values = np.ones(len(t))
    q_values[t > 0] = least[np.searchsorted(z, t[t > 0])]
    if not reached.any():
        return Chosen(np.zeros(len(t), dtype=np.bool_), None, q_values)
    cut = z[int(np.argmax(reached))]
    selected = t >= cut
    if not selected.any():  # every t that is as large is negative; cannot happen at q < 1, and is no discovery
        return Chosen(selected, None, q_values)
    return Chosen(selected, float(t[selected].min()), q_values)


def smallest_selection(q: float) -> int:
    """Members of the smallest selection that knockoff+ can make at q, where no t is negative: 1/q, rounded up.

    >>> [smallest_selection(q) for q in (0.05, 0.1, 0.15, 0.2)]
    [20, 10, 7, 5]
    """
    return int(np.ceil(1 / checked_q(q) - 1e-9))


def checked_q(q: float) -> float:
    """`q` as a float in (0, 1); raises UsageError else."""
    if isinstance(q, bool) or not isinstance(q, int | float | np.floating) or not 0 < q < 1:
        raise UsageError(f"q is {q!r}: the false-discovery rate to hold must lie between 0 and 1, such as 0.1.")
    return float(q)


def _step_up(p_values: ArrayLike, q: float, *, by_sum: bool) -> Chosen:
    q = checked_q(q)
    q_values = adjust(p_values, "by" if by_sum else "bh")
    p = np.asarray(p_values, dtype=np.float64)
    selected = q_values <= q * (1 + _ROUNDING)
    return Chosen(selected, float(p[selected].max()) if selected.any() else None, q_values)
