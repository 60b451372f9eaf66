"""Text from a transformers causal model: many prompts at once, each as if it were alone.

Belongs here: which prompt is worked on when, and which way a model allows. Does not belong here: keys and values
(`_writer_cache.py`), the choice of a token (`_sampling.py`), text and stop strings (`_writer_text.py`), loading
(`hf.py`).

Rows of a running batch leave as soon as their text ends, and waiting prompts take their places, so a long text holds
nobody up. What all prompts begin with is computed once, and so is a prompt of which many samples are wanted. Where a
small trial shows that a model's rows do not keep to themselves, each text is written alone, slower and equal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gnomon.asks import Completion, Decoding, Failed, Prompt
from gnomon.errors import ModelError
from gnomon.models._sampling import Draws, check_decoding, choose
from gnomon.models._scorer import _ropes_that_depend_on_length
from gnomon.models._tokens import Encoder
from gnomon.models._writer_cache import Alone, Block, Network, Running
from gnomon.models._writer_text import PromptEncoder, Text, divide
from gnomon.models._writer_trial import choose_way, refuse_reading_ahead

__all__ = ["Writer"]

_WORTH = 16  # tokens that all prompts must share for these to be computed apart
_HEADROOM = 64  # columns that must be free beside a row that joins
_CPU_BYTES = 1 << 30  # of keys and values; on a GPU it is half of the free memory
_NOT_A_NUMBER = "the model's output is not a number (NaN); more precision may help, as with  -M dtype=float32"

Written = list[tuple[int, Completion | Failed]]


@dataclass
class _Row:
    """A prompt at work: `ids` are its own and the new ones, `most` the new ones that it may have."""

    index: int
    ids: list[int]
    most: int
    truncated: int
    decoding: Decoding
    draws: Draws
    text: Text

    @property
    def tokens(self) -> tuple[int, ...]:
        return tuple(self.ids)


_Kept = tuple[tuple[int, ...], Block]  # a prompt's ids, and what was computed of it


class Writer:
    """Writes on from prompts with one loaded model.

    A completion depends on its prompt, decoding and seed alone. The rounding of sums does depend on what shares a
    batch: in float32 it moves a logit by about 1e-6, which next to never changes a token; in half precision it may.

    Parameters
    ----------
    model : PreTrainedModel
        A causal language model in eval mode.
    encoder : PromptEncoder or Encoder
        Its tokenizer, start-token rule, context length and, where that is wanted, chat template.
    rows : int or None
        Most texts that are written at once; by default 16 on a CPU, 64 elsewhere.
    tokens : int
        Most prompt tokens in one pass; a longer prompt goes alone.

    Attributes
    ----------
    tokens_computed : int
        Token positions that went through the model so far; padding and the trial do not count.
    remarks : list of str
        What a reader of the texts should know, such as why they are written one at a time.
    """

    def __init__(
        self, model: Any, encoder: PromptEncoder | Encoder, rows: int | None = None, tokens: int = 1024
    ) -> None:
        self._prompts = encoder if isinstance(encoder, PromptEncoder) else PromptEncoder(encoder)
        self._network = Network(model)
        self._rows = rows or (16 if self._network.device.type == "cpu" else 64)
        self._tokens = tokens
        self._ends = _end_tokens(model) | self._prompts.ends()
        self._ropes = _ropes_that_depend_on_length(model.config)
        with torch.inference_mode():
            refuse_reading_ahead(self._network)
            self._way, reason = choose_way(self._network)
            self._capacity = _columns_that_fit(self._network) if self._way == "together" else 0
        self._network.tokens_computed = 0
        anew = ", each computed anew for every token" if self._way == "anew" else ""
        self.remarks = [f"Texts are written one at a time{anew} (slower, same texts): {reason}."] if reason else []

    @property
    def tokens_computed(self) -> int:
        return self._network.tokens_computed

    def write(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> Iterator[Written]:
        """Yield (index into `prompts`, completion) in batches, as texts end; those with `skip(index)` are left out.

        `Completion.tokens` counts what the model wrote, the tokens of a stop string included and the end token not.
        A prompt that does not fit beside `max_tokens` is cut on its left, down to half of the model's context; from
        there on the text gets shorter instead. Raises UsageError for a decoding without meaning, ModelError for a
        tokenizer of another model. A model that gives NaN gets `Failed`.
        """
        rows = self._begin(prompts, skip)
        short = self._regime()
        far = [row for row in rows if short is not None and len(row.ids) + row.most > short]
        if far:
            ids = {row.index for row in far}
            rows = [row for row in rows if row.index not in ids]
        if self._way == "together":
            yield from self._write_together(rows)
        else:
            yield from self._write_alone(rows, remembers=self._way == "alone")
        yield from self._write_alone(far, remembers=False)

    def _begin(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> list[_Row]:
        """Rows for all that is wanted, the longest prompts first and equal ones side by side."""
        wanted = [index for index in range(len(prompts)) if not skip(index)]
        for index in wanted:
            check_decoding(prompts[index].decoding)
        rows = []
        for index, ids in zip(wanted, self._prompts.encode([prompts[i].context for i in wanted]), strict=True):
            self._refuse_unknown_tokens(ids)
            prompt = prompts[index]
            kept, most = divide(len(ids), prompt.decoding.max_tokens, self._prompts.limit)
            text = self._prompts.text(ids, prompt.decoding.stop)
            cut = len(ids) - kept
            rows.append(_Row(index, ids[cut:], most, cut, prompt.decoding, Draws(prompt.seed), text))
        return sorted(rows, key=lambda row: (-len(row.ids), row.ids, row.index))

    # Together: one rectangle of rows.

    def _write_together(self, rows: Sequence[_Row]) -> Iterator[Written]:
        waiting, running, batch = deque(rows), list[_Row](), Running(self._network)
        common, kept, shared = None, None, _shared(rows)
        while waiting or running:
            with torch.inference_mode():
                if shared and common is None:
                    common = self._network.prompts([shared])
                fresh = self._admit(waiting, len(running), batch.width)
                if fresh:
                    logits, kept = self._join(batch, fresh, waiting, common, kept)
                    running += fresh
                else:
                    logits = batch.step([row.ids[-1] for row in running])
                done = self._extend(fresh or running, logits)
                ended = {index for index, _ in done}
                left = [number for number, row in enumerate(running) if row.index not in ended]
                while len(left) > 1 and len(left) * (max(batch.lengths[n] for n in left) + 1) > self._capacity:
                    youngest = min(left, key=lambda number: len(running[number].text))
                    left.remove(youngest)  # it goes on from where it is when there is room again
                    waiting.appendleft(running[youngest])
                if len(left) < len(running):
                    batch.keep(left)
                    running = [running[number] for number in left]
            if done:
                yield done

    def _admit(self, waiting: deque[_Row], running: int, width: int) -> list[_Row]:
        """Take from `waiting` what has room now; a few places are let become free first, since joining costs a copy."""
        free = self._rows - running
        if running and free < min(max(1, self._rows // 4), len(waiting)):
            return []
        fresh: list[_Row] = []
        while waiting and len(fresh) < free:
            width = max(width, len(waiting[0].ids))
            rows = running + len(fresh) + 1
            if rows > 1 and rows * (width + _HEADROOM) > self._capacity:
                break
            fresh.append(waiting.popleft())
        return fresh

    def _join(
        self, batch: Running, fresh: Sequence[_Row], waiting: deque[_Row], common: Block | None, kept: _Kept | None
    ) -> tuple[Tensor, _Kept | None]:
        """Compute the prompts of `fresh`, equal ones once, and let them join; their logits, in order.

        The second result is the last prompt's block, where its next sample is still waiting: it is computed already.
        """
        numbers: dict[tuple[int, ...], int] = {}
        for row in fresh:
            numbers.setdefault(row.tokens, len(numbers))
        unique = list(numbers)
        blocks: list[Block] = []
        if kept is not None and kept[0] == unique[0]:
            blocks.append(kept[1])
            unique = unique[1:]
        for chunk in _chunks(unique, self._tokens, common.lengths[0] if common else 0):
            blocks.append(self._network.prompts(chunk, common))
        places = [(block, at) for block in blocks for at in range(len(block.lengths))]
        picked: list[tuple[Block, list[int]]] = [(block, []) for block in blocks]
        owners = {id(block): rows for block, rows in picked}
        for row in fresh:
            block, at = places[numbers[row.tokens]]
            owners[id(block)].append(at)
        logits = batch.join(picked)
        last = fresh[-1].tokens
        if waiting and waiting[0].tokens == last:
            block, at = places[numbers[last]]
            return logits, (last, block.row(at))
        return logits, None

    def _extend(self, rows: Sequence[_Row], logits: Tensor) -> Written:
        """Choose a token for every row; the completions of those whose text ends with it."""
        done: Written = []
        sound = ~logits.amax(dim=-1).isnan()
        tokens = choose(
            logits if bool(sound.all()) else logits.nan_to_num(),
            [row.decoding for row in rows],
            [row.draws for row in rows],
        )
        for row, token, fine in zip(rows, tokens, sound.tolist(), strict=True):
            if not fine:
                done.append((row.index, Failed(_NOT_A_NUMBER)))
            elif token in self._ends:
                done.append((row.index, self._complete(row, "stop")))
            else:
                row.ids.append(token)
                if row.text.add(token):
                    done.append((row.index, self._complete(row, "stop")))
                elif len(row.text) >= row.most:
                    done.append((row.index, self._complete(row, "length")))
        return done

    @staticmethod
    def _complete(row: _Row, finish: str) -> Completion:
        text, stopped = row.text.finished()
        return Completion(text, len(row.text), "stop" if stopped or finish == "stop" else "length", row.truncated)

    # Alone: one row after another.

    def _write_alone(self, rows: Sequence[_Row], remembers: bool) -> Iterator[Written]:
        alone = Alone(self._network, remembers)
        for row in rows:
            with torch.inference_mode():
                done = self._extend([row], alone.start(row.ids))
                while not done:
                    done = self._extend([row], alone.step(row.ids[-1]))
            yield done

    # Which way.

    def _regime(self) -> int | None:
        """Longest text that a batch treats as the model alone does: rotary embeddings that depend on the length of the
        longest row have a first regime in which they do not."""
        text = self._network.model.config.get_text_config()
        limits = (one.get("original_max_position_embeddings") or text.max_position_embeddings for one in self._ropes)
        return min(map(int, limits), default=None)

    def _refuse_unknown_tokens(self, ids: Sequence[int]) -> None:
        if max(ids) >= self._network.vocabulary:
            raise ModelError(
                f"the tokenizer gives token {max(ids):,} and the model knows {self._network.vocabulary:,} tokens, so "
                "they do not belong together.",
                hint="Put the model's own tokenizer into its folder.",
            )


def _end_tokens(model: Any) -> set[int]:
    """Tokens that end a text, as the model's own files say: none, one or several."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, model.config.get_text_config()):
        ends = getattr(source, "eos_token_id", None)
        found.update(ends if isinstance(ends, list | tuple) else [] if ends is None else [ends])
    return found


def _columns_that_fit(network: Network) -> int:
    """How many tokens' keys and values a running batch may hold."""
    (block,) = (network.prompts([[0]]),)
    size = sum(side.shape[1] * side.shape[3] * side.element_size() for pair in block.layers for side in pair)
    free = torch.cuda.mem_get_info(network.device)[0] // 2 if network.device.type == "cuda" else _CPU_BYTES
    return free // size


def _shared(rows: Sequence[_Row]) -> list[int]:
    """What all prompts begin with, where that is worth a pass of its own; each keeps at least its last token."""
    if len({row.tokens for row in rows}) < 2:
        return []
    low, high = min(row.ids for row in rows), max(row.ids for row in rows)
    most = min(len(row.ids) for row in rows) - 1
    size = next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), most)
    return low[: min(size, most)] if min(size, most) >= _WORTH else []


def _chunks(prompts: Sequence[tuple[int, ...]], tokens: int, before: int) -> Iterator[list[tuple[int, ...]]]:
    """Prompts in groups of which each, padded to its longest beyond the first `before` tokens, has at most `tokens`."""
    group: list[tuple[int, ...]] = []
    width = 0
    for prompt in prompts:
        width = max(width, len(prompt) - before)
        if group and (len(group) + 1) * width > tokens:
            yield group
            group, width = [], len(prompt) - before
        group.append(prompt)
    if group:
        yield group
