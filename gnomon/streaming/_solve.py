"""A weighted SVM with few directions, solved to a gap that its dual proves.

Belongs here: the solver. Does not belong here: where points and weights come from.

minimise  P(w) = (lam/2) |w|^2 + sum_i s_i max(0, 1 - y_i w . z_i),   z = (x, 1), the bias regularised like the rest.

The hinge is rounded off over [0, mu], which makes P piecewise quadratic; Newton steps in d + 1 variables end it in
finitely many. The slopes a_i = clip(u_i / mu, 0, 1) are a point of the dual,
D(a) = sum_i s_i a_i - |sum_i s_i a_i y_i z_i|^2 / (2 lam), and P - D <= mu / 4 where the slope of the rounded P is 0.
So mu shrinks until the gap is as small as was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.streaming._lattice import Floats

__all__ = ["Solution", "solve"]


@dataclass(frozen=True)
class Solution:
    """w (d + 1,), the bias last; P(w); a lower bound of min P, proved by the dual; Newton steps taken."""

    w: Floats
    value: float
    bound: float
    steps: int


def solve(
    X: Floats, y: Floats, share: Floats, lam: float, tolerance: float = 1e-10, start: Floats | None = None
) -> Solution:
    """Minimise P to a gap of `tolerance`, or as near as doubles go.

    Parameters
    ----------
    X : Floats (n, d)
    y : Floats (n,)
        -1 or +1.
    share : Floats (n,)
        s, which is at least 0; it usually sums to 1.
    lam : float
        Above 0.
    start : Floats (d + 1,), optional
        Where to begin, such as the solution for another lam.

    Examples
    --------
    >>> found = solve(np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), np.array([0.5, 0.5]), lam=4.0)
    >>> found.w.round(6).tolist(), round(found.value, 6), found.value - found.bound < 1e-9
    ([0.25, 0.0], 0.875, True)
    """
    Z = np.column_stack([X, np.ones(len(X))]) * y[:, None]
    w = np.zeros(Z.shape[1]) if start is None else start.astype(np.float64)
    best, value = w, _value(Z, share, lam, w)
    bound, steps, mu = 0.0, 0, 1.0
    for _ in range(48):
        w, used = _newton(Z, share, lam, w, mu)
        steps += used
        slope = np.clip((1 - Z @ w) / mu, 0, 1)
        pull = (share * slope) @ Z
        bound = max(bound, float(share @ slope - pull @ pull / (2 * lam)))
        for point in (w, pull / lam):
            found = _value(Z, share, lam, point)
            if found < value:
                best, value = point, found
        if value - bound <= tolerance * max(1.0, value):
            break
        mu /= 4
    return Solution(best, value, min(bound, value), steps)


def _value(Z: Floats, share: Floats, lam: float, w: Floats) -> float:
    return float(lam / 2 * (w @ w) + share @ np.maximum(0, 1 - Z @ w))


def _rounded(Z: Floats, share: Floats, lam: float, w: Floats, mu: float) -> tuple[float, Floats]:
    """The rounded objective, and u."""
    u = 1 - Z @ w
    bent = np.clip(u, 0, mu)
    return float(lam / 2 * (w @ w) + share @ (bent * bent / (2 * mu) + np.maximum(u - mu, 0))), u


def _newton(Z: Floats, share: Floats, lam: float, w: Floats, mu: float) -> tuple[Floats, int]:
    """Minimise the rounded objective, from w."""
    value, u = _rounded(Z, share, lam, w, mu)
    for step in range(100):
        slope = lam * w - (share * np.clip(u / mu, 0, 1)) @ Z
        if np.abs(slope).max() <= 1e-14 * (1 + lam * np.abs(w).max()):
            return w, step
        bent = (u > 0) & (u < mu)
        curved = Z[bent]
        hessian = lam * np.eye(len(w)) + curved.T @ (curved * (share[bent] / mu)[:, None])
        move = -np.linalg.solve(hessian, slope)
        decrease, length = float(slope @ move), 1.0
        while True:
            fresh, u_fresh = _rounded(Z, share, lam, w + length * move, mu)
            if fresh <= value + 1e-4 * length * decrease or length < 1e-9:
                break
            length /= 2
        if not fresh < value:
            return w, step
        w, value, u = w + length * move, fresh, u_fresh
    return w, 100
