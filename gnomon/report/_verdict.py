"""A verdict as the templates read it: the badge's words, the conditions with their results, the tally.

Belongs here: what is said about a verdict and its conditions. Does not belong here: how a verdict is reached (the
questions), HTML (`templates/`), the terminal (`cli/_show.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from gnomon.blocks import Condition, Verdict
from gnomon.report._text import cut

__all__ = ["ConditionRow", "VerdictView", "verdict_view"]

_NAME, _SENTENCE = 200, 4000


@dataclass(frozen=True)
class ConditionRow:
    """One condition; `result` is "passed", "failed" or "not measured"."""

    name: str
    value: str
    bar: str
    result: str
    required: bool
    note: str


@dataclass(frozen=True)
class VerdictView:
    """A verdict ready to be laid out."""

    identified: bool
    reason: str
    tally: str
    rows: list[ConditionRow]
    requires: bool
    """Whether any condition is required, so that the mark of these is to be explained."""
    noted: bool
    """Whether any condition has a note."""
    headline: bool


def verdict_view(block: Verdict) -> VerdictView:
    """Lay out a verdict: texts cut, results in words, conditions counted.

    Examples
    --------
    >>> word = Condition(name="beats the planted word", value="0.61", bar="above 0.93", passed=False)
    >>> size = Condition(name="enough items", value="400", bar="at least 200", passed=True)
    >>> block = Verdict(name="ccs", identified=False, reason="It finds the word.", conditions=[word, size])
    >>> verdict_view(block).tally
    '1 of 2 conditions passed, 1 failed'
    """
    required = set(block.required)
    rows = [_row(one, one.name in required) for one in block.conditions]
    return VerdictView(
        identified=block.identified,
        reason=cut(block.reason, _SENTENCE),
        tally=_tally([row.result for row in rows]),
        rows=rows,
        requires=bool(required),
        noted=any(row.note for row in rows),
        headline=block.headline,
    )


def _row(one: Condition, required: bool) -> ConditionRow:
    result = "not measured" if one.passed is None else "passed" if one.passed else "failed"
    return ConditionRow(
        name=cut(one.name, _NAME),
        value=cut(one.value, _NAME),
        bar=cut(one.bar, _NAME),
        result=result,
        required=required,
        note=cut(one.note, _SENTENCE),
    )


def _tally(results: list[str]) -> str:
    count = {result: results.count(result) for result in ("passed", "failed", "not measured")}
    if not results:
        return "no conditions"
    plural = "" if len(results) == 1 else "s"
    parts = [f"{count['passed']:,} of {len(results):,} condition{plural} passed"]
    parts += [f"{count[result]:,} {result}" for result in ("failed", "not measured") if count[result]]
    return ", ".join(parts)
