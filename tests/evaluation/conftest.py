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
