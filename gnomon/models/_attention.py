"""Attention of many short rows over one shared prefix, computed once for all of them.

Belongs here: the attention function that transformers calls in place of its own, and the stack of kept keys and
values. Does not belong here: which rows there are (`_tree.py`) or what is read from them (`_scorer.py`).

The tokens of all rows are packed into one sequence, without padding. Softmax attention over two sets of keys splits
exactly: with o1, l1 the output and the log of the sum of exponentials over the prefix, and o2, l2 those over the row's
own tokens, the whole is (exp(l1) o1 + exp(l2) o2) / (exp(l1) + exp(l2)). So the prefix is met by the queries of all
rows at once, as one large product, instead of being copied beside each row. The split is the standard one of blockwise
attention (Dao et al. 2022, arXiv:2205.14135, section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnomon.models._tree import Step

__all__ = ["NAME", "Packed", "Stack", "register", "running"]

NAME = "gnomon_shared_prefix"

_CHUNK = 1 << 24  # scores held at once where no fused kernel reports its log-sum-exp


@dataclass(slots=True)
class Stack:
    """Keys and values of the current path, by layer: each (kv heads, capacity, head size), filled from the left."""

    capacity: int
    keys: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)

    def write(self, layer: int, at: int, key: Tensor, value: Tensor) -> None:
        """Put `key` and `value`, each (kv heads, n, head size), at positions at .. at + n."""
        if layer not in self.keys:
            self.keys[layer] = key.new_empty(key.shape[0], self.capacity, key.shape[2])
            self.values[layer] = value.new_empty(value.shape[0], self.capacity, value.shape[2])
        self.keys[layer][:, at : at + key.shape[1]] = key
        self.values[layer][:, at : at + value.shape[1]] = value


class Packed:
    """One step, laid out for attention: where each row's tokens lie in the packed sequence and who may see whom."""

    def __init__(self, step: Step, stack: Stack, device: torch.device) -> None:
        self.prefix, self.keep, self.stack = step.prefix, step.keep, stack
        lengths = [len(row.ids) for row in step.rows]
        self.rows, self.width = len(lengths), max(lengths)
        self.chain = all(row.chain for row in step.rows)
        starts = np.cumsum([0, *lengths[:-1]])
        place = starts[:, None] + np.arange(self.width)[None, :]
        inside = np.arange(self.width)[None, :] < np.array(lengths)[:, None]
        self.single = self.rows == 1
        self.gather = torch.from_numpy(np.where(inside, place, 0)).to(device)  # (rows, width) into the packed sequence
        self.inside = torch.from_numpy(inside).to(device)
        self.mask = None if self.chain else torch.from_numpy(_ancestors(step, self.width)).to(device)[:, None]


def _ancestors(step: Step, width: int) -> np.ndarray[Any, Any]:
    """Boolean (rows, width, width): whether token j is i or an ancestor of i. Padding sees itself, to stay finite."""
    masks = np.zeros((len(step.rows), width, width), dtype=bool)
    for mask, row in zip(masks, step.rows, strict=True):
        for index, parent in enumerate(row.parents):
            if parent >= 0:
                mask[index] = mask[parent]
            mask[index, index] = True
        padding = np.arange(len(row.ids), width)
        mask[padding, padding] = True
    return masks


_current: ContextVar[Packed | None] = ContextVar("gnomon_packed_step", default=None)


@contextmanager
def running(packed: Packed) -> Iterator[None]:
    """Within this block the attention of the model that runs is that of `packed`."""
    token = _current.set(packed)
    try:
        yield
    finally:
        _current.reset(token)


def register() -> None:
    """Make the attention known to transformers under `NAME`. It has no mask function there, so no mask is built."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **unused: Any,
) -> tuple[Tensor, None]:
    """As transformers calls it: query (1, heads, n, d), key and value (1, kv heads, n, d) -> (1, n, heads, d)."""
    packed = _current.get()
    odd = attention_mask is not None or any(unused.get(key) is not None for key in ("softcap", "s_aux"))
    if packed is None or odd or query.shape[0] != 1:
        raise UnsupportedAttention(f"{type(module).__name__} asks for attention that is not shared-prefix attention")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    q, k, v = query[0], key[0], value[0]
    out, log_sum = _own_row(q, k, v, scale, packed)
    if packed.prefix:
        shared, shared_log_sum = _attend_prefix(q, packed, layer, scale)
        weight = torch.sigmoid(shared_log_sum - log_sum).unsqueeze(-1).to(out.dtype)
        out = torch.lerp(out, shared, weight)
    if packed.keep:
        packed.stack.write(layer, packed.prefix, k, v)
    return out.transpose(0, 1).unsqueeze(0), None


class UnsupportedAttention(Exception):
    """The model wants attention of another kind (soft caps, sinks, its own mask); the scorer takes the plain way."""


def _attend_prefix(q: Tensor, packed: Packed, layer: int, scale: float) -> tuple[Tensor, Tensor]:
    """All queries (heads, n, d) over the kept prefix, no mask: query heads of one key head are laid end to end."""
    k = packed.stack.keys[layer][:, : packed.prefix]
    v = packed.stack.values[layer][:, : packed.prefix]
    heads, n, d = q.shape
    folded = q.reshape(k.shape[0], heads // k.shape[0] * n, d)
    out, log_sum = _attend(folded[None], k[None], v[None], scale, causal=False, mask=None)
    return out[0].reshape(heads, n, -1), log_sum[0].reshape(heads, n)


def _own_row(q: Tensor, k: Tensor, v: Tensor, scale: float, packed: Packed) -> tuple[Tensor, Tensor]:
    """Every token over itself and its ancestors in its own row; output (heads, n, d) and log-sum-exp (heads, n)."""
    repeat = q.shape[0] // k.shape[0]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, 0), v.repeat_interleave(repeat, 0)
    if packed.single:
        out, log_sum = _attend(q[None], k[None], v[None], scale, causal=packed.chain, mask=packed.mask)
        return out[0], log_sum[0]
    q, k, v = (x[:, packed.gather].transpose(0, 1) for x in (q, k, v))  # (rows, heads, width, d)
    out, log_sum = _attend(q, k, v, scale, causal=packed.chain, mask=packed.mask)
    return out.transpose(0, 1)[:, packed.inside], log_sum.transpose(0, 1)[:, packed.inside]


def _attend(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Softmax attention with its log-sum-exp: (b, h, n, d) over (b, h, m, d) -> (b, h, n, d), (b, h, n) in float32."""
    attend = _fused if q.device.type == "cpu" and q.shape[-1] == v.shape[-1] else _in_chunks
    return attend(q, k, v, scale, causal, mask)


def _fused(q: Tensor, k: Tensor, v: Tensor, scale: float, causal: bool, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """`_attend` by torch's own kernel, which reports its log-sum-exp on a CPU only."""
    bias = None if mask is None else torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -torch.inf)
    out, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, causal, attn_mask=bias, scale=scale
    )
    return out, log_sum.float()


def _in_chunks(
    q: Tensor, k: Tensor, v: Tensor, scale: float, causal: bool, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """`_attend` by plain products, for some queries at a time."""
    if causal:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril_()[None, None]
    step = max(1, _CHUNK // (q.shape[0] * q.shape[1] * k.shape[2]))
    outs, sums = [], []
    for low in range(0, q.shape[2], step):
        scores = torch.matmul(q[:, :, low : low + step], k.transpose(-1, -2)).float().mul_(scale)
        if mask is not None:
            scores.masked_fill_(~mask[:, :, low : low + step], -torch.inf)
        log_sum = scores.logsumexp(-1)
        outs.append(torch.matmul((scores - log_sum.unsqueeze(-1)).exp_().to(v.dtype), v))
        sums.append(log_sum)
    return torch.cat(outs, 2), torch.cat(sums, 2)
