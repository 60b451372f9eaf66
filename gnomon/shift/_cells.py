"""Numbers of one shift under one variant, from the predictions that a run keeps.

Belongs here: reading predictions, accuracy, confidence, calibration, the difference from the source. Does not belong
here: blocks (`_summary.py`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gnomon.blocks import Interval
from gnomon.stats import mcnemar, rms_calibration_error, wilson

__all__ = ["Cell", "paired_interval", "read_cell"]


_DRAWS = 100


@dataclass(frozen=True)
class Cell:
    """One shift under one variant. `right` (n,) is None where there are no labels."""

    shift: str
    variant: str
    confidence: NDArray[np.float64]
    predicted: NDArray[np.int32]
    right: NDArray[np.bool_] | None

    @property
    def n(self) -> int:
        return len(self.predicted)

    @property
    def accuracy(self) -> float | None:
        return None if self.right is None else float(self.right.mean())

    @property
    def interval(self) -> Interval | None:
        """Wilson's, for images are independent."""
        return None if self.right is None else wilson(int(self.right.sum()), self.n)

    @property
    def mean_confidence(self) -> float:
        return float(self.confidence.mean())

    @property
    def confidence_interval(self) -> Interval:
        """Normal, over images."""
        half = 1.959964 * float(self.confidence.std(ddof=1)) / self.n**0.5 if self.n > 1 else 0.5
        middle = self.mean_confidence
        return Interval(low=max(0.0, middle - half), high=min(1.0, middle + half), method="normal")

    @property
    def calibration(self) -> float | None:
        """RMS calibration error, bins of about 100."""
        return None if self.right is None else rms_calibration_error(np.clip(self.confidence, 0, 1), self.right)

    @functools.cached_property
    def calibration_interval(self) -> Interval | None:
        """Percentiles of a bootstrap over images; the estimate has a bias upward that this interval shares."""
        if self.right is None:
            return None
        generator = np.random.Generator(np.random.PCG64(0))
        found = []
        for _ in range(_DRAWS):
            rows = generator.integers(0, self.n, size=self.n)
            found.append(rms_calibration_error(np.clip(self.confidence[rows], 0, 1), self.right[rows]))
        low, high = np.percentile(found, [2.5, 97.5])
        return Interval(low=float(low), high=float(high), method=f"bootstrap, percentile, {_DRAWS} draws")


def read_cell(folder: Path, name: str, shift: str, variant: str) -> Cell:
    """One file of predictions."""
    from safetensors.numpy import load_file

    found = load_file(folder / name)
    right = found["predicted"] == found["labels"] if "labels" in found else None
    return Cell(shift, variant, found["confidence"], found["predicted"], right)


def paired_interval(a: NDArray[np.bool_], b: NDArray[np.bool_], level: float = 0.95) -> tuple[float, Interval, float]:
    """Accuracy of b minus that of a on the same images, its interval, and McNemar's exact p.

    Agresti & Min (2005), Statistics in Medicine 24:729-740: half an image is added to each of the four cells, so that
    the interval has a width where nothing differs.

    >>> gap, interval, p = paired_interval(np.array([True] * 6 + [False] * 4), np.array([True] * 9 + [False]))
    >>> round(gap, 3), interval.low > -0.05, round(p, 3)
    (0.3, True, 0.25)
    """
    test = mcnemar(a, b)
    n, only_a, only_b = test.n + 2, test.only_a + 0.5, test.only_b + 0.5
    middle = (only_b - only_a) / n
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt((only_a + only_b) / n - middle**2) / np.sqrt(n))
    gap = (test.only_b - test.only_a) / test.n
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return gap, Interval(low=min(low, gap), high=max(high, gap), method="Agresti and Min, paired"), test.p_value
