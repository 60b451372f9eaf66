"""Which way a model can write: many rows together, one row with its own memory, or one row computed anew each time.

Belongs here: the trial that decides it, on a few tokens, before any text is written. Does not belong here: the ways
themselves (`_writer_cache.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gnomon.errors import ModelError
from gnomon.models._writer_cache import Alone, Network, Running

__all__ = ["Way", "choose_way", "refuse_reading_ahead"]

Way = Literal["together", "alone", "anew"]
_Shown = list[tuple[list[int], list[Tensor]]]  # ids of a text, and the logits (vocabulary,) after the last so many

_TOP = 64  # likeliest tokens that are compared at each position
# Most that a way may move a log-probability on trial, on average and at worst; in half precision what another order of
# the same sums moves.
_AGREEMENT = {
    torch.float64: (1e-6, 1e-6),
    torch.float32: (1e-4, 1e-3),
    torch.float16: (0.02, 0.3),
    torch.bfloat16: (0.15, 1.5),
}


def choose_way(network: Network) -> tuple[Way, str]:
    """The fastest way whose logits are those of whole texts, and why no faster one; empty for "together"."""
    tokens = np.random.default_rng(0).integers(0, min(1000, network.vocabulary), 96).tolist()
    reason = _cannot_join(network) or _compare(network, _together, tokens)
    if not reason:
        return "together", ""
    return ("anew" if _compare(network, _alone, tokens) else "alone"), reason


def refuse_reading_ahead(network: Network) -> None:
    """Raise ModelError for a model whose logits at one token depend on the next: it cannot go on with a text."""
    ids = [number % network.vocabulary for number in range(8)]
    one, other = network([ids], last=[6], use_cache=False).logits, network([ids[:7]], use_cache=False).logits
    if (one - other).abs().mean() > 0.005 * one.std():  # a causal model's are equal, up to the rounding of sums
        raise ModelError(
            f"{type(network.model).__name__} reads ahead: its output at one token depends on the next, so it cannot "
            "write text.",
            hint="Use a causal language model.",
        )


def _cannot_join(network: Network) -> str:
    """What in the model's make excludes a running batch, before any number is looked at; empty where nothing does."""
    if not network.memory:
        return "the model keeps no keys and values"
    return "" if "attention_mask" in network.accepts else "the model takes no mask"


def _compare(network: Network, way: Callable[[Network, list[int]], _Shown], tokens: list[int]) -> str:
    """Why a way does not give the logits of whole texts; empty where it does."""
    try:
        shown = way(network, tokens)
    except Exception as error:  # any fault of a foreign model's memory means: take a slower way, and say so
        return f"its memory cannot be divided into rows ({type(error).__name__})"
    moved = torch.cat([_differences(network, ids, logits) for ids, logits in shown])
    mean, worst = _AGREEMENT.get(network.model.dtype, _AGREEMENT[torch.bfloat16])
    if not (moved.mean() <= mean and moved.max() <= worst):
        return f"company moved a log-probability by {moved.max():.2g} on a trial"
    return ""


def _differences(network: Network, ids: list[int], logits: list[Tensor]) -> Tensor:
    """How far the log-probabilities of the likeliest tokens lie from those of one plain pass over the whole text."""
    got = torch.stack(logits).double().log_softmax(-1)
    whole = network.model(input_ids=network.tensor([ids]), use_cache=False).logits[0, -len(logits) :]
    wanted, top = whole.double().log_softmax(-1).topk(min(_TOP, whole.shape[-1]), dim=-1)
    moved: Tensor = (got.gather(-1, top) - wanted).abs().flatten()
    return moved


def _together(network: Network, tokens: list[int]) -> _Shown:
    """Rows over a common beginning, one of them twice, that step; one leaves, a longer and a shorter one join."""
    head, batch = tokens[:16], Running(network)
    first = network.prompts([tokens[:29], [*head, *tokens[32:37]]], network.prompts([head]))
    second = network.prompts([tokens[40:47], tokens[40:76]])
    texts = [tokens[:29], [*head, *tokens[32:37]], [*head, *tokens[32:37]], tokens[40:47], tokens[40:76]]
    shown: _Shown = [(list(text), []) for text in texts]

    def show(rows: list[int], logits: Tensor) -> None:
        for row, one in zip(rows, logits, strict=True):
            shown[row][1].append(one)

    def step(rows: list[int], turn: int) -> None:
        for row in rows:
            shown[row][0].append(tokens[80 + 5 * turn % 11 + row])
        show(rows, batch.step([shown[row][0][-1] for row in rows]))

    show([0, 1, 2], batch.join([(first, [0, 1, 1])]))
    step([0, 1, 2], 0)
    step([0, 1, 2], 1)
    batch.keep([1, 2])
    show([3, 4], batch.join([(second, [0, 1])]))
    step([1, 2, 3, 4], 2)
    batch.keep([1, 2])
    step([2, 3], 3)
    return shown


def _alone(network: Network, tokens: list[int]) -> _Shown:
    """One text that steps, and again from its kept beginning."""
    alone, shown = Alone(network, remembers=True), []
    for low in (20, 40):
        logits = [alone.start(tokens[:12])[0]]
        logits += [alone.step(token)[0] for token in tokens[low : low + 3]]
        shown.append(([*tokens[:12], *tokens[low : low + 3]], logits))
    return shown
