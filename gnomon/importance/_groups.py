"""Groups: the features that are tested together. Columns of a table, words and sentences of a text, parts of an image.

Belongs here: naming and cutting. Does not belong here: what a group is filled with (`samplers/`).
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError

__all__ = ["Columns", "Group", "Region", "Spans", "boxes", "columns", "grid", "sentences", "superpixels", "words"]


@dataclass(frozen=True)
class Columns:
    """Columns of a table, by index; empty is allowed (it can never be discovered).

    >>> Columns("size", (0, 3)).key
    '0,3'
    """

    name: str
    at: tuple[int, ...]

    @property
    def key(self) -> str:
        """What names the group whatever its order among others."""
        return ",".join(map(str, self.at))

    @property
    def empty(self) -> bool:
        return not self.at


@dataclass(frozen=True)
class Spans:
    """Stretches of a text, (start, end) in characters with the end excluded, in order and apart.

    >>> Spans("fine", ((2, 6),)).key
    '2:6'
    """

    name: str
    at: tuple[tuple[int, int], ...]

    @property
    def key(self) -> str:
        return ",".join(f"{start}:{end}" for start, end in self.at)

    @property
    def empty(self) -> bool:
        return not any(end > start for start, end in self.at)


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of an image, as a mask (height, width) of bool."""

    name: str
    at: NDArray[np.bool_]

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self.at.shape).encode() + np.packbits(self.at).tobytes()).hexdigest()[:16]

    @property
    def empty(self) -> bool:
        return not self.at.any()


Group = Columns | Spans | Region
Grouping = Callable[[Any], Sequence[Group]]
"""From one input to its groups."""

_WORD = re.compile(r"\w+(?:['’\-]\w+)*", re.UNICODE)
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+|\n|$)", re.UNICODE)


def columns(d: int, names: Sequence[str] = ()) -> list[Columns]:
    """One group a column.

    >>> [group.name for group in columns(2, ["age", "height"])]
    ['age', 'height']
    """
    if names and len(names) != d:
        raise UsageError(f"{len(names)} names for {d} columns: give one each.")
    return [Columns(names[at] if names else f"column {at}", (at,)) for at in range(d)]


def words(text: str) -> list[Spans]:
    """One group a word; punctuation is no word, and a word with an apostrophe or hyphen is one.

    >>> [group.name for group in words("it's a well-made film .")]
    ["it's", 'a', 'well-made', 'film']
    """
    return [Spans(found.group(), ((found.start(), found.end()),)) for found in _WORD.finditer(text)]


def sentences(text: str) -> list[Spans]:
    """One group a sentence: up to a full stop, an exclamation or question mark, or a line's end.

    >>> [group.name for group in sentences("Good. I liked it!")]
    ['Good.', 'I liked it!']
    """
    found = []
    for match in _SENTENCE.finditer(text):
        inside = match.group().strip()
        if _WORD.search(inside):
            start = match.start() + match.group().index(inside)
            found.append(Spans(inside, ((start, start + len(inside)),)))
    return found


def grid(rows: int, columns: int) -> Grouping:
    """Cells of a grid laid over the image; cells differ by at most a pixel in size.

    >>> [group.name for group in grid(1, 2)(np.zeros((4, 4, 3)))]
    ['row 1, column 1', 'row 1, column 2']
    """
    if rows < 1 or columns < 1:
        raise UsageError(f"a grid of {rows} by {columns} cells has none.")

    def cells(image: NDArray[Any]) -> list[Region]:
        height, width = _size(image)
        if rows > height or columns > width:
            raise UsageError(f"a grid of {rows} by {columns} is finer than an image of {height} by {width} pixels.")
        down = np.linspace(0, height, rows + 1).round().astype(int)
        along = np.linspace(0, width, columns + 1).round().astype(int)
        return [
            _box(f"row {i + 1}, column {j + 1}", (height, width), (along[j], down[i], along[j + 1], down[i + 1]))
            for i in range(rows)
            for j in range(columns)
        ]

    return cells


def boxes(given: Sequence[tuple[int, int, int, int]]) -> Grouping:
    """The same boxes (x0, y0, x1, y1) in every image, ends excluded; they may overlap.

    >>> int(boxes([(0, 0, 2, 3)])(np.zeros((4, 4)))[0].at.sum())
    6
    """

    def cut(image: NDArray[Any]) -> list[Region]:
        return [_box(f"box {box[0]},{box[1]} to {box[2]},{box[3]}", _size(image), box) for box in given]

    return cut


def superpixels(n: int = 20, compactness: float = 10.0) -> Grouping:
    """About n segments of like colour (SLIC of scikit-image; install gnomon[explain])."""

    def segments(image: NDArray[Any]) -> list[Region]:
        try:
            slic = importlib.import_module("skimage.segmentation").slic
        except ImportError as error:
            raise UsageError("superpixels need scikit-image.", hint="pip install 'gnomon[explain]'") from error
        whole = np.asarray(image, dtype=np.float64)
        top = float(whole.max()) or 1.0
        labels = slic(whole / top, n_segments=n, compactness=compactness, channel_axis=-1 if whole.ndim == 3 else None)
        return [Region(f"superpixel {number}", labels == number) for number in np.unique(labels)]

    return segments


def _size(image: NDArray[Any]) -> tuple[int, int]:
    if image.ndim not in (2, 3):
        raise UsageError(f"an image has shape {image.shape}: give (height, width) or (height, width, channels).")
    return int(image.shape[0]), int(image.shape[1])


def _box(name: str, size: tuple[int, int], box: Sequence[int]) -> Region:
    mask = np.zeros(size, dtype=np.bool_)
    x0, y0, x1, y1 = (int(end) for end in box)
    if min(x0, y0) < 0 or x1 > size[1] or y1 > size[0] or x0 > x1 or y0 > y1:
        raise UsageError(f"{name} does not lie in an image of {size[1]} by {size[0]} pixels.")
    mask[y0:y1, x0:x1] = True
    return Region(name, mask)
