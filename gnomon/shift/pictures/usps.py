"""USPS (LeCun et al. 1989), usps.h5: 7,291 images to learn from and 2,007 to test on, 16 x 16."""

from __future__ import annotations

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.shift._pictures import Bytes, Labels, Pictures, find_folder, to_bytes


def read(options: dict[str, str]) -> Pictures:
    """The groups `train` and `test` of usps.h5, each `data` (n, 256) from 0 to 1 and `target`."""
    folder = find_folder(options, "usps")
    path = folder / "usps.h5" if folder.is_dir() else folder
    try:
        import h5py
    except ImportError as error:
        raise UsageError("USPS is an HDF5 file, and h5py is not installed.", hint="pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            parts = {name: _part(file[name]["data"][:], file[name]["target"][:]) for name in ("train", "test")}
    except (OSError, KeyError) as error:
        raise DataError(f"{path} cannot be read as USPS ({type(error).__name__}: {error}).") from error
    return Pictures(
        "usps",
        *parts["test"],
        tuple("0123456789"),
        *parts["train"],
        source="LeCun et al. 1989",
        licence="a public research set without a licence file",
    )


read.options = {"data": "the folder or file"}  # type: ignore[attr-defined]


def _part(data: object, target: object) -> tuple[Bytes, Labels]:
    images = np.asarray(data).reshape(-1, 16, 16, 1)
    return to_bytes(images), np.asarray(target).astype(np.int64)
