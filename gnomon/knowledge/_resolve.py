"""Which side of a label-free probe is "true": the study's three ways on its own rows.

Belongs here: from rows and compounds to what each way needs. Does not belong here: the ways themselves (`_signs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.knowledge._fit import Fitted, apply
from gnomon.knowledge._plants import Compounds
from gnomon.knowledge._read import Read, usable
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._signs import Sign, conjunction, few_labels, oracle

__all__ = ["Couples", "Resolver"]


@dataclass
class Couples:
    """Compounds whose states are there: `first` and `second` index the rows of the study, rows 2k and 2k + 1 of `rows`
    are the "and" and the "or" of couple k."""

    rows: Rows
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @classmethod
    def of(cls, compounds: Compounds, source: Rows, rows: Rows, states: Read) -> Couples:
        """The couples of `compounds` (made from `source`) of which both questions and both rows can be used."""
        where = {(pair.item, pair.template): index for index, pair in enumerate(rows.pairs)}
        at = [where.get((pair.item, pair.template), -1) for pair in source.pairs]
        good = usable(states, compounds.rows).mask
        couples = [
            (k, at[i], at[j])
            for k, (i, j) in enumerate(zip(compounds.first, compounds.second, strict=True))
            if at[i] >= 0 and at[j] >= 0 and good[2 * k] and good[2 * k + 1]
        ]
        mask = np.zeros(len(compounds.rows), dtype=bool)
        for k, _, _ in couples:
            mask[[2 * k, 2 * k + 1]] = True
        first, second = (np.array([couple[place] for couple in couples], dtype=np.int64) for place in (1, 2))
        return cls(compounds.rows.keep(mask), first, second)


@dataclass
class Resolver:
    """Signs for any probe on `rows`."""

    rows: Rows
    first: str
    """The template whose training rows give the few labels."""
    states: Read
    couples: Couples | None
    labels: int
    seed: int

    def resolve(self, fitted: Fitted, how: str) -> Sign:
        """The sign of `fitted` by one of the three ways."""
        rows = self.rows
        if how == "few-labels":
            mask = rows.train & (rows.templates == self.first)
            return few_labels(fitted.decisions[mask], rows.y[mask], k=min(self.labels, int(mask.sum())), seed=self.seed)
        if how == "oracle":
            return oracle(fitted.decisions[rows.test], rows.y[rows.test])
        return self._conjunction(fitted)

    def _conjunction(self, fitted: Fitted) -> Sign:
        couples = self.couples
        if couples is None or not len(couples.first):
            return Sign(1, "conjunction (unresolved)", 0.0, None, "no compound could be read")
        X = self.states.layer(couples.rows, fitted.layer)
        _, p = apply(fitted, X, couples.rows, renormalize=np.ones(len(couples.rows), dtype=bool))
        both, either = p[0::2], p[1::2]
        side = fitted.decisions > 0
        opposite = side[couples.first] != side[couples.second]
        return conjunction(both[opposite], either[opposite], both[~opposite], either[~opposite])
