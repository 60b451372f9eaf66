"""Whether a model's confidence can be read as a probability of being right.

Belongs here: binned calibration of one confidence an item. Does not belong here: where confidences come from, or the
drawing of a reliability curve (`report/`).

Bins are adaptive: about `bin_size` items each. For n items there are m = floor(n / bin_size) bins, or one where that is
0. Bin j starts at the sorted confidence of rank round(j n / m), counted from 0 and halves rounded to even, and holds
that edge. Tied confidences are therefore never parted, and with many ties a bin can be large or empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.blocks import Interval
from gnomon.stats._checks import BoolArray, FloatArray, fractions, natural, outcomes, same_length, share
from gnomon.stats.intervals import wilson

__all__ = ["ReliabilityBin", "reliability", "rms_calibration_error", "rms_calibration_error_official"]


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin: mean confidence, accuracy, number of items, and Wilson's interval for the accuracy.

    >>> ReliabilityBin(confidence=0.7, accuracy=0.5, n=100, interval=wilson(50, 100)).n
    100
    """

    confidence: float
    accuracy: float
    n: int
    interval: Interval


def rms_calibration_error(confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100) -> float:
    """Root mean square gap between confidence and accuracy over adaptive bins: sqrt(sum_b n_b / n (acc_b - conf_b)^2).

    Parameters
    ----------
    confidence : array-like of shape (n,)
        The probability that the model gave to its answer, in [0, 1].
    correct : array-like of shape (n,)
        Whether that answer was right, 0 or 1.
    bin_size : int, default 100
        Items a bin, about; at least 1. With fewer than twice as many items there is one bin.

    Returns
    -------
    float
        In [0, 1]; 0 is perfect on these bins. It does not vanish for a calibrated model, since the accuracy of a
        bin of 100 strays by about 0.05 by chance.

    Raises
    ------
    UsageError
        If the lengths differ, there is no item, or a value is out of range.

    Notes
    -----
    Hendrycks, Mazeika & Dietterich (2019), arXiv:1812.04606; used in MMLU (arXiv:2009.03300, section 4) over all
    questions pooled.

    Examples
    --------
    >>> confidence, correct = [0.3] * 4 + [0.9] * 4, [0] * 4 + [1] * 4
    >>> [round(rms_calibration_error(confidence, correct, bin_size), 6) for bin_size in (100, 4)]
    [0.1, 0.223607]
    """
    bins = _Bins.of(*_checked(confidence, correct), bin_size)
    return math.sqrt(float(np.sum(bins.weight * np.square(bins.gap))))


def rms_calibration_error_official(confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100) -> float:
    """The number that MMLU's released code prints as RMS calibration error, which is not the textbook one.

    For comparing with published values only. It departs from `rms_calibration_error` in three ways:

    1. Each confidence c is read as a two-class prediction (1 - c, c). Where c <= 0.5 the first class wins, so that c
       becomes 1 - c and right becomes wrong; exactly 0.5 is among them.
    2. The weight of a bin stands inside the square: sum_b (n_b / n (acc_b - conf_b))^2.
    3. The root is taken twice.

    Parameters
    ----------
    confidence : array-like of shape (n,)
        The highest of the choices' probabilities, in [0, 1].
    correct : array-like of shape (n,)
        Whether the answer was right, 0 or 1.
    bin_size : int, default 100
        Items a bin, about; at least 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UsageError
        If the lengths differ, there is no item, or a value is out of range.

    Notes
    -----
    hendrycks/test at 4450500, calib_tools.py as test_calibration.py calls it. Because of departure 2 the value shrinks
    as the number of bins grows, so values for different n cannot be compared; because of departure 3 its unit is not
    that of a probability.

    Examples
    --------
    >>> round(rms_calibration_error_official([0.3] * 4 + [0.9] * 4, [0] * 4 + [1] * 4), 6)
    0.447214
    """
    given, right = _checked(confidence, correct)
    second_class = given > 0.5
    bins = _Bins.of(np.where(second_class, given, 1 - given), right == second_class, bin_size)
    return math.sqrt(math.sqrt(float(np.sum(np.square(bins.weight * bins.gap)))))


def reliability(
    confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100, level: float = 0.95
) -> list[ReliabilityBin]:
    """Confidence and accuracy of every bin of `rms_calibration_error` that holds an item, least confident first.

    Parameters
    ----------
    confidence : array-like of shape (n,)
        The probability that the model gave to its answer, in [0, 1].
    correct : array-like of shape (n,)
        Whether that answer was right, 0 or 1.
    bin_size : int, default 100
        Items a bin, about; at least 1.
    level : float, default 0.95
        Confidence of the Wilson intervals, in (0, 1).

    Returns
    -------
    list of ReliabilityBin
        At least one; their n sum to the number of items.

    Raises
    ------
    UsageError
        If the lengths differ, there is no item, or a value is out of range.

    Examples
    --------
    >>> for part in reliability([0.3] * 4 + [0.9] * 4, [0] * 4 + [1] * 4, bin_size=4):
    ...     print(round(part.confidence, 2), part.accuracy, part.n)
    0.3 0.0 4
    0.9 1.0 4
    """
    level = share(level, "level")
    bins = _Bins.of(*_checked(confidence, correct), bin_size)
    return [
        ReliabilityBin(float(mean), right / n, n, wilson(right, n, level))
        for mean, right, n in zip(bins.confidence, bins.right.tolist(), bins.n.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Bins:
    """The bins that hold an item: mean confidence, right answers and items in each."""

    confidence: FloatArray
    right: NDArray[np.int64]
    n: NDArray[np.int64]

    @classmethod
    def of(cls, confidence: FloatArray, correct: BoolArray, bin_size: int) -> _Bins:
        total = len(confidence)
        number = total // natural(bin_size, "bin_size", least=1)
        starts = np.round(np.linspace(0, total, number, endpoint=False)).astype(np.int64)
        # The first bin needs no edge, and holds whatever lies below the second one's.
        place = np.digitize(confidence, np.sort(confidence)[starts[1:]])
        n = np.bincount(place)
        held = n > 0
        sums = np.bincount(place, weights=confidence)
        right = np.bincount(place[correct], minlength=len(n))
        return cls(sums[held] / n[held], right[held], n[held])

    @property
    def weight(self) -> FloatArray:
        return np.asarray(self.n / self.n.sum(), dtype=np.float64)

    @property
    def gap(self) -> FloatArray:
        return np.asarray(self.right / self.n - self.confidence, dtype=np.float64)


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[FloatArray, BoolArray]:
    given, right = fractions(confidence, "confidence"), outcomes(correct, "correct")
    same_length(confidence=given, correct=right)
    return given, right
