"""Many hypotheses tested together: which may be claimed while the false-discovery or family-wise error rate is held.

Belongs here: adjusting and selecting p-values. Does not belong here: where the p-values come from.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gnomon.errors import UsageError
from gnomon.stats._checks import BoolArray, FloatArray, fractions, share

__all__ = ["adjust", "holm", "select"]


def adjust(p_values: ArrayLike, method: Literal["bh", "by"]) -> FloatArray:
    """q-values: for each hypothesis the smallest false-discovery rate at which it is selected.

    Parameters
    ----------
    p_values : array-like of shape (m,)
        One valid p-value a hypothesis, in [0, 1].
    method : {"bh", "by"}
        "bh" (Benjamini & Hochberg 1995, JRSS B 57:289-300) holds for independent or positively dependent tests; "by"
        (Benjamini & Yekutieli 2001, Annals of Statistics 29:1165-1188) for any dependence, at the price of a factor
        sum_{i<=m} 1/i.

    Returns
    -------
    ndarray of shape (m,)
        In the order of `p_values`, in [0, 1], never below the p-value.

    Raises
    ------
    UsageError
        If there is no p-value, one is outside [0, 1], or the method is unknown.

    Examples
    --------
    >>> adjust([0.01, 0.5, 0.02], "bh").round(3)
    array([0.03, 0.5 , 0.03])
    """
    p = fractions(p_values, "p_values")
    if method not in ("bh", "by"):
        raise UsageError(f"method is {method!r}.", hint="Choose 'bh' or 'by'.")
    # Imported late: scipy.stats takes longer to load than all else that gnomon.stats needs together.
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p, method=method), dtype=np.float64)


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm's adjusted p-values: rejecting those at most alpha makes any false claim at all with probability alpha.

    Parameters
    ----------
    p_values : array-like of shape (m,)
        One valid p-value a hypothesis, in [0, 1].

    Returns
    -------
    ndarray of shape (m,)
        In the order of `p_values`, in [0, 1], never below the p-value. Holds under any dependence (Holm 1979,
        Scandinavian Journal of Statistics 6:65-70).

    Raises
    ------
    UsageError
        If there is no p-value, or one is outside [0, 1].

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.06, 0.06])
    """
    p = fractions(p_values, "p_values")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0))
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted


def select(p_values: ArrayLike, q: float, method: Literal["bh", "by"]) -> BoolArray:
    """Which hypotheses are selected while the expected share of false ones among them is at most `q`.

    Parameters
    ----------
    p_values : array-like of shape (m,)
        One valid p-value a hypothesis, in [0, 1].
    q : float
        The false-discovery rate to hold, in (0, 1).
    method : {"bh", "by"}
        See `adjust`.

    Returns
    -------
    ndarray of bool, shape (m,)
        True where `adjust` gives at most `q`.

    Raises
    ------
    UsageError
        As `adjust`, or if `q` is outside (0, 1).

    Examples
    --------
    >>> select([0.01, 0.5, 0.02], q=0.1, method="bh")
    array([ True, False,  True])
    """
    return np.asarray(adjust(p_values, method) <= share(q, "q"), dtype=np.bool_)
