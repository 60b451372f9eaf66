"""The cache: nothing that can change a number is left out of a key, and nothing that is broken breaks a run."""

import json
import sqlite3
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import evaluate
from gnomon.asks import Ask, Scored
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
