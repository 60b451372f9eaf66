"""Texts are those of `model.generate` and of a plain loop, whatever shares the batch and whichever way is taken.

The oracles share nothing with the writer: transformers' own greedy decoding of one prompt; and a loop that computes
the whole text anew for every token, decodes it as a whole, and looks for stop strings character by character.
"""

import collections
import copy
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from gnomon.asks import Completion, Decoding, Failed, Prompt
from gnomon.errors import ModelError, UsageError
from gnomon.models import _writer
from gnomon.models._tokens import Encoder
from gnomon.models._writer import Writer
from gnomon.models._writer_cache import Running
from gnomon.models._writer_text import divide

WINDOW = {"sliding_window": 12}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.5, 2.0, 3.0, 4.0],
    "original_max_position_embeddings": 48,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
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
    "mamba": (
        "alone",
        "keeps no keys and values|cannot be divided into rows",
        {},
    ),  # before transformers 5.24, and since
    "lfm2": ("alone", "cannot be divided into rows", {"layer_types": ["conv", "full_attention"]}),
    "openai-gpt": ("anew", "keeps no keys and values", {}),
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


def split(kind):
    """The family's name, without the words that tell its cases apart."""
    return kind.partition(",")[0]


def write(writer, prompts, skip=lambda index: False):
    """All completions by index; none may come twice."""
    result = {}
    for batch in writer.write(prompts, skip):
        assert batch
        for index, answer in batch:
            assert index not in result
            result[index] = answer
    return result


def greedy(contexts, sizes=(5, 17, 9)):
    return [Prompt(text, Decoding(sizes[number % len(sizes)])) for number, text in enumerate(contexts)]


def ids_of(tokenizer, prompt):
    return tokenizer(prompt.context)["input_ids"] or [tokenizer.bos_token_id or 0]


def generated(model, ids, size):
    """The new ids by transformers' own greedy decoding of one prompt."""
    inputs = torch.tensor([ids])
    whole = model.generate(inputs, attention_mask=torch.ones_like(inputs), do_sample=False, max_new_tokens=size)
    return whole[0].tolist()[len(ids) :]


def recomputed(model, ids, size, ends=(0,)):
    """The new ids by computing the whole text anew for every token, in a model that has seen nothing else."""
    fresh, new = copy.deepcopy(model), []
    while len(new) < size and not {*new} & {*ends}:
        with torch.inference_mode():
            new.append(int(fresh(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1].argmax()))
    return new


def completed(tokenizer, ids, new, ends=(0,)):
    """What the prompt and the new tokens say together, without what the prompt says."""
    ended = new[-1] in ends
    written = new[: len(new) - ended]
    before, whole = (tokenizer.decode(part, skip_special_tokens=True) for part in (ids, ids + written))
    assert whole.startswith(before)
    return Completion(whole[len(before) :], len(written), "stop" if ended else "length")


# Every family.


@pytest.mark.parametrize("kind", TOGETHER)
def test_many_prompts_at_once_are_each_what_generate_writes(kind, make_model, tokenizer):
    model, words = make_model(split(kind), **TOGETHER[kind]), tokenizer("byte BPE, bos")
    prompts = greedy(CONTEXTS)
    asked = [(ids_of(words, prompt), prompt.decoding.max_tokens) for prompt in prompts]
    wanted = {index: completed(words, ids, generated(model, ids, size)) for index, (ids, size) in enumerate(asked)}
    assert len({answer.text for answer in wanted.values()}) > 6
    for rows in (1, 3, 16):
        writer = Writer(copy.deepcopy(model), Encoder(words, 512), rows, tokens=64)
        assert (writer._way, writer.remarks) == ("together", [])
        assert write(writer, prompts) == wanted


@pytest.mark.parametrize("kind", ALONE)
def test_families_whose_memory_is_not_rows_write_the_same_one_by_one(kind, make_model, tokenizer):
    way, reason, changes = ALONE[kind]
    model, words = make_model(split(kind), **changes), tokenizer("byte BPE, bos")
    writer = Writer(copy.deepcopy(model), Encoder(words, 512))
    assert writer._way == way
    (remark,) = writer.remarks
    assert remark.startswith("Texts are written one at a time")
    assert "same texts" in remark
    assert re.search(reason, remark)
    prompts = greedy(CONTEXTS[:6])
    got = write(writer, prompts)
    for index, prompt in enumerate(prompts):
        ids = ids_of(words, prompt)
        assert got[index] == completed(words, ids, recomputed(model, ids, prompt.decoding.max_tokens))


@pytest.mark.parametrize(
    "kind, changes, regime",
    [
        ("phi3", {"original_max_position_embeddings": 48, "rope_parameters": LONGROPE}, 48),
        ("llama", {"max_position_embeddings": 48, "rope_parameters": DYNAMIC}, 48),
    ],
)
def test_rotary_angles_that_depend_on_length_are_those_of_the_text_alone(kind, changes, regime, make_model, tokenizer):
    """Some prompts lie beyond the first regime, some come there while they are written, some never do."""
    model, words = make_model(kind, **changes), tokenizer("bytes")
    writer = Writer(copy.deepcopy(model), Encoder(words, 512))
    prompts = [Prompt("x" * size, Decoding(8)) for size in (60, 45, 5, 41, 50, 70, 30)]
    for prompts_now in (prompts, prompts[::-1]):
        got = write(writer, prompts_now)
        for index, prompt in enumerate(prompts_now):
            ids = ids_of(words, prompt)
            assert got[index] == completed(words, ids, recomputed(model, ids, 8))


def test_a_batch_that_would_change_texts_is_not_used(make_model, tokenizer, monkeypatch):
    """As if a family counted the padding: the trial sees it, the model's own memory is taken."""
    step = Running.step
    monkeypatch.setattr(Running, "step", lambda self, tokens: 2 * step(self, tokens))
    model, words = make_model("llama"), tokenizer("byte BPE, bos")
    writer = Writer(model, Encoder(words, 512))
    assert writer._way == "alone"
    assert "company moved a log-probability by" in writer.remarks[0]
    prompts = greedy(CONTEXTS[:4])
    got = write(writer, prompts)
    for index, prompt in enumerate(prompts):
        ids = ids_of(words, prompt)
        assert got[index] == completed(words, ids, generated(model, ids, prompt.decoding.max_tokens))


def test_a_model_that_reads_ahead_is_refused(make_model, tokenizer):
    with pytest.raises(ModelError, match=r"reads ahead: .* cannot write text"):
        Writer(make_model("bert", is_decoder=False), Encoder(tokenizer("byte BPE"), 512))


# Company, order, precision.

MIXED = [
    Prompt(text, Decoding(7 + 5 * (number % 3), temperature, top_p), seed)
    for number, text in enumerate(CONTEXTS)
    for temperature, top_p, seed in [(0.0, 1.0, 0), (1.0, 1.0, 1), (1.0, 1.0, 2), (0.7, 0.9, 1)]
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neither_size_nor_order_of_a_batch_changes_a_sample(dtype, make_model, tokenizer):
    model, words = make_model("llama").to(dtype), tokenizer("byte BPE, bos")
    try:
        whole = write(Writer(model, Encoder(words, 512), 16), MIXED)
        assert len({answer.text for answer in whole.values()}) > len(MIXED) * 0.7
        for rows in (1, 3):
            assert write(Writer(model, Encoder(words, 512), rows, tokens=16), MIXED) == whole
        writer = Writer(model, Encoder(words, 512), 5)
        backwards = write(writer, MIXED[::-1])
        assert [backwards[len(MIXED) - 1 - index] for index in range(len(MIXED))] == [
            whole[i] for i in range(len(MIXED))
        ]
        some = write(writer, MIXED, lambda index: index % 3 > 0)
        assert some == {index: whole[index] for index in range(0, len(MIXED), 3)}
    finally:
        model.to(torch.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_writes_in_a_batch_too(dtype, make_model, tokenizer):
    model, words = copy.deepcopy(make_model("llama")).to(dtype), tokenizer("byte BPE, bos")
    writer = Writer(model, Encoder(words, 512))
    assert writer.remarks == []
    prompts = greedy(CONTEXTS)
    got = write(writer, prompts)
    ids = [ids_of(words, prompt) for prompt in prompts]
    wanted = [
        completed(words, one, generated(model, one, p.decoding.max_tokens)) for one, p in zip(ids, prompts, strict=True)
    ]
    same = [got[index].text[:4] == answer.text[:4] for index, answer in enumerate(wanted)]
    assert sum(same) >= len(same) - 2  # the rounding may decide between two tokens that are nearly as likely


def test_samples_follow_the_models_own_distribution(make_model, tokenizer):
    model, words = make_model("llama"), tokenizer("byte BPE, bos")
    number = 600
    got = write(Writer(model, Encoder(words, 512)), [Prompt("Is it", Decoding(1, 0.3), s) for s in range(number)])
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([words("Is it")["input_ids"]])).logits[0, -1].double()
    shares = torch.softmax(logits / 0.3, -1).tolist()
    by_text = collections.Counter(answer.text for answer in got.values())
    expected = collections.Counter()
    for token, share in enumerate(shares):
        expected["" if token == 0 else " " + words.decode([token])] += number * share
    likely = [text for text, count in expected.items() if count >= 5]
    assert len(likely) > 5
    wanted = [expected[text] for text in likely]
    counts = [by_text[text] for text in likely]
    assert chisquare([*counts, number - sum(counts)], [*wanted, number - sum(wanted)]).pvalue > 0.001


# What is shared, who waits for whom.


def calls(writer, monkeypatch):
    """A list that grows by the (rows, columns) of every pass over the model."""
    shapes, forward = [], writer._network.model.forward

    def counted(*args, **more):
        shapes.append(tuple(more["input_ids"].shape))
        return forward(*args, **more)

    monkeypatch.setattr(writer._network.model, "forward", counted)
    return shapes


@pytest.mark.parametrize("kind", ["llama", "mamba"])
def test_samples_of_one_prompt_compute_it_once(kind, make_model, tokenizer, monkeypatch):
    model, words = make_model(kind), tokenizer("bytes, bos")
    writer = Writer(model, Encoder(words, 512), rows=4)
    prompts = [Prompt("x" * 99, Decoding(3, 1.0), seed) for seed in range(20)]
    prompts += [Prompt("y" * 49, Decoding(3, 1.0), seed) for seed in range(20)]
    got = write(writer, prompts)
    assert len({answer.text for answer in got.values()}) > 20
    written = sum(answer.tokens + (answer.finish == "stop") - 1 for answer in got.values())
    assert writer.tokens_computed == 100 + 50 + written


def test_what_all_prompts_begin_with_is_computed_once(make_model, tokenizer):
    words, model = tokenizer("bytes, bos"), make_model("llama")
    prompts = [Prompt("s" * 80 + end, Decoding(2)) for end in ("one", "three", "seventeen", "1", "")]
    writer = Writer(model, Encoder(words, 512), rows=2)
    got = write(writer, prompts)
    written = sum(answer.tokens + (answer.finish == "stop") - 1 for answer in got.values())
    assert writer.tokens_computed == 80 + sum(1 + len(prompt.context) - 80 for prompt in prompts) + written
    for index, prompt in enumerate(prompts):
        assert got[index] == write(Writer(model, Encoder(words, 512)), [prompt])[0]


def test_a_long_text_holds_nobody_up(make_model, tokenizer, monkeypatch):
    words = tokenizer("byte BPE, bos")
    writer = Writer(copy.deepcopy(make_model("llama")), Encoder(words, 512), rows=4)
    writer._ends = set()
    shapes = calls(writer, monkeypatch)
    prompts = [Prompt("the longest of them", Decoding(60)), *(Prompt(f"{n}", Decoding(5)) for n in range(36))]
    order = [index for batch in writer.write(prompts, lambda index: False) for index, _ in batch]
    assert order[-1] == 0
    steps = [rows for rows, columns in shapes if columns == 1]
    assert len(shapes) <= 60 + 12 + 2  # one step a token of the longest, one pass for each three that join
    assert sum(steps) >= 60 + 36 * 4 - 1


def test_rows_that_outgrow_the_memory_wait_and_go_on_as_if_nothing_had_been(make_model, tokenizer, monkeypatch):
    model, words = make_model("llama"), tokenizer("byte BPE, bos")
    prompts = [Prompt(p.context, Decoding(40, p.decoding.temperature), p.seed) for p in MIXED]
    wanted = write(Writer(model, Encoder(words, 512)), prompts)
    writer = Writer(model, Encoder(words, 512))
    monkeypatch.setattr(_writer, "_HEADROOM", 1)
    writer._capacity = 120
    shapes = calls(writer, monkeypatch)
    assert write(writer, prompts) == wanted
    assert max(rows for rows, _ in shapes) < 16
    writer._capacity = 1  # one row always runs
    assert write(writer, prompts[:3]) == {index: wanted[index] for index in range(3)}


def test_a_pass_over_prompts_keeps_to_its_tokens(make_model, tokenizer, monkeypatch):
    words = tokenizer("bytes, bos")
    writer = Writer(copy.deepcopy(make_model("llama")), Encoder(words, 512), rows=8, tokens=64)
    shapes = calls(writer, monkeypatch)
    write(writer, [Prompt(chr(65 + at) * size, Decoding(1)) for at, size in enumerate((100, 40, 30, 20, 20, 10, 5, 1))])
    assert all(rows == 1 or rows * columns <= 64 for rows, columns in shapes)
    assert (1, 101) in shapes
    assert len(shapes) < 8


# Where a text ends.


@pytest.mark.parametrize("source", ["generation", "config", "tokenizer"])
def test_every_end_token_ends_a_text_and_is_not_shown(source, make_model, tokenizer, monkeypatch):
    words, model = copy.deepcopy(tokenizer("byte BPE, bos")), copy.deepcopy(make_model("llama"))
    prompts = greedy(CONTEXTS, (30,))
    ids = [ids_of(words, prompt) for prompt in prompts]
    free = [recomputed(model, one, 30, ends=()) for one in ids]
    ends = [free[0][4], free[3][7]]
    match source:
        case "generation":
            model.generation_config.eos_token_id = ends
        case "config":
            model.config.eos_token_id = ends
        case "tokenizer":
            words.eos_token = words.convert_ids_to_tokens(ends[0])
            ends = ends[:1]
    got = write(Writer(model, Encoder(words, 512), 4), prompts)
    known = {*ends, 0}
    for index, new in enumerate(free):
        size = next((at for at, token in enumerate(new) if token in known), None)
        new = new if size is None else new[: size + 1]
        assert got[index] == completed(tokenizer("byte BPE, bos"), ids[index], new, known)
    assert got[0].finish == got[3 if source != "tokenizer" else 0].finish == "stop"


def test_a_prompt_and_its_text_share_the_context_length(make_model, tokenizer):
    words, model = tokenizer("bytes, bos"), make_model("gpt2", max_position_embeddings=32)
    writer = Writer(copy.deepcopy(model), Encoder(words, 32))
    writer._ends = set()
    prompts = [
        Prompt("x" * 20, Decoding(12)),  # 21 + 12 - 1 = 32 positions: just so
        Prompt("x" * 20, Decoding(13)),  # the prompt gives way
        Prompt("abcdefghij" * 10, Decoding(5)),
        Prompt("abcdefghij" * 10, Decoding(1)),
        Prompt("abcdefghij" * 10, Decoding(1000)),  # down to half of the context, then the text does
        Prompt("", Decoding(1000)),
    ]
    got = write(writer, prompts)
    shape = [(answer.truncated, answer.tokens) for _, answer in sorted(got.items())]
    assert shape == [(0, 12), (1, 13), (101 - 28, 5), (101 - 32, 1), (101 - 16, 17), (0, 32)]
    assert {answer.finish for answer in got.values()} == {"length"}
    for index, prompt in enumerate(prompts):
        cut, size = shape[index]
        ids = ids_of(words, prompt)[cut:]
        assert got[index].text == completed(words, ids, recomputed(model, ids, size, ends=()), ()).text


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
def test_division_of_a_context(prompt, wanted, limit):
    kept, new = divide(prompt, wanted, limit)
    assert 1 <= kept <= prompt
    assert 1 <= new <= wanted
    assert kept + new - 1 <= limit
    if kept < prompt:
        assert kept + new - 1 == limit  # nothing is given away
        assert kept >= limit / 2
        assert new == wanted or kept == limit - limit // 2
    if new < wanted:
        assert kept + new - 1 == limit
        assert kept <= limit - limit // 2
    assert divide(prompt, wanted, None) == (prompt, wanted)


def test_a_model_that_gives_no_numbers_fails_and_the_others_go_on(make_model, tokenizer, monkeypatch):
    words = tokenizer("byte BPE, bos")
    writer = Writer(copy.deepcopy(make_model("llama")), Encoder(words, 512))
    prompts = greedy(CONTEXTS[3:7])
    wanted = write(writer, prompts)
    chosen = max(range(4), key=lambda index: len(ids_of(words, prompts[index])))  # the first row, as the longest
    forward = writer._network.model.forward

    def spoilt(*args, **more):
        output = forward(*args, **more)
        if output.logits.shape[0] == 4:
            output.logits[0] = float("nan")
        return output

    monkeypatch.setattr(writer._network.model, "forward", spoilt)
    got = write(writer, prompts)
    failed = got.pop(chosen)
    assert isinstance(failed, Failed)
    assert "not a number" in failed.message
    assert got == {index: answer for index, answer in wanted.items() if index != chosen}


def test_a_tokenizer_of_another_model_is_refused(make_model, tokenizer):
    writer = Writer(make_model("llama", vocab_size=100), Encoder(tokenizer("byte BPE, bos"), 512))
    with pytest.raises(ModelError, match=r"gives token \d+ and the model knows 100 tokens, so they do not belong"):
        write(writer, greedy(["naïve café"]))


def test_a_decoding_without_meaning_is_refused_before_any_work(make_model, tokenizer, monkeypatch):
    writer = Writer(copy.deepcopy(make_model("llama")), Encoder(tokenizer("byte BPE, bos"), 512))
    shapes = calls(writer, monkeypatch)
    with pytest.raises(UsageError, match="top_p=2"):
        write(writer, [*greedy(CONTEXTS), Prompt("x", Decoding(3, 1.0, 2.0))])
    assert shapes == []


def test_nothing_wanted_computes_nothing(make_model, tokenizer, monkeypatch):
    writer = Writer(copy.deepcopy(make_model("llama")), Encoder(tokenizer("byte BPE, bos"), 512))
    shapes = calls(writer, monkeypatch)
    assert write(writer, []) == write(writer, greedy(CONTEXTS), lambda index: True) == {}
    assert shapes == []


def test_a_writer_that_is_left_in_the_middle_can_be_asked_again(make_model, tokenizer):
    writer = Writer(make_model("llama"), Encoder(tokenizer("byte BPE, bos"), 512), rows=2)
    prompts = greedy(CONTEXTS)
    wanted = write(writer, prompts)
    next(writer.write(prompts, lambda index: False))
    assert write(writer, prompts) == wanted


def test_stop_strings_end_a_text_that_would_go_on(make_model, tokenizer):
    model, words = make_model("llama"), tokenizer("bytes, bos")
    free = write(Writer(model, Encoder(words, 512)), greedy(CONTEXTS, (40,)))
    texts = {index: answer.text.replace("\ufffd", " ").split() for index, answer in free.items()}
    stops = {index: max(words, key=len)[:2] for index, words in texts.items() if words}
    assert len(stops) >= 4
    prompts = [Prompt(CONTEXTS[index], Decoding(40, stop=(stop, "never written"))) for index, stop in stops.items()]
    for rows in (1, 8):
        got = write(Writer(model, Encoder(words, 512), rows), prompts)
        for number, (index, stop) in enumerate(stops.items()):
            assert got[number].text == free[index].text[: free[index].text.index(stop)]
            assert got[number].finish == "stop"
            assert got[number].tokens <= free[index].tokens
