"""Shifts: their names, their settings, and what those that change pixels share.

Belongs here: the registry, reading `NAME@setting=value`, constants by size and severity. Does not belong here: any
shift (`shifts/`, one file each).

Constants are those of CIFAR-10-C up to 64 pixels and those of ImageNet-C above (Hendrycks & Dietterich 2019,
arXiv:1903.12261). Lengths among them are for 32 and 224 pixels and grow with the image.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.registry import Registry, did_you_mean
from gnomon.shift._pictures import Bytes, Pictures, to_bytes
from gnomon.stats import stream

__all__ = [
    "CORRUPTIONS",
    "Floats",
    "Shift",
    "clip",
    "constants",
    "each",
    "growth",
    "registry",
    "scaled",
    "shift_named",
    "shown",
]

Floats = NDArray[np.float64]

CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The fifteen of the benchmarks, in their order."""

registry = Registry(kind="shift", package="gnomon.shift.shifts", attribute="shift", group="gnomon.shifts")

T = TypeVar("T")


@dataclass(frozen=True)
class Shift:
    """A shift with its settings: `name` is how it was asked for, `family` its file, `severity` 0 where it has none."""

    name: str
    family: str
    severity: int
    _apply: Callable[[Pictures, np.random.Generator], Pictures]

    def of(self, given: Pictures, seed: int) -> Pictures:
        """The shifted images; the same seed gives the same ones, whatever other shifts are asked for."""
        return self._apply(given, stream(seed, f"shift {self.name}"))


def shift_named(text: str) -> Shift:
    """The shift called `NAME` or `NAME@setting=value@...`; the file's name is the shift's.

    Raises UsageError with the closest name for an unknown shift or setting, and for a value out of range.

    >>> shift_named("gaussian_noise@severity=5").severity
    5
    >>> shift_named("gausian_noise")
    Traceback (most recent call last):
    gnomon.errors.UsageError: no shift is named 'gausian_noise'. Did you mean 'gaussian_noise'? Known: ...
    """
    family, *parts = text.split("@")
    found: Any = registry.load(family)
    known = {
        key: one.default
        for key, one in inspect.signature(found).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }
    given: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in known:
            hint = " ".join(filter(None, [did_you_mean(key, known), f"Known: {', '.join(known) or 'none'}."]))
            raise UsageError(f"shift '{family}' has no setting '{key}'.", hint=hint)
        given[key] = _value(family, key, value, known[key])
    severity = given.get("severity", known.get("severity", 0))
    if any(key not in ("severity", "seed") for key in given):
        severity = 0
    return Shift(text, family, severity, functools.partial(found, **given))


def _value(family: str, key: str, value: str, default: Any) -> Any:
    if isinstance(default, str):
        return value
    try:
        number = int(value) if isinstance(default, int) else float(value)
    except ValueError:
        number = math.nan
    low, high = (1, 5) if key == "severity" else (-1e6, 1e6)
    if not low <= number <= high:
        words = "a whole number" if isinstance(default, int) else "a number"
        raise UsageError(f"{key}={value} of shift '{family}': give {words} from {low:g} to {high:g}.")
    return number


# what files of `shifts/` share


def constants(levels: Mapping[int, Sequence[T]], side: int, severity: int) -> T:
    """The constants for images of that side at a severity from 1 to 5.

    >>> constants({32: [1, 2, 3, 4, 5], 224: [10, 20, 30, 40, 50]}, side=96, severity=2)
    20
    """
    return levels[32 if side <= 64 else 224][severity - 1]


def growth(side: int) -> float:
    """What lengths are multiplied with: 1 at 32 and at 224 pixels.

    >>> growth(16), growth(32), growth(224)
    (0.5, 1.0, 1.0)
    """
    return side / (32 if side <= 64 else 224)


def scaled(given: Pictures) -> Floats:
    """Images as numbers from 0 to 1."""
    return given.images.astype(np.float64) / 255


def clip(values: Floats) -> Bytes:
    """Numbers, cut to 0 to 1, as bytes: what a file of shifted images would hold."""
    return to_bytes(np.clip(values, 0.0, 1.0))


def shown(given: Pictures, values: Floats) -> Pictures:
    """The same pictures with other pixels."""
    return given.showing(clip(values))


def each(given: Pictures, change: Callable[[Floats], Floats]) -> Pictures:
    """Every image (height, width, channels) by itself."""
    return shown(given, np.stack([change(image) for image in scaled(given)]))
