"""Scores without an error rate, to compare with. One file is one method; the file name is its name.

Each file defines `baseline`, a function (f, X, background, seed) -> scores (n, d): how much each column of each row is
said to matter, larger is more. None of them says where to cut: `oracle` cuts where the truth says, as the paper did.

Belongs here: peers' methods, through their own packages. Does not belong here: tests (`methods/`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gnomon.registry import Registry

__all__ = ["Oracle", "baselines", "oracle"]

baselines = Registry(
    kind="baseline", package="gnomon.importance.baselines", attribute="baseline", group="gnomon.importance_baselines"
)


@dataclass(frozen=True)
class Oracle:
    """The best that scores can do at an FDR: cut, found share of what is true, share of false ones."""

    threshold: float | None
    tpr: float
    fdr: float


def oracle(scores: ArrayLike, truth: ArrayLike, q: float) -> Oracle:
    """Cut scores at the lowest threshold whose false-discovery proportion is at most q; the truth must be known.

    >>> oracle([3, 2, 1], [True, True, False], 0.1)
    Oracle(threshold=2.0, tpr=1.0, fdr=0.0)
    """
    s, true = np.asarray(scores, dtype=np.float64).reshape(-1), np.asarray(truth, dtype=bool).reshape(-1)
    order = np.argsort(-s, kind="stable")
    hits, number = np.cumsum(true[order]), np.arange(1, len(s) + 1)
    whole = np.r_[s[order][1:] != s[order][:-1], True]  # equal scores are cut together
    allowed = np.flatnonzero(whole & ((number - hits) / number <= q))
    if not len(allowed):
        return Oracle(None, 0.0, 0.0)
    last = int(allowed[-1])
    fdr = float((number[last] - hits[last]) / number[last])
    return Oracle(float(s[order][last]), float(hits[last] / max(1, true.sum())), fdr)
