"""Highlights equal the n-best lists of a slow reading of the CUAD release's protocol (`_qa_oracle.py`)."""

import importlib.util
import math
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, processors
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    BertConfig,
    BertModel,
    ByT5Tokenizer,
    PreTrainedTokenizerFast,
)

from gnomon.asks import Failed, Highlighted, Passage
from gnomon.errors import ModelError, UsageError
from gnomon.models._highlighter import Highlighter, is_extractive, load_extractive
from gnomon.models._qa_nbest import owners, window_starts


def beside(name):
    """A helper module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


tiny_qa, qa_oracle = beside("_tiny_qa"), beside("_qa_oracle")
oracle, Table, WORD = qa_oracle.oracle, qa_oracle.Table, qa_oracle.WORD

TEXT = "the supplier shall (not) pay; Delaware law, governs this Agreement. and/or café naïve 12.5% Über-term"
WORDS = TEXT.split()
CORPUS = [
    TEXT,
    "THIS AGREEMENT is made by the Supplier and the Customer",
    "Which law governs? What is it?",
] * 3
SMALL = {"length": 40, "stride": 12, "question": 6, "longest": 9, "n_best": 6}
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 600,
    "pad_token_id": 0,
    "hidden_dropout_prob": 0.1,  # must play no part
}
KINDS = {
    "bert": {},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0},
    "roberta": {"max_position_embeddings": 602, "pad_token_id": 1, "type_vocab_size": 1},
}


@pytest.fixture(scope="module")
def tokenizers():
    return {
        "bert": tiny_qa.wordpiece(CORPUS, 105),
        "roberta": tiny_qa.byte_level(CORPUS),
        "albert": tiny_qa.metaspace(CORPUS),
    }


def make(kind, tokenizer, **changes):
    """A model with random weights that are large enough for every token to matter."""
    names = {"vocab_size": len(tokenizer), **TINY, **KINDS[kind], **changes}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForQuestionAnswering.from_config(AutoConfig.for_model(kind, **names))
    for _, parameter in sorted(model.named_parameters()):
        if parameter.dim() >= 2:
            parameter.data.mul_(5)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pair(tokenizers):
    """A function that gives a model of a kind and its tokenizer, each made once."""
    made = {}

    def get(kind):
        tokenizer = tokenizers.get(kind, tokenizers["bert"])
        if kind not in made:
            made[kind] = make(kind, tokenizer)
        return made[kind], tokenizer

    return get


def run(highlighter, passages, skip=lambda index: False):
    answers = [pair for batch in highlighter.highlight(passages, skip) for pair in batch]
    assert len(dict(answers)) == len(answers), "an index came twice"
    return dict(answers)


def same(got, wanted, tolerance=1e-5):
    """Equal spans in equal order, but that equally probable ones may change places."""
    assert got.windows == wanted[2]
    assert got.none == pytest.approx(wanted[1], abs=tolerance)
    found = {(span.start, span.end): span.probability for span in got.spans}
    assert found == pytest.approx({(start, end): share for start, end, share in wanted[0]}, abs=tolerance)
    order = [span.probability for span in got.spans]
    assert order == sorted(order, reverse=True)


def some_passages(count, seed=0):
    chance = random.Random(seed)
    gaps = [" ", " ", " ", "  ", "\n", "\r\n", "\t", " \r\n\r\n ", "\u202f"]
    result = []
    for _ in range(count):
        size = chance.choice([1, 5, 20, 60, 90])
        context = "".join(
            chance.choice(["", " ", "\n"]) if not at else chance.choice(gaps) + chance.choice(WORDS)
            for at in range(size + 1)
        )
        result.append(Passage(" ".join(chance.choices(WORDS, k=chance.randint(0, 8))), context))
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_gives_the_lists_of_the_protocol(kind, pair):
    model, tokenizer = pair(kind)
    passages = some_passages(12)
    got = run(Highlighter(model, tokenizer, batch_tokens=300, **SMALL), passages)
    for index, passage in enumerate(passages):
        same(got[index], oracle(model, tokenizer, passage, **SMALL))
    assert max(answer.windows for answer in got.values()) > 3


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_the_settings_of_the_release_are_the_default(kind, pair):
    model, tokenizer = pair(kind)
    chance = random.Random(5)
    passage = Passage("What is it? " * 40, "\n".join(chance.choices(WORDS, k=700)))
    wanted = oracle(model, tokenizer, passage, length=512, stride=256, question=64, longest=512, n_best=20)
    assert wanted[2] > 3
    got = run(Highlighter(model, tokenizer), [passage])[0]
    same(got, wanted)
    assert len(got.spans) in (19, 20)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_ties_go_to_the_earlier_window_start_and_end_and_texts_count_once(data, tokenizers):
    kind = data.draw(st.sampled_from(["bert", "roberta", "albert"]))
    tokenizer = tokenizers[kind]
    model = Table(tokenizer, data.draw(st.integers(0, 5)))
    words = st.lists(st.sampled_from([*WORDS[:8], "café", "12.5%"]), max_size=70)
    gap = data.draw(st.sampled_from([" ", "\n", "\r\n ", "  "]))
    passage = Passage(" ".join(data.draw(words)[:5]), gap.join(data.draw(words)))
    given = {**SMALL, "n_best": data.draw(st.integers(1, 8)), "longest": data.draw(st.integers(1, 12))}
    got = run(Highlighter(model, tokenizer, **given), [passage])[0]
    spans, none, windows = oracle(model, tokenizer, passage, **given)
    assert [(span.start, span.end) for span in got.spans] == [span[:2] for span in spans]
    assert [span.probability for span in got.spans] == pytest.approx([span[2] for span in spans], abs=1e-12)
    assert (got.none, got.windows) == (pytest.approx(none, abs=1e-12), windows)


def test_the_null_takes_one_of_the_places_or_is_added_to_them(tokenizers):
    tokenizer = tokenizers["bert"]
    passage = Passage("What?", " ".join(WORDS))
    lengths = {}
    for null in (-50.0, 50.0):
        model = Table(tokenizer)
        model.embedding.weight.data[tokenizer("What?")["input_ids"]] = -9  # these take no place among the best
        model.embedding.weight.data[tokenizer.cls_token_id] = null
        got = run(Highlighter(model, tokenizer, n_best=4), [passage])[0]
        lengths[null] = (len(got.spans), round(got.none, 6))
        assert got.none + sum(span.probability for span in got.spans) == pytest.approx(1)
    assert lengths == {-50.0: (4, 0.0), 50.0: (3, 1.0)}


def test_the_null_comes_after_spans_that_are_as_good(tokenizers):
    model = Table(tokenizers["bert"])
    model.embedding.weight.data[:] = 0
    got = run(Highlighter(model, tokenizers["bert"], n_best=12, length=40), [Passage("", TEXT)])[0]
    assert [span.probability for span in got.spans] == pytest.approx([1 / 13] * 12)
    assert got.none == pytest.approx(1 / 13)


@given(st.integers(0, 1500), st.integers(1, 500), st.data())
def test_a_token_belongs_to_the_window_that_shows_most_of_its_surroundings(tokens, room, data):
    step = data.draw(st.integers(max(1, room // 4), room))
    starts = window_starts(tokens, room, step).tolist()
    spans = [(start, min(room, tokens - start)) for start in starts]
    assert not spans or (sum(spans[-1]) == tokens and all(sum(span) < tokens for span in spans[:-1]))
    found = owners(tokens, room, np.array(starts, dtype=np.int64))
    assert found.tolist() == [qa_oracle.window_of_most_context(spans, token) for token in range(tokens)]


def test_dropout_plays_no_part(tokenizers):
    model = make("bert", tokenizers["bert"]).train()
    passages = some_passages(3)
    first, second = (run(Highlighter(model, tokenizers["bert"]), passages) for _ in range(2))
    assert first == second


def test_padding_is_the_padding_token_of_the_model(tokenizers):
    model = make("roberta", tokenizers["roberta"])
    seen = []
    model.register_forward_pre_hook(lambda _, args, given: seen.append(given), with_kwargs=True)
    run(Highlighter(model, tokenizers["roberta"]), [Passage("", "law"), Passage("", "the law")])
    assert len(seen) == 1
    assert (seen[0]["attention_mask"].sum(1).diff() < 0).all()
    assert ((seen[0]["input_ids"] == 1) == (seen[0]["attention_mask"] == 0)).all()


ANY = st.text(
    st.one_of(
        st.sampled_from(list("ab Az.,\n\r\t\u202f\xa0\u2028\u200b\u0301é€\U0001f600\x00-")),
        st.characters(exclude_categories=()),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=150)
@given(
    context=st.one_of(ANY, st.lists(st.sampled_from(WORDS)).map("\r\n".join)),
    question=ANY,
    kind=st.sampled_from(["bert", "roberta", "albert"]),
)
def test_spans_are_characters_of_any_passage(context, question, kind, tokenizers):
    got = run(Highlighter(Table(tokenizers[kind]), tokenizers[kind], **SMALL), [Passage(question, context)])[0]
    texts = [context[span.start : span.end] for span in got.spans]
    for span, text in zip(got.spans, texts, strict=True):
        assert 0 <= span.start < span.end <= len(context)
        assert text.strip()
        assert text[0] not in " \t\r\n\u202f"
        assert text[-1] not in " \t\r\n\u202f"
        assert 0 <= span.probability <= 1
    assert len({" ".join(WORD.findall(text)) for text in texts}) == len(texts)
    assert got.none + sum(span.probability for span in got.spans) == pytest.approx(1)
    if not WORD.search(context):
        assert got == Highlighted((), none=1.0, windows=0)


def test_line_ends_and_double_blanks_are_kept_in_a_span(tokenizers):
    context = "The  law\r\n\r\nof   Delaware\tgoverns."
    for tokenizer in (tiny_qa.wordpiece(CORPUS), tokenizers["roberta"]):
        model = Table(tokenizer)
        model.embedding.weight.data[:] = 0
        tokens = tokenizer(" law Delaware", add_special_tokens=False)["input_ids"]
        model.embedding.weight.data[tokens[0], 0] = 9
        model.embedding.weight.data[tokens[-1], 1] = 9
        got = run(Highlighter(model, tokenizer, n_best=3), [Passage("Which?", context)])[0]
        assert context[got.spans[0].start : got.spans[0].end] == "law\r\n\r\nof   Delaware"


@pytest.mark.parametrize("kind", KINDS)
def test_answers_do_not_depend_on_company_order_or_budget(kind, pair):
    model, tokenizer = pair(kind)
    passages = some_passages(70, seed=1)
    whole = run(Highlighter(model, tokenizer, batch_tokens=4000, **SMALL), passages)
    turned = run(Highlighter(model, tokenizer, batch_tokens=1, **SMALL), passages[::-1])
    assert set(whole) == set(range(70))
    for index in whole:
        other = turned[69 - index]
        same(whole[index], ([(s.start, s.end, s.probability) for s in other.spans], other.none, other.windows))


def test_what_is_skipped_is_neither_given_nor_moves_a_bit_of_the_rest(pair):
    model, tokenizer = pair("bert")
    passages = some_passages(100, seed=2)
    first = Highlighter(model, tokenizer, batch_tokens=200, **SMALL)
    whole = run(first, passages)
    again = Highlighter(model, tokenizer, batch_tokens=200, **SMALL)
    part = run(again, passages, skip=lambda index: index not in (3, 50, 80))
    assert part == {index: whole[index] for index in (3, 50, 80)}
    assert 0 < again.tokens_computed < first.tokens_computed
    before = again.tokens_computed
    assert run(again, passages, skip=lambda index: True) == {}
    assert again.tokens_computed == before


def test_a_context_is_tokenised_once_for_all_its_questions(tokenizers):
    seen = []

    class Counting:
        def __getattr__(self, name):
            return getattr(tokenizers["bert"], name)

        def __call__(self, text, *args, **kwargs):
            seen.append(text.strip())
            return tokenizers["bert"](text, *args, **kwargs)

    contexts = [" ".join(WORDS[number:] * 20) for number in range(3)]
    passages = [Passage(f"Question {number}?", context) for context in contexts for number in range(41)]
    assert len(run(Highlighter(Table(tokenizers["bert"]), Counting(), **SMALL), passages)) == 123
    assert [seen.count(context) for context in contexts] == [1, 1, 1]
    assert seen.count("Question 7?") == 1


@pytest.mark.parametrize("context", ["", " ", "\r\n\t \u202f\n"])
def test_a_context_without_a_word_has_no_span(context, pair):
    highlighter = Highlighter(*pair("bert"), **SMALL)
    assert run(highlighter, [Passage("Which law?", context)]) == {0: Highlighted((), none=1.0, windows=0)}
    assert highlighter.tokens_computed == 0
    assert run(highlighter, [Passage("Which law?", context)], skip=lambda index: True) == {}


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_a_span_of_blanks_of_any_kind_is_none(kind, tokenizers):
    got = run(Highlighter(Table(tokenizers[kind]), tokenizers[kind]), [Passage("Which?", "\xa0 \u2003\n\xa0")])[0]
    assert (got.spans, got.none) == ((), 1.0)


def test_no_passages_no_answers(pair):
    assert run(Highlighter(*pair("bert")), []) == {}


def test_a_question_takes_at_most_half_of_a_window(pair):
    model, tokenizer = pair("bert")
    passage = Passage("Which law governs? " * 30, " ".join(WORDS * 2))
    got = run(Highlighter(model, tokenizer, length=23, stride=4, question=64), [passage])[0]
    same(got, oracle(model, tokenizer, passage, length=23, stride=4, question=10, longest=512, n_best=20))


def test_windows_smaller_than_the_stride_overlap_by_half(pair):
    model, tokenizer = pair("bert")
    passage = Passage("", " ".join(WORDS * 2))
    got = run(Highlighter(model, tokenizer, length=23, stride=256), [passage])[0]
    same(got, oracle(model, tokenizer, passage, length=23, stride=10, question=10, longest=512, n_best=20))


@pytest.mark.parametrize("kind, rows", [("bert", 64), ("roberta", 66)])
def test_a_model_with_few_positions_gets_shorter_windows_and_a_remark(kind, rows, tokenizers):
    tokenizer = tokenizers[kind]
    model = make(kind, tokenizer, max_position_embeddings=rows)
    highlighter = Highlighter(model, tokenizer, stride=20)
    passage = Passage("Which law governs?", " ".join(WORDS * 5))
    asked = {"length": 64, "stride": 20, "question": 64, "longest": 512, "n_best": 20}
    same(run(highlighter, [passage])[0], oracle(model, tokenizer, passage, **asked))
    assert highlighter.remarks == ["Passages are read in windows of 64 tokens, not 512: the model takes no more."]
    assert Highlighter(model, tokenizer, length=64).remarks == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_fail_their_own_passage_only(bad, tokenizers):
    tokenizer = tokenizers["bert"]
    model = Table(tokenizer)
    model.embedding.weight.data[tokenizer.convert_tokens_to_ids("[UNK]"), 1] = bad
    passages = [Passage("Which?", "the law"), Passage("Which?", "the \U0001f600 law"), Passage("Who?", "law")]
    got = run(Highlighter(model, tokenizer), passages)
    assert isinstance(got[1], Failed)
    assert "not finite" in got[1].message
    assert got[0] == run(Highlighter(Table(tokenizer), tokenizer), passages[:1])[0]
    assert isinstance(got[2], Highlighted)


def test_a_tokenizer_without_offsets_is_refused(pair):
    with pytest.raises(ModelError, match=r"ByT5Tokenizer does not say which characters .* Save a fast tokenizer"):
        Highlighter(pair("bert")[0], ByT5Tokenizer())


def test_a_class_token_that_is_not_first_is_refused(pair, tokenizers):
    tokenizer = tokenizers["bert"]
    last = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    special = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("[CLS]", "[SEP]")]
    last.post_processor = processors.TemplateProcessing("$A [SEP] [CLS]", "$A [SEP] $B [SEP] [CLS]", special)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    with pytest.raises(ModelError, match="does not put its class token first"):
        Highlighter(pair("bert")[0], PreTrainedTokenizerFast(tokenizer_object=last, **names))


def test_a_tokenizer_of_another_model_is_refused(tokenizers):
    model = make("bert", tokenizers["bert"], vocab_size=60)
    with pytest.raises(ModelError, match="knows 60 tokens"):
        run(Highlighter(model, tokenizers["bert"]), some_passages(5))


@pytest.mark.parametrize("name", ["length", "stride", "question", "longest", "n_best", "batch_tokens"])
def test_settings_below_one_are_refused(name, pair):
    with pytest.raises(UsageError, match=f"{name}=0"):
        Highlighter(*pair("bert"), **{name: 0})


def test_windows_without_room_are_refused(pair):
    with pytest.raises(UsageError, match="windows of 3 tokens leave no room"):
        Highlighter(*pair("bert"), length=3)


@pytest.mark.parametrize(
    "kind, heads, wanted",
    [
        ("bert", ["BertForQuestionAnswering"], True),
        ("deberta-v2", ["DebertaV2ForQuestionAnswering"], True),
        ("bert", ["BertForMaskedLM"], False),
        ("bert", None, False),
        ("lxmert", ["LxmertForQuestionAnswering"], False),
        ("vilt", ["ViltForQuestionAnswering"], False),
        ("gpt2", ["GPT2LMHeadModel"], False),
    ],
)
def test_a_head_for_questions_over_text_is_told_by_the_configuration(kind, heads, wanted):
    assert is_extractive(AutoConfig.for_model(kind, architectures=heads)) is wanted


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_saved_checkpoint_gives_the_same_answers(kind, pair, tmp_path):
    model, tokenizer = pair(kind)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    passages = some_passages(6)
    loaded, read = load_extractive(str(tmp_path))
    assert not loaded.training
    assert is_extractive(loaded.config)
    wanted = run(Highlighter(model, tokenizer, **SMALL), passages)
    assert run(Highlighter(loaded, read, **SMALL), passages) == wanted
    fewer = AutoConfig.from_pretrained(tmp_path, num_hidden_layers=1)
    half, _ = load_extractive(str(tmp_path), dtype="bfloat16", config=fewer)
    assert (half.dtype, half.config.num_hidden_layers) == (torch.bfloat16, 1)
    assert set(run(Highlighter(half, read, **SMALL), passages)) == set(range(6))


def test_a_head_of_random_numbers_is_refused(tokenizers, tmp_path):
    config = BertConfig(vocab_size=len(tokenizers["bert"]), **TINY)
    BertModel(config).save_pretrained(tmp_path)
    tokenizers["bert"].save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"my model.*lack 2 weights, such as qa_outputs\.bias.* trained on SQuAD 2"):
        load_extractive(str(tmp_path), shown="my model")


def test_missing_files_are_named(pair, tmp_path):
    model, tokenizer = pair("bert")
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no tokenizer that can be read: its vocabulary holds special tokens only"):
        load_extractive(str(tmp_path))  # transformers makes up one that knows no word
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_extractive(str(tmp_path))


def test_a_seed_gives_one_model(tmp_path):
    contracts = [tiny_qa.Contract(f"{name} AGREEMENT. {TEXT}", {"Name?": [(0, 14)], "Else?": []}) for name in WORDS]
    saved = []
    for folder, seed in (("one", 0), ("two", 0), ("three", 1)):
        tiny_qa.make_tiny_qa(tmp_path / folder, contracts, steps=2, seed=seed)
        saved.append((tmp_path / folder / "model.safetensors").read_bytes())
    assert saved[0] == saved[1] != saved[2]


def words(text):
    return set(re.sub("[.,;:]", "", text.lower()).split())


def area(golds, predictions):
    """Area under precision over recall, by falling confidence. A gold is found by a prediction that has half of all
    words of both in common; more predictions of what was found already are free."""
    ranked = sorted(
        ((share, text, index) for index, own in enumerate(predictions) for text, share in own), key=lambda one: -one[0]
    )
    found, wrong, result = set(), 0, 0.0
    for _, text, index in ranked:
        matched = {
            (index, gold)
            for gold in golds[index]
            if 2 * len(words(text) & words(gold)) >= len(words(text) | words(gold))
        }
        wrong += not matched
        new = len(matched - found)
        found |= matched
        result += new / sum(map(len, golds)) * len(found) / (len(found) + wrong)
    return result


@pytest.mark.realdata
@pytest.mark.slow
def test_a_model_trained_for_half_a_minute_highlights_names_of_contracts_it_has_not_seen(release, tmp_path):
    contracts = tiny_qa.read_contracts(release("cuad") / "cuad_v1_rebuilt.json", ["Document Name"], longest=20_000)
    unseen = contracts[::8]
    seen = [one for number, one in enumerate(contracts) if number % 8]
    passages = [Passage(question, one.context) for one in unseen for question in one.questions]
    golds = [{one.context[a:b] for a, b in spans} for one in unseen for spans in one.questions.values()]
    areas = []
    for steps in (0, 200):
        folder = tiny_qa.make_tiny_qa(tmp_path / str(steps), seen, steps=steps, seed=0)
        got = run(Highlighter(*load_extractive(str(folder))), passages)
        answers = [(passage.context, got[index].spans) for index, passage in enumerate(passages)]
        texts = [[(text[span.start : span.end], span.probability) for span in spans] for text, spans in answers]
        assert all(text.strip() for own in texts for text, _ in own)
        areas.append(area(golds, texts))
    assert areas[0] < 0.05
    assert areas[1] > 0.4
