"""Served models: text through a server that misbehaves in every way we know, and a key that never shows."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from gnomon.asks import Ask, Completion, Decoding, Failed, Prompt
from gnomon.errors import ModelError, UsageError
from gnomon.models import Generates, Reports, Scores, _http, abilities, load_model


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


fake = _load("_fake_server")
KEY = "sk-test-4f9a1c77d2"
HOW = Decoding(max_tokens=16)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No test waits for a back-off, and none sees the user's key or proxies."""
    monkeypatch.setattr(_http, "FIRST_WAIT", 0.005)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with fake.FakeServer(echo="ignored") as server:
        yield server


def model_at(server, name="toy", **arguments):
    given = {"base_url": server.url, "retries": "2", **{key: str(value) for key, value in arguments.items()}}
    return load_model(f"openai/{name}", given)


def ask(model, *texts, how=HOW, seed=0):
    """The answers to `texts`, in their order; each must come exactly once."""
    prompts = [Prompt(text, how, seed) for text in texts]
    found = [pair for batch in model.generate(prompts, lambda index: False) for pair in batch]
    assert sorted(index for index, _ in found) == list(range(len(texts)))
    return [answer for _, answer in sorted(found)]


def after_start(server, *behaviours):
    """A model whose server misbehaves from now on, and whose requests of the start are forgotten."""
    model = model_at(server)
    server.seen.clear()
    server.next(*behaviours)
    return model


# text


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_every_prompt_gets_its_own_text_through_either_interface(server, api):
    texts = [f"question {n}" for n in range(40)]
    model = model_at(server, api=api, concurrency=7)
    assert [answer.text for answer in ask(model, *texts)] == [server.lm.write(text) for text in texts]


def test_skipped_prompts_are_not_asked(server):
    model = model_at(server)
    server.seen.clear()
    found = [
        pair
        for batch in model.generate([Prompt(f"p{n}", HOW) for n in range(9)], {1, 4}.__contains__)
        for pair in batch
    ]
    assert sorted(index for index, _ in found) == [0, 2, 3, 5, 6, 7, 8]
    assert sorted(server.prompts()) == [f"p{n}" for n in range(9) if n not in (1, 4)]


def test_no_prompts_need_no_requests(server):
    model = model_at(server)
    server.seen.clear()
    assert list(model.generate([], lambda index: False)) == []
    assert server.seen == []


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_decoding_is_put_in_the_words_of_the_interface(server, api):
    model = model_at(server, api=api)
    ask(model, "greedy", how=Decoding(max_tokens=5), seed=3)
    ask(model, "drawn", how=Decoding(max_tokens=5, temperature=0.5, top_p=0.9), seed=2**40 + 3)
    greedy, drawn = (post.body for post in server.posts[-2:])
    assert greedy["max_tokens"] == 5
    assert greedy["temperature"] == 0
    assert not {"seed", "top_p", "stop", "n", "stream"} & set(greedy)
    assert (drawn["temperature"], drawn["top_p"]) == (0.5, 0.9)
    assert 0 <= drawn["seed"] < 2**31


def test_a_text_ends_before_the_first_stop_string_whatever_the_server_does(server):
    stops = ("\nand", "zzz", "yyy", "xxx", " more")
    [answer] = ask(model_at(server), "x", how=Decoding(max_tokens=16, stop=stops))
    assert answer.text == server.lm.write("x").split("\n")[0]
    assert answer.finish == "stop"
    assert server.posts[-1].body["stop"] == list(stops[:4])


@pytest.mark.parametrize(
    ("said", "finish"),
    [("stop", "stop"), ("length", "length"), ("eos_token", "stop"), ("max_tokens", "length"), (None, "stop")],
)
def test_the_reason_of_an_end_is_stop_or_length(server, said, finish):
    model = after_start(server, fake.completion("text", finish_reason=said))
    assert ask(model, "x") == [Completion("text", tokens=2, finish=finish)]


def test_a_stop_string_makes_a_full_text_a_stopped_one(server):
    model = after_start(server, fake.completion("one\ntwo", finish_reason="length"))
    [answer] = ask(model, "x", how=Decoding(max_tokens=4, stop=("\n",)))
    assert (answer.text, answer.finish) == ("one", "stop")


@pytest.mark.parametrize(
    "refusal",
    [
        fake.completion("", finish_reason="content_filter"),
        fake.status(400, {"error": {"message": "flagged", "code": "content_filter"}}),
        fake.status(400, {"error": {"message": "flagged", "code": "content_policy_violation"}}),
    ],
)
def test_a_refused_prompt_is_refused_and_not_an_error(server, refusal):
    model = after_start(server, refusal)
    assert ask(model, "x")[0].status == "refused"
    assert len(server.posts) == 1


def test_a_refusal_in_a_chat_is_refused(server):
    model = model_at(server, api="chat")
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    server.next(fake.says({"choices": [{"message": message, "finish_reason": "stop"}]}))
    [answer] = ask(model, "x")
    assert answer.status == "refused"
    assert "I cannot help" in answer.message


def test_tokens_are_the_servers_count_or_else_estimated(server):
    counted = {
        "choices": [{"text": "abcdef", "finish_reason": "stop"}],
        "usage": {"completion_tokens": 5, "prompt_tokens": 7},
    }
    model = after_start(server, fake.says(counted), fake.completion("abcdef"))
    before = model.tokens_computed
    assert [ask(model, "x")[0].tokens for _ in range(2)] == [5, 2]
    assert model.tokens_computed - before == 12


def test_half_of_a_character_becomes_a_mark_that_files_can_hold(server):
    raw = b'{"choices": [{"text": "a\\ud83d b \\ud83d\\ude42", "finish_reason": "stop"}]}'
    [answer] = ask(after_start(server, fake.says(raw)), "x")
    assert answer.text == "a\ufffd b \U0001f642"


# what servers do wrong


@pytest.mark.parametrize(
    "fault",
    [
        fake.status(500),
        fake.status(503, b"busy"),
        fake.status(429),
        fake.truncated,
        fake.broken_off,
        fake.hang_up,
        fake.page(),
        fake.page(502),
        fake.says(b""),
        fake.says(b"\xff\xfe"),
        fake.says(b"[" * 100_000),
        fake.says([]),
        fake.says({"choices": None}),
        fake.says({"choices": []}),
        fake.says({"choices": [{"text": "a"}, {"text": "b"}]}),
        fake.says({"choices": ["text"]}),
        fake.completion(None),
        fake.completion(7),
        fake.completion(["a"]),
        fake.completion("a", finish_reason=5),
    ],
    ids=str,
)
def test_one_bad_answer_is_asked_again(server, fault):
    model = after_start(server, fault)
    assert ask(model, "x")[0].text == server.lm.write("x")
    assert server.prompts() == ["x", "x"]


@pytest.mark.parametrize("fault", [fake.status(500), fake.hang_up, fake.truncated, fake.completion(None)])
def test_bad_answers_for_ever_fail_the_item_and_no_other(server, fault):
    model = model_at(server)
    server.each = lambda handler, body: body["prompt"] == "bad" and fault(handler, body)
    good, bad, other = ask(model, "good", "bad", "other")
    assert isinstance(good, Completion)
    assert isinstance(other, Completion)
    assert bad.status == "error"
    assert "3 tries" in bad.message


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_text_of_reasoning_alone_is_empty_and_cut_short(server, api):
    model = model_at(server, api=api)
    choice = {"text": None, "message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}
    server.next(fake.says({"choices": [choice]}))
    assert ask(model, "x") == [Completion("", tokens=0, finish="length")]


@pytest.mark.parametrize("code", [400, 403, 413, 422])
def test_a_refused_request_fails_at_once_with_the_servers_words(server, code):
    model = after_start(server, fake.status(code, {"error": {"message": "the prompt\nis too long"}}))
    [answer] = ask(model, "x")
    assert f"HTTP {code}: the prompt is too long" in answer.message
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    "body",
    [{"error": {"message": "words"}}, {"error": "words"}, {"detail": "words"}, {"message": "words"}, b"words"],
    ids=str,
)
def test_the_words_of_an_error_are_found_wherever_a_server_puts_them(server, body):
    assert "words" in ask(after_start(server, fake.status(400, body)), "x")[0].message


def test_a_revoked_key_or_a_vanished_model_ends_the_work_at_once(server):
    for code, words in ((401, "wants a key"), (404, "has no 'toy'")):
        with pytest.raises(ModelError, match=words):
            ask(after_start(server, fake.status(code)), "x")
        assert len(server.posts) == 1


def test_an_exhausted_quota_is_not_asked_again(server):
    model = after_start(server, fake.status(429, {"error": {"message": "pay", "code": "insufficient_quota"}}))
    with pytest.raises(ModelError, match="no quota left: HTTP 429: pay"):
        ask(model, "x")
    assert len(server.posts) == 1


@pytest.mark.parametrize(("code", "spelled"), [(429, "seconds"), (503, "seconds"), (429, "date")])
def test_retry_after_is_kept_to(server, code, spelled):
    value = "0.6" if spelled == "seconds" else formatdate(time.time() + 2, usegmt=True)  # whole seconds: 1 to 2
    model = after_start(server, fake.status(code, Retry_After=value))
    ask(model, "x")
    first, second = server.posts
    assert 0.55 <= second.at - first.at < 5


def test_when_one_request_is_told_to_wait_all_wait(server):
    model = model_at(server, concurrency=2)
    server.seen.clear()
    server.next(fake.status(429, Retry_After="0.5"))
    server.each = fake.slow(0.1)
    ask(model, *"abcdefgh")
    begin = server.posts[0].at
    assert not [seen for seen in server.posts if 0.25 < seen.at - begin < 0.45]


def test_a_server_that_wants_an_hours_rest_is_not_waited_for(server):
    model = after_start(server, fake.status(429, Retry_After="3600"))
    [answer] = ask(model, "x")
    assert "wait 3,600 seconds" in answer.message


@pytest.mark.parametrize("fault", [fake.slow(30), fake.drip])
def test_an_answer_that_takes_too_long_is_given_up_and_asked_for_again(server, fault):
    model = model_at(server, timeout=0.3)
    server.seen.clear()
    server.next(fault)
    began = time.monotonic()
    assert ask(model, "x")[0].text == server.lm.write("x")
    assert time.monotonic() - began < 3
    server.each = fault
    assert "no answer within 0.3 seconds (3 tries)" in ask(model, "x")[0].message


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_answer_is_not_read(server, monkeypatch, declared):
    monkeypatch.setattr(_http, "MOST_BYTES", 1 << 20)
    model = after_start(server, fake.huge(8, declared))
    assert "more than 1 MiB" in ask(model, "x")[0].message
    assert len(server.posts) == 1


def test_a_server_that_goes_away_ends_the_work_and_what_came_is_kept(server):
    model = model_at(server, concurrency=2, retries=0)
    server.each = lambda handler, body: body["prompt"] >= "p20" and fake.hang_up(handler, body)
    prompts = [Prompt(f"p{n}", HOW) for n in range(10, 99)]
    found = []
    with pytest.raises(ModelError, match="cannot be reached any more"):
        for batch in model.generate(prompts, lambda index: False):
            found += batch
    assert len([answer for _, answer in found if isinstance(answer, Completion)]) == 10


def test_at_most_so_many_requests_are_under_way(server):
    most = []
    server.each = lambda handler, body: most.append(server.alive) or fake.slow(0.02)(handler, body)
    ask(model_at(server, concurrency=3), *[f"p{n}" for n in range(12)])
    assert max(most) == 3


def test_requests_a_minute_are_limited(server):
    model = model_at(server, max_requests_per_minute=600)
    ask(model, *"abcdef")
    times = [seen.at for seen in server.seen]
    assert min(after - before for before, after in zip(times, times[1:], strict=False)) > 0.07


def test_closing_the_iterator_stops_requests_promptly(server):
    model = model_at(server, concurrency=4)
    threads = threading.active_count()
    server.seen.clear()
    server.next(fake.slow(0))
    server.each = fake.slow(5)
    work = model.generate([Prompt(f"p{n}", HOW) for n in range(50)], lambda index: False)
    next(work)
    began = time.monotonic()
    work.close()
    assert time.monotonic() - began < 1
    time.sleep(0.1)
    assert len(server.posts) <= 5
    assert threading.active_count() - threads <= 4  # the fake server's own, which sleep


def test_a_caller_who_takes_nothing_more_is_not_served_more(server):
    model = model_at(server, concurrency=2)
    server.seen.clear()
    work = model.generate([Prompt(f"p{n}", HOW) for n in range(200)], lambda index: False)
    next(work)
    time.sleep(0.5)
    assert len(server.posts) < 30
    work.close()


def test_work_goes_on_inside_a_running_event_loop(server):
    async def notebook():
        return ask(model_at(server), "x")

    assert asyncio.run(notebook())[0].text == server.lm.write("x")


# what one server takes and another does not


def test_a_chat_that_wants_the_new_name_of_the_limit_gets_it():
    takes = ("model", "messages", "max_completion_tokens", "temperature")
    with fake.FakeServer(has=("chat",), takes=takes) as server:
        model = model_at(server)
        assert ask(model, "x")[0].text == server.lm.write("x")
        assert server.posts[-1].body["max_completion_tokens"] == 16
        before = len(server.posts)
        ask(model, "y")
        assert len(server.posts) == before + 1  # learnt


def test_a_seed_that_is_not_taken_is_left_out_and_remarked(server):
    server.takes = ("model", "prompt", "max_tokens", "temperature", "echo", "logprobs")
    model = model_at(server)
    assert (
        ask(model, "x", how=Decoding(max_tokens=4, temperature=1.0, stop=("\n",)))[0].text
        == server.lm.write("x").split("\n")[0]
    )
    assert any("takes no seed" in remark for remark in model.remarks)


def test_a_temperature_that_is_not_taken_is_no_silent_change(server):
    model = model_at(server)
    server.takes = ("model", "prompt", "max_tokens")
    assert "temperature" in ask(model, "x")[0].message


def test_a_limit_that_is_passed_over_is_noticed(server):
    long = {
        "choices": [{"text": "a b c", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 90},
    }
    assert "90 tokens where 16 were allowed" in ask(after_start(server, fake.says(long)), "x")[0].message


def test_a_context_that_is_too_long_fails_with_the_servers_words_and_teaches_nothing(server):
    model = model_at(server, api="chat")
    server.next(*[fake.status(400, {"error": {"message": "max_tokens and the prompt exceed the context"}})] * 2)
    assert "exceed the context" in ask(model, "x")[0].message
    ask(model, "y")
    assert "max_tokens" in server.posts[-1].body


# the start


@pytest.mark.parametrize(("has", "path"), [(("completions", "chat"), "/completions"), (("chat",), "/chat/completions")])
def test_auto_takes_completions_where_the_server_has_them(has, path):
    with fake.FakeServer(has=has) as server:
        assert model_at(server).facts()["interface"] == path
        with pytest.raises(ModelError, match="HTTP 404") if "completions" not in has else contextlib.nullcontext():
            model_at(server, api="completions")


def test_a_server_that_is_down_is_one_clear_error():
    with fake.FakeServer() as server:
        url = server.url
    with pytest.raises(ModelError, match=f"no server answers at {url}.*Start it, or give its address"):
        load_model("openai/toy", {"base_url": url})


def test_a_server_that_is_silent_is_one_clear_error(server):
    server.each = fake.slow(9)
    with pytest.raises(ModelError, match=r"no answer within 0.2 seconds"):
        model_at(server, timeout=0.2)


def test_a_server_that_still_loads_its_weights_is_waited_for(server):
    server.next(fake.status(503, Retry_After="0.05"), fake.status(503, Retry_After="0.05"))
    assert ask(model_at(server), "x")[0].text == server.lm.write("x")


def test_a_model_that_is_not_there_names_those_that_are(server):
    with pytest.raises(ModelError, match=r"has no 'tay'.*It lists: toy.*Did you mean 'toy'"):
        model_at(server, "tay")


def test_a_web_site_is_no_interface(server):
    server.models = False
    server.each = fake.page(200)
    with pytest.raises(ModelError, match="mostly ends in /v1"):
        model_at(server)
    server.each = fake.page(404)
    with pytest.raises(ModelError, match="mostly ends in /v1"):
        model_at(server)


@pytest.mark.parametrize("key", ["", KEY])
def test_a_key_that_is_missing_or_wrong_is_one_clear_error(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with fake.FakeServer(key="another-key-entirely") as server:
        with pytest.raises(ModelError, match="refuses the key" if key else "wants a key") as raised:
            model_at(server)
        assert len(server.seen) == 1
    assert KEY not in str(raised.value)


def test_openai_itself_is_not_even_asked_without_a_key():
    with pytest.raises(ModelError, match=r"api.openai.com/v1 wants a key, and OPENAI_API_KEY is not set"):
        load_model("openai/gpt-x")


def test_a_server_of_this_machine_needs_no_key(server):
    ask(model_at(server), "x")
    assert not any("authorization" in {name.lower() for name in seen.headers} for seen in server.seen)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_url": "localhost:8000"}, "is no address"),
        ({"base_url": "ftp://host/v1"}, "is no address"),
        ({"base_url": "http://host:port/v1"}, "is no address"),
        ({"base_url": "http://host/v1/chat/completions"}, "Write  -M base_url=http://host/v1"),
        ({"base_url": "http://me:secret@host/v1"}, "holds a user name"),
        ({"base_url": "http://host/v1?key=secret"}, "holds a user name, a query"),
        ({"api": "response"}, "use one of auto, completions, chat"),
        ({"concurrency": "0"}, "from 1 to 256"),
        ({"key": "secret"}, "not known"),
        ({"timeout": "nan"}, "give a number"),
    ],
)
def test_arguments_that_cannot_be_are_refused_and_hold_no_secret(arguments, words):
    with pytest.raises(UsageError, match=words) as raised:
        load_model("openai/toy", {"base_url": "http://127.0.0.1:9/v1", **arguments})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["openai", "openai/", "openai/toy@layers=2"])
def test_a_name_without_a_model_is_refused(name):
    with pytest.raises(UsageError, match="Write  -m openai/<name>"):
        load_model(name)


# what is told


def test_the_model_has_the_abilities_that_the_server_showed(server):
    model = model_at(server)
    assert isinstance(model, Generates)
    assert isinstance(model, Reports)
    assert not isinstance(model, Scores)
    assert abilities(model) == ["generate"]
    assert "log-probabilities" in model.lacks["score"]


def test_facts_are_plain_text_and_say_that_weights_are_not_known(server):
    facts = model_at(server).facts()
    assert all(isinstance(value, str) for value in facts.values())
    assert "cannot be hashed" in facts["weights"]
    assert facts["server"] == server.url


def test_the_fingerprint_changes_with_all_that_a_server_tells_and_with_nothing_else(server):
    first = model_at(server)
    assert first.fingerprint() == model_at(server, concurrency=2, timeout=9, retries=1).fingerprint()
    assert first.fingerprint() != model_at(server, api="chat").fingerprint()
    server.models = [{**server.models[0], "created": 99, "permission": [{"id": "random"}]}]
    assert first.fingerprint() == model_at(server).fingerprint()
    prints = {first.fingerprint()}
    for told in ({"owned_by": "another"}, {"root": "weights-2"}, {"meta": {"n_params": 7}}):
        server.models = [{"id": "toy", "created": 1, "owned_by": "nobody", **told}]
        prints.add(model_at(server).fingerprint())
    assert len(prints) == 4
    with fake.FakeServer(echo="ignored") as other:
        assert first.fingerprint() != model_at(other).fingerprint()


@pytest.mark.parametrize(
    ("told", "length"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"meta": {"n_ctx": 512, "n_ctx_train": 9}}, 512),
        ({}, None),
        ({"max_model_len": "x"}, None),
    ],
)
def test_the_context_length_is_what_the_server_tells(server, told, length):
    server.models = [{"id": "toy", **told}]
    assert model_at(server).context_length == length


def test_counted_tokens_are_at_least_one_and_grow_with_the_bytes(server):
    counts = model_at(server).count_tokens(["", "abc", "abcdef", "中文"])
    assert counts == [1, 2, 3, 3]


def test_a_changing_configuration_of_the_server_is_remarked(server):
    model = after_start(
        server, *[fake.says({"choices": [{"text": "a"}], "system_fingerprint": f"fp{n}"}) for n in (1, 2)]
    )
    ask(model, "x", "y")
    assert any("changed its configuration" in remark for remark in model.remarks)


# the key


def texts_of(error):
    """Everything that a chain of exceptions could show."""
    seen = ""
    while error is not None:
        seen += f"{error!r} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__
    return seen


def test_a_hostile_server_does_not_get_the_key_into_anything_we_keep(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with fake.FakeServer(echo="ignored", key=KEY) as server:
        server.models = [{"id": "toy", "owned_by": KEY, "root": f"x{KEY}", "meta": {KEY: [KEY]}}, {"id": KEY}]
        model = model_at(server)
        kept = [repr(model.facts()), model.fingerprint(), repr(vars(model)), repr(model._found), repr(model._server)]
        for code in (200, 400, 403, 422, 500):
            server.next(*[fake.shows_key(code)] * 3)
            [answer] = ask(model, "x")
            assert isinstance(answer, Failed), code
            kept.append(repr(answer))
            server.queue.clear()
        for code in (302, 401, 404):
            server.next(fake.shows_key(code))
            with pytest.raises(ModelError) as raised:
                ask(model, "x")
            kept.append(texts_of(raised.value))
        server.each = fake.shows_key(400)
        with pytest.raises(ModelError) as raised:
            model_at(server, api="completions")
        kept.append(texts_of(raised.value))
    assert all(seen.headers.get("authorization") == f"Bearer {KEY}" for seen in server.seen)
    assert not [text for text in [*kept, *model.remarks] if KEY in text]
    assert KEY not in caplog.text


def test_the_key_does_not_follow_a_redirection(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with fake.FakeServer() as elsewhere, fake.FakeServer(echo="ignored") as server:
        model = model_at(server)
        for code in (301, 302, 303, 307, 308):
            server.next(fake.status(code, Location=f"{elsewhere.url}/completions"))
            with pytest.raises(ModelError, match="a redirection to 'http://127"):
                ask(model, "x")
        assert elsewhere.seen == []


def test_a_proxy_of_the_environment_sees_nothing_of_a_plain_connection(monkeypatch, server):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with fake.FakeServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", "")
        ask(model_at(server), "x")
        assert proxy.seen == []


@pytest.mark.parametrize("key", ["sk-two words-1234", "sk-ünïcode-1234", "sk-line\nbreak-1234"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(monkeypatch, server, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="characters that no key has") as raised:
        model_at(server)
    assert not any(part in texts_of(raised.value) for part in ("sk-", "1234"))
    assert server.seen == []


def test_a_key_in_the_name_or_address_is_refused(monkeypatch, server):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name, url in (("toy", f"http://127.0.0.1:9/{KEY}"), (KEY, server.url)):
        with pytest.raises(UsageError, match="written into results") as raised:
            load_model(f"openai/{name}", {"base_url": url})
        assert KEY not in str(raised.value)


def test_a_short_placeholder_is_sent_and_is_an_ordinary_word(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    with fake.FakeServer(echo="ignored", key="EMPTY") as server:
        model = after_start(server, fake.completion("it is EMPTY"))
        assert ask(model, "x")[0].text == "it is EMPTY"


def test_nothing_that_a_run_writes_holds_the_key(monkeypatch, tmp_path):
    import gnomon

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))
    with fake.FakeServer(key=KEY) as server:
        model = model_at(server)
        bad = [fake.shows_key(400), fake.shows_key(200), fake.shows_key(500)]
        server.each = lambda handler, body: len(server.posts) % 3 == 0 and bad[len(server.posts) % 2](handler, body)
        server.models = [{"id": "toy", "owned_by": KEY}]
        run = gnomon.evaluate("facts", model, limit=3, runs_dir=tmp_path / "runs")
    assert run.manifest.statuses.get("error")
    assert run.manifest.statuses.get("ok")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"records.jsonl", "manifest.json", "report.html", "result.json"} <= {path.name for path in files}
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


# runs


RUN = """
import sys
from gnomon.asks import Decoding, Prompt
from gnomon.models import load_model
from gnomon.runs import Journal, Record, Unit, ask_all
from pathlib import Path

model = load_model("openai/toy", {"base_url": sys.argv[1], "concurrency": "4"})
def unit(n):
    def finish(answers, given):
        return Record(id=f"u{n}", subset="s", split="test", group="g", input=given, status="ok", output={"text": answers[0].text})
    return Unit(f"u{n}", (Prompt(f"prompt {n}", Decoding(max_tokens=8)),), finish)
ask_all([unit(n) for n in range(60)], Journal(Path(sys.argv[2])), model.generate, fingerprint=model.fingerprint())
"""


def test_a_killed_run_asks_again_only_for_what_was_under_way(server, tmp_path):
    path = tmp_path / "records.jsonl"
    server.each = fake.slow(0.05)
    command = [sys.executable, "-c", RUN, server.url, str(path)]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + 30
        while not (path.exists() and path.read_bytes().count(b"\n") >= 12) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
    known = {json.loads(line)["id"] for line in path.read_text().splitlines()}
    assert 12 <= len(known) < 60
    server.seen.clear()
    server.each = None
    subprocess.run(command, env=environment, check=True, timeout=60)
    asked = [prompt for prompt in server.prompts() if str(prompt).startswith("prompt ")]
    assert sorted(asked) == sorted(f"prompt {n}" for n in range(60) if f"u{n}" not in known)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert {record["id"]: record["output"]["text"] for record in records} == {
        f"u{n}": server.lm.write(f"prompt {n}") for n in range(60)
    }
    assert len(records) == 60


def test_an_ask_is_no_prompt_of_this_model(server):
    assert not hasattr(model_at(server), "score")
    assert Ask("a", ("b",))
