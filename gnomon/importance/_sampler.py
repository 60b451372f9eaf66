"""What every sampler is: Q(x_S | what stays). The guarantee of a test is relative to it and to nothing else.

Belongs here: the contract, and the guard around other people's samplers. Does not belong here: any sampler.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from gnomon.errors import UsageError
from gnomon.importance._groups import Columns, Group, Region
from gnomon.registry import Registry

__all__ = ["Blank", "Sampler", "TableSampler", "drawn_rows", "samplers", "table"]

samplers = Registry(
    kind="sampler", package="gnomon.importance.samplers", attribute="sampler", group="gnomon.importance_samplers"
)


@dataclass(frozen=True, eq=False)
class Blank:
    """One thing to fill in: an input, the group whose features are drawn anew, how often, and the chance to use."""

    x: Any
    group: Group
    n: int
    rng: np.random.Generator


class Sampler(BaseEstimator):  # type: ignore[misc]
    """Draws from the full conditional of a group's features, given everything that stays in place.

    A subclass gives `sample`; one that is faster on many blanks together overrides `sample_many`. What is drawn for a
    blank may depend on its input, group and generator alone, so that company and order change nothing.
    """

    kind: ClassVar[str] = "table"
    """"table", "text" or "image"."""
    about: ClassVar[str] = ""
    leaves_open: ClassVar[str] = ""
    """Which assumption is left to the reader, as half a sentence after "valid as far as"."""
    deterministic: bool = False

    @property
    def exact(self) -> bool:
        """Whether this is the true conditional law, known and not estimated."""
        return False

    def fit(self, X: Any) -> Self:
        """Learn from data that are not explained; raises UsageError for data that cannot be learnt from."""
        return self

    @abstractmethod
    def sample(self, x: Any, group: Any, n: int, rng: np.random.Generator) -> Sequence[Any] | NDArray[Any]:
        """n counterfactuals: whole inputs in which only the group's features differ from x."""

    def sample_many(self, blanks: Sequence[Blank]) -> list[Sequence[Any] | NDArray[Any]]:
        """`sample` for each blank."""
        return [self.sample(_copy(one.x), one.group, one.n, one.rng) for one in blanks]

    def digest(self) -> dict[str, Any]:
        """What defines the draws: name and parameters, for a run's identity."""
        return {"name": type(self).__name__, **{key: str(value)[:200] for key, value in self.get_params().items()}}


class TableSampler(Sampler):
    """A sampler of rows (d,) of a table."""

    kind: ClassVar[str] = "table"
    d_: int

    def sample(self, x: Any, group: Columns, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(n, d): x with the group's columns drawn anew."""
        x = np.asarray(x, dtype=np.float64)
        self._fits(x, group)
        rows = np.repeat(x[None], n, axis=0)
        if group.at:
            at = np.asarray(group.at)
            stays = np.setdiff1d(np.arange(len(x)), at)
            rows[:, at] = self._draw(x, at, stays, n, rng)
        return rows

    @abstractmethod
    def _draw(
        self, x: NDArray[Any], at: NDArray[Any], stays: NDArray[Any], n: int, rng: np.random.Generator
    ) -> NDArray[Any]:
        """(n, len(at)) values of the columns `at`, given those of the columns `stays`."""

    def _fits(self, x: NDArray[Any], group: Columns) -> None:
        if not hasattr(self, "d_") and self.exact:
            self.fit(None)
        if not hasattr(self, "d_"):
            raise UsageError(f"{type(self).__name__} has seen no data.", hint="Call fit(X) first.")
        if x.shape != (self.d_,):
            raise UsageError(f"a row has shape {x.shape}, and the sampler knows {self.d_} columns.")
        if group.at and not 0 <= min(group.at) <= max(group.at) < self.d_:
            raise UsageError(f"group '{group.name}' names columns {group.at} of {self.d_}.")


def table(X: ArrayLike, who: str) -> NDArray[np.float64]:
    """`X` as finite float64 (n, d) with at least two rows; raises UsageError else."""
    found = np.asarray(X, dtype=np.float64)
    if found.ndim != 2 or len(found) < 2 or not found.shape[1]:
        raise UsageError(f"{who} was given data of shape {found.shape}: give (n, d), at least two rows.")
    if bad := int((~np.isfinite(found)).sum()):
        raise UsageError(f"{who} was given {bad:,} values that are NaN or infinite.", hint="Fill or drop them first.")
    return found


def drawn_rows(sampler: Sampler, blanks: Sequence[Blank]) -> list[list[Any]]:
    """The counterfactuals of each blank, checked: as many as asked, apart from each other, with what stays in place.

    Raises UsageError that names the group where a sampler breaks its contract.
    """
    before = [_copy(one.x) for one in blanks]
    made = sampler.sample_many(blanks)
    if len(made) != len(blanks):
        raise UsageError(f"{type(sampler).__name__} filled {len(made)} of {len(blanks)} blanks.")
    found = []
    for blank, x, given in zip(blanks, before, made, strict=True):
        rows = list(given)
        who = f"{type(sampler).__name__} (group '{blank.group.name}')"
        if len(rows) != blank.n:
            raise UsageError(f"{who} gave {len(rows)} draws where {blank.n} were asked for.")
        if isinstance(x, np.ndarray):
            rows = _kept(rows, x, blank.group, who)
        found.append(rows)
    return found


def _kept(rows: list[Any], x: NDArray[Any], group: Group, who: str) -> list[NDArray[Any]]:
    arrays = [row for row in rows if isinstance(row, np.ndarray) and row.base is None]
    if len({id(row) for row in arrays}) < len(arrays):
        raise UsageError(f"{who} gave one and the same array for several draws.", hint="Return a new array a draw.")
    stack = np.array(rows, dtype=x.dtype)
    if stack.shape[1:] != x.shape:
        raise UsageError(f"{who} gave draws of shape {stack.shape[1:]} for an input of shape {x.shape}.")
    inside = np.zeros(x.shape, dtype=np.bool_)
    if isinstance(group, Columns):
        inside[list(group.at)] = True
    elif isinstance(group, Region):
        inside[group.at] = True
    moved = (stack != x[None])[:, ~inside]
    if moved.any():
        raise UsageError(
            f"{who} changed {int(moved.any(axis=0).sum()):,} values outside its group.",
            hint="What stays must stay as it is: change only the group's features.",
        )
    return list(stack)


def _copy(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x
