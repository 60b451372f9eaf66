"""Tiny models and tokenizers, made from configurations and from text: random weights, fixed seed, never the network."""

import copy
import functools

import huggingface_hub.constants
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from gnomon.models import smollm2

VOCABULARY = 300
CORPUS = [
    "The following are multiple choice questions (with answers) about anatomy.",
    "Question: Which of the following bones is the longest?\nA. femur\nB. tibia\nC. ulna\nD. hyoid\nAnswer: A",
    "Is it wrong? I told the judge that I had paid, and she believed me. yes no true false",
    "  def f(x):\n    return x + 1\n\n\nüber naïve café 123 456 ...",
] * 4

TINY = {  # every family takes these names, its own or as aliases, and passes over those that it has no use for
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """The hub's client reads its variable when it is imported, which may be before any test begins."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tiny products are many times slower on several threads than on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def embedded(model_cache):
    """The embedded model's folder where the user's own cache holds it; making it takes 20 seconds."""
    gguf = smollm2.source()
    if gguf is None:
        pytest.skip("the embedded model's wheel is not installed")
    found = model_cache / "models" / f"smollm2-{gguf.stat().st_size}-v1"
    if not (found / "model.safetensors").is_file():
        pytest.skip("the embedded model is not converted yet")
    return found


def _make_model(kind, **changes):
    """A model of family `kind` whose weights are large enough for every token to matter."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **{**TINY, **changes})
        model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        _enlarge(model, kind)
    logging.set_verbosity(verbosity)
    return model


def _enlarge(model, kind):
    """At the usual size of random weights no token would matter to another beyond the last digits."""
    for name, parameter in sorted(model.named_parameters()):
        if parameter.dim() >= 2 and kind != "mamba":
            parameter.mul_(5)
        elif name.endswith("bias"):
            parameter.add_(0.1 * torch.randn_like(parameter))


@pytest.fixture(scope="session")
def make_model():
    """A function (kind, changes to the tiny configuration) that gives a model; equal calls give equal weights."""
    return _make_model


def wrap(tokenizer, **special):
    """A transformers tokenizer around one of the `tokenizers` library."""
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def with_bos(tokenizer, token="<s>"):
    """Let `tokenizer` put `token` before every text, as Llama's does."""
    number = tokenizer.token_to_id(token)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{token} $A", special_tokens=[(token, number)])
    return tokenizer


def byte_level():
    """Every byte is a token: ' A' takes two."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, **{char: number + 1 for number, char in enumerate(alphabet)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


def byte_bpe():
    """A small GPT-2: bytes merged within words, a space before a word belongs to it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def word_level():
    """Whole words and marks, without white space; most words are unknown."""
    words = ["<unk>", "<s>", *sorted({word for text in CORPUS for word in text.replace(".", " . ").split()})]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


def metaspace_bpe():
    """As SentencePiece's BPE in Llama: one long word with a dummy space before it, merges across marks and lines."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=250, special_tokens=["<unk>", "<s>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def metaspace_unigram():
    """As SentencePiece's Unigram in T5 and XGLM: the likeliest pieces, a dummy space before the text."""
    single = sorted({char for text in CORPUS for char in text.replace(" ", "▁")})
    pieces = ["▁A", "▁B", "▁C", "Answer", "▁answer", "Answer:", "\nA", "\nAnswer", ":▁A", "▁the", "the", "▁wrong"]
    scores = [("<unk>", 0.0), ("<s>", 0.0)]
    scores += [(char, -6.0) for char in single] + [(piece, -4.0) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    return tokenizer


TOKENIZERS = {
    "bytes": lambda: wrap(byte_level()),
    "bytes, bos": lambda: wrap(with_bos(byte_level()), bos_token="<s>"),
    "byte BPE": lambda: wrap(byte_bpe(), eos_token="<s>"),
    "byte BPE, bos": lambda: wrap(with_bos(byte_bpe()), bos_token="<s>"),
    "words": lambda: wrap(word_level(), unk_token="<unk>"),
    "words, bos": lambda: wrap(with_bos(word_level()), bos_token="<s>", unk_token="<unk>"),
    "metaspace BPE": lambda: wrap(metaspace_bpe(), unk_token="<unk>"),
    "metaspace BPE, bos": lambda: wrap(with_bos(metaspace_bpe()), bos_token="<s>", unk_token="<unk>"),
    "metaspace Unigram": lambda: wrap(metaspace_unigram(), unk_token="<unk>"),
    "metaspace Unigram, bos": lambda: wrap(with_bos(metaspace_unigram()), bos_token="<s>", unk_token="<unk>"),
}


@pytest.fixture(scope="session")
def tokenizer():
    """A function that gives one of the tokenizers by name, each made once."""
    return functools.cache(lambda name: TOKENIZERS[name]())


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A function (kind, tokenizer's name, changes) that saves a tiny model and gives its folder, each made once."""

    @functools.cache
    def save(kind, tokenizer, changes):
        folder = tmp_path_factory.mktemp(kind)
        _make_model(kind, **dict(changes)).save_pretrained(folder)
        if tokenizer:
            TOKENIZERS[tokenizer]().save_pretrained(folder)
        return folder

    def saved(kind="llama", tokenizer="byte BPE, bos", **changes):
        return save(kind, tokenizer, tuple(changes.items()))

    return saved


ENCODERS = ("bert", "roberta", "deberta-v2", "electra")
TWO_STACKS = {
    "t5": {"d_model": 32, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "d_kv": 8, "d_ff": 64},
    "bart": {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
    },
}
WITH_MARKS = 310
"""Words of the byte-level vocabulary with a mask and a separator, and a few to spare."""


def _with_separators(tokenizer, kind):
    """Separators as BERT's for encoders, an end token as T5's for encoder-decoders."""
    found = copy.deepcopy(tokenizer)
    own = found.backend_tokenizer
    own.add_special_tokens(["<mask>", "<sep>"])
    sep = own.token_to_id("<sep>")
    texts = {"single": "$A <sep>"}
    if kind in ENCODERS:
        texts = {"single": "<s> $A <sep>", "pair": "<s> $A <sep> $B <sep>"}
    own.post_processor = processors.TemplateProcessing(**texts, special_tokens=[("<s>", 0), ("<sep>", sep)])
    found.mask_token, found.sep_token = "<mask>", "<sep>"
    return found


@pytest.fixture(scope="session")
def kept(tmp_path_factory, tokenizer):
    """A function (kind, head, changes) that gives the folder of a tiny model of any family with its tokenizer."""
    made = {}

    def make(kind, head=None, **changes):
        key = (kind, head, *sorted(changes.items()))
        if key not in made:
            sizes = {**TINY, "vocab_size": WITH_MARKS}
            if kind in TWO_STACKS:
                ends = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
                sizes = {**TWO_STACKS[kind], **ends, "vocab_size": WITH_MARKS}
            decoder = kind not in ENCODERS and kind not in TWO_STACKS
            words = tokenizer("byte BPE, bos") if decoder else _with_separators(tokenizer("byte BPE"), kind)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                family = head or (AutoModelForCausalLM if decoder else AutoModel)
                model = family.from_config(AutoConfig.for_model(kind, **{**sizes, **changes})).eval()
                for parameter in model.parameters():
                    if parameter.dim() >= 2:
                        parameter.data.mul_(5)
            folder = tmp_path_factory.mktemp(kind)
            model.save_pretrained(folder)
            words.save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make
