"""The rule: each branch by itself, that no label is looked at, and the choices that the sheet demands on real data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnomon.shift import SourceSample, Target, find_layers, load_network, load_pictures
from gnomon.shift._evidence import Evidence, LayerShift, gather
from gnomon.shift._rule import decide
from gnomon.shift._shift import shift_named


def evidence(*, mean=0.02, ratio=0.02, places=0.05, early=0.1, images=1000, batch=200, last=None):
    """Eight layers that moved alike; predictions whose total variation from an even mix is `early`."""
    layers = [
        LayerShift(name=str(k), channels=16, mean=mean, mean_floor=0.01, ratio=ratio, places=places, values=batch * 64)
        for k in range(8)
    ]
    if last is not None:
        layers[7] = layers[7].model_copy(update={"mean": last})
    shares = [0.25 + early / 2, 0.25 + early / 2, 0.25 - early / 2, 0.25 - early / 2]
    return Evidence(
        images=images, batch_size=batch, layers=layers, prior=[0.25] * 4, shares={"early": shares}, confidence={}
    )


@pytest.mark.parametrize(
    "seen, verdict, words",
    [
        (evidence(), "keep source", "nothing to undo"),
        (evidence(last=3.0), "keep source", "nothing to undo"),  # the last layers hold the classes
        (evidence(mean=0.4), "adapt", "evenly"),
        (evidence(ratio=0.9), "adapt", "evenly"),
        (evidence(mean=0.15), "mix", "a little"),
        (evidence(mean=0.4, batch=8), "mix", "Batches of 8"),
        (evidence(mean=0.8, places=0.9), "keep source", "uneven over the image"),
        (evidence(early=0.45), "keep source", "the classes did"),
        (evidence(mean=0.4, early=0.45), "early layers only", "late layers hold the classes"),
        (evidence(mean=0.4, places=None), "adapt", "evenly"),
    ],
)
def test_every_branch(seen, verdict, words):
    choice = decide(seen)
    assert choice.verdict == verdict
    assert words in choice.because
    assert len(choice.reasons) == 7


def test_few_images_excuse_a_skew():
    assert decide(evidence(early=0.32, images=1000)).verdict == "keep source"
    assert "nothing to undo" in decide(evidence(early=0.32, images=20)).because


def test_labels_are_never_seen():
    """`gather` takes a target, and a target holds no labels; the mix that only 'oracle' may know changes nothing."""
    pictures = load_pictures("digits")
    subject = load_network("small", pictures)
    inputs = subject.inputs(pictures.images[:100])
    layers = find_layers(subject.module, inputs[:2])
    source = SourceSample(subject.module, layers, subject.inputs(pictures.train[:200]))
    plain = gather(Target(subject.module, inputs, source=source, layers=layers))
    told = gather(Target(subject.module, inputs, source=source, layers=layers, prior=torch.eye(10)[0].double()))
    assert plain == told


def test_the_sampling_error_covers_what_sampling_gives():
    """Between halves of one set, layers move about as far as the error says."""
    pictures = load_pictures("digits")
    subject = load_network("small", pictures)
    inputs = subject.inputs(pictures.train)
    layers = find_layers(subject.module, inputs[:2])
    ratios = []
    for draw in range(6):
        order = torch.from_numpy(np.random.default_rng(draw).permutation(len(inputs)))
        source = SourceSample(subject.module, layers, inputs[order[:600]])
        seen = gather(Target(subject.module, inputs[order[600:]], source=source, layers=layers))
        ratios += [layer.mean / layer.mean_floor for layer in seen.layers]
    assert 0.7 < np.mean(ratios) < 1.3


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize(
    "name, verdict",
    [
        ("border@size=8", "keep source"),
        ("labels@first=1", "keep source"),
        ("none", "keep source"),
        ("gaussian_noise@sd=0.08", "adapt"),
        ("contrast@factor=0.3", "adapt"),
        ("gaussian_blur@sd=1", "adapt"),
    ],
)
def test_the_rule_chooses_as_it_should_on_cifar10(release, real, real_target, name, verdict):
    release("images")
    _, pictures, _, _ = real
    rows = np.arange(len(pictures.images)) if name.startswith("labels") else np.arange(300)
    shifted = shift_named(name).of(pictures.taken(rows), 0)
    assert decide(gather(real_target(shifted.images, batch_size=200))).verdict == verdict
