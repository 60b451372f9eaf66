"""Served models: what is found out at the start, what is told of them, and a key that never shows."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path

import pytest

from gnomon.asks import Failed
from gnomon.errors import ModelError, UsageError
from gnomon.models import Generates, Reports, Scores, _http, abilities, load_model


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


fake = _load("_fake_server")
model_at, ask, after_start = fake.model_at, fake.ask, fake.after_start
KEY = "sk-test-4f9a1c77d2"


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


def test_a_connection_that_was_closed_meanwhile_is_no_server_that_is_down(server):
    """Some servers close a connection after an error, just when the next request is under way on it."""
    server.next(fake.hang_up)
    assert ask(model_at(server), "x")[0].text == server.lm.write("x")


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
