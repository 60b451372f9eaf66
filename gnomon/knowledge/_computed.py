"""What a study holds of one task once it is computed.

Belongs here: plain holders. Does not belong here: measuring (`_diagnose.py`, `_variants.py`) or showing
(`_summary.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Interval, Verdict
from gnomon.knowledge._answers import Own
from gnomon.knowledge._controls import RandomDirections, Restarts
from gnomon.knowledge._examine import PlantedAccuracy
from gnomon.knowledge._fit import Fitted, Grid
from gnomon.knowledge._measure import Measured
from gnomon.knowledge._plan import Part
from gnomon.knowledge._read import Usable
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._signs import Sign
from gnomon.knowledge._verdict import Evidence, Versus

__all__ = ["Agreement", "Checked", "Computed", "Refit", "Texts"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Texts:
    """How one table of texts was read; counts as in `Usable`, `used` of `rows`."""

    what: str
    rows: int
    used: int
    refused: int
    equal: int
    lost: int
    cut: int

    @classmethod
    def of(cls, what: str, good: Usable) -> Texts:
        """The counts of `good`."""
        return cls(what, len(good.mask), len(good.rows), good.refused, good.equal, good.lost, good.cut)


@dataclass(frozen=True)
class Refit:
    """One method under one change (another network, an erased direction, a prefix ...): accuracy on test rows.

    `versus` compares, where both were measured on the same rows, what was right without the change (`probe`) with what
    is right under it (`other`).
    """

    what: str
    method: str
    accuracy: float
    interval: Interval
    n: int
    versus: Versus | None = None


@dataclass
class Checked:
    """What one method showed at the chosen layer beyond its accuracy."""

    signs: dict[str, Sign] = field(default_factory=dict)
    planted: list[PlantedAccuracy] = field(default_factory=list)
    refits: list[Refit] = field(default_factory=list)
    restarts_agree: float | None = None
    loss: float | None = None
    shuffled_loss: float | None = None
    evidence: Evidence | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Agreement:
    """Share of test rows on which two of `names` say the same, the better of both signs, and of how many rows."""

    names: Sequence[str]
    values: Floats
    counts: NDArray[np.int64]


@dataclass
class Computed:
    """All that was computed of one task.

    `texts` says how every table was read, `reasons` why the first rows were not. `answers` are the model's own, `own`
    their margins on `rows` (zero-shot and calibrated; NaN where it gave none), `own_refits` what they are worth behind
    a prefix. `checked` has one entry a method; `restarts` is of CCS (of the first template, where each has its own).
    """

    part: Part
    rows: Rows
    grid: Grid
    layer: str
    texts: list[Texts] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    answers: Own | None = None
    measured: dict[str, Measured] = field(default_factory=dict)
    own: dict[str, Floats] = field(default_factory=dict)
    own_measured: dict[str, Measured] = field(default_factory=dict)
    own_refits: list[Refit] = field(default_factory=list)
    unplanted: dict[str, str] = field(default_factory=dict)
    checked: dict[str, Checked] = field(default_factory=dict)
    random: RandomDirections | None = None
    restarts: Restarts | None = None
    agreement: Agreement | None = None
    sizes: list[tuple[int, float, float, float]] = field(default_factory=list)

    @property
    def fitted(self) -> dict[str, Fitted]:
        """Every method at the chosen layer."""
        return {method: self.grid.fitted[method, self.layer] for method in self.grid.methods()}

    @property
    def refused(self) -> int:
        """Pairs that the model could not read, those of the diagnostics included."""
        return sum(one.refused for one in self.texts)

    def label_free(self) -> list[str]:
        """Methods that a verdict is about, the one that was asked for first in front."""
        return [name for name, one in self.fitted.items() if not one.probe.supervised and name != "random"]
