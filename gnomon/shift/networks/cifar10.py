"""ResNets for CIFAR-10 (He et al. 2016, section 4.2), with the weights of akamaster/pytorch_resnet_cifar10.

Shortcuts of option A: every second pixel, and zeros in the new channels. Images are normalised with ImageNet's numbers,
as that repository does.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from gnomon.errors import DataError, ModelError
from gnomon.registry import unknown
from gnomon.shift._pictures import Pictures, find_folder
from gnomon.shift._subject import Subject, load_weights

DEPTHS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9}


class Block(nn.Module):
    """Two convolutions with BatchNorm and a shortcut."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.more = stride, out - into

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.more:
            half = self.more // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return F.relu(out + x)


class ResNet(nn.Module):
    """6 n + 2 layers: three stages of n blocks with 16, 32 and 64 channels."""

    def __init__(self, n: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(n)))
        self.layer2 = nn.Sequential(*(Block(32 if k else 16, 32, 1 if k else 2) for k in range(n)))
        self.layer3 = nn.Sequential(*(Block(64 if k else 32, 64, 1 if k else 2) for k in range(n)))
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        out: Tensor = self.linear(x.mean((2, 3)))
        return out


def load(member: str, pictures: Pictures, arguments: dict[str, str]) -> Subject:
    """`cifar10/resnet20` and deeper; `weights=FILE` names a checkpoint."""
    if member not in DEPTHS:
        raise unknown("CIFAR-10 network", member, DEPTHS)
    path = Path(arguments["weights"]) if "weights" in arguments else _found(member)
    module = ResNet(DEPTHS[member])
    weights = load_weights(path)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"{path} does not hold the weights of {member}.", hint="Name another  -M weights=FILE ."
        ) from error
    module.eval()
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return Subject(f"cifar10/{member}", module, 10, 32, 3, mean, std, flip=True, pad=4)


load.options = {"weights": "a checkpoint"}  # type: ignore[attr-defined]


def _found(member: str) -> Path:
    try:
        folder = find_folder({}, "cifar10_resnet_weights")
    except DataError as error:
        raise ModelError(
            f"the weights of {member} are not at hand.",
            hint="Give  -M weights=FILE , or set GNOMON_DATA to a folder that holds cifar10_resnet_weights.",
        ) from error
    files = sorted(folder.glob(f"{member}-*.th"))
    if not files:
        raise ModelError(f"{folder} holds no {member}-*.th .", hint="Give  -M weights=FILE .")
    return files[0]
