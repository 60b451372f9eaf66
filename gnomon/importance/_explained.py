"""`irt` and `osft` as functions: from a subject and inputs, or from outputs, to discoveries with their guarantee.

Belongs here: one call for people with arrays. Does not belong here: runs (`_study.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.importance._cautions import Caution, of_draws
from gnomon.importance._groups import Group, columns
from gnomon.importance._guarantee import guarantee
from gnomon.importance._observe import Observed, observe
from gnomon.importance._outputs import Outputs
from gnomon.importance._sampler import Sampler
from gnomon.importance._select import Floats, Mask
from gnomon.importance._test import ImportanceTest
from gnomon.importance.methods.irt import IRT
from gnomon.importance.methods.osft import OSFT

__all__ = ["Explained", "irt", "osft", "tested"]


@dataclass(frozen=True, eq=False)
class Explained:
    """A fitted test with what it was fitted on.

    `cautions` are those of test and draws together; `guarantee` is what may be claimed, in sentences.
    """

    test: ImportanceTest
    outputs: Outputs
    observed: Observed | None
    cautions: list[Caution]
    guarantee: list[str]

    @property
    def selected(self) -> Mask:
        """The discoveries (m,)."""
        return self.test.selected_

    @property
    def p_values(self) -> Floats | None:
        """Of IRT (m,); None for OSFT, which has none."""
        return getattr(self.test, "p_values_", None)

    @property
    def threshold(self) -> float | None:
        return self.test.threshold_

    def table(self, shape: tuple[int, int]) -> Mask:
        """Discoveries as (inputs, groups), where every input has the same groups."""
        return self.selected.reshape(shape)


def tested(test: ImportanceTest, outputs: Outputs, sampler: Sampler | None, observed: Observed | None) -> Explained:
    """Fit `test` and gather what must be said of it."""
    if sampler is not None and sampler.deterministic and isinstance(test, IRT):
        raise UsageError(
            f"{type(sampler).__name__} always gives the same counterfactual, and IRT needs {test.draws:,} that differ.",
            hint="Use the one-sided OSFT with one group an input, or a sampler that draws.",
        )
    test.fit_outputs(outputs)
    known = None if sampler is None else sampler.exact
    said = "" if sampler is None else f"all is valid as far as {sampler.leaves_open}."
    cautions = of_draws(outputs, known, sampler is not None and sampler.deterministic, said)
    return Explained(test, outputs, observed, [*test.cautions_, *cautions], guarantee(test, outputs, sampler))


def irt(
    subject: Any,
    X: Any = None,
    sampler: Sampler | None = None,
    groups: Sequence[Group] | Callable[[Any], Sequence[Group]] | None = None,
    *,
    seed: int = 0,
    chunk: int = 4096,
    **settings: Any,
) -> Explained:
    """The interpretability randomization test of `subject` on `X`, or of given `Outputs`; see `IRT` for settings.

    >>> from gnomon.importance import Gaussian
    >>> law = Gaussian(mean=np.zeros(3), covariance=np.eye(3))
    >>> found = irt(lambda X: 2 * X[:, 0], [[4.0, 0.1, 0.2]], law, draws=99, q=0.1)
    >>> found.selected
    array([ True, False, False])
    """
    return _run(IRT(seed=seed, **settings), subject, X, sampler, groups, seed, chunk)


def osft(
    subject: Any,
    X: Any = None,
    sampler: Sampler | None = None,
    groups: Sequence[Group] | Callable[[Any], Sequence[Group]] | None = None,
    *,
    seed: int = 0,
    chunk: int = 4096,
    **settings: Any,
) -> Explained:
    """The one-shot feature test of `subject` on `X`, or of given `Outputs`; see `OSFT` for settings."""
    return _run(OSFT(**settings), subject, X, sampler, groups, seed, chunk)


def _run(
    test: ImportanceTest, subject: Any, X: Any, sampler: Sampler | None, groups: Any, seed: int, chunk: int
) -> Explained:
    if isinstance(subject, Outputs):
        return tested(test, subject, sampler, None)
    if X is None or sampler is None:
        raise UsageError("a test needs a subject, inputs and a sampler, or outputs.")
    if groups is None:
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2:
            raise UsageError(f"inputs have shape {X.shape}, and no groups were given.", hint="Give rows, or groups.")
        groups = columns(X.shape[1])
    adaptive = isinstance(test, IRT) and test.adaptive is not None
    goes_on = test.open if adaptive and isinstance(test, IRT) else None
    first = test.further if isinstance(test, IRT) else 0
    found = observe(subject, X, sampler, groups, test.columns, seed=seed, chunk=chunk, goes_on=goes_on, first=first)
    return tested(test, found.outputs, sampler, found)
