"""What a server has, found out before work begins: its interfaces, its word on the model, whether its echoes are true.

Belongs here: the few requests of the start, and the errors that end everything. Does not belong here: the work itself
(`openai.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gnomon.asks import Decoding, Prompt
from gnomon.errors import ModelError
from gnomon.models import _server_scores as scores
from gnomon.models._http import Address, Client, Fault, Key, Malformed
from gnomon.models._server_text import Api, Dialect, failed
from gnomon.registry import did_you_mean

__all__ = ["Found", "Server", "look"]

VARIABLE = "OPENAI_API_KEY"

_STABLE = ("id", "owned_by", "root", "parent", "max_model_len", "context_length", "context_window", "meta")
"""What is kept of the model's entry. `created` is not: vLLM, llama.cpp and others fill it with the time of the request,
and `permission` with random ids, so that a resumed run would find another model."""

_LIST_SECONDS = 60.0  # a list takes no computing; the first text may have to wait for weights to be loaded
_LIMITS = ("max_model_len", "context_length", "context_window", "max_context_length")


@dataclass(frozen=True)
class Server:
    """Where a model is served, under which name, and with which key."""

    address: Address
    key: Key
    model: str

    def end(self, fault: Fault, listed: tuple[str, ...] = ()) -> ModelError | None:
        """The error that ends all work, for a fault that no further request can mend."""
        url = self.address.url
        if fault.status == 401:
            other = f"refuses the key in {VARIABLE}" if self.key else "wants a key"
            return ModelError(
                f"the server at {url} {other}: {fault.message}", hint=f"Set {VARIABLE} to a key of its own."
            )
        if fault.status == 404:
            names = f" It lists: {', '.join(listed[:8])}{', ...' if len(listed) > 8 else ''}." if listed else ""
            address = "" if listed else "Is the address right? It mostly ends in /v1 ."
            hint = " ".join(filter(None, [did_you_mean(self.model, listed), f"See  {url}/models .", address]))
            return ModelError(f"the server at {url} has no '{self.model}': {fault.message}.{names}", hint=hint)
        if fault.kind == "redirect":
            hint = "The key goes to the given address only: give the final one with  -M base_url=http://HOST:PORT/v1 ."
            return ModelError(f"the server at {url} gave {fault.message}.", hint=hint)
        if fault.code == "insufficient_quota":
            hint = "Answers so far are kept: raise the quota and repeat the command."
            return ModelError(f"the server at {url} has no quota left: {fault.message}", hint=hint)
        return None

    def start_error(self, fault: Fault, listed: tuple[str, ...] = ()) -> ModelError:
        """The error for a fault of a request without which nothing can begin."""
        if error := self.end(fault, listed):
            return error
        url = self.address.url
        if fault.kind in ("unreachable", "broken"):
            hint = "Start it, or give its address with  -M base_url=http://HOST:PORT/v1 ."
            return ModelError(f"no server answers at {url}: {fault.message}.", hint=hint)
        what = failed(fault).message
        hint = "Is this the address of an OpenAI-compatible interface? It mostly ends in /v1 ."
        return ModelError(f"nothing can be asked at {url}: {what}", hint=hint)


@dataclass(frozen=True)
class Found:
    """What a server has. `no_scores` says why its log-probabilities cannot be used; empty where they can. `together`:
    several prompts fit into one request."""

    api: Api
    entry: Mapping[str, Any] = field(default_factory=dict)
    listed: tuple[str, ...] = ()
    no_scores: str = ""
    together: bool = False

    @property
    def context_length(self) -> int | None:
        """Most tokens that the model sees at once, where the server tells."""
        meta = self.entry.get("meta")
        told = [self.entry.get(name) for name in _LIMITS] + [meta.get("n_ctx") if isinstance(meta, dict) else None]
        return next((n for n in told if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)


async def look(
    client: Client, server: Server, api: Literal["auto", "completions", "chat"], dialects: Mapping[Api, Dialect]
) -> Found:
    """Ask for the list of models, for one token of text, and for two echoes: three to five short requests.

    Raises ModelError for a server that cannot be used at all.
    """
    entry, listed = await _entry(client, server)
    fault: Fault | None = None
    if api in ("auto", "completions"):
        fault = await _text(client, dialects["completions"])
        if fault is None:
            no_scores, together = await _echoes(client, server)
            return Found("completions", entry, listed, no_scores, together)
        if api == "completions" or not (fault.status in (400, 403, 404, 405, 422, 501) or fault.kind == "malformed"):
            raise server.start_error(fault, listed)
    if (chat_fault := await _text(client, dialects["chat"])) is not None:
        raise server.start_error(fault if fault is not None and fault.status == 403 else chat_fault, listed)
    return Found("chat", entry, listed, "its chat interface gives none of a text that it is handed")


async def _entry(client: Client, server: Server) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the list of models says of this one, and the other names; nothing where there is no list."""

    def read(body: Any) -> list[dict[str, Any]]:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, list):
            raise Malformed("no list of models")
        return [one for one in data if isinstance(one, dict) and isinstance(one.get("id"), str)]

    found = await client.ask("/models", None, read, retries=1, reach=False, timeout=_LIST_SECONDS)
    if isinstance(found, Fault):
        if found.status == 401 or found.kind in ("unreachable", "redirect", "timeout"):
            raise server.start_error(found)
        return {}, ()
    own = next((one for one in found if one["id"] == server.model), {})
    entry = {name: own[name] for name in _STABLE if own.get(name) is not None}
    return entry, tuple(one["id"][:80] for one in found)


async def _text(client: Client, dialect: Dialect) -> Fault | None:
    """Whether one token of text can be had; the fault where not.

    A refusal of this request's values (400) is no fault of a chat: models that reason need more than one token.
    """
    found = await dialect.ask(client, Prompt("Hello", Decoding(max_tokens=1)), reach=False)
    if not isinstance(found, Fault) or (dialect.api == "chat" and found.status in (400, 422)):
        return None
    return found


async def _echoes(client: Client, server: Server) -> tuple[str, bool]:
    """Why echoes cannot be believed (empty where they can), and whether two can be asked for at once."""

    def read(count: int) -> Any:
        def choices(body: Any) -> list[Any]:
            scores.read(scores.PROBES[:count], body)
            return sorted(body["choices"], key=lambda choice: choice.get("index", 0))

        return choices

    both = await client.ask("/completions", scores.body(server.model, scores.PROBES), read(2), retries=1)
    if not isinstance(both, Fault):
        return scores.judge(both), True
    answers = []
    for prompt in scores.PROBES:
        one = await client.ask("/completions", scores.body(server.model, [prompt]), read(1), retries=1)
        if isinstance(one, Fault):
            return failed(one).message, False
        answers.extend(one)
    return scores.judge(answers), False
