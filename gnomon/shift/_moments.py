"""Statistics of activations: what one batch shows, merged over batches without loss.

Belongs here: channels' means and variances, their spread over images and over positions. Does not belong here: what is
done with them (`_policy.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gnomon.errors import DataError

__all__ = ["Seen", "Tally", "look"]


@dataclass(frozen=True)
class Seen:
    """Channel means and biased variances (C,), float64, of one batch: of `images` images, `count` values a channel."""

    mean: Tensor
    variance: Tensor
    count: int
    images: int


def look(x: Tensor, name: str) -> Seen:
    """Moments over all axes but the channels' (axis 1), in float32 at least.

    Raises DataError where a value is not finite: one would poison the statistics of the whole set.
    """
    x = x.detach()
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    count = wide.numel() // wide.shape[1]
    if count > 1:
        mean, variance = wide.new_zeros(wide.shape[1]), wide.new_ones(wide.shape[1])
        # The fused kernel: several times as fast as torch.var_mean over strided axes. Its variance is unbiased.
        torch.native_batch_norm(wide, None, None, mean, variance, True, 1.0, 1e-5)
        centre, variance = mean.double(), variance.double() * ((count - 1) / count)
        # That kernel's mean is a plain float32 sum; this one is exact enough for channels that hardly vary.
        mean = (wide.mean(tuple(range(2, wide.dim()))) if wide.dim() > 2 else wide).double().mean(0)
        variance = (variance - (mean - centre).square()).clamp_min(0)
    else:
        mean = wide.transpose(0, 1).reshape(wide.shape[1], -1).mean(1).double()
        variance = torch.zeros_like(mean)
    if not (torch.isfinite(mean).all() and torch.isfinite(variance).all()):
        raise DataError(
            f"activations at layer '{name}' are not finite ({_which(wide)}), and statistics would keep that.",
            hint="Leave such images out, or run the network in float32.",
        )
    return Seen(mean, variance, count, x.shape[0])


def _which(x: Tensor) -> str:
    bad = ~torch.isfinite(x).flatten(1).all(1)
    first = int(bad.int().argmax()) if bad.any() else 0
    return f"{int(bad.sum())} of {x.shape[0]} images of a batch, the first at place {first}"


@dataclass
class Tally:
    """Moments of one layer over all that it saw.

    Attributes
    ----------
    count, mean, squares :
        Values a channel, their mean and sum of squares about it, merged by Chan's rule in float64.
    batches : list of Seen
        Batch by batch, in order; an average that forgets needs the order.
    images : int
    between : Tensor (C,)
        Sum of squares of the images' own means about `mean`, where asked for (`apart`); it gives the sampling error,
        for the values of one image are not independent.
    places : Tensor or None (C, ...)
        Sum over images at each position, where asked for and where all images have one size.
    """

    count: int = 0
    images: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    squares: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    batches: list[Seen] = field(default_factory=list)
    means: list[Tensor] = field(default_factory=list)
    places: Tensor | None = None
    height: int = 0

    @property
    def variance(self) -> Tensor:
        """Biased, (C,)."""
        return self.squares / max(1, self.count)

    @property
    def error(self) -> Tensor:
        """Standard error of `mean` (C,) with images as the independent units; needs `means`."""
        each = torch.cat(self.means)
        return each.std(0, unbiased=True) / len(each) ** 0.5 if len(each) > 1 else torch.full_like(each[0], torch.inf)

    def add(self, seen: Seen) -> None:
        """Merge one batch."""
        total = self.count + seen.count
        gap = seen.mean - self.mean
        self.squares = (
            self.squares + seen.variance * seen.count + gap.square() * (self.count * seen.count / max(1, total))
        )
        self.mean = self.mean + gap * (seen.count / total)
        self.count, self.images = total, self.images + seen.images
        self.batches.append(seen)

    def look_apart(self, x: Tensor) -> None:
        """Keep the images' own means, and the sum over images at each position."""
        wide = x.detach().float()
        if wide.dim() == 2:
            self.means.append(wide.double())
            return
        self.means.append(wide.flatten(2).mean(2).double())
        total = wide.sum(0).double()
        if self.places is None:
            self.places = total
        elif self.places.shape == total.shape:
            self.places = self.places + total

    def merged(self, other: Tally) -> Tally:
        """Both together."""
        found = Tally()
        for one in (self, other):
            if one.count:
                found.add(Seen(one.mean, one.variance, one.count, one.images))
        found.batches = [*self.batches, *other.batches]
        found.means = [*self.means, *other.means]
        parts = [one.places for one in (self, other) if one.places is not None]
        if parts and all(one.shape == parts[0].shape for one in parts):
            found.places = torch.stack(parts).sum(0)
        return found
