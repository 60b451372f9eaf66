"""Served models: text through a server that misbehaves in every way we know."""

from __future__ import annotations

import asyncio
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

from gnomon.asks import Completion, Decoding, Prompt
from gnomon.errors import ModelError
from gnomon.models import _http


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


fake = _load("_fake_server")
model_at, ask, after_start = fake.model_at, fake.ask, fake.after_start
HOW = fake.HOW


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


def test_waits_between_tries_are_drawn_from_doubling_ranges(server, monkeypatch):
    drawn = []

    class Recorder:
        def uniform(self, low, high):
            drawn.append((low, high))
            return 0.0

    monkeypatch.setattr(_http.random, "Random", Recorder)
    monkeypatch.setattr(_http, "LONGEST_WAIT", 0.03)
    model = model_at(server, retries=5)
    server.each = fake.status(500)
    ask(model, "x")
    assert drawn == [(0, 0.005), (0, 0.01), (0, 0.02), (0, 0.03), (0, 0.03)]


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
    model = model_at(server, timeout=0.8)
    server.seen.clear()
    server.next(fault)
    began = time.monotonic()
    assert ask(model, "x")[0].text == server.lm.write("x")
    assert time.monotonic() - began < 5
    assert server.prompts() == ["x", "x"]


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
    batches = model.generate(prompts, lambda index: False)
    with pytest.raises(ModelError, match="cannot be reached any more"):
        found.extend(pair for batch in batches for pair in batch)
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
    assert (times[-1] - times[0]) / (len(times) - 1) > 0.07  # 0.1, but for the lateness of the first


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
        said = {"text": answers[0].text}
        return Record(id=f"u{n}", subset="s", split="test", group="g", input=given, status="ok", output=said)
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
