"""A model whose answers are a hash of what it is asked: no two prompts alike, always the same, in small batches."""

import hashlib
import math

import pytest

from gnomon.asks import Scored


class Hashed:
    context_length = None

    def __init__(self, name="hashed", batch=7):
        self.name, self.batch, self.asked = name, batch, []

    def fingerprint(self):
        return f"{self.name} v1"

    def facts(self):
        return {"provider": "test"}

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]

    def score(self, asks, skip):
        for low in range(0, len(asks), self.batch):
            part = []
            for index in range(low, min(low + self.batch, len(asks))):
                if not skip(index):
                    self.asked.append(asks[index])
                    part.append((index, self.answer(asks[index])))
            yield part

    def answer(self, ask):
        numbers = [
            hashlib.sha256(f"{self.name}|{ask.context}|{text}".encode()).digest()[0] for text in ask.continuations
        ]
        weights = [number + 1 for number in numbers]
        return Scored(tuple(math.log(weight / sum(weights)) for weight in weights), (1,) * len(weights))


@pytest.fixture
def hashed():
    return Hashed


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a two-layer causal model of random weights and a tokenizer of single bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("tiny")
    alphabet = {char: number for number, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = AutoConfig.for_model("llama", vocab_size=256, max_position_embeddings=512, num_key_value_heads=2, **sizes)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder
