"""Text from an OpenAI-compatible server: what is asked of its two interfaces, and what an answer holds.

Belongs here: bodies of requests, reading of completions, what one server takes and another does not. Does not belong
here: log-probabilities (`_server_scores.py`), connections (`_http.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gnomon.asks import Completion, Failed, Prompt
from gnomon.models._http import LEAK, Client, Fault, Malformed

__all__ = ["Api", "Dialect", "Usage", "estimate_tokens", "failed", "first", "read_usage"]

Api = Literal["completions", "chat"]

MOST_STOPS = 4  # OpenAI's limit; further ones are applied to the text that comes
_SEEDS = 2**31 - 1  # what all servers can hold
_OVER = 1  # some servers count the end token, which is none of the text's
_REFUSALS = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")

PATHS: Mapping[Api, str] = {"completions": "/completions", "chat": "/chat/completions"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a server says it read and wrote; None where it does not say."""

    read: int | None = None
    written: int | None = None

    @property
    def total(self) -> int:
        return (self.read or 0) + (self.written or 0)


@dataclass(frozen=True, slots=True)
class Written:
    """A completion or a refusal, what it cost, and the mark of the server's configuration."""

    answer: Completion | Failed
    usage: Usage
    mark: str = ""


@dataclass
class Dialect:
    """What a server takes of the interface, learnt from its refusals, and how a prompt is put to it.

    A parameter that a server refuses is left out, or named otherwise, only where that cannot change the text: the name
    of the limit, stop strings (which are applied here in any case) and the seed, whose loss is a remark.

    >>> from gnomon.asks import Decoding
    >>> Dialect("some-model", "completions").body(Prompt("2 + 2 =", Decoding(max_tokens=4, stop=("\\n",))))
    {'model': 'some-model', 'prompt': '2 + 2 =', 'max_tokens': 4, 'temperature': 0.0, 'stop': ['\\n']}
    """

    model: str
    api: Api
    limit: str = "max_tokens"
    renamed: bool = False
    without: frozenset[str] = frozenset()
    remark: Callable[[str], None] = field(default=lambda text: None, repr=False)

    @property
    def path(self) -> str:
        return PATHS[self.api]

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request for one prompt; a chat gets it as the one message of a user."""
        how = prompt.decoding
        message = [{"role": "user", "content": prompt.context}]
        asked = {"prompt": prompt.context} if self.api == "completions" else {"messages": message}
        body = {"model": self.model, **asked, self.limit: how.max_tokens, "temperature": how.temperature}
        if how.temperature > 0:
            body["seed"] = prompt.seed % _SEEDS
            if how.top_p < 1:
                body["top_p"] = how.top_p
        if stops := [stop for stop in how.stop if stop][:MOST_STOPS]:
            body["stop"] = stops
        return {name: value for name, value in body.items() if name not in self.without}

    async def ask(self, client: Client, prompt: Prompt, *, reach: bool = True) -> Written | Fault:
        """The server's answer to `prompt`, put in another way where it refuses this one."""
        way = self
        found = await way._once(client, prompt, reach)
        while isinstance(found, Fault) and (other := way._other(found, prompt)):
            way = other
            found = await way._once(client, prompt, reach)
        if way is not self and not isinstance(found, Fault):
            self._learn(way)
        return found

    async def _once(self, client: Client, prompt: Prompt, reach: bool) -> Written | Fault:
        found = await client.ask(
            self.path, self.body(prompt), lambda body: read_text(self.api, prompt, body), reach=reach
        )
        if isinstance(found, Written) and isinstance(found.answer, Completion):
            most, written = prompt.decoding.max_tokens, found.usage.written
            if written is not None and written > most + _OVER:
                return Fault("malformed", f"{written:,} tokens where {most:,} were allowed", param=self.limit)
        return found

    def _other(self, fault: Fault, prompt: Prompt) -> Dialect | None:
        """Another name of the limit, or fewer parameters, where that is what the server complains of."""
        if fault.status not in (400, 422) and not fault.param:
            return None
        named = {name for name in self.body(prompt) if name == fault.param or re.search(rf"\b{name}\b", fault.message)}
        if self.limit in named and self.api == "chat" and not self.renamed:
            other = "max_completion_tokens" if self.limit == "max_tokens" else "max_tokens"
            return replace(self, limit=other, renamed=True)
        dropped = named & {"seed", "stop"}
        return replace(self, without=self.without | dropped) if dropped else None

    def _learn(self, trial: Dialect) -> None:
        if "seed" in trial.without - self.without:
            self.remark("The server takes no seed, so samples cannot be drawn again.")
        self.limit, self.renamed, self.without = trial.limit, trial.renamed, self.without | trial.without


def read_text(api: Api, prompt: Prompt, body: Any) -> Written:
    """The one completion in an answer; raises Malformed for what holds none."""
    choice = first(body)
    finish = choice.get("finish_reason")
    if finish is not None and not isinstance(finish, str):
        raise Malformed(f"finish_reason {finish!r}")
    text: Any
    refusal = ""
    if api == "completions":
        text = choice.get("text")
    else:
        message = choice.get("message")
        if not isinstance(message, dict):
            raise Malformed(f"no message: {str(message)[:80]!r}")
        text, refusal = message.get("content"), message.get("refusal") or ""
    usage, mark = read_usage(body), str(body.get("system_fingerprint") or "")
    if refusal or finish == "content_filter":
        words = str(refusal)[:200] if refusal else "its content filter stepped in"
        return Written(Failed(f"the server refused: {words}", "refused"), usage, mark)
    if text is None and finish == "length":
        text = ""  # all tokens went into reasoning, which is kept apart
    if not isinstance(text, str):
        raise Malformed(f"no text: {str(text)[:80]!r}")
    if LEAK in text:
        return Written(Failed("the server's answer holds the API key itself, so it was not kept"), usage, mark)
    cut = _cut(text, prompt.decoding.stop)
    full = finish in ("length", "max_tokens") or (finish is None and (usage.written or 0) >= prompt.decoding.max_tokens)
    ended: Literal["stop", "length"] = "length" if full and cut is None else "stop"
    written = estimate_tokens(text) if usage.written is None else usage.written
    return Written(Completion(text[:cut], written, ended), usage, mark)


def first(body: Any) -> dict[str, Any]:
    """The first and only choice of an answer."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        number = len(choices) if isinstance(choices, list) else "no list of"
        raise Malformed(f"{number} choices where 1 was asked for")
    return choices[0]


def read_usage(body: Any) -> Usage:
    """What the answer says of its cost, as far as it is numbers."""
    usage = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(usage, dict):
        return Usage()
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _cut(text: str, stops: tuple[str, ...]) -> int | None:
    """Where the first stop string begins."""
    return min((at for stop in stops if stop and (at := text.find(stop)) >= 0), default=None)


def estimate_tokens(text: str) -> int:
    """A server has no tokenizer to ask: one token for three bytes of UTF-8, rounded up.

    English takes about four characters a token, code and numbers fewer, other scripts up to a token a character (three
    bytes): the estimate is on the safe side for what must fit into a context.

    >>> estimate_tokens("The capital of France is"), estimate_tokens("")
    (8, 0)
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def failed(fault: Fault) -> Failed:
    """A fault as the answer to one item."""
    if any(word in f"{fault.code} {fault.message}".lower() for word in _REFUSALS) and fault.status == 400:
        return Failed(f"the server refused: {fault.message}", "refused")
    tries = f" ({fault.tries} tries)" if fault.tries > 1 else ""
    how = {
        "unreachable": "the server cannot be reached: ",
        "broken": "the server broke off the connection: ",
        "timeout": "the server gave ",
        "malformed": "the server gave ",
        "too large": "the server gave ",
        "redirect": "the server gave ",
        "status": "the server answered ",
    }[fault.kind]
    return Failed(f"{how}{fault.message}{tries}")
