"""Log-probabilities through a server: believed only where they are true, and then the same as on this machine."""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.convert_slow_tokenizer import bytes_to_unicode

from gnomon.asks import Ask, Failed, Scored
from gnomon.models import Scores, _http, load_model
from gnomon.models import _server_scores as scores
from gnomon.testing import check_model


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


fake = _load("_fake_server")
BYTE_OF = {char: byte for byte, char in bytes_to_unicode().items()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(_http, "FIRST_WAIT", 0.005)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


class Served:
    """A causal model on this machine, as an honest server shows it: one plain forward pass over the whole text."""

    def __init__(self, folder, spelling="offsets"):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.spelling = spelling
        self.known = {}
        self.one_at_a_time = threading.RLock()
        ids = self.tokenizer("a")["input_ids"]
        plain = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        self.first = ids[: len(ids) - len(plain)]
        self.start = self.tokenizer.decode(self.first) if self.first else None

    def split(self, text):
        with self.one_at_a_time:
            given = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if self.spelling == "offsets":
            ends = [0, *(high for _, high in given["offset_mapping"])]
            return [text[max(low, end) : high] for (low, high), end in zip(given["offset_mapping"], ends, strict=False)]
        raw = [self.raw(token) for token in given["input_ids"]]
        pieces = [one.decode("utf-8", "replace") for one in raw]
        if self.spelling == "bytes":
            pieces = [
                "bytes:" + "".join(f"\\x{byte:02x}" for byte in one) if "\ufffd" in piece else piece
                for piece, one in zip(pieces, raw, strict=True)
            ]
        return pieces

    def raw(self, token):
        """The bytes of one token of a byte-level vocabulary."""
        return bytes(BYTE_OF[char] for char in self.tokenizer.convert_ids_to_tokens(token))

    def logprobs(self, text, tokens):
        if text not in self.known:
            self.known[text] = self._logprobs(text)
        return self.known[text]

    def _logprobs(self, text):
        with self.one_at_a_time, torch.inference_mode():
            ids = self.first + self.tokenizer(text, add_special_tokens=False)["input_ids"]
            rows = torch.log_softmax(self.model(torch.tensor([ids])).logits[0].double(), dim=-1)
        values = [None, *(float(rows[at - 1, token]) for at, token in enumerate(ids) if at)]
        return values[len(self.first) :]

    def write(self, text):
        return " so" * 3


def served(server, **arguments):
    return load_model("openai/toy", {"base_url": server.url, "retries": "1", **arguments})


def score(model, asks):
    found = dict(pair for batch in model.score(asks, lambda index: False) for pair in batch)
    assert sorted(found) == list(range(len(asks)))
    return [found[index] for index in range(len(asks))]


# which servers are believed


def test_an_honest_server_scores_and_keeps_all_promises_of_a_model():
    with fake.FakeServer() as server:
        model = served(server)
        assert isinstance(model, Scores)
        assert model.lacks == {}
        check_model(model)


@pytest.mark.parametrize("many", [True, False])
def test_numbers_are_the_sums_beyond_the_context(many):
    with fake.FakeServer(many=many) as server:
        model = served(server)
        server.seen.clear()
        [answer] = score(model, [Ask("The sky is", (" blue", " a cold colour", " blue"))])
        lm = server.lm
        for text, value, tokens in zip((" blue", " a cold colour", " blue"), *_both(answer), strict=True):
            expected = lm.logprobs("The sky is" + text, lm.split("The sky is" + text))[3:]
            assert tokens == len(expected)
            assert math.isclose(value, sum(expected))
        assert len(server.posts) == (1 if many else 3)


def _both(answer):
    return answer.logprobs, answer.tokens


def test_more_continuations_than_fit_into_a_request_are_asked_in_several():
    with fake.FakeServer() as server:
        model = served(server)
        server.seen.clear()
        [answer] = score(model, [Ask("Pick", tuple(f" w{n}" for n in range(40)))])
        assert len(answer.logprobs) == 40
        assert [len(seen.body["prompt"]) for seen in server.posts] == [16, 16, 8]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("ignored", "do not cover the prompt"),
        ("last", "do not cover the prompt"),
        ("none", "gives no log-probabilities"),
        ("shifted", "text_offset does not fit"),
        ("moved", "do not join to the prompt"),
        ("raw", "do not join to the prompt"),
        ("constant", "every token the same"),
        ("random", "different log-probabilities"),
        ("positive", "no log-probabilities"),
        ("holes", "some tokens of the prompt only"),
        ("short", "without a token each"),
        ("words", "no numbers"),
    ],
)
@pytest.mark.parametrize("many", [True, False])
def test_a_lie_about_log_probabilities_is_seen_and_named(lie, reason, many):
    with fake.FakeServer(echo=lie, many=many) as server:
        model = served(server)
        assert not isinstance(model, Scores)
        assert reason in model.lacks["score"]
        assert any(reason in remark for remark in model.remarks)
        assert model.facts()["log-probabilities"] == model.lacks["score"]


def test_a_server_that_refuses_echoes_writes_all_the_same():
    with fake.FakeServer(takes=("model", "prompt", "max_tokens", "temperature")) as server:
        model = served(server)
        assert not isinstance(model, Scores)
        assert "Unsupported parameter: 'echo'" in model.lacks["score"]


def test_a_chat_gives_no_log_probabilities():
    with fake.FakeServer() as server:
        assert "chat" in served(server, api="chat").lacks["score"]


@pytest.mark.parametrize("lie", ["ignored", "last", "none", "moved", "positive", "holes", "short", "words"])
def test_a_server_that_begins_to_lie_after_the_start_fails_the_items(lie):
    with fake.FakeServer() as server:
        model = served(server)
        server.echo = lie
        [answer] = score(model, [Ask("The sky is", (" blue and deep", " green and deep"))])
        assert isinstance(answer, Failed)


@pytest.mark.parametrize(
    "choices",
    [
        [],
        [{"text": "a"}],
        [{"text": "a"}, {"text": "b"}, {"text": "c"}],
        [{"index": 0, "text": "a"}, {"index": 0, "text": "b"}],
        [{"index": [1], "text": "a"}, {"index": {}, "text": "b"}],
        [{"text": "a", "logprobs": 5}, {"text": "b", "logprobs": {}}],
        [{"text": "a", "logprobs": {"tokens": [1], "token_logprobs": [1]}}] * 2,
        [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [True]}}] * 2,
    ],
    ids=str,
)
def test_choices_that_are_none_are_asked_for_again(choices):
    with fake.FakeServer() as server:
        model = served(server)
        server.seen.clear()
        server.next(fake.says({"choices": choices}))
        assert isinstance(score(model, [Ask("The sky is", (" blue", " red"))])[0], Scored)
        assert len(server.posts) == 2


def test_choices_in_another_order_are_put_in_theirs():
    with fake.FakeServer() as server:
        model = served(server)
        ask = Ask("The sky is", (" blue", " red", " green"))
        before = score(model, [ask])
        server.each = lambda handler, body: fake.says({"choices": server.text(body)["choices"][::-1]})(handler, body)
        assert score(model, [ask]) == before


def test_infinite_log_probabilities_fail_the_item():
    with fake.FakeServer() as server:
        model = served(server)
        server.lm.logprobs = lambda text, tokens: [None, *([-math.inf] * (len(tokens) - 1))]
        assert "-inf as a log-probability" in score(model, [Ask("The sky is", (" blue",))])[0].message


def test_an_empty_context_fails_where_the_server_has_no_start_token():
    with fake.FakeServer() as server:
        [answer] = score(served(server), [Ask("", ("blue sky",))])
        assert "the context is empty" in answer.message


def test_a_continuation_of_no_token_fails():
    with fake.FakeServer() as server:
        assert isinstance(score(served(server), [Ask("The sky", ("",))])[0], Failed)


class Merging(fake.Toy):
    """Merges a colon with the line break after it, as Llama 3's and Qwen's vocabularies do."""

    def split(self, text):
        return re.findall(r":\n|:|\s?[^\s:]+|\s", text)


def test_a_token_that_straddles_the_contexts_end_is_met_by_the_convention_or_refused():
    """As on this machine: "Answer:" + "\\nA" is scored as "A" after "Answer", ":"."""
    with fake.FakeServer(Merging()) as server:
        model = served(server)
        plain, joined = score(model, [Ask("Answer:\n", ("A", "B C")), Ask("Ans", ("wer",))])
    lm = server.lm
    assert plain.logprobs[0] == lm.logprobs("Answer:A", ["Answer", ":", "A"])[2]
    assert plain.logprobs[1] == pytest.approx(sum(lm.logprobs("Answer:B C", ["Answer", ":", "B", " C"])[2:]))
    assert plain.tokens == (1, 2)
    assert "straddles the end of the context" in joined.message


# the same numbers as on this machine

TEXTS = [
    ("The following are multiple choice questions (with answers) about anatomy.", (" A", " B", " yes")),
    ("Question: Which of the following bones is the longest?\nAnswer:", (" femur", " tibia", " A", "\nA")),
    ("Answer: ", ("A", "B")),
    ("Answer:\n", ("A", "no")),
    ("Is it wro", ("ng?", "te")),
    ("Answ", ("er: A", "er")),
    ("I told the judge that I had paid", (", and she believed me.", "")),
    ("naïve café 中文", (" true", " false")),
    ("is it \U0001f642", (" ok", "\U0001f642", " é")),
    (" leading", (" space", "s")),
]


@pytest.mark.parametrize(
    ("tokenizer", "spelling"),
    [
        *itertools.product(["bytes", "byte BPE", "byte BPE, bos"], ["offsets", "shown", "bytes"]),
        ("metaspace BPE", "offsets"),
        ("metaspace Unigram, bos", "offsets"),
    ],
)
def test_a_server_gives_the_numbers_of_this_machine_or_none(saved, tokenizer, spelling):
    folder = saved(tokenizer=tokenizer)
    asks = [Ask(context, (one,)) for context, ones in TEXTS for one in ones if one]
    asks += [Ask(context, tuple(filter(None, ones))) for context, ones in TEXTS]
    local = score(load_model(f"hf/{folder}", {"dtype": "float32"}), asks)
    with fake.FakeServer(Served(folder, spelling)) as server:
        model = served(server)
        assert isinstance(model, Scores), model.lacks
        found = score(model, asks)
    good = 0
    for ask, here, there in zip(asks, local, found, strict=True):
        if isinstance(there, Failed):
            assert any(word in there.message for word in ("parts of characters", "straddles")), (
                ask,
                there,
            )
            continue
        good += 1
        assert there.tokens == here.tokens, ask
        assert max(abs(a - b) for a, b in zip(there.logprobs, here.logprobs, strict=True)) < 1e-4, ask
    assert good >= 22  # of 33: the others end in the middle of a word or in parts of a character
    assert good == 33 or (tokenizer, spelling) != ("bytes", "bytes")


@pytest.mark.slow
def test_a_served_embedded_model_gives_the_numbers_of_this_machine(embedded):
    asks = [
        Ask("The capital of France is", (" Paris", " Rome", " a city in the north")),
        Ask("Question: Is water wet?\nAnswer: ", ("yes", "no")),
        Ask("Un naïf dit: «café» 中文 \U0001f642 and then", (" he left", " nothing")),
        Ask("The word is straw", (" hat",)),
    ]
    local = score(load_model(f"hf/{embedded}", {"dtype": "float32"}), asks)
    for spelling in ("shown", "bytes"):
        with fake.FakeServer(Served(embedded, spelling)) as server:
            model = served(server)
            found = score(model, asks)
            [merged] = score(model, [Ask("The word is straw", ("s",))])  # " straws" is one token
        assert "straddles" in merged.message
        for here, there in zip(local, found, strict=True):
            assert there.tokens == here.tokens
            assert max(abs(a - b) for a, b in zip(there.logprobs, here.logprobs, strict=True)) < 1e-3


# the sums alone

WORDS = st.lists(st.text("ab é中\n", min_size=1, max_size=4), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_every_token_beyond_the_context_is_summed_once(tokens, data):
    text = "".join(tokens)
    values = [-float(2**n) for n in range(len(tokens))]
    answer = {"text": text + "x", "logprobs": {"tokens": [*tokens, "x"], "token_logprobs": [*values, -0.5]}}
    [echo] = scores.read([text], {"choices": [answer]}).found
    cut = data.draw(st.integers(0, len(text)))
    found = scores.beyond(echo, text[:cut])
    starts = [len("".join(tokens[:n])) for n in range(len(tokens) + 1)]
    if cut not in starts:
        assert found.straddles
    elif cut == len(text):
        assert found.fault
    else:
        first = starts.index(cut)
        assert found.logprob == sum(values[first:])
        assert found.tokens == len(tokens) - first


@given(WORDS, st.integers(0, 11), st.sampled_from(["", "x", " "]))
def test_parts_of_characters_never_lead_to_a_wrong_sum(tokens, dirty, written):
    """A server that shows a token that is no ASCII as U+FFFD: either the sum beyond the context is right, or there is
    none."""
    text, dirty = "".join(tokens), dirty % len(tokens)
    shown = [
        *("\ufffd" if n == dirty and not token.isascii() else token for n, token in enumerate(tokens)),
        written or "<end>",
    ]
    values = [-float(2**n) for n in range(len(tokens))]
    answer = {"text": text + written, "logprobs": {"tokens": shown, "token_logprobs": [*values, -0.5]}}
    [echo] = scores.read([text], {"choices": [answer]}).found
    for first in range(len(tokens)):
        if isinstance(echo, str):
            return
        found = scores.beyond(echo, "".join(tokens[:first]))
        if not found.fault and not found.straddles:
            assert found.logprob == sum(values[first:])
