"""A user's own shifted images: a folder, or an array of the CIFAR-10-C kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.shift._pictures import Pictures
from gnomon.shift.pictures.folder import read_folder


def shift(given: Pictures, generator: np.random.Generator, *, path: str = "", severity: int = 3) -> Pictures:
    """`path` is a folder of images (one folder a class, or none), or a .npy file (k x n, h, w, c) of bytes with
    `labels.npy` beside it: five severities one after the other, as CIFAR-10-C and RobustBench hold them."""
    if not path:
        raise UsageError("which images?", hint="Give  images@path=FOLDER  or  images@path=gaussian_noise.npy .")
    place = Path(path)
    if place.is_dir():
        shifted, labels, classes = read_folder(place, given.side)
        if classes and classes != given.classes:
            raise DataError(f"{place} has the classes {', '.join(classes[:5])}, and '{given.name}' others.")
        return dataclasses.replace(given, images=shifted, labels=labels)
    return _array(place, given, severity, generator)


def _array(path: Path, given: Pictures, severity: int, generator: np.random.Generator) -> Pictures:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        labels = np.load(path.with_name("labels.npy"), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as an array ({type(error).__name__}: {str(error)[:100]}).",
            hint="It must be a .npy file of bytes without objects, with labels.npy beside it.",
        ) from error
    if found.ndim != 4 or found.dtype != np.uint8 or len(found) % 5:
        raise DataError(f"{path} holds {found.dtype} of shape {found.shape}, not five severities of images in bytes.")
    many = len(found) // 5
    if len(labels) not in (many, len(found)):
        raise DataError(f"{path.with_name('labels.npy')} holds {len(labels):,} labels for {len(found):,} images.")
    rows = slice((severity - 1) * many, severity * many)
    truth = labels[rows] if len(labels) == len(found) else labels
    shown = np.array(found[rows])
    keep = np.sort(generator.permutation(many)[: len(given.images)])
    return dataclasses.replace(given, images=shown[keep], labels=truth[keep].astype(np.int64))
