"""A marked text as the templates read it: parted where marks begin and end, every part with the marks over it.

Belongs here: segments, the list of marks, what each says. Does not belong here: HTML (`templates/blocks.html`), filters
(`templates/marked.js`).

Marks may overlap and HTML elements may not, so the text is parted at every beginning and end. A part under several
marks names all of them, and wears the look of each kind that is among them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gnomon.blocks import Mark, Marked
from gnomon.report._format import format_cell
from gnomon.report._text import cut

__all__ = ["MarkView", "MarkedView", "Segment", "marked_lead", "marked_view"]

KINDS: tuple[Literal["gold", "found", "both"], ...] = ("gold", "found", "both")
_CHARACTERS, _MARKS = 1_000_000, 2000
_TITLE, _LABEL, _TAG, _EXCERPT, _NAMED = 200, 120, 48, 90, 12


@dataclass(frozen=True)
class MarkView:
    """One mark: `id` is the fragment that links lead to, `tag` what stands before its first character."""

    id: str
    number: int
    kind: str
    label: str
    probability: str
    tag: str
    excerpt: str


@dataclass(frozen=True)
class Segment:
    """Characters under the same marks. `title` names the marks; `starts` are those that begin here."""

    text: str
    kinds: str = ""
    numbers: str = ""
    title: str = ""
    starts: tuple[MarkView, ...] = ()


@dataclass(frozen=True)
class MarkedView:
    """A marked text ready to be laid out: marks in the order of the text, and segments that make up the text."""

    label: str
    marks: list[MarkView]
    segments: list[Segment]
    counts: list[tuple[str, int]]
    """Kinds in their fixed order, each with its number of marks."""
    mixed: bool
    """Whether marks of different kinds overlap."""
    legend: tuple[tuple[str, str, int], ...] = ()
    """Kind, what it is called here and how many there are, for blocks that name their kinds."""


def marked_lead(block: Marked) -> str:
    """Say how many marks there are of each kind, and what a page leaves out.

    >>> marked_lead(Marked(title="t", text="Delaware law", marks=[Mark(start=0, end=8, kind="gold", label="State")]))
    '12 characters, 1 mark: 1 gold, 0 found, 0 both.'
    """
    count = len(block.marks)
    if block.legend:
        return f"{count:,} {' and '.join(block.legend.values())}."
    kinds = ", ".join(f"{sum(mark.kind == kind for mark in block.marks):,} {kind}" for kind in KINDS)
    said = f"{len(block.text):,} characters, {count:,} mark{'' if count == 1 else 's'}"
    said += f": {kinds}." if count else "."
    if len(block.text) > _CHARACTERS:
        said += f" The text is cut after {_CHARACTERS:,} characters; the rest is in result.json."
    if count > _MARKS:
        said += f" The first {_MARKS:,} marks are shown; all are in result.json."
    return said


def marked_view(block: Marked, id: str) -> MarkedView:
    """Part a text at the ends of its marks.

    Parameters
    ----------
    block : Marked
        Texts over a million characters are cut, and marks past the first 2,000 left out; `marked_lead` says so.
    id : str
        What the ids of its marks begin with.

    Returns
    -------
    MarkedView
        Its segments, joined, are the text, each "\\r\\n" as "\\n".

    Examples
    --------
    >>> marks = [Mark(start=0, end=8, kind="gold", label="State"), Mark(start=4, end=12, kind="found", label="Law")]
    >>> view = marked_view(Marked(title="t", text="Delaware law governs", marks=marks), "x")
    >>> [(one.text, one.kinds) for one in view.segments]
    [('Dela', 'gold'), ('ware', 'gold found'), (' law', 'found'), (' governs', '')]
    """
    text = block.text[:_CHARACTERS]
    inside = (mark for mark in block.marks if mark.start < len(text))
    kept = sorted(inside, key=lambda mark: (mark.start, -mark.end))[:_MARKS]
    marks = [_mark(mark, text, id, number) for number, mark in enumerate(kept)]
    segments = _segments(text, kept, marks)
    return MarkedView(
        label=cut(block.title, _TITLE),
        marks=marks,
        segments=segments,
        mixed=any(" " in one.kinds for one in segments),
        counts=[(kind, sum(mark.kind == kind for mark in block.marks)) for kind in KINDS],
        legend=tuple(
            (kind, cut(name, _LABEL), sum(mark.kind == kind for mark in block.marks))
            for kind, name in block.legend.items()
        ),
    )


def _mark(mark: Mark, text: str, id: str, number: int) -> MarkView:
    probability = format_cell(mark.probability, "fraction") if mark.probability is not None else ""
    tag = f"{mark.kind} · {cut(mark.label, _TAG)}" + (f" {probability}" if probability else "")
    beginning = text[mark.start : min(mark.end, mark.start + 4 * _EXCERPT)]  # a mark may be as long as the text
    return MarkView(
        id=f"{id}-mark-{number + 1}",
        number=number,
        kind=mark.kind,
        label=cut(mark.label, _LABEL) or "(no label)",
        probability=probability,
        tag=tag,
        excerpt=cut(re.sub(r"\s+", " ", beginning).strip(), _EXCERPT),
    )


def _segments(text: str, kept: Sequence[Mark], marks: Sequence[MarkView]) -> list[Segment]:
    """Sweep over all beginnings and ends; `above` holds the marks over the current place, in order of beginning."""
    edges = sorted({0, len(text), *(mark.start for mark in kept), *(min(mark.end, len(text)) for mark in kept)})
    segments: list[Segment] = []
    above: list[int] = []
    coming = 0
    for start, end in itertools.pairwise(edges):
        above = [number for number in above if kept[number].end > start]
        first = coming
        while coming < len(kept) and kept[coming].start == start:
            coming += 1
        above += range(first, coming)
        piece = _lines(text, start, end)
        if above:
            over = [marks[number] for number in above]
            segments.append(_covered(piece, over, tuple(marks[first:coming])))
        elif piece:
            segments.append(Segment(piece))
    return segments


def _covered(piece: str, over: Sequence[MarkView], starts: tuple[MarkView, ...]) -> Segment:
    present = {mark.kind for mark in over}
    said = [f"{mark.kind}: {mark.label}" + (f", {mark.probability}" if mark.probability else "") for mark in over]
    if len(said) > _NAMED:
        said[_NAMED:] = [f"and {len(said) - _NAMED:,} more"]
    return Segment(
        text=piece,
        kinds=" ".join(kind for kind in KINDS if kind in present),
        numbers=" ".join(str(mark.number) for mark in over),
        title="\n".join(said),
        starts=starts,
    )


def _lines(text: str, start: int, end: int) -> str:
    """A slice with its line ends as line feeds; a pair that the slice cuts in two counts for the part with the feed."""
    piece = text[start:end].replace("\r\n", "\n")
    return piece[:-1] if piece.endswith("\r") and text[end : end + 1] == "\n" else piece
