"""A small network with BatchNorm, trained here on the image set in seconds, and kept."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gnomon.errors import ModelError, UsageError
from gnomon.files import cache_folder, write_atomically
from gnomon.shift._pictures import Pictures, load_pictures
from gnomon.shift._subject import Subject, load_weights
from gnomon.stats import stream

_RECIPE = "3 convolutions, 16 32 64; Adam 0.01, cosine, batches of 64, version 1"


class Small(nn.Module):
    """Three convolutions with BatchNorm, two halvings of the image, the mean over positions, one linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.conv3, self.bn3 = nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        out: Tensor = self.linear(F.relu(self.bn3(self.conv3(x))).mean((2, 3)))
        return out


def load(member: str, pictures: Pictures, arguments: dict[str, str]) -> Subject:
    """`small` learns the image set's own training part, `small/usps` that of another set; `epochs=N`, `seed=N`."""
    learned = load_pictures(member) if member else pictures
    if learned.train is None or learned.train_labels is None:
        raise UsageError(
            f"'{learned.name}' has no labelled training images for a small network to learn.",
            hint="Name a network:  -m cifar10/resnet20 , or give  -T train=FOLDER .",
        )
    epochs, seed = int(arguments.get("epochs", "12")), int(arguments.get("seed", "0"))
    images, labels = learned.train, learned.train_labels
    side, channels = images.shape[1], images.shape[3]
    scaled = images.reshape(-1, channels) / 255
    mean, std = scaled.mean(0), np.maximum(scaled.std(0), 1e-3)
    with torch.random.fork_rng(devices=[]):  # layers draw their first weights, which are drawn again below
        module = Small(channels, len(learned.classes))
    subject = Subject(
        f"small/{learned.name}",
        module.eval(),
        len(learned.classes),
        side,
        channels,
        tuple(round(float(one), 6) for one in mean),
        tuple(round(float(one), 6) for one in std),
        pad=max(1, side // 8),
        learned=(images, labels),
    )
    key = hashlib.sha256(images.tobytes() + labels.tobytes() + f"{_RECIPE}{epochs} {seed}".encode()).hexdigest()[:16]
    path = cache_folder() / "networks" / f"small-{learned.name}-{key}.safetensors"
    if not path.is_file():
        train(subject, images, labels, epochs, seed)
        from safetensors.torch import save

        write_atomically(path, save({name: one.contiguous() for name, one in module.state_dict().items()}))
    try:
        module.load_state_dict(load_weights(path))
    except RuntimeError as error:
        raise ModelError(f"{path} is broken.", hint="Delete it.") from error
    return subject


load.options = {"epochs": "of training", "seed": "of training"}  # type: ignore[attr-defined]


def train(subject: Subject, images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> None:
    """Cross-entropy on cropped images; every draw comes from named streams, and the global generator stays as it is."""
    draws, crops = stream(seed, "order of training"), stream(seed, "training crops")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "first weights").integers(2**31)))
        for part in subject.module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                part.reset_parameters()
    inputs, truth = subject.inputs(images), torch.from_numpy(labels)
    adam = torch.optim.Adam(subject.module.parameters(), lr=0.01)
    steps = epochs * -(-len(images) // 64)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    subject.module.train()
    for _ in range(epochs):
        shown = subject.augment(inputs, crops)
        for rows in torch.split(torch.from_numpy(draws.permutation(len(images))), 64):
            adam.zero_grad()
            if len(rows) > 1:
                F.cross_entropy(subject.module(shown[rows]), truth[rows]).backward()  # type: ignore[no-untyped-call]
                adam.step()
            plan.step()
    subject.module.eval()
