"""Explanations of real pictures and of a real table, as in docs/results.md.

Belongs here: loading CIFAR-10 with the ResNet-20 weights from a folder, and breast cancer with a sampler taught by one
class. Does not belong here: times beside peers (`bench/explain.py`).
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import gnomon
from gnomon.importance import Patches, PCAGaussian, Vision

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Block(nn.Module):
    """Two convolutions beside a shortcut that subsamples and pads (option A)."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.pad = stride, out // 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(x + y)


class ResNet20(nn.Module):
    """The CIFAR ResNet of He et al. (2016) with three blocks a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (inside, out) in enumerate(((16, 16), (16, 32), (32, 64)), 1):
            blocks = [Block(inside, out, 1 if stage == 1 else 2), Block(out, out, 1), Block(out, out, 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def network(folder: Path) -> Vision:
    """ResNet-20 with its published weights, for images of whole numbers."""
    net = ResNet20()
    stored = torch.load(
        folder / "cifar10_resnet_weights" / "resnet20-12fca82f.th", map_location="cpu", weights_only=True
    )
    net.load_state_dict({key.removeprefix("module."): value for key, value in stored["state_dict"].items()})
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return Vision(net, prepare=lambda x: (x / 255 - mean) / std, classes=CLASSES, name="ResNet-20")


def pictures(folder: Path, batch: int) -> np.ndarray:
    """1,000 images (1000, 32, 32, 3) of one sprite."""
    from PIL import Image

    sprite = Image.open(folder / "cifar10_small" / f"cifar10_batch_{batch}.png").convert("RGB")
    return np.asarray(sprite).reshape(1000, 32, 32, 3)


def explain_pictures(data: Path, runs: Path, number: int) -> None:
    folder = data / "images"
    subject = network(folder)
    train, test = np.concatenate([pictures(folder, at) for at in range(4)]), pictures(folder, 50)
    text = (folder / "cifar10_small" / "cifar10_labels.js").read_text(encoding="utf-8")
    labels = np.array([int(one) for one in re.findall(r"\d+", text.split("[", 1)[1])])[50_000:]
    right = (subject.values(test[:500], np.arange(500)).argmax(axis=1) == labels[:500]).mean()
    print(f"ResNet-20: {right:.3f} of the first 500 test images right")
    for sampler in (Patches(k=100), PCAGaussian(200)):
        run = gnomon.explain(
            test[:number],
            subject,
            test="osft",
            centres=2,
            q=0.1,
            sampler=sampler,
            background=train,
            limit=number,
            runs_dir=runs,
        )
        _said(f"pictures, {type(sampler).__name__}", run)


def explain_table(runs: Path) -> None:
    """Malignant and benign rows, with a sampler that was taught by benign rows alone."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = load_breast_cancer()
    X, benign = found.data, found.target == 1
    order = np.random.default_rng(0).permutation(len(X))
    learn, rest = order[: len(X) // 2], order[len(X) // 2 :]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X[learn], found.target[learn])
    taught = X[learn[benign[learn]]]
    for name, rows in (("malignant", rest[~benign[rest]]), ("benign", rest[benign[rest]])):
        given: dict[str, Any] = {"sampler": "copula", "names": list(found.feature_names), "draws": 1000, "q": 0.1}
        run = gnomon.explain(X[rows[:60]], model, background=taught, runs_dir=runs, **given)
        _said(f"breast cancer, {name}", run)


def _said(what: str, run: Any) -> None:
    blocks = run.result()
    table = next(one for one in blocks if one.kind == "table")
    most = ", ".join(f"{row[0]} {row[2]}" for row in table.rows[:16] if row[2])
    hits = round(blocks[0].value * blocks[0].n)
    said = f"{hits:,} of {blocks[0].n:,} discovered in {run.manifest.seconds:.0f} s"
    print(f"{what}: {said}; {most or 'none'}\n  {run.path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds images/")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    explain_table(options.runs_dir)
    explain_pictures(options.data, options.runs_dir, options.images)


if __name__ == "__main__":
    main()
