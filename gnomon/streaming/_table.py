"""The nodes of a sketch: what is kept of a cell, how points become nodes, how nodes move up.

Belongs here: nodes of one label. Does not belong here: labels, buffers, queries.

The rules are those of a q-digest with sums and a sample: a family is a cell with its 2^d halves, and while it holds at
most tau points in all, the halves' content moves into the cell. So a node above the bottom holds at most tau points,
and a family that stays holds more than tau, of which there can be few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from gnomon.streaming._lattice import Floats, Keys, Lattice

__all__ = ["Table", "combined", "compressed", "empty_table", "table_of_points"]


@dataclass(frozen=True)
class Table:
    """Nodes sorted by key; no two share one.

    Parameters
    ----------
    key : Keys (n,)
        Cells.
    mass : Floats (n,)
        Number of points, or the sum of their weights.
    total : Floats (n, d)
        Sum of the points, times their weights.
    sample : Floats (n, d)
        One of the points, drawn with probability proportional to its weight; it has decided nothing.
    single : NDArray of bool (n,)
        Whether all points of the node are the same point. Then `sample` is it, and nothing is lost.
    """

    key: Keys
    mass: Floats
    total: Floats
    sample: Floats
    single: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, at: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Table:
        return Table(self.key[at], self.mass[at], self.total[at], self.sample[at], self.single[at])

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in (self.key, self.mass, self.total, self.sample, self.single))

    def renamed(self, key: Keys) -> Table:
        return Table(key, self.mass, self.total, self.sample, self.single)


def empty_table(d: int) -> Table:
    return Table(np.empty(0, np.int64), np.empty(0), np.empty((0, d)), np.empty((0, d)), np.empty(0, np.bool_))


def combined(parts: list[Table], random: np.random.Generator) -> Table:
    """All nodes of `parts`, those with one key made one node, sorted by key."""
    parts = [part for part in parts if len(part)]
    if not parts:
        raise ValueError("no nodes")
    joined = _stacked(parts)
    if (joined.key[1:] < joined.key[:-1]).any():
        joined = joined[np.argsort(joined.key, kind="stable")]
    starts = _starts(joined.key)
    return joined if len(starts) == len(joined) else _grouped(joined, starts, random)


def _starts(key: Keys) -> NDArray[np.int64]:
    """Where runs of equal keys begin."""
    change = np.empty(len(key), dtype=np.bool_)
    change[:1] = True
    np.not_equal(key[1:], key[:-1], out=change[1:])
    return np.flatnonzero(change)


def _grouped(table: Table, starts: NDArray[np.int64], random: np.random.Generator) -> Table:
    """One node a run. The sample is the part that wins an exponential race, which it does in proportion to its mass."""
    sizes = np.diff(starts, append=len(table))
    group = np.repeat(np.arange(len(starts)), sizes)
    arrival = random.standard_exponential(len(table)) / table.mass
    first = np.minimum.reduceat(arrival, starts)
    winners = np.flatnonzero(arrival == first[group])
    chosen = winners[_starts(group[winners])]
    same = table.single & (table.sample == table.sample[chosen][group]).all(axis=1)
    return Table(
        table.key[starts],
        np.add.reduceat(table.mass, starts),
        np.add.reduceat(table.total, starts, axis=0),
        table.sample[chosen],
        np.logical_and.reduceat(same, starts),
    )


def table_of_points(
    X: Floats, weight: Floats | None, lattice: Lattice, base: int, k: int, tau: float, random: np.random.Generator
) -> Table:
    """Nodes of points of one label: each point in the largest cell, from level `base` down, that holds at most tau of
    them, or in its smallest cell. All are put in their smallest cells where those are at most k, and where points have
    weights, which compressing makes up for.

    Parameters
    ----------
    X : Floats (n, d)
        Finite points within the lattice, n >= 1.
    weight : Floats (n,) or None
        Positive weights; None is 1 each.
    """
    if X.shape[1] == 1 and weight is None:
        X = np.sort(X, axis=0)  # the order of values is the order of cells, and values sort faster than they are found
        key = lattice.keys(X)
    else:
        key = lattice.keys(X)
        order = np.argsort(key)
        key, X = key[order], X[order]
        weight = None if weight is None else weight[order]
    if weight is None and np.count_nonzero(key[1:] != key[:-1]) >= k:
        key = _raised(key, lattice, base, tau)
    starts = _starts(key)
    sizes = np.diff(starts, append=len(key))
    if weight is not None:
        return _weighted(key, X, weight, starts, random)
    pick = starts + np.minimum((random.random(len(starts)) * sizes).astype(np.int64), sizes - 1)
    table = Table(
        key[starts],
        sizes.astype(np.float64),
        np.stack([np.add.reduceat(np.ascontiguousarray(column), starts) for column in X.T], axis=1),
        X[pick],
        _unchanged(X, starts),
    )
    return table[np.argsort(table.key)]


def _raised(key: Keys, lattice: Lattice, base: int, tau: float) -> Keys:
    """Keys of the largest cells that hold at most tau of the sorted points.

    A cell at level l around point i holds more than g = floor(tau) points where g + 1 points in a row, i among them,
    lie in one cell of that level: where the first and the last of such a row do.
    """
    n, g = len(key), int(min(tau, len(key)))
    if g < 1:
        return key
    heavy = np.full(n, -1, dtype=np.int64)
    if n > g:
        heavy[: n - g] = lattice.common(key[:-g], key[g:])
        # the largest of heavy[i - g .. i]
        heavy = maximum_filter1d(heavy, size=g + 1, mode="constant", cval=-1, origin=g // 2)
    level = np.clip(heavy + 1, base, lattice.depth)
    return np.asarray(key >> (lattice.d * (lattice.depth - level)), dtype=np.int64)


def _unchanged(X: Floats, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether all rows of each run are the same."""
    change = np.zeros(len(X), dtype=np.bool_)
    for column in X.T:
        change[1:] |= column[1:] != column[:-1]
    change[starts] = False
    return ~np.logical_or.reduceat(change, starts)


def _weighted(key: Keys, X: Floats, weight: Floats, starts: NDArray[np.int64], random: np.random.Generator) -> Table:
    points = Table(key, weight, X * weight[:, None], X, np.ones(len(key), dtype=np.bool_))
    return points if len(starts) == len(key) else _grouped(points, starts, random)


def compressed(table: Table, lattice: Lattice, base: int, tau: float, random: np.random.Generator) -> Table:
    """Move content up while a family holds at most tau, from the bottom to level `base`, until nothing moves."""
    for _ in range(lattice.depth + 1):
        table, moved = _sweep(table, lattice, base, tau, random)
        if not moved:
            break
    return table


def _sweep(table: Table, lattice: Lattice, base: int, tau: float, random: np.random.Generator) -> tuple[Table, bool]:
    """One pass over all levels, the deepest first."""
    d = lattice.d
    ends = np.searchsorted(table.key, [1 << (d * level) for level in range(lattice.depth + 2)][: lattice.depth + 1])
    ends = np.append(ends, len(table))
    kept: list[Table] = []
    carry: Table | None = None
    moved = False
    for level in range(lattice.depth, base, -1):
        here = table[ends[level] : ends[level + 1]]
        if carry is not None:
            here = combined([here, carry], random)
            carry = None
        if not len(here):
            continue
        parent = here.key >> d
        starts = _starts(parent)
        family = np.add.reduceat(here.mass, starts)
        above = table[ends[level - 1] : ends[level]]
        if len(above):
            at = np.minimum(np.searchsorted(above.key, parent[starts]), len(above) - 1)
            family = family + np.where(above.key[at] == parent[starts], above.mass[at], 0.0)
        light = family <= tau
        if not light.any():
            kept.append(here)
            continue
        leaves = np.repeat(light, np.diff(starts, append=len(here)))
        kept.append(here[~leaves])
        carry = combined([here[leaves].renamed(parent[leaves])], random)
        moved = True
    rest = table[: ends[base + 1]]
    kept.append(rest if carry is None else combined([rest, carry], random))
    return _stacked(kept[::-1]), moved


def _stacked(parts: list[Table]) -> Table:
    """One part after another."""
    if len(parts) == 1:
        return parts[0]
    return Table(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.mass for part in parts]),
        np.concatenate([part.total for part in parts]),
        np.concatenate([part.sample for part in parts]),
        np.concatenate([part.single for part in parts]),
    )
