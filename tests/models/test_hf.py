"""A model by folder or hub id: what is refused and in which words, what is loaded, and what makes two models differ."""

import hashlib
import json
import shutil

import huggingface_hub.constants
import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, Gemma3Config, T5Config, ViTConfig

from gnomon.asks import Ask, Decoding, Prompt
from gnomon.errors import AbilityError, GnomonError, ModelError, UsageError
from gnomon.models import abilities, hf, load_model, require

PROMPTS = [Prompt("Is it wrong?\nAnswer:", Decoding(8)), Prompt("A", Decoding(5)), Prompt("A", Decoding(5, 1.0), 7)]
ASKS = [Ask("Is it wrong?\nAnswer:", (" yes", " no", " A")), Ask("A", (" femur", "B"))]


def score(model, asks=ASKS):
    return dict(pair for batch in model.score(asks, lambda index: False) for pair in batch)


def generate(model, prompts=PROMPTS):
    return dict(pair for batch in model.generate(prompts, lambda index: False) for pair in batch)


def forward(model, tokenizer, asks=ASKS):
    """Log-probabilities by one plain forward each, for a tokenizer that splits at the continuation's start."""
    result = []
    for ask in asks:
        start = len(tokenizer(ask.context)["input_ids"])
        own = []
        for text in ask.continuations:
            ids = torch.tensor([tokenizer(ask.context + text)["input_ids"]])
            logprobs = model(input_ids=ids[:, :-1], use_cache=False).logits[0].float().log_softmax(-1)
            own.append(logprobs[start - 1 :].gather(1, ids[0, start:, None]).sum().item())
        result.append(own)
    return result


@pytest.fixture
def own_copy(saved, tmp_path):
    """A function that gives a copy of a saved tiny model, to be spoilt."""

    def copy(*args, **changes):
        folder = tmp_path / "model"
        shutil.copytree(saved(*args, **changes), folder)
        return folder

    return copy


def edit(folder, **changes):
    """Change entries of a folder's config.json; None takes one out."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
def test_a_folder_is_scored_as_its_model_says(kind, saved, tokenizer):
    folder = saved(kind)
    model = load_model(f"hf/{folder}")
    assert model.name == f"hf/{folder}"
    assert abilities(model) == ["score", "generate", "represent", "learn"]
    assert model.context_length == 512
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    got = score(model)
    with torch.no_grad():
        wanted = forward(plain, tokenizer("byte BPE, bos"))
    assert [list(got[index].logprobs) for index in range(len(ASKS))] == [pytest.approx(own, abs=1e-4) for own in wanted]
    assert model.tokens_computed > 0
    assert model.remarks == [] or kind == "bloom"
    assert model.count_tokens(["", "A"]) == [1, 2]


def test_naming_a_model_loads_no_weights(own_copy):
    folder = own_copy()
    (folder / "model.safetensors").unlink()
    model = load_model(f"hf/{folder}")
    assert (model.tokens_computed, model.remarks) == (0, [])
    assert model.facts()["architecture"] == "LlamaForCausalLM"
    assert len(model.fingerprint()) == 64
    with pytest.raises(ModelError, match=r"cannot be loaded: .*model\.safetensors"):
        score(model)


def test_facts_say_what_was_loaded(saved):
    facts = load_model(f"hf/{saved()}@layers=1", {"dtype": "bfloat16", "device": "cpu"}).facts()
    weights = facts.pop("weights")
    assert len(weights) == 16
    assert facts == {
        "provider": "hf",
        "architecture": "LlamaForCausalLM",
        "layers": "1",
        "dtype": "bfloat16",
        "device": "cpu",
    }


# What is refused: one sentence that names the value, and what to do.


def one_sentence(error, *words):
    text = str(error.value)
    assert isinstance(error.value, GnomonError)
    assert "\n" not in text
    assert "Traceback" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"dtyp": "float32"}, ["'dtyp' is not known", "Did you mean 'dtype'?", "batch_tokens"]),
        ({"dtype": "float23"}, ["dtype=float23", "bfloat16", "Did you mean 'float32'?"]),
        ({"dtype": "int8"}, ["dtype=int8: use one of auto, float32, bfloat16, float16."]),
        ({"bos": "maybe"}, ["bos=maybe: use one of auto, yes, no."]),
        ({"prefix_sharing": "on"}, ["prefix_sharing=on: use one of yes, no."]),
        ({"batch_tokens": "many"}, ["batch_tokens=many: give a number from 16"]),
        ({"batch_tokens": "15"}, ["batch_tokens=15: give a number from 16"]),
        ({"batch_tokens": "64.5"}, ["batch_tokens=64.5: give a whole number."]),
        ({"batch_rows": "0"}, ["batch_rows=0: give a number from 1"]),
        ({"batch_rows": "some"}, ["batch_rows=some: give a number from 1"]),
        ({"chat": "maybe"}, ["chat=maybe: use one of no, yes."]),
    ],
    ids=lambda value: "=".join(*value.items()) if isinstance(value, dict) else "",
)
def test_an_argument_that_makes_no_sense_is_refused_at_once(arguments, words, saved):
    with pytest.raises(UsageError) as error:
        load_model(f"hf/{saved()}", arguments)
    one_sentence(error, *words)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_here_is_refused(device, saved):
    model = load_model(f"hf/{saved()}", {"device": device})
    with pytest.raises(ModelError) as error:
        score(model)
    one_sentence(error, f"device '{device}' cannot be used here", "-M device=cpu")


@pytest.mark.parametrize("name", ["hf", "hf/"])
def test_a_provider_without_a_model_asks_for_one(name):
    with pytest.raises(UsageError, match="needs a hub id or a folder, for example  -m hf/"):
        load_model(name)


@pytest.mark.parametrize("layers", ["0", "4", "-1", "1.5", "all", "²"])
def test_a_number_of_layers_that_the_model_has_not_is_refused(layers, saved):
    with pytest.raises(UsageError, match=f"@layers={layers}: give a whole number from 1 to 3"):
        load_model(f"hf/{saved(num_hidden_layers=3)}@layers={layers}")


@pytest.mark.parametrize("setting", ["layer=1", "layers=1,head=2"])
def test_a_setting_that_is_none_is_refused(setting, saved):
    wrong = setting.rpartition(",")[2]
    with pytest.raises(UsageError, match=f"'@{wrong}' is no setting of .* Known: layers"):
        load_model(f"hf/{saved()}@{setting}")


def test_a_folder_without_a_configuration_is_no_model(tmp_path):
    with pytest.raises(ModelError) as error:
        load_model(f"hf/{tmp_path}")
    one_sentence(error, str(tmp_path), "holds no config.json")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_type": "nonesuch"}'], ids=str)
def test_a_configuration_that_says_nothing_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError) as error:
        load_model(f"hf/{tmp_path}")
    one_sentence(error, str(tmp_path))


@pytest.mark.parametrize("value", ["big", 33])
def test_a_configuration_that_cannot_be_is_refused(value, own_copy):
    folder = own_copy()
    edit(folder, hidden_size=value)
    with pytest.raises(ModelError) as error:
        score(load_model(f"hf/{folder}"))
    one_sentence(error, str(folder), "hidden")


def test_an_id_that_is_not_on_this_machine_is_refused_without_the_network():
    with pytest.raises(ModelError) as error:
        load_model("hf/nobody/no-such-model")
    one_sentence(error, "hf/nobody/no-such-model", "is no folder here", "-m smollm2")


def test_a_model_without_a_tokenizer_is_refused_before_its_weights_are_read(saved, monkeypatch):
    model = load_model(f"hf/{saved('llama', '')}")
    monkeypatch.setattr(hf._Causal, "_load_as", lambda self, *given: pytest.fail("the weights were read"))
    for work in (lambda: score(model), lambda: model.count_tokens(["A"])):
        with pytest.raises(ModelError) as error:
            work()
        one_sentence(error, "has no tokenizer that can be read", "tokenizer.json")


@pytest.mark.parametrize("text", ["{", "{}", ""])
def test_a_broken_tokenizer_is_refused(text, own_copy):
    folder = own_copy()
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError) as error:
        load_model(f"hf/{folder}").count_tokens(["A"])
    one_sentence(error, "has no tokenizer that can be read")


SPOILT = {"cut": slice(0, -100), "cut in the header": slice(0, 1000), "without a header": slice(999, None)}


@pytest.mark.parametrize("part", [*SPOILT.values(), slice(0, 0)], ids=[*SPOILT, "empty"])
def test_broken_weights_are_refused(part, own_copy):
    folder = own_copy()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[part])
    with pytest.raises(ModelError) as error:
        score(load_model(f"hf/{folder}"))
    one_sentence(error, str(folder), "cannot be loaded")


def test_weights_of_another_shape_are_refused(own_copy):
    folder = own_copy()
    edit(folder, intermediate_size=128)
    with pytest.raises(ModelError) as error:
        score(load_model(f"hf/{folder}"))
    one_sentence(error, "cannot be loaded")


def test_weights_that_lack_a_layer_are_refused(own_copy):
    """transformers would fill the layer with random numbers and go on."""
    folder = own_copy()
    edit(folder, num_hidden_layers=3)
    with pytest.raises(ModelError) as error:
        score(load_model(f"hf/{folder}"))
    one_sentence(error, "cannot be loaded", "model.layers.2.")


# Who has the ability.


@pytest.mark.parametrize(
    ("config", "able"),
    [
        (BertConfig(architectures=["BertForMaskedLM"]), ["represent", "fill", "learn"]),
        (BertConfig(architectures=["BertModel"]), ["represent", "learn"]),
        (T5Config(architectures=["T5ForConditionalGeneration"]), ["represent"]),
        (T5Config(), ["represent"]),
        (ViTConfig(), []),
    ],
    ids=["bert", "bert, bare", "t5", "t5, unnamed", "vit"],
)
def test_other_families_are_described_and_refused_before_any_weight_is_read(config, able, tmp_path):
    config.save_pretrained(tmp_path)  # there are no weights
    model = load_model(f"hf/{tmp_path}")
    assert abilities(model) == able
    assert len(model.fingerprint()) == 64
    assert model.facts()["layers"] == "12" or config.model_type == "t5"
    with pytest.raises(AbilityError) as error:
        require(model, "score", "gnomon eval")
    one_sentence(error, model.name, "cannot give log-probabilities", "'gnomon eval' needs", "-m smollm2")


def test_a_model_of_text_and_images_has_the_ability_of_its_text(tmp_path):
    """Where transformers itself gives such a class for causal language modelling, as for Gemma 3."""
    Gemma3Config(architectures=["Gemma3ForConditionalGeneration"]).save_pretrained(tmp_path)
    assert abilities(load_model(f"hf/{tmp_path}")) == ["score", "generate", "represent", "learn"]


def test_an_encoder_that_calls_itself_a_causal_model_is_refused_when_it_is_loaded(saved):
    with pytest.raises(ModelError, match="reads ahead"):
        score(load_model(f"hf/{saved('bert', is_decoder=False)}"))


# The first layers only.

LAYERED = {
    "llama": {},
    "gpt2": {},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "bloom": {},
    "falcon": {"new_decoder_architecture": False},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 16},
    "gemma3_text": {"head_dim": 8, "sliding_window": 40},
    "smollm3": {},
}


@pytest.mark.parametrize("kind", LAYERED)
@pytest.mark.parametrize("layers", [1, 3])
def test_the_first_layers_are_the_truncated_model(kind, layers, make_model, tokenizer, tmp_path):
    whole = make_model(kind, num_hidden_layers=4, **LAYERED[kind])
    whole.save_pretrained(tmp_path)
    tokenizer("byte BPE, bos").save_pretrained(tmp_path)
    model = load_model(f"hf/{tmp_path}@layers={layers}")
    assert model.name == f"hf/{tmp_path}@layers={layers}"
    assert model.facts()["layers"] == str(layers)
    (stack,) = [part for _, part in whole.named_modules() if isinstance(part, torch.nn.ModuleList) and len(part) == 4]
    del stack[layers:]
    whole.config.num_hidden_layers = layers
    wanted = forward(whole, tokenizer("byte BPE, bos"))
    got = score(model)
    assert [list(got[index].logprobs) for index in range(len(ASKS))] == [pytest.approx(own, abs=1e-4) for own in wanted]


def test_a_family_that_computes_its_kinds_of_layers_can_be_truncated(saved):
    folder = saved("mamba", num_hidden_layers=4)
    assert load_model(f"hf/{folder}@layers=1").facts()["layers"] == "1"


# What makes two models differ.


def test_the_fingerprint_holds_what_can_change_a_number_and_nothing_else(saved):
    folder = saved(num_hidden_layers=3)
    same = load_model(f"hf/{folder}").fingerprint()
    for arguments in ({"batch_tokens": "64"}, {"device": "cpu"}, {"prefix_sharing": "no"}, {"dtype": "float32"}):
        assert load_model(f"hf/{folder}", arguments).fingerprint() == same
    for arguments in ({"batch_rows": "3"}, {"chat": "no"}):
        assert load_model(f"hf/{folder}", arguments).fingerprint() == same
    assert load_model(f"hf/{folder}@layers=3").fingerprint() == same
    others = [
        load_model(f"hf/{folder}", {"dtype": "bfloat16"}),
        load_model(f"hf/{folder}", {"dtype": "float16"}),
        load_model(f"hf/{folder}", {"bos": "no"}),
        load_model(f"hf/{folder}", {"chat": "yes"}),
        load_model(f"hf/{folder}@layers=2"),
        load_model(f"hf/{folder}@layers=1"),
        load_model(f"hf/{saved('llama', 'bytes, bos', num_hidden_layers=3)}"),
        load_model(f"hf/{saved('gpt2', num_hidden_layers=3)}"),
    ]
    assert len({same, *(model.fingerprint() for model in others)}) == len(others) + 1


def test_the_fingerprint_follows_the_weights_and_the_configuration(own_copy):
    folder = own_copy()
    before = load_model(f"hf/{folder}").fingerprint()
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of the same length
    spoilt = load_model(f"hf/{folder}").fingerprint()
    weights.write_bytes(content)
    assert load_model(f"hf/{folder}").fingerprint() == before != spoilt
    edit(folder, rms_norm_eps=0.1)
    assert load_model(f"hf/{folder}").fingerprint() not in (before, spoilt)


def test_a_copy_elsewhere_has_the_same_fingerprint(saved, own_copy):
    assert load_model(f"hf/{own_copy()}").fingerprint() == load_model(f"hf/{saved()}").fingerprint()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_asked_precision_is_the_models(dtype, saved):
    model = load_model(f"hf/{saved()}", {"dtype": dtype})
    score(model)
    assert model._scorer._model.dtype == getattr(torch, dtype)


def test_arguments_reach_the_scorer(saved):
    model = load_model(f"hf/{saved()}", {"batch_tokens": "64", "prefix_sharing": "no", "bos": "no"})
    whole = load_model(f"hf/{saved()}")
    score(model)
    score(whole)
    assert model._scorer._budget.tokens == 64
    assert model.tokens_computed > 1.5 * whole.tokens_computed - len(ASKS) * 4
    assert model.count_tokens(["A"]) == [1]


@pytest.mark.parametrize(
    "kind, changes, limit",
    [
        ("gpt2", {"n_positions": 77}, 77),
        ("llama", {"max_position_embeddings": 77}, 77),
        ("bloom", {}, None),
        ("mamba", {}, None),
        ("mpt", {"max_seq_len": 77}, 77),
    ],
)
def test_the_context_length_is_the_families_own(kind, changes, limit, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **changes}))
    assert load_model(f"hf/{tmp_path}").context_length == limit


def test_a_prompt_past_the_context_length_is_cut_and_said_to_be(saved):
    model = load_model(f"hf/{saved('gpt2', 'bytes, bos', max_position_embeddings=16)}")
    (answer,) = score(model, [Ask("Is it wrong or is it not?", (" no",))]).values()
    assert answer.truncated == 1 + 25 + 3 - 1 - 16


def test_loading_prints_nothing_and_leaves_the_libraries_settings_alone(saved, capfd):
    from transformers.utils import logging

    folders = saved(), saved("gptj", rotary_dim=4)
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    assert before == (logging.WARNING, True)
    capfd.readouterr()
    for folder in folders:
        score(load_model(f"hf/{folder}@layers=1"))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


# Text.


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mamba"])
def test_a_folder_writes_what_generate_writes(kind, saved, tokenizer):
    folder, words = saved(kind), tokenizer("byte BPE, bos")
    model = load_model(f"hf/{folder}")
    got = generate(model)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for index, prompt in enumerate(PROMPTS[:2]):
        ids = torch.tensor([words(prompt.context)["input_ids"]])
        new = plain.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=prompt.decoding.max_tokens
        )
        whole = words.decode(new[0], skip_special_tokens=True)
        assert got[index].text == whole[len(words.decode(ids[0], skip_special_tokens=True)) :]
        assert got[index].truncated == 0
    assert got[2] != got[1]
    assert len(model.remarks) == (kind == "mamba")


def test_the_weights_are_loaded_once_for_scores_and_texts(saved, monkeypatch):
    loads, load = [], hf._Causal._load_as
    monkeypatch.setattr(hf._Causal, "_load_as", lambda self, *given: loads.append(1) or load(self, *given))
    folder = saved("bloom")
    model, other = load_model(f"hf/{folder}"), load_model(f"hf/{folder}")
    texts = generate(model)
    wrote = model.tokens_computed
    numbers = score(model)
    assert loads == [1]
    assert wrote == model._writer.tokens_computed > 0
    assert model.tokens_computed == wrote + model._scorer.tokens_computed
    assert model.remarks == model._scorer.remarks
    assert len(model.remarks) == 1
    assert (score(other), generate(other)) == (numbers, texts)  # in the other order
    assert loads == [1, 1]


def test_texts_may_be_written_while_scores_are_still_coming(saved):
    """Scoring puts its own attention into the model; writing must not see it."""
    folder = saved()
    model = load_model(f"hf/{folder}")
    asks = [Ask(f"{n} is it wrong?\nAnswer:", (" yes", " no")) for n in range(40)]
    wanted = score(load_model(f"hf/{folder}", {"batch_tokens": "64"}), asks)
    model = load_model(f"hf/{folder}", {"batch_tokens": "64"})
    texts, got = generate(model), {}
    for batch in model.score(asks, lambda index: False):
        got.update(batch)
        assert generate(model) == texts
    assert got == wanted


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_texts_are_written_in_the_asked_precision(dtype, saved):
    model = load_model(f"hf/{saved()}", {"dtype": dtype})
    assert all(answer.text for answer in generate(model).values())
    assert model.remarks == []


def test_arguments_reach_the_writer(saved):
    model = load_model(f"hf/{saved()}", {"batch_tokens": "64", "batch_rows": "3", "bos": "no"})
    generate(model)
    assert (model._writer._rows, model._writer._tokens) == (3, 64)
    assert generate(model, PROMPTS[:1]) != generate(load_model(f"hf/{saved()}"), PROMPTS[:1])
    default = load_model(f"hf/{saved()}", {"device": "cpu"})
    generate(default)
    assert default._writer._rows == 16


def test_chat_puts_prompts_through_the_template_and_leaves_scores_alone(own_copy):
    folder = own_copy()
    (folder / "chat_template.jinja").write_text("user: {{ messages[0].content }}\nanswer:")
    plain, chat = load_model(f"hf/{folder}"), load_model(f"hf/{folder}", {"chat": "yes", "bos": "no"})
    inside = [Prompt(f"user: {prompt.context}\nanswer:", prompt.decoding, prompt.seed) for prompt in PROMPTS]
    assert generate(chat) == generate(load_model(f"hf/{folder}", {"bos": "no"}), inside)
    assert generate(chat) != generate(plain)
    assert score(load_model(f"hf/{folder}", {"chat": "yes"})) == score(plain)


def test_chat_without_a_template_is_refused_before_the_weights_are_read(saved, monkeypatch):
    model = load_model(f"hf/{saved()}", {"chat": "yes"})
    monkeypatch.setattr(hf._Causal, "_load_as", lambda self, *given: pytest.fail("the weights were read"))
    with pytest.raises(ModelError) as error:
        generate(model)
    one_sentence(error, "has no chat template, as chat=yes asks", "leave out  -M chat")


def test_a_prompt_that_does_not_fit_beside_its_text_is_cut_and_said_to_be(saved):
    model = load_model(f"hf/{saved('gpt2', 'bytes, bos', max_position_embeddings=16)}")
    (answer,) = generate(model, [Prompt("Is it wrong or is it not?", Decoding(4))]).values()
    assert answer.truncated == 1 + 25 + 4 - 1 - 16


# A model of the hub's cache.


@pytest.fixture
def hub(saved, tmp_path, monkeypatch):
    """A cache as the hub's client lays it out: blobs, a snapshot of links, a reference; files come when told to."""
    root = tmp_path / "hub" / "models--someone--tiny"
    snapshot = root / "snapshots" / ("0123456789" * 4)
    for folder in (root / "blobs", root / "refs", snapshot):
        folder.mkdir(parents=True)
    (root / "refs" / "main").write_text(snapshot.name)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def download(*names):
        for path in sorted(saved().iterdir()):
            if not names or path.name in names:
                blob = root / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
                shutil.copyfile(path, blob)
                (snapshot / path.name).unlink(missing_ok=True)
                (snapshot / path.name).symlink_to(blob)

    return download


def test_a_model_in_the_hubs_cache_is_scored_without_the_network(hub, saved):
    hub()
    assert score(load_model("hf/someone/tiny")) == score(load_model(f"hf/{saved()}"))


def test_the_fingerprint_of_a_hub_model_is_the_same_before_and_after_its_weights_arrive(hub):
    """Else what is stored under the first fingerprint is never found again, and two models may share it."""
    hub("config.json")
    before = load_model("hf/someone/tiny").fingerprint()
    hub()
    assert load_model("hf/someone/tiny").fingerprint() == before
