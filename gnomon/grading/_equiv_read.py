r"""From LaTeX to atoms: the reading half of `equivalence.equivalent_corrected`.

Belongs here: what LaTeX writes in several ways and means the same (`\dfrac12`, `\frac{1}{2}`; `x^2`, `x^{2}`; thin
spaces, `\left(`). Does not belong here: arithmetic and signs (`_equiv_reduce.py`), words and units (`_equiv_clean.py`).

An atom is a string (a letter, a sign, a command with its backslash, a numeral that stays as written) or a tuple:
`("n", p, q)` is the number p/q >= 0 in lowest terms; `("frac", a, b)`, `("sqrt", index, a)`, `("^", a)`, `("_", a)`,
`("{", a)` and `("\\vec", a)` hold tuples of atoms.
"""

from __future__ import annotations

import math
import re

from gnomon.grading._equiv_reduce import Atom, reduce

__all__ = ["Unreadable", "number", "read"]

MAX_DEPTH = 40
MAX_DIGITS = 600
"""A longer numeral stays a string: below every limit that Python can set on the conversion (640)."""

_TOKEN = re.compile(r"(?P<number>(?:[0-9]+|(?=\.[0-9]))(?:\.[0-9]+)*)|\\(?P<command>[A-Za-z]+|.)|[^\s]", re.DOTALL)
# What makes the numeral before it no plain decimal: a base, an ellipsis, a repeating tail, a second point.
_TAIL = re.compile(r"\s*(?:_|\.|\\(?:overline|bar|dot|[lc]?dots|underline)(?![A-Za-z]))")
_TAIL_STARTS = ("_", ".", "\\", " ", "\n", "\t")
_ROW_SKIP = re.compile(r"\*?\s*\[\s*-?[0-9.]+\s*(?:pt|ex|em|mm|cm|in)\s*\]")
_ENVIRONMENT = re.compile(r"\s*\{([A-Za-z]+\*?)\}")
_NULL_DELIMITER = re.compile(r"\s*\.")

_IGNORED_COMMANDS = """
, ; : ! > $ % ( ) [ ] quad qquad thinspace displaystyle textstyle scriptstyle limits nolimits left right middle big
Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr degree rm hline
"""
_IGNORED = frozenset(_IGNORED_COMMANDS.split()) | {" ", "\n", "\t"}
_RENAMED = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "leq": "le",
    "leqslant": "le",
    "geq": "ge",
    "geqslant": "ge",
    "neq": "ne",
    "to": "rightarrow",
    "dots": "ldots",
    "cdots": "ldots",
    "varnothing": "emptyset",
}
_CHARACTERS = {
    "cdot": "*",
    "ast": "*",
    "lt": "<",
    "gt": ">",
    "vert": "|",
    "lvert": "|",
    "rvert": "|",
    "mid": "|",
    "lbrack": "[",
    "rbrack": "]",
    "lbrace": r"\{",
    "rbrace": r"\}",
}
_TRANSPARENT_COMMANDS = """
text textrm textnormal textit textbf mbox mathrm mathit boxed fbox operatorname
"""
_TRANSPARENT = frozenset(_TRANSPARENT_COMMANDS.split())
_ONE_ARGUMENT_COMMANDS = """
overline underline vec hat widehat bar tilde dot ddot overrightarrow mathbf mathbb mathcal mathfrak boldsymbol
"""
_ONE_ARGUMENT = frozenset(_ONE_ARGUMENT_COMMANDS.split())
# Commands that take no argument, so that braces after them only group.
_SYMBOL_COMMANDS = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau
upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega sin cos tan cot sec csc arcsin
arccos arctan sinh cosh tanh log ln lg exp lim max min gcd lcm deg det dim infty pm mp times div cup cap in notin
subset subseteq le ge ne approx equiv cong sim perp parallel angle triangle circ prime ldots rightarrow leftarrow
emptyset ell Re Im langle rangle lfloor rfloor lceil rceil { }
"""
_SYMBOLS = frozenset(_SYMBOL_COMMANDS.split())


class Unreadable(Exception):
    """Braces that do not balance, a command without its argument, or nesting too deep to follow."""


def number(numeral: str) -> Atom:
    """The atom of an unsigned decimal numeral; a string where it is too long, or starts with a needless zero.

    `007` may be a code, a time or digits in a base, so it stays `007`; `0.50` is 1/2.
    """
    whole, _, decimals = numeral.partition(".")
    if "." in decimals:
        return numeral  # a version or a section, where the last zero counts
    whole, decimals = whole or "0", decimals.rstrip("0")
    if len(whole) + len(decimals) > MAX_DIGITS or (whole[0] == "0" and len(whole) > 1):
        return f"{whole}.{decimals}" if decimals else whole
    if not decimals:
        return ("n", int(whole), 1)
    top, bottom = int(whole + decimals), 10 ** len(decimals)
    common = math.gcd(top, bottom)
    return ("n", top // common, bottom // common)


def read(text: str) -> list[Atom]:
    r"""The reduced atoms of an answer. Raises Unreadable.

    >>> read(r"x^2 + \dfrac 12") == read(r"x^{2}+\frac{1}{2}")
    True
    """
    atoms, _ = _Reader(text).sequence(0, "")
    return reduce(atoms)


class _Reader:
    """One pass over one text; every method takes a position and gives atoms with the position after them."""

    __slots__ = ("depth", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0

    def sequence(self, at: int, closing: str) -> tuple[list[Atom], int]:
        """Unreduced atoms up to `closing` (which is passed over), or to the end where it is empty."""
        text, end, atoms = self.text, len(self.text), list[Atom]()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        while at < end:
            character = text[at]
            if character.isspace() or character in "~$%":
                at += 1
            elif character == closing:
                self.depth -= 1
                return atoms, at + 1
            elif character == "}":
                raise Unreadable
            elif character == "{":
                found, at = self.group(at)
                atoms += found
            elif character in "^_":
                at = self.script(at, atoms)
            elif character == "\\" or character in ".0123456789":
                at = self.token(at, atoms)
            else:
                atoms.append(character)
                at += 1
        if closing:
            raise Unreadable
        self.depth -= 1
        return atoms, at

    def token(self, at: int, atoms: list[Atom]) -> int:
        """Add a numeral, a command or a lone dot to `atoms`."""
        match = _TOKEN.match(self.text, at)
        if match is None:  # pragma: no cover - `at` stands on a character that is no space
            raise Unreadable
        if command := match["command"]:
            return self.command(command, match.end(), atoms)
        numeral = match["number"]
        if not numeral:
            atoms.append(match[0])
        elif self.text[match.end() : match.end() + 1] in _TAIL_STARTS and _TAIL.match(self.text, match.end()):
            atoms.append(numeral)
        else:
            atoms.append(number(numeral))
        return match.end()

    def skip(self, at: int) -> int:
        """The next position that holds no space."""
        while at < len(self.text) and (self.text[at] == "~" or self.text[at].isspace()):
            at += 1
        return at

    def group(self, at: int) -> tuple[list[Atom], int]:
        """The atoms of braces that only group; kept together where a script follows, since it belongs to all."""
        atoms, at = self.sequence(at + 1, "}")
        if len(atoms) > 1 and self.text.startswith(("^", "_"), self.skip(at)):
            return [("{", tuple(reduce(atoms)))], at
        return atoms, at

    def argument(self, at: int) -> tuple[list[Atom], int]:
        """The unreduced atoms of one argument: a group, a command with its own arguments, or one character."""
        at = self.skip(at)
        if at >= len(self.text):
            raise Unreadable
        character = self.text[at]
        if character == "{":
            return self.sequence(at + 1, "}")
        if character in "}^_$":
            raise Unreadable
        if character != "\\":
            return [number(character) if "0" <= character <= "9" else character], at + 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        atoms: list[Atom] = []
        at = self.token(at, atoms)
        self.depth -= 1
        return atoms, at

    def script(self, at: int, atoms: list[Atom]) -> int:
        r"""Add `^...` or `_...`; degrees are left out, and an index comes before an exponent."""
        kind = self.text[at]
        found, at = self.argument(at + 1)
        if not found or (kind == "^" and found == [r"\circ"]):
            return at
        if kind == "^" and all(atom == r"\prime" for atom in found):
            atoms.extend("'" * len(found))
            return at
        atom = (kind, tuple(reduce(found)))
        if kind == "_" and atoms and type(atoms[-1]) is tuple and atoms[-1][0] == "^":
            atoms.insert(-1, atom)
        else:
            atoms.append(atom)
        return at

    def command(self, name: str, at: int, atoms: list[Atom]) -> int:
        """Add the command `name`, whose arguments begin at `at`."""
        name = _RENAMED.get(name, name)
        if name in _IGNORED:
            if name in ("left", "right") and (dot := _NULL_DELIMITER.match(self.text, at)):
                return dot.end()
            return at
        if name in ("frac", "binom"):
            top, at = self.argument(at)
            bottom, at = self.argument(at)
            atoms.append((name, tuple(reduce(top)), tuple(reduce(bottom))))
        elif name == "sqrt":
            at = self.root(at, atoms)
        elif name in _TRANSPARENT:
            found, at = self.argument(at)
            atoms += found
        elif name in _ONE_ARGUMENT:
            found, at = self.argument(at)
            atoms.append(("\\" + name, tuple(reduce(found))))
        elif name in ("begin", "end"):
            at = self.environment(name, at, atoms)
        elif name == "\\":
            skip = _ROW_SKIP.match(self.text, at)
            atoms.append("\\\\")
            at = skip.end() if skip else at
        else:
            atoms.append(_CHARACTERS.get(name) or "\\" + name)
            if name not in _SYMBOLS and name not in _CHARACTERS:
                at = self.arguments(at, atoms)
        return at

    def arguments(self, at: int, atoms: list[Atom]) -> int:
        """Add the groups after a command that is not known here; they may be its arguments, so they stay whole."""
        while self.text.startswith("{", at):
            found, at = self.sequence(at + 1, "}")
            atoms.append(("{", tuple(reduce(found))))
        return at

    def root(self, at: int, atoms: list[Atom]) -> int:
        r"""Add `\sqrt[index]{body}`; a square root's index 2 is left out."""
        index: list[Atom] = []
        start = self.skip(at)
        if self.text.startswith("[", start):
            index, at = self.sequence(start + 1, "]")
            index = [] if index == [("n", 2, 1)] else reduce(index)
        body, at = self.argument(at)
        atoms.append(("sqrt", tuple(index), tuple(reduce(body))))
        return at

    def environment(self, name: str, at: int, atoms: list[Atom]) -> int:
        r"""Add `\begin{pmatrix}` as one atom; a row separator right before an end says nothing."""
        match = _ENVIRONMENT.match(self.text, at)
        if match is None:
            raise Unreadable
        if name == "end" and atoms and atoms[-1] == "\\\\":
            atoms.pop()
        atoms.append(f"\\{name}{{{match[1]}}}")
        return match.end()
