"""The model's own answer to a pair, plain and calibrated.

Belongs here: thresholds on margins. Does not belong here: asking (`_answers.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.asks import Scored
from gnomon.errors import UsageError

__all__ = ["calibrated", "margins"]


def margins(answers: Sequence[Scored]) -> NDArray[np.float64]:
    """Mean log-probability per token of the first answer minus that of the second, one a pair (Burns et al. 2022,
    section 3.1); above 0 the model prefers the first.

    >>> margins([Scored((-2.0, -3.0), (2, 1))]).tolist()
    [2.0]
    """
    found = []
    for one in answers:
        if len(one.logprobs) != 2:
            raise UsageError(f"a pair has 2 answers; got log-probabilities of {len(one.logprobs)}.")
        first, second = (value / max(1, count) for value, count in zip(one.logprobs, one.tokens, strict=True))
        found.append(first - second)
    return np.array(found, dtype=np.float64)


def calibrated(values: ArrayLike, prior: float = 0.5) -> float:
    """The threshold gamma with a share `prior` of (unlabelled) margins above it (Zhao et al. 2021; Burns et al. 2022).

    The answer is the first where margin > gamma. With n margins, k = round(prior n) of them should be above, and gamma
    lies half-way between the k-th and the next; margins that tie there fall on the same side, so the share is then
    only near `prior`.

    Parameters
    ----------
    values : (n,)
        Margins of unlabelled rows.
    prior : float in (0, 1)
        Share of pairs whose first answer is right; a half where nothing is known.

    Examples
    --------
    >>> calibrated([1.0, 2.0, 3.0, 4.0])
    2.5
    >>> calibrated([1.0, 2.0, 3.0, 4.0], prior=0.25)
    3.5
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))[::-1]
    if not len(ordered) or not np.isfinite(ordered).all():
        raise UsageError("a threshold needs margins that are numbers, at least one.")
    if not 0 < prior < 1:
        raise UsageError(f"prior={prior}: give a share between 0 and 1.")
    above = round(prior * len(ordered))
    if above == 0:
        return float(ordered[0])
    if above == len(ordered):
        return float(np.nextafter(ordered[-1], -np.inf))
    return float((ordered[above - 1] + ordered[above]) / 2)
