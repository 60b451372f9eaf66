"""Contrast pairs of one task in one order: what is read, what is true, what shares an item, who learns and who tests.

Belongs here: the table of rows and its parts. Does not belong here: prompts (`tasks/`), states (`_read.py`), fits
(`_fit.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Reading
from gnomon.tasks import ContrastPair

__all__ = ["Mask", "Rows"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """`pairs` with a mask of those that are learned from; the other rows test.

    `feature` (n,), where given, is 1 where a planted feature points to the first answer.
    """

    pairs: tuple[ContrastPair, ...]
    train: Mask
    feature: NDArray[np.int64] | None = None
    suffix: str = ""
    """Told apart in reports, for example "with a planted word"."""
    after: str = ""
    _memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def test(self) -> Mask:
        return ~self.train

    @cached_property
    def readings(self) -> list[Reading]:
        return [Reading(pair.question, pair.answers, self.after) for pair in self.pairs]

    @cached_property
    def y(self) -> NDArray[np.int64]:
        """1 where the first answer is right."""
        return np.array([pair.label for pair in self.pairs], dtype=np.int64)

    @cached_property
    def templates(self) -> NDArray[Any]:
        return np.array([pair.template for pair in self.pairs])

    @cached_property
    def items(self) -> NDArray[Any]:
        return np.array([pair.item for pair in self.pairs])

    @cached_property
    def groups(self) -> NDArray[Any]:
        """What is not independent of what: by the group's name alone, across subsets and splits."""
        return np.array([pair.group for pair in self.pairs])

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """1 / number of the item's rows: an item that fits few templates weighs as much as one that fits all."""
        count = Counter(pair.item for pair in self.pairs)
        return np.array([1 / count[pair.item] for pair in self.pairs])

    def template_names(self) -> list[str]:
        return list(dict.fromkeys(pair.template for pair in self.pairs))

    def keep(self, mask: Mask) -> Rows:
        """The rows of `mask`, in order."""
        kept = tuple(pair for pair, wanted in zip(self.pairs, mask, strict=True) if wanted)
        return Rows(
            kept, self.train[mask], None if self.feature is None else self.feature[mask], self.suffix, self.after
        )

    def of(self, template: str, items: Iterable[str] | None = None) -> Rows:
        """The rows of one template, and of `items` where given."""
        return self.keep(self.where(template, items))

    def where(self, template: str, items: Iterable[str] | None = None) -> Mask:
        """Which rows `of` gives."""
        mask = np.asarray(self.templates == template, dtype=bool)
        return mask if items is None else mask & np.isin(self.items, list(items))

    def changed(
        self,
        change: Callable[[ContrastPair], ContrastPair],
        suffix: str,
        feature: Sequence[int] | None = None,
    ) -> Rows:
        """The same rows with other texts; the truth stays what it was."""
        column = None if feature is None else np.array(feature, dtype=np.int64)
        return Rows(tuple(change(pair) for pair in self.pairs), self.train, column, suffix, self.after)
