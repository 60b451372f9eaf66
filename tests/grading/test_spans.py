"""Spans: the released scorer's behaviour case by case, the exact curve, and what is refused."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

from gnomon.errors import NotIdentifiedError, UsageError
from gnomon.grading.spans import (
    OFFICIAL_THRESHOLDS,
    SpanQuestion,
    by_id,
    exact_curve,
    in_category,
    is_lenient,
    jaccard,
    judge,
    matches,
    official_curve,
    operating_point,
)


def one(golds, *predictions, lenient=False):
    return SpanQuestion(tuple(golds), predictions, lenient)


def official(*questions):
    """The released three numbers: area, precision at 80% and at 90% recall."""
    curve = official_curve(judge(questions))
    return curve.aupr, curve.precision_at(0.8), curve.precision_at(0.9)


def exact(*questions):
    curve = exact_curve(judge(questions))
    return curve.aupr, curve.precision_at(0.8), curve.precision_at(0.9)


def counts(curve, point=-1):
    return int(curve.tp[point]), int(curve.fp[point]), int(curve.fn[point])


def test_cuad_edge_1_case_and_full_stops_do_not_count():
    assert jaccard("Delaware law", "delaware LAW.") == 1.0


def test_cuad_edge_2_two_spaces_hold_an_empty_word():
    assert jaccard("a b", "a  b") == 2 / 3


def test_cuad_edge_3_a_line_break_separates_nothing_unless_asked():
    assert jaccard("a\nb", "a b") == 0
    assert jaccard("a\nb", "a b", separator=None) == 1


def test_cuad_edge_4_texts_of_nothing_but_deleted_marks_are_equal():
    assert jaccard(".", ",") == 1.0
    assert jaccard(".", ",", separator=None) == 1.0


def test_cuad_edge_5_slashes_are_spaces_brackets_belong_to_words_and_a_half_is_enough():
    assert jaccard("and/or", "and or") == 1.0
    assert jaccard("(the Company)", "the Company") == 0
    assert jaccard("the Company", "Company") == 0.5
    assert matches("the Company", "Company")
    assert not matches("the big Company", "Company")


def test_cuad_edge_6_the_gold_itself_at_0995_is_full_marks():
    assert official(one(["a"], ("a", 0.995))) == (1, 1, 1)
    assert exact(one(["a"], ("a", 0.995))) == (1, 1, 1)


def test_cuad_edge_7_a_probability_of_099_is_active_from_098_on():
    curve = official_curve(judge([one(["a"], ("a", 0.99))]))
    assert curve.thresholds[1:3] == pytest.approx([0.99, 0.98])
    assert curve.tp[:3].tolist() == [0, 0, 1]
    assert curve.aupr == 1


def test_cuad_edge_8_the_official_reading_never_sees_the_last_threshold():
    question = one(["a"], ("a", 0.0005))
    assert official(question) == (1, 0, 0)
    assert exact(question) == (1, 1, 1)


def test_cuad_edge_9_a_false_positive_after_full_recall_costs_no_area():
    questions = one([], ("x", 0.6)), one(["a"], ("a", 0.8))
    curve = official_curve(judge(questions))
    assert curve.aupr == 1
    assert curve.precision[-1] == 0.5
    assert exact_curve(judge(questions)).aupr == 1


def test_cuad_edge_10_no_prediction_but_empty_ones_is_no_area():
    assert official(one(["a"], ("", 0.9)), one([])) == (0, 0, 0)
    assert exact(one(["a"], ("", 0.9)), one([])) == (0, 0, 0)


def test_cuad_edge_11_one_prediction_may_find_two_golds():
    assert counts(official_curve(judge([one(["a b", "a c"], ("a", 0.9))]))) == (2, 0, 0)


def test_cuad_edge_12_a_second_prediction_of_a_found_gold_is_free():
    assert counts(official_curve(judge([one(["a b"], ("a", 0.9), ("b", 0.8))]))) == (1, 0, 0)


def test_cuad_edge_13_only_parties_may_be_found_inside_a_long_sentence():
    sentence = "This Agreement is made between Acme and many others"
    for category, expected in (("Parties", (1, 0, 0)), ("Document Name", (0, 1, 1))):
        questions = by_id({f"c__{category}": ["Acme"]}, {f"c__{category}": [(sentence, 0.9)]})
        assert counts(official_curve(judge(questions))) == expected


def test_cuad_edge_14_a_repeated_text_keeps_its_last_probability_officially_and_its_largest_exactly():
    judged = judge([one(["a"], ("a", 0.9), ("a", 0.1))])
    curve = official_curve(judged)
    # The step that is printed as 0.1 lies a rounding error below, so 0.1 is above it.
    assert curve.thresholds[int(np.argmax(curve.tp > 0))] == pytest.approx(0.1)
    assert exact_curve(judged).thresholds.tolist() == [math.inf, 0.9]


def test_cuad_edge_15_a_title_that_names_a_category_is_counted_to_it():
    golds = {"x License Grant y__Parties": ["a"], "z__License Grant": ["b"], "z__Insurance": ["c"]}
    predictions = {key: [] for key in golds} | {"z__License Grant": [("b", 0.9)]}
    questions = by_id(golds, predictions)
    chosen = judge(questions).select([in_category(key, "License Grant") for key in golds])
    assert (chosen.questions, chosen.golds) == (2, 2)
    curve = official_curve(chosen)
    assert (curve.precision[-1], curve.recall[-1]) == (1.0, 0.5)


def test_a_title_that_names_parties_turns_the_lenient_match_on():
    assert is_lenient("Parties Inc__Insurance")
    assert not is_lenient("x__Third Party Beneficiary")


def test_cuad_edge_16_predictions_for_other_questions_are_refused_by_name():
    with pytest.raises(UsageError, match=r"1 questions have no predictions and 1 predictions no question.*'q1'"):
        by_id({"q1": []}, {"q2": []})


def test_cuad_edge_17_a_recall_that_is_never_reached_has_precision_0():
    questions = [one(["a"], ("a", 0.9))] * 7 + [one(["a"])] * 3
    for rule in (official, exact):
        area, at_80, at_90 = rule(*questions)
        assert (at_80, at_90) == (0, 0)
        assert area <= 0.7
    assert official_curve(judge(questions)).precision_at(0.7) == 1
    assert exact_curve(judge(questions)).confidence_at(0.7) == 0.9
    assert exact_curve(judge(questions)).confidence_at(0.8) is None


# Edge cases 18 and 19 are about reading: tests/tasks/test_squad.py.


def test_without_any_gold_the_official_numbers_are_0_and_the_exact_ones_do_not_exist():
    assert official(one([], ("x", 0.6)), one([])) == (0, 0, 0)
    assert official() == (0, 0, 0)
    with pytest.raises(NotIdentifiedError, match="none of the 2 questions has a gold span"):
        exact(one([], ("x", 0.6)), one([]))


def test_there_are_101_official_thresholds_from_099_down_to_0():
    assert len(OFFICIAL_THRESHOLDS) == 101
    assert OFFICIAL_THRESHOLDS[-2:] == (0.001, 0.0)
    assert np.allclose(OFFICIAL_THRESHOLDS[:99], [k / 100 for k in range(99, 0, -1)], rtol=0, atol=1e-15)


def test_nothing_active_above_threshold_0_makes_the_official_area_0():
    assert official(one(["a"], ("a", 0.0))) == (0, 0, 0)
    assert exact(one(["a"], ("a", 0.0))) == (1, 1, 1)


def test_the_official_confidence_is_one_step_off_and_0_where_the_recall_is_not_reached():
    curve = official_curve(judge([one(["a"], ("a", 0.995))]))
    assert curve.confidence_at(0.8) == pytest.approx(0.98)
    assert official_curve(judge([one(["a"])])).confidence_at(0.8) == 0.0


def test_only_the_official_curve_credits_the_made_up_start():
    """One true and one false prediction, both at 0.995: precision is 0.5 wherever something is active."""
    question = one(["a"], ("a", 0.995), ("x", 0.995))
    assert official(question)[0] == 0.75
    assert exact(question)[0] == 0.5


def test_predictions_of_one_confidence_enter_the_exact_curve_together():
    golds = ["a", "b", "c"]
    curve = exact_curve(judge([one(golds, ("a", 0.5), ("x", 0.5), ("b", 0.5), ("y", 0.25), ("c", 0.25))]))
    assert curve.thresholds.tolist() == [math.inf, 0.5, 0.25]
    assert (curve.tp.tolist(), curve.fp.tolist(), curve.fn.tolist()) == ([0, 2, 3], [0, 1, 2], [3, 1, 0])
    assert math.isnan(curve.precision[0])
    assert curve.precision[1:].tolist() == [2 / 3, 3 / 5]
    assert curve.aupr == pytest.approx(2 / 3 * 2 / 3 + (2 / 3 + 3 / 5) / 2 / 3)


def test_exact_confidences_may_be_logits_and_only_their_order_counts():
    chances = [one(["a", "b"], ("a", 0.9), ("x", 0.6), ("b", 0.2)), one([], ("y", 0.1))]
    logits = [one(q.golds, *((text, math.log(p / (1 - p))) for text, p in q.predictions)) for q in chances]
    assert exact(*chances) == exact(*logits)


def test_not_finite_confidences_are_never_or_always_active_officially_and_refused_exactly():
    judged = judge([one([]), one(["a", "b"], ("a", math.inf), ("b", math.nan), ("x", math.nan))])
    assert counts(official_curve(judged), 1) == (1, 0, 1)
    for refuse in (exact_curve, operating_point):
        with pytest.raises(UsageError, match=r"3 confidences are not finite; the first is inf, in question 1"):
            refuse(judged)
    assert exact_curve(judge([one(["a"], ("a", 1.0))])).aupr == 1
    kept = judged.select([False, True])
    assert kept.not_finite[0] == (0, math.inf)


@pytest.mark.parametrize(
    "question, message",
    [
        (SpanQuestion(("",), ()), r"question 1: the golds \(''.*no golds: \(\)"),
        (SpanQuestion("Acme", ()), r"question 1: the golds 'Acme'"),
        (SpanQuestion((), [("a", "0.5")]), r"question 1: the prediction \('a', '0.5'\)"),
        (SpanQuestion((), [(3, 0.5)]), r"question 1: the prediction \(3, 0.5\)"),
    ],
)
def test_what_is_no_text_or_number_is_refused_with_its_question(question, message):
    with pytest.raises(UsageError, match=message):
        judge([one([]), question])


def test_a_recall_outside_0_to_1_and_a_selection_of_another_length_are_refused():
    judged = judge([one(["a"], ("a", 0.5))])
    for wrong in (0, 1.01, 80, math.nan):
        with pytest.raises(UsageError, match=r"outside \(0, 1\]"):
            official_curve(judged).precision_at(wrong)
    for keep in ([True, False], [0]):
        with pytest.raises(UsageError, match="one True or False for each question"):
            judged.select(keep)


def test_one_operating_point_counts_golds_found_and_predictions_that_match_none():
    questions = [
        SpanQuestion.of_texts(["a b", "c"], ["a b", "a", "x", "x", ""]),
        SpanQuestion.of_texts([], ["y"]),
        SpanQuestion.of_texts(["Acme"], ["by and between Acme and others"], lenient=True),
        SpanQuestion.of_texts(["d"], []),
    ]
    point = operating_point(judge(questions))
    assert (point.tp, point.fp, point.fn) == (2, 2, 2)
    assert (point.precision, point.recall, point.f1) == (0.5, 0.5, 0.5)


def test_ratios_of_an_operating_point_are_none_where_they_divide_by_0():
    silent = operating_point(judge([one(["a"])]))
    assert (silent.precision, silent.recall, silent.f1) == (None, 0.0, 0.0)
    empty = operating_point(judge([one([])]))
    assert (empty.precision, empty.recall, empty.f1) == (None, None, None)
    assert operating_point(judge([one([], ("x", 1.0))])).f1 == 0


def test_an_operating_point_at_a_threshold_is_that_point_of_the_exact_curve():
    judged = judge([one(["a", "b"], ("a", 0.9), ("x", 0.6), ("b", 0.2)), one([], ("y", 0.1))])
    curve = exact_curve(judged)
    for k, threshold in enumerate(curve.thresholds[1:], start=1):
        point = operating_point(judged, float(threshold))
        assert (point.tp, point.fp, point.fn) == counts(curve, k)
    with pytest.raises(UsageError, match="threshold is not a number"):
        operating_point(judged, math.nan)


def test_whole_scores_of_several_separators_differ_where_lines_break():
    question = one(["first\nsecond"], ("first second", 0.9))
    assert judge([question]).golds == 1
    assert official_curve(judge([question])).aupr == 0
    assert official_curve(judge([question], separator=None)).aupr == 1


@pytest.mark.realdata
@pytest.mark.parametrize("case", range(3))
def test_numbers_of_the_released_scorer_on_real_contracts_overall_and_in_each_category(release, case):
    path = release("cuad") / "scored" / f"large_{case}.json.gz"
    known = json.loads(gzip.decompress(path.read_bytes()))
    predictions = {key: [(row["text"], row["probability"]) for row in rows] for key, rows in known["pred"].items()}
    judged = judge(by_id(known["gold"], predictions))
    curve, out = official_curve(judged), known["out"]
    assert curve.precision.tolist() == pytest.approx(out["precisions"], abs=1e-12)
    assert curve.recall.tolist() == pytest.approx(out["recalls"], abs=1e-12)
    assert curve.aupr == pytest.approx(out["aupr"], abs=1e-12)
    assert (curve.precision_at(0.8), curve.precision_at(0.9)) == pytest.approx((out["p80"], out["p90"]), abs=1e-12)
    assert (curve.confidence_at(0.8), curve.confidence_at(0.9)) == (out["p80_conf"], out["p90_conf"])
    for category, numbers in known["per_category"].items():
        part = official_curve(judged.select([in_category(key, category) for key in known["gold"]]))
        found = (part.aupr, part.precision_at(0.8), part.precision_at(0.9))
        assert found == pytest.approx((numbers["aupr"], numbers["p80"], numbers["p90"]), abs=1e-12), category
