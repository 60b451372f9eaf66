"""The sheet's measurements on real data: ResNet-20 on 1,000 CIFAR-10 test images (standard error about .01 to .016)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnomon.shift._method import method_named

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _data(release):
    release("images")


def accuracy(target, variant, labels):
    found = method_named(variant)(target).evaluated(target)
    return float((found.argmax(1) == torch.from_numpy(labels)).float().mean())


def test_clean_source_and_the_confound_of_augmentation(real, real_target):
    _, pictures, _, _ = real
    target = real_target(pictures.images)
    assert accuracy(target, "source", pictures.labels) == pytest.approx(0.915, abs=0.001)
    assert accuracy(target, "batch", pictures.labels) == pytest.approx(0.880, abs=0.002)
    assert accuracy(target, "augmented", pictures.labels) == pytest.approx(0.915, abs=0.01)
    assert accuracy(target, "matched", pictures.labels) == pytest.approx(0.915, abs=0.01)


def test_noise_gains_and_a_border_loses(real, real_target):
    _, pictures, _, _ = real
    noise = np.random.default_rng(0).normal(size=pictures.images.shape) * 0.08
    noisy = np.rint(np.clip(pictures.images / 255 + noise, 0, 1) * 255).astype(np.uint8)
    target = real_target(noisy, batch_size=200)
    assert accuracy(target, "batch", pictures.labels) - accuracy(target, "source", pictures.labels) > 0.25
    border = np.zeros_like(pictures.images)
    border[:, 8:24, 8:24] = pictures.images[:, 8:24, 8:24]
    target = real_target(border, batch_size=200)
    assert accuracy(target, "batch", pictures.labels) - accuracy(target, "source", pictures.labels) < -0.03


def test_one_class_alone(real, real_target):
    _, pictures, _, _ = real
    rows = pictures.labels == 0
    target = real_target(pictures.images[rows], pictures.labels[rows])
    assert accuracy(target, "batch", pictures.labels[rows]) < 0.30
    assert accuracy(target, "batch@last=9", pictures.labels[rows]) > 0.60
    assert accuracy(target, "oracle", pictures.labels[rows]) > 0.90
