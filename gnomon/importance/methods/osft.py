"""`osft`: the one-shot feature test. Belongs here: its statistic, the guard of shared inputs, its estimator."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from gnomon.errors import UsageError
from gnomon.importance._cautions import of_masked, of_sharing, of_smallest
from gnomon.importance._outputs import Outputs, SharedInputError
from gnomon.importance._select import Floats, knockoff_plus
from gnomon.importance._test import ImportanceTest

__all__ = ["OSFT", "test"]


_SAFE_CENTRES = 2


class OSFT(ImportanceTest):
    """The one-shot feature test (Burns, Thomason & Tansey 2020, arXiv:1904.00045).

    One counterfactual a hypothesis and no p-values. One-sided, t = Y - D; two-sided, t = (Y - c)^2 - (D - c)^2 with c
    the mean of `centres` further draws (one in the released code). Swapping Y and D flips t, so that a null t is as
    often above 0 as below; the knockoff+ rule counts the t's below to judge those above.

    Parameters
    ----------
    q : float
        The false-discovery rate to hold, in (0, 1). A selection has at least 1/q members.
    side : {"two", "one"}
    centres : int
        M >= 1, for two sides (ours beyond 1: at 5 most of the power that there is to gain).
    allow_shared : bool
        Let a one-sided test, or one with more than 2 centres, run on hypotheses that share an input, where it does NOT
        hold its rate.
    nan : {"raise", "mask"}

    Attributes
    ----------
    t_ : ndarray (m,)

    Notes
    -----
    The rule needs the signs of null t's to be independent across hypotheses. Those of one input share Y. One-sided,
    200 null hypotheses of one input gave a discovery in a third of runs at q = .1; two-sided in .05 with M = 1, .08
    with M = 2, .10 to .11 with M = 5, .13 with M = 20: the better the centre, the more an unusual Y makes all t's
    positive.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = np.r_[np.full(20, 6.0), rng.normal(size=40)]
    >>> found = OSFT(q=0.1, side="one").fit(Y, rng.normal(size=60), inputs=range(60))
    >>> int(found.selected_[:20].sum())
    20
    >>> from gnomon.importance import SharedInputError
    >>> try:
    ...     OSFT(side="one").fit(Y, rng.normal(size=60), inputs=[0] * 60)
    ... except SharedInputError as error:
    ...     print(str(error)[:53])
    60 of 60 hypotheses share their input with others, an
    """

    about: ClassVar[str] = "one draw a hypothesis (two-sided 1 + M); FDR by the knockoff+ rule"
    t_: Floats

    def __init__(
        self, q: float = 0.1, side: str = "two", centres: int = 1, allow_shared: bool = False, nan: str = "raise"
    ) -> None:
        self.q = q
        self.side = side
        self.centres = centres
        self.allow_shared = allow_shared
        self.nan = nan

    @property
    def columns(self) -> int:
        return 1 if self.side == "one" else 1 + self.centres

    def fit_outputs(self, outputs: Outputs) -> Self:
        if self.centres < 1:
            raise UsageError(f"centres={self.centres}: a two-sided test needs at least one.")
        self._check(outputs)
        self.guard(outputs)
        broken = outputs.broken(self.columns)
        self._sound(outputs, broken)
        self.t_ = np.where(broken, 0.0, self._t(outputs))
        with np.errstate(invalid="ignore"):
            reference = outputs.drawn[:, : self.columns].mean(axis=1)
            self.statistics_ = np.where(broken, 0.0, outputs.original - reference)
        chosen = knockoff_plus(self.t_, self.q)
        self.selected_, self.threshold_, self.q_values_ = chosen.selected, chosen.threshold, chosen.q_values
        how = "A two-sided OSFT held its level on such families in simulation, and is not proved to."
        if not self.holds_on_shared:
            how = "This OSFT does NOT hold its rate on such a family."
        self.cautions_ = of_masked(int(broken.sum()), outputs.m)
        self.cautions_ += of_smallest(outputs.m, self.q, int(self.selected_.sum()))
        self.cautions_ += of_sharing(outputs, False, how)
        return self

    def guard(self, outputs: Outputs) -> None:
        """Raise SharedInputError for a test that does not hold its rate on several hypotheses about one input."""
        shared = outputs.shared
        if self.allow_shared or not shared or self.holds_on_shared:
            return
        who = "one-sided OSFT" if self.side == "one" else f"OSFT with {self.centres} centres"
        raise SharedInputError(
            f"{shared:,} of {outputs.m:,} hypotheses share their input with others, and {who} then does not hold its "
            "false-discovery rate.",
            hint="Use the two-sided OSFT with 1 or 2 centres or IRT, give one hypothesis an input, or pass "
            "allow_shared=True ( --allow-shared ).",
        )

    @property
    def holds_on_shared(self) -> bool:
        """Whether the rate held in simulation where hypotheses share an input."""
        return self.side == "two" and self.centres <= _SAFE_CENTRES

    def _t(self, outputs: Outputs) -> Floats:
        Y, D = outputs.original, outputs.drawn
        with np.errstate(invalid="ignore", over="ignore"):
            if self.side == "one":
                return Y - D[:, 0]
            c = D[:, 1 : 1 + self.centres].mean(axis=1)
            return np.asarray((Y - c) ** 2 - (D[:, 0] - c) ** 2, dtype=np.float64)


test = OSFT
