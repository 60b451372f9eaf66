"""Objectives and fits with what they owe their reader: an interval, and a certificate.

Belongs here: from nodes to results. Does not belong here: which nodes are positive (the estimators).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from gnomon.streaming._errors import InputError
from gnomon.streaming._lattice import Floats
from gnomon.streaming._query import Nodes, hinge_sums
from gnomon.streaming._solve import solve

__all__ = ["FitResult", "ObjectiveValue", "certified_fit", "objective_value"]


@dataclass(frozen=True)
class ObjectiveValue:
    """F at one query (floats) or at several (arrays (q,)).

    Parameters
    ----------
    low, high : float or Floats
        F is between them, always.
    estimate : float or Floats
        `mid` for d = 1, else `rep` kept within [low, high].
    mid : float or Floats
        The middle of what nodes allow, which is near for d = 1.
    rep : float or Floats
        From the nodes' samples: unbiased.
    """

    low: float | Floats
    high: float | Floats
    estimate: float | Floats
    mid: float | Floats
    rep: float | Floats


@dataclass(frozen=True)
class FitResult:
    """A solution and its certificate: F(coef, intercept) - min F <= gap, whatever the data were.

    Parameters
    ----------
    lam : float
    coef : Floats (d,)
    intercept : float
    value : float
        Estimate of F at the solution.
    low : float
        min F is not below it: the value of the dual on the nodes' means.
    high : float
        F at the solution is not above it.
    distance : float
        The optimum's (theta, b) is no farther from the solution's: sqrt(2 gap / lam), by strong convexity.
    nodes : int
    """

    lam: float
    coef: Floats
    intercept: float
    value: float
    low: float
    high: float
    nodes: int

    @property
    def gap(self) -> float:
        return self.high - self.low

    @property
    def distance(self) -> float:
        return math.sqrt(2 * max(self.gap, 0.0) / self.lam)

    @property
    def w(self) -> Floats:
        """(theta, b) as one vector (d + 1,)."""
        return np.append(self.coef, self.intercept)


def objective_value(
    nodes: Nodes, sign: Floats, weight: float, theta: ArrayLike, b: ArrayLike, lam: float
) -> ObjectiveValue:
    """See `HingeSketch.objective`; `sign` says which nodes are positive."""
    d = nodes.mean.shape[1]
    T, B = np.asarray(theta, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if T.ndim not in (1, 2) or T.shape[-1] != d or B.shape not in (T.shape[:-1], ()):
        raise InputError(
            f"theta of the shape {T.shape} and b of the shape {B.shape} are no queries for {d} columns.",
            hint=f"Give ({d},) and a number, or (q, {d}) and (q,).",
        )
    if not (np.isfinite(T).all() and np.isfinite(B).all()):
        raise InputError("a query holds a value that is not finite.")
    if not (math.isfinite(lam) and lam >= 0):
        raise InputError(f"lam = {lam!r} is no strength of regularisation.", hint="Give a number of 0 or above.")
    rows = np.atleast_2d(T)
    biases = np.broadcast_to(B, (len(rows),)).astype(np.float64)
    sums = hinge_sums(nodes, sign, rows, biases)
    penalty = lam / 2 * ((rows * rows).sum(axis=1) + biases * biases)
    low, high, mid, rep = (part / weight + penalty for part in (sums.low, sums.high, sums.mid, sums.rep))
    found = [low, high, mid if d == 1 else np.clip(rep, low, high), mid, rep]
    return ObjectiveValue(*(found if T.ndim == 2 else [float(part[0]) for part in found]))


def certified_fit(
    nodes: Nodes, sign: Floats, weight: float, lam: float, polish: bool = False, start: Floats | None = None
) -> FitResult:
    """See `HingeSketch.solve`. The lower bound is itself an SVM, on the nodes' means, and is solved exactly."""
    if not (math.isfinite(lam) and lam > 0):
        raise InputError(f"lam = {lam!r} is no strength of regularisation.", hint="Give a number above 0.")
    found = solve(nodes.mean, sign, nodes.mass / weight, lam, start=start)
    w = found.w
    value = objective_value(nodes, sign, weight, w[:-1], w[-1], lam)
    if polish and nodes.mean.shape[1] > 1 and value.high - found.bound > 1e-9:
        w, value = _polished(nodes, sign, weight, lam, w, value)
    assert isinstance(value.high, float)
    assert isinstance(value.estimate, float)
    return FitResult(float(lam), w[:-1].copy(), float(w[-1]), value.estimate, found.bound, value.high, len(nodes.mass))


def _polished(
    nodes: Nodes, sign: Floats, weight: float, lam: float, w: Floats, value: ObjectiveValue
) -> tuple[Floats, ObjectiveValue]:
    """A point near w with a lower estimate, by Nelder and Mead's search."""

    def estimate(point: Floats) -> float:
        if lam * float(point @ point) > 1:
            return math.inf  # the optimum is not there
        found = objective_value(nodes, sign, weight, point[:-1], point[-1], lam).estimate
        assert isinstance(found, float)
        return found

    assert isinstance(value.estimate, float)
    reach = 0.02 * max(float(np.linalg.norm(w)), 1e-3)
    simplex = np.vstack([w, w + reach * np.eye(len(w))])
    options = {"initial_simplex": simplex, "maxfev": 60 * len(w), "xatol": 1e-5 * reach, "fatol": 1e-10}
    found = minimize(estimate, w, method="Nelder-Mead", options=options)
    if float(found.fun) < value.estimate:
        best = np.asarray(found.x, dtype=np.float64)
        return best, objective_value(nodes, sign, weight, best[:-1], best[-1], lam)
    return w, value
