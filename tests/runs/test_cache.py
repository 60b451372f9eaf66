"""The cache: nothing that can change a number is left out of a key, and nothing that is broken breaks a run."""

import dataclasses
import json
import sqlite3
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import evaluate
from gnomon.asks import Ask, Completion, Decoding, Highlighted, Passage, Prompt, Reading, Scored, Span
from gnomon.runs import AnswerCache

ASK = Ask("2 + 2 =", (" 4", " 5"))
ANSWER = Scored((-0.123456789012345678, -2.5), (1, 2), 3)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where `evaluate` keeps its scores in this test."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "scores.sqlite"


def run(hashed, tmp_path, name="runs", **more):
    return evaluate("facts", hashed, limit=2, runs_dir=tmp_path / name, **more)


def test_what_is_put_comes_back_to_the_last_bit(path):
    cache = AnswerCache(path)
    cache.put({"k": ANSWER})
    cache.close()
    again = AnswerCache(path)
    assert again.get(["k", "other"]) == {"k": ANSWER}
    again.close()


def test_many_keys_are_looked_up_whatever_the_limits_of_sql(path):
    cache = AnswerCache(path)
    cache.put({str(n): ANSWER for n in range(1234)})
    assert len(cache.get([str(n) for n in range(2000)])) == 1234
    cache.close()


def test_every_part_of_a_question_is_in_its_key():
    asks = [
        ASK,
        Ask("2 + 2 = ", ASK.continuations),
        Ask(ASK.context, (" 5", " 4")),
        Ask(ASK.context, (" 4",)),
        Ask(ASK.context, (" 4 5",)),
    ]
    keys = [AnswerCache.key(model, ask) for model in ("a", "b") for ask in asks]
    assert all(one != two for one, two in combinations(keys, 2))


texts = st.text(max_size=5)
asks = st.builds(Ask, texts, st.lists(texts, max_size=3).map(tuple))


@given(st.tuples(texts, asks), st.tuples(texts, asks))
def test_keys_are_equal_exactly_when_model_and_question_are(one, two):
    assert (AnswerCache.key(*one) == AnswerCache.key(*two)) == (one == two)


def test_two_models_with_the_same_prompts_share_no_answer(path, hashed, tmp_path):
    one, two = hashed("one"), hashed("two")
    alone = run(hashed("two"), tmp_path, "alone", cache=False).records()
    run(one, tmp_path)
    found = run(two, tmp_path).records()
    assert len(two.asked) == len(one.asked) > 0
    assert [r.output for r in found.values()] == [r.output for r in alone.values()]


def test_the_same_model_is_not_asked_twice(path, hashed, tmp_path):
    first = run(hashed(), tmp_path, "first")
    again = hashed()
    second = run(again, tmp_path, "second")
    assert again.asked == []
    assert (first.path / "result.json").read_bytes() == (second.path / "result.json").read_bytes()


def test_no_cache_neither_takes_nor_gives(path, hashed, tmp_path):
    run(hashed(), tmp_path, "first", cache=False)
    assert not path.exists()
    run(hashed(), tmp_path, "second")
    again = hashed()
    run(again, tmp_path, "third", cache=False)
    assert again.asked


def garbage(path):
    path.write_bytes(b"this is no database, " * 300)


def truncated(path):
    cache = AnswerCache(path)
    cache.put({str(n): ANSWER for n in range(3000)})
    cache.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def overwritten_inside(path):
    cache = AnswerCache(path)
    cache.put({str(n): ANSWER for n in range(3000)})
    cache.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("broken", [garbage, truncated, overwritten_inside])
def test_a_damaged_cache_is_kept_aside_and_the_run_goes_on(broken, path, hashed, tmp_path):
    expected = run(hashed(), tmp_path, "expected", cache=False)
    broken(path)
    content = path.read_bytes()
    found = run(hashed(), tmp_path)
    assert found.manifest.status == "complete"
    assert (found.path / "result.json").read_bytes() == (expected.path / "result.json").read_bytes()
    assert "set aside" in (found.path / "log.txt").read_text()
    [aside] = path.parent.glob("scores.sqlite.broken-*[0-9]")
    assert aside.read_bytes()[: len(content)] == content
    run(hashed(), tmp_path, "next")
    third = hashed()
    run(third, tmp_path, "after")
    assert third.asked == []


def a_folder(path):
    path.mkdir()


def under_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("")


def another_table(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE scores (what TEXT)")
    connection.close()


@pytest.mark.parametrize("broken", [a_folder, under_a_file, another_table])
def test_a_cache_that_cannot_be_used_costs_a_remark_only(broken, path, hashed, tmp_path):
    broken(path)
    found = run(hashed(), tmp_path)
    assert found.manifest.status == "complete"
    log = (found.path / "log.txt").read_text()
    assert "scores.sqlite cannot be used" in log
    assert "goes on without it" in log


def test_a_locked_cache_costs_a_remark_only(path, hashed, tmp_path, monkeypatch):
    AnswerCache(path).close()
    connect = sqlite3.connect
    holder = connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **{**more, "timeout": 0.05}))
    found = run(hashed(), tmp_path)
    holder.close()
    assert found.manifest.status == "complete"
    assert "locked" in (found.path / "log.txt").read_text()


@pytest.mark.parametrize(
    "value", ["", "[]", "7", '["ab", [1], 0]', "[[NaN, NaN], [1, 1], 0]", "[[0.5, 0.5], [1, 1], 0]", "[[-1.0], [1], 0]"]
)
def test_a_row_that_is_no_answer_is_not_believed(value, path, hashed, tmp_path):
    expected = run(hashed(), tmp_path, "expected")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET value = ?", [value])
    connection.close()
    found = run(hashed(), tmp_path)
    assert found.manifest.status == "complete"
    assert (found.path / "result.json").read_bytes() == (expected.path / "result.json").read_bytes()


def test_a_stored_row_is_plain_json(path):
    cache = AnswerCache(path)
    cache.put({"k": ANSWER})
    cache.close()
    connection = sqlite3.connect(path)
    [(value,)] = connection.execute("SELECT value FROM scores").fetchall()
    connection.close()
    assert json.loads(value) == [list(ANSWER.logprobs), [1, 2], 3]


# text and spans ------------------------------------------------------------------------------------------------------

WARM = Prompt("Once", Decoding(max_tokens=5, temperature=0.5, top_p=0.9, stop=(".",)), seed=3)
COLD = dataclasses.replace(WARM, decoding=dataclasses.replace(WARM.decoding, temperature=0.0))
PASSAGE = Passage("Which law?", "Delaware law governs.")


def changed(prompt):
    """`prompt` with one thing changed, by what that is."""
    how = prompt.decoding
    return {
        "context": dataclasses.replace(prompt, context="Once "),
        "seed": dataclasses.replace(prompt, seed=4),
        **{
            name: dataclasses.replace(prompt, decoding=dataclasses.replace(how, **{name: value}))
            for name, value in {"max_tokens": 6, "temperature": 0.6, "top_p": 0.8, "stop": ("!",)}.items()
        },
        "more stops": dataclasses.replace(prompt, decoding=dataclasses.replace(how, stop=(".", "!"))),
        "no stop": dataclasses.replace(prompt, decoding=dataclasses.replace(how, stop=())),
    }


def test_every_part_of_a_prompt_is_in_its_key():
    prompts = [WARM, *changed(WARM).values()]
    keys = [AnswerCache.key(model, prompt) for model in ("a", "b") for prompt in prompts]
    assert all(one != two for one, two in combinations(keys, 2))


@pytest.mark.parametrize("what", changed(COLD))
def test_at_temperature_0_seed_and_top_p_play_no_part(what):
    same = AnswerCache.key("m", COLD) == AnswerCache.key("m", changed(COLD)[what])
    assert same == (what in ("seed", "top_p"))


def test_every_part_of_a_passage_is_in_its_key():
    asks = [
        PASSAGE,
        Passage("Which law", PASSAGE.context),
        Passage(PASSAGE.question, PASSAGE.context + "\n"),
        Passage(PASSAGE.question + PASSAGE.context, ""),
        Passage("", PASSAGE.question + PASSAGE.context),
        Passage(PASSAGE.context, PASSAGE.question),
    ]
    keys = [AnswerCache.key(model, ask) for model in ("a", "b") for ask in asks]
    assert all(one != two for one, two in combinations(keys, 2))


def test_every_part_of_a_reading_is_in_its_key_and_no_ask_shares_it():
    asks = [
        Reading("a", ("b", "c"), "d"),
        Reading("a ", ("b", "c"), "d"),
        Reading("a", ("c", "b"), "d"),
        Reading("a", ("b",), "d"),
        Reading("a", ("b", "c", "d")),
        Reading("a", ("bc",), "d"),
        Reading("d", ("b", "c"), "a"),
        Ask("a", ("b", "c")),
        Ask("a", ("b", "c", "d")),
        Passage("a", "d"),
    ]
    keys = [AnswerCache.key(model, ask) for model in ("a", "b") for ask in asks]
    assert all(one != two for one, two in combinations(keys, 2))


def greedy_alike(ask):
    """What may differ between two asks with the same answer, made equal."""
    if isinstance(ask, Prompt) and ask.decoding.temperature == 0:
        return dataclasses.replace(ask, seed=0, decoding=dataclasses.replace(ask.decoding, top_p=1.0))
    return ask


short = st.text(max_size=3)
stops = st.lists(short, max_size=2).map(tuple)
ways = st.builds(Decoding, st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.5, 1.0]), stops)
fills = st.builds(Reading, short, stops, short)
anything = st.one_of(asks, st.builds(Prompt, short, ways, st.integers(0, 2)), st.builds(Passage, short, short), fills)


@given(st.tuples(short, anything), st.tuples(short, anything))
def test_keys_of_any_kind_are_equal_exactly_when_the_answer_must_be(one, two):
    same = (one[0], greedy_alike(one[1])) == (two[0], greedy_alike(two[1]))
    assert (AnswerCache.key(*one) == AnswerCache.key(*two)) == same


probabilities = st.floats(0, 1)
kept = st.one_of(
    st.builds(Completion, st.text(), st.integers(0, 9), st.sampled_from(["stop", "length"]), st.integers(0, 9)),
    st.builds(
        Highlighted,
        st.lists(st.builds(Span, st.integers(0, 9), st.integers(0, 9), probabilities), max_size=4).map(tuple),
        probabilities,
        st.integers(1, 9),
    ),
)


@given(st.lists(kept, max_size=5))
def test_whatever_text_or_span_is_put_comes_back_to_the_last_bit(tmp_path_factory, answers):
    cache = AnswerCache(tmp_path_factory.mktemp("cache") / "scores.sqlite")
    given = {str(number): answer for number, answer in enumerate(answers)}
    cache.put(given)
    assert cache.get(list(given)) == given
    cache.close()


def test_half_a_surrogate_pair_in_a_text_comes_back(path):
    cache = AnswerCache(path)
    cache.put({"k": Completion("a\ud83d", 1)})
    assert cache.get(["k"]) == {"k": Completion("a\ud83d", 1)}
    cache.close()


NO_ANSWERS = [
    "{}",
    '{"text": "x"}',
    '{"text": "x", "tokens": "many", "finish": "stop", "cut": 0}',
    '{"spans": 7, "none": 0.5, "windows": 1}',
    '{"spans": [[0, 1]], "none": 0.5, "windows": 1}',
    '{"spans": [], "none": null, "windows": 1}',
    "null",
    '"text"',
    '{"text": null, "tokens": 1, "finish": "stop", "cut": 0}',
    '{"text": 7, "tokens": 1, "finish": "stop", "cut": 0}',
    '{"text": "x", "tokens": 1, "finish": "eos", "cut": 0}',
]


@pytest.mark.parametrize("value", NO_ANSWERS)
def test_a_row_that_is_no_text_and_no_spans_is_not_believed(path, value):
    cache = AnswerCache(path)
    cache.put({"k": Completion("x", 1)})
    cache.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE scores SET value = ?", [value])
    connection.close()
    cache = AnswerCache(path)
    assert cache.get(["k"]) == {}
    assert cache.remarks
    cache.close()
