"""Texts are those of `model.generate` and of a plain loop, whatever shares the batch and whichever way is taken.

The oracles share nothing with the writer: transformers' own greedy decoding of one prompt; and a loop that computes
the whole text anew for every token, decodes it as a whole, and looks for stop strings character by character.
"""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.asks import Completion, Decoding, Failed, Prompt
from gnomon.errors import ModelError, UsageError
from gnomon.models import _writer
from gnomon.models._tokens import Encoder
from gnomon.models._writer import Writer
from gnomon.models._writer_text import PromptEncoder, Text, divide, find_stop

WINDOW = {"sliding_window": 12}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.5, 2.0, 3.0, 4.0],
    "original_max_position_embeddings": 48,
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "num_local_experts": 4, "num_experts": 4}

TOGETHER = {
    "llama": {},
    "llama, one key head": {"num_key_value_heads": 1},
    "gpt2": {},
    "gpt_neox": {},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 12},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "bloom": {},
    "mpt": {"max_seq_len": 512},
    "falcon": {"alibi": True, "new_decoder_architecture": False},
    "qwen2": {},
    "qwen2, window in some layers": {**WINDOW, "use_sliding_window": True, "max_window_layers": 1},
    "qwen3": {"head_dim": 8},
    "mistral, window": WINDOW,
    "gemma": {"head_dim": 8},
    "gemma2": {**WINDOW, "head_dim": 8},
    "gemma3_text": {**WINDOW, "head_dim": 8, "num_hidden_layers": 6},
    "phi": {},
    "phi3": {},
    "mixtral": EXPERTS,
    "llama4_text": {**EXPERTS, "head_dim": 8, "attention_chunk_size": 24, "intermediate_size_mlp": 64},
}
ALONE = {  # family: the way that is taken, words of the remark, settings
    "mamba": ("alone", "keeps no keys and values", {}),
    "lfm2": ("alone", "memory", {"layer_types": ["conv", "full_attention"]}),
}

HEAD = "Question: Which of the following bones is the longest?\n"
CONTEXTS = [
    HEAD + "A. femur\nB. tibia\nAnswer:",
    HEAD + "C. ulna\nAnswer:",
    HEAD + "A. femur\nB. tibia\nAnswer:",
    "Is it wrong?",
    "",
    "I told the judge that I had paid, and she believed me. " * 2,
    "naïve café 日本 😀",
    "A",
    "def f(x):\n    return",
]


def settings_of(cases, kind):
    found = cases[kind]
    return kind.partition(",")[0], found[-1] if isinstance(found, tuple) else found


def write(writer, prompts, skip=lambda index: False):
    """All completions by index; none may come twice."""
    result = {}
    for batch in writer.write(prompts, skip):
        assert batch
        for index, answer in batch:
            assert index not in result
            result[index] = answer
    return result


def greedy(contexts, sizes=(6, 24, 11)):
    return [Prompt(text, Decoding(sizes[number % len(sizes)])) for number, text in enumerate(contexts)]


def generated(model, tokenizer, prompt, **more):
    """The new ids by transformers' own greedy decoding of this one prompt."""
    ids = torch.tensor([tokenizer(prompt.context)["input_ids"] or [tokenizer.bos_token_id or 0]])
    whole = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=prompt.decoding.max_tokens, **more
    )[0].tolist()
    return ids[0].tolist(), whole[ids.shape[1] :]


def recomputed(model, ids, size):
    """The same by computing the whole text anew for every token."""
    new = []
    for _ in range(size):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1]
        new.append(int(logits.argmax()))
        if new[-1] == 0:
            break
    return new


def text_of(tokenizer, ids, new):
    """What the prompt and the new tokens say together, without what the prompt says."""
    before, whole = (tokenizer.decode(part, skip_special_tokens=True) for part in (ids, ids + new))
    assert whole.startswith(before)
    return whole[len(before) :]


@pytest.mark.parametrize("rows", [1, 3, 16])
@pytest.mark.parametrize("kind", TOGETHER)
def test_many_prompts_at_once_are_each_what_generate_writes(kind, rows, make_model, tokenizer):
    family, changes = settings_of(TOGETHER, kind)
    model, words = make_model(family, **changes), tokenizer("byte BPE, bos")
    writer = Writer(copy.deepcopy(model), Encoder(words, 512), rows, tokens=64)
    assert writer._way == "together"
    assert writer.remarks == []
    prompts = greedy(CONTEXTS)
    got = write(writer, prompts)
    assert sorted(got) == list(range(len(prompts)))
    for index, prompt in enumerate(prompts):
        ids, new = generated(model, words, prompt)
        ended = new[-1] == 0
        assert got[index].text == text_of(words, ids, new)
        assert got[index].finish == ("stop" if ended else "length")
        assert got[index].tokens == len(new) - ended
