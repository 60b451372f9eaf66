"""The keys and values of texts that are being written: computing prompts, rows that join, step and leave.

Belongs here: everything that calls the model for `_writer.py`. Does not belong here: which prompts are worked on, and
which token comes next.

A running batch is a rectangle. Every row ends at its right edge, so that a step appends one column to all, and the left
is masked; distances between tokens stay what they are, as windows and linear biases need. Prompts are computed the
other way round, padded on the right, where causal attention needs no mask, and moved to the right edge as they join.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

__all__ = ["Alone", "Block", "Network", "Running"]

_ROOM = 64  # columns that a buffer has to spare, so that it is copied once in so many steps
_CACHES = ("cache", "past_key_values", "cache_params", "state")  # under which families hand out what they remember


class Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, of shape (rows, heads, columns, width): views of buffers with room on their right.

    It holds all columns whatever the layer's window: the model's own mask hides what is too far.
    """

    def __init__(self, buffers: tuple[Tensor, Tensor] | None = None, used: int = 0) -> None:
        super().__init__()
        self._buffers = buffers
        if buffers is not None:
            self._hold(buffers[0][:, :, :used], buffers[1][:, :, :used])

    def _hold(self, keys: Tensor, values: Tensor) -> None:
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys, values
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if self._buffers is None:
            self._buffers = key_states, value_states
            self._hold(key_states, value_states)
            return key_states, value_states
        used = self.keys.shape[-2]
        end = used + key_states.shape[-2]
        if self._buffers[0].shape[-2] < end:
            self._buffers = _stacked([self.keys], used, end - used), _stacked([self.values], used, end - used)
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, used:end] = new
        self.keys, self.values = self._buffers[0][:, :, :end], self._buffers[1][:, :, :end]
        return self.keys, self.values


@dataclass(frozen=True)
class Block:
    """Prompts that are computed: per layer the keys and values, row r in columns 0 to `lengths[r]`, and the logits
    (rows, vocabulary) after the last token of each."""

    layers: tuple[tuple[Tensor, Tensor], ...]
    lengths: tuple[int, ...]
    logits: Tensor

    def row(self, number: int) -> Block:
        """One row as a block of its own."""
        length = self.lengths[number]
        cut = tuple(
            (keys[number : number + 1, :, :length].clone(), values[number : number + 1, :, :length].clone())
            for keys, values in self.layers
        )
        return Block(cut, (length,), self.logits[number : number + 1].clone())


class Network:
    """A causal model's forward pass, with the arguments that it knows.

    Parameters
    ----------
    model : PreTrainedModel
        In eval mode.

    Attributes
    ----------
    memory : str
        The argument that takes keys and values: "cache", or "past_key_values" before transformers 5.24; "" where the
        model has none.
    tokens_computed : int
        Token positions that went through the model so far; padding does not count.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.device = model, model.device
        self.accepts = set(inspect.signature(model.forward).parameters)
        self.memory = next((name for name in _CACHES[:2] if name in self.accepts), "")
        self.vocabulary = int(model.get_input_embeddings().weight.shape[0])
        self.tokens_computed = 0
        self._longest = 1 << 62  # what the model has seen before is not known
        self._attention = model.config._attn_implementation

    def __call__(self, ids: Sequence[Sequence[int]] | Tensor, last: Sequence[int] | None = None, **more: Any) -> Any:
        """One pass over `ids` (rows, columns); the output, whose `logits` become those of column `last[r]` of each row
        in (rows, vocabulary), by default of the last column. Arguments that the model does not know are left out."""
        tokens = self.tensor(ids)
        if self.model.config._attn_implementation != self._attention:  # scoring has its own
            self.model.set_attn_implementation(self._attention)
        columns = sorted(set(last)) if last is not None else [tokens.shape[1] - 1]
        wanted = {key: value for key, value in more.items() if key in self.accepts and value is not None}
        chosen = "logits_to_keep" in self.accepts
        if chosen:
            wanted["logits_to_keep"] = self.tensor(columns)
        output = self.model(input_ids=tokens, **wanted)
        if last is None:
            output.logits = output.logits[:, -1]
        else:
            at = [columns.index(column) for column in last] if chosen else list(last)
            output.logits = output.logits[torch.arange(len(at), device=self.device), self.tensor(at)]
        if output.logits.dtype != torch.float64:
            output.logits = output.logits.float()
        return output

    def tensor(self, numbers: Any) -> Tensor:
        """`numbers` on the model's device."""
        return torch.as_tensor(numbers, dtype=torch.long, device=self.device)

    def plain(self, ids: Sequence[int]) -> Tensor:
        """Logits (1, vocabulary) after `ids`, computed whole and remembered nowhere."""
        self.tokens_computed += len(ids)
        if len(ids) < self._longest:
            # Angles of embeddings that depend on the greatest length so far begin anew at a short text.
            self([ids[:1]], use_cache=False)
        self._longest = len(ids)
        logits: Tensor = self([ids], use_cache=False).logits
        return logits

    def prompts(self, rows: Sequence[Sequence[int]], common: Block | None = None) -> Block:
        """Compute `rows`, which all begin with the one row of `common`, whose keys and values are taken from there."""
        before = common.lengths[0] if common else 0
        fresh = [list(row[before:]) for row in rows]
        width = max(map(len, fresh))
        ids = [[*row, *[0] * (width - len(row))] for row in fresh]
        mask = [[1] * (before + len(row)) + [0] * (width - len(row)) for row in fresh]
        layers = [
            Layer((keys.expand(len(rows), -1, -1, -1), values.expand(len(rows), -1, -1, -1)), before)
            for keys, values in (common.layers if common else ())
        ]
        cache = Cache(layers=layers) if common else Cache(layer_class_to_replicate=Layer)
        output = self(
            ids,
            last=[len(row) - 1 for row in fresh],
            position_ids=self.tensor(range(before, before + width)).expand(len(rows), -1),
            attention_mask=self.tensor(mask),
            **{self.memory: cache},
            use_cache=True,
        )
        self.tokens_computed += sum(map(len, fresh))
        kept = tuple((layer.keys, layer.values) for layer in cache.layers)
        return Block(kept, tuple(map(len, rows)), output.logits)


class Running:
    """Rows that are being written: their cache as a rectangle with the rows' ends at its right edge.

    Attributes
    ----------
    lengths : list of int
        Tokens of each row whose keys and values are held.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._cache: Any = None
        self.lengths: list[int] = []

    @property
    def width(self) -> int:
        """Columns of the rectangle that hold something."""
        return max(self.lengths, default=0)

    def join(self, blocks: Sequence[tuple[Block, Sequence[int]]]) -> Tensor:
        """Append rows: of each block those of the given numbers, copied. Returns their logits (rows, vocabulary)."""
        lengths = [block.lengths[number] for block, numbers in blocks for number in numbers]
        width = max(self.width, *lengths)
        picked = [(block, self._network.tensor(numbers)) for block, numbers in blocks]
        ends = [self._network.tensor(block.lengths)[numbers] for block, numbers in picked]
        layers = []
        for depth in range(len(blocks[0][0].layers)):
            old = self._cache.layers[depth] if self.lengths else None
            keys, values = ([old.keys], [old.values]) if old else ([], [])
            for (block, numbers), end in zip(picked, ends, strict=True):
                keys.append(_moved(block.layers[depth][0], numbers, end))
                values.append(_moved(block.layers[depth][1], numbers, end))
            layers.append(Layer((_stacked(keys, width), _stacked(values, width)), width))
        self._cache = Cache(layers=layers)
        self.lengths += lengths
        return torch.cat([block.logits[numbers] for block, numbers in picked])

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to every row; the logits (rows, vocabulary) after it."""
        network = self._network
        held = network.tensor(self.lengths)[:, None]
        width = self.width + 1
        columns = torch.arange(width, device=network.device)[None]
        output = network(
            [[token] for token in tokens],
            position_ids=held,
            attention_mask=(columns >= width - 1 - held).long(),
            **{self._network.memory: self._cache},
            use_cache=True,
        )
        network.tokens_computed += len(tokens)
        self.lengths = [length + 1 for length in self.lengths]
        logits: Tensor = output.logits
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Let all rows but `rows` leave, and with them the columns that nobody else needs."""
        self.lengths = [self.lengths[row] for row in rows]
        if not rows:
            self._cache = None
            return
        chosen, width = self._network.tensor(rows), self.width
        layers = []
        for old in self._cache.layers:
            keys, values = (side[:, :, side.shape[-2] - width :][chosen] for side in (old.keys, old.values))
            layers.append(Layer((_stacked([keys], width), _stacked([values], width)), width))
        self._cache = Cache(layers=layers)


class Alone:
    """One row, with the model's own memory of what it read (`remembers`), or without one: computed whole each time."""

    def __init__(self, network: Network, remembers: bool) -> None:
        self._network, self._remembers = network, remembers
        self._ids: list[int] = []
        self._memory: dict[str, Any] = {}
        self._begun: tuple[list[int], Tensor, dict[str, Any]] | None = None

    def start(self, ids: Sequence[int]) -> Tensor:
        """Begin with `ids`, which are not computed again when they come twice; the logits (1, vocabulary) after
        them."""
        self._ids = list(ids)
        if self._begun is None or self._begun[0] != self._ids:
            self._memory = {}
            logits = self._read(self._ids) if self._remembers else self._network.plain(self._ids)
            self._begun = list(ids), logits, self._memory
        self._memory = copy.deepcopy(self._begun[2])
        return self._begun[1]

    def step(self, token: int) -> Tensor:
        """Append a token; the logits (1, vocabulary) after it."""
        self._ids.append(token)
        return self._read([token]) if self._remembers else self._network.plain(self._ids)

    def _read(self, ids: Sequence[int]) -> Tensor:
        network = self._network
        positions = network.tensor(range(len(self._ids) - len(ids), len(self._ids)))[None]
        output = network([ids], position_ids=positions, use_cache=True, **self._memory)
        network.tokens_computed += len(ids)
        self._memory = {
            name: output[name] for name in _CACHES if name in network.accepts and output.get(name) is not None
        }
        if not self._memory:
            raise ValueError("the model gives back nothing that it remembers")
        logits: Tensor = output.logits
        return logits


def _moved(tensor: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
    """Rows of `tensor`, each moved so that its first `lengths[r]` columns end at the right edge.

    What lands to their left is masked and only has to be finite.
    """
    width = int(lengths.max())
    columns = torch.arange(width, device=tensor.device)[None] - (width - lengths)[:, None]
    chosen = tensor[rows]
    index = columns.clamp(min=0)[:, None, :, None].expand(-1, chosen.shape[1], -1, chosen.shape[-1])
    return chosen.gather(-2, index)


def _stacked(parts: Sequence[Tensor], width: int, more: int = 0) -> Tensor:
    """A buffer of the rows of all parts, their right edges at column `width`; `more` columns and room follow."""
    first = parts[0]
    rows = sum(len(part) for part in parts)
    whole = first.new_zeros((rows, first.shape[1], width + more + _ROOM, first.shape[-1]))
    row = 0
    for part in parts:
        whole[row : row + len(part), :, width - part.shape[-2] : width] = part
        row += len(part)
    return whole
