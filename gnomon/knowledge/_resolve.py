"""Which side of a label-free probe is "true": the study's three ways on its own rows.

Belongs here: from rows and compounds to what each way needs. Does not belong here: the ways themselves (`_signs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.knowledge._fit import Fitted, apply
from gnomon.knowledge._plants import Compounds
from gnomon.knowledge._read import Read
from gnomon.knowledge._rows import Mask, Rows
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
    def of(cls, compounds: Compounds, source: Rows, rows: Rows, good: Mask) -> Couples:
        """The couples of `compounds` (made from `source`) of which both questions (`good`) and both rows can be
        used."""
        where = {(pair.item, pair.template): index for index, pair in enumerate(rows.pairs)}
        at = [where.get((pair.item, pair.template), -1) for pair in source.pairs]
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

    def settle(self, fitted: Fitted, how: str) -> Fitted:
        """`fitted` with every one of its probes the way round that `how` says."""
        signs = {name: self.resolve(fitted, how, name or self.first) for name in fitted.probes}
        found = {name: (sign.sign, sign.source) for name, sign in signs.items()}
        return fitted.turned(found, self.rows.templates)

    def unsettled(self, fitted: Fitted) -> Fitted:
        """`fitted` with the signs that were learned, so that a way of resolving them starts from there."""
        return fitted.turned(dict.fromkeys(fitted.probes, (1, "arbitrary")), self.rows.templates)

    def resolve(self, fitted: Fitted, how: str, template: str = "") -> Sign:
        """The sign of the probe of `template` (by default the first) by one of the three ways."""
        rows, name = self.rows, template or self.first
        some = rows.templates == name if len(fitted.probes) > 1 else np.ones(len(rows), dtype=bool)
        if how == "few-labels":
            mask = rows.train & (rows.templates == name)
            return few_labels(fitted.decisions[mask], rows.y[mask], k=min(self.labels, int(mask.sum())), seed=self.seed)
        if how == "oracle":
            mask = rows.test & some
            return oracle(fitted.decisions[mask], rows.y[mask])
        return self._conjunction(fitted.alone(name))

    def _conjunction(self, fitted: Fitted) -> Sign:
        couples = self.couples
        if couples is None or not len(couples.first):
            return Sign(1, "conjunction (unresolved)", 0.0, None, "no compound could be read whole")
        X = self.states.layer(couples.rows, fitted.layer)
        _, p = apply(fitted, X, couples.rows, renormalize=np.ones(len(couples.rows), dtype=bool))
        both, either = p[0::2], p[1::2]
        side = fitted.decisions > 0
        opposite = side[couples.first] != side[couples.second]
        return conjunction(both[opposite], either[opposite], both[~opposite], either[~opposite])
