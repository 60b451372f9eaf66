"""What the method's critics asked to see, at one layer: planted features, controls, restarts, agreement, erasure.

Belongs here: measurements on arrays (section by section what Farquhar et al. 2023, Levinstein & Herrmann 2023 and Roger
2023 showed). Does not belong here: texts (`_plants.py`), what follows from the measurements (`_verdict.py`), or how
they are shown (`_summary.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from gnomon.blocks import Interval, Verdict
from gnomon.errors import UsageError
from gnomon.knowledge._controls import RandomDirections, random_directions, restart_agreement, shuffled_pairs
from gnomon.knowledge._measure import accuracy_interval, auroc, right
from gnomon.knowledge._normalize import normalizer
from gnomon.knowledge._probe import Pairs, Probe
from gnomon.knowledge._verdict import AgainstRandom, Evidence, Versus, judge
from gnomon.stats import paired_cluster_bootstrap

__all__ = [
    "PlantedAccuracy",
    "Sides",
    "against_random",
    "examine",
    "losses",
    "near_best_agreement",
    "planted_accuracy",
    "randoms",
    "train_sign",
    "versus",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """States of pairs with what is known of each: truth, who learns, templates, items, groups; `feature` is 1 where a
    planted feature points to x+. With `transductive`, test rows are normalised with their own statistics."""

    X: NDArray[Any]
    y: Labels
    train: NDArray[np.bool_]
    templates: NDArray[Any]
    items: NDArray[Any]
    groups: NDArray[Any]
    weight: Floats
    feature: Labels | None = None
    transductive: bool = False

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
        """What `probe` decides of every row."""
        if not self.transductive:
            return probe.decision_function(self.X, templates=self.templates)
        decisions = np.empty(len(self.X))
        for mask, own in ((self.train, False), (~self.train, True)):
            decisions[mask] = probe.decision_function(self.X[mask], templates=self.templates[mask], transductive=own)
        return decisions

    def replaced(self, X: NDArray[Any]) -> Sides:
        """The same rows with other states."""
        return dataclasses.replace(self, X=X)

    def keep(self, mask: NDArray[np.bool_]) -> Sides:
        """The rows of `mask`."""
        names = [one.name for one in dataclasses.fields(self) if one.name != "transductive"]
        columns = {name: getattr(self, name) for name in names}
        return dataclasses.replace(self, **{name: one[mask] for name, one in columns.items() if one is not None})


@dataclass(frozen=True)
class PlantedAccuracy:
    """A probe fitted on planted texts: how often it follows the truth, and how often the feature (test rows); AUROC
    against both, None where one class is absent. The feature has the better of both signs."""

    name: str
    method: str
    truth: float
    truth_interval: Interval
    feature: float
    feature_interval: Interval
    versus: Versus
    truth_auroc: float | None
    feature_auroc: float | None


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
    decisions = train_sign(decisions, sides) * decisions
    test = ~sides.train
    truth = right(decisions, sides.y)[test]
    ways = [right(sign * decisions, sides.feature)[test] for sign in (1, -1)]
    feature = max(ways, key=lambda way: float(way.mean()))
    groups = sides.groups[test]
    area = auroc(decisions[test], sides.feature[test])
    return PlantedAccuracy(
        name,
        method,
        float(truth.mean()),
        accuracy_interval(truth, groups),
        float(feature.mean()),
        accuracy_interval(feature, groups),
        versus(name, truth, feature, groups, seed),
        auroc(decisions[test], sides.y[test]),
        None if area is None else max(area, 1 - area),
    )


def examine(
    X: ArrayLike,
    y: ArrayLike,
    *,
    planted: Mapping[str, tuple[ArrayLike, ArrayLike]],
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

    Raises
    ------
    UsageError
        For columns of other lengths, labels other than 0 and 1, or one class only, among the pairs to learn from or to
        test on.

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
    sides = _given(X, y, train, groups, seed)
    features = {what: _planted(what, sides, *both) for what, both in planted.items()}
    test, rows = ~sides.train, np.flatnonzero(sides.train)
    own = None if zero_shot is None else _column("zero_shot", zero_shot, len(sides.y))[test].astype(np.float64)
    probe = sides.fit(method)
    decisions = sides.decide(probe)
    sign = few_labels(decisions[rows], sides.y[rows], k=min(32, len(rows)), seed=seed)
    correct = right(sign.sign * decisions, sides.y)[test]
    own_loss, mixed_loss = losses(method, probe, sides, seed)
    evidence = Evidence(
        name=f"{name} · {type(method).__name__}",
        accuracy=float(correct.mean()),
        interval=accuracy_interval(correct, sides.groups[test]),
        sign=sign,
        random=against_random(correct, randoms(probe.normalize, sides, seed), sides.groups[test], seed),
        planted=[planted_accuracy(what, "", method, one, seed).versus for what, one in features.items()],
        zero_shot=[] if own is None else [versus("zero-shot", correct, own, sides.groups[test], seed)],
        gives_probabilities=own is not None,
        restarts_agree=near_best_agreement(probe, sides),
        loss=own_loss,
        shuffled_loss=mixed_loss,
    )
    return judge(evidence)


def _given(X: ArrayLike, y: ArrayLike, train: ArrayLike | None, groups: ArrayLike | None, seed: int) -> Sides:
    """Checked input of `examine`; raises UsageError for what cannot be judged."""
    pairs = Pairs(X, y)
    n = len(pairs.X)
    group = _column("groups", np.arange(n) if groups is None else groups, n)
    learn = _default_train(group, seed) if train is None else _column("train", train, n).astype(bool)
    assert pairs.y is not None
    for what, mask in (("learn from", learn), ("test on", ~learn)):
        if mask.sum() < 2 or len(np.unique(pairs.y[mask])) < 2:
            found = ", ".join(f"{int((pairs.y[mask] == k).sum())} with y = {k}" for k in (0, 1))
            raise UsageError(f"a verdict needs pairs of both classes to {what}; there are {found}.")
    if len(np.unique(group[~learn])) < 2:
        raise UsageError("all test pairs are of one group: no interval can be given.")
    return Sides(pairs.X, pairs.y, learn, np.zeros(n, dtype=np.int64), np.arange(n), group, np.ones(n))


def _planted(what: str, sides: Sides, X: ArrayLike, feature: ArrayLike) -> Sides:
    """The same pairs with a feature planted; raises UsageError for other pairs."""
    n = len(sides.X)
    states, column = Pairs(X).X, _column(f"the feature planted as '{what}'", feature, n)
    if states.shape[0] != n:
        raise UsageError(f"the states of '{what}' are {len(states)} pairs, and there are {n}.", hint="Give the same.")
    if not np.isin(column, (0, 1)).all():
        raise UsageError(f"the feature planted as '{what}' must be 0 or 1 for each pair.")
    return dataclasses.replace(sides, X=states, feature=column.astype(np.int64))


def _column(name: str, given: ArrayLike, n: int) -> NDArray[Any]:
    array = np.asarray(given)
    if array.shape != (n,):
        raise UsageError(f"{name} must have one entry for each of {n} pairs; got an array of shape {array.shape}.")
    return array


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


def randoms(normalize: str, sides: Sides, seed: int) -> RandomDirections:
    """Random directions on the test rows, normalised as a probe's are."""
    train, test = sides.train, ~sides.train
    learn = test if sides.transductive else train
    weight = None if sides.transductive else sides.weight[learn]
    scale = normalizer(normalize).fit(np.asarray(sides.X[learn], dtype=np.float64), sides.templates[learn], weight)
    Z = scale.transform(np.asarray(sides.X[test], dtype=np.float64), sides.templates[test])
    return random_directions(Z[:, 0] - Z[:, 1], sides.y[test], seed=seed)


def against_random(correct: Floats, found: RandomDirections, groups: NDArray[Any], seed: int) -> AgainstRandom:
    """A column of right and wrong on the test rows against the directions of `randoms`."""
    middle = versus("the median random direction", correct, found.median, groups, seed)
    return AgainstRandom(found.share(float(correct.mean())), len(found.best), middle)


def near_best_agreement(probe: Probe, sides: Sides) -> float | None:
    """Share of near-best restarts that agree with the best on 90% of test rows; None where there are no restarts."""
    if getattr(probe, "thetas_", None) is None:
        return None
    test = ~sides.train
    return restart_agreement(probe, sides.X[test], sides.templates[test], transductive=sides.transductive)
