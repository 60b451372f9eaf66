"""The CUAD release's way from a passage to its n-best list, written slowly from its description, and a toy model.

It shares nothing with the highlighter: it tokenises word by word, as the release does, runs the model on one window at
a time without padding, walks over windows and pairs in plain loops, and tells texts apart by their words.
"""

import math
import re
from types import SimpleNamespace

import numpy as np
import torch
from transformers import BertConfig

WORD = re.compile("[^ \t\r\n\u202f]+")


class Table(torch.nn.Module):
    """Start and end logits are small whole numbers that hang on the token alone: many candidates tie."""

    def __init__(self, tokenizer, seed=0):
        super().__init__()
        chance = np.random.default_rng(seed)
        self.config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=600)
        self.embedding = torch.nn.Embedding(len(tokenizer), 2)
        self.embedding.weight.data = torch.from_numpy(chance.integers(-2, 3, (len(tokenizer), 2))).float()
        self.device = torch.device("cpu")

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids, attention_mask=None):
        found = self.embedding(input_ids)
        return SimpleNamespace(start_logits=found[..., 0], end_logits=found[..., 1])


def word_tokens(tokenizer, text):
    """(id, first character, end) of each token, one word after another with a blank before it, as the release does.

    A token of that blank alone begins with the word and ends with the word before.
    """
    result, last = [], 0
    for word in WORD.finditer(text):
        encoded = tokenizer(" " + word[0], add_special_tokens=False, return_offsets_mapping=True)
        for number, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            start = word.start() + max(start - 1, 0)
            result.append((number, start, word.start() + end - 1 if end > 1 else last))
        last = word.end()
    return result


def window_of_most_context(spans, position):
    best, winner = None, None
    for number, (start, length) in enumerate(spans):
        if start <= position < start + length:
            score = min(position - start, start + length - 1 - position) + 0.01 * length
            if best is None or score > best:
                best, winner = score, number
    return winner


def top(logits, count):
    return sorted(range(len(logits)), key=lambda at: -logits[at])[:count]


def oracle(model, tokenizer, passage, *, length, stride, question, longest, n_best):
    """The protocol, slowly: (start, end, probability) of each span, the null's probability, the number of windows."""
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    middle = [sep, sep] if tokenizer.cls_token == "<s>" else [sep]
    asked = tokenizer(passage.question, add_special_tokens=False)["input_ids"][:question]
    tokens = word_tokens(tokenizer, passage.context)
    head = 1 + len(asked) + len(middle)
    room = length - head - 1
    spans = []
    while len(spans) * stride < len(tokens):
        start = len(spans) * stride
        spans.append((start, min(room, len(tokens) - start)))
        if start + room >= len(tokens):
            break
    candidates, nulls = [], []
    for number, (first, count) in enumerate(spans):
        ids = [cls, *asked, *middle, *(token[0] for token in tokens[first : first + count]), sep]
        wanted = {"input_ids": torch.tensor([ids])}
        if getattr(model.config, "type_vocab_size", 0) == 2 and not isinstance(model, Table):
            wanted["token_type_ids"] = torch.tensor([[0] * head + [1] * (count + 1)])
        output = model(**wanted)
        starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
        nulls.append(starts[0] + ends[0])
        for i in top(starts, n_best):
            for j in top(ends, n_best):
                inside = head <= i < head + count and head <= j < head + count
                if not inside or j < i or j - i + 1 > longest:
                    continue
                if window_of_most_context(spans, first + i - head) != number:
                    continue
                place = (tokens[first + i - head][1], tokens[first + j - head][2])
                if place[0] < place[1]:
                    candidates.append((starts[i] + ends[j], place))
    if not spans:
        return [], 1.0, 0
    candidates.append((min(nulls), None))
    candidates.sort(key=lambda one: -one[0])
    entries, seen = [], set()
    for score, place in candidates:
        if len(entries) >= n_best:
            break
        text = None if place is None else " ".join(WORD.findall(passage.context[place[0] : place[1]]))
        if text not in seen:
            seen.add(text)
            entries.append((score, place))
    if None not in seen:
        entries.append((min(nulls), None))
    total = sum(math.exp(score - entries[0][0]) for score, _ in entries)
    shares = {place: math.exp(score - entries[0][0]) / total for score, place in entries}
    return [(*place, share) for place, share in shares.items() if place], shares[None], len(spans)
