"""A real server: `transformers serve` with the embedded model, on this machine, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import torch

from gnomon.asks import Completion, Decoding, Prompt
from gnomon.models import Scores, load_model

pytestmark = pytest.mark.slow

PROMPTS = ("The capital of France is", "Question: What is 2 + 2?\nAnswer:", "def add(a, b):\n    return")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url, process, log, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"no server after {seconds} seconds:\n{log.read_text()}")


@pytest.fixture(scope="module")
def real(embedded, tmp_path_factory):
    """The address of a server that runs until the last test is done, and the name of its model."""
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason="transformers serve needs fastapi, uvicorn and openai")
    folder = tmp_path_factory.mktemp("serve")
    log, port = folder / "log.txt", _free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", embedded.name]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=embedded.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1", embedded.name
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


@pytest.fixture(scope="module")
def local(embedded):
    """Greedy text by transformers alone: (prompt, as a chat?, tokens) to text and number of tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded)
    model = AutoModelForCausalLM.from_pretrained(embedded, dtype=torch.float32).eval()

    def write(prompt, chat, tokens):
        if chat:
            message = [{"role": "user", "content": prompt}]
            prompt = tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        given = tokenizer(prompt, return_tensors="pt", add_special_tokens=not chat)
        with torch.inference_mode():
            ids = model.generate(**given, max_new_tokens=tokens, do_sample=False)[0, given["input_ids"].shape[1] :]
        return tokenizer.decode(ids, skip_special_tokens=True), len(ids)

    return write


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def _model(real, **arguments):
    url, name = real
    return load_model(f"openai/{name}", {"base_url": url, "concurrency": "2", "timeout": "60", **arguments})


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_served_model_writes_what_it_writes_here(real, local, api):
    model = _model(real, api=api)
    prompts = [Prompt(text, Decoding(max_tokens=12)) for text in PROMPTS]
    found = dict(pair for batch in model.generate(prompts, lambda index: False) for pair in batch)
    for index, text in enumerate(PROMPTS):
        expected, tokens = local(text, api == "chat", 12)
        finish = "length" if tokens == 12 else "stop"
        assert found[index] == Completion(expected, tokens, finish)
    assert model.tokens_computed > 0


def test_a_served_model_stops_before_the_stop_string(real, local):
    prompt = Prompt("1 2 3 4 5 6", Decoding(max_tokens=12, stop=("8", "11")))
    [[(_, answer)]] = _model(real).generate([prompt], lambda index: False)
    expected, _ = local(prompt.context, False, 12)
    assert "8" in expected
    assert answer.text == expected.split("8")[0]
    assert answer.finish == "stop"


def test_this_server_passes_over_echo_and_the_start_notices(real):
    """It takes `echo` and `logprobs` without a word, and gives neither."""
    model = _model(real)
    assert model.facts()["interface"] == "/completions"
    assert not isinstance(model, Scores)
    assert model.lacks["score"] == "the server gives no log-probabilities"
