"""From scores or words to an option: the rules of the releases, ties, and what is no number."""

from __future__ import annotations

import math
import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from gnomon.errors import UsageError
from gnomon.grading.choices import Choice, best, from_logit, from_text, from_top, prefer

LETTERS = (" A", " B", " C", " D")
scores = st.lists(st.floats(-500, 500), min_size=1, max_size=8)
utilities = st.floats(-500, 500)


# --- best: MMLU's rule ---


def test_mmlu_edge_7_a_tie_between_b_and_c_goes_to_b():
    choice = best([-3.0, -1.0, -1.0, -2.0])
    assert (choice.option, choice.tie) == (1, True)


@given(scores)
def test_best_is_the_first_highest_score_and_softmax_is_its_confidence(values):
    choice = best(values)
    assert choice.option == int(np.argmax(values))
    np.testing.assert_allclose(choice.probabilities, softmax(values), atol=1e-12)
    assert math.isclose(math.fsum(choice.probabilities), 1.0)
    assert choice.tie == (sorted(values)[-2:].count(max(values)) == 2)


@given(scores, st.floats(-1e6, 1e6))
def test_confidence_does_not_change_when_all_scores_shift(values, shift):
    """Log-probabilities are known up to a constant only where a server leaves out the rest of its vocabulary."""
    moved = best([value + shift for value in values])
    np.testing.assert_allclose(moved.probabilities, best(values).probabilities, atol=1e-6)


def test_scores_too_far_apart_for_floats_still_give_probabilities():
    assert best([-1e9, -2e9]).probabilities == (1.0, 0.0)


@pytest.mark.parametrize(
    ("values", "option", "probabilities"),
    [
        ([-math.inf, -2.0], 1, (0.0, 1.0)),
        ([-math.inf, -math.inf], 0, (0.5, 0.5)),
        ([-1.0, math.inf], 1, (0.0, 1.0)),
        ([math.inf, math.inf, 0.0], 0, (0.5, 0.5, 0.0)),
    ],
)
def test_infinite_scores_have_a_rank_and_leave_no_nan_behind(values, option, probabilities):
    choice = best(values)
    assert (choice.option, choice.probabilities) == (option, probabilities)


@pytest.mark.parametrize("values", [[math.nan], [math.nan, -1.0], [-1.0, math.nan]])
def test_nan_is_refused_wherever_it_stands(values):
    with pytest.raises(UsageError, match=r"not a number: .*nan.*Ask the model again"):
        best(values)


def test_no_options_are_refused():
    with pytest.raises(UsageError, match="no options"):
        best([])


# --- from_top: letters among a server's most likely tokens ---


def test_mmlu_edge_6_a_letter_not_among_the_top_scores_minus_100_and_others_compare_normally():
    assert from_top({" C": -4.0, " B": -3.5, " the": -0.1}, LETTERS).option == 1
    missing = from_top({" A": -100.5}, LETTERS)  # B, C and D at exactly -100 beat it
    assert (missing.option, missing.tie) == (1, True)
    assert from_top({" A": -100.0}, LETTERS) == best([-100.0] * 4)


def test_mmlu_edge_6_all_four_letters_missing_predicts_a():
    choice = from_top({" the": -0.1}, LETTERS)
    assert (choice.option, choice.tie, choice.probabilities) == (0, True, (0.25,) * 4)


def test_a_letter_without_its_space_is_another_token():
    assert from_top({"B": -0.1, " C": -5.0}, LETTERS).option == 2


# --- from_logit and prefer: ETHICS' rules ---


def test_ethics_edge_12_a_logit_of_exactly_zero_is_class_0():
    assert from_logit(0.0).option == 0
    assert from_logit(-0.0).option == 0
    assert from_logit(5e-324).option == 1
    assert from_logit(-5e-324).option == 0


@given(st.floats(allow_nan=False))
@example(1e308)
@example(-1e308)
def test_the_confidence_of_a_logit_is_its_sigmoid(logit):
    choice = from_logit(logit)
    np.testing.assert_allclose(choice.probabilities, (1 - expit(logit), expit(logit)), atol=1e-12)


def test_a_logit_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="not a number"):
        from_logit(math.nan)


def test_ethics_edge_6_equal_utilities_are_wrong():
    choice = prefer(1.0, 1.0)
    assert choice == Choice(None, (0.5, 0.5), tie=True)
    assert choice.option != 0


def test_ethics_edge_7_the_higher_utility_wins_and_swapping_flips():
    assert prefer(0.2, -0.3).option == 0
    assert prefer(-0.3, 0.2).option == 1


@given(utilities, utilities)
def test_preference_is_antisymmetric_and_strict(first, second):
    there, back = prefer(first, second), prefer(second, first)
    expected = None if first == second else int(first < second)
    assert there.option == expected
    assert back.option == (None if expected is None else 1 - expected)
    np.testing.assert_allclose(there.probabilities, back.probabilities[::-1], atol=1e-12)
    np.testing.assert_allclose(there.probabilities[0], expit(first - second), atol=1e-12)


@pytest.mark.parametrize("second", [0.0, math.inf, math.nan])
def test_a_utility_that_is_no_number_is_refused(second):
    with pytest.raises(UsageError, match="not a number"):
        prefer(math.nan, second)


# --- from_text: written answers ---

WRONG = [["no", "not wrong"], ["yes", "wrong"]]
REASONABLE = [["unreasonable"], ["reasonable"]]


def test_ethics_edge_16_yes_it_is_wrong_is_1_for_commonsense():
    assert from_text("Yes, it is wrong.", WRONG).option == 1


def test_ethics_edge_16_reasonable_is_not_found_inside_unreasonable():
    assert from_text("Unreasonable", REASONABLE).option == 0
    assert from_text("That is unreasonable, I think.", REASONABLE).option == 0
    assert from_text("That is unreasonable.", [["not so"], ["reasonable"]]).option is None
    assert from_text("That is reasonable.", REASONABLE).option == 1


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("No.", 0),
        ("NO!", 0),
        ("It is not wrong.", 0),
        ("It is wrong", 1),
        ("**yes**", 1),
        ("\n\nyes\n", 1),
        ("nope", None),
        ("I know nothing", None),
        ("yesterday", None),
        ("", None),
        ("Answer: yes, no doubt", 1),
        ("no, yes", 0),
    ],
)
def test_the_first_whole_word_decides(text, option):
    assert from_text(text, WRONG).option == option


def test_the_longer_of_two_phrases_at_one_place_wins():
    assert from_text("not wrong", [["not wrong"], ["not"]]).option == 0
    assert from_text("not wrong", [["not"], ["not wrong"]]).option == 1


def test_words_are_text_and_no_patterns():
    assert from_text("(b) it is", [["(a)"], ["(b)"]]).option == 1
    assert from_text("axb", [["a.b"]]).option is None


@given(st.text(string.ascii_letters, max_size=3), st.text(string.ascii_letters, max_size=3))
def test_a_word_inside_a_longer_word_is_never_found(before, after):
    found = from_text(f"{before}wrong{after}", [["wrong"]]).option
    assert (found == 0) == (not before and not after)


@given(st.permutations(["yes", "wrong", "no", "not wrong"]), st.sampled_from([" ", ", ", "\n", ". "]))
def test_the_order_of_words_in_the_table_plays_no_part(words, gap):
    text = gap.join(words)
    turned = [list(reversed(row)) for row in WRONG]
    assert from_text(text, WRONG) == from_text(text, turned)


def test_an_answer_that_names_nothing_is_unparsed_and_has_no_confidence():
    assert from_text("I cannot say.", WRONG) == Choice(None)
