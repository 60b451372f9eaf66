"""Of a network's last block no more than is read: one position of each text.

Belongs here: finding where the last block may be narrowed, trying whether that is the same, narrowing a pass. Does not
belong here: which position is read (`_pupil.py`).

After attention, a block treats every position by itself. So the last block's output projection and its feed-forward
part need to see the positions alone that are read; what they give is added to the residual of every position, which is
right at the read ones, and nobody looks at the others. Forward and backward, this saves most of one block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gnomon.errors import ModelError
from gnomon.models._reader_layers import blocks_of

__all__ = ["LastRead"]

_PROJECTIONS = ("o_proj", "out_proj", "c_proj", "out_lin", "Wo", "dense")
_FORWARDS = ("mlp", "ffn", "ff", "feed_forward", "intermediate")


class LastRead:
    """Narrows the last block of `stack` where a trial shows that what is read stays the same.

    Parameters
    ----------
    stack : PreTrainedModel or PeftModel
        Without its output head.

    Attributes
    ----------
    parts : list of str
        Modules of the last block that see the read positions alone; none where the network must be computed whole.
    """

    def __init__(self, stack: Any) -> None:
        self._at: Tensor | None = None
        self.parts: list[str] = []
        try:
            last = blocks_of(stack, int(stack.config.get_text_config().num_hidden_layers), type(stack).__name__)[-1]
        except (ModelError, AttributeError):
            return
        found = {name: module for name, module in last.named_modules() if _follows_attention(name)}
        handles = [module.register_forward_pre_hook(self._before, with_kwargs=True) for module in found.values()]
        if found and self._holds(stack):
            self.parts = list(found)
            return
        for handle in handles:
            handle.remove()

    @contextlib.contextmanager
    def only(self, at: Tensor) -> Iterator[None]:
        """While this is open, states are right at position `at[row]` of each row, and nowhere else."""
        self._at = at
        try:
            yield
        finally:
            self._at = None

    def _before(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._at is None:
            return None
        if args:
            return (self._narrow(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self._narrow(kwargs["hidden_states"])}

    def _narrow(self, hidden: Tensor) -> Tensor:
        """(n, 1, width): the read positions; what was narrowed before stays as it is."""
        assert self._at is not None
        if hidden.shape[1] == 1:
            return hidden
        return hidden[torch.arange(len(hidden), device=hidden.device), self._at.to(hidden.device)][:, None]

    def _holds(self, stack: Any) -> bool:
        """Whether first, middle and last positions of two texts are what they are without narrowing."""
        ids = torch.tensor([[1, 2, 3, 4], [4, 3, 0, 0]], device=stack.device)
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], device=stack.device)
        near = 1e-4 if next(stack.parameters()).dtype == torch.float32 else 3e-2
        rows = torch.arange(2)
        with torch.no_grad():
            whole = stack(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            for at in (torch.tensor([3, 1]), torch.tensor([0, 0]), torch.tensor([2, 0])):
                try:
                    with self.only(at):
                        narrow = stack(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                except (RuntimeError, IndexError, TypeError, KeyError):  # a block of another make
                    return False
                wanted = whole[rows, at]
                if narrow.shape != whole.shape or (narrow[rows, at] - wanted).abs().max() > near * wanted.abs().max():
                    return False
        return True


def _follows_attention(name: str) -> bool:
    """Whether a module of a block has a name that the families give to what comes after attention.

    >>> [_follows_attention(name) for name in ("self_attn.o_proj", "mlp", "mlp.c_proj", "self_attn.q_proj")]
    [True, True, False, False]
    """
    first, _, rest = name.partition(".")
    if not rest:
        return first in _FORWARDS
    return ("attn" in first or "attention" in first) and rest.rpartition(".")[2] in _PROJECTIONS
