"""Less is computed of what nobody reads or changes, and what is read and learned stays the same."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import ModelError
from gnomon.models import load_model
from gnomon.models._last_read import LastRead
from gnomon.models._pupil import _adapted, alike

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}
FAMILIES = {
    "Llama": {"num_key_value_heads": 1},
    "Qwen2": {"num_key_value_heads": 1},
    "Gemma2": {"num_key_value_heads": 1, "head_dim": 8},
    "Mixtral": {"num_key_value_heads": 1, "num_local_experts": 3},
    "GPT2": {"n_inner": 24},
    "GPTNeoX": {},
    "Phi": {},
    "OPT": {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "Bloom": {},
    "Falcon": {},
    "Bert": {},
    "Roberta": {"pad_token_id": 1},
    "Electra": {"embedding_size": 16},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "DistilBert": {"hidden_dim": 24, "dim": 16, "n_heads": 2, "n_layers": 2},
    "ModernBert": {"global_attn_every_n_layers": 1},
}
WHOLE = {"OPT"}
"""Blocks whose feed-forward part is no module of its own: only the projection is narrowed."""


@pytest.fixture(params=FAMILIES)
def family(request):
    torch.manual_seed(0)
    config = getattr(transformers, f"{request.param}Config")(**{**SMALL, **FAMILIES[request.param]})
    stack = transformers.AutoModel.from_config(config, dtype=torch.float32).eval()
    return request.param, stack


def read(stack, at, last=None):
    """States at a place of each row, and the gradients of a sum over them."""
    ids = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 2, 2], [4, 4, 4, 4, 2]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    stack.zero_grad()
    if last is None:
        found = stack(input_ids=ids, attention_mask=mask).last_hidden_state[torch.arange(3), at]
    else:
        with last.only(at):
            found = stack(input_ids=ids, attention_mask=mask).last_hidden_state[torch.arange(3), at]
    (found * torch.linspace(-1, 2, found.numel()).reshape(found.shape)).sum().backward()
    return found.detach(), [one.grad.clone() for one in stack.parameters() if one.grad is not None]


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("at", [[4, 2, 3], [0, 0, 0]], ids=["last", "first"])
def test_what_is_read_and_its_gradients_are_those_of_the_whole_block(at, adapted, family):
    name, stack = family
    if adapted:
        stack = _adapted(stack, 2, 0)
        for one in stack.parameters():
            torch.nn.init.normal_(one, std=0.2) if one.requires_grad else None
    at = torch.tensor(at)
    whole, wanted = read(stack, at)
    last = LastRead(stack)
    assert last.parts, f"{name} is computed whole"
    assert any("." not in part for part in last.parts) or name in WHOLE
    narrow, grads = read(stack, at, last)
    assert torch.allclose(narrow, whole, atol=1e-5)
    assert len(grads) == len(wanted)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(grads, wanted, strict=True))
    untouched, _ = read(stack, at)
    assert torch.equal(untouched, whole), "the block stays narrow after the pass"


class Mixing(torch.nn.Module):
    """A feed-forward part that looks at the positions before, as no transformer's does."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, hidden):
        return self.inner(hidden.cumsum(dim=1))


def test_a_block_of_another_make_is_found_out_and_computed_whole():
    stack = transformers.AutoModel.from_config(transformers.LlamaConfig(**SMALL)).eval()
    stack.layers[-1].mlp = Mixing(stack.layers[-1].mlp)
    whole, _ = read(stack, torch.tensor([4, 2, 3]))
    last = LastRead(stack)
    assert last.parts == []
    assert torch.equal(read(stack, torch.tensor([4, 2, 3]), last)[0], whole)


def test_a_network_without_a_list_of_blocks_is_computed_whole():
    stack = transformers.AutoModel.from_config(
        transformers.AlbertConfig(**SMALL, embedding_size=16, num_hidden_groups=1)
    ).eval()
    assert LastRead(stack).parts == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["Llama", "GPT2", "Bert"])
def test_adapters_give_what_peft_gives_by_its_own_rule(kind, dtype):
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(**{**SMALL, **FAMILIES[kind]})
    ours = _adapted(transformers.AutoModel.from_config(config, dtype=dtype).eval(), 2, 0)
    for one in ours.parameters():
        torch.nn.init.normal_(one, std=0.3) if one.requires_grad else None
    theirs = copy.deepcopy(ours)
    layers = [module for module in theirs.modules() if isinstance(module, LoraLayer)]
    assert layers
    assert all(module.lora_variant for module in layers)
    for module in layers:
        module.lora_variant.clear()
    at = torch.tensor([4, 2, 3])
    (state, grads), (wanted, wished) = read(ours, at), read(theirs, at)
    assert torch.allclose(state, wanted, atol=1e-5 if dtype == torch.float32 else 0.05)
    assert all(
        torch.allclose(one, other, atol=1e-4 if dtype == torch.float32 else 0.05)
        for one, other in zip(grads, wished, strict=True)
    )


def test_adapters_share_the_weights_that_they_leave_alone(kept):
    model = load_model(f"hf/{kept('llama')}")
    table = model._network.get_input_embeddings().weight
    before = {name: one.clone() for name, one in model._network.state_dict().items()}
    lora, full = model.pupil("lora", 0, "zero", 2), model.pupil("full", 0, "zero", 2)
    assert lora._stack.get_input_embeddings().weight.data_ptr() == table.data_ptr()
    assert full._stack.get_input_embeddings().weight.data_ptr() != table.data_ptr()
    optimiser = torch.optim.AdamW(lora.weights(), lr=0.1)
    for _ in range(2):
        (lora.logits(lora.ids(["It rains.", "x"])) - 1).square().sum().backward()
        optimiser.step()
    assert all(torch.equal(one, before[name]) for name, one in model._network.state_dict().items())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert"])
def test_training_is_the_same_with_a_table_of_the_tokens_that_occur(kind, kept):
    model = load_model(f"hf/{kept(kind)}")
    texts = ["It is wet!", "!!! wow !!!", "x"]
    found, sizes = [], []
    for forget in (False, True):
        pupil = model.pupil("full", 0, "zero", 2)
        torch.nn.init.normal_(pupil.head.weight, generator=torch.Generator().manual_seed(0))
        ids = pupil.ids(texts)
        if forget:
            pupil.forget_all_but(ids)
        optimiser = torch.optim.AdamW(pupil.weights(), lr=0.01, weight_decay=0.0)
        for _ in range(4):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(pupil.logits(ids), torch.tensor([0, 1, 1])).backward()
            optimiser.step()
        found.append(pupil.predict(ids, 999))
        sizes.append(sum(one.numel() for one in pupil.weights()))
    assert found[1] == pytest.approx(found[0], abs=1e-5)
    assert sizes[1] < sizes[0]
    with pytest.raises(ModelError, match="told to forget"):
        pupil.predict(pupil.ids(["Quite another"]), 999)


@given(st.lists(st.integers(1, 80), min_size=1, max_size=40), st.integers(1, 200))
def test_groups_hold_every_row_once_and_cost_no_more_than_simple_ones(lengths, each):
    def cost(groups):
        return sum(len(rows) * max(lengths[row] for row in rows) + each for rows in groups)

    groups = alike(lengths, each)
    assert sorted(row for rows in groups for row in rows) == list(range(len(lengths)))
    assert cost(groups) <= min(cost([range(len(lengths))]), cost([[row] for row in range(len(lengths))]))
