"""How probable answers are in their places, for masked language models.

Belongs here: masking an answer and summing its tokens' log-probabilities. Does not belong here: hidden states
(`_reader.py`).

All tokens of an answer are masked at once, so that longer answers are no easier to guess from their own parts; the
prompt is the question, a space, the answer and what follows it (Burns et al. 2022, section 3.3.4, puts the label into
the middle of a text in this way).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gnomon.asks import Failed, Reading, Scored
from gnomon.errors import ModelError
from gnomon.models._reader import _filled, _padded
from gnomon.models._reader_text import Line, Liner

__all__ = ["Filler"]


@dataclass(frozen=True, slots=True)
class _Blank(Line):
    """A text with an answer masked: where it stands and which tokens it has."""

    at: int = 0
    answer: tuple[int, ...] = ()


class Filler:
    """Fills in blanks with one masked language model."""

    def __init__(self, model: Any, liner: Liner, budget: int) -> None:
        self._model, self._liner, self._budget = model, liner, budget
        mask = liner.tokenizer.mask_token_id
        if mask is None:
            raise ModelError("the tokenizer has no mask token, so no answer can be masked.")
        self._mask = int(mask)
        self.tokens_computed = 0
        self.remarks: list[str] = []

    def fill(
        self, readings: Sequence[Reading], skip: Callable[[int], bool]
    ) -> Iterator[list[tuple[int, Scored | Failed]]]:
        """Yield (index, log-probabilities of the answers), batches of like length."""
        texts: dict[int, list[_Blank]] = {}
        for index, reading in enumerate(readings):
            made = [self._blank(reading, answer) for answer in reading.answers]
            failed = next((one for one in made if isinstance(one, Failed)), None)
            if failed is None:
                texts[index] = [one for one in made if isinstance(one, _Blank)]
            elif not skip(index):
                yield [(index, failed)]
        order = sorted(texts, key=lambda index: max(len(one.ids) for one in texts[index]))
        for batch in _filled(order, texts, self._budget):  # type: ignore[arg-type]
            if not all(skip(index) for index in batch):
                done = self._scored(batch, texts)
                yield [one for one in done if not skip(one[0])]

    def _blank(self, reading: Reading, answer: str) -> _Blank | Failed:
        liner = self._liner
        question, after = liner.plain(reading.question), liner.plain(reading.after)
        tokens = liner.plain((" " if reading.question else "") + answer)
        if not tokens:
            return Failed(f"the tokenizer gives no token for the answer {answer!r}")
        rest = len(tokens) + len(after) + len(liner.start) + len(liner.end)
        over = 0 if liner.limit is None else max(0, len(question) + rest - liner.limit)
        if over > len(question):
            return Failed(
                f"an answer of {len(tokens):,} tokens is longer than the {liner.limit:,} that the model reads"
            )
        left = (*liner.start, *question[over:])
        return _Blank((*left, *[self._mask] * len(tokens), *after, *liner.end), over, len(left), tuple(tokens))

    def _scored(self, batch: Sequence[int], texts: dict[int, list[_Blank]]) -> list[tuple[int, Scored]]:
        flat = [one for index in batch for one in texts[index]]
        inputs, _ = _padded([one.ids for one in flat], self._model.device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits
            sums = []
            for row, one in enumerate(flat):
                spread = torch.log_softmax(logits[row, one.at : one.at + len(one.answer)].float(), dim=-1)
                sums.append(float(spread[torch.arange(len(one.answer)), list(one.answer)].sum()))
        self.tokens_computed += sum(len(one.ids) for one in flat)
        found, at = [], 0
        for index in batch:
            mine = texts[index]
            values = tuple(sums[at : at + len(mine)])
            at += len(mine)
            cut = max(one.truncated for one in mine)
            found.append((index, Scored(values, tuple(len(one.answer) for one in mine), cut)))
        return found
