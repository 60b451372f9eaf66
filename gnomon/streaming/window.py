"""`WindowSketch`: the last W rows of a stream, by an exponential histogram of sketches.

Belongs here: which sketches cover the window. Does not belong here: the sketch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from gnomon.streaming._errors import InputError
from gnomon.streaming._fit import FitResult, ObjectiveValue
from gnomon.streaming._lattice import Floats
from gnomon.streaming._rows import Rows, accepted
from gnomon.streaming.hinge_sketch import HingeSketch

__all__ = ["WindowSketch"]


@dataclass
class _Bucket:
    """A sketch of rows first, ..., last of the stream (last excluded), and its size class."""

    first: int
    last: int
    height: int
    sketch: HingeSketch


class WindowSketch(BaseEstimator):  # type: ignore[misc]
    """Objectives of the last `window` rows.

    Rows are sketched in blocks. Of each size there are at most `copies` + 1 buckets; one more and the two oldest are
    merged (Datar, Gionis, Indyk and Motwani 2002). Buckets wholly outside the window are dropped, so only the oldest
    may stand across its edge, with about 1 / `copies` of the window's rows.

    Parameters
    ----------
    window : int
        Rows, those of weight 0 or with values that are not finite not counted.
    k, radius, seed
        See `HingeSketch`.
    copies : int, default 8
        Larger is nearer to the window's edge, and takes more memory.
    block : int, optional
        Rows of the smallest bucket; by default window / 64.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 10_000)[:, None]
    >>> y = np.where(np.arange(10_000) < 8_000, -1.0, 1.0)
    >>> sketch = WindowSketch(window=1000, k=64).partial_fit(X, y)      # of the last thousand, all are +1
    >>> value = sketch.objective([0.0], 0.5)
    >>> round(value.estimate, 6), value.low <= 0.5 <= value.high
    (0.5, True)
    """

    def __init__(
        self,
        window: int = 100_000,
        k: int = 256,
        copies: int = 8,
        block: int | None = None,
        radius: float | None = None,
        seed: int = 0,
    ) -> None:
        self.window = window
        self.k = k
        self.copies = copies
        self.block = block
        self.radius = radius
        self.seed = seed

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> WindowSketch:
        """Take in rows with labels -1 and +1, in the order of time."""
        if self.window < 1 or self.copies < 1:
            raise InputError(f"window = {self.window}, copies = {self.copies}: both must be 1 or more.")
        rows = accepted(X, y)
        if not hasattr(self, "_buckets"):
            self._buckets: list[_Bucket] = []
            self._made = 0
            self.n_seen_ = self.n_rejected_ = 0
        self.n_rejected_ += rows.rejected
        block = self.block or max(1, self.window // 64)
        at = 0
        while at < len(rows.X):
            newest = self._buckets[-1] if self._buckets else None
            if newest is None or newest.height > 0 or newest.last - newest.first >= block:
                self._made += 1
                sketch = HingeSketch(self.k, self.radius, self.seed + self._made)
                newest = _Bucket(self.n_seen_, self.n_seen_, 0, sketch)
                self._buckets.append(newest)
            end = min(len(rows.X), at + block - (newest.last - newest.first))
            self._put(newest, rows, at, end)
            at = end
            self._tidy(block)
        return self

    def _put(self, bucket: _Bucket, rows: Rows, at: int, end: int) -> None:
        bucket.sketch.partial_fit(rows.X[at:end], rows.y[at:end])
        bucket.last += end - at
        self.n_seen_ += end - at

    def _tidy(self, block: int) -> None:
        """Drop what is outside; merge the two oldest of a size of which there are too many."""
        while self._buckets[0].last <= self.n_seen_ - self.window:
            del self._buckets[0]
        height = 0
        while True:
            same = [i for i, one in enumerate(self._buckets) if one.height == height]
            if len(same) <= self.copies + 1:
                return
            i, j = same[0], same[1]
            left, right = self._buckets[i], self._buckets[j]
            left.sketch.merge(right.sketch)
            left.last, left.height = right.last, height + 1
            del self._buckets[j]
            height += 1

    def sketch(self) -> HingeSketch:
        """All buckets as one sketch; it may reach beyond the window by the oldest bucket's rows."""
        if not getattr(self, "_buckets", None):
            raise InputError("the window is empty, and a mean over no rows is undefined.")
        whole = self._buckets[0].sketch.copy()
        for bucket in self._buckets[1:]:
            whole.merge(bucket.sketch)
        return whole

    def objective(self, theta: ArrayLike, b: ArrayLike, lam: float = 0.0) -> ObjectiveValue:
        """F over exactly the last `window` rows (all, where fewer came): the interval holds always.

        Of the bucket across the edge, rows outside the window are unknown: its part is between nothing and what its
        largest rows could give. The estimate takes its mean.
        """
        if not getattr(self, "_buckets", None):
            raise InputError("the window is empty, and a mean over no rows is undefined.")
        n = min(self.window, self.n_seen_)
        inside = [one for one in self._buckets if one.first >= self.n_seen_ - n]
        across = [one for one in self._buckets if one.first < self.n_seen_ - n]
        T, B = np.atleast_2d(np.asarray(theta, dtype=np.float64)), np.atleast_1d(np.asarray(b, dtype=np.float64))
        parts: list[Floats] = [np.zeros(len(T)) for _ in range(5)]
        for bucket in (*inside, *across):
            value = bucket.sketch.objective(T, B)
            size = bucket.last - bucket.first
            rows = bucket.last - max(bucket.first, self.n_seen_ - n)
            found = [np.asarray(getattr(value, name)) for name in ("low", "high", "estimate", "mid", "rep")]
            largest = 1 + np.abs(T).sum(axis=1) * bucket.sketch.radius_ + np.abs(B)
            for i, part in enumerate(found):
                whole = part * size
                if rows == size:
                    parts[i] += whole
                elif i == 0:
                    parts[i] += np.maximum(0, whole - (size - rows) * largest)
                elif i == 1:
                    parts[i] += np.minimum(whole, rows * largest)
                else:
                    parts[i] += part * rows
        penalty = lam / 2 * ((T * T).sum(axis=1) + B * B)
        answer = [part / n + penalty for part in parts]
        answer[2] = np.clip(answer[2], answer[0], answer[1])
        return ObjectiveValue(*(answer if np.ndim(theta) == 2 else [float(part[0]) for part in answer]))

    def solve(self, lam: float) -> FitResult:
        """The solution for the rows that the buckets hold, and its certificate for those."""
        return self.sketch().solve(lam)

    @property
    def n_held_(self) -> int:
        """Rows that the buckets hold: the window's, and some older ones."""
        return sum(one.last - one.first for one in getattr(self, "_buckets", []))

    def memory_bytes(self) -> int:
        """Bytes of all buckets, their buffers included."""
        return sum(one.sketch.memory().kept for one in getattr(self, "_buckets", []))
