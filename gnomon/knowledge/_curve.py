"""How many pairs are enough: CCS fitted on 1, 2, 4, ... pairs, many draws of each size as one batch.

Belongs here: the sample-size curve (Burns et al. 2022, section 3.3.3). Does not belong here: CCS itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from gnomon.knowledge._examine import Sides
from gnomon.knowledge._measure import right
from gnomon.knowledge._probe import Pairs, Probe
from gnomon.stats import stream

__all__ = ["DRAWS", "sample_sizes"]

DRAWS = 32


def sample_sizes(
    prototype: Probe, sides: Sides, rows: NDArray[np.bool_], seed: int
) -> list[tuple[int, float, float, float]]:
    """(k, mean, 5th, 95th percentile) of accuracy on the test rows over 32 draws of k training pairs.

    All draws are normalised with the (unlabelled) statistics of all training rows, so that k counts the pairs that the
    direction was learned from; the sign is the one that all training labels give.
    """
    train, test = rows & sides.train, rows & ~sides.train
    if train.sum() < 4 or test.sum() < 2:
        return []
    scale = clone(prototype).fit(sides.X[train], templates=sides.templates[train]).normalizer_
    learn = scale.transform(np.asarray(sides.X[train], dtype=np.float64), sides.templates[train])
    judge = scale.transform(np.asarray(sides.X[test], dtype=np.float64), sides.templates[test])
    plain = clone(prototype).set_params(normalize="none")
    random = stream(seed, "sample sizes")
    sizes = [2**power for power in range(20) if 2**power < len(learn)]
    found = []
    for k in [*sizes, len(learn)]:
        draws = DRAWS if k < len(learn) else 1
        some = [learn[random.permutation(len(learn))[:k]] for _ in range(draws)]
        accuracies = []
        # Not `fit_layers`, which asks for 2 pairs: they are normalised already, and a direction fits even one.
        for probe in plain._fit_many([Pairs(X) for X in some if (X[:, 0] != X[:, 1]).any()]):
            on_train = right(probe.decision_function(learn), sides.y[train]).mean()
            sign = 1 if on_train >= 0.5 else -1
            accuracies.append(right(sign * probe.decision_function(judge), sides.y[test]).mean())
        if accuracies:
            low, high = np.quantile(accuracies, [0.05, 0.95])
            found.append((k, float(np.mean(accuracies)), float(low), float(high)))
    return found
