"""When a result may say "identified": the rule, and nothing else.

The loss of a label-free method is zero for any feature of the question that has two values (Farquhar et al. 2023,
arXiv:2312.10029, theorem 1), so a low loss, or a high accuracy, does not say that knowledge was found. A method has
identified the truth only if **every one** of these holds where it was measured, and those marked * were measured:

1.* it is above random directions at the same layer: of 200, each with the better of both signs, fewer than 5% are right
    as often as it is, and it is more often right than the median one (the interval of the paired difference, by group,
    lies above 0). Where truth is everywhere, as many random directions as not read it, and finding it is no evidence
    that a method searched for it;
2.* for every planted feature, a probe fitted on the planted texts follows the truth more often than the feature (the
    interval of the paired difference lies above 0, the feature being granted the better of both signs);
3.* it is more often right than the model's own zero-shot answers, plain and calibrated (the same); of a model that
    gives no probabilities this cannot be asked, and the reason names it as not measured;
4.* which side is true was settled without the test labels;
5.  restarts that end near the lowest loss agree with each other;
6.  its loss is below the loss on shuffled pairs, whose two sides belong to different questions;
7.  it is more often right than on the same architecture with random weights (the interval lies above 0);
8.  on statements that negate those it was fitted on, it is right more often than by chance.

Belongs here: the conditions and what follows from them. Does not belong here: measuring (`_examine.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gnomon.blocks import Condition, Interval, Verdict
from gnomon.knowledge._signs import Sign
from gnomon.stats import PairedDifference

__all__ = ["AGREEING", "RARE", "AgainstRandom", "Evidence", "Versus", "judge"]

RARE = 0.05
"""Share of random directions that may be right as often as the probe: fewer."""
AGREEING = 0.9
"""Share of near-best restarts that must agree."""


@dataclass(frozen=True)
class Versus:
    """Accuracy of the probe and of something else on the same rows, and the paired difference (probe minus other)."""

    name: str
    probe: float
    other: float
    difference: PairedDifference

    @property
    def above(self) -> bool:
        return self.difference.interval.low > 0


@dataclass(frozen=True)
class AgainstRandom:
    """The probe against `n` random directions, each with the better of both signs: the `share` of them that are right
    at least as often, and the paired difference to the `median` one."""

    share: float
    n: int
    median: Versus


@dataclass(frozen=True)
class Evidence:
    """What was measured of one label-free method at one layer; None or empty where it was not.

    Parameters
    ----------
    accuracy, interval : the probe on test rows, its sign resolved.
    random : against random directions.
    planted : one a planted feature; `other` is the accuracy against the feature.
    unplanted : why a planted feature that was due was not measured, by its name.
    zero_shot : plain and calibrated; `gives_probabilities` says whether the model has them at all.
    sign : where the sign came from.
    restarts_agree : share of near-best restarts that agree with the best, in [0, 1].
    restarts_note : why that was not measured.
    loss, shuffled_loss : on pairs, and on shuffled pairs.
    untrained : against the random-weights network.
    negated : accuracy and interval on negated statements.
    """

    name: str
    accuracy: float
    interval: Interval
    sign: Sign
    random: AgainstRandom | None = None
    planted: Sequence[Versus] = ()
    unplanted: Mapping[str, str] = field(default_factory=dict)
    zero_shot: Sequence[Versus] = ()
    gives_probabilities: bool = True
    restarts_agree: float | None = None
    restarts_note: str = "the method has no restarts"
    loss: float | None = None
    shuffled_loss: float | None = None
    untrained: Versus | None = None
    negated: tuple[float, Interval] | None = None


def judge(evidence: Evidence) -> Verdict:
    """The verdict on `evidence` by the rule above.

    The reason names the first condition that failed, or the first that had to be measured and was not.
    """
    conditions = _conditions(evidence)
    required = [condition.name for condition, must in conditions if must]
    every = [condition for condition, _ in conditions]
    failed = next((one for one in every if one.passed is False), None)
    missing = next((one for one, must in conditions if must and one.passed is None), None)
    if failed is not None:
        reason = f"{failed.name}: {failed.value}, needed {failed.bar}"
        if failed.name == _RANDOM:
            reason += f"; {failed.note}"
    elif missing is not None:
        reason = f"{missing.name} was not measured" + (f": {missing.note}" if missing.note else "")
    else:
        checked = sum(one.passed is True for one in every)
        reason = f"truth beats every planted feature, random directions and zero-shot; {checked} conditions hold"
        if not evidence.gives_probabilities:
            reason = f"truth beats every planted feature and random directions; {checked} conditions hold, and "
            reason += f"{_ZERO_SHOT} was not measured: {_SILENT}"
    return Verdict(
        name=evidence.name,
        identified=failed is None and missing is None,
        reason=reason,
        conditions=every,
        required=required,
        caption="All conditions that were measured must hold; a verdict needs those that no rule may leave out.",
    )


def _conditions(evidence: Evidence) -> list[tuple[Condition, bool]]:
    found = [(_random(evidence), True)]
    found += [(_versus(f"truth above {one.name}", one), True) for one in evidence.planted]
    found += [(_unmeasured(f"truth above {what}", note), True) for what, note in evidence.unplanted.items()]
    if not evidence.planted and not evidence.unplanted:
        found.append((_unmeasured("truth above planted features"), True))
    found += [(_versus(f"above {one.name}", one), True) for one in evidence.zero_shot]
    if not evidence.zero_shot:
        note = "no answer of its own was given" if evidence.gives_probabilities else _SILENT
        found.append((_unmeasured(_ZERO_SHOT, note), evidence.gives_probabilities))
    found.append((_sign(evidence.sign), True))
    found.append((_restarts(evidence), False))
    found.append((_shuffled(evidence), False))
    untrained = _unmeasured("above the untrained network")
    found.append((_versus(untrained.name, evidence.untrained) if evidence.untrained else untrained, False))
    found.append((_negated(evidence.negated), False))
    return found


_RANDOM = "above random directions"
_ZERO_SHOT = "above zero-shot"
_SILENT = "the model gives no probabilities here"


def _unmeasured(name: str, note: str = "") -> Condition:
    return Condition(name=name, value="", bar="", passed=None, note=note)


def _random(evidence: Evidence) -> Condition:
    found = evidence.random
    if found is None:
        return _unmeasured(_RANDOM)
    interval = found.median.difference.interval
    reached = f"{found.share:.1%} of {found.n} random directions are right as often"
    passed = found.share < RARE and found.median.above
    note = "each direction with the better of both signs"
    if not passed:
        note = "directions drawn at random do as well"
        if evidence.interval.low > 0.5:
            note = "random directions read it as well, so finding it is no evidence of search"
    return Condition(
        name=_RANDOM,
        value=f"{evidence.accuracy:.3f}, and {reached}; over their median {interval.low:+.3f} to {interval.high:+.3f}",
        bar=f"fewer than {RARE:.0%} of them, and an interval above 0",
        passed=passed,
        note=note,
    )


def _versus(name: str, one: Versus) -> Condition:
    interval = one.difference.interval
    return Condition(
        name=name,
        value=f"{one.probe:.3f} against {one.other:.3f}, difference {interval.low:+.3f} to {interval.high:+.3f}",
        bar="an interval above 0",
        passed=one.above,
    )


def _sign(sign: Sign) -> Condition:
    good = not (sign.source.startswith("oracle") or sign.source == "arbitrary" or "unresolved" in sign.source)
    return Condition(
        name="sign settled without test labels",
        value=sign.source,
        bar="few labels of training rows, or a resolved conjunction",
        passed=good,
        note=sign.note,
    )


def _restarts(evidence: Evidence) -> Condition:
    name, share = "near-best restarts agree", evidence.restarts_agree
    if share is None:
        return _unmeasured(name, evidence.restarts_note)
    return Condition(name=name, value=f"{share:.2f}", bar=f"at least {AGREEING:g}", passed=share >= AGREEING)


def _shuffled(evidence: Evidence) -> Condition:
    name = "loss below that of shuffled pairs"
    if evidence.loss is None or evidence.shuffled_loss is None:
        return _unmeasured(name)
    value, bar = f"{evidence.loss:.2g}", f"below {evidence.shuffled_loss:.2g}"
    return Condition(name=name, value=value, bar=bar, passed=evidence.loss < evidence.shuffled_loss)


def _negated(found: tuple[float, Interval] | None) -> Condition:
    name = "holds on negated statements"
    if found is None:
        return _unmeasured(name, "the task has no negated twin")
    accuracy, interval = found
    return Condition(
        name=name,
        value=f"{accuracy:.3f} ({interval.low:.3f} to {interval.high:.3f})",
        bar="lower end above 0.5",
        passed=interval.low > 0.5,
    )
