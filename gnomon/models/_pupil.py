"""A network that can be trained, the whole of it or low-rank adapters: to tell two classes apart, and to write.

Belongs here: texts to logits and losses with gradients, trainable weights, their state. Does not belong here: losses on
labels, schedules and what is learned (`supervision/`), or loading (`hf.py`).

The head of two classes reads the state of the last token (the first one in encoders), found by each text's own length
and never by looking for padding, so that a text which holds the padding token is read as any other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnomon.asks import Ask, Completion, Decoding, Failed, Prompt
from gnomon.errors import ModelError, UsageError
from gnomon.models._last_read import LastRead

if TYPE_CHECKING:
    from gnomon.models._tokens import Encoder
    from gnomon.models._writer import Writer

__all__ = ["METHODS", "Pupil", "Scribe"]

METHODS = ("full", "lora")

_CPU_TOKENS = 1024
"""Most tokens that a processor predicts at once: with more, activations leave its caches, and nothing is gained."""


class Pupil:
    """A trainable copy of a network, with a head of two classes.

    Parameters
    ----------
    stack : PreTrainedModel
        Without its output head; it is changed, so give a copy.
    encode : callable (texts) -> list of list of int
        Token ids of each, special tokens included.
    first : Tensor (2, width) or None
        What the head begins with, such as the unembedding rows of "0" and "1"; zeros where None.
    method : {"full", "lora"}
    rank : int
        Of the adapters.
    seed : int
        Of the adapters' start.
    causal : bool
        Whether the last token is read; else the first.
    """

    def __init__(
        self,
        stack: Any,
        encode: Any,
        first: Tensor | None,
        method: str,
        seed: int,
        causal: bool,
        limit: int | None,
        rank: int = 8,
    ) -> None:
        self._encode, self._causal, self.limit = encode, causal, limit
        width = int(stack.config.get_text_config().hidden_size)
        self.head = torch.nn.Linear(width, 2, device=stack.device, dtype=torch.float32)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.weight.zero_() if first is None else self.head.weight.copy_(first)
        self._stack = stack.requires_grad_(True) if method == "full" else _adapted(stack, rank, seed)
        self._stack.eval()  # no dropout, as in the released code: what is compared are labels, not luck
        self._last = LastRead(self._stack)
        self._rows: Tensor | None = None
        self.tokens_computed = 0

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.head.weight.device

    @property
    def pass_tokens(self) -> int:
        """Tokens that cost as much as one more pass: few on a processor, many where a pass waits for its kernels."""
        return 32 if self.device.type == "cpu" else 4096

    def weights(self) -> list[torch.nn.Parameter]:
        """All that is trained."""
        return [*(one for one in self._stack.parameters() if one.requires_grad), *self.head.parameters()]

    def state(self) -> dict[str, Tensor]:
        """Copies of all trained weights, on the CPU."""
        return {str(number): one.detach().to("cpu", copy=True) for number, one in enumerate(self.weights())}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take weights that `state` gave."""
        with torch.no_grad():
            for number, one in enumerate(self.weights()):
                one.copy_(state[str(number)])

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts; raises UsageError for one that is longer than the model reads."""
        found: list[list[int]] = self._encode(list(texts))
        for text, one in zip(texts, found, strict=True):
            if not one:
                raise UsageError(f"the text '{text[:40]}' has no token.", hint="Leave out empty texts.")
            if self.limit is not None and len(one) > self.limit:
                raise UsageError(
                    f"the text '{text[:40]}...' has {len(one):,} tokens, and the model reads {self.limit:,}.",
                    hint="Lower  --max-tokens .",
                )
        return found

    def forget_all_but(self, ids: Sequence[Sequence[int]]) -> None:
        """Keep those rows of the input table alone that these texts need; nothing else can be read afterwards.

        A row that no text needs has no gradient, so training is the same, with less to keep and to update. Adapters
        leave the table as it is, and so does this.
        """
        table = self._stack.get_input_embeddings()
        if not table.weight.requires_grad:
            return
        used = torch.unique(torch.tensor([0, *(token for one in ids for token in one)]))
        self._rows = torch.full((table.weight.shape[0],), -1)
        self._rows[used] = torch.arange(len(used))
        table.weight = torch.nn.Parameter(table.weight.detach()[used.to(table.weight.device)].clone())
        table.num_embeddings = len(used)
        if table.padding_idx is not None:  # its row is not taught
            padding = int(self._rows[table.padding_idx])
            table.padding_idx = padding if int(used[padding]) == table.padding_idx else None

    def states(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(n, width), float32, with gradient: the states that the head reads, of texts padded to the longest."""
        tokens, mask = _padded(ids, self.device, self._rows)
        lengths = mask.sum(dim=1)
        at = lengths - 1 if self._causal else torch.zeros_like(lengths)
        with self._last.only(at):
            out = self._stack(input_ids=tokens, attention_mask=mask).last_hidden_state
        self.tokens_computed += int(lengths.sum())
        found: Tensor = out[torch.arange(len(ids), device=out.device), at.to(out.device)].float()
        return found

    def logits(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(n, 2), with gradient."""
        found: Tensor = self.head(self.states(ids))
        _check(found, "logits")
        return found

    def predict(self, ids: Sequence[Sequence[int]], tokens: int, what: str = "logits") -> NDArray[np.float32]:
        """Logits (n, 2), or "states" (n, width), of texts in any number; batches hold texts of similar length."""
        read = self.logits if what == "logits" else self.states
        width = 2 if what == "logits" else self.head.weight.shape[1]
        found = np.empty((len(ids), width), dtype=np.float32)
        if self.device.type == "cpu":
            tokens = min(tokens, _CPU_TOKENS)
        with torch.no_grad():
            for rows in batches([len(one) for one in ids], tokens):
                found[rows] = read([ids[row] for row in rows]).cpu().numpy()
        return found


class Scribe(Pupil):
    """A pupil that keeps its language-model head, so that it can be taught to write.

    Parameters
    ----------
    network : PreTrainedModel
        A causal language model, head included; it is changed, so give a copy.
    encoder : Encoder
        Its tokenizer, start-token rule and context length.
    first, method, seed, rank
        As for `Pupil`. With "full" the output head learns, too.
    tokens : int
        Most tokens of one pass while it writes.
    """

    def __init__(
        self, network: Any, encoder: Encoder, first: Tensor | None, method: str, seed: int, rank: int, tokens: int
    ) -> None:
        self._network, self._encoder, self._tokens = network, encoder, tokens
        self._written_by: Writer | None = None
        super().__init__(network.base_model, encoder.whole, first, method, seed, True, encoder.limit, rank)
        network.eval()
        self._output = network.get_output_embeddings().requires_grad_(method == "full")

    def weights(self) -> list[torch.nn.Parameter]:
        """All that is trained; an output head that shares its rows with the input's counts once."""
        own = super().weights()
        return [
            *own,
            *(one for one in self._output.parameters() if one.requires_grad and all(one is not w for w in own)),
        ]

    def pairs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[tuple[list[int], int]]:
        """Token ids of each prompt with its answer, and where the answer begins; a long prompt is cut on its left."""
        asks = [Ask(prompt, (answer,)) for prompt, answer in zip(prompts, answers, strict=True)]
        return [
            ([*one.context.tolist(), *one.continuations[0].tolist()], len(one.context))
            for one in self._encoder.encode(asks)
        ]

    def surprise(self, ids: Sequence[Sequence[int]], starts: Sequence[int]) -> Tensor:
        """-log p of each text's tokens from its start on, given those before: sums (n,), with gradient. Starts are at
        least 1."""
        tokens, mask = _padded(ids, self.device)
        lengths = mask.sum(dim=1).tolist()
        rows = [row for row, length in enumerate(lengths) for _ in range(starts[row], length)]
        places = [at for row, length in enumerate(lengths) for at in range(starts[row], length)]
        row, at = (torch.tensor(one, device=self.device) for one in (rows, places))
        hook = self._output.register_forward_pre_hook(lambda module, given: (given[0][row, at - 1][None],))
        try:  # only what is read reaches the output head
            logits = self._network(input_ids=tokens, attention_mask=mask, use_cache=False).logits[0].float()
        finally:
            hook.remove()
        self.tokens_computed += int(mask.sum())
        _check(logits, "logits")
        each = torch.nn.functional.cross_entropy(logits, tokens[row, at], reduction="none")
        return torch.zeros(len(ids), device=self.device).index_add(0, row, each)

    def write(self, prompts: Sequence[str], decoding: Decoding) -> list[str]:
        """What it writes after each prompt."""
        from gnomon.models._writer import Writer
        from gnomon.models._writer_text import PromptEncoder

        if self._written_by is None:
            self._written_by = Writer(self._network, PromptEncoder(self._encoder), tokens=self._tokens)
        found = [""] * len(prompts)
        asked = [Prompt(prompt, decoding) for prompt in prompts]
        for batch in self._written_by.write(asked, lambda index: False):
            for index, one in batch:
                if isinstance(one, Failed):
                    raise ModelError(f"a text could not be written: {one.message}.")
                assert isinstance(one, Completion)
                found[index] = one.text
        return found


def _padded(ids: Sequence[Sequence[int]], device: torch.device, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Tokens and mask, (n, longest), padded on the right; `kept` has the row of each token's place in a smaller input
    table, and -1 where it is not there."""
    longest = max(map(len, ids))
    tokens = torch.zeros((len(ids), longest), dtype=torch.long)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = torch.tensor(one)
        mask[row, : len(one)] = 1
    if kept is not None:
        tokens = kept[tokens]
        if (tokens < 0).any():
            raise ModelError("a text has tokens that this model was told to forget.", hint="Teach a fresh copy.")
    return tokens.to(device), mask.to(device)


def _check(values: Tensor, what: str) -> None:
    if not torch.isfinite(values).all():
        raise ModelError(
            f"the model gives {what} that are not finite.",
            hint="Take a smaller learning rate, or  -M dtype=float32 .",
        )


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, none of which has more than `tokens` places, padding included (save a
    single longer row).

    >>> list(batches([5, 1, 9, 2], 6))
    [[1, 3], [0], [2]]
    """
    held: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if held and lengths[row] * (len(held) + 1) > tokens:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


def alike(lengths: Sequence[int], pass_tokens: int) -> list[list[int]]:
    """Row numbers in groups of similar length, so that padding and passes cost least; a pass costs as much as
    `pass_tokens` places, beside those that it computes.

    >>> alike([50, 4, 60, 5], 32)
    [[1, 3], [0, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    best, cut = [0] + [0] * len(order), [0] * (len(order) + 1)  # of the first k rows: the least cost, the last group
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        best[end], cut[end] = min((best[start] + longest * (end - start) + pass_tokens, start) for start in range(end))
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.append(order[cut[end] : end])
        end = cut[end]
    return groups[::-1]


class _InPlace:
    """A low-rank adapter's share, added where the layer's own output lies: peft's own rule makes two more copies of
    it. In peft's terms this is a variant of the layer."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **kwargs: Any) -> Tensor:
        down, up = module.lora_A[active_adapter].weight, module.lora_B[active_adapter].weight
        low = torch.nn.functional.linear(x, down)
        scale: float = module.scaling[active_adapter]
        if low.dtype != result.dtype:  # adapters of a network in half precision are kept, and added, in single
            return result + scale * torch.nn.functional.linear(low, up)
        flat = result.view(-1, result.shape[-1])
        return flat.addmm_(low.flatten(0, -2), up.T, alpha=scale).view(result.shape)


def _adapted(stack: Any, rank: int, seed: int) -> Any:
    """`stack`, frozen, with low-rank adapters at all its linear layers (Hu et al. 2021)."""
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer

    stack.requires_grad_(False)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an older name of an attribute, and a setting that peft mends by itself
        torch.manual_seed(seed)
        found = get_peft_model(
            stack, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear")
        )
    layers: list[Any] = [module for module in found.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        layer.lora_variant["default"] = _InPlace
    return found
