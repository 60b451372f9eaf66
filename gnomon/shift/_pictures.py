"""Images with or without labels, as files hold them, and where they are found.

Belongs here: the type that data sets, shifts and networks share. Does not belong here: any data set (`pictures/`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError
from gnomon.registry import Registry, unknown

__all__ = ["Bytes", "Labels", "Pictures", "find_folder", "load_pictures", "registry", "resized", "to_bytes"]

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]

registry = Registry(kind="image set", package="gnomon.shift.pictures", attribute="read", group="gnomon.pictures")


@dataclass(frozen=True)
class Pictures:
    """Images (n, height, width, channels) as bytes; labels (n,) or None; and images that were learned from.

    `classes` are names in the order of the labels. `train` and `train_labels` are the source: what a network saw, and
    what alignment may aim at.
    """

    name: str
    images: Bytes
    labels: Labels | None
    classes: tuple[str, ...]
    train: Bytes | None = None
    train_labels: Labels | None = None
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """The shorter side in pixels, which constants and lengths go by."""
        return int(min(self.images.shape[1:3]))

    def checksum(self) -> str:
        """Hash of images and labels."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(b"" if self.labels is None else self.labels.tobytes())
        return digest.hexdigest()

    def taken(self, rows: NDArray[Any]) -> Pictures:
        """Some of the images, with their labels."""
        labels = None if self.labels is None else self.labels[rows]
        return dataclasses.replace(self, images=self.images[rows], labels=labels)

    def showing(self, images: Bytes) -> Pictures:
        """Other images under the same labels."""
        return dataclasses.replace(self, images=images)


def load_pictures(name: str, options: Mapping[str, str] | None = None) -> Pictures:
    """An image set by its file's name in `gnomon/shift/pictures`; raises UsageError with the closest name.

    >>> load_pictures("digits").images.shape
    (597, 8, 8, 1)
    """
    given = dict(options or {})
    read: Callable[[dict[str, str]], Pictures] = registry.load(name)
    known = getattr(read, "options", {})
    for key in given:
        if key not in known:
            raise unknown(f"argument of the image set '{name}'", key, known)
    return dataclasses.replace(read(given), options=given)


def find_folder(options: Mapping[str, str], *names: str) -> Path:
    """The folder of a set: `data=FOLDER`, else `GNOMON_DATA/<name>` or `GNOMON_DATA/*/<name>` for any of `names`."""
    if given := options.get("data"):
        if not Path(given).exists():
            raise DataError(f"{given} does not exist.", hint=f"Give  -T data=FOLDER  that holds {names[0]}.")
        return Path(given)
    root = os.environ.get("GNOMON_DATA")
    if root:
        for name in names:
            found = [Path(root) / name, *sorted(Path(root).glob(f"*/{name}"))]
            for path in found:
                if path.exists():
                    return path
    raise DataError(
        f"{names[0]} is not at hand.",
        hint="Give  -T data=FOLDER , or set GNOMON_DATA to a folder that holds it (docs/adapt.md says which files).",
    )


def to_bytes(images: NDArray[Any]) -> Bytes:
    """Numbers from 0 to 1 as bytes 0 to 255, rounded; bytes stay. Raises DataError for another range, or NaN.

    >>> to_bytes(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    if images.dtype == np.uint8:
        return images
    values = np.asarray(images, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"images hold {int((~np.isfinite(values)).sum())} values that are not finite.")
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise DataError(
            f"images hold values from {values.min():g} to {values.max():g}.",
            hint="Give bytes from 0 to 255, or numbers from 0 to 1; the network's own normalisation is done for you.",
        )
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def resized(images: Bytes, side: int, channels: int) -> Bytes:
    """Images of another size (bilinear, filtered where they shrink) or number of channels (grey, or grey thrice)."""
    found = images
    if found.shape[3] != channels:
        if channels == 1:
            grey = found[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
            found = np.rint(grey).astype(np.uint8)[..., None]
        else:
            found = np.repeat(found[..., :1], channels, axis=3)
    if found.shape[1:3] == (side, side):
        return found
    from PIL import Image

    out = np.empty((len(found), side, side, channels), dtype=np.uint8)
    for row, image in enumerate(found):
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            out[row, ..., channel] = np.asarray(plane.resize((side, side), Image.Resampling.BILINEAR))
    return out
