"""Intervals by contract: equal to recounting resampled questions, seeded, honest about what cannot be known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.grading import _span_bootstrap
from gnomon.grading.spans import Judged, SpanQuestion, bootstrap, exact_curve, judge, official_curve
from gnomon.stats.seeds import stream

CURVES = {"exact": exact_curve, "official": official_curve}


def contract(rng, questions=6, tie=100):
    """Questions of one contract, with a skill of its own; confidences have `tie` values."""
    skill = rng.random()
    made = []
    for _ in range(questions):
        golds = tuple(f"gold{n}" for n in range(rng.integers(0, 3)))
        right = [(gold, rng.integers(1, tie + 1) / tie) for gold in golds if rng.random() < skill]
        wrong = [(f"wrong{n}", rng.integers(1, tie + 1) / tie) for n in range(rng.integers(0, 3))]
        made.append(SpanQuestion(golds, (*right, *wrong)))
    return made


def contracts(seed, number, **options):
    rng = np.random.default_rng(seed)
    labels, questions = [], []
    for n in range(number):
        made = contract(rng, **options)
        questions += made
        labels += [f"c{n:03}"] * len(made)
    return questions, labels


def recounted(questions, labels, rule, draws, seed):
    """The three numbers of each resample by judging its questions anew, contracts in the order of their names."""
    names = sorted(set(labels))
    rng = stream(seed, "span bootstrap")
    rows = []
    for times in rng.multinomial(len(names), [1 / len(names)] * len(names), size=draws):
        weight = dict(zip(names, times.tolist(), strict=True))
        sample = [q for q, label in zip(questions, labels, strict=True) for _ in range(weight[label])]
        if any(q.golds for q in sample):
            curve = CURVES[rule](judge(sample))
            rows.append((curve.aupr, curve.precision_at(0.8), curve.precision_at(0.9)))
    return np.array(rows)


@pytest.mark.parametrize("rule", CURVES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(3, 8), tie=st.sampled_from([2, 10, 1000]))
def test_the_weighted_recount_equals_judging_every_resample_anew(rule, seed, number, tie):
    questions, labels = contracts(seed, number, tie=tie)
    expected = recounted(questions, labels, rule, 100, seed=5)
    judged = judge(questions)
    assume(len({label for question, label in zip(questions, labels, strict=True) if question.golds}) > 1)
    found = bootstrap(judged, labels, seed=5, rule=rule, draws=100)
    assert found.left_out == 100 - len(expected)
    assert ends(found) == pytest.approx(np.quantile(expected, [0.025, 0.975], axis=0).T.ravel(), abs=1e-12)


@pytest.mark.parametrize("rule", CURVES)
def test_small_chunks_give_the_numbers_of_large_ones(rule, monkeypatch):
    questions, labels = contracts(3, 12)
    judged = judge(questions)
    whole = ends(bootstrap(judged, labels, seed=1, rule=rule, draws=200))
    monkeypatch.setattr(_span_bootstrap, "CELLS", 1)
    assert ends(bootstrap(judged, labels, seed=1, rule=rule, draws=200)) == pytest.approx(whole, abs=1e-14)


def ends(found):
    return [end for interval in (found.aupr, *found.precision_at.values()) for end in (interval.low, interval.high)]


def test_the_order_of_questions_plays_no_part_and_the_seed_does():
    questions, labels = contracts(4, 10)
    order = np.random.default_rng(0).permutation(len(questions))
    first = bootstrap(judge(questions), labels, seed=2, draws=200)
    again = bootstrap(judge([questions[i] for i in order]), [labels[i] for i in order], seed=2, draws=200)
    assert first == again
    assert bootstrap(judge(questions), labels, seed=3, draws=200) != first
    assert first.aupr.method == "cluster bootstrap, percentile, 200 draws"


def test_intervals_hold_the_area_of_all_contracts_about_as_often_as_they_say():
    """Samples of 100 contracts from a population of 3,000: the 90% interval holds its area in about 90% of them."""
    rng = np.random.default_rng(7)
    population = [judge(contract(rng, questions=20)) for _ in range(3000)]
    truth = exact_curve(joined(population)).aupr
    held, repeats = 0, 150
    for repeat in range(repeats):
        chosen = rng.choice(len(population), 100, replace=False)
        labels = [int(index) for index in chosen for _ in range(20)]
        sample = joined([population[index] for index in chosen])
        interval = bootstrap(sample, labels, seed=repeat, draws=200, level=0.9).aupr
        held += interval.low <= truth <= interval.high
    assert 0.83 < held / repeats < 0.97


def joined(parts):
    """What judging all their questions together gives."""
    start = np.cumsum([0, *(part.questions for part in parts)])
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("gold_last", "gold_largest", "false_last", "false_largest")
    }
    for name in ("gold_question", "false_question"):
        columns[name] = np.concatenate([getattr(part, name) + n for part, n in zip(parts, start[:-1], strict=True)])
    return Judged(questions=int(start[-1]), **columns)


def test_one_contract_with_golds_shows_no_spread():
    judged = judge([SpanQuestion(("a",), (("a", 0.5),)), SpanQuestion((), ())])
    with pytest.raises(NotIdentifiedError, match="1 of 2 contracts hold gold spans"):
        bootstrap(judged, ["p", "q"], seed=0)


def test_resamples_without_golds_are_left_out_and_counted():
    hit, empty = SpanQuestion(("a",), (("a", 0.5),)), SpanQuestion((), (("x", 0.1),))
    found = bootstrap(judge([hit, hit, empty, empty]), ["p", "q", "r", "s"], seed=0, draws=400)
    assert found.left_out == pytest.approx(400 / 16, abs=15)  # two of four contracts drawn four times: 2^-4
    assert found.aupr.low == 1


def test_a_model_that_says_nothing_has_the_interval_0_to_0():
    judged = judge([SpanQuestion(("a",), ()), SpanQuestion(("b",), ())])
    for rule in CURVES:
        found = bootstrap(judged, ["p", "q"], seed=0, rule=rule)
        assert (found.aupr.low, found.aupr.high, found.precision_at[0.8].high) == (0, 0, 0)


def test_arguments_that_cannot_be_meant_are_refused():
    judged = judge([SpanQuestion(("a",), (("a", 0.5),)), SpanQuestion(("a",), (("a", math.inf),))])
    with pytest.raises(UsageError, match="not finite"):
        bootstrap(judged, ["p", "q"], seed=0)
    bootstrap(judged, ["p", "q"], seed=0, rule="official")
    for labels in (["p"], "pq"):
        with pytest.raises(UsageError, match="Name the contract of each question"):
            bootstrap(judged, labels, seed=0, rule="official")
    for options in ({"draws": 99}, {"level": 95}, {"recalls": [80]}, {"seed": -1}):
        with pytest.raises(UsageError):
            bootstrap(judged, ["p", "q"], **{"seed": 0, "rule": "official", **options})
