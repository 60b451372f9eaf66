"""What a reader must know of a study beside its numbers: what was left out or cut, where signs are from, what was off.

Belongs here: notes. Does not belong here: tables and curves (`_summary.py`, `_summary_checks.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gnomon.blocks import Note
from gnomon.knowledge._computed import Computed, Texts

if TYPE_CHECKING:
    from gnomon.knowledge._study import Settings, Study

__all__ = ["notes"]


def notes(study: Study, found: Sequence[Computed]) -> Iterator[Note]:
    """All notes of a finished study, task by task, then those on its settings."""
    for one in found:
        yield from _of_task(study.settings, one, study.limit)
    settings = study.settings
    if settings.sign == "oracle":
        text = "Signs were taken from the test labels (oracle): these accuracies are biased above chance."
        yield Note(level="warning", text=text)
    if settings.sign == "few-labels":
        text = f"Signs were settled by {_labels(found)} labels of training rows: one bit of supervision a probe."
        yield Note(level="info", text=text)
    if settings.transductive:
        text = "Test rows were normalised with their own statistics (transductive), as the paper's code does."
        yield Note(level="info", text=text)
    if not settings.diagnostics:
        text = "Nothing was planted, so nothing can be called identified (diagnostics were switched off)."
        yield Note(level="warning", text=text)


def _labels(found: Sequence[Computed]) -> str:
    """How many labels settled a sign, where the probes say so."""
    probes = [probe for one in found for fitted in one.fitted.values() for probe in fitted.probes.values()]
    named = [re.fullmatch(r"few-labels \((\d+)\)", probe.sign_source_) for probe in probes]
    counts = sorted({int(match[1]) for match in named if match is not None})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _of_task(settings: Settings, found: Computed, limit: int | None) -> Iterator[Note]:
    name = found.part.name
    for text in found.part.notes:
        yield Note(level="info", text=text)
    for one in found.texts:
        yield from _of_texts(name, one)
    for reason in found.reasons[:3]:
        yield Note(level="warning", text=f"Not read, of {name}: {reason}.")
    answers = found.answers
    if answers is not None and answers.failed:
        why = f" ({answers.reasons[0]})" if answers.reasons else ""
        text = f"{answers.failed:,} own answers to {name} were not given{why}; zero-shot is on the rest."
        yield Note(level="warning", text=text)
    if answers is not None and answers.cut:
        text = f"{answers.cut:,} pairs of {name} were too long to be answered whole: their question lost its start."
        yield Note(level="warning", text=text)
    uneven = {round(1 / float(weight)) for weight in found.rows.weight}
    if len(uneven) > 1:
        text = f"Items of {name} have {min(uneven)} to {max(uneven)} templates; each item weighs the same."
        yield Note(level="info", text=text)
    for method, fitted in found.fitted.items():
        if any(getattr(probe, "degenerate_", False) for probe in fitted.probes.values()):
            text = f"{method} at layer {found.layer} of {name}: the two largest eigenvalues are equal, so the direction"
            yield Note(level="warning", text=f"{text} is not determined.")
    share = float(found.rows.y.mean())
    if limit is None and found.own and abs(share - settings.prior) > 0.02:
        text = f"In a share of {share:.3f} of all pairs of {name} the first answer is right; calibrated zero-shot takes"
        yield Note(level="info", text=f"{text} it to be {settings.prior:g} (--prior).")


def _of_texts(name: str, one: Texts) -> Iterator[Note]:
    """What of one table of texts was left out or cut."""
    of = f"{one.rows:,} {one.what} of {name}"
    if one.equal:
        yield Note(level="deviation", text=f"{one.equal:,} of {of} were left out: both sides have the same states.")
    if one.cut:
        text = f"{one.cut:,} of {of} are too long for the model: the question lost its start."
        yield Note(level="warning", text=text)
    if one.lost:
        gone = "what they join was cut" if one.what == "compounds" else "what was planted in them was cut off"
        text = f"{one.lost:,} of {of} were left out: they are too long for the model, and {gone}."
        yield Note(level="warning", text=text)
