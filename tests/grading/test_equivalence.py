r"""The release's rule, fault for fault: the facts known of it, and a second transcription that shares no code."""

from __future__ import annotations

import itertools
import json
import random
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.grading.boxed import boxed_official
from gnomon.grading.equivalence import equivalent_official, normalise_official

PARTS = [
    *(
        "\\",
        "{",
        "}",
        "$",
        "%",
        "^",
        "=",
        "/",
        ".",
        ",",
        " ",
        "\n",
        "!",
        "0",
        "1",
        "2",
        "5",
        "x",
        "y",
        "-",
        "(",
        "]",
        "_",
    ),
    *(
        "frac",
        "tfrac",
        "dfrac",
        "\\frac",
        "\\dfrac",
        "\\sqrt",
        "\\text{ ",
        "\\text{",
        "\\left",
        "\\right",
        "\\leftarrow",
    ),
    *("\\!", "\\\\", "\\%", "\\$", "^\\circ", "^{\\circ}", "0.5", "1/2", "x=", "{.", " .", "٣", "³", "\udc80"),
]
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


# --- a second transcription: character loops, no replace, no split, no regular expression ---


class CodeFails(Exception):
    """The release's code raises here."""


def _cut(text: str, mark: str) -> list[str]:
    """The stretches between occurrences of `mark`, from left to right."""
    parts, stretch, at = [], "", 0
    while at < len(text):
        if text[at : at + len(mark)] == mark:
            parts.append(stretch)
            stretch, at = "", at + len(mark)
        else:
            stretch, at = stretch + text[at], at + 1
    return [*parts, stretch]


def _swap(text: str, old: str, new: str = "") -> str:
    return new.join(_cut(text, old))


def _whole_number(text: str) -> bool:
    """Whether Python would print the number that it reads here the same way."""
    digits = text[1:] if text[:1] == "-" else text
    if not digits or any(digit not in "0123456789" for digit in digits):
        return False
    return text == "0" or digits[0] != "0"


def transcribed(text: str) -> str:
    """The sixteen rules in order; raises CodeFails where the release's code would fail."""
    for old, new in (
        *(
            ("\n", ""),
            ("\\!", ""),
            ("\\\\", "\\"),
            ("tfrac", "frac"),
            ("dfrac", "frac"),
            ("\\left", ""),
            ("\\right", ""),
        ),
        *(("^{\\circ}", ""), ("^\\circ", ""), ("\\$", "")),
    ):
        text = _swap(text, old, new)
    units = _cut(text, "\\text{ ")
    if len(units) > 2:
        raise CodeFails
    text = units[0]
    for old, new in (("\\%", ""), ("\\%", ""), (" .", " 0."), ("{.", "{0.")):
        text = _swap(text, old, new)
    if text == "":
        return ""
    if text[0] == ".":
        text = "0" + text
    sides = _cut(text, "=")
    if len(sides) == 2 and len(sides[0]) < 3:
        text = sides[1]
    roots = _cut(text, "\\sqrt")
    text = roots[0]
    for root in roots[1:]:
        if root == "":
            raise CodeFails
        text += "\\sqrt" + (root if root[0] == "{" else "{" + root[0] + "}" + root[1:])
    text = _swap(text, " ")
    text = _fractions(text)
    if text == "0.5":
        text = "\\frac{1}{2}"
    ratio = _cut(text, "/")
    if len(ratio) == 2 and _whole_number(ratio[0]) and _whole_number(ratio[1]):
        text = "\\frac{" + ratio[0] + "}{" + ratio[1] + "}"
    return text


def _fractions(text: str) -> str:
    pieces = _cut(text, "\\frac")
    done = pieces[0]
    for piece in pieces[1:]:
        if piece == "":
            raise CodeFails
        done += "\\frac"
        if piece[0] == "{":
            done += piece
            continue
        if len(piece) == 1:
            return text
        done += "{" + piece[0] + "}" + (piece[1] if piece[1] == "{" else "{" + piece[1] + "}") + piece[2:]
    return done


def transcribed_equal(first: str, second: str) -> bool:
    try:
        return transcribed(first) == transcribed(second)
    except CodeFails:
        return first == second


def _normalised(text: str) -> str | None:
    try:
        return normalise_official(text)
    except DataError:
        return None


def _transcribed(text: str) -> str | None:
    try:
        return transcribed(text)
    except CodeFails:
        return None


@given(texts, texts)
@example(r"\\%%", "")
@example("\\frac1\\frac", "")
@example("\\frac\\frac1", "")
@example("\\sqrt\\sqrt2", "")
@example("-0/1", "0/1")
@example("٣/1", "3/1")
def test_both_transcriptions_agree_on_any_text(first, second):
    assert _normalised(first) == _transcribed(first)
    assert equivalent_official(first, second) == transcribed_equal(first, second)


def test_both_transcriptions_agree_on_many_random_texts():
    draw = random.Random(0)
    last, equal, failing = "", 0, 0
    for _ in range(20_000):
        text = "".join(draw.choices(PARTS, k=draw.randint(0, 10)))
        near = draw.choice((last, text.replace(" ", ""), text.replace("dfrac", "frac"), text.replace("\\!", "") + "\n"))
        assert _normalised(text) == _transcribed(text), text
        verdict = equivalent_official(text, near)
        assert verdict == transcribed_equal(text, near), (text, near)
        equal += verdict and text != near
        failing += _normalised(text) is None
        last = text
    assert equal > 500, "too few respelled pairs for the test to mean anything"
    assert failing > 500, "too few texts on which the release's code fails"


# --- the facts ---


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (r"\tfrac{1}{2} +\! \frac1{72}", r"\\dfrac{1}{2} +\frac{1}{72}", True),
        (r"10\text{ units}", "10 ", True),
        (r"5\text{cm}", "5", False),
        (r"\$10", "10", True),
        ("$5$", "5", False),
        (r"10\%", "10", True),
        ("50%", "50", False),
        (".1", "0.1", True),
        ("[.5,1]", "[0.5,1]", False),
        ("a .5", "a 0.5", True),
        ("{.5}", "{0.5}", True),
        ("0.5", "1/2", True),
        ("0.50", r"\frac{1}{2}", False),
        ("-0.5", r"-\frac{1}{2}", False),
        ("-3/4", r"\frac{-3}{4}", True),
        ("-3/4", r"-\frac{3}{4}", False),
        ("03/4", "3/4", False),
        ("1/2/3", r"\frac{1}{2}/3", False),
        (r"\frac34i", r"\frac{3}{4}i", True),
        (r"\frac{3}4", r"\frac{3}{4}", False),
        (r"\frac1{72}", r"\frac{1}{72}", True),
        (r"\frac{72}1", r"\frac{72}{1}", False),
        (r"\frac12+\frac1", r"\frac{1}{2}+\frac1", False),
        (r"\sqrt2", r"\sqrt{2}", True),
        (r"\sqrt 3", r"\sqrt{3}", False),
        (r"\sqrt 3", r"\sqrt{}3", True),
        (r"\sqrt[3]{2}", r"\sqrt[3]2", False),
        ("x=5", "5", True),
        ("k = 5", "5", True),
        ("xyz=5", "5", False),
        ("x=1,y=2", "1,2", False),
        ("xy=5", "5", True),
        ("1,000", "1000", False),
        ("1{,}000", "1000", False),
        (r"10,\!000", "10000", False),
        (r"10,\!000", "10,000", True),
        ("1.0", "1", False),
        ("(1, 2)", "(1,2)", True),
        ("2,1", "1,2", False),
        ("1 2", "12", True),
        (r"90^\circ", "90", True),
        (r"90^{\circ}", "90", True),
        (r"90\degree", "90", False),
        (r"\text{Evelyn}", "Evelyn", False),
        (r"\text{ cm}", "", True),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", True),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\2\end{pmatrix}", True),
        (r"\leftarrow", "arrow", True),
        (r"\left(1,2\right)", "(1,2)", True),
        (r"\text{ 3 } + \text{ 4 }", r"\text{ 3 } + \text{ 4 }", True),
        (r"\text{ 3 } + \text{ 4 }", r"\text{ 3 }+ \text{ 4 }", False),
        (r"2\sqrt", r"2\sqrt", True),
        (r"2\sqrt", r"2 \sqrt", False),
        ("x/2", "x / 2", True),
        ("tfrac12", "frac12", True),
        ("", " ", True),
        (None, None, True),
        (None, "1", False),
        ("", None, False),
    ],
)
def test_the_release_says(first, second, equal):
    assert equivalent_official(first, second) is equal
    assert equivalent_official(second, first) is equal


@pytest.mark.parametrize("text", [r"\text{ a } \text{ b }", r"\sqrt", r"1+\frac", r"\frac \frac1"])
def test_where_the_release_fails_the_normal_form_is_refused_with_the_text(text):
    with pytest.raises(DataError, match="cannot normalise"):
        normalise_official(text)


@given(texts, texts)
def test_the_rule_is_total_reflexive_and_symmetric(first, second):
    assert equivalent_official(first, first)
    assert equivalent_official(first, second) == equivalent_official(second, first)
    assert not equivalent_official(first, None)


@given(st.text())
def test_any_unicode_is_compared(text):
    assert equivalent_official(text, text + "\n") in (True, False)


def test_numerals_of_any_length_are_ratios_without_conversion():
    digits = "7" * 5_000
    assert normalise_official(f"{digits}/{digits}") == f"\\frac{{{digits}}}{{{digits}}}"


@pytest.mark.parametrize(
    "part", ["\\frac1", "\\sqrt2", "\\", "{", "=", "/", ".", " ", "1", "\\%", "\\text{ ", "^\\circ"]
)
def test_a_megabyte_takes_linear_time(part):
    text = part * (1_000_000 // len(part))
    start = time.process_time()
    equivalent_official(text, text + " ")
    assert time.process_time() - start < 5


@pytest.mark.realdata
def test_both_transcriptions_agree_on_the_answers_of_the_test_set(release):
    answers = []
    for file in sorted(release("math").glob("test/*/*.json")):
        answers.append(boxed_official(json.loads(file.read_text(encoding="utf-8"))["solution"]))
    assert len(answers) == 5000
    for answer, other in itertools.pairwise(answers):
        assert _normalised(answer) == _transcribed(answer)
        assert equivalent_official(answer, other) == transcribed_equal(answer, other)
