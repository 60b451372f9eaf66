"""A user's own images: a folder of images, or one folder a class."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gnomon.errors import DataError
from gnomon.shift._pictures import Bytes, Labels, Pictures, find_folder

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def read(options: dict[str, str]) -> Pictures:
    """Images of one size, or brought to one by `side=N`. With one folder a class, folders are classes in their order:
    by number where all names are numbers (as text, 10 would stand before 2), else by name. `train=FOLDER`: the same
    layout, images like those that the network learned from."""
    folder = find_folder(options, "folder")
    side = int(options["side"]) if options.get("side", "").isdigit() else None
    images, labels, classes = read_folder(folder, side)
    train: Bytes | None = None
    truths: Labels | None = None
    if options.get("train"):
        train, truths, names = read_folder(Path(options["train"]), side or images.shape[1])
        if names != classes and classes and names:
            raise DataError(f"{options['train']} has the classes {', '.join(names)}, and not {', '.join(classes)}.")
    return Pictures("folder", images, labels, classes, train, truths, source=folder.name, licence="the user's own")


read.options = {"data": "the folder", "side": "pixels a side", "train": "source images"}  # type: ignore[attr-defined]


def read_folder(folder: Path, side: int | None) -> tuple[Bytes, Labels | None, tuple[str, ...]]:
    """Images (n, side, side, 3), labels where there are folders of classes, and their names."""
    names = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    numbers = all(re.fullmatch(r"\d+", name) for name in names)
    names.sort(key=(lambda name: (int(name), name)) if numbers else None)
    files = [(path, place) for place, name in enumerate(names) for path in _images(folder / name)]
    labelled = bool(files)
    files = files or [(path, 0) for path in _images(folder)]
    if not files:
        raise DataError(f"{folder} holds no image.", hint=f"Known endings: {', '.join(sorted(ENDINGS))}.")
    images = np.stack(_opened([path for path, _ in files], side))
    labels = np.array([place for _, place in files], dtype=np.int64) if labelled else None
    return images, labels, tuple(names) if labelled else ()


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def _opened(paths: list[Path], side: int | None) -> list[Bytes]:
    from PIL import Image, UnidentifiedImageError

    found: list[Bytes] = []
    for path in paths:
        try:
            with Image.open(path) as image:
                rgb = image.convert("RGB")
                if side is not None and rgb.size != (side, side):
                    rgb = rgb.resize((side, side), Image.Resampling.BILINEAR)
                found.append(np.asarray(rgb))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{path} cannot be read as an image.", hint="Move it out of the folder.") from error
        if found[-1].shape != found[0].shape:
            sizes = [f"{one.shape[1]} x {one.shape[0]}" for one in (found[0], found[-1])]
            raise DataError(
                f"{path} is {sizes[1]} pixels, and {paths[0].name} is {sizes[0]}.", hint="Give  -T side=N ."
            )
    return found
