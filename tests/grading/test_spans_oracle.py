"""Spans against slow scorers written from the description of the release and of the exact curve, sharing no code."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gnomon.grading.spans import (
    OFFICIAL_THRESHOLDS,
    SpanQuestion,
    exact_curve,
    jaccard,
    judge,
    matches,
    official_curve,
    operating_point,
)

NAN = float("nan")

texts = st.lists(st.sampled_from(["a", "B", "b", "c.", "c", "d/e", "e", "", "f\ng", ";"]), max_size=4).map(" ".join)
spread = st.floats(0, 1).filter(lambda p: p == 0 or p > 1e-6)
steps = st.integers(0, 100).map(lambda k: k / 100)
thresholds = st.sampled_from(OFFICIAL_THRESHOLDS)
probabilities = st.one_of(spread, steps, thresholds, st.sampled_from([0, 1, 1e-4, 0.0005, 0.995]))


def questions_of(confidences):
    return st.lists(
        st.builds(
            SpanQuestion,
            st.lists(texts.filter(bool), max_size=3).map(tuple),
            st.lists(st.tuples(texts, confidences), max_size=6).map(tuple),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )


questions_with = questions_of(probabilities)


def slow_jaccard(a, b):
    sets = []
    for text in (a, b):
        kept = "".join(" " if c == "/" else c.lower() for c in text if c not in ".,;:")
        sets.append({kept[i:j] for i, j in slow_pieces(kept)})
    return sum(w in sets[1] for w in sets[0]) / len(sets[0] | sets[1])


def slow_pieces(text):
    stops = [-1, *(i for i, c in enumerate(text) if c == " "), len(text)]
    return [(left + 1, right) for left, right in itertools.pairwise(stops)]


def slow_match(prediction, gold, lenient):
    inside = any(prediction[i : i + len(gold)] == gold for i in range(len(prediction)))
    return slow_jaccard(prediction, gold) >= 0.5 or (lenient and inside)


def slow_counts(questions, active):
    """Counts over all questions; `active(pairs)` lists the active texts of one question."""
    tp = fp = fn = 0
    for question in questions:
        chosen = active(question.predictions)
        for gold in question.golds:
            if any(slow_match(text, gold, question.lenient) for text in chosen):
                tp += 1
            else:
                fn += 1
        for text in chosen:
            if not any(slow_match(text, gold, question.lenient) for gold in question.golds):
                fp += 1
    return tp, fp, fn


def slow_official(questions, thresholds):
    def above(threshold):
        def chosen(pairs):
            last = {}
            for text, probability in pairs:
                if text != "":
                    last[text] = probability
            return [text for text in last if last[text] > threshold]

        return chosen

    precision, recall = [1], [0]
    for threshold in thresholds:
        tp, fp, fn = slow_counts(questions, above(threshold))
        precision.append(tp / (tp + fp) if tp + fp else NAN)
        recall.append(tp / (tp + fn) if tp + fn else NAN)
    best = list(precision)
    for i in range(len(best) - 2, -1, -1):
        best[i] = max(best[i + 1], best[i])  # Python's max: the first argument stays unless the second is greater
    area = sum((recall[i + 1] - recall[i]) * (best[i] + best[i + 1]) / 2 for i in range(len(best) - 1))
    at = {0.8: 0, 0.9: 0}
    for level in at:
        for p, r, _ in zip(best, recall, thresholds, strict=False):
            if r >= level:
                at[level] = p
                break
    return (0 if math.isnan(area) else area), at[0.8], at[0.9]


def slow_exact(questions):
    """Every confidence of every prediction is a threshold, active is at or above; the area up to the first point is a
    rectangle."""

    def at_least(threshold):
        return lambda pairs: sorted({text for text, confidence in pairs if text != "" and confidence >= threshold})

    levels = sorted({c for q in questions for text, c in q.predictions if text != ""}, reverse=True)
    points = []
    for level in levels:
        tp, fp, fn = slow_counts(questions, at_least(level))
        points.append((tp / (tp + fn), tp / (tp + fp)))
    best = [max(p for _, p in points[i:]) for i in range(len(points))]
    area, before, height = 0.0, 0.0, best[0] if best else 0.0
    for (recall, _), precision in zip(points, best, strict=True):
        area += (recall - before) * (height + precision) / 2
        before, height = recall, precision
    at = [next((p for (r, _), p in zip(points, best, strict=True) if r >= level), 0) for level in (0.8, 0.9)]
    return area, *at


def three(curve):
    return curve.aupr, curve.precision_at(0.8), curve.precision_at(0.9)


def has_gold(questions):
    return any(question.golds for question in questions)


@given(texts, texts, st.booleans())
def test_matches_agree_with_the_slow_ones(a, b, lenient):
    assert jaccard(a, b) == jaccard(b, a) == slow_jaccard(a, b)
    if b:
        assert matches(a, b, lenient) == slow_match(a, b, lenient)


@settings(max_examples=150, deadline=None)
@given(questions_of(st.one_of(probabilities, st.sampled_from([NAN, math.inf, -math.inf]))))
def test_the_official_numbers_are_those_of_101_slow_counts(questions):
    found = three(official_curve(judge(questions)))
    assert found == pytest.approx(slow_official(questions, OFFICIAL_THRESHOLDS), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(questions_of(st.one_of(probabilities, st.floats(-50, 50))))
def test_the_exact_numbers_are_those_of_slow_counts_at_every_confidence(questions):
    assume(has_gold(questions))
    assert three(exact_curve(judge(questions))) == pytest.approx(slow_exact(questions), abs=1e-12)


def with_distinct_texts(questions):
    """Repeats removed, for the two curves treat them differently on purpose."""
    return [SpanQuestion(q.golds, tuple(dict(q.predictions).items()), q.lenient) for q in questions]


@settings(max_examples=100, deadline=None)
@given(questions_of(st.integers(1, 300).map(lambda k: k / 300)))
def test_the_official_area_tends_to_the_exact_one_as_thresholds_get_finer(questions):
    """With thresholds between all confidences, above the largest and at 0, nothing is left of the steps."""
    assume(has_gold(questions))
    questions = with_distinct_texts(questions)
    fine = [k / 600 for k in range(601, -1, -2)]
    area, *_ = slow_official(questions, fine)
    assert exact_curve(judge(questions)).aupr == pytest.approx(area, abs=1e-12)


def test_halving_the_confidence_grid_brings_the_official_area_nearer():
    """Many predictions spread below the first threshold: 101 steps are close to every confidence, 11 are not."""
    rng = np.random.default_rng(0)
    questions = []
    for _ in range(400):
        right = rng.random() < 0.5
        confidence = float(rng.beta(3, 2) if right else rng.beta(2, 3)) * 0.98
        questions.append(SpanQuestion(("a",), (("a" if right else "x", confidence),)))
    true = exact_curve(judge(questions)).aupr
    coarse = abs(slow_official(questions, [k / 10 for k in range(10, -1, -1)])[0] - true)
    released = abs(official_curve(judge(questions)).aupr - true)
    assert released < 0.005
    assert released < coarse


@given(questions_with, st.integers(0, 5), st.sampled_from([0, 0.0, -0.25, NAN]))
def test_an_inactive_prediction_changes_no_official_number(questions, where, confidence):
    where %= len(questions)
    old = questions[where]
    more = SpanQuestion(old.golds, (*old.predictions, ("never said", confidence)), old.lenient)
    changed = [*questions[:where], more, *questions[where + 1 :]]
    assert three(official_curve(judge(changed))) == three(official_curve(judge(questions)))


@given(questions_with, st.randoms(use_true_random=False))
def test_the_order_of_questions_plays_no_part(questions, random):
    shuffled = random.sample(questions, len(questions))
    assert three(official_curve(judge(shuffled))) == three(official_curve(judge(questions)))
    if has_gold(questions):
        assert three(exact_curve(judge(shuffled))) == three(exact_curve(judge(questions)))


@given(questions_with, st.integers(0, 5))
def test_a_false_positive_never_raises_an_exact_number(questions, where):
    assume(has_gold(questions))
    where %= len(questions)
    old = questions[where]
    worse = SpanQuestion(old.golds, (*old.predictions, ("zz zz zz zzz", 0.5)), lenient=False)
    before = [*questions[:where], SpanQuestion(old.golds, old.predictions), *questions[where + 1 :]]
    after = [*questions[:where], worse, *questions[where + 1 :]]
    pairs = zip(three(exact_curve(judge(after))), three(exact_curve(judge(before))), strict=True)
    assert all(low <= high + 1e-12 for low, high in pairs)


@given(questions_with)
def test_the_last_point_of_the_exact_curve_is_the_operating_point_of_all_predictions(questions):
    assume(has_gold(questions))
    judged = judge(questions)
    curve, point = exact_curve(judged), operating_point(judged)
    assert (curve.tp[-1], curve.fp[-1], curve.fn[-1]) == (point.tp, point.fp, point.fn)
    assert slow_counts(questions, lambda pairs: sorted({t for t, _ in pairs if t})) == (point.tp, point.fp, point.fn)


@given(questions_with, questions_with)
def test_a_selection_is_scored_as_if_the_others_were_never_asked(kept, dropped):
    together = judge([*dropped, *kept]).select([False] * len(dropped) + [True] * len(kept))
    assert together.questions == len(kept)
    assert three(official_curve(together)) == three(official_curve(judge(kept)))


@given(questions_with)
def test_counts_and_curves_stay_in_their_ranges(questions):
    curve = official_curve(judge(questions))
    assert len(curve.precision) == 102
    assert (np.diff(curve.tp) >= 0).all()
    assert (np.diff(curve.fp) >= 0).all()
    assert (curve.tp + curve.fn == curve.tp[0] + curve.fn[0]).all()
    assert 0 <= curve.aupr <= 1
    if has_gold(questions):
        assert (np.diff(curve.recall) >= 0).all()
        assert curve.aupr <= curve.recall[-1] + 1e-12
