"""A tokenizer's pieces as words: which begin a word, which go on with one, and how they are written.

Belongs here: what samplers that draw pieces need to know of a tokenizer. Does not belong here: models.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pieces"]


@dataclass(frozen=True, eq=False)
class Pieces:
    """The vocabulary of a fast tokenizer of transformers."""

    tokenizer: Any

    @cached_property
    def _raw(self) -> list[str]:
        return [str(one) for one in self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer)))]

    @cached_property
    def _mark(self) -> str:
        """What marks a piece: "##" one that goes on, "Ġ" or "▁" one that begins."""
        return max(("Ġ", "▁", "##"), key=lambda mark: sum(one.startswith(mark) for one in self._raw))

    @cached_property
    def marked(self) -> NDArray[np.bool_]:
        """Pieces (V,) that bear the mark."""
        return np.array([one.startswith(self._mark) for one in self._raw])

    @cached_property
    def written(self) -> list[str]:
        """Each piece as text, without mark or space."""
        if self._mark == "##":
            return [one.removeprefix("##") for one in self._raw]
        if self._mark == "▁":
            return [one.replace("▁", " ").strip() for one in self._raw]
        return [_from_bytes(one).strip() for one in self._raw]

    @cached_property
    def words(self) -> NDArray[np.bool_]:
        """Pieces (V,) that are letters and digits alone, and nothing special."""
        special = set(self.tokenizer.all_special_ids)
        return np.array([text.isalnum() and number not in special for number, text in enumerate(self.written)])

    def alike(self, piece: int) -> NDArray[np.bool_]:
        """Pieces (V,) that can stand where `piece` does: words that begin, or go on, as it does."""
        return np.asarray(self.words & (self.marked == self.marked[piece]), dtype=np.bool_)

    def beginning(self, after_space: bool) -> NDArray[np.bool_]:
        """Pieces (V,) that begin a word, after a space or at a text's start."""
        if self._mark == "##":
            return self.words & ~self.marked
        return self.words & (self.marked if after_space else ~self.marked)

    @cached_property
    def lowers(self) -> bool:
        """Whether the tokenizer does not see capitals."""
        return bool(self.tokenizer.tokenize("A") == self.tokenizer.tokenize("a"))


@cache
def _bytes() -> dict[str, int]:
    """The bytes behind the characters of byte-level vocabularies (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(rest)}


def _from_bytes(piece: str) -> str:
    table = _bytes()
    if any(char not in table for char in piece):
        return piece
    return bytes(table[char] for char in piece).decode("utf-8", "replace")
