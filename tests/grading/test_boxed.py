r"""From a written solution to its answer: the release's reading of boxes, the mended one, dollars, phrases, lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gnomon.grading.boxed import (
    after_phrase,
    between_dollars,
    boxed_corrected,
    boxed_official,
    last_boxed,
    last_line,
    remove_boxed,
)
from gnomon.grading.equivalence import equivalent_corrected, equivalent_official

PARTS = [
    "\\",
    "{",
    "}",
    "\\{",
    "\\}",
    "\\boxed",
    "\\fbox",
    "\\boxed{",
    "boxed",
    "$",
    "#",
    "###",
    "\n",
    " ",
    "5",
    "x",
    ".",
    "é",
]
texts = st.lists(st.sampled_from(PARTS), max_size=20).map("".join)


# --- the release's reading ---


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"a \boxed{1} b \boxed{\frac{1}{2}} c", r"\boxed{\frac{1}{2}}"),
        (r"\boxed{1", None),
        (r"\fbox{3}", r"\fbox{3}"),
        (r"\fbox{3} \boxed{4} \fbox{5}", r"\boxed{4}"),
        (r"\boxed{\{1,2\}}", r"\boxed{\{1,2\}}"),
        (r"\boxed}{6{7}}{8}", r"\boxed}{6{7}"),
        (r"\boxed{a} then \boxed ", None),
        (r"\boxed 5 of \frac{1}{2}", r"\boxed 5 of \frac{1}"),
        (r"\boxed{\left\{ 1 \right.}", None),
        (r"\boxedtext{1}", r"\boxedtext{1}"),
        ("no box", None),
        ("", None),
    ],
)
def test_last_boxed_follows_the_release_and_its_faults(text, box):
    assert last_boxed(text) == box


@pytest.mark.parametrize(
    ("box", "answer"),
    [
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{}", ""),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\fbox{3}", None),
        (r"\boxed 5 {}", None),
        (r"\boxed{", None),
        (r" \boxed{5}", None),
        ("", None),
        (None, None),
    ],
)
def test_remove_boxed_takes_one_shape_only(box, answer):
    assert remove_boxed(box) == answer


def _blind_scan(text: str) -> str | None:
    """The rule of the release in one slow loop over characters, as an oracle."""
    starts = [at for at in range(len(text)) if text[at : at + 6] == "\\boxed"]
    starts = starts or [at for at in range(len(text)) if text[at : at + 5] == "\\fbox"]
    if not starts:
        return None
    depth = 0
    for at in range(starts[-1], len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if text[at] == "}" and depth == 0:
            return text[starts[-1] : at + 1]
    return None


@given(texts)
@example("\\boxed}{6{7}}{8}")
def test_last_boxed_equals_a_slow_scan(text):
    assert last_boxed(text) == _blind_scan(text)
    assert boxed_official(text) == remove_boxed(_blind_scan(text))


# --- the mended reading ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        (r"\boxed{\}}", r"\}"),
        (r"\boxed{\\{1}}", r"\\{1}"),
        (r"$\boxed 5$ is it", "5"),
        (r"\boxed5", "5"),
        ("\\boxed 12 .\nNext {line}", "12"),
        (r"\(\boxed x+1\)", "x+1"),
        (r"\boxed {5}", "5"),
        ("\\boxed\n{5}", "5"),
        (r"\fbox{3}", "3"),
        (r"\fbox{3} \boxed{", "3"),
        (r"\boxed{a} then \boxed ", "a"),
        (r"\boxed{a} then \boxed{b", "a"),
        (r"\boxed{a} then \boxed{}", "a"),
        (r"\boxed 5 and \boxed", "5 and"),
        (r"} \boxed{5}", "5"),
        (r"{ \boxed{5}", "5"),
        (r"\boxed{x = \boxed{7}}", "7"),
        (r"\boxed{ 7 }", "7"),
        (r"\boxedtext{1}", None),
        (r"\boxed{", None),
        ("no box", None),
        ("", None),
    ],
)
def test_boxed_corrected_mends_the_faults(text, answer):
    assert boxed_corrected(text) == answer


@given(st.lists(st.sampled_from(["1", "x", "{", "}", r"\frac{1}{2}", " "]), max_size=12).map("".join))
def test_where_braces_balance_both_readings_find_the_same(inner):
    depth = 0
    for character in inner:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return
    if depth == 0 and inner.strip():
        assert boxed_corrected(rf"so \boxed{{{inner}}} holds") == boxed_official(rf"so \boxed{{{inner}}} holds").strip()


@given(texts)
def test_no_text_makes_a_reading_fail(text):
    for read in (boxed_official, boxed_corrected, between_dollars, after_phrase, last_line):
        found = read(text)
        assert found is None or isinstance(found, str)
    found = boxed_corrected(text)
    assert found is None or (found in text and found == found.strip() != "")


@pytest.mark.parametrize("part", [r"\boxed{", r"\boxed ", r"\boxed", "{", "}", r"\boxed{}", "\\", " "])
def test_a_megabyte_is_read_in_linear_time(part):
    text = r"\boxed{5}" + part * (1_000_000 // len(part))
    assert boxed_corrected(text) is not None
    boxed_official(text)
    after_phrase(text)


# --- GPT-3's completions ---


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("15$\n###\nProblem: next", "15"),
        (r"\frac{1}{2}$", r"\frac{1}{2}"),
        ("15###", "15"),
        ("15\nAnswer: $7$", "15"),
        ("15 apples", "15 apples"),
        (" 15 $", " 15 "),
        ("", ""),
        ("$5$", "$5"),
        ("\n5$", "\n5"),
        ("###5$", "###5"),
        ("#5$", "#5"),
    ],
)
def test_between_dollars_stops_at_the_first_stop_that_is_not_the_start(completion, answer):
    assert between_dollars(completion) == answer


# --- phrases and lines ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 5.", "5"),
        ("answer: 4\nFinal ANSWER: 5", "5"),
        ("**Answer:** 42", "42"),
        ("Final Answer: The final answer is $x^2$. I hope it is correct.", "$x^2$"),
        ("The answer is:\n\n7\n", "7"),
        ("The answers are 5", None),
        ("The answer is", None),
        ("", None),
    ],
)
def test_after_phrase_reads_to_the_end_of_the_line(text, answer):
    assert after_phrase(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("a\nb\n\n", "b"), ("**42**.", "42"), ("x = 5.", "x = 5"), ("\n \n", None), ("", None), ("...", "..")],
)
def test_last_line_is_the_last_that_says_something(text, answer):
    assert last_line(text) == answer


# --- the release's 5,000 solutions ---


@pytest.mark.realdata
def test_every_solution_of_the_test_set_has_an_answer_that_equals_itself(release):
    files = sorted(release("math").glob("test/*/*.json"))
    assert len(files) == 5000
    for file in files:
        solution = json.loads(file.read_text(encoding="utf-8"))["solution"]
        answer = boxed_official(solution)
        assert answer, file
        assert boxed_corrected(solution) == answer.strip(), file
        # Another text that must be read, since equal ones need no reading.
        assert equivalent_corrected(answer, f" {answer}\n"), file
        assert equivalent_official(answer, f"{answer}\n"), file
