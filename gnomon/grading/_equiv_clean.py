r"""Words, units and thousands in an answer's text: what `equivalence.equivalent_corrected` mends before it reads LaTeX.

Belongs here: rules on the text as a whole, before it is cut into atoms. Does not belong here: LaTeX's own spellings
(`_equiv_read.py`). Every rule takes time linear in the text.
"""

from __future__ import annotations

import re

__all__ = ["clean"]

_UNICODE = str.maketrans(
    {
        "\u2212": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "°": "",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "²": "^{2}",
        "³": "^{3}",
        "½": r"\frac{1}{2}",
        "…": r"\ldots ",
    }
)
# JSON or a program's source doubled every backslash; where there is a matrix, two of them begin a row.
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z{}$%!,;])")
# A comma that can only part thousands, wherever it stands.
_THOUSANDS_MARKED = re.compile(r"(?<=[0-9])(?:\{,\}|,\\!|\\,)\s*(?=[0-9]{3}(?![0-9]))")
# A plain comma or space parts thousands where no bracket makes it a tuple, a set or an interval.
_THOUSANDS = re.compile(r"(?<![0-9.,_^])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])")
_THOUSANDS_SPACED = re.compile(r"-?[1-9][0-9]{0,2}(?:(?:\\ |\\,| )[0-9]{3})+(?:\.[0-9]+)?")
_AND = re.compile(r",?\s*\\text\s*\{\s*and\s*\}|,?\s+and\s+")
_TEXT = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textnormal)\s*\{([^{}]*)\}\s*(?:\^\s*(?:[0-9]|\{\s*-?[0-9]\s*\}))?[\s.$]*\Z"
)
_POWER = re.compile(r"\^(?:[23]|\{[23]\})\Z")
_SPACES = (r"\,", r"\;", r"\:", r"\!")

_SINGLE = frozenset("mgshlLCF")
# Words after a number that are more than its unit. Any other words are units or what was counted.
_MEANINGFUL_WORDS = """
am pm or and if when where for is are mod modulo base hundred thousand million billion trillion dozen half halves
third thirds quarter quarters fourths fifths tenths hundredths remainder even odd bc ad bce ce ad north south east
west left right up down plus minus times over not no none
"""
_MEANINGFUL = frozenset(_MEANINGFUL_WORDS.split())
# Bare words are letters to be multiplied, unless they are among these.
_UNIT_WORDS = """
unit units mm cm dm km in inch inches ft foot feet yd yard yards mi mile miles meter meters metre metres centimeter
centimeters centimetres kilometer kilometers kilometres millimeters mg kg gram grams kilogram kilograms pound pounds
lb lbs ounce ounces oz ton tons ml liter liters litres gallon gallons quart quarts pint pints cup cups sec second
seconds min minute minutes hr hrs hour hours day days week weeks month months year years mph kph degree degrees
radian radians percent dollar dollars cent cents square sq cubic per way ways point points
"""
_UNITS = frozenset(_UNIT_WORDS.split())
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def clean(text: str) -> str:
    r"""An answer's text without its units, its thousands commas and a final full stop.

    >>> clean(r"1,000\text{ square feet}.")
    '1000'
    >>> clean(r"9\text{ a.m.}"), clean("(1,000)"), clean("5 cm")
    ('9\\text{ a.m.}', '(1,000)', '5')
    """
    if not text.isascii():
        text = text.translate(_UNICODE)
    text = text.strip()
    if "\\\\" in text and (r"\begin" not in text or r"\\begin" in text):
        text = text.replace("\\\\", "\\") if r"\\begin" in text else _DOUBLED.sub(r"\\", text)
    if text.startswith("$") and text.endswith("$"):
        text = text.strip("$").strip()
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1].rstrip()
    text = _without_unit(text)
    if "and" in text:
        # Runs of spaces first: the pattern would look at a run once from each of its places.
        text = _AND.sub(", ", " ".join(text.split()))
    return _joined_thousands(text)


def _joined_thousands(text: str) -> str:
    if "," in text:
        text = _THOUSANDS_MARKED.sub("", text)
        if "," in text and not any(bracket in text for bracket in "([{|"):
            text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    elif " " in text and _THOUSANDS_SPACED.fullmatch(text):
        text = text.replace("\\", "").replace(" ", "")
    return text


def _without_unit(text: str) -> str:
    r"""Leave out a unit at the end: in `\text{..}` and the like after a number, or a known unit after number and space.

    Which unit it was plays no part, as in the release: a problem names its unit.
    """
    start = max(text.rfind(r"\text"), text.rfind(r"\mbox"), text.rfind(r"\mathrm"))
    if start > 0:
        match = _TEXT.match(text, start)
        return _bare_head(text[:start], text) if match and _is_unit(match[1]) else text
    power = _POWER.search(text) if text.endswith(("2", "3", "}")) else None
    body = text[: power.start()] if power else text
    if body[-1:] not in _LETTERS or not body[-1:]:
        return text
    head = body.rstrip(_LETTERS + " ")
    tail = body[len(head) :]
    if (
        tail[:1] != " "
        or not head
        or head[-1] not in "0123456789}"
        or not all(w.lower() in _UNITS for w in tail.split())
    ):
        return text
    return _bare_head(head, text)


def _bare_head(head: str, text: str) -> str:
    """What stands before a unit, without spaces at its end; the whole text where that is no value."""
    bare = ""
    while bare != head:
        bare, head = head, head.rstrip(" \n\t~$")
        if head.endswith(_SPACES):
            head = head[:-2]
    head = head.removesuffix("\\")  # of a `\ ` that lost its space
    value = any(figure in head for figure in "0123456789") or r"\pi" in head
    return head if value and head[-1] not in "+-*/=<>,;:^_({[&\\" else text


def _is_unit(words: str) -> bool:
    """Whether a text after a number only says what is counted or measured."""
    parts = words.replace(".", "").replace("/", " ").replace("-", " ").replace("'", "").split()
    return bool(parts) and all(
        part.rstrip("23^").isalpha() and part.lower() not in _MEANINGFUL and (len(part) > 1 or part in _SINGLE)
        for part in parts
    )
