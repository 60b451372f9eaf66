"""MNIST (LeCun et al. 1998), idx files: with its training files where they are there, else its test files divided."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError
from gnomon.shift._pictures import Pictures, find_folder
from gnomon.stats import stream

CLASSES = tuple("0123456789")


def read(options: dict[str, str]) -> Pictures:
    """`t10k-*` and, where present, `train-*` idx files, gzipped or not."""
    folder = find_folder(options, "mnist", "mnist_t10k")
    images, labels = _idx(folder, "t10k-images-idx3-ubyte"), _idx(folder, "t10k-labels-idx1-ubyte")
    if images is None or labels is None:
        raise DataError(f"{folder} holds no t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz.")
    train, truths = _idx(folder, "train-images-idx3-ubyte"), _idx(folder, "train-labels-idx1-ubyte")
    notes: tuple[str, ...] = ()
    if train is None or truths is None:
        order = stream(0, "mnist: train and test").permutation(len(images))
        cut = len(images) * 4 // 5
        rows, rest = np.sort(order[:cut]), np.sort(order[cut:])
        train, truths, images, labels = images[rows], labels[rows], images[rest], labels[rest]
        notes = (f"The training files are not at hand: {len(rows):,} of the test images are learned from instead.",)
    return Pictures(
        "mnist",
        images[..., None],
        labels.astype(np.int64),
        CLASSES,
        train[..., None],
        truths.astype(np.int64),
        source="LeCun, Bottou, Bengio & Haffner 1998",
        licence="CC BY-SA 3.0",
        notes=notes,
    )


read.options = {"data": "the folder"}  # type: ignore[attr-defined]


def _idx(folder: Path, name: str) -> NDArray[np.uint8] | None:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            axes = content[3]
            shape = [int.from_bytes(content[4 + 4 * k : 8 + 4 * k], "big") for k in range(axes)]
            values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes)
            if content[:3] != b"\0\0\x08" or values.size != int(np.prod(shape)):
                raise DataError(f"{path} is no idx file of bytes, or is cut off.")
            return values.reshape(shape)
    return None
