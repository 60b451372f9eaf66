"""What a result may consist of. A study's summary is a list of these blocks; report, terminal, JSON and comparison
read them and nothing else.

Belongs here: plain, persisted values. Does not belong here: how they are computed (`stats/`, the questions) or drawn
(`report/`).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Block",
    "Column",
    "Comparison",
    "Condition",
    "Curve",
    "Estimate",
    "Interval",
    "IntervalChart",
    "Mark",
    "Marked",
    "Matrix",
    "Note",
    "Picture",
    "PictureRegion",
    "Points",
    "Sample",
    "Samples",
    "Scatter",
    "Selected",
    "Selection",
    "Series",
    "Table",
    "Text",
    "Verdict",
]

Cell = str | int | float | bool | None
Status = Literal["ok", "unparsed", "refused", "truncated", "error", "timeout"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(_Frozen):
    """An interval for one quantity: `low <= high`, the confidence `level` in (0, 1), and the method's name.

    >>> Interval(low=0.2, high=0.4, method="Wilson").level
    0.95
    """

    low: float
    high: float
    level: float = Field(default=0.95, gt=0, lt=1)
    method: str

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Estimate(_Frozen):
    """One number and what it owes its reader: an interval, n, the method, the baselines beside it.

    `value` is None exactly when `reason` says why there is no number (nothing answered, or not identified).

    >>> Estimate(name="accuracy", value=0.25, n=100, method="micro mean").format()
    '0.250'
    >>> Estimate(name="accuracy", value=None, n=0, method="micro mean", reason="no item was answered").format()
    'not given: no item was answered'
    """

    kind: Literal["estimate"] = "estimate"
    name: str
    value: float | None
    interval: Interval | None = None
    n: int = Field(ge=0)
    groups: int | None = None
    """Number of independent clusters, where items share one (a passage, a scenario)."""
    method: str
    baselines: dict[str, float] = {}
    """For example `{"chance": 0.25, "majority class": 0.27}`, in the unit of `value`."""
    headline: bool = False
    """Whether a terminal shows this number first."""
    reason: str = ""

    @model_validator(mode="after")
    def _number_or_reason(self) -> Estimate:
        if (self.value is None) != bool(self.reason):
            raise ValueError(f"{self.name}: give a value, or a reason why there is none, and not both")
        return self

    def format(self, digits: int = 3) -> str:
        """The value to `digits` decimals, or the reason why there is none."""
        return f"not given: {self.reason}" if self.value is None else f"{self.value:.{digits}f}"


class Column(_Frozen):
    """A column of a `Table`: its label and how its numbers are shown."""

    label: str
    format: Literal["text", "integer", "fraction", "number", "p-value"] = "text"
    """`fraction` is shown to 3 decimals, `number` to 4 significant digits, `p-value` as `<0.001` or 3 decimals."""


class IntervalChart(_Frozen):
    """How to draw a `Table` as dots with intervals: the column index of each part."""

    label: int
    value: int
    low: int
    high: int
    colour: int | None = None
    reference: float | None = None
    """A vertical line, for example chance."""
    reference_label: str = ""


class Table(_Frozen):
    """Rows of cells. Every row has one cell a column; None is shown as an en dash.

    >>> Table(title="By level", columns=[Column(label="level")], rows=[["1"], ["2"]]).rows[1]
    ['2']
    """

    kind: Literal["table"] = "table"
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    caption: str = ""
    chart: IntervalChart | None = None
    headline: bool = False

    @model_validator(mode="after")
    def _rectangular(self) -> Table:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: row {number} has {len(row)} cells for {len(self.columns)} columns")
        return self


class Series(_Frozen):
    """One line of a `Curve`: equally long `x`, `y` and, where given, `low`, `high` and counts `n`."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    n: list[int] | None = None

    @model_validator(mode="after")
    def _equal_lengths(self) -> Series:
        for part in (self.y, self.low, self.high, self.n):
            if part is not None and len(part) != len(self.x):
                raise ValueError(f"{self.name}: parts of unequal length")
        return self


class Curve(_Frozen):
    """One quantity against another, for example a reliability curve, or accuracy by layer.

    With `x_names`, every x is a whole number that counts into them from 0, and the axis shows the names.

    >>> line = Series(name="ccs", x=[0, 2], y=[0.5, 0.8], low=[0.4, 0.7], high=[0.6, 0.9])
    >>> curve = Curve(title="By layer", x_label="layer", y_label="accuracy", series=[line], reference=0.5,
    ...               reference_label="chance", x_names=["embedding", "layer 1", "layer 2"], y_range=(0, 1))
    >>> curve.x_names[int(line.x[1])]
    'layer 2'
    """

    kind: Literal["curve"] = "curve"
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    diagonal: bool = False
    """Draw y = x as the reference, and both axes on [0, 1]."""
    reference: float | None = None
    """A horizontal line, for example chance."""
    reference_label: str = ""
    x_names: list[str] | None = None
    y_range: tuple[float, float] | None = None
    """The two ends of the y axis; what lies outside is not drawn. By default the range of the numbers."""
    caption: str = ""

    @model_validator(mode="after")
    def _named_and_ranged(self) -> Curve:
        if self.diagonal and (self.x_names is not None or self.y_range is not None):
            raise ValueError(f"{self.title}: a curve with a diagonal has both axes on [0, 1]: no x_names, no y_range")
        if self.y_range is not None and not self.y_range[0] < self.y_range[1]:
            raise ValueError(f"{self.title}: y_range {self.y_range} does not go upward")
        if self.x_names is not None:
            count = len(self.x_names)
            for x in (x for one in self.series for x in one.x):
                if not (x.is_integer() and 0 <= x < count):
                    raise ValueError(f"{self.title}: x = {x:g} is no position among {count} x_names, counted from 0")
        return self


class Points(_Frozen):
    """One group of a `Scatter`: equally long `x`, `y` and, where given, a label a point."""

    name: str
    x: list[float]
    y: list[float]
    labels: list[str] | None = None

    @model_validator(mode="after")
    def _equal_lengths(self) -> Points:
        for part in (self.y, self.labels):
            if part is not None and len(part) != len(self.x):
                raise ValueError(f"{self.name}: parts of unequal length")
        return self


class Scatter(_Frozen):
    """Points that no line connects, for example the loss and the accuracy of every restart of a probe.

    With `log_x` every x must be above 0.

    >>> kept = Points(name="kept", x=[0.02], y=[0.81], labels=["restart 4"])
    >>> Scatter(title="Restarts", x_label="loss", y_label="accuracy", series=[kept], log_x=True).series[0].labels
    ['restart 4']
    """

    kind: Literal["scatter"] = "scatter"
    title: str
    x_label: str
    y_label: str
    series: list[Points]
    reference: float | None = None
    """A horizontal line, for example chance."""
    reference_label: str = ""
    log_x: bool = False
    caption: str = ""

    @model_validator(mode="after")
    def _has_logarithms(self) -> Scatter:
        least = min((x for one in self.series for x in one.x), default=1.0)
        if self.log_x and least <= 0:
            raise ValueError(f"{self.title}: x = {least:g} has no place on a logarithmic axis; leave out log_x")
        return self


class Matrix(_Frozen):
    """One fraction for every pair of a row and a column, for example accuracy by subject and level.

    `values` holds one list a row with one number in [0, 1] a column, None where there was nothing; `counts` says over
    how many items each was taken.

    >>> Matrix(title="By level", row_label="subject", column_label="level", rows=["Algebra"], columns=["1", "2"],
    ...        values=[[0.5, None]], counts=[[10, 0]]).values[0][1] is None
    True
    """

    kind: Literal["matrix"] = "matrix"
    title: str
    row_label: str
    column_label: str
    rows: list[str]
    columns: list[str]
    values: list[list[float | None]]
    counts: list[list[int]]
    centre: float | None = Field(default=None, ge=0, le=1)
    """A value that readers compare with, for example chance: shades then grow away from it, in one hue each way."""
    caption: str = ""
    headline: bool = False

    @model_validator(mode="after")
    def _rectangular(self) -> Matrix:
        for part in (self.values, self.counts):
            if len(part) != len(self.rows) or any(len(row) != len(self.columns) for row in part):
                raise ValueError(f"{self.title}: values or counts are not {len(self.rows)} by {len(self.columns)}")
        return self


class Comparison(_Frozen):
    """Two systems on the same items: `difference` is b minus a, in the unit of the compared score."""

    kind: Literal["comparison"] = "comparison"
    name: str
    a: str
    b: str
    value_a: float
    value_b: float
    difference: float
    interval: Interval
    p_value: float = Field(ge=0, le=1)
    test: str
    n: int = Field(gt=0)
    groups: int | None = None
    detectable: float | None = None
    """Smallest true difference that this many items show with 80% power at the 5% level."""

    @model_validator(mode="after")
    def _consistent(self) -> Comparison:
        if not math.isclose(self.difference, self.value_b - self.value_a, abs_tol=1e-9):
            raise ValueError(f"{self.name}: difference {self.difference} is not {self.value_b} - {self.value_a}")
        return self


class Condition(_Frozen):
    """One thing that a `Verdict` asks for: what was found, the bar that it is held against, and whether it passed.

    `value` and `bar` are shown as they are, such as "0.812" and "above 0.554, the 95th percentile of 200 directions".
    """

    name: str
    value: str
    bar: str
    passed: bool | None
    """None where it was not measured."""
    note: str = ""


class Verdict(_Frozen):
    """Whether a result may be read as what it is named after, the reason in one sentence, and every condition.

    `identified` needs at least one condition that passed, none that failed, and none of `required` left unmeasured.

    >>> word = Condition(name="beats the planted word", value="0.61", bar="above 0.93", passed=False)
    >>> verdict = Verdict(name="boolq · ccs", identified=False, reason="It finds the word.", conditions=[word])
    >>> verdict.conditions[0].passed
    False
    """

    kind: Literal["verdict"] = "verdict"
    name: str
    identified: bool
    reason: str
    """One sentence; never empty."""
    conditions: list[Condition]
    required: list[str] = []
    """Names of conditions without which nothing is identified: not having measured one is as bad as its failing."""
    caption: str = ""
    headline: bool = True

    @model_validator(mode="after")
    def _follows(self) -> Verdict:
        passed = {one.name: one.passed for one in self.conditions}
        if len(passed) < len(self.conditions):
            raise ValueError(f"{self.name}: two conditions have the same name")
        if not self.reason.strip():
            raise ValueError(f"{self.name}: a verdict needs its reason")
        if unknown := [name for name in self.required if name not in passed]:
            raise ValueError(f"{self.name}: required, but not among the conditions: {', '.join(unknown)}")
        if self.identified:
            against = [name for name, one in passed.items() if one is False]
            against += [name for name in self.required if passed[name] is None]
            if against or not any(passed.values()):
                found = f"failed or not measured: {', '.join(against)}" if against else "no condition was measured"
                raise ValueError(f"{self.name}: not identified, for {found}")
        return self


class Selected(_Frozen):
    """One hypothesis of a `Selection`."""

    name: str
    effect: float
    p_value: float = Field(ge=0, le=1)
    q_value: float = Field(ge=0, le=1)
    n: int
    selected: bool


class Selection(_Frozen):
    """Many hypotheses tested together, and which were selected while the false-discovery rate is held at `q`."""

    kind: Literal["selection"] = "selection"
    title: str
    method: str
    q: float = Field(gt=0, lt=1)
    effect_label: str
    hypotheses: list[Selected]
    caption: str = ""


class Sample(_Frozen):
    """One unit as a reader sees it. All text here is hostile: it comes from data sets and models."""

    id: str
    subset: str
    status: Status
    correct: bool | None
    """None where nothing was graded."""
    prompt: str
    """What is particular to this unit (the shared start of the prompt is left out)."""
    answer: str
    target: str
    scores: dict[str, float] = {}
    verdicts: dict[str, str] = {}
    """What each of several graders or test cases said, for example `{"official": "right", "corrected": "wrong"}`."""


class Samples(_Frozen):
    """Units to browse: at most a few thousand of `total`; the rest is in records.jsonl."""

    kind: Literal["samples"] = "samples"
    title: str
    total: int
    samples: list[Sample]
    caption: str = ""


class Text(_Frozen):
    """Text to be shown exactly as it is, such as the first full prompt or the command that made the run."""

    kind: Literal["text"] = "text"
    title: str
    text: str
    caption: str = ""


class Mark(_Frozen):
    """Characters `start` to `end` (end excluded) of a `Marked` text."""

    start: int = Field(ge=0)
    end: int
    kind: Literal["gold", "found", "both"]
    """A reference span, one that a model found, or a model's that matches a reference."""
    label: str
    probability: float | None = None


class Marked(_Frozen):
    """A text with spans marked in place, such as a contract with its clauses. Marks may overlap.

    >>> Marked(title="A contract", text="Delaware law governs.", marks=[
    ...        Mark(start=0, end=12, kind="gold", label="Governing Law")]).marks[0].end
    12
    """

    kind: Literal["marked"] = "marked"
    title: str
    text: str
    marks: list[Mark]
    caption: str = ""
    legend: dict[str, str] = {}
    """What a kind is called here, such as `{"found": "discovered"}`; marks then show their labels on hover alone."""

    @model_validator(mode="after")
    def _inside(self) -> Marked:
        for mark in self.marks:
            if not mark.start < mark.end <= len(self.text):
                raise ValueError(f"{self.title}: mark {mark.start} to {mark.end} of {len(self.text)} characters")
        return self


class PictureRegion(_Frozen):
    """Pixels of a `Picture`, as horizontal runs (row, first column, columns); its label is shown on hover."""

    label: str
    runs: list[tuple[int, int, int]]
    selected: bool


class Picture(_Frozen):
    """A small image with regions over it; `pixels` are the bytes of its red, green and blue, row by row, in hex.

    >>> Picture(title="one red pixel", width=1, height=1, pixels="ff0000", regions=[]).height
    1
    """

    kind: Literal["picture"] = "picture"
    title: str
    width: int = Field(gt=0, le=256)
    height: int = Field(gt=0, le=256)
    pixels: str = Field(pattern="^[0-9a-f]*$")
    regions: list[PictureRegion]
    caption: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Picture:
        if len(self.pixels) != 6 * self.width * self.height:
            raise ValueError(f"{self.title}: {len(self.pixels)} hex digits for {self.width} by {self.height} pixels")
        return self


class Note(_Frozen):
    """A sentence that code wrote about this result: a deviation from the protocol, a warning, a remark."""

    kind: Literal["note"] = "note"
    level: Literal["info", "deviation", "warning"]
    text: str


_Numbers = Estimate | Table | Matrix | Curve | Scatter | Comparison | Selection | Verdict
Block = Annotated[
    _Numbers | Samples | Marked | Picture | Text | Note,
    Field(discriminator="kind"),
]
