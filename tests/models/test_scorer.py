"""Log-probabilities equal those of one plain forward for each (context, continuation), whichever way the scorer takes.

The oracle shares nothing with the scorer: it encodes with the tokenizer, runs a copy of the model that no scorer has
touched on one sequence at a time, takes all logits, and sums a log-softmax.
"""

import copy
import random

import pytest
import torch
from transformers.models.gptj import modeling_gptj

from gnomon.asks import Ask
from gnomon.errors import ModelError
from gnomon.models import _attention, _scorer
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
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
}

SHARED = {
    "llama": {},
    "llama, one key head": {"num_key_value_heads": 1},
    "llama, a key head for each": {"num_key_value_heads": 4},
    "llama, yarn": {"rope_parameters": YARN},
    "llama, dynamic rope": {"rope_parameters": DYNAMIC},
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
    "deepseek_v3": {**EXPERTS, **LATENT, "n_routed_experts": 4, "n_group": 1, "topk_group": 1},
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
    "gpt_neo": ("cannot be replaced", {"attention_types": [[["global", "local"], 1]], "window_size": 16}),
    "bloom": ("no position ids", {}),
    "mpt": ("no position ids", {"max_seq_len": 512}),
    "mamba": ("no position ids", {}),
    "lfm2": ("layers of another kind (conv)", {"layer_types": ["conv", "full_attention"]}),
    "diffllama": ("sharing moved", {}),
    "mistral, a window shorter than the trial": ("sharing moved", {"sliding_window": 16}),
}
GPTJ = {"rotary_dim": 4}
if "ALL_ATTENTION_FUNCTIONS" in vars(modeling_gptj):  # from transformers 5.24 on
    SHARED["gptj"] = GPTJ
else:
    PLAIN["gptj"] = ("cannot be replaced", GPTJ)

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
        own = tokenizer(ask.context[len(text) :] + continuation, add_special_tokens=False)["input_ids"]
        yield (context or [tokenizer.bos_token_id or tokenizer.eos_token_id or 0]), ids or own


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


TOKENIZERS = [
    f"{name}{bos}"
    for name in ("bytes", "byte BPE", "words", "metaspace BPE", "metaspace Unigram")
    for bos in ("", ", bos")
]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer_is_scored_as_it_splits(name, make_model, tokenizer):
    own = tokenizer(name)
    asks = [ask for ask in ASKS if all(own(text, add_special_tokens=False)["input_ids"] for text in ask.continuations)]
    assert len(asks) >= 7
    model, untouched = twins(make_model("llama"))
    check(scorer_of(model, own), untouched, own, asks)


def test_a_letter_that_takes_two_tokens_counts_with_both(make_model, tokenizer):
    model, untouched = twins(make_model("llama"))
    got = check(scorer_of(model, tokenizer("bytes")), untouched, tokenizer("bytes"), ASKS[:1])
    assert got[0].tokens == (2, 2)


@pytest.mark.parametrize("changes", [{"padding_side": "left"}, {"padding_side": "right"}], ids=str)
@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_the_tokenizers_padding_changes_nothing(kind, changes, make_model, tokenizer):
    """Same numbers, bit for bit, as with a tokenizer that has no padding token at all."""
    plain = tokenizer("byte BPE, bos")
    assert plain.pad_token is None
    padding = copy.deepcopy(plain)
    padding.pad_token, padding.padding_side = "<s>", changes["padding_side"]
    asks = list(ASKS)
    assert answers(scorer_of(make_model(kind), padding), asks) == answers(scorer_of(make_model(kind), plain), asks)


def of_length(tokens, continuations):
    """An ask whose context has so many bytes."""
    return Ask(("Is it wrong? " * 40)[: tokens - 1] + ".", tuple(continuations))


MIXED = [of_length(n, [" a", " no, it", "!"]) for n in (3, 20, *range(33, 43), 46, 47, 48, 49, 90)]


SHORT = {"gemma2": PLAIN["gemma2"][1], "mistral, short window": {"sliding_window": 16}}
NEAR_AND_FAR = ["mistral, window", "gemma3_text", "cohere2", "llama4_text", "phi3, long rope", *SHORT]


@pytest.mark.parametrize("family", NEAR_AND_FAR)
def test_prompts_shorter_and_longer_than_a_window_go_together(family, make_model, tokenizer):
    """Lengths around 40 (the windows) and 48 (long rope's first regime), and continuations that cross them."""
    changes = SHORT[family] if family in SHORT else SHARED[family]
    model, untouched = twins(make_model(family.partition(",")[0], **changes))
    check(scorer_of(model, tokenizer("bytes")), untouched, tokenizer("bytes"), MIXED)


def test_prompts_within_the_window_are_shared_and_only_longer_ones_are_computed_whole(make_model, tokenizer):
    def computed(asks, **changes):
        scorer = scorer_of(make_model("mistral", **changes), tokenizer("bytes"))
        answers(scorer, asks)
        return scorer.tokens_computed

    short, long = [ask for ask in MIXED if len(ask.context) < 30], [ask for ask in MIXED if len(ask.context) > 41]
    shared, whole = computed(short, **WINDOW), computed(long, **WINDOW)
    assert shared == computed(short, sliding_window=None)
    assert whole > computed(long, sliding_window=None)
    assert computed([*short, *long], **WINDOW) == shared + whole


@pytest.mark.parametrize("limit", [8, 24, 60, 512])
@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_a_prompt_past_the_models_limit_is_cut_on_its_left_and_says_by_how_much(kind, limit, make_model, tokenizer):
    asks = [ask for ask in MIXED if len(ask.context) > 1]
    model, untouched = twins(make_model(kind))
    got = check(scorer_of(model, tokenizer("bytes, bos"), limit=limit), untouched, tokenizer("bytes, bos"), asks, limit)
    lengths = [1 + len(ask.context) + max(len(text) for text in ask.continuations) - 1 for ask in asks]
    assert [got[index].truncated for index in range(len(asks))] == [max(0, length - limit) for length in lengths]


def test_a_model_at_its_limit_of_positions_is_never_asked_beyond_it(make_model, tokenizer):
    """GPT-2 has a table of positions: one too many would be an index error."""
    model, untouched = twins(make_model("gpt2", max_position_embeddings=24))
    check(scorer_of(model, tokenizer("bytes"), limit=24), untouched, tokenizer("bytes"), MIXED, 24)


def test_a_continuation_longer_than_the_limit_is_refused(make_model, tokenizer):
    scorer = scorer_of(make_model("llama"), tokenizer("bytes"), limit=4)
    answers(scorer, [Ask("x", ("abcd",))])
    with pytest.raises(ModelError, match="has 5 tokens, more than the 4"):
        answers(scorer, [Ask("x", ("abcde",))])


@pytest.mark.parametrize("kind", ["llama", "mistral", "bloom"])
def test_any_subset_may_be_skipped_without_moving_a_bit_of_the_others(kind, make_model, tokenizer):
    changes = WINDOW if kind == "mistral" else {}
    asks = [*ASKS, *MIXED]
    model = make_model(kind, **changes)
    whole = scorer_of(model, tokenizer("byte BPE"))
    wanted = answers(whole, asks)
    subsets = [set(range(0, len(asks), 2)), set(range(3)), set(range(2, len(asks))), set(range(len(asks))) - {5}]
    chance = random.Random(0)
    subsets += [set(chance.sample(range(len(asks)), chance.randint(1, len(asks)))) for _ in range(6)]
    for skipped in subsets:
        part = scorer_of(model, tokenizer("byte BPE"))
        got = answers(part, asks, skipped.__contains__)
        assert got == {index: answer for index, answer in wanted.items() if index not in skipped}
        assert part.tokens_computed <= whole.tokens_computed
    assert part.tokens_computed < whole.tokens_computed


def test_a_run_with_everything_answered_computes_nothing(make_model, tokenizer):
    scorer = scorer_of(make_model("llama"), tokenizer("byte BPE"))
    assert answers(scorer, ASKS, lambda index: True) == {}
    assert answers(scorer, []) == {}
    assert scorer.tokens_computed == 0


def test_interrupting_after_every_batch_and_going_on_gives_the_same_bits(make_model, tokenizer):
    model = make_model("llama")
    wanted = answers(scorer_of(model, tokenizer("byte BPE")), ASKS)
    done = {}
    while len(done) < len(ASKS):
        before = len(done)
        done.update(next(scorer_of(model, tokenizer("byte BPE")).score(ASKS, done.__contains__)))
        assert len(done) > before
    assert done == wanted


def test_a_shared_few_shot_prefix_is_computed_once(make_model, tokenizer):
    """Exactly the distinct prefixes of all inputs are computed; without sharing, several times as many."""
    own = tokenizer("byte BPE, bos")
    asks = [Ask(SHOTS * 2 + f"Question: {n} * 3 = ?\nAnswer:", (" A", " B", f" is {n}")) for n in range(20)]
    shared, plain = (scorer_of(make_model("llama"), own, budget=Budget(), shared=way) for way in (True, False))
    both = answers(shared, asks), answers(plain, asks)
    for index in range(len(asks)):
        assert both[0][index].logprobs == pytest.approx(both[1][index].logprobs, abs=1e-4)
    inputs = [tuple([*context, *ids][:-1]) for ask in asks for context, ids in encoded(own, ask)]
    distinct = {ids[:end] for ids in inputs for end in range(1, len(ids) + 1)}
    assert shared.tokens_computed == len(distinct)
    assert plain.tokens_computed > 5 * len(distinct)
    assert plain.remarks == []


BUDGETS = [Budget(), Budget(tokens=16, reads=1, row=0, worth=1), Budget(worth=10_000)]


@pytest.mark.parametrize("budget", BUDGETS, ids=["default", "very small", "without trunks"])
@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_no_budget_changes_the_numbers(kind, budget, make_model, tokenizer):
    model, untouched = twins(make_model(kind))
    scorer = scorer_of(model, tokenizer("byte BPE"), budget=budget)
    check(scorer, untouched, tokenizer("byte BPE"), [*ASKS, *MIXED])


def test_a_large_vocabulary_lowers_the_number_of_reads_in_one_step(make_model, tokenizer, monkeypatch):
    """With room for 20 rows of the output head, no pass is asked for more than 20 positions."""
    monkeypatch.setattr(_scorer, "_HEAD_FLOATS", 20 * 300)
    model, untouched = twins(make_model("llama"))
    scorer = scorer_of(model, tokenizer("byte BPE"), budget=Budget())
    seen = []
    model.lm_head.register_forward_hook(lambda module, given, out: seen.append(out.shape[1]))
    asks = [Ask(f"{n}", (" A", " B")) for n in range(60)]
    check(scorer, untouched, tokenizer("byte BPE"), asks)
    assert max(seen) <= 20
    assert len(seen) > 3


def test_two_runs_on_one_scorer_may_take_turns(make_model, tokenizer):
    """One near and one past the window, so that both ways alternate on the same model."""
    model, untouched = twins(make_model("mistral", **WINDOW))
    scorer = scorer_of(model, tokenizer("bytes"), budget=Budget(tokens=30, row=0, worth=1))
    short, long = [ask for ask in MIXED if len(ask.context) < 36], [ask for ask in MIXED if len(ask.context) > 41]
    runs = [scorer.score(asks, lambda index: False) for asks in (short, long, short)]
    got = [{}, {}, {}]
    while runs:
        for number, run in enumerate(runs):
            if run is not None and (batch := next(run, None)):
                got[number].update(batch)
            else:
                runs[number] = None
        runs = runs if any(runs) else []
    for asks, answered in zip((short, long, short), got, strict=True):
        for index, ask in enumerate(asks):
            logprobs, _, _ = oracle(untouched, encoded(tokenizer("bytes"), ask))
            assert answered[index].logprobs == pytest.approx(logprobs, abs=1e-4)


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.15), (torch.float16, 0.02), (torch.float64, 1e-5)])
def test_other_precisions_stay_within_their_own_rounding(dtype, tolerance, make_model, tokenizer):
    """The truth is the same rounded weights computed in float64."""
    model = make_model("llama").to(dtype)
    exact = copy.deepcopy(model).double()
    scorer = scorer_of(model, tokenizer("byte BPE"))
    assert scorer.remarks == []
    check(scorer, exact, tokenizer("byte BPE"), tolerance=tolerance)


def test_attention_that_fails_on_trial_is_given_up_and_the_models_own_put_back(make_model, tokenizer, monkeypatch):
    def broken(*args):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(_attention, "_own_row", broken)
    model, untouched = twins(make_model("llama"))
    scorer = scorer_of(model, tokenizer("byte BPE"))
    assert "cannot share prefixes (RuntimeError)" in scorer.remarks[0]
    check(scorer, untouched, tokenizer("byte BPE"), ASKS[:4])
    assert model.config._attn_implementation == untouched.config._attn_implementation


def test_attention_that_is_a_little_wrong_is_found_out_on_trial(make_model, tokenizer, monkeypatch):
    def forgets_the_first_token(q, packed, layer, scale):
        k = packed.stack.keys[layer][None, :, 1 : packed.prefix].repeat_interleave(2, 1)
        v = packed.stack.values[layer][None, :, 1 : packed.prefix].repeat_interleave(2, 1)
        out, log_sum = _attention._attend(q[None], k, v, scale, causal=False, mask=None)
        return out[0], log_sum[0]

    monkeypatch.setattr(_attention, "_attend_prefix", forgets_the_first_token)
    model, untouched = twins(make_model("llama"))
    scorer = scorer_of(model, tokenizer("byte BPE"))
    assert "sharing moved a log-probability by" in scorer.remarks[0]
    check(scorer, untouched, tokenizer("byte BPE"), ASKS[:4])


def test_a_model_is_left_with_the_attention_that_it_came_with(make_model, tokenizer):
    """After making a scorer, after a whole run and after one that is broken off."""
    model = make_model("llama")
    own = model.config._attn_implementation
    scorer = scorer_of(model, tokenizer("byte BPE"))
    assert model.config._attn_implementation == own
    run = scorer.score(ASKS, lambda index: False)
    next(run)
    assert model.config._attn_implementation == _attention.NAME
    run.close()
    assert model.config._attn_implementation == own
    answers(scorer, ASKS)
    assert model.config._attn_implementation == own


def test_a_layer_that_goes_past_the_shared_attention_is_noticed(make_model, tokenizer):
    """Numbers on a trial may agree by chance where a layer mixes tokens in a way of its own."""
    model = make_model("llama")
    model.model.layers[1].self_attn.forward = lambda hidden_states, **rest: (torch.zeros_like(hidden_states), None)
    scorer = scorer_of(model, tokenizer("byte BPE"))
    assert "1 of its 2 layers attend in the usual way" in scorer.remarks[0]


def test_causal_convolutions_between_the_layers_exclude_sharing(make_model, tokenizer):
    model = make_model("llama")
    model.model.layers[1].mixer = torch.nn.Conv1d(32, 32, 3, groups=32)
    assert "outside of attention" in scorer_of(model, tokenizer("byte BPE")).remarks[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_reads_ahead_is_refused(dtype, make_model, tokenizer):
    """An encoder's head for causal language modelling, on an encoder that was never made a decoder."""
    model = make_model("bert", is_decoder=False).to(dtype)
    with pytest.raises(ModelError, match=r"BertLMHeadModel reads ahead.*causal language model\.$"):
        scorer_of(model, tokenizer("byte BPE"))
    decoder = make_model("bert", is_decoder=True)
    untouched = copy.deepcopy(decoder)
    check(scorer_of(decoder, tokenizer("byte BPE")), untouched, tokenizer("byte BPE"), ASKS[:3])


def test_a_tokenizer_of_another_model_is_refused(make_model, tokenizer):
    scorer = scorer_of(make_model("llama", vocab_size=100), tokenizer("byte BPE"))
    answers(scorer, [Ask("A", ("B",))])
    with pytest.raises(ModelError, match=r"gives token \d{3} and the model knows 100 tokens"):
        answers(scorer, ASKS)
