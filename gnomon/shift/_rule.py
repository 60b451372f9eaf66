"""Whether to align, from what can be seen without labels.

Belongs here: the rule and its bars, and nothing else. Does not belong here: measuring (`_evidence.py`).

The bars were set on the measurements of docs/adapt.md (ResNet-20, CIFAR-10, `python bench/adapt.py --table rule`
shows how they do there and on networks and shifts that they were not set on).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gnomon.shift._evidence import Evidence, LayerShift

__all__ = ["BARS", "Choice", "Reason", "decide"]

BARS = {
    "places": 0.45,
    "skew": 0.30,
    "small": 0.10,
    "large": 0.25,
    "early": 0.22,
    "images": 32,
}
"""Unevenness over the image, and skew of predictions, above which statistics are not what moved; the largest shift of
a middle layer below which nothing moved, and above which alignment pays by itself; the middle shift of early layers
that is worth aligning under a changed mix of classes; and how many images a batch should have."""

VARIANTS = {"adapt": "whole", "mix": "mix", "early layers only": "early", "keep source": "source"}
"""The variant that stands for each verdict."""


@dataclass(frozen=True)
class Reason:
    """One thing that was looked at: what was found, the bar, and on which side of it that lies (None: not seen)."""

    name: str
    value: float | None
    bar: float
    beyond: bool | None


@dataclass(frozen=True)
class Choice:
    """`verdict` is adapt, mix, early layers only or keep source; `because` says why in one sentence."""

    verdict: str
    because: str
    reasons: list[Reason]

    @property
    def variant(self) -> str:
        """The variant that does what the verdict says."""
        return VARIANTS[self.verdict]


def decide(seen: Evidence) -> Choice:
    """The verdict on one set of unlabelled images.

    In this order: nothing to align; moved unevenly over the image (a border, a turned frame); predictions far from the
    source's mix of classes though early layers were aligned; nothing moved; too few images; moved a little; moved.

    Parameters
    ----------
    seen : Evidence
        Has no label in it.

    Returns
    -------
    Choice
    """
    if not seen.layers:
        return Choice("keep source", seen.remark, [])
    many = len(seen.layers)
    # The first layers of a trained network meet shifts that it has learned to undo; the last hold the classes.
    early, most = seen.layers[: (many + 1) // 2], seen.layers[many // 4 : max(many // 4 + 1, many * 3 // 4)]
    peak = max(size(one) for one in most)
    middle = sorted(size(one) for one in early)[len(early) // 2]
    places = unevenness(early, seen.images)
    skew = seen.skew("early")
    skew_bar = math.hypot(BARS["skew"], sampled_skew(seen))
    narrow = min(one.values / one.channels for one in seen.layers)
    uneven = None if places is None else places > BARS["places"]
    reasons = [
        Reason("unevenness over the image", places, BARS["places"], uneven),
        Reason("skew of predictions", skew, skew_bar, skew > skew_bar),
        Reason("largest shift of a middle layer", peak, BARS["small"], peak > BARS["small"]),
        Reason("largest shift of a middle layer, to align wholly", peak, BARS["large"], peak > BARS["large"]),
        Reason("middle shift of early layers", middle, BARS["early"], middle > BARS["early"]),
        Reason("images a batch", float(seen.batch_size), BARS["images"], seen.batch_size >= BARS["images"]),
        Reason("values a channel over channels, narrowest layer", narrow, 1.0, narrow >= 1),
    ]
    return Choice(*_verdict(places, skew, skew_bar, peak, middle, seen.batch_size, narrow), reasons)


def _verdict(
    places: float | None, skew: float, skew_bar: float, peak: float, middle: float, batch: int, narrow: float
) -> tuple[str, str]:
    if places is not None and places > BARS["places"]:
        return "keep source", (
            f"What moved is uneven over the image ({places:.2f} standard deviations from place to place): a border, an "
            "occlusion or a turned frame, which one shift and scale a channel does not undo."
        )
    if skew > skew_bar:
        words = f"Predictions are far from the source's mix of classes ({skew:.2f}) with early layers aligned, too"
        if middle > BARS["early"]:
            return "early layers only", f"{words}, and early layers moved ({middle:.2f}): late layers hold the classes."
        return "keep source", f"{words}, and early layers hardly moved ({middle:.2f}): the classes did."
    if peak < BARS["small"]:
        return (
            "keep source",
            f"No middle layer moved by more than {peak:.2f} standard deviations: nothing to undo.",
        )
    if batch < BARS["images"] or narrow < 1:
        return "mix", (
            f"Batches of {batch} images give the narrowest layer {narrow:.1f} values a channel for each of its "
            "channels: their own statistics are noise."
        )
    if peak < BARS["large"]:
        return "mix", f"Middle layers moved a little ({peak:.2f} standard deviations at most), evenly over the image."
    return (
        "adapt",
        f"Middle layers moved ({peak:.2f} standard deviations at most), evenly over image and classes.",
    )


def size(layer: LayerShift) -> float:
    """How far one layer moved: the larger of its mean shift beyond sampling error and half its log variance ratio.

    >>> round(size(LayerShift(name="a", channels=1, mean=0.5, mean_floor=0.3, ratio=0.2, places=None, values=9)), 3)
    0.4
    """
    return max(math.sqrt(max(0.0, layer.mean**2 - layer.mean_floor**2)), layer.ratio / 2)


def unevenness(layers: list[LayerShift], images: int) -> float | None:
    """The middle spread over positions, beyond what so many images show by chance; None where it was not seen."""
    found = sorted(one.places for one in layers if one.places is not None)
    if not found:
        return None
    return math.sqrt(max(0.0, found[(len(found) - 1) // 2] ** 2 - 1.0 / images))


def sampled_skew(seen: Evidence) -> float:
    """The total variation that drawing so many images of the source's mix gives, about."""
    return 0.4 * sum(math.sqrt(p * (1 - p) / seen.images) for p in seen.prior)
