"""A picture as the templates read it: runs of one colour as paths, regions as an area and an edge.

Belongs here: geometry. Does not belong here: HTML (`templates/blocks.html`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.blocks import Picture, PictureRegion
from gnomon.report._text import cut

__all__ = ["PictureView", "Paint", "RegionView", "picture_view"]

_LABEL = 300


@dataclass(frozen=True)
class Paint:
    """All pixels of one colour."""

    path: str
    colour: str


@dataclass(frozen=True)
class RegionView:
    """A region: its pixels, its outline, what is said of it."""

    label: str
    selected: bool
    area: str
    edge: str


@dataclass(frozen=True)
class PictureView:
    """A picture ready to be laid out; selected regions come last, over the others' edges."""

    label: str
    width: int
    height: int
    rects: list[Paint]
    regions: list[RegionView]


def picture_view(block: Picture) -> PictureView:
    """Runs of equal pixels, gathered by colour, and the regions.

    >>> view = picture_view(Picture(title="t", width=2, height=1, pixels="ff0000ff0000", regions=[]))
    >>> view.rects
    [Paint(path='M0 0h2v1h-2z', colour='#ff0000')]
    """
    colours: dict[str, list[str]] = {}
    for y in range(block.height):
        line = [block.pixels[6 * (y * block.width + x) :][:6] for x in range(block.width)]
        start = 0
        for x in range(1, block.width + 1):
            if x == block.width or line[x] != line[start]:
                colours.setdefault(line[start], []).append(_rectangle(y, start, x - start))
                start = x
    paints = [Paint("".join(paths), f"#{colour}") for colour, paths in colours.items()]
    regions = [_region(one) for one in sorted(block.regions, key=lambda one: one.selected)]
    found = sum(one.selected for one in block.regions)
    label = f"{cut(block.title, _LABEL)}: {found} of {len(block.regions)} regions discovered"
    return PictureView(label, block.width, block.height, paints, regions)


def _rectangle(y: int, x: int, width: int) -> str:
    return f"M{x} {y}h{width}v1h-{width}z"


def _region(region: PictureRegion) -> RegionView:
    area = "".join(_rectangle(*run) for run in region.runs)
    return RegionView(cut(region.label, _LABEL), region.selected, area, _outline(region.runs))


def _outline(runs: Sequence[tuple[int, int, int]]) -> str:
    """The sides of pixels that have the region on one side only."""
    inside = {(y, x) for y, start, width in runs for x in range(start, start + width)}
    parts = []
    for y, x in sorted(inside):
        parts += [f"M{x} {y}h1"] if (y - 1, x) not in inside else []
        parts += [f"M{x} {y + 1}h1"] if (y + 1, x) not in inside else []
        parts += [f"M{x} {y}v1"] if (y, x - 1) not in inside else []
        parts += [f"M{x + 1} {y}v1"] if (y, x + 1) not in inside else []
    return "".join(parts)
