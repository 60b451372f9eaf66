"""The rule: which evidence may be called identified."""

import dataclasses

import pytest

from gnomon.blocks import Interval
from gnomon.knowledge._signs import Sign
from gnomon.knowledge._verdict import AgainstRandom, Evidence, Versus, judge
from gnomon.stats import PairedDifference


def interval(low, high):
    return Interval(low=low, high=high, method="made up")


def against(name, low, high=0.9):
    return Versus(name, 0.8, 0.5, PairedDifference((low + high) / 2, interval(low, high), 0.01, 100, 100))


GOOD = Evidence(
    name="a task · ccs",
    accuracy=0.9,
    interval=interval(0.85, 0.95),
    sign=Sign(1, "few-labels (32)", 0.4, None, ""),
    random=AgainstRandom(0.0, 200, against("the median random direction", 0.2)),
    planted=[against("a word", 0.1), against("an opinion", 0.05)],
    zero_shot=[against("zero-shot", 0.02), against("calibrated zero-shot", 0.01)],
    restarts_agree=1.0,
    loss=0.02,
    shuffled_loss=0.2,
    untrained=against("untrained", 0.2),
    negated=(0.8, interval(0.7, 0.9)),
)


def changed(**kwargs):
    return judge(dataclasses.replace(GOOD, **kwargs))


def test_good_evidence_is_identified_and_says_how_many_conditions_hold():
    verdict = judge(GOOD)
    assert verdict.identified
    assert str(sum(one.passed is True for one in verdict.conditions)) in verdict.reason


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"random": AgainstRandom(0.05, 200, against("median", 0.2))}, "above random directions"),
        ({"random": AgainstRandom(0.0, 200, against("median", -0.01))}, "above random directions"),
        ({"planted": [against("a word", -0.01)]}, "truth above a word"),
        ({"planted": [against("a word", 0.1), against("an opinion", -0.2)]}, "truth above an opinion"),
        (
            {"zero_shot": [against("zero-shot", 0.1), against("calibrated zero-shot", -0.01)]},
            "above calibrated zero-shot",
        ),
        ({"sign": Sign(1, "oracle", 0.4, None, "")}, "sign settled without test labels"),
        ({"sign": Sign(1, "conjunction (unresolved)", 0.0, None, "")}, "sign settled without test labels"),
        ({"sign": Sign(1, "arbitrary", 0.0, None, "")}, "sign settled without test labels"),
        ({"restarts_agree": 0.5}, "near-best restarts agree"),
        ({"shuffled_loss": 0.01}, "loss below that of shuffled pairs"),
        ({"untrained": against("untrained", 0.0)}, "above the untrained network"),
        ({"negated": (0.45, interval(0.4, 0.5))}, "holds on negated statements"),
    ],
)
def test_one_failure_is_enough_and_is_named(change, named):
    verdict = changed(**change)
    assert not verdict.identified
    assert verdict.reason.startswith(named)
    assert [one.name for one in verdict.conditions if one.passed is False] == [named]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"random": None}, "above random directions was not measured"),
        ({"planted": []}, "truth above planted features was not measured"),
        (
            {"planted": [against("a word", 0.1)], "unplanted": {"an opinion": "too long"}},
            "truth above an opinion was not measured: too long",
        ),
        ({"zero_shot": []}, "above zero-shot was not measured: no answer of its own was given"),
    ],
)
def test_what_had_to_be_measured_and_was_not_identifies_nothing(change, named):
    verdict = changed(**change)
    assert not verdict.identified
    assert verdict.reason == named


def test_a_model_without_probabilities_need_not_beat_its_own_answers_and_that_is_said():
    verdict = changed(zero_shot=[], gives_probabilities=False)
    assert verdict.identified
    assert verdict.reason.endswith("above zero-shot was not measured: the model gives no probabilities here")
    (one,) = (one for one in verdict.conditions if one.name == "above zero-shot")
    assert (one.passed, one.note) == (None, "the model gives no probabilities here")
    assert one.name not in verdict.required


def test_a_probe_at_the_ceiling_can_be_above_random_directions():
    """The lower end of an interval can never be above a 95th percentile of 1; a rank can."""
    high = against("median", 0.2)
    assert changed(accuracy=1.0, interval=interval(0.98, 1.0), random=AgainstRandom(0.045, 200, high)).identified


@pytest.mark.parametrize(
    ("low", "words"), [(0.85, "random directions read it as well, so finding it is no evidence"), (0.45, "do as well")]
)
def test_where_random_directions_reach_the_probe_the_reason_says_so(low, words):
    random = AgainstRandom(0.3, 200, against("median", 0.01))
    verdict = changed(interval=interval(low, 0.95), random=random)
    assert not verdict.identified
    assert words in verdict.reason
    assert "30.0% of 200 random directions" in verdict.reason


@pytest.mark.parametrize("name", ["restarts_agree", "loss", "shuffled_loss", "untrained", "negated"])
def test_what_a_method_or_a_task_does_not_have_is_no_failure(name):
    assert changed(**{name: None}).identified


def test_a_resolved_conjunction_is_a_sign_without_labels():
    assert changed(sign=Sign(-1, "conjunction", 0.3, interval(0.1, 0.5), "")).identified
