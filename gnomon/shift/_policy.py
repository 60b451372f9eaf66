"""What stands in a layer's stored statistics while a batch goes through: the rules, as formulas on moments.

Belongs here: from stored and observed moments to the pair (mean, variance) that a layer uses. Does not belong here:
when they are observed (`_norms.py`), or which rule a method takes (`methods/`).

Every rule is such a pair, the ones that move activations onto other moments included: for
x' = m + (x - m_t) r with r^2 = (v + eps) / (v_t + eps), and then the layer's own g (x' - m_s) / sqrt(v_s + eps) + b,
the same output has a layer with mean m_t - (m - m_s) / r and variance (v_s + eps) / r^2 - eps.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gnomon.errors import DataError
from gnomon.shift._layers import Layer
from gnomon.shift._moments import Seen, Tally

__all__ = ["Fixed", "Live", "Match", "Mix", "Pair", "Policy", "Source"]

Pair = tuple[Tensor, Tensor]
"""(mean, variance) of a layer, each (C,) and float64."""


class Policy:
    """A rule. `reads` says whether it must see the batch; `kept` names layers that stay as they are."""

    reads: bool = True
    kept: frozenset[str] = frozenset()

    @abstractmethod
    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        """What the layer uses for this batch; None where it uses its own."""

    def settled(self, layers: list[Layer], tallies: Mapping[str, Tally]) -> Fixed:
        """The same rule on moments of a whole set, to be used for any batch."""
        pairs = {}
        for layer in layers:
            tally = tallies[layer.name]
            found = self.pair(layer, Seen(tally.mean, tally.variance, tally.count, tally.images))
            if found is not None:
                pairs[layer.name] = found
        return Fixed(pairs)


@dataclass(frozen=True)
class Source(Policy):
    """Stored statistics: the network as it is."""

    reads: bool = False

    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        return None


@dataclass(frozen=True)
class Live(Policy):
    """The batch's own statistics inside the layer's own kernel, so that gradients pass through them."""

    reads: bool = False

    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        return None


@dataclass(frozen=True, eq=False)
class Fixed(Policy):
    """Given statistics, by layer."""

    pairs: Mapping[str, Pair] = field(default_factory=dict)
    reads: bool = False

    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        return self.pairs.get(layer.name)


@dataclass(frozen=True)
class Mix(Policy):
    """N / (N + n) of the stored statistics and n / (N + n) of the observed, n in images (Schneider et al. 2020).

    With N = 0 it is the batch alone: prediction-time BatchNorm (Nado et al. 2020). Variances are mixed linearly, as
    published, and not as second moments.
    """

    N: float = 0.0
    kept: frozenset[str] = frozenset()

    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        if layer.name in self.kept:
            return None
        assert seen is not None
        if seen.count < 2 and self.N == 0:
            raise DataError(
                f"layer '{layer.name}' sees one value a channel, which has no variance to normalise with.",
                hint="Give more images a batch, or mix with the source's statistics:  mix@N=16 .",
            )
        if self.N == 0:
            return seen.mean, seen.variance
        share = 1.0 / (1.0 + self.N / seen.images)
        mean = (1 - share) * layer.mean + share * seen.mean
        return mean, (1 - share) * layer.variance + share * seen.variance


@dataclass(frozen=True, eq=False)
class Match(Policy):
    """Observed moments are moved onto `reference`, by layer; then the layer works as it was trained to."""

    reference: Mapping[str, Pair]
    kept: frozenset[str] = frozenset()
    N: float = 0.0

    def pair(self, layer: Layer, seen: Seen | None) -> Pair | None:
        if layer.name in self.kept:
            return None
        assert seen is not None
        mean, variance = self.reference[layer.name]
        share = 1.0 / (1.0 + self.N / seen.images)
        mean_t = (1 - share) * mean + share * seen.mean
        variance_t = (1 - share) * variance + share * seen.variance
        eps = layer.eps
        # eps on both sides: a channel that is constant now and was not before keeps a bounded ratio.
        ratio = torch.sqrt((variance + eps) / (variance_t.clamp_min(0) + eps))
        return mean_t - (mean - layer.mean) / ratio, (layer.variance + eps) / ratio.square() - eps
