r"""The corrected rule: what it mends, what it must not join, and that it is an equivalence on any text."""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gnomon.grading.equivalence import MAX_LENGTH, canonical, equivalent_corrected

PARTS = [
    *(
        "\\",
        "{",
        "}",
        "{",
        "}",
        "$",
        "%",
        "^",
        "_",
        "=",
        "/",
        ".",
        ",",
        " ",
        "\n",
        "(",
        ")",
        "[",
        "]",
        "|",
        "&",
        "'",
        "~",
    ),
    *("0", "1", "2", "07", "12", "1000", "0.50", "x", "A", "i", "+", "-", "*", "and", "cm", "\\text{", "\\text{ cm}"),
    *("\\frac", "\\dfrac", "\\sqrt", "\\sqrt[", "\\boxed{", "\\left", "\\right", "\\begin{pmatrix}", "\\end{pmatrix}"),
    *(
        "\\\\",
        "\\!",
        "\\,",
        "\\%",
        "\\$",
        "\\{",
        "\\}",
        "^\\circ",
        "\\pi",
        "\\cdot",
        "\\times",
        "\\pm",
        "\\foo",
        "√",
        "\udc80",
    ),
]
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # numbers
        ("1.0", "1"),
        ("+5", "5"),
        ("-0", "0"),
        (".5", "0.5"),
        ("0.50", r"\frac{1}{2}"),
        ("-0.5", r"-\frac12"),
        ("0.5", "1/2"),
        ("0.125", "1/8"),
        (r"\frac{2}{4}", "0.5"),
        (r"\frac{-3}{4}", r"-\frac{3}{4}"),
        (r"\frac{3}{-4}", "-0.75"),
        (r"-\frac{-3}{4}", "3/4"),
        (r"\frac{-\sqrt3}{2}", r"-\frac{\sqrt{3}}{2}"),
        (r"2x+\frac{-1}{2}", r"2x-\frac12"),
        (r"1\frac12", r"\frac{3}{2}"),
        ("-1 1/2", "-1.5"),
        ("x/2", r"\frac{x}{2}"),
        (r"\pi/4", r"\frac{\pi}{4}"),
        (r"\left(\frac12, 3/4\right)", "(0.5,0.75)"),
        # thousands
        ("1,000", "1000"),
        ("1,234.50", "1234.5"),
        ("1{,}000", "1000"),
        (r"10,\!000", "10000"),
        (r"10\,000", "10000"),
        ("10 000", "10000"),
        ("(1{,}000, 2)", "(1000,2)"),
        (r"x = 12,345\text{ cm}", "12345"),
        # LaTeX's spellings
        (r"\sqrt 3", r"\sqrt{3}"),
        (r"\sqrt[3]2", r"\sqrt[3]{2}"),
        (r"\frac{3}4", r"\frac{3}{4}"),
        (r"\dfrac34i", r"\frac{3}{4}i"),
        ("x^{2}", "x^2"),
        ("x_1^2", "x^2_1"),
        (r"x^{\prime}", "x'"),
        (r"2\cdot x", "2x"),
        (r"6\cdot 10^{3}", r"6 \times 10^3"),
        (r"3\cdot\sqrt{2}", r"3\sqrt2"),
        (r"x \leq 5", r"x\le5"),
        (r"(0,\,1)", "(0,1)"),
        (r"\left(-\infty,3\right]", r"(-\infty, 3]"),
        (r"\begin{pmatrix} 1 \\ 2 \\ \end{pmatrix}", r"\begin{pmatrix}1\\[2pt]2\end{pmatrix}"),
        (r"\\dfrac{1}{2}", r"\frac12"),
        (r"\\begin{pmatrix}1\\\\2\\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"\boxed{5}", "5"),
        ("5.", "5"),
        ("−3", "-3"),
        ("2π", r"2\pi"),
        # labels, words, units
        ("x=5", "5"),
        ("k = 5", "5"),
        (r"x_1 = \frac12", "0.5"),
        ("f(x)=x^2", "x^{2}"),
        ("f^{-1}(x) = 2x", "2x"),
        (r"x\in[1,2]", "[1,2]"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"\text{(A)}", "A"),
        (r"(\text{E})", "E"),
        (r"12\text{ and }13", "12, 13"),
        (r"7, -2, \text{ and } -5", "7,-2,-5"),
        (r"5\text{cm}", "5"),
        (r"5\text{ cm}", "5"),
        (r"5\,\mathrm{cm}", "5"),
        (r"5\mbox{ cm}^2", "5"),
        (r"5\text{ m/s}", "5"),
        (r"18\text{ ways.}", "18"),
        ("5 square inches", "5"),
        ("5 cm^2", "5"),
        # benchmark conventions
        (r"50\%", "50"),
        ("50%", "50"),
        (r"\$10", "10"),
        ("$10$", "10"),
        (r"90\degree", "90"),
        (r"90^\circ", "90^{\\circ}"),
        ("90°", "90"),
        ("90 degrees", "90"),
    ],
)
def test_these_agree(first, second):
    assert equivalent_corrected(first, second)
    assert equivalent_corrected(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # a missing answer agrees with nothing
        (None, None),
        (None, "1"),
        ("", ""),
        (" ", " "),
        ("", "0"),
        # numbers
        ("1/3", "0.333"),
        ("0.333...", "0.333"),
        (r"0.\overline{3}", "0.3"),
        (r"0.1\overline{6}", r"\frac{1}{10}\overline{6}"),
        ("-5", "5"),
        (r"\pm 2", "2"),
        ("1 2", "12"),
        ("007", "7"),
        ("1.2.3", "1.20.3"),
        ("12_{10}", "12"),
        ("10_2", "10_3"),
        (r"\frac{1}{0}", r"\frac{2}{0}"),
        ("1/0", "2/0"),
        (r"3\cdot\frac12", r"3\frac12"),
        (r"2\cdot3", "23"),
        (r"2\cdot3", "6"),
        (r"x\frac{-1}{2}", r"x-\frac12"),
        ("3{+5}", "35"),
        ("0^+", "0"),
        ("1/2x", r"\frac{1}{2x}"),
        ("1/(2x)", r"\frac12x"),
        (r"\sin x/2", r"\frac{\sin x}{2}"),
        ("a^{1/2}", "a^1/2"),
        (r"\sqrt{4}", "2"),
        ("5!", "5"),
        # tuples, lists, intervals, sets
        ("(1,2)", "(2,1)"),
        ("2,1", "1,2"),
        ("(0,1)", "[0,1]"),
        ("(0,1)", "(0,1]"),
        (r"\{1,2\}", "(1,2)"),
        ("(1,000)", "1000"),
        ("(1,000)", "(1,0)"),
        ("1,2", "12"),
        ("100,20", "10020"),
        ("1:30", "130"),
        # percent
        ("50%", "0.5"),
        (r"50\%", r"\frac12"),
        # labels
        ("xyz=5", "5"),
        ("xy=5", "5"),
        ("x=1,y=2", "1,2"),
        ("x+y=5", "5"),
        ("x=", ""),
        # words and units
        (r"9\text{ a.m.}", r"9\text{ p.m.}"),
        (r"9\text{ a.m.}", "9"),
        (r"5\text{ million}", "5"),
        (r"3\mathrm{i}", "3"),
        (r"3\text{ or }4", "3"),
        ("5cm", "5"),
        (r"\text{cm}", ""),
        ("A", "a"),
        # LaTeX
        (r"\leftarrow", "arrow"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\2\end{pmatrix}"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        (r"\overline{AB}C", r"\overline{A}BC"),
        (r"\mathbf{a}\times\mathbf{b}", r"\mathbf{a}\cdot\mathbf{b}"),
        (r"\binom{5}{2}", r"\frac{5}{2}"),
        ("x^23", "x^{23}"),
        ("{x+1}^2", "x+1^2"),
        (r"\frac{1}{2", r"\frac{1}{2}"),
    ],
)
def test_these_do_not_agree(first, second):
    assert not equivalent_corrected(first, second)
    assert not equivalent_corrected(second, first)


# --- rational numbers against Fraction ---


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A way of writing a rational number, and the number."""
    p, q = draw(st.integers(0, 60)), draw(st.sampled_from([1, 2, 3, 4, 5, 8, 10, 12]))
    minus = draw(st.sampled_from(["", "-"]))
    value = Fraction(p, q) * (-1 if minus else 1)
    kind = draw(st.integers(0, 6))
    if kind == 0 and (p * 1000) % q == 0:
        return f"{minus}{p * 1000 // q // 1000}.{p * 1000 // q % 1000:03}", value
    if kind == 1:
        return rf"{minus}\dfrac{{{p}}}{{{q}}}", value
    if kind == 2:
        return rf"\frac{{{minus}{p}}}{{ {q} }}", value
    if kind == 3:
        return rf"\tfrac{{{p}}}{{{minus}{q}}}", value
    if kind == 4 and p % q and p > q:
        return rf"{minus}{p // q}\frac{{{p % q}}}{{{q}}}", value
    if kind == 5 and p % q and p > q:
        return f"{minus}{p // q} {p % q}/{q}", value
    if kind == 6:
        return f"x = {minus}{p * 100_000:,}", value * q * 100_000
    return f"{minus}{p}/{q}", value


@given(spellings(), spellings())
@example(("1\\frac{1}{2}", Fraction(3, 2)), ("1.500", Fraction(3, 2)))
def test_spellings_of_rational_numbers_agree_exactly_where_the_numbers_do(first, second):
    assert equivalent_corrected(first[0], second[0]) == (first[1] == second[1])
    if "=" not in first[0] + second[0]:
        assert equivalent_corrected(f"({first[0]}, 1]", f"({second[0]}, 1]") == (first[1] == second[1])


# --- any text ---


@given(texts, texts)
@example("\\text{ cm}", "$")
@example("{" * 60 + "}" * 60, "{")
def test_the_rule_is_total_reflexive_and_symmetric(first, second):
    assert equivalent_corrected(first, first) == bool(first.strip())
    respelled = f" {first}"  # not the same text, so it is read
    assert equivalent_corrected(first, respelled) == bool(first.strip())
    assert equivalent_corrected(first, second) == equivalent_corrected(second, first)
    assert equivalent_corrected(first, second) == (
        canonical(first) is not None and canonical(first) == canonical(second)
    )
    assert hash(canonical(first)) == hash(canonical(respelled))


@given(st.text())
def test_any_unicode_is_compared(text):
    assert equivalent_corrected(text, text) == bool(text.strip())
    assert not equivalent_corrected(text, None)


def test_numerals_of_thousands_of_digits_are_compared_as_written():
    limit = sys.get_int_max_str_digits()
    digits = "7" * 5_000
    try:
        sys.set_int_max_str_digits(640)  # the lowest that Python allows
        assert equivalent_corrected(digits, f"x = {digits}.000")
        assert not equivalent_corrected(digits, digits[:-1] + "8")
        assert not equivalent_corrected(digits, f"-{digits}")
        assert equivalent_corrected(f"{'7' * 600}/2", f"\\frac{{{'7' * 600}}}{{2}}")
        assert equivalent_corrected(f"0.{'3' * 500}", f".{'3' * 500}0")
        assert equivalent_corrected("9" * 601, f"{'9' * 601}.0")
    finally:
        sys.set_int_max_str_digits(limit)


def test_a_text_past_the_limit_equals_only_itself():
    long = "1+" * MAX_LENGTH
    assert equivalent_corrected(long, f" {long}")
    assert not equivalent_corrected(long, long + "1")
    assert canonical(long) == long


@pytest.mark.parametrize(
    "part",
    [
        *(
            "{",
            "}",
            "{}",
            "\\frac",
            "\\frac1",
            "\\sqrt",
            "^",
            "x^",
            "x^2",
            "\\text{",
            "\\text{ a}",
            "\\,",
            "\\ ",
            " ",
            "(",
            "-",
        ),
        *(
            "1,000",
            "1,",
            "1 ",
            "1.",
            ".",
            "and ",
            " and",
            "=",
            "/",
            "1/",
            "\\\\",
            "\\\\a",
            "\\left",
            "$",
            "\\cdot",
            "\\vec",
        ),
        *("\\begin{a}", "\\frac{1}{", "9" * 600 + " ", "\\frac{" + "9" * 600 + "}{" + "7" * 599 + "}"),
    ],
)
def test_no_text_within_the_limit_takes_long(part):
    body = part * (MAX_LENGTH // len(part) + 1)
    start = time.process_time()
    for text in (body, "5" + body, body + "\\text{ cm}", "and" + body):
        canonical(text[:MAX_LENGTH])
    assert time.process_time() - start < 2


def test_a_megabyte_is_compared_as_text():
    text = "\\frac" * 200_000
    start = time.process_time()
    assert equivalent_corrected(text, text + " ")
    assert time.process_time() - start < 1
