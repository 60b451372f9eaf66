"""A server of the OpenAI interface in a thread, honest unless told to lie. Belongs here: what servers do. Not: claims.

`FakeServer` answers as a small deterministic language model would; `echo=` names a lie about log-probabilities, and
`server.next(...)` queues one-time misbehaviour for the requests to come (POST only).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gnomon.asks import Decoding, Prompt
from gnomon.models import load_model


class Toy:
    """Words as tokens, each with the white space before it; a log-probability is a hash of all text up to its end."""

    start = None

    def split(self, text):
        return re.findall(r"\s?\S+|\s", text)

    def logprobs(self, text, tokens):
        values, so_far = [], ""
        for token in tokens:
            so_far += token
            values.append(-(hashlib.sha256(so_far.encode()).digest()[0] + 1) / 64)
        return [None, *values[1:]]

    def write(self, text):
        return f" says {hashlib.sha256(text.encode()).hexdigest()[:6]}\nand more"


@dataclass
class Seen:
    path: str
    body: dict
    headers: dict
    at: float = field(default_factory=time.monotonic)


class FakeServer:
    def __init__(
        self, lm=None, *, echo="honest", has=("completions", "chat"), many=True, key="", models=None, takes=None
    ):
        self.lm = lm or Toy()
        self.echo, self.has, self.many, self.key, self.takes = echo, has, many, key, takes
        self.models = (
            [{"id": "toy", "object": "model", "created": 1, "owned_by": "nobody"}] if models is None else models
        )
        self.seen, self.queue, self.each = [], deque(), None
        self.alive = 0
        self.stopped = threading.Event()

    def __enter__(self):
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def posts(self):
        return [seen for seen in self.seen if seen.body]

    def next(self, *behaviours):
        self.queue.extend(behaviours)

    def prompts(self):
        """The texts that were asked for, in order, whatever the interface."""
        return [
            seen.body["prompt"] if "prompt" in seen.body else seen.body["messages"][0]["content"] for seen in self.posts
        ]

    # what an honest server answers

    def text(self, body):
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        choices = [self._choice(index, prompt, body) for index, prompt in enumerate(prompts)]
        tokens = sum(len(self.lm.split(prompt)) for prompt in prompts)
        return {"id": "x", "object": "text_completion", "choices": choices, "usage": _usage(tokens, len(prompts))}

    def chat(self, body):
        text = self.lm.write(body["messages"][0]["content"])
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": _usage(5, 1)}

    def _choice(self, index, prompt, body):
        written = self.lm.write(prompt)[:3] if body["max_tokens"] == 1 else self.lm.write(prompt)
        choice = {"index": index, "text": written, "logprobs": None, "finish_reason": "length"}
        if not body.get("echo") or self.echo == "ignored":
            return choice | ({"logprobs": self._logprobs("", written)} if body.get("logprobs") else {})
        choice["text"] = prompt + written
        if body.get("logprobs"):
            choice["logprobs"] = self._logprobs(prompt, written)
        return choice

    def _logprobs(self, prompt, written):
        tokens = self.lm.split(prompt)
        values = self.lm.logprobs(prompt, tokens) if tokens else []
        if self.lm.start and tokens:
            tokens = [self.lm.start, *tokens]
            values = [None, *values] if len(values) < len(tokens) else values
        tokens, values = [*tokens, written], [*values, -0.5]
        offsets = [0, *itertools.accumulate(map(len, tokens[:-1]))]
        match self.echo:
            case "last":
                tokens, values, offsets = tokens[-1:], values[-1:], offsets[-1:]
            case "none":
                return None
            case "shifted":
                offsets = [at + 3 for at in offsets]
            case "moved":  # each token has lost its first letter to the one before it
                tokens = [token[1:] + after[:1] for token, after in zip(tokens, [*tokens[1:], ""], strict=True)]
            case "constant":
                values = [None, *([-1.0] * (len(values) - 1))]
            case "random":
                salt = str(len(self.seen)) + prompt
                values = [
                    None,
                    *(-hashlib.sha256(f"{salt}{n}".encode()).digest()[0] / 32 for n in range(len(values) - 1)),
                ]
            case "positive":
                values = [None, *(-value for value in values[1:])]
            case "holes":
                values = [value if at % 3 else None for at, value in enumerate(values)]
            case "raw":  # as a vocabulary spells them
                tokens = [token.replace(" ", "Ġ") for token in tokens]
            case "short":
                values = values[:-2]
            case "words":
                values = [str(value) for value in values]
        return {"tokens": tokens, "token_logprobs": values, "top_logprobs": None, "text_offset": offsets}


def _usage(read, written):
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients hang up here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out apart, and would wait 40 ms for one another
    timeout = 5
    server_of: FakeServer

    def log_message(self, *args):
        pass

    def do_GET(self):
        owner = self.server_of
        owner.seen.append(Seen(self.path, {}, dict(self.headers)))
        if not self._allowed():
            return
        if self.path == "/v1/models" and owner.models is not False:
            self.reply(200, {"object": "list", "data": owner.models})
        else:
            self.reply(404, {"detail": "Not Found"})

    def do_POST(self):
        owner = self.server_of
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        owner.seen.append(Seen(self.path, body, dict(self.headers)))
        owner.alive += 1
        try:
            behaviour = owner.queue.popleft() if owner.queue else owner.each
            if (behaviour and behaviour(self, body)) or not self._allowed():
                return
            self._answer(owner, body)
        finally:
            owner.alive -= 1

    def _answer(self, owner, body):
        kind = {"/v1/completions": "completions", "/v1/chat/completions": "chat"}.get(self.path)
        if kind not in owner.has:
            self.reply(404, {"error": {"message": "Not Found", "code": 404}})
        elif body["model"] != "toy":
            self.reply(
                404, {"error": {"message": f"The model `{body['model']}` does not exist.", "code": "model_not_found"}}
            )
        elif owner.takes and (wrong := set(body) - set(owner.takes)):
            self.reply(400, {"error": {"message": f"Unsupported parameter: '{min(wrong)}'.", "param": min(wrong)}})
        elif kind == "completions" and isinstance(body["prompt"], list) and not owner.many:
            self.reply(400, {"detail": "prompt must be a string."})
        else:
            self.reply(200, owner.text(body) if kind == "completions" else owner.chat(body))

    def _allowed(self):
        key = self.server_of.key
        if key and self.headers.get("authorization") != f"Bearer {key}":
            given = self.headers.get("authorization")
            self.reply(401, {"error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}})
            return False
        return True

    def reply(self, status, body, headers=(), *, length=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw) if length is None else length))
        self.end_headers()
        self.wfile.write(raw)


# one-time misbehaviour; a true result means that the request has been dealt with


def status(code, body=None, **headers):
    def act(handler, _):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.reply(code, {"error": {"message": f"status {code}"}} if body is None else body, named)
        return True

    return act


def says(body):
    """An answer of status 200."""
    return status(200, body)


def completion(text, **changes):
    return says({"choices": [{"index": 0, "text": text, "finish_reason": "stop", **changes}]})


def slow(seconds):
    """The honest answer, late."""

    def act(handler, _):
        handler.server_of.stopped.wait(seconds)
        return False

    return act


def drip(handler, _):
    """A byte now and then, for ever: no single read takes long."""
    handler.send_response(200)
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    with suppress(OSError):
        while not handler.server_of.stopped.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    return True


def hang_up(handler, _):
    """Closes the connection without a word."""
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def truncated(handler, body):
    """The first half of an honest answer, as if it were whole."""
    raw = json.dumps(handler.server_of.text(body)).encode()
    handler.reply(200, raw[: len(raw) // 2])
    return True


def broken_off(handler, body):
    """The first half of an honest answer; then the connection ends."""
    raw = json.dumps(handler.server_of.text(body)).encode()
    handler.reply(200, raw[: len(raw) // 2], length=len(raw))
    return hang_up(handler, body)


def huge(megabytes, declared=True):
    def act(handler, _):
        handler.close_connection = True
        handler.send_response(200)
        if declared:
            handler.send_header("content-length", str(megabytes << 20))
        handler.end_headers()
        with suppress(OSError):
            for _ in range(megabytes):
                handler.wfile.write(b" " * (1 << 20))
        return True

    return act


def page(code=200):
    """What a web server says to people."""
    return status(code, b"<!doctype html><html><head><title>Welcome</title></head></html>", content_type="text/html")


def shows_key(code):
    """The request's own key, in every place of an answer."""

    def act(handler, _):
        key = handler.headers.get("authorization", "").removeprefix("Bearer ")
        spelled = "".join(f"\\u{ord(char):04x}" for char in key)
        choice = f'{{"index": 0, "text": "it is {spelled}", "finish_reason": "{key}", "logprobs": "{key}"}}'
        error = f'{{"message": "your key is {key}", "code": "{key}", "param": "{spelled}"}}'
        raw = f'{{"{key}": "{key}", "error": {error}, "choices": [{choice}], "system_fingerprint": "{key}"}}'
        handler.reply(code, raw.encode(), {"x-key": key, "location": f"http://127.0.0.1:9/{key}"})
        return True

    return act


# a model behind such a server, and what it answers


def model_at(server, name="toy", **arguments):
    given = {"base_url": server.url, "retries": "2", **{key: str(value) for key, value in arguments.items()}}
    return load_model(f"openai/{name}", given)


HOW = Decoding(max_tokens=16)


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
