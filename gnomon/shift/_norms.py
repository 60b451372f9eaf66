"""A network whose BatchNorm layers follow a policy for the length of a `with` block.

Belongs here: putting statistics into layers and taking them out again. Does not belong here: which statistics
(`_policy.py`) or passes over a set (`_target.py`).

No stored number is ever written. A layer's own forward runs with other tensors in the place of its buffers, so that
subclasses (with an activation inside, say) behave as theirs; afterwards the very same tensors stand there again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gnomon.shift._layers import Layer, Layers
from gnomon.shift._moments import Tally, look
from gnomon.shift._policy import Live, Policy, Source

__all__ = ["Norms"]


class Norms:
    """Holds the layers of `module` inside a `with` block; `policy` may be changed while it does.

    Everything is in eval mode inside: dropout is off. After the block, also after an exception, every buffer, flag and
    method is what it was, bit for bit.

    Attributes
    ----------
    tallies : dict or None
        Where moments are gathered by layer; None gathers nothing.
    apart : bool
        Gather the images' own means and the sums at each position, too.
    """

    def __init__(self, module: nn.Module, layers: Layers, policy: Policy | None = None) -> None:
        self._module, self._layers = module, layers
        self.policy: Policy = policy or Source()
        self.tallies: dict[str, Tally] | None = None
        self.apart = False
        self._flags: list[tuple[nn.Module, bool]] = []
        self._before: list[tuple[nn.Module, Any]] = []

    def __enter__(self) -> Norms:
        self._flags = [(part, part.training) for part in self._module.modules()]
        self._module.eval()
        for layer in self._layers.aligned:
            part = layer.module
            self._before.append((part, part.__dict__.get("forward")))
            part.forward = functools.partial(self._forward, layer, part.forward)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part, own in self._before:
            if own is None:
                del part.forward
            else:
                part.forward = own
        for part, flag in self._flags:
            part.training = flag
        self._flags, self._before = [], []

    def _forward(self, layer: Layer, own: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        policy, tallies = self.policy, self.tallies
        seen = None
        if tallies is not None or (policy.reads and layer.name not in policy.kept):
            seen = look(x, layer.name)
        if tallies is not None and seen is not None:
            tally = tallies.setdefault(layer.name, Tally())
            tally.add(seen)
            if self.apart:
                tally.look_apart(x)
        live = isinstance(policy, Live) and isinstance(layer.module, _BatchNorm)
        pair = policy.pair(layer, seen)
        if pair is None and not live:
            return own(x)
        buffers = layer.module._buffers
        stored = buffers["running_mean"], buffers["running_var"]
        assert stored[0] is not None
        try:
            # Without statistics a BatchNorm layer takes its batch's, in eval mode, too.
            mean, variance = (None, None) if pair is None else (part.to(stored[0]) for part in pair)
            buffers["running_mean"], buffers["running_var"] = mean, variance
            return own(x)
        finally:
            buffers["running_mean"], buffers["running_var"] = stored
