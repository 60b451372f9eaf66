"""What many cells say together: how often a method recovers how much, and whether it beats the plain one.

Belongs here: medians, ratios of sums, paired tests over cells. Does not belong here: one cell (`recovery.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gnomon.errors import UsageError
from gnomon.supervision.recovery import Recovery

__all__ = ["Against", "Many", "against", "many"]


@dataclass(frozen=True)
class Many:
    """Over cells: the median PGR of those that are identified; how many are `inverted`, with a ceiling at or below the
    supervisor; and the ratio of summed gains to summed gaps over all cells, which drops none."""

    cells: int
    identified: int
    inverted: int
    median: float | None
    ratio: float | None


@dataclass(frozen=True)
class Against:
    """A method against another on the same cells: wins, ties, losses in student accuracy, the mean difference, and the
    p-value of Wilcoxon's signed-rank test (None with fewer than 6 cells that differ)."""

    wins: int
    ties: int
    losses: int
    mean: float
    p_value: float | None


def many(found: Sequence[Recovery]) -> Many:
    """Sum up cells.

    A median over identified cells alone hides what was dropped, so the counts stand beside it.

    >>> from gnomon.supervision import gap_recovered
    >>> rng = np.random.default_rng(0)
    >>> good = gap_recovered(*(rng.random(3000) < rate for rate in (.5, .7, .9)))
    >>> none = gap_recovered(*(rng.random(3000) < rate for rate in (.6, .6, .6)))
    >>> total = many([good, none])
    >>> total.cells, total.identified, round(total.median, 1)
    (2, 1, 0.5)
    """
    values = [one.value for one in found if one.value is not None]
    gains = sum(one.student - one.weak for one in found)
    gaps = sum(one.ceiling - one.weak for one in found)
    return Many(
        cells=len(found),
        identified=len(values),
        inverted=sum(one.ceiling <= one.weak for one in found),
        median=float(np.median(values)) if values else None,
        ratio=gains / gaps if found and gaps > 0 else None,
    )


def against(method: ArrayLike, plain: ArrayLike) -> Against:
    """Compare the student accuracies of two methods, cell by cell.

    Cells that share a test set or a supervisor are not independent, so the p-value is a guide and no proof.

    >>> against([.7, .8, .9], [.6, .8, .95]).wins
    1
    """
    from scipy.stats import wilcoxon

    a, b = np.asarray(method, dtype=np.float64), np.asarray(plain, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise UsageError(
            f"accuracies of the shapes {a.shape} and {b.shape} were given; give one a cell of each method."
        )
    gaps = a - b
    differ = gaps[gaps != 0]
    return Against(
        wins=int((gaps > 0).sum()),
        ties=int((gaps == 0).sum()),
        losses=int((gaps < 0).sum()),
        mean=float(gaps.mean()),
        p_value=float(wilcoxon(differ).pvalue) if len(differ) >= 6 else None,
    )
