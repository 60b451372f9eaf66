"""Hidden states of readings: decoders over shared prefixes, encoders and encoder-decoders in padded batches.

Belongs here: running a network over texts and taking the last token's states at every layer. Does not belong here:
joining (`_reader_text.py`), hooks (`_reader_layers.py`), loading (`hf.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.models._reader_layers import Taken, blocks_of, checked, closing_of, taking
from gnomon.models._reader_text import Line, Liner, flattened, joined, lines
from gnomon.models._scorer import Scorer
from gnomon.models._tree import Read, Sequence_

__all__ = ["DecoderReader", "EncoderReader", "TwoStackReader"]

Found = list[tuple[int, States | Failed]]
Skip = Callable[[int], bool]


class _Batches:
    """What all readers share: progress through lines, and results as soon as all answers of a reading are there."""

    def __init__(self, model: Any, layout: StateLayout, liner: Liner, shown: str) -> None:
        self._model, self._layout, self._liner, self._shown = model, layout, liner, shown
        self.tokens_computed = 0
        self.remarks: list[str] = []

    def _finish(self, held: dict[int, dict[int, NDArray[np.float32]]], texts: dict[int, Sequence[Line]]) -> Found:
        """The readings of `held` that are whole."""
        done: Found = []
        for index in [index for index, parts in held.items() if len(parts) == len(texts[index])]:
            parts = held.pop(index)
            values = np.stack([parts[answer] for answer in range(len(parts))])
            tokens = [len(line.ids) for line in texts[index]]
            cut = max(line.truncated for line in texts[index])
            done.append((index, checked(values, self._layout, tokens, cut)))
        return done


class DecoderReader(_Batches):
    """A causal language model: the question is computed once for all its answers, where its attention allows that.

    Parameters
    ----------
    scorer : Scorer
        Passes over shared prefixes, checked by it; it counts their tokens and keeps their remarks. The output head is
        never reached here.
    space : bool
        A space in place of a line break before the answer.
    """

    def __init__(self, model: Any, layout: StateLayout, liner: Liner, shown: str, scorer: Scorer, space: bool) -> None:
        super().__init__(model, layout, liner, shown)
        self._scorer, self._space = scorer, space
        base = model.base_model
        base = base.get_decoder() if hasattr(base, "get_decoder") and base.get_decoder() is not None else base
        self._base, self._blocks = base, blocks_of(base, len(layout.layers) - 1, shown)
        self._closing: Any = None

    def closed(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """States (n, width) after a block as they would leave the stack if it ended there."""
        if self._closing is None:
            self._closing = closing_of(self._base, self._blocks[-1], self._shown)
        with torch.inference_mode():
            given = torch.from_numpy(states).to(self._model.device, self._model.dtype)
            return np.asarray(self._closing(given).float().cpu().numpy(), dtype=np.float32)

    def represent(self, readings: Sequence[Reading], skip: Skip) -> Iterator[Found]:
        texts: dict[int, Sequence[Line]] = {}
        refused: Found = []
        for index, reading in enumerate(readings):
            found = lines(reading, lambda answer, one=reading: self._line(one, answer))
            if isinstance(found, Failed):
                refused.append((index, found))
            else:
                texts[index] = found
        if wanted := [one for one in refused if not skip(one[0])]:
            yield wanted
        order = list(texts)
        ids = {index: [np.array(line.ids, dtype=np.int64) for line in texts[index]] for index in order}
        self._scorer.refuse_unknown(one for several in ids.values() for one in several)

        def sequences(place: int, apart: bool) -> list[Sequence_]:
            index = order[place]
            return [Sequence_(one, (Read(len(one) - 1, 0, place, number),)) for number, one in enumerate(ids[index])]

        held: dict[int, dict[int, NDArray[np.float32]]] = {}
        with taking(self._blocks) as taken:
            walk = self._scorer.walk(
                [max(len(one) for one in ids[index]) for index in order],
                sequences,
                lambda place: skip(order[place]),
                lambda *given: self._forward(taken, *given),
            )
            for passed in walk:
                for read, state in passed:
                    held.setdefault(order[read.ask], {})[read.continuation] = state
                done = [one for one in self._finish(held, texts) if not skip(one[0])]
                if done:
                    yield done

    def _line(self, reading: Reading, answer: str) -> Line:
        return self._liner.single(*joined(reading, answer, self._space))

    def _forward(
        self,
        taken: Taken,
        ids: NDArray[Any],
        positions: NDArray[Any],
        mask: NDArray[Any] | None,
        places: list[tuple[int, int, Read]],
    ) -> Iterator[tuple[Read, NDArray[np.float32]]]:
        taken.want([row for row, _, _ in places], [column for _, column, _ in places], self._model.device)
        out = self._base(**self._scorer.inputs(ids, positions, mask))
        if not places:
            return
        taken.take(out.last_hidden_state)
        for (_, _, read), state in zip(places, taken.states(), strict=True):
            yield read, state


class EncoderReader(_Batches):
    """One stack that reads both ways (BERT, RoBERTa, DeBERTa, ELECTRA, ...), or a decoder without a head."""

    def __init__(
        self, model: Any, layout: StateLayout, liner: Liner, shown: str, budget: int, decoder: bool, space: bool
    ) -> None:
        super().__init__(model, layout, liner, shown)
        self._budget, self._decoder, self._space = budget, decoder, space
        self._blocks = blocks_of(model, len(layout.layers) - 1, shown)

    def represent(self, readings: Sequence[Reading], skip: Skip) -> Iterator[Found]:
        yield from _in_batches(self, readings, skip, self._line, self._states)

    def _line(self, reading: Reading, answer: str) -> Line:
        if self._decoder:
            return self._liner.single(*joined(reading, answer, self._space))
        if reading.after or not reading.question or not answer:
            between = " " if reading.question and answer else ""
            return self._liner.single(reading.question, between + answer + reading.after)
        return self._liner.pair(reading.question, answer)

    def _states(self, texts: Sequence[Line]) -> NDArray[np.float32]:
        with taking(self._blocks) as taken, torch.inference_mode():
            inputs, ends = _padded([line.ids for line in texts], self._model.device)
            taken.want(range(len(texts)), ends, self._model.device)
            taken.take(self._model(**inputs).last_hidden_state)
        return taken.states()


class TwoStackReader(_Batches):
    """An encoder-decoder, both ways: question and answer in the encoder; question in the encoder, answer in the
    decoder."""

    def __init__(self, model: Any, layout: StateLayout, liner: Liner, shown: str, budget: int) -> None:
        super().__init__(model, layout, liner, shown)
        self._budget = budget
        names = [name.split(" ")[0] for name in layout.layers]
        self._encoder, self._decoder = model.get_encoder(), model.get_decoder()
        self._above = blocks_of(self._encoder, names.count("encoder") - 1, shown)
        self._below = blocks_of(self._decoder, names.count("decoder") - 1, shown)
        self._start = int(model.config.decoder_start_token_id or 0)

    def represent(self, readings: Sequence[Reading], skip: Skip) -> Iterator[Found]:
        yield from _in_batches(self, readings, skip, self._line, self._states)

    def _line(self, reading: Reading, answer: str) -> _TwoLines:
        question, rest = flattened(reading.question), flattened(answer + reading.after)
        between = " " if question and rest and not question.endswith(" ") else ""
        whole = self._liner.single(question, between + rest)
        alone = self._liner.single(question, "")
        return _TwoLines(whole.ids, whole.truncated, alone.ids, (self._start, *self._liner.plain(rest)))

    def _states(self, texts: Sequence[Any]) -> NDArray[np.float32]:
        device = self._model.device
        with torch.inference_mode():
            with taking(self._above) as taken:
                inputs, ends = _padded([line.ids for line in texts], device)
                taken.want(range(len(texts)), ends, device)
                taken.take(self._encoder(**inputs).last_hidden_state)
            above = taken.states()
            questions, _ = _padded([line.question for line in texts], device)
            read = self._encoder(**questions)
            with taking(self._below) as taken:
                answers, ends = _padded([line.answer for line in texts], device)
                taken.want(range(len(texts)), ends, device)
                out = self._model(
                    encoder_outputs=read,
                    attention_mask=questions["attention_mask"],
                    decoder_input_ids=answers["input_ids"],
                    decoder_attention_mask=answers["attention_mask"],
                    use_cache=False,
                )
                taken.take(out.last_hidden_state)
        self.tokens_computed += sum(len(line.question) + len(line.answer) for line in texts)
        return np.concatenate([above, taken.states()], axis=1)


class _TwoLines(Line):
    """A whole text for the encoder, and the question and the answer apart."""

    __slots__ = ("answer", "question")

    def __init__(self, ids: tuple[int, ...], cut: int, question: tuple[int, ...], answer: tuple[int, ...]) -> None:
        super().__init__(ids, cut)
        object.__setattr__(self, "question", question)
        object.__setattr__(self, "answer", answer)


def _in_batches(
    reader: Any,
    readings: Sequence[Reading],
    skip: Skip,
    line: Callable[[Reading, str], Line],
    states: Callable[[Sequence[Line]], NDArray[np.float32]],
) -> Iterator[Found]:
    """Batches of like length under the token budget, the same whatever is skipped."""
    texts: dict[int, Sequence[Line]] = {}
    for index, reading in enumerate(readings):
        found = lines(reading, lambda answer, one=reading: line(one, answer))
        if isinstance(found, Failed):
            if not skip(index):
                yield [(index, found)]
        else:
            texts[index] = found
    order = sorted(texts, key=lambda index: max(len(one.ids) for one in texts[index]))
    held: dict[int, dict[int, NDArray[np.float32]]] = {}
    for batch in _filled(order, texts, reader._budget):
        if all(skip(index) for index in batch):
            continue
        flat = [(index, answer) for index in batch for answer in range(len(texts[index]))]
        some = [texts[index][answer] for index, answer in flat]
        for (index, answer), state in zip(flat, states(some), strict=True):
            held.setdefault(index, {})[answer] = state
        reader.tokens_computed += sum(len(one.ids) for one in some)
        if done := [one for one in reader._finish(held, texts) if not skip(one[0])]:
            yield done


def _filled(order: Sequence[int], texts: dict[int, Sequence[Line]], budget: int) -> Iterator[list[int]]:
    """Readings in `order`, as many at a time as the budget of padded tokens holds; a longer one goes alone."""
    batch: list[int] = []
    rows = 0
    for index in order:
        longest = max(len(one.ids) for one in texts[index])  # the order is by this, so it is the batch's width
        if batch and (rows + len(texts[index])) * longest > budget:
            yield batch
            batch, rows = [], 0
        batch.append(index)
        rows += len(texts[index])
    if batch:
        yield batch


def _padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[dict[str, Any], list[int]]:
    """Ids padded on the right with their mask, and the last place of each row. Padding is masked, so any id will do."""
    width = max(1, *(len(row) for row in rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[number, : max(1, len(row))] = 1
    ends = [max(1, len(row)) - 1 for row in rows]
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}, ends
