"""What is written is what prompt and new tokens say together, up to the first stop string, whatever the tokenizer.

The oracle reads the whole text a character at a time; the code looks at a window of tokens.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from gnomon.errors import ModelError
from gnomon.models._tokens import Encoder
from gnomon.models._writer_text import PromptEncoder, Text, find_stop


def llama_like():
    """SentencePiece's BPE as Llama has it: a dummy space before the text, and bytes for characters without a piece."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{number:02X}>" for number in range(256))]
    pieces += ["▁", "a", "b", "c", "é", "▁a", "▁b", "ab", "▁ab", "bc", "▁▁", "\n", "abc"]
    merges = [("▁", "a"), ("▁", "b"), ("a", "b"), ("▁", "ab"), ("b", "c"), ("▁", "▁"), ("ab", "c")]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


LLAMA = llama_like()
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]  # bytes that GPT-2 shows as themselves
OTHERS = [byte for byte in range(256) if byte not in PRINTABLE]
BYTES = {chr(byte): byte for byte in PRINTABLE} | {chr(256 + at): byte for at, byte in enumerate(OTHERS)}
TEXTS = st.text(alphabet="abc é中😀\n", max_size=70)
STOPS = st.lists(st.text(alphabet="abc é中\n", min_size=1, max_size=4), max_size=4)


@pytest.fixture(scope="module")
def words(tokenizer):
    return {"bytes": tokenizer("bytes"), "llama": LLAMA}


def read(text, stops):
    """Where one stops who reads a character at a time: before the longest stop string that has just come."""
    for end in range(len(text) + 1):
        ended = [stop for stop in stops if text[:end].endswith(stop)]
        if ended:
            return end - max(map(len, ended))
    return None


def spelled(tokenizer, ids):
    """The bytes that tokens stand for, by their names."""
    if tokenizer is LLAMA:
        names = tokenizer.convert_ids_to_tokens(ids)
        parts = [bytes([int(name[3:5], 16)]) if name.startswith("<0x") else name.encode() for name in names]
        return b"".join(parts).replace("▁".encode(), b" ")
    return bytes(BYTES[name] for name in tokenizer.convert_ids_to_tokens(ids))


def so_far(tokenizer, before, ids):
    """All whole characters that `ids` write after `before`, and whether half a character follows."""
    start, text = spelled(tokenizer, before), spelled(tokenizer, [*before, *ids])
    new = text[len(start) :]
    if tokenizer is LLAMA and not before:
        new = new.removeprefix(b" ")
    found = new.decode("utf-8", "ignore")
    return found, len(found.encode()) < len(new)


def written(tokenizer, before, ids, stops):
    """By the oracle: how many tokens are read, and the text."""
    for size in range(1, len(ids) + 1):
        text, half = so_far(tokenizer, before, ids[:size])
        end = read(text, stops)
        if end is not None:
            return size, text[:end]
    text, half = so_far(tokenizer, before, ids)
    return None, text + "\ufffd" * half


def grown(tokenizer, before, ids, stops):
    text = Text(tokenizer, before, stops)
    for size, token in enumerate(ids, start=1):
        assert len(text) == size - 1
        if text.add(token):
            got, stopped = text.finished()
            assert stopped
            return size, got
    got, stopped = text.finished()
    assert not stopped
    return None, got


@given(TEXTS, STOPS)
def test_a_text_ends_where_a_reader_would_stop(text, stops):
    assert find_stop(text, stops) == read(text, stops)


@pytest.mark.parametrize("name", ["bytes", "llama"])
@given(before=TEXTS, text=TEXTS, stops=STOPS, cut=st.integers(0, 3))
def test_a_text_ends_before_the_first_stop_string_however_its_tokens_fall(name, before, text, stops, cut, words):
    tokenizer = words[name]
    start = tokenizer(before)["input_ids"]
    ids = tokenizer(before + text)["input_ids"]
    if ids[: len(start)] != start:  # the tokenizer merges over the border; other tokens will do
        ids = [*start, *tokenizer(text)["input_ids"]]
    ids = ids[len(start) : len(ids) - cut]  # perhaps in the middle of a character
    assert grown(tokenizer, start, ids, stops) == written(tokenizer, start, ids, stops)


@pytest.mark.parametrize("name", ["bytes", "llama"])
@given(ids=st.lists(st.integers(1, 250), max_size=60), stops=STOPS)
def test_tokens_that_are_no_text_keep_to_stop_strings_too(name, ids, stops, words):
    """Bytes that are no UTF-8, special tokens, characters that never end."""
    tokenizer = words[name]
    start = tokenizer("ab c")["input_ids"]
    size, text = grown(tokenizer, start, ids, stops)
    _, free = grown(tokenizer, start, ids[:size], [])
    assert not any(stop in text for stop in stops)
    assert free.startswith(text)
    assert size is not None or free == text


@pytest.mark.parametrize("name", ["bytes", "llama"])
@given(before=TEXTS, text=TEXTS)
def test_prompt_and_text_together_are_what_was_written(name, before, text, words):
    """Where the tokenizer splits at the border, the text comes back to the last character, spaces included."""
    tokenizer = words[name]
    start, ids = tokenizer(before)["input_ids"], tokenizer(before + text)["input_ids"]
    if ids[: len(start)] == start:
        assert grown(tokenizer, start, ids[len(start) :], [])[1] == text


def test_the_space_before_a_word_is_kept_after_a_prompt_and_dropped_at_the_start():
    space_a = LLAMA.convert_tokens_to_ids("▁a")
    assert grown(LLAMA, LLAMA("b")["input_ids"], [space_a, space_a], []) == (None, " a a")
    assert grown(LLAMA, [LLAMA.bos_token_id], [space_a, space_a], []) == (None, "a a")


def test_special_tokens_are_not_shown_and_do_not_hide_a_stop_string():
    a, b, special = (LLAMA.convert_tokens_to_ids(piece) for piece in ("a", "b", "<s>"))
    assert grown(LLAMA, LLAMA("b")["input_ids"], [a, special, b], []) == (None, "ab")
    assert grown(LLAMA, LLAMA("b")["input_ids"], [a, special, b, a], ["b"]) == (3, "a")


def test_a_stop_string_that_begins_in_the_prompt_is_none(words):
    tokenizer = words["bytes"]
    newline, x = tokenizer("\n")["input_ids"][0], tokenizer("x")["input_ids"][0]
    start = tokenizer("a\n")["input_ids"]
    assert grown(tokenizer, start, [newline, x], ["\n\n"]) == (None, "\nx")
    assert grown(tokenizer, start, [newline, newline, x], ["\n\n"]) == (2, "")


def test_the_work_of_a_long_text_grows_with_its_length_and_not_with_its_square(words):
    class Counting:
        read = 0

        def decode(self, ids, **more):
            self.read += len(ids)
            return words["bytes"].decode(ids, **more)

    counting, size = Counting(), 2000
    text = Text(counting, words["bytes"]("Q:")["input_ids"], ["\n\n", "never"])
    (letter,) = words["bytes"]("x")["input_ids"]
    assert not any(text.add(letter) for _ in range(size))
    assert counting.read < 60 * size
    counting.read = 0
    text = Text(counting, [letter], [])
    assert not any(text.add(letter) for _ in range(size))
    assert counting.read <= 1


# The chat template.

TEMPLATE = "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}<s>a:{% endif %}"


def chatting(template):
    tokenizer = llama_like()
    tokenizer.chat_template = template
    return tokenizer


def test_chat_puts_the_prompt_as_one_message_and_opens_the_answer():
    tokenizer = chatting(TEMPLATE)
    (ids,) = PromptEncoder(Encoder(tokenizer, None), chat=True).encode(["ab c"])
    assert ids == tokenizer("<s>user:ab c</s><s>a:", add_special_tokens=False)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids).startswith("<s>")


def test_without_chat_the_template_plays_no_part():
    (ids,) = PromptEncoder(Encoder(chatting(TEMPLATE), None)).encode(["ab c"])
    assert ids == LLAMA("ab c")["input_ids"]


def test_a_tokenizer_without_a_chat_template_is_refused():
    with pytest.raises(ModelError, match=r"no chat template, as chat=yes asks. Use the chat version"):
        PromptEncoder(Encoder(LLAMA, None), chat=True)


@pytest.mark.parametrize("template", ["{{ raise_exception('only pairs') }}", "{% for %}"])
def test_a_chat_template_that_fails_is_told(template):
    with pytest.raises(ModelError, match=r"chat template cannot be applied: .* Leave out"):
        PromptEncoder(Encoder(chatting(template), None), chat=True).encode(["ab"])


def test_equal_prompts_are_encoded_once_and_an_empty_one_has_a_start():
    class Counting:
        texts = 0

        def __call__(self, text, **more):
            self.texts += 1 if isinstance(text, str) else len(text)
            return LLAMA(text, **more)

        def __getattr__(self, name):
            return getattr(LLAMA, name)

    counting = Counting()
    encoder = PromptEncoder(Encoder(counting, None))
    before = counting.texts
    ids = encoder.encode(["ab", "", "ab", "b"] * 10)
    assert counting.texts - before == 3
    assert ids[:4] == [LLAMA("ab")["input_ids"], ids[1], LLAMA("ab")["input_ids"], LLAMA("b")["input_ids"]]
    assert len(ids[1]) == 1
