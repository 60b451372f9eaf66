"""What a subject said of every input and of its counterfactuals: the only thing that a test looks at.

Belongs here: the arrays, their checks, and the refusal of what may not be tested. Does not belong here: how they were
asked for (`_observe.py`), p-values (`methods/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import UsageError
from gnomon.importance._select import Floats, Mask

__all__ = ["Outputs", "SharedInputError", "shared_inputs"]


class SharedInputError(UsageError):
    """A test that needs hypotheses of different inputs was given several of one."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """A subject's outputs for m hypotheses.

    Parameters
    ----------
    original : array-like (m,)
        Y = f(x), the output on the input that hypothesis i is about, as it is.
    drawn : array-like (m, n)
        f(x~) on n counterfactuals, each with the group's features redrawn. NaN marks a draw that was not made.
    inputs : sequence (m,), optional
        Which input each hypothesis is about. Left out, hypotheses with one and the same Y are taken to be about one
        input, unless their outputs never change at all.
    keys : sequence of str (m,), optional
        A name for each hypothesis that does not depend on its place; by default its place. It seeds what is random.

    Examples
    --------
    >>> found = Outputs([1.0, 2.0], [[0.5, 0.1], [2.0, 2.5]], inputs=["a", "b"])
    >>> found.m, found.n, found.shared
    (2, 2, 0)
    """

    original: Floats
    drawn: Floats
    inputs: NDArray[Any]
    keys: tuple[str, ...] = ()

    def __init__(
        self,
        original: ArrayLike,
        drawn: ArrayLike,
        inputs: Sequence[Any] | NDArray[Any] | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        Y, D = np.asarray(original, dtype=np.float64), np.asarray(drawn, dtype=np.float64)
        if Y.ndim != 1 or not len(Y):
            raise UsageError(f"original outputs have shape {Y.shape}: give one number a hypothesis, at least one.")
        if D.ndim == 1 and len(D) == len(Y):
            D = D[:, None]
        if D.ndim != 2 or len(D) != len(Y) or not D.shape[1]:
            raise UsageError(
                f"drawn outputs have shape {D.shape} for {len(Y):,} hypotheses: give (m, n), n at least 1."
            )
        which = shared_inputs(Y, D) if inputs is None else np.asarray(inputs)
        if which.shape != Y.shape:
            raise UsageError(f"inputs name {which.shape} inputs for {len(Y):,} hypotheses: give one a hypothesis.")
        if keys and len(keys) != len(Y):
            raise UsageError(f"there are {len(keys):,} keys for {len(Y):,} hypotheses.")
        object.__setattr__(self, "original", Y)
        object.__setattr__(self, "drawn", D)
        object.__setattr__(self, "inputs", which)
        object.__setattr__(self, "keys", tuple(keys) or tuple(str(at) for at in range(len(Y))))

    @property
    def m(self) -> int:
        """Hypotheses."""
        return len(self.original)

    @property
    def n(self) -> int:
        """Draws a hypothesis."""
        return int(self.drawn.shape[1])

    @property
    def shared(self) -> int:
        """Hypotheses that share their input with another one."""
        _, which, count = np.unique(self.inputs, return_inverse=True, return_counts=True)
        return int((count[which] > 1).sum())

    def broken(self, columns: int | None = None) -> Mask:
        """Hypotheses (m,) whose Y or first `columns` draws are not finite."""
        return np.asarray(~np.isfinite(self.original) | ~np.isfinite(self.drawn[:, :columns]).all(axis=1), dtype=bool)


def shared_inputs(Y: Floats, D: Floats) -> NDArray[np.int64]:
    """Inputs guessed from outputs: equal Y is one input, a hypothesis that never moves is on its own."""
    _, which = np.unique(np.nan_to_num(Y), return_inverse=True)
    still = (Y[:, None] == D).all(axis=1)
    return np.where(still, len(Y) + np.arange(len(Y)), which).astype(np.int64)
