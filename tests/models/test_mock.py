"""Mocks behave as they say, so that what is tested with them is known beforehand."""

import math

import pytest

from gnomon.asks import Ask, Completion, Decoding, Failed, Highlighted, Passage, Prompt, Scored, Span
from gnomon.errors import UsageError
from gnomon.models import Model, Scores, Told, abilities, load_model

ASKS = [Ask(f"question {n}", tuple(" ABCDE"[1 : 2 + n % 5])) for n in range(1300)]


def answers(model, asks=ASKS, skip=lambda index: False):
    result = {}
    for batch in model.score(asks, skip):
        assert batch
        assert not result.keys() & {index for index, _ in batch}
        result.update(batch)
    return result


@pytest.mark.parametrize("name", ["uniform", "oracle", "parrot", "flaky", "garbage"])
def test_every_mock_is_a_model_that_scores_each_ask_once(name):
    model = load_model(f"mock/{name}")
    assert isinstance(model, Model)
    assert isinstance(model, Scores)
    assert isinstance(model, Told) == (name in ("oracle", "parrot"))
    assert model.name == f"mock/{name}"
    assert model.context_length is None
    assert model.facts()["provider"] == "mock"
    assert model.count_tokens(["", "one two", "one\ntwo  three"]) == [0, 2, 3]
    assert set(answers(model)) == set(range(len(ASKS)))
    assert set(answers(model, skip=lambda index: index % 3 > 0)) == set(range(0, len(ASKS), 3))
    assert answers(model, skip=lambda index: True) == {}
    assert answers(model, []) == {}


def test_fingerprints_tell_mocks_apart_and_are_the_same_each_time():
    names = ["uniform", "oracle", "parrot", "flaky", "garbage"]
    prints = [load_model(f"mock/{name}").fingerprint() for name in names]
    assert len(set(prints)) == 5
    assert prints == [load_model(f"mock/{name}").fingerprint() for name in names]


def test_uniform_gives_all_continuations_the_same_share():
    for index, answer in answers(load_model("mock/uniform")).items():
        n = len(ASKS[index].continuations)
        assert answer == Scored((-math.log(n),) * n, (1,) * n)


def test_the_oracle_prefers_what_it_was_told_with_nine_tenths():
    model = load_model("mock/oracle")
    best = [index * 7 % len(ask.continuations) for index, ask in enumerate(ASKS)]
    model.tell(ASKS, best)
    for index, answer in answers(model).items():
        shares = [math.exp(value) for value in answer.logprobs]
        assert shares[best[index]] == pytest.approx(0.9)
        if len(shares) > 1:
            assert sum(shares) == pytest.approx(1)
            assert max(shares) == shares[best[index]]


def test_an_oracle_that_was_told_nothing_prefers_the_first():
    for answer in answers(load_model("mock/oracle")).values():
        assert answer.logprobs[0] == max(answer.logprobs) == math.log(0.9)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_flaky_fails_at_its_rate_and_answers_as_uniform_otherwise(rate):
    got = answers(load_model("mock/flaky", {"rate": str(rate), "seed": "1"}))
    failed = [answer for answer in got.values() if isinstance(answer, Failed)]
    assert abs(len(failed) / len(ASKS) - rate) <= 4 * math.sqrt(rate * (1 - rate) / len(ASKS))
    assert all(answer.status == "error" and answer.message for answer in failed)
    uniform = answers(load_model("mock/uniform"))
    assert all(got[index] == uniform[index] for index in got if not isinstance(got[index], Failed))


def failures(model):
    return {index for index, answer in answers(model).items() if isinstance(answer, Failed)}


def test_flaky_fails_on_others_each_time_unless_a_seed_fixes_them():
    first, second = load_model("mock/flaky"), load_model("mock/flaky")
    assert failures(first) != failures(second)
    assert failures(first) != failures(first)
    seeds = [failures(load_model("mock/flaky", {"seed": str(seed)})) for seed in (0, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_garbage_gives_every_kind_of_impossible_answer():
    got = [answer.logprobs for answer in answers(load_model("mock/garbage")).values()]
    values = {str(value) for logprobs in got for value in logprobs}
    assert {"nan", "inf", "-inf", "1.0"} <= values
    lengths = [len(logprobs) - len(ask.continuations) for logprobs, ask in zip(got, ASKS, strict=True)]
    assert {-1, 0} == set(lengths)


# Texts and spans.

PROMPTS = [Prompt(f"question {n}", Decoding(4, stop=("\n",))) for n in range(1300)]
PASSAGES = [Passage("Which law?", "The law of Delaware.") for _ in range(1300)]


def written(model, prompts=PROMPTS, skip=lambda index: False):
    return dict(pair for batch in model.generate(prompts, skip) for pair in batch)


def highlighted(model, passages=PASSAGES, skip=lambda index: False):
    return dict(pair for batch in model.highlight(passages, skip) for pair in batch)


def test_uniform_scores_only_and_the_others_have_every_ability():
    assert abilities(load_model("mock/uniform")) == ["score"]
    for name in ("oracle", "flaky", "garbage"):
        able = ["score", "generate", "highlight", *(["represent"] if name != "flaky" else [])]
        assert abilities(load_model(f"mock/{name}")) == able


@pytest.mark.parametrize("name", ["oracle", "flaky", "garbage"])
def test_every_prompt_and_passage_is_answered_once(name):
    model = load_model(f"mock/{name}")
    for ask, asks in ((written, PROMPTS), (highlighted, PASSAGES)):
        assert set(ask(model, asks)) == set(range(1300))
        assert set(ask(model, asks, lambda index: index % 3 > 0)) == set(range(0, 1300, 3))
        assert ask(model, asks, lambda index: True) == ask(model, []) == {}


def test_the_oracle_writes_what_it_was_told():
    model = load_model("mock/oracle")
    model.tell(PROMPTS[:2], ["forty two", ""])
    assert written(model, PROMPTS[:2]) == {0: Completion("forty two", 2), 1: Completion("", 0)}
    assert written(model, PROMPTS[:2], lambda index: index == 0) == {1: Completion("", 0)}


@pytest.mark.parametrize(
    "told, decoding, wanted",
    [
        ("one two\nthree", Decoding(9, stop=("\n",)), Completion("one two", 2)),
        ("one two\nthree", Decoding(9, stop=("three", "two")), Completion("one ", 1)),
        (" one  two three ", Decoding(2), Completion(" one  two", 2, "length")),
        (" one  two three ", Decoding(3), Completion(" one  two three ", 3)),
    ],
)
def test_the_oracle_keeps_to_stop_strings_and_limits(told, decoding, wanted):
    model = load_model("mock/oracle")
    model.tell([Prompt("", decoding)], [told])
    assert written(model, [Prompt("", decoding)]) == {0: wanted}


def test_the_oracle_highlights_what_it_was_told():
    model = load_model("mock/oracle")
    model.tell(PASSAGES[:3], [((0, 3),), ((11, 19), (0, 3)), ()])
    assert highlighted(model, PASSAGES[:3]) == {
        0: Highlighted((Span(0, 3, 0.9),), 0.1),
        1: Highlighted((Span(11, 19, 0.9), Span(0, 3, 0.9)), 0.1),
        2: Highlighted((), 0.9),
    }


def test_an_oracle_that_was_told_nothing_writes_and_highlights_nothing():
    assert set(written(load_model("mock/oracle")).values()) == {Completion("", 0)}
    assert set(highlighted(load_model("mock/oracle")).values()) == {Highlighted((), 0.9)}


@pytest.mark.parametrize(
    "ask, asks, told", [(answers, ASKS, "text"), (written, PROMPTS, 1), (highlighted, PASSAGES, 1)]
)
def test_an_oracle_that_was_told_something_else_says_so(ask, asks, told):
    model = load_model("mock/oracle")
    model.tell(asks[:1], [told])
    with pytest.raises(TypeError, match="mock/oracle was told"):
        ask(model, asks[:1])


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_flaky_fails_at_its_rate_and_does_not_know_otherwise(rate):
    model = load_model("mock/flaky", {"rate": str(rate), "seed": "1"})
    for got, sound in (
        (written(model), Completion("I do not know.", 4)),
        (highlighted(model), Highlighted((), 1.0)),
    ):
        failed = [answer for answer in got.values() if isinstance(answer, Failed)]
        assert abs(len(failed) / 1300 - rate) <= 4 * math.sqrt(rate * (1 - rate) / 1300)
        assert all(answer.message for answer in failed)
        assert {answer for answer in got.values() if not isinstance(answer, Failed)} <= {sound}


def test_garbage_writes_and_highlights_what_no_model_should():
    model = load_model("mock/garbage")
    texts = [getattr(answer, "text", answer) for answer in written(model).values()]
    assert {type(text) for text in texts} >= {type(None), bytes, int, list, str}
    found = [span for answer in highlighted(model).values() for span in getattr(answer, "spans", ())]
    size = len(PASSAGES[0].context)
    assert any(span.start < 0 for span in found)
    assert any(span.end > size for span in found)
    assert any(span.start > span.end for span in found)
    assert any(not span.probability <= 1 for span in found)


@pytest.mark.parametrize(
    "name, arguments, words",
    [
        ("mock/unifrom", {}, "no mock model is named 'unifrom'. Did you mean 'uniform'? Known: uniform, oracle"),
        ("mock", {}, "no mock model is named ''. "),
        ("mock/uniform@layers=2", {}, "mock models have no settings; got '@layers'."),
        ("mock/uniform", {"rate": "1"}, "'rate' is not known to mock/uniform. Known: none."),
        ("mock/flaky", {"rat": "1"}, "Did you mean 'rate'? Known: rate, seed."),
        ("mock/flaky", {"rate": "2"}, "rate=2: give a number from 0 to 1."),
        ("mock/flaky", {"rate": "nan"}, "rate=nan: give a number"),
        ("mock/flaky", {"seed": "1.5"}, "seed=1.5: give a whole number."),
    ],
)
def test_a_mock_that_does_not_exist_is_refused(name, arguments, words):
    with pytest.raises(UsageError) as error:
        load_model(name, arguments)
    assert words in str(error.value)
