"""Log-probabilities of continuations from a transformers causal model, with no token computed twice.

Belongs here: running the plan of `_tree.py` on a model and reading the wanted positions. Does not belong here: text
(`_tokens.py`), attention (`_attention.py`), loading (`hf.py`).

Two ways, same numbers: the shared way (packed rows over kept prefixes) where the model's attention allows it, which is
tried on a small example before anything is reported; else the plain way (whole sequences, padded on the right).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnomon.asks import Ask, Scored
from gnomon.errors import ModelError
from gnomon.models import _attention
from gnomon.models._tokens import Encoder
from gnomon.models._tree import Budget, Read, Sequence_, Step, plan, plan_plain

__all__ = ["Scorer"]

_HEAD_FLOATS = 1 << 26  # most numbers that leave the output head in one step: 256 MiB in float32
# Most that sharing may move a log-probability on trial, on average and at worst: float32 keeps the promise of 1e-4,
# the others stay within what another order of the same sums moves.
_AGREEMENT = {
    torch.float64: (1e-6, 1e-6),
    torch.float32: (1e-4, 1e-4),
    torch.float16: (0.02, 0.2),
    torch.bfloat16: (0.1, 1.0),
}
Ids = np.ndarray[Any, Any]
Forward = Callable[[Ids, Ids, Ids | None, list[tuple[int, int, Read]]], Iterator[tuple[Read, Any]]]
"""One pass over ids at positions under a mask, and what is read of it at places (row, column, read)."""

_SHARED_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


class Scorer:
    """Scores asks on one loaded model.

    Parameters
    ----------
    model : PreTrainedModel
        A causal language model in eval mode.
    encoder : Encoder
    budget : Budget
        Limits of one step; the number of read positions is lowered for large vocabularies.
    shared : bool
        Whether to try the shared way at all.

    Attributes
    ----------
    tokens_computed : int
        Token positions that went through the model so far.
    remarks : list of str
        What a reader of the numbers should know, such as why the plain way was taken.
    """

    def __init__(self, model: Any, encoder: Encoder, budget: Budget | None = None, shared: bool = True) -> None:
        self._model, self._encoder = model, encoder
        budget = budget or Budget()
        vocabulary = model.get_output_embeddings().weight.shape[0]
        self._budget = replace(budget, reads=max(16, min(budget.reads, _HEAD_FLOATS // vocabulary)))
        self._tokens = model.get_input_embeddings().weight.shape[0]
        self._accepts = set(inspect.signature(model.forward).parameters)
        self._device = model.device
        self._own_attention = model.config._attn_implementation
        self.tokens_computed = 0
        self.remarks: list[str] = []
        self._refuse_reading_ahead()
        self._shared = shared and self._sharing_works()

    def score(self, asks: Sequence[Ask], skip: Callable[[int], bool]) -> Iterator[list[tuple[int, Scored]]]:
        """Yield answers in batches, as they are done.

        Steps that only serve skipped asks are left out, the others stay as they are.
        """
        encoded = self._encoder.encode(asks)
        self.refuse_unknown(ids for one in encoded for ids in (one.context, *one.continuations))
        sums: dict[int, list[float]] = {}
        missing: dict[int, int] = {}
        walk = self.walk([one.longest for one in encoded], lambda i, apart: encoded[i].sequences(i, apart), skip)
        for found in walk:
            done = []
            for read, logprob in found:
                one = encoded[read.ask]
                if read.ask not in sums:
                    sums[read.ask] = [0.0] * len(one.continuations)
                    missing[read.ask] = sum(len(ids) for ids in one.continuations)
                sums[read.ask][read.continuation] += logprob
                missing[read.ask] -= 1
                if not missing[read.ask] and not skip(read.ask):
                    lengths = tuple(len(ids) for ids in one.continuations)
                    done.append((read.ask, Scored(tuple(sums.pop(read.ask)), lengths, one.truncated)))
            if done:
                yield done

    def walk(
        self,
        longest: Sequence[int],
        sequences: Callable[[int, bool], list[Sequence_]],
        skip: Callable[[int], bool],
        forward: Forward | None = None,
    ) -> Iterator[list[tuple[Read, Any]]]:
        """Compute what `sequences` (of ask i; each alone or not) holds, and yield what was read, step by step.

        Parameters
        ----------
        longest : sequence of int
            Tokens of each ask's longest sequence: beyond an attention window nothing is shared.
        forward : callable, optional
            What is read of one pass: by default log-probabilities of targets.
        """
        forward = forward or self._forward
        window = _window(self._model.config)
        near = [i for i, length in enumerate(longest) if self._shared and (window is None or length <= window)]
        far = sorted(set(range(len(longest))) - set(near))
        if near:
            steps = plan([s for i in near for s in sequences(i, False)], self._budget)
            try:
                yield from self._run(steps, skip, self._shared_step(_stack(steps), forward))
            finally:
                self._attend_with(self._own_attention)
        if far:
            alone = bool(_ropes_that_depend_on_length(self._model.config))
            steps = plan_plain([s for i in far for s in sequences(i, alone)], self._budget, alone=alone)
            yield from self._run(steps, skip, lambda step: self._plain_step(step, forward))

    def _run(
        self, steps: Sequence[Step], skip: Callable[[int], bool], compute: Callable[[Step], Iterator[tuple[Read, Any]]]
    ) -> Iterator[list[tuple[Read, Any]]]:
        for step in steps:
            if not all(skip(ask) for ask in step.asks):
                found = list(compute(step))
                self.tokens_computed += step.tokens
                yield found

    def _shared_step(self, stack: _attention.Stack, forward: Forward) -> Callable[[Step], Iterator[tuple[Read, Any]]]:
        """A function that computes one step after another on one stack of kept keys and values."""

        def compute(step: Step) -> Iterator[tuple[Read, Any]]:
            self._attend_with(_attention.NAME)
            ids = np.concatenate([row.ids for row in step.rows])[None]
            positions = np.concatenate([row.positions for row in step.rows])[None]
            starts = np.cumsum([0, *(len(row.ids) for row in step.rows)])
            starts_and_rows = zip(starts, step.rows, strict=False)
            places = [(0, start + at, read) for start, row in starts_and_rows for at, read in row.reads]
            with torch.inference_mode(), _attention.running(_attention.Packed(step, stack, self._device)):
                yield from forward(ids, positions, None, places)

        return compute

    def _plain_step(self, step: Step, forward: Forward) -> Iterator[tuple[Read, Any]]:
        self._attend_with(self._own_attention)
        width = max(len(row.ids) for row in step.rows)
        ids = np.zeros((len(step.rows), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(step.rows):
            ids[number, : len(row.ids)] = row.ids
            mask[number, : len(row.ids)] = 1
        positions = np.broadcast_to(np.arange(width), ids.shape).copy()
        places = [(number, at, read) for number, row in enumerate(step.rows) for at, read in row.reads]
        with torch.inference_mode():
            yield from forward(ids, positions, mask, places)

    def _forward(
        self,
        ids: np.ndarray[Any, Any],
        positions: np.ndarray[Any, Any],
        mask: np.ndarray[Any, Any] | None,
        places: list[tuple[int, int, Read]],
    ) -> Iterator[tuple[Read, float]]:
        """One pass; only positions in `places` (row, column, read) reach the output head, where a model allows that."""
        columns = sorted({column for _, column, _ in places}) or [0]
        at = {column: number for number, column in enumerate(columns)}
        wanted = self.inputs(ids, positions, mask)
        chosen = "logits_to_keep" in self._accepts
        if chosen:
            wanted["logits_to_keep"] = self._tensor(np.array(columns))
        logits: Tensor = self._model(**wanted).logits
        if not places:
            return
        rows = torch.tensor([row for row, _, _ in places], device=logits.device)
        cols = torch.tensor([at[column] if chosen else column for _, column, _ in places], device=logits.device)
        target = torch.tensor([read.target for _, _, read in places], device=logits.device)
        log_sum = torch.logsumexp(logits.float(), dim=-1)
        values = logits[rows, cols, target].float() - log_sum[rows, cols]
        for (_, _, read), value in zip(places, values.tolist(), strict=True):
            yield read, value

    def inputs(self, ids: Ids, positions: Ids, mask: Ids | None) -> dict[str, Any]:
        """What one pass is given, as far as the model takes it."""
        wanted: dict[str, Any] = {"input_ids": self._tensor(ids), "use_cache": False}
        if "position_ids" in self._accepts:
            wanted["position_ids"] = self._tensor(positions)
        if mask is not None:
            wanted["attention_mask"] = self._tensor(mask)
        return wanted

    def _tensor(self, array: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _attend_with(self, name: str) -> None:
        if self._model.config._attn_implementation != name:
            self._model.set_attn_implementation(name)

    def _refuse_reading_ahead(self) -> None:
        """A model whose logits at one token depend on the next has no probability of a continuation."""
        ids = np.tile(np.arange(8) % self._tokens, (2, 1))
        ids[1, -1] = (ids[1, -1] + 1) % self._tokens
        with torch.inference_mode():
            one, other = self._model(input_ids=self._tensor(ids), use_cache=False).logits[:, :-1].float()
        if (one - other).abs().mean() > 0.005 * one.std():  # a causal model's are equal, up to the rounding of sums
            raise ModelError(
                f"{type(self._model).__name__} reads ahead: its output at one token depends on the next, so it cannot "
                "give probabilities of continuations.",
                hint="Use a causal language model.",
            )

    def refuse_unknown(self, rows: Iterable[Ids]) -> None:
        """A tokenizer that does not belong to the model fails here, in words, and not deep in a lookup."""
        largest = max((int(ids.max()) for ids in rows if len(ids)), default=0)
        if largest >= self._tokens:
            raise ModelError(
                f"the tokenizer gives token {largest:,} and the model knows {self._tokens:,} tokens, so they do not "
                "belong together.",
                hint="Put the model's own tokenizer into its folder.",
            )

    def _sharing_works(self) -> bool:
        """Whether the shared way gives the plain way's numbers; where it does not, a remark says why."""
        reason = self._cannot_share() or self._trial()
        self._attend_with(self._own_attention)
        if reason:
            self.remarks.append(f"Every prompt is computed whole (slower, same numbers): {reason}.")
        return not reason

    def _cannot_share(self) -> str:
        """What in the model's make excludes packed rows, before any number is looked at; empty where nothing does."""
        if "position_ids" not in self._accepts:
            return "the model takes no position ids"
        if not getattr(self._model, "_can_set_attn_implementation", lambda: True)():
            return "its attention cannot be replaced"
        kinds = set(getattr(self._model.config.get_text_config(), "layer_types", None) or ()) - _SHARED_LAYERS
        if kinds:
            return f"it has layers of another kind ({', '.join(sorted(kinds))})"
        if any(isinstance(module, torch.nn.Conv1d) for module in self._model.modules()):
            return "it mixes neighbouring tokens outside of attention"
        return ""

    def _trial(self) -> str:
        """Compare both ways on a small tree with a trunk, a branching row and chains; empty where they agree."""
        _attention.register()
        size = min(1000, self._tokens)
        chance = np.random.default_rng(0)
        ids = chance.integers(0, size, 64)
        tails = [ids[24:31], ids[31:34], np.append(ids[31:34], ids[40:42]), np.append(ids[31:33], ids[50:55])]
        sequences = []
        for number, tail in enumerate(tails):
            targets = enumerate(chance.integers(0, size, 2 * len(tail)).tolist())
            reads = tuple(Read(24 + at // 2, target, number, at) for at, target in targets)
            sequences.append(Sequence_(np.append(ids[:24], tail), reads))
        budget = Budget(tokens=64, reads=64, row=16, worth=1)
        steps = plan(sequences, budget)
        stack = _stack(steps)
        try:
            compute = self._shared_step(stack, self._forward)
            shared = {read: value for step in steps for read, value in compute(step)}
        except Exception as error:  # any fault of a foreign model's attention means: take the plain way, and say so
            return f"its attention cannot share prefixes ({type(error).__name__})"
        layers = self._model.config.get_text_config().num_hidden_layers
        if len(stack.keys) != layers:
            return f"{len(stack.keys)} of its {layers} layers attend in the usual way"
        steps = plan_plain(sequences, budget)
        plain = {read: value for step in steps for read, value in self._plain_step(step, self._forward)}
        moved = [abs(shared[read] - plain[read]) for read in plain]
        mean, worst = _AGREEMENT.get(self._model.dtype, _AGREEMENT[torch.bfloat16])
        if not (np.mean(moved) <= mean and max(moved) <= worst):
            return f"sharing moved a log-probability by {max(moved):.2g} on a trial"
        return ""


def _stack(steps: Sequence[Step]) -> _attention.Stack:
    """An empty stack, large enough for every trunk in `steps`."""
    return _attention.Stack(max((step.prefix + step.tokens for step in steps if step.keep), default=0))


def _window(config: Any) -> int | None:
    """Longest sequence that shared attention treats as the model does: a window's length, or rope's first regime."""
    text = config.get_text_config()
    limits: list[Any] = []
    if getattr(text, "use_sliding_window", True) is not False:
        limits.extend(getattr(text, key, None) for key in ("sliding_window", "attention_chunk_size"))
    for rope in _ropes_that_depend_on_length(config):
        limits.append(rope.get("original_max_position_embeddings") or text.max_position_embeddings)
    return min((int(limit) for limit in limits if limit), default=None)


def _ropes_that_depend_on_length(config: Any) -> list[dict[str, Any]]:
    """Rotary embeddings whose angles depend on the length of the whole input, so that packing changes them."""
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    ropes = [value for value in rope.values() if isinstance(value, dict)] or [rope]  # one a kind of layer, or one
    return [one for one in ropes if one.get("rope_type") in {"dynamic", "longrope"}]
