"""Small networks, and the real one where its data are."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.shift import SourceSample, Target, find_layers, load_network, load_pictures

torch.set_num_threads(1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def net(generator):
    """Two convolutions with BatchNorm whose stored statistics are no round numbers."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3),
        nn.BatchNorm2d(6),
        nn.Flatten(),
        nn.Linear(96, 4),
    ).eval()
    with torch.no_grad():
        for part in made.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.copy_(torch.randn(part.num_features, generator=generator))
                part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
                part.weight.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
                part.bias.copy_(torch.randn(part.num_features, generator=generator))
    return made


@pytest.fixture
def images(generator):
    return torch.randn(90, 3, 8, 8, generator=generator) * 2 + 1


@pytest.fixture(scope="session")
def real(release):
    """(subject, pictures, layers, source): ResNet-20, the 1,000 test images, 1,500 training images."""
    root = release("images").parent
    before = os.environ.get("GNOMON_DATA")
    os.environ["GNOMON_DATA"] = str(root)
    try:
        pictures = load_pictures("cifar10")
        subject = load_network("cifar10/resnet20", pictures)
    finally:
        if before is None:
            del os.environ["GNOMON_DATA"]
        else:
            os.environ["GNOMON_DATA"] = before
    layers = find_layers(subject.module, subject.inputs(pictures.images[:2]))
    source = SourceSample(
        subject.module,
        layers,
        subject.inputs(pictures.train[:1500]),
        torch.from_numpy(pictures.train_labels[:1500]),
        10,
    )
    return subject, pictures, layers, source


@pytest.fixture(scope="session")
def real_target(real):
    """images (n, 32, 32, 3) -> Target of the real network."""
    subject, _, layers, source = real

    def make(images, labels=None, **more):
        prior = None
        if labels is not None:
            prior = torch.from_numpy(np.bincount(labels, minlength=10) / len(labels))
        return Target(
            subject.module,
            subject.inputs(images),
            source=source,
            layers=layers,
            augment=subject.augment,
            prior=prior,
            **{"batch_size": 1000, **more},
        )

    return make
