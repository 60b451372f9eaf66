"""CIFAR-10 (Krizhevsky 2009): the released python batches are pickles and stay unread; sprites and arrays are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from gnomon.errors import DataError
from gnomon.shift._pictures import Bytes, Labels, Pictures, find_folder

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read(options: dict[str, str]) -> Pictures:
    """Sprites of convnetjs (1,000 images a PNG, `cifar10_labels.js`), or `{train,test}_{images,labels}.npy`."""
    folder = find_folder(options, "cifar10", "cifar10_small")
    if (folder / "cifar10_labels.js").is_file():
        labels = _labels(folder / "cifar10_labels.js")
        test, train = _sprites(folder, labels, 50, 51), _sprites(folder, labels, 0, 50)
    else:
        test, train = _arrays(folder, "test"), _arrays(folder, "train")
    return Pictures(
        "cifar10",
        *test,
        CLASSES,
        *train,
        source="Krizhevsky 2009, Learning multiple layers of features from tiny images",
        licence="no formal licence",
        notes=(f"{len(test[0]):,} test images and {len(train[0]):,} of the training images are at hand.",),
    )


read.options = {"data": "the folder"}  # type: ignore[attr-defined]


def _labels(path: Path) -> Labels:
    found = re.search(r"\[[\d,\s]*\]", path.read_text(encoding="utf-8"))
    if found is None:
        raise DataError(f"{path} holds no list of labels.")
    return np.asarray(json.loads(found.group()), dtype=np.int64)


def _sprites(folder: Path, labels: Labels, first: int, end: int) -> tuple[Bytes, Labels]:
    from PIL import Image

    parts, truths = [], []
    for number in range(first, end):
        path = folder / f"cifar10_batch_{number}.png"
        if not path.is_file():
            continue
        with Image.open(path) as image:
            sheet = np.asarray(image.convert("RGB"))
        if sheet.shape != (1000, 1024, 3):
            raise DataError(f"{path} is {sheet.shape[1]} x {sheet.shape[0]} pixels, not 1024 x 1000.")
        parts.append(sheet.reshape(1000, 32, 32, 3))
        truths.append(labels[number * 1000 : (number + 1) * 1000])
    if not parts:
        raise DataError(f"{folder} holds no cifar10_batch_{first}.png to cifar10_batch_{end - 1}.png.")
    return np.concatenate(parts), np.concatenate(truths)


def _arrays(folder: Path, part: str) -> tuple[Bytes, Labels]:
    images, labels = folder / f"{part}_images.npy", folder / f"{part}_labels.npy"
    for path in (images, labels):
        if not path.is_file():
            raise DataError(f"{path} does not exist.", hint="docs/adapt.md says which files are read.")
    return np.load(images, allow_pickle=False), np.load(labels, allow_pickle=False).astype(np.int64)
