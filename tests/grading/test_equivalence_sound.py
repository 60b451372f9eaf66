"""The corrected rule is not looser than mathematics: texts with one canonical form have one value."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction

import pytest

from gnomon.grading.equivalence import canonical

TOKENS = [
    *(
        "1",
        "2",
        "3",
        "12",
        "0",
        "0.5",
        "1.50",
        "x",
        "x",
        "+",
        "-",
        "-",
        "/",
        "/",
        "*",
        r"\cdot ",
        r"\times ",
        " ",
        r"\,",
    ),
    *(r"\frac", r"\dfrac", r"\frac{1}{2}", r"\frac{-1}{2}", r"\frac12", r"\frac{3}", "{", "}", "{", "}", "(", ")"),
    *(r"\left(", r"\right)", "^2", "^{2}", "^{-1}", r"\cdot", "=", "x=", r"\text{ cm}", "{,}", "$", "%", "."),
]


class NoValue(Exception):
    """The text is not plain arithmetic."""


class Evaluator:
    """A reader of arithmetic that shares nothing with gnomon's: recursive descent, straight to a number at a given x.

    Products bind from left to right, as on paper; a whole number before a proper fraction is a mixed number. Text that
    is no plain arithmetic, two numerals side by side, or braces that only group (paper does not show them): no value.
    """

    def __init__(self, text: str, x: Fraction) -> None:
        for old, new in (
            (r"\dfrac", "F"),
            (r"\frac", "F"),
            (r"\left", ""),
            (r"\right", ""),
            (r"\cdot", "*"),
            (r"\times", "*"),
            (r"\,", " "),
            ("$", " "),
            ("%", " "),
        ):
            text = text.replace(old, new)
        self.text, self.x, self.at = text, x, 0

    def peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise NoValue
        self.at += 1

    def whole(self) -> Fraction:
        value = self.sum()
        if self.peek():
            raise NoValue
        return value

    def sum(self) -> Fraction:
        total = self.term()
        while self.peek() in ("+", "-"):
            total += self.term()
        return total

    def term(self) -> Fraction:
        sign = 1
        while self.peek() in ("+", "-"):
            sign *= -1 if self.peek() == "-" else 1
            self.at += 1
        value, numeral = self.factor()
        while (following := self.peek()) and following not in "+-)}":
            if following in "*/":
                self.at += 1
                factor, numeral = self.factor()
                if following == "/" and not factor:
                    raise NoValue
                value = value / factor if following == "/" else value * factor
                continue
            if following.isdigit() or following == ".":
                # 1 1/2 is a mixed number where it is all there is; anything else of this shape has no value.
                raise NoValue
            start = self.at
            factor, _ = self.factor()
            mixed = numeral and self.text[start] == "F" and value.denominator == 1 and value > 0 and 0 < factor < 1
            value = value + factor if mixed else value * factor
            numeral = False
        return sign * value

    def factor(self) -> tuple[Fraction, bool]:
        value, numeral = self.base()
        while self.peek() == "^":
            self.at += 1
            numeral = False
            power = self.argument()
            if power.denominator != 1 or abs(power) > 9 or (power < 0 and not value):
                raise NoValue
            value = value**power.numerator
        return value, numeral

    def base(self) -> tuple[Fraction, bool]:
        character = self.peek()
        if character.isdigit() or character == ".":
            start = self.at
            while self.at < len(self.text) and self.text[self.at] in "0123456789.":
                self.at += 1
            numeral = self.text[start : self.at]
            if numeral.endswith(".") or numeral.count(".") > 1:
                raise NoValue
            return Fraction(numeral), True
        if character == "x":
            self.at += 1
            return self.x, False
        if character == "(":
            self.at += 1
            value = self.sum()
            self.take(")")
            return value, False
        if character == "F":
            self.at += 1
            top, bottom = self.argument(), self.argument()
            if not bottom:
                raise NoValue
            return top / bottom, False
        raise NoValue

    def argument(self) -> Fraction:
        character = self.peek()
        if character == "{":
            self.at += 1
            value = self.sum()
            self.take("}")
            return value
        if character.isdigit():
            self.at += 1
            return Fraction(character)
        if character == "x":
            self.at += 1
            return self.x
        raise NoValue


def values(text: str) -> tuple[Fraction, ...] | None:
    """The value of a text at three points, or None where it has none."""
    try:
        return tuple(Evaluator(text, Fraction(x)).whole() for x in ("7/3", "-5/11", "13"))
    except NoValue:
        return None


def collisions(seed: int, number: int) -> tuple[int, list[tuple[str, str]]]:
    """How many pairs with one canonical form were compared, and those with two values."""
    draw = random.Random(seed)
    classes: dict[object, dict[str, tuple[Fraction, ...]]] = defaultdict(dict)
    for _ in range(number):
        text = "".join(draw.choices(TOKENS, k=draw.randint(1, 6)))
        value = values(text)
        if value is not None:
            classes[canonical(text)].setdefault(text, value)
    pairs, bad = 0, []
    for members in classes.values():
        (first, value), *rest = members.items()
        pairs += len(rest)
        bad += [(first, text) for text, other in rest if other != value]
    return pairs, bad


@pytest.mark.parametrize(
    ("text", "value"),
    [(r"1\frac{1}{2}", "3/2"), ("-3/4", "-3/4"), (r"\frac x2", "7/6"), ("2(x+1)^2", "200/9"), ("x^{-1}", "3/7")],
)
def test_the_evaluator_of_this_file_computes(text, value):
    assert Evaluator(text, Fraction(7, 3)).whole() == Fraction(value)


def test_texts_with_one_canonical_form_have_one_value():
    pairs, bad = collisions(seed=0, number=60_000)
    assert not bad
    assert pairs > 500, "too few pairs met for the test to mean anything"
