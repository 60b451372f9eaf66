"""Text to token ids: where a context ends and its continuations begin, whatever the tokenizer.

Belongs here: the split, the start token, the cut on the left. Does not belong here: what is computed with the ids
(`_tree.py`, `_scorer.py`).

The convention is the field's (lm-evaluation-harness): encode `context + continuation` as one text; the continuation's
tokens are those beyond the number of tokens of the context alone. White space that ends a context goes to the
continuation. So " A" is one token for a tokenizer that has it, and two for one that does not, and the probability is
that of the whole in both cases.
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
    """Token ids of an ask: the context's and each continuation's; `truncated` were cut from the context's left."""

    context: Ids
    continuations: tuple[Ids, ...]
    truncated: int

    @property
    def longest(self) -> int:
        """Tokens that must be computed for the longest continuation: its last one is only read."""
        return len(self.context) + max(len(ids) for ids in self.continuations) - 1

    def sequences(self, ask: int, apart: bool = False) -> list[Sequence_]:
        """What is to be computed: the context with every first token read at its end, then each longer continuation.

        `apart`: each continuation with its own context, for models where even the first token's probability depends on
        the length of the whole input.
        """
        last = len(self.context) - 1
        reads = [
            tuple(Read(last + at, int(token), ask, number) for at, token in enumerate(ids))
            for number, ids in enumerate(self.continuations)
        ]
        inputs = [np.concatenate([self.context, ids[:-1]]) for ids in self.continuations]
        if apart:
            return [Sequence_(ids, own) for ids, own in zip(inputs, reads, strict=True)]
        first = Sequence_(self.context, tuple(own[0] for own in reads))
        return [first, *(Sequence_(ids, own[1:]) for ids, own in zip(inputs, reads, strict=True) if own[1:])]


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
        self._tokenizer, self.limit = tokenizer, limit
        self._before = self._start_tokens(bos)
        self._tails: dict[tuple[str, str], list[int]] = {}

    @property
    def start(self) -> tuple[int, ...]:
        """Ids that precede every text."""
        return tuple(self._before)

    def encode(self, asks: Sequence[Ask]) -> list[Encoded]:
        """Encode every ask; contexts in one batch, continuations by the last line before them, which many share."""
        stripped = [ask.context.rstrip() for ask in asks]
        contexts = self._batch(stripped)
        result = []
        for ask, text, context in zip(asks, stripped, contexts, strict=True):
            space = ask.context[len(text) :]
            conts = [self._continuation(text, context, space + continuation) for continuation in ask.continuations]
            result.append(self._fit(context or [self._start()], conts))
        return result

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, start token included where the tokenizer adds one; nothing is cut."""
        return self._batch(texts)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, start token included where the tokenizer adds one."""
        return [len(ids) for ids in self._batch(texts)]

    def _start_tokens(self, bos: str) -> list[int]:
        """Ids that precede every text. Those that a tokenizer puts after it (an end token) have no place here."""
        if bos == "no":
            return []
        if bos == "yes":
            if self._tokenizer.bos_token_id is None:
                raise ModelError("the tokenizer has no start token, as bos=yes asks.", hint="Leave out  -M bos .")
            return [self._tokenizer.bos_token_id]
        whole, plain = self._tokenizer("a", verbose=False)["input_ids"], self._plain("a")
        places = (at for at in range(len(whole)) if whole[at : at + len(plain)] == plain)
        before: list[int] = whole[: next(places, 0)]
        return before

    def _batch(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        before = self._before
        return [one if one[: len(before)] == before else [*before, *one] for one in ids]  # a text may bring its own

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _continuation(self, text: str, context: list[int], continuation: str) -> list[int]:
        """Ids of `continuation` after `text`."""
        cut = text.rfind("\n")
        tail = text[cut:] if cut >= 0 and len(text) - cut <= _TAIL else ""
        if tail:
            alone, joint = self._split(tail, ""), self._split(tail, continuation)
            # The tail is split in the context as it is alone, and the continuation does not reach its other end.
            if context[-len(alone) :] == alone and joint[:1] == alone[:1]:
                return self._filled(joint[len(alone) :], continuation)
        return self._filled(self._batch([text + continuation])[0][len(context) :], continuation)

    def _split(self, tail: str, continuation: str) -> list[int]:
        """Ids of a last line and what follows it, remembered: many asks end in the same line."""
        if (tail, continuation) not in self._tails:
            self._tails[tail, continuation] = self._plain(tail + continuation)
        return self._tails[tail, continuation]

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
        if self.limit is not None:
            longest = max(len(ids) for ids in continuations)
            if longest > self.limit:
                raise ModelError(
                    f"a continuation has {longest:,} tokens, more than the {self.limit:,} that the model can see."
                )
            over = max(0, len(context) + longest - 1 - self.limit)
        return Encoded(
            context=np.array(context[over:], dtype=np.int64),
            continuations=tuple(np.array(ids, dtype=np.int64) for ids in continuations),
            truncated=over,
        )
