"""The encoder equals its definition: encode context + continuation as one text, take what lies beyond the context."""

import copy
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from gnomon.asks import Ask
from gnomon.errors import ModelError
from gnomon.models._tokens import Encoder
from gnomon.tasks import _gpt2

TOKENIZERS = [
    f"{name}{bos}"
    for name in ("bytes", "byte BPE", "words", "metaspace BPE", "metaspace Unigram")
    for bos in ("", ", bos")
]
REAL = ["gpt2", "smollm2"]

PIECES = [
    *("A", " A", "B", "the", " the", "ong", "wrong", "x", "1", "23", "'s", "a", ".", ":", "#", "-", "—"),
    *("Answer", "Answer:", "\nAnswer:", "\n", "\n\n", " ", "  ", "\t", "\r\n", "\u00a0", "\u2028", "\u200d"),
    *("é", "e\u0301", "ü", "日本", "😀", "👩\u200d🔬", "x" * 130),
]
pieces = st.sampled_from(PIECES) | st.text(max_size=3)
texts = st.lists(pieces, max_size=12).map("".join)
continuations = st.lists(st.lists(pieces, min_size=1, max_size=4).map("".join), min_size=1, max_size=4)


@pytest.fixture(scope="session")
def any_tokenizer(request, tokenizer):
    """The room's own tokenizers, GPT-2's BPE from an installed package's files, SmolLM2's where it is converted."""

    @functools.cache
    def make(name):
        if name == "gpt2":
            if not _gpt2.available():
                pytest.skip("GPT-2's vocabulary is not installed")
            return PreTrainedTokenizerFast(tokenizer_object=_gpt2._tokenizer())
        if name == "smollm2":
            return AutoTokenizer.from_pretrained(request.getfixturevalue("embedded"))
        return tokenizer(name)

    return make


def definition(tokenizer, context, continuations):
    """Ids of the context and of each continuation, every text encoded whole and one by one."""
    before = tokenizer(context.rstrip())["input_ids"]
    return before, [tokenizer(context + one)["input_ids"][len(before) :] for one in continuations]


def encode(tokenizer, context, *continuations, limit=None, bos="auto"):
    """One ask through a fresh encoder, as lists."""
    (one,) = Encoder(tokenizer, limit, bos).encode([Ask(context, continuations)])
    return one.context.tolist(), [ids.tolist() for ids in one.continuations], one.truncated


@pytest.mark.parametrize("name", [*TOKENIZERS, *REAL])
def test_every_continuation_is_what_lies_beyond_the_context(name, any_tokenizer):
    own = any_tokenizer(name)
    together = Encoder(own, None)  # remembers the last lines of all examples, as in a run

    @given(texts, continuations)
    @settings(max_examples=150, deadline=None, database=None)
    def holds(context, wanted):
        before, ids = definition(own, context, wanted)
        kept = [(one, own_ids) for one, own_ids in zip(wanted, ids, strict=True) if own_ids]
        if not kept:
            return
        for encoder in (together, Encoder(own, None)):
            (got,) = encoder.encode([Ask(context, tuple(one for one, _ in kept))])
            assert [ids.tolist() for ids in got.continuations] == [own_ids for _, own_ids in kept]
            assert got.context.tolist() == before or not before
            assert len(got.context) > 0
            assert got.truncated == 0

    holds()


@pytest.mark.parametrize("name", [*TOKENIZERS, *REAL])
def test_asks_in_one_list_are_encoded_as_each_alone(name, any_tokenizer):
    own = any_tokenizer(name)
    contexts = [
        "Q\nAnswer:",
        "Q\n\nAnswer:",
        "Q.\nAnswer:",
        "Answer:",
        "\nAnswer:",
        "Q\nAnswer: \n",
        "Q\nAnswer: A",
        "",
    ]
    asks = [Ask(context, (" A", " B C", "A")) for context in [*contexts, *contexts]]
    together = Encoder(own, None).encode(asks)
    for ask, got in zip(asks, together, strict=True):
        context, ids, _ = encode(own, ask.context, *ask.continuations)
        assert got.context.tolist() == context
        assert [one.tolist() for one in got.continuations] == ids


def merging(*merges):
    """A BPE without any splitting beforehand: merges run over line ends."""
    vocabulary = dict.fromkeys("wxyz\nabcd".strip(" "))
    tokens = [*vocabulary, *("".join(pair) for pair in merges)]
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=numbers, merges=list(merges))))


def test_a_continuation_that_changes_how_the_last_line_begins_is_seen():
    """'x|\\nab' becomes 'x\\n|a|bc': the last line alone would say two tokens are new where the definition has one."""
    own = merging(("b", "c"), ("a", "b"), ("\n", "ab"), ("x", "\n"))
    assert own.tokenize("x\nab") == ["x", "\nab"]
    assert own.tokenize("x\nabc") == ["x\n", "a", "bc"]
    _, (ids,), _ = encode(own, "x\nab", "c")
    assert own.convert_ids_to_tokens(ids) == ["bc"]


def test_a_last_line_that_is_split_otherwise_in_its_context_is_seen():
    """A line end merges with the one before it, so that 'a' is free for 'b'; in the last line alone it is not."""
    own = merging(("\n", "\n"), ("\n", "a"), ("a", "b"))
    assert own.tokenize("x\n\na") == ["x", "\n\n", "a"]
    assert own.tokenize("\na") == ["\na"]
    assert own.tokenize("x\n\nabc") == ["x", "\n\n", "ab", "c"]
    _, (ids,), _ = encode(own, "x\n\na", "bc")
    assert own.convert_ids_to_tokens(ids) == ["c"]


MERGES = [(a, b) for a in ("x", "\n", "a", "b", "c", "ab", "bc") for b in ("x", "\n", "a", "b", "c", "ab", "bc")]


@given(
    st.permutations(MERGES),
    st.integers(1, 30),
    st.text("x\nabc", max_size=12),
    st.text("abc\n", min_size=1, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_the_definition_holds_for_merges_over_line_ends(merges, number, context, continuation):
    chosen, known = [], set("wxyz\nabcd")
    for pair in merges:  # a merge may only join what is a token by then
        if len(chosen) < number and set(pair) <= known:
            chosen.append(pair)
            known.add("".join(pair))
    own = merging(*chosen)
    _, (wanted,) = definition(own, context, [continuation])
    if wanted:
        assert encode(own, context, continuation)[1] == [wanted]


def test_white_space_at_the_end_of_a_context_belongs_to_the_continuation(tokenizer):
    own = tokenizer("byte BPE")
    spaced = encode(own, "Answer: ", "A")
    assert spaced == encode(own, "Answer:", " A")
    assert own.decode(spaced[0]).endswith("Answer:") or len(spaced[0]) == 2
    assert encode(own, "Answer:\n\n ", "A")[1] == [own("\n\n A")["input_ids"]]


@pytest.mark.parametrize("context", ["", "   ", "\n"])
def test_an_empty_context_is_the_start_token(context, tokenizer):
    """That which the tokenizer puts there, else its start token, else its end token, else token 0."""
    ended = tokenizer("byte BPE")
    assert (ended.bos_token_id, ended.eos_token) == (None, "<s>")
    nothing = tokenizer("bytes")
    for own in (tokenizer("bytes, bos"), ended, nothing):
        got, ids, _ = encode(own, context, "ab", "c")
        assert got == [0]
        assert ids == [own(context + text, add_special_tokens=False)["input_ids"] for text in ("ab", "c")]


def test_a_start_token_precedes_as_the_tokenizer_does_or_always_or_never(tokenizer):
    own = tokenizer("byte BPE, bos")
    plain = own("Is it wrong?", add_special_tokens=False)["input_ids"]
    assert encode(own, "Is it wrong?", " no")[0] == [0, *plain]
    assert encode(own, "Is it wrong?", " no", bos="yes")[0] == [0, *plain]
    assert encode(own, "Is it wrong?", " no", bos="no")[0] == plain
    silent = copy.deepcopy(tokenizer("byte BPE"))
    silent.bos_token = "<s>"
    assert encode(silent, "Is it wrong?", " no")[0] == plain
    assert encode(silent, "Is it wrong?", " no", bos="yes")[0] == [0, *plain]
    ids = [encode(own, "Is it wrong?", " no", bos=bos)[1] for bos in ("auto", "yes", "no")]
    assert ids[0] == ids[1] == ids[2]


def test_a_start_token_that_the_text_brings_is_not_doubled(tokenizer):
    own = tokenizer("byte BPE, bos")
    assert encode(own, "<s>Is it wrong?", " no") == encode(own, "Is it wrong?", " no")


def test_a_start_token_that_the_tokenizer_lacks_cannot_be_asked_for(tokenizer):
    with pytest.raises(ModelError, match=r"has no start token, as bos=yes asks\. Leave out"):
        Encoder(tokenizer("bytes"), None, "yes")


@pytest.mark.parametrize("start", ["<s> ", ""], ids=["start and end", "end only"])
def test_an_end_token_that_the_tokenizer_adds_stays_out(start, tokenizer):
    """Else every context would end with it, and its continuations begin one token late."""
    own = copy.deepcopy(tokenizer("byte BPE"))
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start}$A <s>", special_tokens=[("<s>", 0)]
    )
    plain = tokenizer("byte BPE")
    assert own("x")["input_ids"][-1] == 0
    before = [0] if start else []
    context, ids, _ = encode(own, "Is it\nwrong?", " no", " the judge")
    assert context == before + plain("Is it\nwrong?")["input_ids"]
    assert ids == encode(plain, "Is it\nwrong?", " no", " the judge")[1]
    assert Encoder(own, None).count(["wrong"]) == [len(before) + len(plain("wrong")["input_ids"])]


def test_padding_and_truncation_of_the_tokenizers_own_files_play_no_part(tokenizer):
    own = copy.deepcopy(tokenizer("byte BPE"))
    own.backend_tokenizer.enable_truncation(4)
    own.backend_tokenizer.enable_padding(length=30)
    own.model_max_length = 4
    contexts = ["Is it wrong? I told the judge", "no"]
    for context in contexts:
        assert encode(own, context, " no") == encode(tokenizer("byte BPE"), context, " no")
    assert Encoder(own, None).count(contexts) == Encoder(tokenizer("byte BPE"), None).count(contexts)


def test_a_continuation_that_merges_into_the_context_is_scored_by_its_own_tokens():
    """'a' + 'b' is the one token of 'ab': nothing lies beyond the context, so 'b' stands for itself."""
    own = merging(("a", "b"))
    assert encode(own, "a", "b")[1] == [own("b")["input_ids"]]


@pytest.mark.parametrize("context", ["", "Q\nAnswer:", "Q"])
def test_a_continuation_without_any_token_is_refused(context, tokenizer):
    with pytest.raises(ModelError, match=r"no token for the continuation ''.*not empty"):
        encode(tokenizer("byte BPE"), context, " A", "")


def test_a_text_that_the_tokenizer_erases_is_refused_as_a_continuation(tokenizer):
    own = copy.deepcopy(tokenizer("bytes"))
    own.backend_tokenizer.normalizer = normalizers.Strip()
    with pytest.raises(ModelError, match="no token for the continuation '  '"):
        encode(own, "Q", "  ")


@given(st.integers(0, 30), st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_the_cut_takes_as_few_tokens_as_fit_and_leaves_one(length, lengths, limit):
    ids = [*range(length)] or [0]
    fit = Encoder.__new__(Encoder)
    fit.limit = limit
    if max(lengths) > limit:
        with pytest.raises(ModelError, match=f"has {max(lengths)} tokens, more than the {limit} "):
            fit._fit(ids, [[7] * n for n in lengths])
        return
    got = fit._fit(ids, [[7] * n for n in lengths])
    kept = len(ids) - got.truncated
    assert got.context.tolist() == ids[got.truncated :]
    assert kept >= 1
    assert kept + max(lengths) - 1 <= limit
    assert got.truncated == 0 or kept + max(lengths) - 1 == limit
    assert got.longest == kept + max(lengths) - 1


def test_reads_cover_every_token_of_every_continuation_at_the_token_before_it(tokenizer):
    (one,) = Encoder(tokenizer("bytes"), None).encode([Ask("Q:", ("a", "bcd", "b"))])
    for apart in (False, True):
        read = {}
        for sequence in one.sequences(5, apart):
            whole = sequence.ids.tolist()
            assert whole[: len(one.context)] == one.context.tolist()
            for item in sequence.reads:
                assert item.ask == 5
                assert item.at < len(whole)
                key = item.continuation, item.at - len(one.context) + 1
                assert key not in read
                read[key] = item.target
                assert whole[len(one.context) : item.at + 1] == one.continuations[item.continuation].tolist()[: key[1]]
        assert read == {
            (number, at): int(t) for number, ids in enumerate(one.continuations) for at, t in enumerate(ids)
        }
    lengths = [len(sequence.ids) for sequence in one.sequences(5, apart=True)]
    assert lengths == [len(one.context) + len(ids) - 1 for ids in one.continuations]


def test_counting_includes_the_start_token_where_there_is_one(tokenizer):
    assert Encoder(tokenizer("bytes, bos"), None).count(["", "abc", "é"]) == [1, 4, 3]
    assert Encoder(tokenizer("bytes"), None).count(["", "abc", "é"]) == [0, 3, 2]
    assert Encoder(tokenizer("bytes"), None).count([]) == []


def test_the_last_line_is_encoded_once_for_all_asks_that_end_in_it(any_tokenizer, monkeypatch):
    """Contexts go to the tokenizer once each, and the line before the continuations once in all."""
    own = any_tokenizer("byte BPE")
    seen = []

    class Counting:
        bos_token_id = eos_token_id = None

        def __call__(self, text, **options):
            seen.append(len(text) if isinstance(text, list) else 1)
            return own(text, **options)

    Encoder(Counting(), None).encode([Ask(f"Question {n}\nAnswer:", (" A", " B", " C", " D")) for n in range(50)])
    assert sum(seen) <= 50 + 5 + 2
