"""The dyadic lattice that all sketches of one dimension share: which cell a point is in, and where a cell is.

Belongs here: cells, their codes and their boxes. Does not belong here: what is kept of a cell (`_table.py`).

The box [-R, R]^d with R = 2^exponent is cut in halves: at level l a cell has the width 2R / 2^l on every axis. A cell's
key is its Morton code (one bit of every axis in turn, the coarsest first) with a 1 before it, so the key of its parent
is ``key >> d``, keys sort by level and then by place, and no two cells of any level share a key. Cells of levels 1 and
deeper lie on one global lattice whose origin is 0, so a larger R renames cells and moves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gnomon.streaming._errors import InputError

__all__ = ["MOST_DIRECTIONS", "Floats", "Keys", "Lattice"]

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

_BITS = 60
_DOUBLE = 52
_WORD = 10
MOST_DIRECTIONS = _BITS
"""Above so many directions an axis would not get one bit."""


@dataclass(frozen=True)
class Lattice:
    """The lattice over [-R, R]^d, R = 2^exponent.

    Parameters
    ----------
    d : int
        Directions, 1 to 60. An axis is halved `depth` times: 52, 30, 20, 15, 12, 10 times for d = 1 to 6.
    exponent : int
        log2 of R.

    Examples
    --------
    >>> lattice = Lattice(1, 0)
    >>> keys = lattice.keys(np.array([[-1.0], [0.3], [1.0]]))
    >>> low, width = lattice.boxes(keys >> (lattice.depth - 2))      # the cells two halvings deep
    >>> low[:, 0].tolist(), width.tolist()
    ([-1.0, 0.0, 0.5], [0.5, 0.5, 0.5])
    """

    d: int
    exponent: int

    def __post_init__(self) -> None:
        if not 1 <= self.d <= MOST_DIRECTIONS:
            raise InputError(
                f"points with {self.d:,} directions cannot be sketched: there must be 1 to {MOST_DIRECTIONS}.",
                hint="Project them to at most three, or keep a sample (ReservoirSVM).",
            )

    @property
    def depth(self) -> int:
        """The level of the smallest cells."""
        return min(_DOUBLE, _BITS // self.d)

    @property
    def radius(self) -> float:
        """R."""
        return math.ldexp(1.0, self.exponent)

    def keys(self, X: Floats) -> Keys:
        """Keys of the smallest cells of points (n, d) with max |x| <= R; x = R is in the last cell."""
        half = 1 << (self.depth - 1)
        cells = np.floor(np.ldexp(X, self.depth - 1 - self.exponent)).astype(np.int64)
        np.clip(cells, -half, half - 1, out=cells)
        cells += half
        top = np.int64(1 << (self.depth * self.d))
        if self.d == 1:
            return np.asarray(cells[:, 0] | top, dtype=np.int64)
        return np.asarray(_interleaved(cells, self.d, self.depth) | top, dtype=np.int64)

    def levels(self, keys: Keys) -> NDArray[np.int64]:
        """Level of each cell."""
        return (_bit_length(keys) - 1) // self.d

    def boxes(self, keys: Keys) -> tuple[Floats, Floats]:
        """Lower corners (n, d) and widths (n,) of cells."""
        levels = self.levels(keys)
        width: Floats = np.ldexp(np.ones(len(keys)), self.exponent + 1 - levels)
        return self._cells(keys, levels) * width[:, None] - self.radius, width

    def grown(self, keys: Keys, exponent: int) -> Keys:
        """Names of the same cells on the lattice over a larger box. Cells that are too small for that lattice become
        the smallest ones around them, and a cell of level 0 becomes the new cell of level 0."""
        shift = exponent - self.exponent
        if shift == 0 or len(keys) == 0:
            return keys
        levels = self.levels(keys)
        signed = self._cells(keys, levels) - (1 << np.maximum(levels - 1, 0))[:, None]
        wanted = np.where(levels > 0, levels + shift, 0)
        fresh = np.minimum(wanted, self.depth)
        cells = signed >> np.minimum(wanted - fresh, 62)[:, None]
        cells = np.where(fresh[:, None] > 0, cells + (1 << np.maximum(fresh - 1, 0))[:, None], 0)
        codes = cells[:, 0] if self.d == 1 else _interleaved(cells, self.d, self.depth)
        return np.asarray(codes | (np.int64(1) << (fresh * self.d)), dtype=np.int64)

    def common(self, a: Keys, b: Keys) -> NDArray[np.int64]:
        """The deepest level at which two smallest cells are in one cell."""
        return self.depth - (_bit_length(a ^ b) + self.d - 1) // self.d

    def _cells(self, keys: Keys, levels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cell numbers on each axis, counted from the lower corner."""
        codes = keys ^ (np.int64(1) << (levels * self.d))
        if self.d == 1:
            return codes[:, None]
        cells = np.zeros((len(keys), self.d), dtype=np.int64)
        for bit in range(self.depth):
            for axis in range(self.d):
                cells[:, axis] |= ((codes >> (bit * self.d + axis)) & 1) << bit
        return cells


def _bit_length(x: Keys) -> NDArray[np.int64]:
    """Bits of each number: 0 for 0. Clearing every bit below a set one keeps the top bit and cannot round up."""
    return np.frexp((x & ~(x >> 1)).astype(np.float64))[1].astype(np.int64)


@cache
def _spread(d: int) -> Keys:
    """Each number below 2^10 with its bits d places apart."""
    values = np.arange(1 << _WORD, dtype=np.int64)
    found = np.zeros_like(values)
    for bit in range(_WORD):
        if bit * d < _BITS:
            found |= ((values >> bit) & 1) << (bit * d)
    return found


def _interleaved(cells: NDArray[np.int64], d: int, bits: int) -> Keys:
    table, mask = _spread(d), (1 << _WORD) - 1
    code = np.zeros(len(cells), dtype=np.int64)
    for axis in range(d):
        column = np.ascontiguousarray(cells[:, axis])
        for word in range(0, bits, _WORD):
            code |= table[(column >> word) & mask] << (word * d + axis)
    return code
