r"""Whether two answers to a MATH problem agree: the release's rule, and the same rule with its faults mended.

Belongs here: the release's normalisation, one function a step, and the two comparisons. Does not belong here: finding
the answer in a text (`boxed.py`), the symbolic grader (`verify.py`), the parts of the corrected rule
(`_equiv_clean.py`: words and units, `_equiv_read.py`: LaTeX, `_equiv_reduce.py`: signs and fractions).

Source: MATH (Hendrycks et al. 2021, arXiv:2103.03874), the release's code, `modeling/math_equivalence.py`.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from gnomon.errors import DataError
from gnomon.grading._equiv_clean import clean
from gnomon.grading._equiv_read import Unreadable, read
from gnomon.grading._equiv_reduce import Atom

__all__ = [
    "MAX_LENGTH",
    "Canonical",
    "canonical",
    "equivalent_corrected",
    "equivalent_official",
    "normalise_official",
]

MAX_LENGTH = 10_000
"""Characters up to which `canonical` reads an answer; a longer one equals only itself."""

Canonical: TypeAlias = str | tuple[Atom, ...]

_CANONICAL_RATIO = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")
_PLAIN_INTEGER = re.compile(r"-?[1-9][0-9]{0,300}")
_LETTER = re.compile(
    r"[A-Za-z]|\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|"
    r"phi|varphi|chi|psi|omega|Delta|Omega|ell)"
)


# --- the release's rule ---


def equivalent_official(first: str | None, second: str | None) -> bool:
    r"""Whether MATH's release calls two answers equal, fault for fault. Symmetric; never raises.

    Both are normalised by `normalise_official` and compared as strings; where that fails for either, the raw strings
    are compared. None means that no answer was found: two of them agree, as in the release, so a caller that finds no
    gold answer must say so itself.

    >>> equivalent_official(r"\tfrac{1}{2}", "0.5"), equivalent_official("1,000", "1000")
    (True, False)
    >>> equivalent_official(None, None), equivalent_official(None, "1")
    (True, False)
    """
    if first is None or second is None:
        return first is second
    if first == second:
        return True  # equal strings are normalised equally, or equal raw
    try:
        return normalise_official(first) == normalise_official(second)
    except DataError:
        return False  # the raw strings, which differ


def normalise_official(text: str) -> str:
    r"""The release's normal form of an answer: sixteen replacements of strings, in its order.

    Raises DataError where the release's code fails: two `\text{ ` in one answer, `\sqrt` or `\frac` with nothing
    after it. Linear in the text's length. The whole-number test of step 16 needs no conversion here, so numerals of
    any length pass, as they did in the Python of the release.

    >>> normalise_official(r"x = \dfrac12\text{ cm}")
    '\\frac{1}{2}'
    >>> normalise_official(r"\leftarrow")  # a fault of the release
    'arrow'
    """
    text = _drop_newlines(text)
    if "\\" in text or "frac" in text:
        text = _drop_negative_spaces(text)
        text = _halve_double_backslashes(text)
        text = _unify_fractions(text)
        text = _drop_left_and_right(text)
        text = _drop_degrees(text)
        text = _drop_escaped_dollars(text)
        text = _drop_units(text)
        text = _drop_escaped_percents(text)
    if not text:
        return text
    text = _lead_with_zero(text)
    text = _drop_label(text)
    text = _brace_roots(text)
    text = _drop_spaces(text)
    text = _brace_fractions(text)
    text = _half_as_fraction(text)
    return _ratio_as_fraction(text)


def _drop_newlines(text: str) -> str:
    """Step 1."""
    return text.replace("\n", "")


def _drop_negative_spaces(text: str) -> str:
    """Step 2."""
    return text.replace("\\!", "")


def _halve_double_backslashes(text: str) -> str:
    """Step 3: a matrix loses the marks between its rows."""
    return text.replace("\\\\", "\\")


def _unify_fractions(text: str) -> str:
    """Step 4: also where no backslash stands before the word."""
    return text.replace("tfrac", "frac").replace("dfrac", "frac")


def _drop_left_and_right(text: str) -> str:
    r"""Step 5: also as the start of another command, `\leftarrow`."""
    return text.replace("\\left", "").replace("\\right", "")


def _drop_degrees(text: str) -> str:
    """Step 6."""
    return text.replace("^{\\circ}", "").replace("^\\circ", "")


def _drop_escaped_dollars(text: str) -> str:
    """Step 7: a bare dollar stays."""
    return text.replace("\\$", "")


def _drop_units(text: str) -> str:
    r"""Step 8: everything from `\text{ ` on, whose space is part of the mark."""
    if "\\text{ " not in text:
        return text
    value, _, rest = text.partition("\\text{ ")
    if "\\text{ " in rest:
        raise _failed(text, r"`\text{ ` stands in it more than once")
    return value


def _drop_escaped_percents(text: str) -> str:
    r"""Step 9, which the release runs twice: `\\%%` goes whole. A bare percent sign stays."""
    return text.replace("\\%", "").replace("\\%", "")


def _lead_with_zero(text: str) -> str:
    """Step 10: a decimal point after a space, after a brace or at the start gets its zero. The text is not empty."""
    if "." not in text:
        return text
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    return "0" + text if text[0] == "." else text


def _drop_label(text: str) -> str:
    """Step 11: what stands before the only equals sign, where that is at most two characters, spaces among them."""
    label, _, value = text.partition("=")
    return value if len(label) <= 2 and text.count("=") == 1 else text


def _brace_roots(text: str) -> str:
    r"""Step 12: braces around the one character after `\sqrt`, were it a space or a bracket."""
    if "\\sqrt" not in text:
        return text
    before, *parts = text.split("\\sqrt")
    if not all(parts):
        raise _failed(text, r"nothing follows one `\sqrt`")
    return before + "".join(f"\\sqrt{part}" if part[0] == "{" else f"\\sqrt{{{part[0]}}}{part[1:]}" for part in parts)


def _drop_spaces(text: str) -> str:
    """Step 13."""
    return text.replace(" ", "")


def _brace_fractions(text: str) -> str:
    r"""Step 14: `\frac12` and `\frac1{72}`, not `\frac{72}1`; one short fraction leaves the whole text as it was."""
    if "\\frac" not in text:
        return text
    before, *parts = text.split("\\frac")
    done = [before]
    for part in parts:
        if not part:
            raise _failed(text, r"nothing follows one `\frac`")
        if part[0] == "{":
            done.append("\\frac" + part)
        elif len(part) == 1:
            return text
        elif part[1] == "{":
            done.append(f"\\frac{{{part[0]}}}{part[1:]}")
        else:
            done.append(f"\\frac{{{part[0]}}}{{{part[1]}}}{part[2:]}")
    return "".join(done)


def _half_as_fraction(text: str) -> str:
    """Step 15: no other decimal is read as a fraction."""
    return "\\frac{1}{2}" if text == "0.5" else text


def _ratio_as_fraction(text: str) -> str:
    """Step 16: whole numbers written as Python writes them, around the only slash."""
    if "/" not in text:
        return text
    ratio = _CANONICAL_RATIO.fullmatch(text)
    return f"\\frac{{{ratio[1]}}}{{{ratio[2]}}}" if ratio else text


def _failed(text: str, why: str) -> DataError:
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    hint = "The release compares such an answer as it stands; equivalent_official does so."
    return DataError(f"the release's code cannot normalise {shown!r}: {why}.", hint=hint)


# --- the corrected rule ---


def equivalent_corrected(first: str | None, second: str | None) -> bool:
    r"""Whether two answers agree, with the faults of the release's rule mended. Never raises.

    Reflexive but for blank answers, symmetric and transitive: two answers agree when their `canonical` forms are the
    same. None and blank text agree with nothing, not even with themselves.

    Mended, each against `equivalent_official`:

    1. Missing answers do not agree; an answer on which the release's code fails is still read.
    2. Numbers are compared as numbers: 1.0 and 1, 0.50 and 1/2, `\frac{2}{4}` and 0.5, exactly (0.333 is not 1/3).
       Signs come out of fractions. `1\frac12` and `1 1/2` are mixed numbers. `x/2` is `\frac{x}{2}`.
    3. Thousands: `1{,}000` and `10,\!000` everywhere, `1,000` and `1 000` where no bracket could make it a tuple.
       A list of three-digit numbers needs a space after its commas.
    4. Spaces part what they stand between (`1 2` is not 12), and LaTeX's own spaces are no characters.
    5. `\sqrt 3`, `\frac{3}4`, `\sqrt[3]2`, `x^{2}`, `\cdot`, `\times`, `\le` and `\leq`: one form each.
    6. Labels before the only equals sign or `\in` are a letter, a letter with an index, or `f(x)`; `xy = 5` stays.
    7. `\text{..}`, `\mathrm{..}` and `\mbox{..}` are transparent; `\text{(A)}`, `(A)` and `A` agree. Texts after a
       number are units, with a space or without, and which one plays no part; words that mean more (a.m., million)
       stay.
    8. `50\%` and `50%` are both 50, so that neither is 0.5; `\$5`, `$5$` are 5; degrees are left out as `^\circ`,
       `\degree` and the character.
    9. Only whole commands `\left` and `\right` go; matrices keep their rows.

    Not done, so as not to be looser than mathematics: order in lists, tuples and sets; powers, roots and sums are not
    evaluated; letters are not renamed, nor their case.

    >>> equivalent_corrected("1,000", "1000"), equivalent_corrected(r"-\frac{3}{4}", "-0.75")
    (True, True)
    >>> equivalent_corrected("(1,2)", "(2,1)"), equivalent_corrected("1/3", "0.333")
    (False, False)
    """
    if first is None or second is None:
        return False
    if first == second:
        return bool(first) and not first.isspace()
    left = canonical(first)
    return left is not None and left == canonical(second)


def canonical(text: str | None) -> Canonical | None:
    r"""The form under which `equivalent_corrected` compares; hashable, so answers can be counted by it.

    None for a missing or blank answer. A string, the text itself, where it is longer than `MAX_LENGTH`, nests too
    deeply, or is not balanced LaTeX; nothing else equals such a form.

    >>> canonical(r"x = \dfrac{2}{4}") == canonical("0.5")
    True
    >>> canonical(r"\frac{1}{2")
    '\\frac{1}{2'
    """
    if text is None:
        return None
    stripped = text.strip()
    if not stripped:
        return None
    if _PLAIN_INTEGER.fullmatch(stripped):
        return ("-", ("n", int(stripped[1:]), 1)) if stripped[0] == "-" else (("n", int(stripped), 1),)
    if len(stripped) > MAX_LENGTH:
        return stripped
    try:
        atoms = read(clean(stripped))
    except Unreadable:
        return stripped
    atoms = _without_letter_brackets(_without_label(atoms))
    return tuple(atoms) or stripped


def _without_label(atoms: list[Atom]) -> list[Atom]:
    r"""What stands after `x =`, `x_1 =`, `f(x) =`, `f^{-1}(x) =` or `x \in`, where there is one such sign."""
    for sign in ("=", r"\in"):
        if sign in atoms and atoms.count(sign) == 1:
            place = atoms.index(sign)
            if place + 1 < len(atoms) and _is_label(atoms[:place]):
                return atoms[place + 1 :]
    return atoms


def _is_label(atoms: list[Atom]) -> bool:
    if not atoms or not _is_letter(atoms[0]):
        return False
    rest = atoms[1:]
    while rest and (rest[0] == "'" or (type(rest[0]) is tuple and rest[0][0] == "_")):
        rest = rest[1:]
    if not rest:
        return True
    if rest[0] == ("^", ("-", ("n", 1, 1))):
        rest = rest[1:]
    return len(rest) == 3 and rest[0] == "(" and rest[2] == ")" and _is_letter(rest[1])


def _is_letter(atom: Atom) -> bool:
    return type(atom) is str and _LETTER.fullmatch(atom) is not None


def _without_letter_brackets(atoms: list[Atom]) -> list[Atom]:
    """`(A)` as `A`: the letter of an option."""
    if len(atoms) == 3 and atoms[0] == "(" and atoms[2] == ")" and atoms[1] in frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        return [atoms[1]]
    return atoms
