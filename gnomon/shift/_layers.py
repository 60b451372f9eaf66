"""Which layers of a network keep statistics that alignment can replace, and what to say of the others.

Belongs here: recognising layers and putting them in the order of use. Does not belong here: statistics
(`_moments.py`), or running anything but that one look.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gnomon.errors import ModelError

__all__ = ["Layer", "Layers", "find_layers"]

_STATELESS = (nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer with stored statistics: its name in the network, its place in the order of use, its channels."""

    name: str
    place: int
    module: nn.Module
    channels: int

    @property
    def mean(self) -> Tensor:
        """Stored source means (C,), float64."""
        return _stored(self.module, "running_mean").detach().to(torch.float64)

    @property
    def variance(self) -> Tensor:
        """Stored source variances (C,), float64."""
        return _stored(self.module, "running_var").detach().to(torch.float64)

    @property
    def eps(self) -> float:
        return float(getattr(self.module, "eps", 1e-5))


@dataclass(frozen=True)
class Layers:
    """The layers that can be aligned, in the order of use, and how many there are of what cannot, by kind."""

    aligned: list[Layer]
    others: dict[str, int] = field(default_factory=dict)

    @property
    def remark(self) -> str:
        """Why there is nothing to align, in one sentence; empty where there is something."""
        if self.aligned:
            return ""
        if "fused BatchNorm" in self.others:
            why = "its BatchNorm is fused into the weights before it, so no statistics are left to replace"
        elif self.others:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.others.items())
            why = f"it has {kinds}, which store no statistics of the source"
        else:
            why = "it has no normalisation layer"
        return f"there is nothing to align in this network: {why}; every variant is the source's own output."

    def kept(self, first: int = 0, last: int = 0) -> frozenset[str]:
        """Names of the first and last so many layers, which stay as they are.

        >>> Layers([]).kept(last=4)
        frozenset()
        """
        names = [layer.name for layer in self.aligned]
        return frozenset([*names[:first], *(names[-last:] if last else [])])


def find_layers(module: nn.Module, sample: Tensor | None = None) -> Layers:
    """All BatchNorm layers of any kind with stored statistics, in the order in which a forward pass first uses them.

    Parameters
    ----------
    module : nn.Module
    sample : Tensor, optional
        One or two inputs. Without it the order is that of registration. Layers that the pass does not use are left out.

    Returns
    -------
    Layers

    Raises
    ------
    ModelError
        For a lazy layer that has seen no input yet.

    Notes
    -----
    BatchNorm1d, 2d, 3d, SyncBatchNorm, subclasses with a forward of their own, and FrozenBatchNorm of other packages
    (known by its name and buffers). `track_running_stats=False` stores nothing: such a layer normalises with its batch
    at all times.
    """
    found: dict[int, tuple[str, nn.Module]] = {}
    others: Counter[str] = Counter()
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.lazy.LazyModuleMixin) and part.has_uninitialized_params():  # type: ignore[misc]
            raise ModelError(
                f"layer '{name}' ({type(part).__name__}) has no parameters before its first input.",
                hint="Pass one batch through the model first.",
            )
        if _storing(part):
            found[id(part)] = (name, part)
        elif isinstance(part, _BatchNorm):
            others["BatchNorm without stored statistics"] += 1
        elif isinstance(part, _STATELESS) or "InstanceNorm" in type(part).__name__ or "RMSNorm" in type(part).__name__:
            others[type(part).__name__] += 1
        elif _fused(name, part):
            others["fused BatchNorm"] += 1
    if sample is not None and found:
        order = _used(module, found, sample)
        if len(order) < len(found):
            others["unused BatchNorm"] += len(found) - len(order)
        found = {key: found[key] for key in order}
    layers = [
        Layer(name, place, part, len(_stored(part, "running_mean")))
        for place, (name, part) in enumerate(found.values())
    ]
    return Layers(layers, dict(others))


def _storing(part: nn.Module) -> bool:
    frozen = "FrozenBatchNorm" in type(part).__name__
    return (isinstance(part, _BatchNorm) or frozen) and getattr(part, "running_mean", None) is not None


def _fused(name: str, part: nn.Module) -> bool:
    """What torch's own fusing leaves: a layer of its intrinsic package, or an Identity where a norm was."""
    if ".intrinsic." in type(part).__module__:
        return True
    last = name.rpartition(".")[2].lower()
    return isinstance(part, nn.Identity) and ("bn" in last or "norm" in last)


def _stored(part: nn.Module, name: str) -> Tensor:
    tensor = getattr(part, name)
    assert isinstance(tensor, Tensor)
    return tensor


def _used(module: nn.Module, found: dict[int, tuple[str, nn.Module]], sample: Tensor) -> list[int]:
    """Keys of `found` in the order of first use."""
    order: list[int] = []

    def seen(part: nn.Module, inputs: object) -> None:
        if id(part) not in order:
            order.append(id(part))

    handles = [part.register_forward_pre_hook(seen) for _, part in found.values()]
    flags = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            module(sample)
    finally:
        for handle in handles:
            handle.remove()
        for part, flag in flags:
            part.training = flag
    return order
