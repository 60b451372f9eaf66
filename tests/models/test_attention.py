"""Attention over a shared prefix equals a softmax over the whole dense mask, written here with plain products."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gnomon.models import _attention
from gnomon.models._attention import Packed, Stack, UnsupportedAttention, running
from gnomon.models._tree import Row, Step

HEADS = {"as many key heads": (4, 4), "grouped": (6, 2), "one key head": (4, 1)}
CHAIN = [-1, 0, 1, 2, 3]
ROWS = {
    "a single chain": [CHAIN],
    "a single token": [[-1]],
    "a single branching row": [[-1, 0, 1, 0, 3, 1]],
    "chains of one length": [CHAIN, CHAIN],
    "chains of many lengths": [CHAIN, [-1, 0, 1], [-1]],
    "branches from the prefix": [[-1, 0, -1, 2, -1], [-1, 0]],
    "branching rows beside chains": [[-1, 0, 1, 2, 2, 0, 5], CHAIN, [-1, 0, 0, 0], [-1]],
}


def step(rows, prefix=0, keep=False):
    """A step whose rows have the given parents; only the layout matters here."""
    made = tuple(
        Row(np.zeros(len(parents), np.int64), np.zeros(len(parents), np.int64), np.array(parents), ())
        for parents in rows
    )
    return Step(prefix=prefix, rows=made, keep=keep, asks=frozenset())


def sees(rows, prefix):
    """Dense boolean mask over prefix and packed tokens: the prefix, every ancestor in the row, oneself."""
    n = sum(len(parents) for parents in rows)
    mask = torch.zeros(n, prefix + n, dtype=torch.bool)
    mask[:, :prefix] = True
    start = 0
    for parents in rows:
        for index in range(len(parents)):
            at = index
            while at >= 0:
                mask[start + index, prefix + start + at] = True
                at = parents[at]
        start += len(parents)
    return mask


def dense(q, k, v, mask, scale):
    """Masked softmax attention in float64; every key head serves heads / kv heads neighbouring query heads."""
    group = q.shape[0] // k.shape[0]
    out = []
    for head in range(q.shape[0]):
        scores = q[head].double() @ k[head // group].double().T * scale
        weights = scores.masked_fill(~mask, float("-inf")).exp()
        out.append(weights / weights.sum(-1, keepdim=True) @ v[head // group].double())
    return torch.stack(out, 1)  # (n, heads, d)


def shared(q, k, v, rows, prefix, scale, stack):
    """What transformers would get: the packed tokens on top of `prefix` kept ones in `stack`."""
    packed = Packed(step(rows, prefix), stack, torch.device("cpu"))
    module = SimpleNamespace(layer_idx=3)
    with running(packed):
        out, weights = _attention._attention(module, q[None], k[None], v[None], None, scaling=scale)
    assert weights is None
    return out[0]


def compare(rows, prefix, heads, *, dtype=torch.float32, size=8, value_size=8, scale=0.4, tolerance=1e-5):
    generator = torch.Generator().manual_seed(1)
    n = sum(len(parents) for parents in rows)

    def draw(*shape):
        return torch.randn(*shape, generator=generator).to(dtype)

    q, k, v = draw(heads[0], n, size), draw(heads[1], prefix + n, size), draw(heads[1], prefix + n, value_size)
    stack = Stack(prefix + 5)
    if prefix:
        stack.write(3, 0, k[:, :prefix], v[:, :prefix])
    got = shared(q, k[:, prefix:], v[:, prefix:], rows, prefix, scale, stack)
    assert got.dtype == dtype
    assert got.shape == (n, heads[0], value_size)
    wanted = dense(q, k, v, sees(rows, prefix), scale)
    assert torch.allclose(got.double(), wanted, rtol=0, atol=tolerance), (got.double() - wanted).abs().max()


@pytest.fixture(params=["fused kernel", "plain products", "plain products in small chunks"])
def kernel(request, monkeypatch):
    """Both branches: the CPU's fused kernel, and the one for devices without it."""
    if request.param != "fused kernel":
        monkeypatch.setattr(_attention, "_fused", _attention._in_chunks)
    if request.param.endswith("chunks"):
        monkeypatch.setattr(_attention, "_CHUNK", 64)
    return request.param


@pytest.mark.parametrize("prefix", [0, 1, 9])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("heads", HEADS.values(), ids=HEADS)
def test_shared_attention_is_softmax_over_the_dense_mask(heads, rows, prefix, kernel):
    compare(rows, prefix, heads)


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.04), (torch.float16, 0.005), (torch.float64, 1e-6)])
@pytest.mark.parametrize("prefix", [0, 9])
def test_other_precisions_stay_within_their_own_rounding(dtype, tolerance, prefix, kernel):
    compare(ROWS["branching rows beside chains"], prefix, HEADS["grouped"], dtype=dtype, tolerance=tolerance)


@pytest.mark.parametrize("prefix", [0, 9])
def test_values_may_be_of_another_size_than_keys(prefix):
    compare(ROWS["branching rows beside chains"], prefix, HEADS["grouped"], value_size=5)


@pytest.mark.parametrize("kernel", ["fused kernel", "plain products"], indirect=True)
def test_long_rows_and_prefixes_go_through_several_blocks_of_the_kernel(kernel):
    compare([list(range(-1, 600)), list(range(-1, 200))], 700, (2, 1))


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_scores_of_any_size_neither_overflow_nor_vanish(scale, kernel):
    compare(ROWS["branching rows beside chains"], 9, HEADS["grouped"], scale=scale, tolerance=1e-4)


def test_the_default_scale_is_that_of_the_head_size(kernel):
    q, k, v = torch.randn(3, 2, 4, 16, generator=torch.Generator().manual_seed(0)).unbind(0)
    got = shared(q, k, v, [[-1, 0, 1, 2]], 0, None, Stack(0))
    assert torch.allclose(got.double(), dense(q, k, v, sees([[-1, 0, 1, 2]], 0), 0.25), atol=1e-6)


def test_trunks_kept_piece_by_piece_are_one_prefix():
    """Two kept pieces, a third over the second's place, then rows: as if the path had been computed at once."""
    generator = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(heads, 14, 8, generator=generator) for heads in (4, 2, 2))
    stack, module = Stack(12), SimpleNamespace(layer_idx=0)

    def run(tokens, prefix, keep):
        rows = [list(range(-1, len(tokens) - 1))]
        with running(Packed(step(rows, prefix, keep), stack, torch.device("cpu"))):
            return _attention._attention(module, q[None, :, tokens], k[None, :, tokens], v[None, :, tokens], None)[0][0]

    run([0, 1, 2, 3], 0, True)
    run([8, 9, 10], 4, True)  # a sibling's trunk, soon overwritten
    kept = run([4, 5, 6], 4, True)
    path = [0, 1, 2, 3, 4, 5, 6, 11, 12, 13]
    own = run([11, 12, 13], 7, False)
    mask = torch.ones(10, 10).tril().bool()
    wanted = dense(q[:, path], k[:, path], v[:, path], mask, 8**-0.5)
    assert torch.allclose(torch.cat([kept, own]).double(), wanted[4:], atol=1e-5)


def test_a_step_that_is_not_kept_leaves_the_stack_as_it_is():
    stack = Stack(6)
    stack.write(3, 0, torch.ones(2, 6, 8), torch.ones(2, 6, 8))
    q, k, v = (torch.randn(heads, 2, 8, generator=torch.Generator().manual_seed(0)) for heads in (4, 2, 2))
    shared(q, k, v, [[-1, 0]], 3, None, stack)
    assert bool((stack.keys[3] == 1).all())
    assert bool((stack.values[3] == 1).all())


@pytest.mark.parametrize(
    "extra",
    [{"softcap": 50.0}, {"s_aux": torch.zeros(4)}, {"attention_mask": torch.zeros(1, 1, 2, 2)}],
    ids=["soft caps", "sinks", "a mask of the model's own"],
)
def test_attention_of_another_kind_is_refused(extra):
    x = torch.ones(1, 4, 2, 8)
    with running(Packed(step([[-1, 0]]), Stack(0), torch.device("cpu"))), pytest.raises(UnsupportedAttention):
        _attention._attention(SimpleNamespace(layer_idx=0), x, x, x, **{"attention_mask": None, **extra})


def test_attention_outside_of_a_step_is_refused():
    x = torch.ones(1, 4, 2, 8)
    with pytest.raises(UnsupportedAttention):
        _attention._attention(SimpleNamespace(layer_idx=0), x, x, x, None)


def test_a_failing_step_does_not_stay_the_current_one():
    packed = Packed(step([[-1]]), Stack(0), torch.device("cpu"))
    with pytest.raises(KeyError), running(packed):
        raise KeyError
    assert _attention._current.get() is None
