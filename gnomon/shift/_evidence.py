"""What can be seen of a shift without labels: how far each layer is moved, how evenly over the image, and what the
network then says.

Belongs here: measuring. Does not belong here: what follows from it (`_rule.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gnomon.shift._layers import Layer
from gnomon.shift._method import method_named
from gnomon.shift._moments import Tally
from gnomon.shift._target import Target

__all__ = ["Evidence", "LayerShift", "gather"]


class LayerShift(BaseModel):
    """One layer under the network as it is: target against source images, in source standard deviations.

    Attributes
    ----------
    mean : float
        Root mean square over channels of (mu_t - mu_s) / sqrt(v_s).
    mean_floor : float
        What sampling alone would show there, with images as the independent units.
    ratio : float
        Root mean square over channels of log(v_t / v_s).
    places : float
        Spread over positions of what is left of the target's mean map when the source's is shifted and scaled, channel
        by channel, to fit it: 0 where that undoes the shift everywhere. None where it was not seen.
    values : int
        Values a channel in one batch.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    name: str
    channels: int
    mean: float
    mean_floor: float
    ratio: float
    places: float | None
    values: int


class Evidence(BaseModel):
    """Everything that the rule may look at. No label of the target is among it."""

    model_config = ConfigDict(frozen=True)

    images: int
    batch_size: int
    layers: list[LayerShift]
    remark: str = ""
    prior: list[float]
    """The source's mix of classes; even where it is not known."""
    shares: dict[str, list[float]]
    """Mean softmax over the set, by variant."""
    confidence: dict[str, float]

    def skew(self, variant: str) -> float:
        """How far predictions are from the source's mix: total variation, 0 to 1."""
        return sum(abs(a - b) for a, b in zip(self.shares[variant], self.prior, strict=True)) / 2


def gather(target: Target) -> Evidence:
    """Measure; three passes, all of them shared with variants: the source's own, and early layers aligned (two)."""
    own = target.own
    looked = {"source": own.logits}
    if target.layers.aligned:
        looked["early"] = method_named("early")(target).evaluated(target)
    source = target.source.tallies if target.source else None
    layers = [
        _layer(layer, own.tallies[layer.name], source[layer.name] if source else None, target)
        for layer in target.layers.aligned
    ]
    classes = own.logits.shape[1]
    prior: Sequence[float] = [1 / classes] * classes
    if target.source is not None and target.source.labels is not None:
        prior = target.source.prior.tolist()
    elif target.source is not None:
        prior = torch.softmax(target.source.logits.double(), 1).mean(0).tolist()
    soft = {name: torch.softmax(logits.double(), 1) for name, logits in looked.items()}
    return Evidence(
        images=len(target.inputs),
        batch_size=min(target.batch_size, len(target.inputs)),
        layers=layers,
        remark=target.layers.remark,
        prior=list(prior),
        shares={name: value.mean(0).tolist() for name, value in soft.items()},
        confidence={name: float(value.max(1).values.mean()) for name, value in soft.items()},
    )


def _layer(layer: Layer, seen: Tally, source: Tally | None, target: Target) -> LayerShift:
    """Stored moments stand in where there is no source sample; training images were augmented, so they say less."""
    mean, variance = (source.mean, source.variance) if source else (layer.mean, layer.variance)
    scale = variance.clamp_min(1e-10).sqrt()
    error = seen.error.square() + (source.error.square() if source else 0)
    places = None
    if source and source.places is not None and seen.places is not None and source.places.shape == seen.places.shape:
        maps = [
            (sums / many).flatten(1) / scale[:, None]
            for sums, many in (
                (source.places, source.images),
                (seen.places, seen.images),
            )
        ]
        places = _rms(_unfitted(*maps)) if maps[0].shape[1] > 2 else None
    logs = torch.log(seen.variance.clamp_min(1e-10) / variance.clamp_min(1e-10))
    return LayerShift(
        name=layer.name,
        channels=len(mean),
        mean=_rms((seen.mean - mean) / scale),
        mean_floor=_rms(torch.nan_to_num(error, posinf=0.0).sqrt() / scale),
        ratio=_rms(logs),
        places=places,
        values=seen.count // max(1, seen.images) * min(target.batch_size, len(target.inputs)),
    )


def _unfitted(source: Tensor, target: Tensor) -> Tensor:
    """Residual spread (C,) of regressing each channel's target map (C, positions) on the source's.

    >>> x = torch.tensor([[0.0, 1.0, 2.0, 5.0]])
    >>> _unfitted(x, 3 * x + 1).round(decimals=6).tolist(), round(float(_unfitted(x, x.flip(1))), 3)
    ([0.0], 0.964)
    """
    x, y = source - source.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    slope = (x * y).sum(1) / x.square().sum(1).clamp_min(1e-12)
    return (y - slope[:, None] * x).square().mean(1).sqrt()


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def dumped(evidence: Evidence) -> dict[str, Any]:
    """For a record."""
    return evidence.model_dump(mode="json")
