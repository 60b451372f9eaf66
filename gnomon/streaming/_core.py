"""The sketch itself: one table a label, a buffer for points that come one by one, and merging.

Belongs here: what HingeSketch and StreamingSVM share. Does not belong here: names of labels, arguments of users.

Labels are the numbers 0, 1, ..., L - 1 here. The threshold tau = W / k counts the weight W of all labels together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.streaming._errors import InputError
from gnomon.streaming._lattice import Floats, Lattice
from gnomon.streaming._query import Nodes, nodes_of
from gnomon.streaming._table import Table, combined, compressed, empty_table, table_of_points

__all__ = ["SLICE", "Core", "Memory", "base_level", "node_bound", "node_bytes"]

SLICE = 1 << 16
"""Points that are taken in at once, at most."""
_LEAST, _MOST = -1000, 1000


def base_level(d: int, k: int) -> int:
    """The largest cells' level: about k of them, and at most k where d is above 3."""
    level = math.log2(k) / d
    return max(1 if d <= 3 else 0, round(level) if d <= 3 else math.floor(level))


def node_bound(d: int, k: int, labels: int = 2) -> int:
    """Nodes that a sketch cannot exceed: the base cells of each label, and 2k families of 2^d halves in all."""
    return max(labels * k, int(labels * 2 ** (d * base_level(d, k)) + 2**d * 2 * k))


def node_bytes(d: int) -> int:
    """Bytes of one node: key, mass, total, sample, single."""
    return 8 * (2 + 2 * d) + 1


@dataclass(frozen=True)
class Memory:
    """Bytes: of nodes, of the buffer at its full size, and of what taking in one slice used besides, at most.

    >>> Memory(nodes=800, buffer=200, working=10_000).kept
    1000
    """

    nodes: int
    buffer: int
    working: int

    @property
    def kept(self) -> int:
        """What the sketch holds between calls: nodes and buffer."""
        return self.nodes + self.buffer


class Core:
    """A sketch of points with numbered labels.

    Parameters
    ----------
    d, k : int
        Directions, and size.
    seed : int
        Of the samples in nodes.
    exponent : int, optional
        log2 of the least R; by default it follows the first points.
    """

    def __init__(self, d: int, k: int, seed: int, exponent: int | None = None) -> None:
        self.d, self.k = d, k
        self.given = exponent
        self.lattice = Lattice(d, _LEAST if exponent is None else exponent)
        self.base = base_level(d, k)
        self.tables: list[Table] = []
        self.weight = 0.0
        self.rows = 0
        self.random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self.buffer: Floats | None = None
        self.filled = 0
        self.working = 0
        self._nodes: Nodes | None = None

    # taking in ------------------------------------------------------------------------------------------------------

    def add(self, X: Floats, label: NDArray[np.int64], labels: int, weight: Floats | None) -> None:
        """Take in finite points (n, d) with positive weights; `labels` is their number so far."""
        while len(self.tables) < labels:
            self.tables.append(empty_table(self.d))
        self._nodes = None
        self.rows += len(X)
        if self.filled and self.filled + len(X) > self.k:
            self.flush()
        at = 0
        while len(X) - at > self.k:
            end = min(len(X), at + max(SLICE, self.k))
            self._take(X[at:end], label[at:end], None if weight is None else weight[at:end])
            at = end
        self._wait(X[at:], label[at:], None if weight is None else weight[at:])

    def _wait(self, X: Floats, label: NDArray[np.int64], weight: Floats | None) -> None:
        """Put at most k points in the buffer: x, the label, the weight."""
        if not len(X):
            return
        if self.buffer is None:
            self.buffer = np.empty((self.k, self.d + 2))
        to = self.filled + len(X)
        part = self.buffer[self.filled : to]
        part[:, : self.d], part[:, self.d], part[:, self.d + 1] = X, label, 1.0 if weight is None else weight
        self.filled = to

    def flush(self) -> None:
        """Take in what waits in the buffer."""
        if self.filled and self.buffer is not None:
            part, self.filled = self.buffer[: self.filled], 0
            weight = part[:, self.d + 1]
            self._take(
                np.ascontiguousarray(part[:, : self.d]),
                part[:, self.d].astype(np.int64),
                None if (weight == 1).all() else weight.copy(),
            )

    def _take(self, X: Floats, label: NDArray[np.int64], weight: Floats | None) -> None:
        """Sketch a slice by itself, then merge: its nodes have thresholds of its own, so the sums keep theirs."""
        self._nodes = None
        self.grow(_exponent(X))
        here = float(len(X)) if weight is None else float(weight.sum())
        self.weight += here
        for number, table in enumerate(self.tables):
            at = label == number
            if not at.any():
                continue
            fresh = table_of_points(
                X[at],
                None if weight is None else weight[at],
                self.lattice,
                self.base,
                self.k,
                here / self.k,
                self.random,
            )
            self.tables[number] = combined([table, fresh], self.random)
        self._compress()
        self.working = max(self.working, len(X) * (8 * (3 * self.d + 9) + 2) + 3 * self.nbytes)

    def _compress(self) -> None:
        """Up to k nodes a label stay as they are, so that few distinct points lose nothing."""
        if self.count <= max(2, len(self.tables)) * self.k:
            return
        tau = self.weight / self.k
        self.tables = [
            compressed(table, self.lattice, self.base, tau, self.random) if len(table) else table
            for table in self.tables
        ]

    def grow(self, exponent: int) -> None:
        """Make room for points up to 2^exponent."""
        if exponent > self.lattice.exponent:
            if any(len(table) for table in self.tables):
                self.tables = [
                    combined([table.renamed(self.lattice.grown(table.key, exponent))], self.random)
                    if len(table)
                    else table
                    for table in self.tables
                ]
            self.lattice = Lattice(self.d, exponent)
            self._nodes = None

    def resize(self, k: int) -> None:
        """Become a sketch of a smaller size; the buffer must be empty."""
        self.k, self.base, self.buffer = k, base_level(self.d, k), None
        self._nodes = None
        self._compress()

    def merge(self, other: Core, places: list[int], labels: int) -> None:
        """Take in another sketch, whose label i is ours at places[i]. `other` stays as it is but for its buffer."""
        if (other.d, other.k) != (self.d, self.k):
            raise InputError(
                f"sketches of d = {self.d}, k = {self.k} and of d = {other.d}, k = {other.k} cannot be merged.",
                hint="Build both with the same columns and the same size.",
            )
        other.flush()
        self.flush()
        while len(self.tables) < labels:
            self.tables.append(empty_table(self.d))
        exponent = max(self.lattice.exponent, other.lattice.exponent)
        self.grow(exponent)
        for table, place in zip(other.tables, places, strict=True):
            if len(table):
                moved = table.renamed(other.lattice.grown(table.key, exponent))
                self.tables[place] = combined([self.tables[place], combined([moved], self.random)], self.random)
        self.weight += other.weight
        self.rows += other.rows
        self.working = max(self.working, other.working)
        self._nodes = None
        self._compress()

    # reading --------------------------------------------------------------------------------------------------------

    def nodes(self) -> Nodes:
        """All nodes, ready for queries; what waits in the buffer is taken in first."""
        self.flush()
        if self._nodes is None:
            self._nodes = nodes_of(self.tables, self.lattice)
        return self._nodes

    @property
    def radius(self) -> float:
        """R of the lattice: a power of two no |x| is above; 0 while nothing came."""
        return 0.0 if self.lattice.exponent == _LEAST else self.lattice.radius

    @property
    def nbytes(self) -> int:
        return sum(table.nbytes for table in self.tables)

    @property
    def count(self) -> int:
        """Number of nodes."""
        return sum(len(table) for table in self.tables)

    def memory(self) -> Memory:
        return Memory(self.nbytes, 0 if self.buffer is None else self.buffer.nbytes, self.working)

    # keeping --------------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All there is, as plain values and arrays; the buffer is kept as it is, so that going on changes nothing."""
        bits: Any = self.random.bit_generator.state
        plain = {
            "d": self.d,
            "k": self.k,
            "given": self.given,
            "exponent": self.lattice.exponent,
            "weight": self.weight,
            "rows": self.rows,
            "tables": len(self.tables),
            "random": [hex(bits["state"]["state"]), hex(bits["state"]["inc"]), bits["has_uint32"], bits["uinteger"]],
        }
        arrays: dict[str, NDArray[Any]] = {}
        for number, table in enumerate(self.tables):
            for name in ("key", "mass", "total", "sample", "single"):
                arrays[f"{name}{number}"] = getattr(table, name)
        if self.filled and self.buffer is not None:
            arrays["buffer"] = self.buffer[: self.filled]
        return plain, arrays

    @classmethod
    def of_state(cls, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Core:
        """The sketch that `state` described."""
        core = cls(plain["d"], plain["k"], 0, plain["given"])
        core.lattice = Lattice(core.d, plain["exponent"])
        core.weight, core.rows = float(plain["weight"]), int(plain["rows"])
        for number in range(plain["tables"]):
            names = ("key", "mass", "total", "sample", "single")
            table = Table(*(arrays[f"{name}{number}"] for name in names))
            n, d = len(table.key), core.d
            shapes = [getattr(table, name).shape for name in names]
            if shapes != [(n,), (n,), (n, d), (n, d), (n,)]:
                raise ValueError("parts of unequal length")
            core.tables.append(table)
        if "buffer" in arrays:
            part = arrays["buffer"]
            core.buffer = np.empty((core.k, core.d + 2))
            core.filled = len(part)
            core.buffer[: core.filled] = part
        state, inc, has, integer = plain["random"]
        core.random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": int(state, 16), "inc": int(inc, 16)},
            "has_uint32": int(has),
            "uinteger": int(integer),
        }
        return core


def _exponent(X: Floats) -> int:
    """The least e with |x| <= 2^e."""
    most = max(abs(float(X.max())), abs(float(X.min())))
    if most > math.ldexp(1.0, _MOST):
        raise InputError(f"a value of {most:.3g} is too large to be sketched.", hint="Scale the columns first.")
    fraction, exponent = math.frexp(most)
    return max(_LEAST + 1, exponent - 1 if fraction == 0.5 else exponent)
