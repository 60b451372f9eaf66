"""From a question and an answer to token ids, by the rules of each family of models.

Belongs here: joining, special tokens, the cut on the left of the question. Does not belong here: computing.

The rules are those of Burns et al. 2022, section 3.1: decoders read a line break between question and answer; BERT-like
encoders their own separators; T5-like models a space, with line breaks of the question turned into spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gnomon.asks import Failed, Reading

__all__ = ["Line", "Liner", "TooLong"]


class TooLong(Exception):
    """An answer that alone is longer than the model reads."""


@dataclass(frozen=True, slots=True)
class Line:
    """Token ids of one text, how many belong to its end that must not be cut, and how many were cut from the left."""

    ids: tuple[int, ...]
    truncated: int = 0


@dataclass(frozen=True)
class Liner:
    """Texts to ids with one tokenizer.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    limit : int or None
        Most tokens that the model reads at once.
    start, end : sequence of int
        Special tokens around a single text.
    """

    tokenizer: Any
    limit: int | None
    start: tuple[int, ...]
    end: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any, limit: int | None) -> Liner:
        """With the special tokens that the tokenizer itself puts around a text."""
        plain = tokenizer("a", add_special_tokens=False, verbose=False)["input_ids"]
        whole = tokenizer("a", verbose=False)["input_ids"]
        at = next((at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), 0)
        return cls(tokenizer, limit, tuple(whole[:at]), tuple(whole[at + len(plain) :]))

    def plain(self, text: str) -> list[int]:
        """Ids of a text without special tokens."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if text else []
        return ids

    def single(self, question: str, rest: str) -> Line:
        """`question + rest` as one text, tokenised whole; the question loses its start where that is too long."""
        ids = self.plain(question + rest)
        if self.start and tuple(ids[: len(self.start)]) == self.start:  # a text may bring its own start token
            ids = ids[len(self.start) :]
        own = max(0, len(ids) - len(self.plain(question)))
        return self._fitted(ids, own if rest else min(1, len(ids)))

    def pair(self, question: str, answer: str) -> Line:
        """Question and answer as two segments, with the separators of the model's family."""
        whole: list[int] = self.tokenizer(question, answer, verbose=False)["input_ids"]
        if self.limit is None or len(whole) <= self.limit:
            return Line(tuple(whole))
        over = len(whole) - self.limit
        first = self.plain(question)
        if over > len(first):
            raise TooLong(
                f"an answer of {len(self.plain(answer)):,} tokens is longer than the {self.limit:,} that the "
                "model reads"
            )
        at = next((at for at in range(len(whole)) if whole[at : at + len(first)] == first), len(self.start))
        return Line(tuple(whole[:at] + whole[at + over :]), over)

    def _fitted(self, ids: list[int], kept: int) -> Line:
        room = None if self.limit is None else self.limit - len(self.start) - len(self.end)
        over = 0 if room is None else max(0, len(ids) - room)
        if over > len(ids) - kept:
            raise TooLong(f"an answer of {kept:,} tokens is longer than the {room:,} that the model reads")
        return Line((*self.start, *ids[over:], *self.end), over)


def joined(reading: Reading, answer: str, space: bool) -> tuple[str, str]:
    """Question and the rest of a decoder's text: a line break (or a space) between question and answer, unless one of
    them is empty or the question ends in white space already."""
    question = reading.question
    between = "" if not question or not answer or question[-1].isspace() else " " if space else "\n"
    return question, between + answer + reading.after


def flattened(text: str) -> str:
    """A T5-like model's text: its vocabulary knows no line break."""
    return text.replace("\n", " ")


def lines(reading: Reading, make: Any) -> Sequence[Line] | Failed:
    """`make(answer)` for every answer, or the failure that the first too long one is."""
    try:
        return [make(answer) for answer in reading.answers]
    except TooLong as error:
        return Failed(str(error))
