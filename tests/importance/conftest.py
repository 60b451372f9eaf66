"""Tiny models for this room's tests, made from configurations: random weights, fixed seed, never the network."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSequenceClassification, PreTrainedTokenizerFast

WORDS = ["the", "a", "fine", "bad", "good", "dull", "film", "story", "plot", "actor", "is", "was", "and", "very"]
WORDS += ["not", "it", "plays", "well", "badly", "with", "heart"]
PIECES = ["##ly", "##ing", "##ed", "act", "!", ".", ",", "?"]


def _tokenizer():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *PIECES]
    own = Tokenizer(models.WordPiece({word: at for at, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    own.normalizer = normalizers.Lowercase()
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    own.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]", "cls_token": "[CLS]"}
    return PreTrainedTokenizerFast(tokenizer_object=own, sep_token="[SEP]", model_max_length=64, **marks)


def _save(folder, family, **changes):
    tokenizer = _tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        config = AutoConfig.for_model(
            "bert", vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0, **sizes, **changes
        )
        model = family.from_config(config).eval()
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.data.mul_(5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tiny products are many times slower on several threads than on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def masked(tmp_path_factory):
    """A tiny BERT with a masked-language-model head and a WordPiece tokenizer of a few words."""
    return _save(tmp_path_factory.mktemp("masked"), AutoModelForMaskedLM)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A tiny BERT with a head for two classes."""
    return _save(tmp_path_factory.mktemp("classifier"), AutoModelForSequenceClassification, num_labels=2)


@pytest.fixture(scope="session")
def corpus():
    """Sentences of a small grammar."""
    subjects, verbs = ("film", "story", "plot", "actor"), ("is", "was")
    kinds = ("fine", "bad", "good", "dull", "not good", "very fine")
    return [f"the {s} {v} {k} ." for s in subjects for v in verbs for k in kinds] * 3
