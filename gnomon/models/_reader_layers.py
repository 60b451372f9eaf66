"""Where a network's states are: its blocks, taken by hooks at wanted positions.

Belongs here: finding blocks and what follows them, hooks, and finite checks. Does not belong here: texts
(`_reader_text.py`) or batches (`_reader.py`).

State k is what block k gives ("0" is what the first block is given), and the last is what leaves the stack after its
final norm, exactly as transformers' `output_hidden_states` numbers them. Only the wanted positions are kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnomon.asks import Failed, StateLayout, States
from gnomon.errors import ModelError

__all__ = ["Taken", "blocks_of", "checked", "closing_of", "taking"]


def blocks_of(stack: Any, count: int, shown: str) -> Sequence[Any]:
    """The `count` blocks of a stack of layers; raises ModelError for a network that is no such stack."""
    for module in stack.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return list(module)
    raise ModelError(
        f"the states of '{shown}' cannot be read: its {type(stack).__name__} has no list of {count} blocks.",
        hint="Use a transformer whose layers follow one another.",
    )


def closing_of(stack: Any, last: Any, shown: str) -> Any:
    """The module that the states after the `last` block go through before they leave `stack`, found by trying which one
    gives what leaves; raises ModelError where none does."""
    given: list[Tensor] = []
    handle = last.register_forward_hook(lambda _, args, out: given.append(out[0] if isinstance(out, tuple) else out))
    try:
        with torch.inference_mode():
            left = stack(input_ids=torch.tensor([[1, 2, 3]], device=stack.device), use_cache=False).last_hidden_state
    finally:
        handle.remove()
    for module in (torch.nn.Identity(), *stack.children()):
        if isinstance(module, torch.nn.ModuleList):
            continue
        try:
            with torch.inference_mode():
                if torch.equal(module(given[0]), left):
                    return module
        except Exception:  # a module that wants something else is not the one
            continue
    raise ModelError(f"what '{shown}' does with its last block's states is not known.")


class Taken:
    """States of the wanted positions, block by block."""

    def __init__(self) -> None:
        self.parts: list[Tensor] = []
        self.rows: Tensor | None = None
        self.columns: Tensor | None = None

    def want(self, rows: Sequence[int], columns: Sequence[int], device: Any) -> None:
        """Which positions of the next pass are kept."""
        self.parts = []
        self.rows = torch.tensor(rows, device=device, dtype=torch.long)
        self.columns = torch.tensor(columns, device=device, dtype=torch.long)

    def take(self, hidden: Tensor) -> None:
        self.parts.append(hidden[self.rows, self.columns].float().cpu())

    def states(self) -> NDArray[np.float32]:
        """(positions, layers, width)."""
        return np.asarray(torch.stack(self.parts, dim=1).numpy(), dtype=np.float32)


@contextlib.contextmanager
def taking(blocks: Sequence[Any]) -> Iterator[Taken]:
    """While this is open, what each block is given is taken; the caller adds what leaves the stack."""
    taken = Taken()

    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        taken.take(args[0] if args else kwargs["hidden_states"])

    handles = [block.register_forward_pre_hook(before, with_kwargs=True) for block in blocks]
    try:
        yield taken
    finally:
        for handle in handles:
            handle.remove()


def checked(values: NDArray[np.float32], layout: StateLayout, tokens: Sequence[int], truncated: int) -> States | Failed:
    """States (answers, layers, width), or a failure that names the first layer that is not finite."""
    if np.isfinite(values).all():
        return States(values, tuple(tokens), truncated)
    bad = np.logical_not(np.isfinite(values).all(axis=2))
    answer = int(np.argwhere(bad)[0][0])
    first = layout.layers[int(np.flatnonzero(bad[answer])[0])]
    hint = "use -M dtype=bfloat16 or float32" if layout.dtype == "float16" else "the weights or the text are at fault"
    return Failed(f"a state of answer {answer + 1} at layer {first} is not finite ({layout.dtype}): {hint}")
