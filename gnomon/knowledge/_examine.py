"""What the method's critics asked to see, at one layer: planted features, controls, restarts, agreement, erasure.

Belongs here: measurements on arrays (section by section what Farquhar et al. 2023, Levinstein & Herrmann 2023 and Roger
2023 showed). Does not belong here: texts (`_plants.py`), what follows from the measurements (`_verdict.py`), or how
they are shown (`_summary.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from gnomon.blocks import Interval, Verdict
from gnomon.errors import UsageError
from gnomon.knowledge._controls import random_directions, restart_agreement, shuffled_pairs
from gnomon.knowledge._measure import accuracy_interval, right
from gnomon.knowledge._normalize import normalizer
from gnomon.knowledge._probe import Probe
from gnomon.knowledge._verdict import Evidence, Versus, judge
from gnomon.stats import paired_cluster_bootstrap

__all__ = ["PlantedAccuracy", "Sides", "examine", "planted_accuracy", "train_sign", "versus"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """States of pairs with what is known of each: truth, who learns, templates, items, groups; `feature` is 1 where a
    planted feature points to x+."""

    X: NDArray[Any]
    y: Labels
    train: NDArray[np.bool_]
    templates: NDArray[Any]
    items: NDArray[Any]
    groups: NDArray[Any]
    weight: Floats
    feature: Labels | None = None

    def fit(self, prototype: Probe, y: Labels | None = None) -> Probe:
        """A fresh copy of `prototype`, fitted on the training rows; `y` stands in for the truth where given."""
        labels = self.y if y is None else y
        found: Probe = clone(prototype)
        return found.fit(
            self.X[self.train],
            labels[self.train],
            templates=self.templates[self.train],
            items=self.items[self.train],
            sample_weight=self.weight[self.train],
        )

    def decide(self, probe: Probe) -> Floats:
        return probe.decision_function(self.X, templates=self.templates)

    def replaced(self, X: NDArray[Any]) -> Sides:
        """The same rows with other states."""
        return Sides(X, self.y, self.train, self.templates, self.items, self.groups, self.weight, self.feature)


@dataclass(frozen=True)
class PlantedAccuracy:
    """A probe fitted on planted texts: how often it follows the truth, and how often the feature (test rows)."""

    name: str
    method: str
    truth: float
    truth_interval: Interval
    feature: float
    feature_interval: Interval
    versus: Versus


def train_sign(decisions: Floats, sides: Sides) -> int:
    """The sign under which a probe is more often right on its own training rows; +1 at a tie."""
    agree = right(decisions, sides.y)[sides.train]
    return 1 if agree @ sides.weight[sides.train] >= sides.weight[sides.train].sum() / 2 else -1


def versus(name: str, probe: Floats, other: Floats, groups: NDArray[Any], seed: int) -> Versus:
    """Two columns of right (1) and wrong (0) on the same rows, compared by group."""
    found = paired_cluster_bootstrap(other, probe, groups, seed=seed, draws=2000)
    return Versus(name, float(probe.mean()), float(other.mean()), found)


def planted_accuracy(name: str, method: str, prototype: Probe, sides: Sides, seed: int) -> PlantedAccuracy:
    """Fit on planted rows; truth has the sign that the training labels give, the feature the better of both."""
    if sides.feature is None:
        raise UsageError(f"the rows of '{name}' carry no planted feature.")
    decisions = sides.decide(sides.fit(prototype))
    test = ~sides.train
    truth = right(train_sign(decisions, sides) * decisions, sides.y)[test]
    ways = [right(sign * decisions, sides.feature)[test] for sign in (1, -1)]
    feature = max(ways, key=lambda way: float(way.mean()))
    groups = sides.groups[test]
    return PlantedAccuracy(
        name,
        method,
        float(truth.mean()),
        accuracy_interval(truth, groups),
        float(feature.mean()),
        accuracy_interval(feature, groups),
        versus(name, truth, feature, groups, seed),
    )


def examine(
    X: ArrayLike,
    y: ArrayLike,
    *,
    planted: dict[str, tuple[ArrayLike, ArrayLike]],
    prototype: Probe | None = None,
    train: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    zero_shot: ArrayLike | None = None,
    name: str = "states",
    seed: int = 0,
) -> Verdict:
    """A verdict on states alone, for those who have their own: is what a label-free method finds in `X` the truth?

    Parameters
    ----------
    X : (n, 2, d)
        States of x+ and x-.
    y : (n,)
        1 where x+ is true. Used for judging; of the training rows 32 labels settle the sign.
    planted : mapping of name to (states (n, 2, d), feature (n,))
        States of the same pairs with a feature planted, and 1 where it points to x+. A feature that is in `X` itself is
        given as (X, feature).
    prototype : Probe, optional
        The method; CCS with its defaults where none is given.
    train : (n,) of bool, optional
        Rows to learn from; by default the first 60% of groups in a seeded order.
    groups : (n,), optional
        Rows that share an item or passage.
    zero_shot : (n,), optional
        1 where the model's own answer is right; None for states of something that gives no probabilities.

    Returns
    -------
    Verdict
        By the rule of `gnomon.knowledge._verdict`.

    Examples
    --------
    >>> from gnomon.knowledge import examine, planted_pairs
    >>> weak = planted_pairs(300, 16, truth=0.5, distractor=6.0)
    >>> examine(weak.X, weak.y, planted={"distractor": (weak.X, weak.distractor)}).identified
    False
    """
    from gnomon.knowledge._signs import few_labels
    from gnomon.knowledge.probes.ccs import CCS

    method = CCS(seed=seed) if prototype is None else prototype
    states, truth = np.asarray(X), np.asarray(y)
    n = len(states)
    group = np.arange(n) if groups is None else np.asarray(groups)
    learn = _default_train(group, seed) if train is None else np.asarray(train, dtype=bool)
    sides = Sides(states, truth, learn, np.zeros(n, dtype=np.int64), np.arange(n), group, np.ones(n))
    probe = sides.fit(method)
    decisions = sides.decide(probe)
    rows = np.flatnonzero(learn)
    sign = few_labels(decisions[rows], truth[rows], k=min(32, len(rows)), seed=seed)
    correct = right(sign.sign * decisions, truth)[~learn]
    own = np.zeros(0) if zero_shot is None else np.asarray(zero_shot, dtype=np.float64)[~learn]
    own_loss, mixed_loss = losses(method, probe, sides, seed)
    evidence = Evidence(
        name=f"{name} · {type(method).__name__}",
        accuracy=float(correct.mean()),
        interval=accuracy_interval(correct, group[~learn]),
        sign=sign,
        random_95=random_95(probe, sides, seed),
        planted=[
            planted_accuracy(
                what,
                "",
                method,
                Sides(
                    np.asarray(other),
                    truth,
                    learn,
                    sides.templates,
                    sides.items,
                    group,
                    sides.weight,
                    np.asarray(feature),
                ),
                seed,
            ).versus
            for what, (other, feature) in planted.items()
        ],
        zero_shot=[versus("zero-shot", correct, own, group[~learn], seed)] if len(own) else [],
        gives_probabilities=zero_shot is not None,
        restarts_agree=near_best_agreement(probe, sides),
        loss=own_loss,
        shuffled_loss=mixed_loss,
    )
    return judge(evidence)


def losses(prototype: Probe, probe: Probe, sides: Sides, seed: int) -> tuple[float | None, float | None]:
    """The training loss of a method that has one, and its loss on shuffled pairs."""
    if not hasattr(probe, "loss_"):
        return None, None
    train = sides.train
    mixed = shuffled_pairs(sides.X[train], sides.templates[train], seed=seed)
    other = clone(prototype).fit(
        mixed, templates=sides.templates[train], items=sides.items[train], sample_weight=sides.weight[train]
    )
    return float(probe.loss_), float(other.loss_)


def _default_train(groups: NDArray[Any], seed: int) -> NDArray[np.bool_]:
    from gnomon.stats import stream

    names, number = np.unique(groups, return_inverse=True)
    order = stream(seed, "split").permutation(len(names))
    return np.asarray(order[number] < round(0.6 * len(names)))


def random_95(probe: Probe, sides: Sides, seed: int) -> float:
    """The 95th percentile, over random directions, of the better of both signs' accuracy on the test rows."""
    return random_95_and_mean(probe, sides, seed)[1]


def random_95_and_mean(probe: Probe, sides: Sides, seed: int) -> tuple[float, float]:
    """Mean and 95th percentile of random directions, under the probe's kind of normalisation by the training rows."""
    train, test = sides.train, ~sides.train
    scale = normalizer(probe.normalize).fit(
        np.asarray(sides.X[train], dtype=np.float64), sides.templates[train], sides.weight[train]
    )
    Z = scale.transform(np.asarray(sides.X[test], dtype=np.float64), sides.templates[test])
    found = random_directions(Z[:, 0] - Z[:, 1], sides.y[test], seed=seed)
    return float(np.mean(found.best)), float(np.quantile(found.best, 0.95))


def near_best_agreement(probe: Probe, sides: Sides) -> float | None:
    """Share of near-best restarts that agree with the best on 90% of test rows; None where there are no restarts."""
    if getattr(probe, "thetas_", None) is None:
        return None
    test = ~sides.train
    return restart_agreement(probe, sides.X[test], sides.templates[test])
