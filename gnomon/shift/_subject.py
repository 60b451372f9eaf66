"""A network that looks at images: how they become its inputs, and how its training images were augmented.

Belongs here: the type, its checks, and networks by name. Does not belong here: any architecture (`networks/`).
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gnomon.errors import DataError, ModelError
from gnomon.registry import Registry, unknown
from gnomon.shift._pictures import Bytes, Labels, Pictures, resized, to_bytes

__all__ = ["Subject", "load_network", "load_weights", "registry"]

registry = Registry(kind="network", package="gnomon.shift.networks", attribute="load", group="gnomon.networks")


@dataclass
class Subject:
    """A network, the images that it takes, and what its training images went through.

    Attributes
    ----------
    module : nn.Module
        Gives logits (n, classes) for inputs (n, channels, side, side).
    side, channels : int
        Of its images.
    mean, std : tuple of float
        What images from 0 to 1 are normalised with, one a channel.
    flip, pad : bool, int
        Training augmentation: left-right flips, random crops after `pad` black pixels on each side. Stored statistics
        are of such images.
    classes : int
    learned : pair of arrays, optional
        Training images and labels that it brings along.
    """

    name: str
    module: nn.Module
    classes: int
    side: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool = False
    pad: int = 0
    notes: list[str] = field(default_factory=list)
    learned: tuple[Bytes, Labels | None] | None = None
    _fingerprint: str = ""

    def inputs(self, images: Bytes) -> Tensor:
        """Images (n, side, side, channels), bytes or numbers from 0 to 1, as the network takes them.

        Raises DataError for images of another size, number of channels or range.
        """
        if images.ndim != 4 or images.shape[1:] != (self.side, self.side, self.channels):
            shape = " x ".join(map(str, images.shape[1:]))
            raise DataError(
                f"images are {shape}, and {self.name} takes {self.side} x {self.side} x {self.channels}.",
                hint="Give  --resize  to bring them to that size, which is a shift of its own.",
            )
        scaled = torch.from_numpy(np.ascontiguousarray(to_bytes(images).transpose(0, 3, 1, 2))).float().div_(255)
        return self.normalised(scaled)

    def normalised(self, scaled: Tensor) -> Tensor:
        """Images (n, channels, side, side) from 0 to 1, normalised."""
        mean, std = (torch.tensor(part).view(1, -1, 1, 1) for part in (self.mean, self.std))
        return scaled.sub(mean).div_(std)

    def augment(self, inputs: Tensor, generator: np.random.Generator) -> Tensor:
        """Inputs as training would have shown them, each flipped and cropped at random."""
        black = self.normalised(torch.zeros(1, self.channels, 1, 1))
        wide = black.expand(len(inputs), -1, self.side + 2 * self.pad, self.side + 2 * self.pad).clone()
        end = self.pad + self.side
        wide[:, :, self.pad : end, self.pad : end] = inputs
        out = torch.empty_like(inputs)
        corners = generator.integers(0, 2 * self.pad + 1, size=(len(inputs), 2))
        flips = generator.random(len(inputs)) < 0.5 if self.flip else np.zeros(len(inputs), dtype=bool)
        for top in range(2 * self.pad + 1):
            for left in range(2 * self.pad + 1):
                rows = torch.from_numpy(np.flatnonzero((corners[:, 0] == top) & (corners[:, 1] == left)))
                out[rows] = wide[rows, :, top : top + self.side, left : left + self.side]
        turned = torch.from_numpy(np.flatnonzero(flips))
        out[turned] = out[turned].flip(3)
        return out

    def fingerprint(self) -> str:
        """Hash of the weights and of how images become inputs."""
        if not self._fingerprint:
            digest = hashlib.sha256(repr((self.side, self.channels, self.mean, self.std, self.flip, self.pad)).encode())
            for name, value in sorted(self.module.state_dict().items()):
                digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def facts(self) -> dict[str, str]:
        """What a report says of it."""
        size = sum(one.numel() for one in self.module.parameters())
        crop = f"crops after {self.pad} px" if self.pad else ""
        return {
            "parameters": f"{size:,}",
            "images": f"{self.side} x {self.side} x {self.channels}",
            "training augmentation": ", ".join(filter(None, ["flips" if self.flip else "", crop])) or "none",
            "weights": self.fingerprint()[:16],
        }

    def fitting(self, images: Bytes, resize: bool) -> Bytes:
        """The images, resized where that was asked for."""
        return resized(images, self.side, self.channels) if resize else images


def load_network(name: str, pictures: Pictures, arguments: Mapping[str, str] | None = None) -> Subject:
    """A network by name: `small` is trained here on the image set, `FAMILY/NAME` is one of `gnomon/shift/networks`.

    Raises UsageError for an unknown name, ModelError for weights that cannot be had.
    """
    family, _, member = name.partition("/")
    load: Callable[[str, Pictures, dict[str, str]], Subject] = registry.load(family)
    known = getattr(load, "options", {})
    for key in arguments or {}:
        if key not in known:
            raise unknown(f"argument of the network '{family}'", key, known)
    return load(member, pictures, dict(arguments or {}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, read weights-only: a pickle that would run code is refused.

    `state_dict`, `model_state_dict` and `model` are looked into; the prefix `module.` of parallel training is dropped.
    Raises ModelError.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on pickles of another protocol, which are then refused
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{path} does not exist.", hint="Give  -M weights=FILE .") from error
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than weights ({_unsafe(error)}), and loading it would run its code.",
            hint="Save the state_dict alone, or as safetensors.",
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModelError(f"{path} cannot be read as a checkpoint ({type(error).__name__}).") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{path} holds no state_dict.", hint="Save the model's state_dict.")
    return {name.removeprefix("module."): value for name, value in found.items()}


def _unsafe(error: Exception) -> str:
    """What the unpickler would not take, in a few words."""
    words = str(error)
    start = words.find("GLOBAL ")
    return words[start:].split(" was ")[0].strip()[:80] if start >= 0 else "a pickle with other objects"
