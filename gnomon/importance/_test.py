"""What every test is: an estimator on outputs that says which hypotheses are discoveries.

Belongs here: the contract, what both tests check. Does not belong here: a test (`methods/`).

Symbols, everywhere in this room: Y = f(x) is the subject's output on an input; x~ is the input with the features of a
group S drawn again from Q(. | what stays); D = f(x~). The hypothesis (x, S) says that x_S is itself such a draw. f is a
test statistic only: any f gives a valid test.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from gnomon.errors import UsageError
from gnomon.importance._cautions import Caution
from gnomon.importance._outputs import Outputs
from gnomon.importance._select import Floats, Mask, checked_q
from gnomon.registry import Registry

__all__ = ["ImportanceTest", "tests"]

tests = Registry(kind="test", package="gnomon.importance.methods", attribute="test", group="gnomon.importance_tests")


class ImportanceTest(BaseEstimator):  # type: ignore[misc]
    """A test of many hypotheses at once, at a false-discovery rate q.

    Attributes
    ----------
    selected_ : ndarray of bool (m,)
        The discoveries.
    threshold_ : float or None
        The cut; None where nothing is selected.
    q_values_ : ndarray (m,)
        The smallest q at which each would be selected.
    statistics_ : ndarray (m,)
        Y minus its reference: how far, and in which direction, the output is from what it would be.
    cautions_ : list of Caution
        What a reader must know, computed.
    """

    about: ClassVar[str] = ""

    q: float
    side: str
    nan: str
    selected_: Mask
    threshold_: float | None
    q_values_: Floats
    statistics_: Floats
    cautions_: list[Caution]

    def fit(
        self,
        Y: ArrayLike,
        D: ArrayLike,
        inputs: Sequence[Any] | NDArray[Any] | None = None,
        *,
        keys: Sequence[str] = (),
    ) -> Self:
        """Test m hypotheses from outputs: see `Outputs` for the arguments; D has at least `columns` columns.

        Raises UsageError for outputs that are not finite (or counts them, with nan="mask"), too few draws, q outside
        (0, 1); SharedInputError where hypotheses of one input may not be tested together.
        """
        return self.fit_outputs(Outputs(Y, D, inputs, keys))

    @abstractmethod
    def fit_outputs(self, outputs: Outputs) -> Self:
        """As `fit`, from `Outputs`."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Draws a hypothesis that the test needs."""

    def _check(self, outputs: Outputs) -> None:
        checked_q(self.q)
        if self.side not in ("one", "two"):
            raise UsageError(f"side={self.side!r} is not possible.", hint="Use 'one' (is f(x) larger?) or 'two'.")
        if self.nan not in ("raise", "mask"):
            raise UsageError(f"nan={self.nan!r} is not possible.", hint="Use 'raise' or 'mask'.")
        if outputs.n < self.columns:
            raise UsageError(
                f"there are {outputs.n:,} draws a hypothesis, and this test needs {self.columns:,}.",
                hint="Draw more, or ask for fewer.",
            )

    def _sound(self, outputs: Outputs, broken: Mask) -> None:
        """Refuse, or pass over, hypotheses whose outputs are not finite."""
        if broken.any() and self.nan == "raise":
            first = int(np.argmax(broken))
            raise UsageError(
                f"{int(broken.sum()):,} of {outputs.m:,} hypotheses have outputs that are NaN or infinite; the first "
                f"is number {first} ({outputs.keys[first]!r}).",
                hint="Read log-odds off logits, not off probabilities of 0 or 1; or count them as not discovered with "
                "nan='mask'.",
            )
