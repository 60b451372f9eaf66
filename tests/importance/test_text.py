"""Samplers and subjects for texts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from gnomon.errors import ModelError, UsageError
from gnomon.importance import (
    Causal,
    Chooser,
    Classifier,
    MaskedLM,
    NGram,
    Spans,
    irt,
    observe,
    osft,
    sentences,
    words,
)
from gnomon.importance._sampler import Blank, drawn_rows
from gnomon.models import load_model
from gnomon.tasks import load_task

TEXT = "The film is very good ."


def rng(seed=0):
    return np.random.default_rng(seed)


def word(text, number):
    return words(text)[number]


# -- groups --------------------------------------------------------------------------------------------------------


def test_words_and_sentences_have_their_places():
    text = "It's a well-made film!  I liked it, mostly. 10 of 10"
    assert [group.name for group in words(text)][:4] == ["It's", "a", "well-made", "film"]
    assert [group.name for group in sentences(text)] == ["It's a well-made film!", "I liked it, mostly.", "10 of 10"]
    for group in [*words(text), *sentences(text)]:
        ((start, end),) = group.at
        assert text[start:end] == group.name
    assert words("...") == []
    assert len(words("word")) == len(sentences("word")) == 1


# -- n-gram --------------------------------------------------------------------------------------------------------


def brute(law, ids, i):
    """P(w at i | rest) by the probability of the whole line, word by word."""
    found = []
    for w in range(len(law.words_)):
        line = [*ids[:i], w, *ids[i + 1 :]]
        p = np.prod([law._next(line[j - 2], line[j - 1])[line[j]] for j in range(2, len(line))])
        found.append(p * law._may[w])
    return np.array(found) / np.sum(found)


def test_the_trigram_conditional_is_that_of_whole_lines(corpus):
    law = NGram(least=1).fit(corpus)
    assert law._next(0, 0).sum() == pytest.approx(1)
    assert law._next(5, 9).sum() == pytest.approx(1)
    ids = [0, 0, *map(law._id, ["the", "film", "unseen", "very", "good", "."]), 1, 1]
    for i in range(2, 7):
        p = law.conditional(ids[i - 2], ids[i - 1], ids[i + 1], ids[i + 2])
        assert np.allclose(p / p.sum(), brute(law, ids, i))


def test_draws_of_a_word_follow_the_conditional_and_keep_the_rest(corpus):
    law = NGram(least=1).fit(corpus)
    drawn = law.sample(TEXT, word(TEXT, 1), 4000, rng())
    assert all(one.startswith("The ") and one.endswith(" is very good .") for one in drawn)
    got = np.mean([one == TEXT for one in drawn])
    ids = [0, 0, *map(law._id, ["the", "film", "is", "very", "good", "."]), 1, 1]
    assert got == pytest.approx(brute(law, ids, 3)[law.index_["film"]], abs=0.03)
    first = law.sample(TEXT, word(TEXT, 0), 20, rng())
    assert all(one[0].isupper() for one in first)


def test_draws_of_several_words_leave_the_models_law_as_it_is(corpus):
    """Besag & Clifford: where the text itself is a draw of the model, draws are exchangeable with it, at any sweeps."""
    law = NGram(least=1, sweeps=1).fit(corpus)
    start = law.sample(TEXT, word(TEXT, 3), 1500, rng())
    hits = []
    for seed, text in enumerate(start):
        (drawn,) = law.sample(text, Spans("two", (word(text, 3).at[0], word(text, 4).at[0])), 1, rng(seed))
        hits.append(drawn.split()[3])
    # not stationary exactly (only one of both words was drawn), but the chain moves and stays among likely words
    assert len(set(hits)) > 3
    assert law.sample("one", Spans("none", ()), 2, rng()) == ["one", "one"]


def test_groups_that_cut_words_or_leave_the_text_are_refused(corpus):
    law = NGram().fit(corpus)
    with pytest.raises(UsageError, match="cuts the word"):
        law.sample(TEXT, Spans("half", ((4, 6),)), 1, rng())
    with pytest.raises(UsageError, match="reaches from 0 to 99"):
        law.sample(TEXT, Spans("long", ((0, 99),)), 1, rng())
    with pytest.raises(UsageError, match="seen no text"):
        NGram().sample(TEXT, word(TEXT, 0), 1, rng())
    for texts in ([], ["..."], None, [3]):
        with pytest.raises(UsageError):
            NGram().fit(texts)


# -- masked language model -----------------------------------------------------------------------------------------


def test_masked_draws_follow_the_models_own_probabilities(masked):
    import torch

    law = MaskedLM(str(masked))
    group = word(TEXT, 1)
    drawn = law.sample(TEXT, group, 3000, rng())
    network, tokenizer = law._network, law._pieces.tokenizer
    ids = tokenizer(TEXT)["input_ids"]
    ids[2] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = network(torch.tensor([ids])).logits[0, 2].double().numpy()
    p = np.where(law._pieces.alike(tokenizer("film")["input_ids"][1]), np.exp(logits), 0)
    p /= p.sum()
    counts = {name: np.mean([one.split()[1] == name for one in drawn]) for name in ("film", "heart", "act")}
    for name, share in counts.items():
        assert share == pytest.approx(p[tokenizer.convert_tokens_to_ids(name)], abs=0.03)
    assert all(one.startswith("The ") and one.endswith(" is very good .") for one in drawn)


def test_masked_draws_do_not_depend_on_company(masked):
    law = MaskedLM(str(masked), batch=3)
    texts = [TEXT, "it plays well", "a dull story with heart !", "acting badly"]

    def blanks(order):
        return [Blank(texts[t], g, 5, rng(7)) for t in order for g in words(texts[t])]

    together = drawn_rows(law, blanks([0, 1, 2, 3]))
    turned = drawn_rows(MaskedLM(str(masked), batch=64), blanks([3, 2, 1, 0]))
    assert sorted(map(tuple, together)) == sorted(map(tuple, turned))


def test_words_of_several_pieces_keep_their_pieces(masked):
    law = MaskedLM(str(masked))
    drawn = law.sample("the acting is badly", word("the acting is badly", 1), 40, rng())
    assert all(len(one.split()) == 4 for one in drawn)
    assert len(set(drawn)) > 5
    one = law.sample("Fine", word("Fine", 0), 10, rng())
    assert all(found[0].isupper() for found in one)


def test_masked_refuses_what_it_cannot_use(masked, classifier):
    with pytest.raises(UsageError, match="needs a model"):
        MaskedLM().sample(TEXT, word(TEXT, 0), 1, rng())
    with pytest.raises(ModelError, match="no masked language model"):
        MaskedLM(str(classifier)).sample(TEXT, word(TEXT, 0), 1, rng())
    long = "the film " * 60
    with pytest.raises(UsageError, match="longer than the 64"):
        MaskedLM(str(masked)).sample(long, word(long, 0), 1, rng())


# -- causal language model -----------------------------------------------------------------------------------------


def test_causal_weights_are_the_scores_of_word_and_right_context(corpus):
    law = Causal("mock/uniform", candidates=6).fit(corpus)
    drawn = law.sample(TEXT, word(TEXT, 1), 300, rng())
    assert {one.split()[1] for one in drawn} <= {"the", "is", "was", "film", "good", "fine", *law.words_[:6]}
    assert all(one.startswith("The ") and one.endswith(" is very good .") for one in drawn)
    with pytest.raises(UsageError, match="one word at a time"):
        law.sample(TEXT, sentences(TEXT)[0], 1, rng())
    with pytest.raises(UsageError, match="at least 2"):
        Causal("mock/uniform", candidates=1).fit(corpus).sample(TEXT, word(TEXT, 0), 1, rng())
    with pytest.raises(UsageError, match="no texts were given"):
        Causal("mock/uniform").sample(TEXT, word(TEXT, 0), 1, rng())


@pytest.mark.slow
def test_causal_infill_reads_the_right_side(monkeypatch, model_cache):
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    from gnomon.models import smollm2

    if smollm2.source() is None:
        pytest.skip("the embedded model's wheel is not installed")
    law = Causal("smollm2", candidates=24)
    text = "He ate the red apple with a knife ."
    group = word(text, 3)
    (with_right,) = law._laws([(text, group.at[0])])
    law.right = 0
    (left_only,) = law._laws([(text, group.at[0])])
    assert with_right[0] == left_only[0]  # the same candidates, whatever stands there or follows
    other = law._laws([("He ate the dry apple with a knife .", group.at[0])])[0]
    assert other[0] == left_only[0]
    assert np.abs(with_right[1] / with_right[1].sum() - left_only[1] / left_only[1].sum()).sum() > 0.2


# -- subjects ------------------------------------------------------------------------------------------------------


def test_a_pipeline_of_sklearn_is_a_subject_of_texts(corpus):
    y = [any(w in text for w in ("fine", "good")) and "not" not in text for text in corpus]
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10)).fit(corpus, y)
    texts = ["the film is not good .", "the plot was dull ."] * 2
    found = irt(model, texts, NGram(least=1).fit(corpus), words, draws=60, q=0.2)
    assert found.outputs.m == 2 * 5 + 2 * 4
    again = irt(model, texts[:1], NGram(least=1).fit(corpus), words, draws=60, q=0.2)
    assert (again.p_values == found.p_values[:5]).all()


def test_a_classifier_of_transformers_is_a_subject(classifier, corpus):
    subject = Classifier(str(classifier), batch_tokens=20)
    texts = [TEXT, "it plays badly !", "a dull story"]
    Y, chosen = subject.choose(texts)
    alone = [Classifier(str(classifier)).choose([text])[0][0] for text in texts]
    assert pytest.approx(alone, abs=2e-4) == Y
    assert set(chosen) <= {0, 1}
    found = osft(subject, texts, NGram(least=1).fit(corpus), words, q=0.3, centres=2)
    assert found.outputs.drawn.shape == (5 + 3 + 3, 3)
    with pytest.raises(ModelError, match="no classifier of texts"):
        Classifier(str(_headless(classifier)))


def _headless(folder):
    import json
    import shutil

    other = folder.parent / "headless"
    shutil.copytree(folder, other, dirs_exist_ok=True)
    config = json.loads((other / "config.json").read_text())
    config["architectures"] = ["BertModel"]
    (other / "config.json").write_text(json.dumps(config))
    return other


def test_a_choice_task_is_a_subject_with_its_class_fixed():
    data = load_task("facts", {"subsets": "capitals-statements"})
    items = data.items()[:4]
    _, protocol = data.task.protocol(None)
    field = data.task.body
    subject = Chooser(load_model("mock/uniform"), data.task, protocol, items, field)
    Y, _ = subject.choose(subject.texts())
    assert Y.shape == (4,)
    text = subject.texts()[2]
    assert text in subject.ask(text, 2).context
    assert subject.ask("Something else", 2).context != subject.ask(text, 2).context
    found = observe(subject, subject.texts(), NGram(least=1).fit(subject.texts()), words, draws=3)
    assert found.outputs.m == sum(len(words(text)) for text in subject.texts())


def test_a_text_of_one_word_can_be_explained(corpus):
    found = irt(
        lambda texts: [float("good" in one) for one in texts], ["good"], NGram(least=1).fit(corpus), words, draws=99
    )
    assert found.outputs.m == 1
    with pytest.raises(UsageError, match="no input has a group"):
        irt(lambda texts: [0.0] * len(texts), ["..."], NGram(least=1).fit(corpus), words, draws=9)
