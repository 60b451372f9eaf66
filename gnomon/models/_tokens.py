"""Text to token ids: where a context ends and its continuations begin, whatever the tokenizer.

Belongs here: the split, the start token, the cut on the left. Does not belong here: what is computed with the ids (`_tree.py`, `_scorer.py`).

The convention is the field's (lm-evaluation-harness): encode `context + continuation` as one text; the continuation's tokens are those beyond
the number of tokens of the context alone. White space that ends a context goes to the continuation. So " A" is one token
for a tokenizer that has it, and two for one that does not, and the probability is that of the whole in both cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.asks import Ask
from gnomon.errors import ModelError
from gnomon.models._tree import Ids, Read, Sequence_

__all__ = ["Encoded", "Encoder"]

_TAIL = 120  # characters; a longer last line is encoded jointly with its continuations, the slow and plain way


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of an ask: the context's and each continuation's; `truncated` tokens were cut from the context's left."""

    context: Ids
    continuations: tuple[Ids, ...]
    truncated: int

    @property
    def longest(self) -> int:
        """Tokens that must be computed for the longest continuation: its last one is only read."""
        return len(self.context) + max(len(ids) for ids in self.continuations) - 1

    def sequences(self, ask: int) -> list[Sequence_]:
        """What is to be computed: the context with every first token read at its end, then each longer continuation."""
        last = len(self.context) - 1
        first = tuple(Read(last, int(ids[0]), ask, number) for number, ids in enumerate(self.continuations))
        result = [Sequence_(self.context, first)]
        for number, ids in enumerate(self.continuations):
            if len(ids) > 1:
                reads = tuple(Read(last + at, int(ids[at]), ask, number) for at in range(1, len(ids)))
                result.append(Sequence_(np.concatenate([self.context, ids[:-1]]), reads))
        return result


class Encoder:
    """Encodes asks with a transformers tokenizer.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Its padding side and padding token play no part.
    limit : int or None
        Most tokens that the model can compute at once.
    bos : {"auto", "yes", "no"}
        Whether a start token precedes the context: as the tokenizer does by itself, always, never.
    """

    def __init__(self, tokenizer: Any, limit: int | None, bos: str = "auto") -> None:
        self._tokenizer, self._limit, self._bos = tokenizer, limit, bos
        self._tails: dict[tuple[str, str], list[int]] = {}

    def encode(self, asks: Sequence[Ask]) -> list[Encoded]:
        """Encode every ask; contexts in one batch, continuations by the last line before them, which is shared by many."""
        stripped = [ask.context.rstrip() for ask in asks]
        contexts = self._batch(stripped)
        result = []
        for ask, text, context in zip(asks, stripped, contexts, strict=True):
            space = ask.context[len(text) :]
            conts = [self._continuation(text, context, space + continuation) for continuation in ask.continuations]
            result.append(self._fit(context or [self._start()], conts))
        return result

    def count(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, start token included where the tokenizer adds one."""
        return [len(ids) for ids in self._batch(texts)]

    def _batch(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids = self._tokenizer(list(texts), add_special_tokens=self._bos != "no", verbose=False)["input_ids"]
        bos = self._tokenizer.bos_token_id
        if self._bos == "yes":
            ids = [one if one[:1] == [bos] else [bos, *one] for one in ids]
        return [one[1:] if one[:2] == [bos, bos] and bos is not None else one for one in ids]  # the text itself began with it

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _continuation(self, text: str, context: list[int], continuation: str) -> list[int]:
        """Ids of `continuation` after `text`."""
        cut = text.rfind("\n")
        tail = text[cut:] if 0 <= cut and len(text) - cut <= _TAIL else ""
        if tail:
            if (tail, continuation) not in self._tails:
                alone = self._plain(tail)
                self._tails[tail, ""] = alone
                self._tails[tail, continuation] = self._plain(tail + continuation)[len(alone) :]
            alone = self._tails[tail, ""]
            if context[-len(alone) :] == alone:  # the tail is split in the context as it is alone
                return self._filled(self._tails[tail, continuation], continuation)
        return self._filled(self._batch([text + continuation])[0][len(context) :], continuation)

    def _filled(self, ids: list[int], continuation: str) -> list[int]:
        """`ids`, or, where the tokenizer merged everything into the context, the continuation's own ids."""
        ids = ids or self._plain(continuation)
        if not ids:
            raise ModelError(
                f"the tokenizer gives no token for the continuation {continuation!r}, so it has no probability.",
                hint="Ask for a continuation that is not empty.",
            )
        return ids

    def _start(self) -> int:
        for ids in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if ids is not None:
                return int(ids)
        return 0

    def _fit(self, context: list[int], continuations: list[list[int]]) -> Encoded:
        """Cut the context on its left until the longest continuation fits; at least its last token stays."""
        over = 0
        if self._limit is not None:
            longest = max(len(ids) for ids in continuations)
            if longest > self._limit:
                raise ModelError(
                    f"a continuation has {longest:,} tokens and the model can see {self._limit:,}, so it cannot be scored."
                )
            over = max(0, len(context) + longest - 1 - self._limit)
        return Encoded(
            context=np.array(context[over:], dtype=np.int64),
            continuations=tuple(np.array(ids, dtype=np.int64) for ids in continuations),
            truncated=over,
        )
