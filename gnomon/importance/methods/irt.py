"""`irt`: the interpretability randomization test. Belongs here: p-values, and their estimator."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from gnomon.errors import UsageError
from gnomon.importance._cautions import of_floor, of_masked, of_sharing
from gnomon.importance._outputs import Outputs
from gnomon.importance._select import RULES, Chosen, Floats, Mask, bh, by, ebh
from gnomon.importance._test import ImportanceTest
from gnomon.stats import stream

__all__ = ["CENTRES", "IRT", "test"]

CENTRES = {"auto": 0, "median": 0, "mean": 0, "draw": 1, "pilot": 20}
"""Where a two-sided test measures from, and how many further draws that costs."""


class IRT(ImportanceTest):
    """The interpretability randomization test (Burns, Thomason & Tansey 2020, arXiv:1904.00045).

    One-sided, p = (1 + #{k: D_k >= Y}) / (K + 1); two-sided, p = (1 + #{k: |D_k - c| >= |Y - c|}) / (K + 1). Under the
    hypothesis Y, D_1, ..., D_K are exchangeable, so p is valid exactly, at any K; ties count against a discovery.

    Parameters
    ----------
    draws : int
        K >= 1. The smallest p is 1 / (K + 1).
    q : float
        The false-discovery rate to hold, in (0, 1).
    side : {"two", "one"}
        Whether an output that is smaller than it would be counts too.
    rule : {"bh", "by", "ebh"}
        Benjamini-Hochberg (independence or PRDS), Benjamini-Yekutieli or e-BH (any dependence).
    centre : {"auto", "median", "mean", "draw", "pilot"}
        c. "draw" is the released code's, one further draw, which comes first in D; "median" and "mean" are of all K + 1
        values, and "pilot" is the median of 20 further draws (ours: more power). "auto" is the median, or the pilot
        where draws are adaptive.
    randomized : bool
        Ours: p = (#{D > Y} + U (1 + #{D = Y})) / (K + 1), U uniform on (0, 1] by the hypothesis's key and `seed`: of
        exact size where outputs are discrete, and with no floor; but it adds chance.
    adaptive : int or None
        Ours: stop drawing for a hypothesis at this many exceedances (Besag & Clifford 1991): p = h / l when the h-th
        comes at draw l. Hopeless hypotheses cost about h / p draws.
    nan : {"raise", "mask"}
    expected : float or None
        The share of true signals that you expect, for the caution about K.
    seed : int
        Of U.

    Attributes
    ----------
    p_values_ : ndarray (m,)
        In (0, 1].
    used_ : ndarray of int (m,)
        Draws that were looked at.
    e_values_ : ndarray (m,)
        What "ebh" selects by: 1 / (p H), H = 1 + 1/2 + ... + 1/(K + 1), whose expectation under the hypothesis is at
        most 1 (ours; 1 + log(K + 1) where draws are adaptive).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> D = rng.normal(size=(50, 99))
    >>> found = IRT(draws=99, q=0.1).fit(np.r_[np.full(10, 6.0), rng.normal(size=40)], D)
    >>> int(found.selected_[:10].sum()), float(found.p_values_.min())
    (10, 0.01)
    """

    about: ClassVar[str] = "p-values from K draws; FDR by BH, BY or e-BH"
    p_values_: Floats
    e_values_: Floats
    used_: np.ndarray[tuple[int], np.dtype[np.int64]]

    def __init__(
        self,
        draws: int = 100,
        q: float = 0.1,
        side: str = "two",
        rule: str = "bh",
        centre: str = "auto",
        randomized: bool = False,
        adaptive: int | None = None,
        nan: str = "raise",
        expected: float | None = None,
        seed: int = 0,
    ) -> None:
        self.draws = draws
        self.q = q
        self.side = side
        self.rule = rule
        self.centre = centre
        self.randomized = randomized
        self.adaptive = adaptive
        self.nan = nan
        self.expected = expected
        self.seed = seed

    @property
    def columns(self) -> int:
        return self.draws + self.further

    @property
    def further(self) -> int:
        """Draws that only say where a two-sided test measures from; the first columns of D."""
        return 0 if self.side == "one" else CENTRES.get(self._centre(), 0)

    def fit_outputs(self, outputs: Outputs) -> Self:
        self._settings()
        self._check(outputs)
        far, drawn = self.distances(outputs.original, outputs.drawn[:, : self.columns])
        count, more, self.used_ = self._counts(far, drawn)
        made = np.arange(drawn.shape[1]) < self.used_[:, None]
        broken = ~np.isfinite(far) | (made & ~np.isfinite(drawn)).any(axis=1)
        self._sound(outputs, broken)
        self.p_values_ = np.where(broken, 1.0, self._p(outputs, count, more))
        self.e_values_ = self._e()
        self._statistics(outputs, drawn, broken)
        chosen = self._choose()
        self.selected_, self.threshold_, self.q_values_ = chosen.selected, chosen.threshold, chosen.q_values
        self._caution(outputs, int(broken.sum()))
        return self

    def distances(self, Y: Floats, D: Floats) -> tuple[Floats, Floats]:
        """What is compared: (m,) of the input and (m, K) of its counterfactuals, larger is more unusual."""
        if self.side == "one":
            return Y, D
        first, D = D[:, : self.further], D[:, self.further :]
        if self.further:
            c = np.median(first, axis=1)
        else:
            every = np.concatenate([Y[:, None], D], axis=1)
            c = np.median(every, axis=1) if self._centre() == "median" else every.mean(axis=1)
        with np.errstate(invalid="ignore"):
            return np.abs(Y - c), np.abs(D - c[:, None])

    def open(self, Y: Floats, D: Floats) -> Mask:
        """Hypotheses (m,) that need more draws than the columns of D, where draws are adaptive."""
        if self.adaptive is None or D.shape[1] <= self.further:
            return np.ones(len(Y), dtype=np.bool_)
        far, drawn = self.distances(Y, D)
        return np.asarray((drawn >= far[:, None]).sum(axis=1) < self.adaptive, dtype=np.bool_)

    def _centre(self) -> str:
        if self.centre != "auto":
            return self.centre
        return "median" if self.adaptive is None else "pilot"

    def _settings(self) -> None:
        if self.draws < 1:
            raise UsageError(f"draws={self.draws}: IRT needs at least one.")
        if self.rule not in RULES:
            raise UsageError(f"rule={self.rule!r} is not possible.", hint=f"Use one of {', '.join(RULES)}.")
        if self.centre not in CENTRES:
            raise UsageError(f"centre={self.centre!r} is not possible.", hint=f"Use one of {', '.join(CENTRES)}.")
        if self.adaptive is not None and self.adaptive < 1:
            raise UsageError(f"adaptive={self.adaptive}: stop after at least one exceedance, 10 for example.")
        if self.adaptive is not None and self.randomized:
            raise UsageError("a randomised p is not defined where draws are adaptive.", hint="Leave one of them out.")
        if self.adaptive is not None and self.side == "two" and self._centre() in ("median", "mean"):
            raise UsageError(
                f"centre={self.centre!r} looks at all draws, so draws cannot be adaptive.",
                hint="Use centre='pilot' or 'draw'.",
            )

    def _counts(self, far: Floats, drawn: Floats) -> tuple[Floats, Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """#{>=}, #{>} and draws looked at, for each hypothesis."""
        with np.errstate(invalid="ignore"):
            reached, above = drawn >= far[:, None], drawn > far[:, None]
        used = np.full(len(far), drawn.shape[1], dtype=np.int64)
        if self.adaptive is not None:
            so_far = np.cumsum(reached, axis=1)
            done = so_far >= self.adaptive
            used = np.where(done.any(axis=1), done.argmax(axis=1) + 1, used)
            reached = reached & (np.arange(drawn.shape[1]) < used[:, None])
        return reached.sum(axis=1).astype(np.float64), above.sum(axis=1).astype(np.float64), used

    def _p(self, outputs: Outputs, count: Floats, more: Floats) -> Floats:
        K = self.draws
        if self.randomized:
            U = np.array([1 - stream(self.seed, f"randomized p\0{key}").random() for key in outputs.keys])
            return np.asarray((more + U * (1 + count - more)) / (K + 1), dtype=np.float64)
        p = (1 + count) / (K + 1)
        if self.adaptive is not None:
            p = np.where(count >= self.adaptive, self.adaptive / self.used_, p)
        return np.asarray(p, dtype=np.float64)

    def _e(self) -> Floats:
        K = self.draws
        rank = np.maximum(1, np.ceil(self.p_values_ * (K + 1) - 1e-9)) / (K + 1)
        if self.adaptive is not None:
            return np.asarray(1 / (self.p_values_ * (1 + np.log(K + 1))), dtype=np.float64)
        return np.asarray(1 / (rank * (1 / np.arange(1, K + 2)).sum()), dtype=np.float64)

    def _choose(self) -> Chosen:
        if self.rule == "ebh":
            return ebh(self.e_values_, self.q)
        return (bh if self.rule == "bh" else by)(self.p_values_, self.q)

    def _statistics(self, outputs: Outputs, drawn: Floats, broken: Mask) -> None:
        values = outputs.drawn[:, self.further : self.columns]
        made = np.arange(values.shape[1]) < self.used_[:, None]
        with np.errstate(invalid="ignore"):
            mean = np.where(made, values, 0).sum(axis=1) / self.used_
            self.statistics_ = np.where(broken, 0.0, outputs.original - mean)

    def _caution(self, outputs: Outputs, broken: int) -> None:
        found = of_masked(broken, outputs.m)
        chosen = int(self.selected_.sum())
        if not self.randomized:
            strict = 1.0
            if self.rule == "by":
                strict = float((1 / np.arange(1, outputs.m + 1)).sum())
            if self.rule == "ebh":
                strict = float((1 / np.arange(1, self.draws + 2)).sum())
            found += of_floor(self.p_values_, self.q / strict, self.draws, self.expected, chosen)
        how = "BH held its level on such families in simulation, and is not proved to: rule='by' or 'ebh' is."
        self.cautions_ = found + of_sharing(outputs, self.rule != "bh", how)


test = IRT
