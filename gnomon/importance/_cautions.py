"""Cautions that are computed from the numbers, so that nobody has to remember them.

Belongs here: what to warn of and when. Does not belong here: guarantees in words (`_guarantee.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.importance._outputs import Outputs
from gnomon.importance._select import Floats, checked_q, smallest_selection

__all__ = ["Caution", "draws_needed", "of_draws", "of_floor", "of_masked", "of_sharing", "of_smallest"]


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that a reader of this result must know. `kind` is one word for programs, `text` sentences for people.

    Kinds: floor, smallest, sharing, inexact, deterministic, unmoved, masked.
    """

    kind: str
    text: str


def draws_needed(m: int, q: float, rejections: int) -> int:
    """Least K at which BH at q can reject as many as `rejections` of m hypotheses: 1 / (K + 1) <= q R / m.

    >>> draws_needed(10_000, 0.1, 600), draws_needed(100, 0.05, 30), draws_needed(100, 0.05, 5)
    (166, 66, 399)
    """
    return max(1, math.ceil(m / (checked_q(q) * max(1, rejections)) - 1 - 1e-9))


def of_floor(p: Floats, q: float, K: int, expected: float | None, selected: int) -> list[Caution]:
    """The smallest p is 1 / (K + 1); BH rejects nothing unless enough hypotheses have it."""
    m = len(p)
    least = math.ceil(m / (q * (K + 1)) - 1e-9)
    lowest = int((p <= (1 + 1e-9) / (K + 1)).sum())
    if expected is not None:
        signals, said = math.ceil(expected * m - 1e-9), f"With the {expected:.0%} of signals that you expect"
    else:  # what is at the floor, less the nulls that are there by chance
        signals = math.ceil((lowest - m / (K + 1)) / (1 - 1 / (K + 1)) - 1e-9)
        said = f"{lowest:,} have it now, about {max(0, signals):,} more than chance"
    if selected or least <= 1 or signals >= least:
        return []
    text = f"With K = {K:,} draws the smallest possible p is 1/{K + 1:,}, so fewer than {least:,} of {m:,} hypotheses "
    text += f"cannot be selected at q = {q:g}. "
    if signals > 0:
        return [Caution("floor", text + f"{said}: K >= {draws_needed(m, q, signals):,} is needed.")]
    return [Caution("floor", text + f"One discovery alone needs K >= {draws_needed(m, q, 1):,}.")]


def of_smallest(m: int, q: float, selected: int) -> list[Caution]:
    """Knockoff+ selects at least 1/q hypotheses or none."""
    least = smallest_selection(q)
    if selected:
        return []
    if m < least:
        text = f"OSFT at q = {q:g} selects at least {least:,} hypotheses or none, and there are {m:,}: nothing can be "
        return [Caution("smallest", text + "discovered. Test more inputs together, raise q, or use IRT.")]
    text = f"OSFT at q = {q:g} selects at least {least:,} hypotheses or none; here none."
    return [Caution("smallest", text)]


def of_sharing(outputs: Outputs, exact: bool, how: str) -> list[Caution]:
    """Hypotheses of one input are dependent: they share f(x). `exact`: the rule holds under any dependence."""
    shared = outputs.shared
    if not shared or exact:
        return []
    text = f"{shared:,} of {outputs.m:,} hypotheses share their input, and with it f(x), with others, so they are not "
    return [Caution("sharing", f"{text}independent. {how}")]


def of_draws(outputs: Outputs, exact: bool | None, deterministic: bool, leaves_open: str) -> list[Caution]:
    """What the draws themselves and their sampler say."""
    found = []
    D, Y = outputs.drawn, outputs.original
    with np.errstate(invalid="ignore"):
        still = (
            np.fmax.reduce(D, axis=1) == np.fmin.reduce(D, axis=1) if D.shape[1] > 1 else np.zeros(len(D), dtype=bool)
        )
    unmoved = (np.isnan(D) | (Y[:, None] == D)).all(axis=1) & np.isfinite(Y)
    constant = int((still & ~unmoved).sum())
    if deterministic or (constant and constant >= 0.5 * int((~unmoved).sum())):
        text = (
            f"All draws of {constant:,} hypotheses give one output: the in-filler seems to be deterministic, so that "
        )
        found.append(
            Caution("deterministic", text + "one draw stands for all of them and a p-value of IRT means little.")
        )
    if count := int(unmoved.sum()):
        where = "all" if count == outputs.m else f"{count:,} of {outputs.m:,}"
        text = f"The output never moved for {where} hypotheses: the group is empty, the draws are the input itself, or "
        found.append(Caution("unmoved", text + "the model does not look there. They cannot be discovered."))
    if exact is False:
        found.append(Caution("inexact", f"The counterfactuals come from an approximation: {leaves_open}"))
    return found


def of_masked(count: int, m: int) -> list[Caution]:
    """Hypotheses left out since an output was not finite."""
    text = f"{count:,} of {m:,} hypotheses have outputs that are NaN or infinite; they count as not discovered (p = 1)."
    return [Caution("masked", text)] if count else []


def texts(cautions: Sequence[Caution]) -> list[str]:
    """The sentences alone."""
    return [one.text for one in cautions]
