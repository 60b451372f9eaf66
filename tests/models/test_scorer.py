"""Log-probabilities equal those of one plain forward for each (context, continuation), whichever way the scorer takes.

The oracle shares nothing with the scorer: it encodes with the tokenizer, runs a copy of the model that no scorer has
touched on one sequence at a time, takes all logits, and sums a log-softmax.
"""

import copy

import pytest
import torch

from gnomon.asks import Ask
from gnomon.errors import ModelError
from gnomon.models._scorer import Scorer
from gnomon.models._tokens import Encoder
from gnomon.models._tree import Budget

WINDOW = {"sliding_window": 40}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "num_local_experts": 4, "num_experts": 4}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.5, 2.0, 3.0, 4.0],
    "original_max_position_embeddings": 48,
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 128}
LATENT = {"kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 6}

SHARED = {
    "llama": {},
    "llama, one key head": {"num_key_value_heads": 1},
    "llama, a key head for each": {"num_key_value_heads": 4},
    "llama, yarn": {"rope_parameters": YARN},
    "gpt2": {},
    "gpt_neox": {},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    "qwen2": {},
    "qwen2, window in some layers": {**WINDOW, "use_sliding_window": True, "max_window_layers": 1},
    "qwen3": {"head_dim": 8},
    "mistral": {"sliding_window": None},
    "mistral, window": WINDOW,
    "gemma": {"head_dim": 8},
    "gemma2, no soft caps": {**WINDOW, "head_dim": 8, "attn_logit_softcapping": None},
    "gemma3_text": {**WINDOW, "head_dim": 8, "num_hidden_layers": 6},
    "phi": {},
    "phi3": {},
    "phi3, long rope": {"original_max_position_embeddings": 48, "rope_parameters": LONGROPE},
    "olmo": {},
    "olmo2": {},
    "olmo3": {**WINDOW, "num_hidden_layers": 4},
    "stablelm": {},
    "cohere": {},
    "cohere2": {**WINDOW, "num_hidden_layers": 4},
    "granite": {},
    "starcoder2": {"sliding_window": None},
    "gpt_bigcode": {},
    "biogpt": {},
    "smollm3": {"num_hidden_layers": 4},
    "qwen2_moe": {**EXPERTS, "shared_expert_intermediate_size": 32},
    "mixtral": EXPERTS,
    "deepseek_v3": {**EXPERTS, **LATENT, "num_key_value_heads": 4, "n_routed_experts": 4, "n_group": 1, "topk_group": 1},
    "llama4_text": {**EXPERTS, "head_dim": 8, "attention_chunk_size": 40, "intermediate_size_mlp": 64},
}
PLAIN = {  # family: the words that say why, and the settings
    "gemma2": ("UnsupportedAttention", {**WINDOW, "head_dim": 8}),
    "gpt_oss": (
        "UnsupportedAttention",
        {**EXPERTS, **WINDOW, "head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}},
    ),
    "falcon": ("cannot be replaced", {"alibi": False, "new_decoder_architecture": False}),
    "falcon, alibi": ("cannot be replaced", {"alibi": True, "new_decoder_architecture": False}),
    "gptj": ("cannot be replaced", {"rotary_dim": 4}),
    "gpt_neo": ("cannot be replaced", {"attention_types": [[["global", "local"], 1]], "window_size": 16}),
    "bloom": ("no position ids", {}),
    "mpt": ("no position ids", {"max_seq_len": 512}),
    "mamba": ("no position ids", {}),
    "lfm2": ("layers of another kind (conv)", {"layer_types": ["conv", "full_attention"]}),
    "diffllama": ("sharing moved", {}),
    "mistral, a window shorter than the trial": ("sharing moved", {"sliding_window": 16}),
}

SHOTS = "".join(f"Question: {n} + {n} = ?\nA. {n}\nB. {2 * n}\nAnswer: B\n\n" for n in range(3))
ASKS = [
    Ask(SHOTS + "Question: 7 + 8 = ?\nAnswer:", (" A", " B")),
    Ask(SHOTS + "Question: 7 + 9 = ?\nAnswer:", (" A", " B", " C", " D")),
    Ask(SHOTS + "Question: 7 + 9 = ?\nAnswer:", (" A", " B", " C", " D")),  # asked twice
    Ask(SHOTS, ("Question", "Is it wrong? no", "x")),
    Ask("Is it wrong?", (" yes", " no, it is not", " the judge")),
    Ask("Is it wrong", ("?", "? I told the judge")),
    Ask("", ("Answer: A", "B")),
    Ask("Answer:   ", ("A", "B", "the longest of them", "9", " ")),
    Ask("naïve café 日本 😀\nAnswer:", (" über", " 😀", "\n\nAnswer:")),
    Ask("A", (" femur",)),
]


def encoded(tokenizer, ask):
    """The convention, written plainly: the continuation's ids are those beyond the context's."""
    text = ask.context.rstrip()
    context = tokenizer(text)["input_ids"]
    for continuation in ask.continuations:
        ids = tokenizer(ask.context + continuation)["input_ids"][len(context) :]
        yield (context or [0]), ids


def oracle(model, pairs, limit=None):
    """Log-probability of each (context, continuation) in token ids, one forward each."""
    pairs = list(pairs)
    cut = max(0, max(len(context) + len(ids) - 1 - (limit or 10**9) for context, ids in pairs))
    result = []
    for context, ids in pairs:
        context = context[cut:]
        fresh = torch.tensor([[*context, *ids]])
        with torch.inference_mode():
            logits = model(input_ids=fresh[:, :-1], use_cache=False).logits[0].double()
        own = torch.log_softmax(logits, -1)[len(context) - 1 :]
        result.append(own.gather(1, fresh[0, len(context) :, None]).sum().item())
    return result, [len(ids) for _, ids in pairs], cut


def answers(scorer, asks, skip=lambda index: False):
    """All answers by index; none may come twice."""
    result = {}
    for batch in scorer.score(asks, skip):
        assert batch
        for index, answer in batch:
            assert index not in result
            assert not skip(index)
            result[index] = answer
    return result


def check(scorer, untouched, tokenizer, asks=ASKS, limit=None, tolerance=1e-4):
    got = answers(scorer, asks)
    assert sorted(got) == list(range(len(asks)))
    for index, ask in enumerate(asks):
        logprobs, tokens, cut = oracle(untouched, encoded(tokenizer, ask), limit)
        assert got[index].logprobs == pytest.approx(logprobs, abs=tolerance, rel=0), ask
        assert list(got[index].tokens) == tokens
        assert got[index].truncated == cut
    return got


def small_budget():
    """So small that this room's short prompts need trunks, branching rows, several groups and cut trunks."""
    return Budget(tokens=60, reads=40, row=24, worth=8)


def twins(model):
    """The model for the scorer, and a copy that no scorer touches."""
    return model, copy.deepcopy(model)


def scorer_of(model, tokenizer, limit=None, budget=None, **options):
    return Scorer(model, Encoder(tokenizer, limit), budget or small_budget(), **options)


@pytest.mark.parametrize("family", SHARED)
def test_families_that_share_prefixes_give_the_plain_forwards_numbers(family, make_model, tokenizer):
    model, untouched = twins(make_model(family.partition(",")[0], **SHARED[family]))
    scorer = scorer_of(model, tokenizer("byte BPE, bos"))
    assert scorer.remarks == []
    check(scorer, untouched, tokenizer("byte BPE, bos"))


@pytest.mark.parametrize("family", PLAIN)
def test_families_that_cannot_share_say_why_and_give_the_plain_forwards_numbers(family, make_model, tokenizer):
    why, changes = PLAIN[family]
    model, untouched = twins(make_model(family.partition(",")[0], **changes))
    scorer = scorer_of(model, tokenizer("byte BPE, bos"))
    (remark,) = scorer.remarks
    assert why in remark
    assert "slower, same numbers" in remark
    check(scorer, untouched, tokenizer("byte BPE, bos"))
