"""What nodes say of a hinge sum: bounds that always hold, and two estimates.

Belongs here: arithmetic on nodes. Does not belong here: how nodes came about (`_table.py`) or learning (`_solve.py`).

With u = 1 - y (theta . x + b), a node whose box lies on one side of u = 0 gives its part exactly. Of the others:

- low: m max(0, u_mean), by Jensen's inequality;
- high: m u_hi (u_mean - u_lo) / (u_hi - u_lo), the chord of max(0, u) over the range [u_lo, u_hi] of the box;
- mid: the average of both;
- rep: m (|u(sample)| + u_mean) / 2, unbiased, because max(0, u) = (|u| + u) / 2 and the sum of u is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.streaming._lattice import Floats, Lattice
from gnomon.streaming._table import Table

__all__ = ["HingeSums", "Nodes", "hinge_sums", "nodes_of"]

_BLOCK = 1 << 18
"""Numbers of one intermediate matrix: larger ones leave the processor's cache."""


@dataclass(frozen=True)
class Nodes:
    """Nodes of all labels, ready for queries.

    Parameters
    ----------
    mass : Floats (N,)
    mean, sample : Floats (N, d)
    centre : Floats (N, d)
        Of the box; the point itself where a node is one point.
    half : Floats (N,)
        Half the box's width; 0 where a node is one point.
    label : Floats (N,)
        Number of the label.
    """

    mass: Floats
    mean: Floats
    sample: Floats
    centre: Floats
    half: Floats
    label: Floats


def nodes_of(tables: list[Table], lattice: Lattice) -> Nodes:
    """The tables of labels 0, 1, ... as one set of nodes."""
    key = np.concatenate([table.key for table in tables])
    single = np.concatenate([table.single for table in tables])[:, None]
    mass = np.concatenate([table.mass for table in tables])
    sample = np.concatenate([table.sample for table in tables])
    total = np.concatenate([table.total for table in tables])
    low, width = lattice.boxes(key)
    mean = np.clip(total / mass[:, None], low, low + width[:, None])
    label = np.repeat(np.arange(len(tables), dtype=np.float64), [len(table) for table in tables])
    half = width / 2
    return Nodes(
        mass,
        np.where(single, sample, mean),
        sample,
        np.where(single, sample, low + half[:, None]),
        np.where(single[:, 0], 0.0, half),
        label,
    )


@dataclass(frozen=True)
class HingeSums:
    """Bounds and estimates of sum_i w_i max(0, 1 - y_i (theta . x_i + b)), one a query: Floats (q,)."""

    low: Floats
    high: Floats
    mid: Floats
    rep: Floats


def hinge_sums(nodes: Nodes, sign: Floats, theta: Floats, b: Floats) -> HingeSums:
    """Bounds and estimates for queries.

    Parameters
    ----------
    sign : Floats (N,)
        The label, -1 or +1, of each node.
    theta, b : Floats (q, d), (q,)
    """
    count = max(1, _BLOCK // max(1, len(nodes.mass)))
    parts = [_block(nodes, sign, theta[at : at + count], b[at : at + count]) for at in range(0, len(b), count)]
    if not parts:
        return HingeSums(*(np.empty(0) for _ in range(4)))
    low, above, rep = (np.concatenate(some) for some in zip(*parts, strict=True))
    return HingeSums(low, low + above, low + above / 2, low + rep)


def _block(nodes: Nodes, sign: Floats, theta: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Low, high less low, rep less low."""
    turned = -sign[:, None]
    mean = 1 + turned * (nodes.mean @ theta.T + b)
    centre = 1 + turned * (nodes.centre @ theta.T + b)
    reach = nodes.half[:, None] * np.abs(theta).sum(axis=1)
    low: Floats = nodes.mass @ np.maximum(mean, 0)
    at, query = np.nonzero(np.abs(centre) < reach)
    u_low, u_high = (centre - reach)[at, query], (centre + reach)[at, query]
    u = np.clip(mean[at, query], u_low, u_high)
    mass, least = nodes.mass[at], np.maximum(u, 0)
    chord = u_high * ((u - u_low) / (u_high - u_low))
    drawn = 1 - sign[at] * ((nodes.sample[at] * theta[query]).sum(axis=1) + b[query])
    above = np.bincount(query, mass * np.maximum(chord - least, 0), minlength=len(b)).astype(np.float64)
    rep = np.bincount(query, mass * ((np.abs(drawn) + u) / 2 - least), minlength=len(b)).astype(np.float64)
    return low, above, rep
