"""Networks for images as subjects: any torch module from images to logits.

Belongs here: turning images into tensors, in batches. Does not belong here: which parts of an image are tested
(`_groups.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.importance._subject import Subject

__all__ = ["Vision"]


class Vision(Subject):
    """A torch module that gives logits (n, classes) for images (n, channels, height, width).

    Images here are arrays (height, width, channels) or (height, width), of whole numbers 0 to 255 or of floats.

    Parameters
    ----------
    module : torch.nn.Module
        Put in evaluation mode; its device is kept.
    prepare : callable, optional
        From a float tensor (n, channels, height, width) to what the module reads, its normalisation for example. By
        default whole numbers are divided by 255.
    classes : sequence of str
    batch : int
        Images in one pass.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    >>> Vision(net).choose(np.zeros((2, 2, 2, 3)))[0].shape
    (2,)
    """

    readout = "log-odds"
    digits: ClassVar[int] = 4

    def __init__(
        self,
        module: Any,
        prepare: Callable[[Any], Any] | None = None,
        classes: Sequence[str] = (),
        batch: int = 256,
        name: str = "",
    ) -> None:
        self.module, self.prepare, self.classes, self.batch = module.eval(), prepare, tuple(classes), batch
        self.name = name or type(module).__name__

    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        import torch

        images = np.asarray(batch)
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4:
            raise UsageError(f"images have shape {images.shape}: give (n, height, width, channels).")
        first = next(self.module.parameters(), None)
        device = first.device if first is not None else "cpu"
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), self.batch):
                part = torch.from_numpy(np.array(images[start : start + self.batch])).to(device)
                tensor = part.permute(0, 3, 1, 2).float()
                if not torch.is_floating_point(part) and self.prepare is None:
                    tensor = tensor / 255
                if self.prepare is not None:
                    tensor = self.prepare(tensor)
                logits = self.module(tensor)
                found.append(getattr(logits, "logits", logits).float().cpu().numpy())
        return np.concatenate(found)

    def fingerprint(self) -> str:
        """Of the weights and of the module's own description."""
        digest = hashlib.sha256(repr(self.module).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, str]:
        count = sum(one.numel() for one in self.module.parameters())
        return {**super().describe(), "parameters": f"{count:,}"}
