"""What the formulas owe: limits, pooling, invariance, and that nothing of a network is left changed."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.errors import DataError, UsageError
from gnomon.shift import SourceSample, Target, align, align_and_evaluate, find_layers
from gnomon.shift._method import method_named, registry
from gnomon.shift._norms import Norms
from gnomon.shift._policy import Mix, Source

EVERY = registry.names()


def plain(net, images):
    with torch.no_grad():
        return copy.deepcopy(net).eval()(images)


def logits(net, images, variant, **more):
    return align_and_evaluate(net, images, variant, **more)


def state(net):
    found = {name: value.clone() for name, value in net.state_dict().items()}
    flags = [part.training for part in net.modules()]
    grads = [(one.requires_grad, one.grad) for one in net.parameters()]
    methods = ["forward" in part.__dict__ for part in net.modules()]
    identity = [id(value) for value in net.buffers()]
    return found, flags, grads, methods, identity


def same(one, other):
    return one[1:] == other[1:] and all(torch.equal(one[0][name], other[0][name]) for name in one[0])


def target_of(net, images, **more):
    layers = find_layers(net, images[:2])
    labels = torch.arange(len(images)) % 4
    source = SourceSample(net, layers, images, labels, 4)
    return Target(net, images, source=source, prior=source.prior, augment=lambda x, g: x.flip(3), layers=layers, **more)


# 1, 17 ---------------------------------------------------------------------------------------------------------------


def test_moment_matching_to_the_same_data_is_the_source(net, images):
    target = target_of(net, images, batch_size=90)
    assert torch.allclose(method_named("matched")(target).evaluated(target), plain(net, images), atol=1e-4)
    prior = method_named("oracle")(target).evaluated(target)  # the target's mix of classes is the source's
    assert torch.allclose(prior, method_named("matched")(target).evaluated(target), atol=1e-4)


def test_a_mix_of_classes_gives_the_moments_of_that_mix(net, images):
    """Against moments that are computed from the images of the mix themselves."""
    target = target_of(net, images)
    mix = torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    one = SourceSample(net, target.layers, images[1::4])
    for name, (mean, variance) in target.source.pairs_for(mix).items():
        assert torch.allclose(mean, one.tallies[name].mean, atol=1e-6)
        assert torch.allclose(variance, one.tallies[name].variance, atol=1e-5)


# 2 -------------------------------------------------------------------------------------------------------------------


def test_pseudo_counts_reach_from_the_batch_to_the_source(net, images):
    batch = logits(net, images, "batch", batch_size=90)
    assert torch.equal(logits(net, images, "mix@N=0", batch_size=90), batch)
    assert torch.allclose(logits(net, images, "mix@N=1e12", batch_size=90), plain(net, images), atol=1e-5)
    layers = find_layers(net, images[:2])
    tallies = {}
    with torch.no_grad(), Norms(net, layers) as norms:
        norms.tallies = tallies
        net(images)
    layer = layers.aligned[0]
    tally = tallies[layer.name]
    mean, variance = Mix(90.0).settled([layer], tallies).pairs[layer.name]
    assert torch.allclose(mean, (layer.mean + tally.mean) / 2)
    assert torch.allclose(variance, (layer.variance + tally.variance) / 2)


def test_the_batch_is_what_torch_does_in_training_mode(net, images):
    with torch.no_grad():
        oracle = copy.deepcopy(net).train()(images)
    assert torch.allclose(logits(net, images, "batch", batch_size=90), oracle, atol=1e-4)


# 3, 4 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 32, 90])
def test_pooled_moments_do_not_depend_on_batches_or_order(net, images, size):
    layers = find_layers(net, images[:2])
    found = []
    for batch_size, order in ((90, range(90)), (size, np.random.default_rng(0).permutation(90))):
        tallies = {}
        with torch.no_grad(), Norms(net, layers, Source()) as norms:
            norms.tallies = tallies
            for part in torch.as_tensor(np.array(order)).split(batch_size):
                net(images[part])
        found.append(tallies)
    for name in found[0]:
        assert torch.allclose(found[0][name].mean, found[1][name].mean, atol=1e-6)
        assert torch.allclose(found[0][name].variance, found[1][name].variance, rtol=1e-5, atol=1e-6)
        assert found[1][name].count == found[0][name].count


def test_the_variance_between_batches_counts():
    net = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 2)).eval()
    a, spread = 3.0, torch.tensor([-1.0, 1.0, -1.0, 1.0])
    inputs = torch.cat([spread + a, spread - a]).view(-1, 1)
    layers = find_layers(net)
    with torch.no_grad(), Norms(net, layers) as norms:
        norms.tallies = tallies = {}
        net(inputs[:4])
        net(inputs[4:])
    assert float(tallies["0"].variance) == pytest.approx(1 + a * a)
    assert [float(one.variance) for one in tallies["0"].batches] == pytest.approx([1.0, 1.0])


def test_as_many_passes_as_layers_are_the_whole_set_in_one_batch(net, images):
    exact = logits(net, images, "batch", batch_size=90)
    assert torch.allclose(logits(net, images, "whole@passes=2", batch_size=10), exact, atol=1e-4)
    assert not torch.allclose(logits(net, images, "whole", batch_size=3), exact, atol=1e-3)


# 5 -------------------------------------------------------------------------------------------------------------------


def test_shift_and_scale_before_an_unpadded_layer_are_undone(net, images):
    one = logits(net, images, "batch", batch_size=90)
    assert torch.allclose(logits(net, 7 * images + 3, "batch", batch_size=90), one, atol=1e-3)


def test_padding_breaks_that_and_the_docs_say_so(generator, images):
    padded = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 2)).eval()
    one = logits(padded, images, "batch", batch_size=90)
    assert not torch.allclose(logits(padded, 7 * images + 30, "batch", batch_size=90), one, atol=1e-1)


# 6 -------------------------------------------------------------------------------------------------------------------


def test_layers_that_are_kept(net, images):
    assert torch.equal(logits(net, images, "batch@last=2", batch_size=90), logits(net, images, "source"))
    assert torch.equal(logits(net, images, "batch@first=1@last=1", batch_size=90), logits(net, images, "source"))
    full = logits(net, images, "batch", batch_size=90)
    last = logits(net, images, "batch@last=1", batch_size=90)
    assert not torch.allclose(last, full, atol=1e-2)
    oracle = copy.deepcopy(net)
    oracle[1].train()
    with torch.no_grad():
        assert torch.allclose(last, oracle(images), atol=1e-4)


# 7 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", EVERY)
@pytest.mark.parametrize("training", [True, False])
def test_every_variant_leaves_the_network_as_it_was(net, images, variant, training):
    net.train(training)
    net[1].eval()
    next(net.parameters()).grad = torch.ones(8, 3, 3, 3)
    before = state(net)
    target = target_of(net, images, batch_size=30)
    method_named(variant)(target).evaluated(target)
    assert same(before, state(net))


def test_an_exception_inside_leaves_it_too(net, images):
    net.train()
    before = state(net)
    with pytest.raises(ZeroDivisionError), align(net, images, "mix@N=16") as aligned:
        len(aligned(images)) // 0
    with pytest.raises(RuntimeError), align(net, images, "batch") as aligned:
        aligned(images[:, :2])  # the first layer refuses two channels
    assert same(before, state(net))


@pytest.mark.parametrize("variant", ["tent", "sar"])
def test_learning_that_fails_half_way_leaves_it_too(net, images, variant, monkeypatch):
    before = state(net)
    calls = []

    def fail(*given):
        calls.append(1)
        if len(calls) > 2:
            raise ZeroDivisionError
        return torch.nn.functional.linear(*given)

    target = target_of(net, images, batch_size=30)
    monkeypatch.setattr(net[6], "forward", lambda x: fail(x, net[6].weight, net[6].bias))
    with pytest.raises(ZeroDivisionError):
        method_named(f"{variant}@lr=0.1")(target)
    monkeypatch.undo()
    net[6].__dict__.pop("forward", None)
    assert same(before, state(net))


# 8, 9 ----------------------------------------------------------------------------------------------------------------


def test_one_image(net, images):
    assert torch.isfinite(logits(net, images[:1], "batch")).all()
    flat = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    one = torch.ones(1, 3)
    with pytest.raises(DataError, match=r"sees one value a channel.*mix@N=16"):
        logits(flat, one, "batch")
    with pytest.raises(DataError, match="sees one value a channel"):
        logits(flat, torch.ones(3, 3), "whole", batch_size=2)  # the last batch is of one
    assert torch.isfinite(logits(flat, one, "mix@N=16")).all()


def test_constant_channels_give_their_offset_and_no_nan(net, images):
    flat = torch.ones_like(images)
    for variant in ("batch", "whole", "matched", "prior", "mix@N=4"):
        target = target_of(net, images)
        moved = Target(net, flat, source=target.source, layers=target.layers)
        assert torch.isfinite(method_named(variant)(moved).evaluated(moved)).all(), variant
    with torch.no_grad(), align(net, flat, "whole") as aligned:
        assert torch.allclose(aligned[:2](flat), net[1].bias.view(1, -1, 1, 1).expand(90, -1, 6, 6), atol=1e-3)


# 10, 11 --------------------------------------------------------------------------------------------------------------


def test_half_precision_gathers_in_float(net, images):
    """1,000 values of 1,000 overflow a float16 sum of squares; statistics are gathered wide."""
    half = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)).half().eval()
    inputs = (1000 + torch.randn(1000, 2)).half()
    with torch.no_grad(), Norms(half, find_layers(half)) as norms:
        norms.tallies = tallies = {}
        half(inputs)
    assert torch.allclose(tallies["0"].mean, inputs.double().mean(0), atol=1e-2)
    assert torch.allclose(tallies["0"].variance, inputs.double().var(0, correction=0), rtol=1e-2)
    assert torch.isfinite(logits(half, inputs, "whole")).all()


def test_an_image_that_is_not_finite_is_named(net, images):
    images[41, 0, 2, 2] = torch.nan
    with pytest.raises(DataError, match="input 41 holds a value that is not finite"):
        logits(net, images, "whole")
    with (
        pytest.raises(DataError, match=r"layer '1' are not finite .*place 41"),
        align(net, images[:40], "batch") as aligned,
    ):
        aligned(images)


@pytest.mark.parametrize("variant", ["batch", "whole", "ema", "mix@N=8", "tent"])
def test_memory_layouts_and_settings_of_layers(images, variant):
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.SyncBatchNorm(8), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4, affine=False, momentum=None),
        nn.Flatten(), nn.Linear(64, 3),
    ).eval()  # fmt: skip
    one = logits(made, images, variant, batch_size=30)
    last = logits(made, images.contiguous(memory_format=torch.channels_last), variant, batch_size=30)
    apart = logits(made, torch.stack([images, images], -1)[..., 0], variant, batch_size=30)
    assert torch.allclose(one, last, atol=1e-4)
    assert torch.allclose(one, apart, atol=1e-4)


def test_subclasses_keep_what_their_forward_does(net, images):
    class Rectified(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x).relu()

    own = nn.Sequential(nn.Conv2d(3, 8, 3), Rectified(8)).eval()
    with torch.no_grad(), align(nn.Sequential(own, nn.Flatten(), nn.Linear(288, 2)), images, "batch"):
        assert float(own(images).min()) == 0


class FrozenBatchNorm2d(nn.Module):
    """As in torchvision and detectron2: buffers alone."""

    def __init__(self, width):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((width,), value))

    def forward(self, x):
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        return x * scale.view(1, -1, 1, 1) + (self.bias - self.running_mean * scale).view(1, -1, 1, 1)


def test_frozen_batchnorm_is_aligned(images):
    frozen = nn.Sequential(nn.Conv2d(3, 4, 3), FrozenBatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2)).eval()
    usual = nn.Sequential(frozen[0], nn.BatchNorm2d(4), nn.Flatten(), frozen[3]).eval()
    assert torch.allclose(logits(frozen, images, "whole"), logits(usual, images, "whole"), atol=1e-4)


# 12 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "norm, words",
    [
        (nn.GroupNorm(2, 4), "it has 1 GroupNorm, which store no statistics"),
        (nn.LayerNorm([4, 6, 6]), "it has 1 LayerNorm"),
        (nn.InstanceNorm2d(4), "it has 1 InstanceNorm2d"),
        (nn.BatchNorm2d(4, track_running_stats=False), "1 BatchNorm without stored statistics"),
        (nn.ReLU(), "it has no normalisation layer"),
    ],
)
def test_a_network_without_statistics_says_so_and_is_left_alone(images, norm, words):
    made = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten(), nn.Linear(144, 2)).eval()
    assert words in find_layers(made).remark
    for variant in ("batch", "whole", "mix", "ema"):
        with torch.no_grad(), align(made, images, variant) as aligned:
            assert torch.equal(aligned(images), plain(made, images))


def test_fused_batchnorm_says_so(images):
    fused = torch.nn.utils.fusion.fuse_conv_bn_eval(nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval())
    made = nn.Sequential()
    made.add_module("conv", fused)
    made.add_module("bn", nn.Identity())
    assert "fused into the weights" in find_layers(made).remark


# 13 ------------------------------------------------------------------------------------------------------------------


def test_the_released_average_leaves_nine_tenths_to_the_power_of_batches(images):
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(192, 2)).eval()
    images = (images - images.mean((0, 2, 3), keepdim=True)).repeat(8, 1, 1, 1)
    net[0].running_mean.fill_(1000.0)
    target = Target(net, images, batch_size=90)
    target.order = torch.arange(720)
    fit = method_named("ema")(target)
    assert fit.facts["weight of the source"] == pytest.approx(0.43046721)
    assert torch.allclose(fit.policy.pairs["0"][0], torch.full((3,), 430.46721).double(), atol=1e-3)
    oracle = copy.deepcopy(net).train()
    with torch.no_grad():
        for batch in images.split(90):
            oracle(batch)
    assert torch.allclose(fit.policy.pairs["0"][1].float(), oracle[0].running_var, rtol=1e-4)


# 16, 18 --------------------------------------------------------------------------------------------------------------


def test_predictions_of_batches_depend_on_their_company_and_those_of_the_set_do_not(net, images):
    with torch.no_grad(), align(net, images, "batch") as aligned:
        assert not torch.allclose(
            aligned(images[:10])[:5], aligned(torch.cat([images[:5], images[50:55]]))[:5], atol=1e-2
        )
    with torch.no_grad(), align(net, images, "whole") as aligned:
        assert torch.allclose(aligned(images[:10])[:5], aligned(torch.cat([images[:5], images[50:55]]))[:5], atol=1e-5)


@pytest.mark.parametrize("variant", [name for name in EVERY if name not in ("prior", "sar")])
def test_adapting_and_evaluating_takes_two_passes_at_most(net, images, variant):
    target = target_of(net, images, batch_size=30)
    seen = []
    handle = net[0].register_forward_hook(lambda part, given, out: seen.append(len(out)))
    method_named(variant)(target).evaluated(target)
    handle.remove()
    assert sum(seen) <= 2 * len(images)
    assert target.passes <= 2


def test_passes_are_shared_between_variants(net, images):
    target = target_of(net, images, batch_size=30)
    for variant in ("source", "batch", "whole", "ema"):
        method_named(variant)(target).evaluated(target)
    assert target.passes == 4  # as it is, observed; two evaluations


# 15 ------------------------------------------------------------------------------------------------------------------


def test_the_last_bin_of_the_calibration_error_counts():
    """250 points: two bins of 125, the first right as often as it says, the second never right at confidence 0.9."""
    from gnomon.stats import rms_calibration_error

    confidence = [0.2] * 125 + [0.9] * 125
    correct = [1] * 25 + [0] * 100 + [0] * 125
    assert rms_calibration_error(confidence, correct) == pytest.approx(np.sqrt(0.5 * 0.9**2))


# errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variant, words",
    [
        ("mixx", "no variant is named 'mixx'. Did you mean 'mix'"),
        ("mix@M=3", "variant 'mix' has no setting 'M'"),
        ("mix@N=-1", "N=-1 of variant 'mix': give a number from 0"),
        ("mix@where=all", "give set or batch"),
        ("matched", "needs images of the source"),
        ("augmented", "not known how this network's training images were augmented"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(net, images, variant, words):
    with pytest.raises(UsageError) as caught:
        logits(net, images, variant)
    assert words in str(caught.value)


def test_tent_lowers_entropy_and_sar_skips_what_is_unsure(net, images):
    from gnomon.shift._tuning import entropy

    target = target_of(net, images, batch_size=90)
    before = float(entropy(method_named("batch")(target).evaluated(target)).mean())
    after = float(entropy(method_named("tent@lr=0.05@steps=20")(target).evaluated(target)).mean())
    assert after < before
    nobody = method_named("sar@margin=0")(target).evaluated(target)
    assert torch.allclose(nobody, method_named("batch")(target).evaluated(target), atol=1e-4)
