"""Passages as tokens for extractive question answering: what a window holds, and which characters a token stands for.

Belongs here: the text's way into tokens and back to its own characters. Does not belong here: windows and n-best lists
(`_qa_nbest.py`), running a model (`_highlighter.py`).

The model reads what the releases of SQuAD and CUAD show it: the words of the context, split at blank, tab, carriage
return, line feed and narrow no-break space, with one blank between two. Every token keeps the place of its characters
in the context as it was given, line ends and double blanks included.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ModelError

__all__ = ["Context", "Ints", "Layout", "Reader"]

Ints = NDArray[np.int64]

_BLANKS = np.array([0x20, 0x09, 0x0D, 0x0A, 0x202F], dtype=np.uint32)  # where the release splits words
_KEPT = 64  # contexts whose tokens are kept: many questions share one


@dataclass(frozen=True, slots=True)
class Layout:
    """Tokens that a pair of texts gets around it: `before` question `between` context `after`, and the segments.

    `segments` are the token type ids of before, question, between, context, after.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    segments: tuple[tuple[int, ...], int, tuple[int, ...], int, tuple[int, ...]]

    @property
    def special(self) -> int:
        """Number of tokens that are neither the question's nor the context's."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True, slots=True)
class Context:
    """A context as tokens.

    `ids`, `starts` and `ends` have shape (tokens,); characters `starts` to `ends` of `text`, the joined words, are the
    token's, without a blank at either end (a token that is a blank ends before it starts). `origin` has shape
    (characters of `text`,) and gives each one's place in the context.
    """

    ids: Ints
    starts: Ints
    ends: Ints
    text: str
    origin: Ints

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Characters of the context, end excluded, behind characters `start` to `end` > `start` of `text`."""
        return int(self.origin[start]), int(self.origin[end - 1]) + 1


class Reader:
    """Turns questions and contexts into tokens.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        A fast one, which knows the characters of its tokens. Its own settings for cutting and padding play no part.
    size : int
        Number of tokens that the model knows.

    Raises
    ------
    ModelError
        For a tokenizer without character offsets, one that puts its class token elsewhere than first, or one that
        gives tokens unknown to the model.
    """

    def __init__(self, tokenizer: Any, size: int) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{type(tokenizer).__name__} does not say which characters its tokens stand for, so spans cannot be "
                "given.",
                hint="Save a fast tokenizer (tokenizer.json) into the model's folder.",
            )
        self._tokenizer, self._size = tokenizer, size
        self._contexts: OrderedDict[str, Context] = OrderedDict()
        self._questions: dict[tuple[str, int], Ints] = {}
        self.layout = self._read_layout()
        self._prefix = self._read_prefix()

    def question(self, text: str, most: int) -> Ints:
        """Token ids of a question, its first `most`."""
        key = (text, most)
        if key not in self._questions:
            if len(self._questions) >= 4 * _KEPT:
                self._questions.clear()
            self._questions[key] = self._known(self._encode(_mended(text))["input_ids"][:most])
        return self._questions[key]

    def context(self, text: str) -> Context:
        """A context's tokens; the last few are kept."""
        found = self._contexts.pop(text, None) or self._read(text)
        self._contexts[text] = found
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)
        return found

    def _read(self, text: str) -> Context:
        codes = np.frombuffer(_mended(text).encode("utf-32-le"), dtype=np.uint32)
        blank = np.isin(codes, _BLANKS)
        words = np.flatnonzero(~blank)
        # One blank of each gap stays, the one before the next word: that is all that joining with blanks needs.
        kept = ~blank
        kept[:-1] |= ~blank[1:]
        kept[: words[0] if len(words) else len(codes)] = False
        origin = np.flatnonzero(kept)
        joined = np.where(blank[origin], np.uint32(0x20), codes[origin])
        whole = self._prefix + joined.tobytes().decode("utf-32-le") if len(words) else ""
        origin = np.concatenate([np.zeros(len(whole) - len(origin), dtype=np.int64), origin])
        encoded = self._encode(whole, offsets=True)
        offsets = np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        starts, ends = _trimmed(offsets, whole)
        return Context(self._known(encoded["input_ids"]), starts, ends, whole, origin)

    def _encode(self, text: str, offsets: bool = False) -> Any:
        return self._tokenizer(
            text,
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_offsets_mapping=offsets,
            verbose=False,
        )

    def _known(self, ids: list[int]) -> Ints:
        array = np.array(ids, dtype=np.int64)
        largest = int(array.max(initial=0))
        if largest >= self._size:
            raise ModelError(
                f"the tokenizer gives token {largest:,} and the model knows {self._size:,} tokens, so they do not "
                "belong together.",
                hint="Put the model's own tokenizer into its folder.",
            )
        return array

    def _read_layout(self) -> Layout:
        encoded = self._tokenizer(
            "a", "a", truncation=False, padding=False, return_token_type_ids=True, return_attention_mask=False
        )
        ids, types, parts = encoded["input_ids"], encoded["token_type_ids"], encoded.sequence_ids(0)
        if 0 not in parts or 1 not in parts or parts.index(0) > parts.index(1):
            raise ModelError("the tokenizer cannot put a question and a context into one sequence.")
        one, two = parts.index(0), parts.index(1)
        stops = (len(parts) - parts[::-1].index(0), len(parts) - parts[::-1].index(1))
        cuts = (slice(0, one), slice(stops[0], two), slice(stops[1], len(ids)))
        before, between, after = (tuple(ids[cut]) for cut in cuts)
        self._known([*before, *between, *after])
        first = self._tokenizer.cls_token_id
        if first in (*before[1:], *between, *after) and first not in before[:1]:
            raise ModelError(
                "the tokenizer does not put its class token first, where the score of 'no answer' is read.",
                hint="Use a model of the BERT, RoBERTa, ALBERT or DeBERTa families.",
            )
        segments = [tuple(types[cut]) for cut in cuts]
        return Layout(before, between, after, (segments[0], types[one], segments[1], types[two], segments[2]))

    def _read_prefix(self) -> str:
        """A blank, where it makes a context's first word like the others: the release gives one to every word of a
        RoBERTa. Nothing for a tokenizer that puts a blank there by itself and would see two."""
        ids = self._encode(" a a")["input_ids"]
        return " " if ids[: len(ids) // 2] == ids[len(ids) // 2 :] else ""


def _mended(text: str) -> str:
    """`text` with a replacement character for each half of a surrogate pair, which no tokenizer takes."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text) if _torn(text) else text


def _torn(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _trimmed(offsets: Ints, text: str) -> tuple[Ints, Ints]:
    """Starts and ends without the one blank that a token may have at either side."""
    starts, ends = offsets[:, 0].copy(), offsets[:, 1].copy()
    if text:
        blank = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32) == 0x20
        starts += (starts < len(text)) & blank[np.minimum(starts, len(text) - 1)]
        ends -= (ends > 0) & blank[np.maximum(ends - 1, 0)]
    return starts, ends
