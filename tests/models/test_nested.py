"""One network cut at several depths is read once: what its deepest cut shows by the way is what the others show."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from gnomon.errors import ModelError
from gnomon.models import Nested, load_model
from gnomon.models._reader_layers import closing_of
from gnomon.supervision import _features
from gnomon.supervision._features import deepest, read_features

TEXTS = [f"Number {number} is {'very ' * (number % 5)}odd." for number in range(12)]


@pytest.fixture
def ladder(kept):
    """Three depths of one tiny network of a family, by name."""

    def make(kind, **arguments):
        place = f"hf/{kept(kind, num_hidden_layers=4)}"
        names = [f"{place}@layers=1", f"{place}@layers=3", place]
        return {name: load_model(name, arguments) for name in names}

    return make


def counted(models, monkeypatch):
    """How many readings each model was asked for, from now on."""
    asked = dict.fromkeys(models, 0)
    for name, model in models.items():

        def represent(readings, skip, name=name, real=model.represent):
            asked[name] += sum(not skip(index) for index in range(len(readings)))
            return real(readings, skip)

        monkeypatch.setattr(model, "represent", represent)
    return asked


def read(models, name, root, others=True):
    quiet = lambda done, total: None  # noqa: E731
    return read_features(models[name], TEXTS, [0] * len(TEXTS), root, quiet, list(models.values()) if others else [])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "qwen2", "gemma2", "opt", "bloom", "phi"])
def test_a_cut_seen_by_the_way_is_the_cut_read_by_itself(kind, ladder, tmp_path, monkeypatch):
    models = ladder(kind)
    whole = deepest(models, next(iter(models)))
    assert whole == list(models)[-1]
    asked = counted(models, monkeypatch)
    read(models, whole, tmp_path / "together")
    for name in models:
        found = read(models, name, tmp_path / "together")
        assert (found.computed, found.reused) == (0, len(TEXTS))
        alone = read(models, name, tmp_path / "alone", others=False)
        assert alone.computed == len(TEXTS)
        assert found.values == pytest.approx(alone.values, rel=1e-4, abs=1e-5)
    first, second, third = asked.values()
    assert (first, second, third) == (len(TEXTS) + 1, len(TEXTS), 2 * len(TEXTS) + 1)  # one reading is the trial


def test_depths_differ_so_that_a_mixed_up_one_would_be_seen(ladder, tmp_path):
    models = ladder("llama")
    found = [read(models, name, tmp_path).values for name in models]
    assert all(np.abs(one - other).max() > 0.05 for one, other in itertools.pairwise(found))


def test_a_family_whose_blocks_know_their_number_is_read_depth_by_depth(ladder, tmp_path, monkeypatch):
    models = ladder("llama")
    first, _, whole = models
    with torch.no_grad():  # as if a residual were scaled by the number of blocks
        models[first]._reader._blocks[0].mlp.down_proj.weight.mul_(1.5)
    read(models, whole, tmp_path)
    found = read(models, first, tmp_path)
    assert found.computed == len(TEXTS)


def test_other_networks_and_other_rules_share_nothing(ladder, kept):
    models = ladder("llama")
    named = list(models.values())
    drawn = load_model(named[0].name, {"weights": "random:1"})
    joined = load_model(named[0].name, {"join": "space"})
    other = load_model(f"hf/{kept('gpt2')}")
    assert all(isinstance(one, Nested) for one in (*named, drawn, joined, other))
    assert len({one.network for one in named}) == 1
    assert len({one.network for one in (named[2], drawn, joined, other)}) == 4
    assert _features._cuts(named[2], [*named, drawn, joined, other]) == named[:2]
    assert deepest({"a": other, **models}, "a") == "a"


def test_an_interrupted_pass_is_gone_on_with(ladder, tmp_path, monkeypatch):
    models = ladder("llama", batch_tokens="32", prefix_sharing="no")
    *_, whole = models
    with monkeypatch.context() as patched:
        real = _features.StateStore.add
        calls = []

        def stopping(self, found):
            calls.append(1)
            if len(calls) == 5:
                raise KeyboardInterrupt
            real(self, found)

        patched.setattr(_features.StateStore, "add", stopping)
        with pytest.raises(KeyboardInterrupt):
            read(models, whole, tmp_path)
    again = read(models, whole, tmp_path)
    assert 0 < again.reused < len(TEXTS)
    for name in models:
        found = read(models, name, tmp_path)
        assert np.array_equal(found.values, read(models, name, tmp_path / "fresh", others=False).values)


def test_what_follows_the_blocks_must_be_found(ladder):
    model = list(ladder("llama").values())[-1]
    stack = model._network.base_model
    assert closing_of(stack, stack.layers[-1], "it") is stack.norm
    handle = stack.register_forward_hook(lambda module, given, out: setattr(out, "last_hidden_state", out[0] * 2))
    try:
        with pytest.raises(ModelError, match="is not known"):
            closing_of(stack, stack.layers[-1], "it")
    finally:
        handle.remove()
