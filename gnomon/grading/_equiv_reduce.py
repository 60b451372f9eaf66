r"""Signs, fractions and products of atoms: the arithmetic half of `equivalence.equivalent_corrected`.

Belongs here: rules that hold for all values of the letters, each applied only where the reading is not in doubt (a
slash before a product, a fraction in the middle of one, are left alone). Does not belong here: LaTeX
(`_equiv_read.py`). No rule evaluates a power, a root or a sum.

Vocabulary: separators (commas, brackets, relations) cut a list of atoms into pieces, signs cut a piece into terms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

__all__ = ["Atom", "reduce"]

Atom: TypeAlias = str | tuple[Any, ...]

_NEUTRAL = frozenset(
    (
        r", ; : = < > & \le \ge \ne \in \notin \cup \cap \approx \equiv \cong \sim \rightarrow \leftarrow \implies "
        + r"\\"
    ).split()
)
# Nothing is multiplied across these: a first term begins after, a last term ends before them.
_OPENING = _NEUTRAL | {"(", "[", r"\{"}
_CLOSING = _NEUTRAL | {")", "]", r"\}"}
_SEPARATORS = _OPENING | _CLOSING | {"|", r"\|", r"\langle", r"\rangle", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil"}
_SIGNS = frozenset({"+", "-", r"\pm", r"\mp"})
# After these it is in doubt what a slash divides: the function's value or its argument.
_FUNCTION_NAMES = r"""
\sin \cos \tan \cot \sec \csc \arcsin \arccos \arctan \sinh \cosh \tanh \log \ln \lg \exp \lim \max \min \gcd \det
\sum \int \prod
"""
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())


def reduce(atoms: Sequence[Atom]) -> list[Atom]:
    """The atoms with signs, fractions and products in one form; equal lists mean equal mathematics, not the reverse.

    >>> reduce(["-", ("frac", ("-", ("n", 3, 1)), (("n", 4, 1),))])
    [('n', 3, 4)]
    >>> reduce(["x", "/", ("n", 2, 1)]) == reduce([("frac", ("x",), (("n", 2, 1),))])
    True
    """
    if len(atoms) == 1 and _plain(atoms[0]):
        return list(atoms)
    done: list[Atom] = []
    piece: list[Atom] = []
    before = ""
    for atom in atoms:
        if type(atom) is str and (atom in _SEPARATORS or atom.startswith((r"\begin{", r"\end{"))):
            done += _piece(piece, before, atom)
            done.append(atom)
            piece, before = [], atom
        else:
            piece.append(atom)
    return done + _piece(piece, before, "")


def _plain(atom: Atom) -> bool:
    """Whether an atom on its own cannot be reduced."""
    return atom != "*" if type(atom) is str else atom[0] != "frac"


def _piece(piece: list[Atom], before: str, after: str) -> list[Atom]:
    """A piece between the separators `before` and `after`, which are empty at the ends of the atoms."""
    if not piece or (len(piece) == 1 and _plain(piece[0])):
        return piece
    opens = not before or before in _OPENING or before.startswith(r"\begin")
    closes = not after or after in _CLOSING or after.startswith(r"\end")
    terms = _terms(piece)
    done: list[Atom] = []
    for place, (signs, term) in enumerate(terms):
        if not term:
            return done + signs  # signs with nothing after them: a one-sided limit, or a bracket follows
        starts = opens or bool(signs)
        ends = closes or place + 1 < len(terms)
        movable = starts and all(sign in ("+", "-") for sign in signs)
        term = _products(term, (place == 0 and before == ")"), (place + 1 == len(terms) and after == "("))
        negative, term = _term(term, starts and ends, starts, movable)
        if movable:
            odd = (signs.count("-") + negative) % 2
            alone = len(terms) == 1 and opens and closes
            if odd and not (alone and term == [("n", 0, 1)]):
                done.append("-")
            elif not odd and not (place == 0 and opens):
                done.append("+")
        else:
            done += signs
        done += term
    return done


def _terms(piece: list[Atom]) -> list[tuple[list[Atom], list[Atom]]]:
    """The signs before each term, and the term."""
    terms: list[tuple[list[Atom], list[Atom]]] = []
    signs: list[Atom] = []
    term: list[Atom] = []
    for atom in piece:
        if type(atom) is not str or atom not in _SIGNS:
            term.append(atom)
        elif term:
            terms.append((signs, term))
            signs, term = [atom], []
        else:
            signs.append(atom)
    if signs or term:
        terms.append((signs, term))
    return terms


def _numeric(atom: Atom) -> bool:
    """Whether an atom begins or ends with figures, so that leaving out a dot beside it could join two numbers."""
    return atom[0] in ("n", "frac") if type(atom) is tuple else "0" <= atom[0] <= "9"


def _products(term: list[Atom], after_bracket: bool, before_bracket: bool) -> list[Atom]:
    r"""Leave out the dot of `2 \cdot x`; `\times` is a dot beside a number, and may be a cross product elsewhere."""
    if "*" not in term and r"\times" not in term:
        return term
    done: list[Atom] = []
    last = len(term) - 1
    for place, atom in enumerate(term):
        if atom not in ("*", r"\times"):
            done.append(atom)
            continue
        left = term[place - 1] if place else None
        right = term[place + 1] if place < last else None
        figures = (left is not None and _numeric(left), right is not None and _numeric(right))
        if atom == r"\times" and not any(figures):
            done.append(atom)
        elif right is None:
            # Before a bracket a letter may be a function's name, so only a number loses its dot.
            if not (before_bracket and (figures[0] or (left is None and after_bracket))):
                done.append("*")
        elif figures[1] or right in ("*", r"\times", "/") or (left is None and not after_bracket):
            done.append("*")
    return done


def _term(term: list[Atom], whole: bool, starts: bool, movable: bool) -> tuple[bool, list[Atom]]:
    """Whether a sign came out of the term, and the term. `whole`: nothing is multiplied to it on either side."""
    negative = False
    if whole and len(term) > 2 and term[-2] == "/":
        top = term[:-2]
        doubtful = _script(top[0]) or _script(term[-1]) or any(atom == "/" or atom in _FUNCTIONS for atom in top)
        if not doubtful:
            return _slash(top, term[-1:])
    done: list[Atom] = []
    for place, atom in enumerate(term):
        powered = place + 1 < len(term) and _script(term[place + 1])
        if type(atom) is tuple and atom[0] == "frac":
            first = starts and not place
            mixed = starts and place == 1 and not powered and _mixed(term[0], atom)
            if mixed:
                done = [mixed]
                continue
            beside_figures = (bool(done) and _numeric(done[-1])) or (
                place + 1 < len(term) and _numeric(term[place + 1])
            )
            minus, atom = _fraction(atom, movable and first and not powered, not beside_figures)
            negative ^= minus
        done.append(atom)
    return negative, done


def _script(atom: Atom) -> bool:
    return type(atom) is tuple and atom[0] in ("^", "_")


def _slash(top: list[Atom], bottom: list[Atom]) -> tuple[bool, list[Atom]]:
    """A term `top / bottom` with one atom below: a mixed number (1 1/2), or a fraction."""
    if len(top) == 2 and all(type(atom) is tuple and atom[0] == "n" for atom in top):
        mixed = _mixed(top[0], ("frac", (top[1],), tuple(bottom)))
        return False, [mixed] if mixed else [*top, "/", *bottom]
    _, top = _term(top, False, True, False)
    _, bottom = _term(bottom, False, True, False)
    minus, atom = _fraction(("frac", tuple(top), tuple(bottom)), True, True)
    return minus, [atom]


def _mixed(whole: Atom, part: tuple[Any, ...]) -> Atom | None:
    r"""The number `1\frac12` where `whole` is a whole number and `part` a proper fraction of whole numbers."""
    top, bottom = part[1], part[2]
    if len(top) != 1 or len(bottom) != 1:
        return None
    n, p, q = _whole(whole), _whole(top[0]), _whole(bottom[0])
    if not (n > 0 and 0 < p < q):
        return None
    common = math.gcd(p, q)
    return ("n", (n * q + p) // common, q // common)


def _whole(atom: Atom) -> int:
    """The whole number that an atom is; 0 where it is something else."""
    return int(atom[1]) if type(atom) is tuple and atom[0] == "n" and atom[2] == 1 else 0


def _value(atoms: Sequence[Atom]) -> tuple[bool, int, int] | None:
    """Minus, p and q of atoms that are one number, with or without a minus."""
    minus = len(atoms) == 2 and atoms[0] == "-"
    if len(atoms) != 1 + minus:
        return None
    atom = atoms[-1]
    return (minus, atom[1], atom[2]) if type(atom) is tuple and atom[0] == "n" else None


def _fraction(atom: tuple[Any, ...], movable: bool, free: bool) -> tuple[bool, Atom]:
    """Whether a minus came out of a fraction, and the fraction: a number where both its parts are.

    `movable`: the minus may go before it. `free`: no figures stand right beside it, so that it may turn into a number.
    """
    top, bottom = atom[1], atom[2]
    p, q = _value(top), _value(bottom)
    if p and q and q[1]:
        minus = p[0] != q[0] and p[1] != 0
        if (minus and not movable) or not free:
            return False, atom
        above, below = p[1] * q[2], p[2] * q[1]
        common = math.gcd(above, below)
        return minus, ("n", above // common, below // common)
    if not movable:
        return False, atom
    minus = False
    if _single_negative(top):
        minus, top = not minus, top[1:]
    if _single_negative(bottom):
        minus, bottom = not minus, bottom[1:]
    return minus, ("frac", tuple(top), tuple(bottom))


def _single_negative(atoms: Sequence[Atom]) -> bool:
    """Whether atoms are a minus and one term, so that the minus is that of the whole."""
    return (
        len(atoms) > 1
        and atoms[0] == "-"
        and not any(type(atom) is str and (atom in _SIGNS or atom in _SEPARATORS) for atom in atoms[1:])
    )
