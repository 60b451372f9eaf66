"""`openai/<name>`: a model behind any OpenAI-compatible server: vLLM, llama.cpp, transformers serve, OpenAI itself.

Belongs here: the provider, the two kinds of model, and the order of work. Does not belong here: connections
(`_http.py`), the meaning of answers (`_server_*.py`).

Naming such a model costs three to five short requests: which abilities it has is known only after the server has shown
them. The key comes from the environment variable OPENAI_API_KEY and goes to the base_url only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

from gnomon.asks import Ask, Completion, Failed, Prompt, Scored
from gnomon.errors import ModelError, UsageError
from gnomon.models import _server_scores as scores
from gnomon.models._http import Address, Client, Fault, Key, Pace
from gnomon.models._model import Answers, Arguments, Completions, Model, ModelName
from gnomon.models._server_loop import as_done
from gnomon.models._server_probe import VARIABLE, Found, Server, look
from gnomon.models._server_text import Api, Dialect, Usage, estimate_tokens, failed

ARGUMENTS = ("base_url", "api", "concurrency", "timeout", "retries", "max_requests_per_minute")
OPENAI = "https://api.openai.com/v1"

_TOGETHER = 16  # prompts in one request
_GIVE_UP = 8  # items in a row for which the server could not be reached at all

A = TypeVar("A", Scored, Completion)


def provider(name: ModelName, arguments: Mapping[str, str]) -> Model:
    """The model that a server calls `name.rest`. Asks the server what it has: see `_server_probe.py`.

    `-M` arguments: base_url (https://api.openai.com/v1), api (auto, completions, chat), concurrency (requests at a
    time, 8), timeout (seconds a request, 600), retries (6), max_requests_per_minute (0: no limit).

    Raises UsageError for arguments that cannot be, ModelError for a server that is down, refuses the key or lacks the
    model.
    """
    shown = f"openai/{name.rest}"
    given = Arguments(arguments, ARGUMENTS, shown)
    if not name.rest or name.settings:
        raise UsageError(
            f"'{shown}' names no model of a server." if not name.rest else f"{shown} has no settings after '@'.",
            hint="Write  -m openai/<name>  with a name that the server lists under /models .",
        )
    key = Key.of(VARIABLE)
    base = given.text("base_url", OPENAI)
    if key.within(base) or key.within(name.rest):
        raise UsageError(
            f"the key in {VARIABLE} is part of the model's name or base_url, which are written into results."
        )
    address = Address.parse(base)
    if address.url == OPENAI and not key:
        raise ModelError(
            f"{OPENAI} wants a key, and {VARIABLE} is not set.",
            hint="Set it, or name another server with  -M base_url=http://HOST:PORT/v1 .",
        )
    limits = _Limits(
        concurrency=given.whole("concurrency", 8, 1, 256),
        timeout=given.number("timeout", 600, 0.1, 86_400),
        retries=given.whole("retries", 6, 0, 20),
        pace=Pace(given.number("max_requests_per_minute", 0, 0, 1_000_000)),
    )
    api = cast(Literal["auto", "completions", "chat"], given.text("api", "auto", ("auto", "completions", "chat")))
    return _open(shown, Server(address, key, name.rest), limits, api)


@dataclass(frozen=True)
class _Limits:
    concurrency: int
    timeout: float
    retries: int
    pace: Pace

    def client(self, server: Server) -> Client:
        return Client(server.address, server.key, self.pace, self.timeout, self.retries, self.concurrency)


def _open(shown: str, server: Server, limits: _Limits, api: Literal["auto", "completions", "chat"]) -> Model:
    """Look at the server, and make the model that has the abilities found."""
    remarks: list[str] = []

    def remark(text: str) -> None:
        if text not in remarks:
            remarks.append(text)

    limit = (
        "max_completion_tokens" if server.address.url == OPENAI else "max_tokens"
    )  # others may pass over the new name
    dialects: dict[Api, Dialect] = {
        "completions": Dialect(server.model, "completions", remark=remark),
        "chat": Dialect(server.model, "chat", limit, remark=remark),
    }

    async def job(client: Client, _: None) -> Found:
        return await look(client, server, api, dialects)

    [[found]] = as_done([None], limits.client(server), job, workers=1)
    kind = _Writes if found.no_scores else _WritesAndScores
    return kind(shown, server, limits, found, dialects[found.api], remarks)


class _Writes:
    """A served model that writes text."""

    def __init__(
        self, name: str, server: Server, limits: _Limits, found: Found, dialect: Dialect, remarks: list[str]
    ) -> None:
        self.name = name
        self.context_length = found.context_length
        self.remarks = remarks
        self.tokens_computed = 0
        self.lacks = {"score": found.no_scores} if found.no_scores else {}
        """Why an ability is not there, by its name."""
        self._server, self._limits, self._found, self._dialect = server, limits, found, dialect
        self._marks: set[str] = set()
        if server.key and server.address.scheme == "http" and not server.address.loopback:
            remarks.append(f"The key in {VARIABLE} went to {server.address.url} unencrypted.")
        if found.listed and not found.entry:
            remarks.append(f"The server does not list '{server.model}' among its models.")
        if found.no_scores:
            remarks.append(f"No log-probabilities: {found.no_scores}.")

    def fingerprint(self) -> str:
        """Of the server's address, the model's name, the interface, and what the server tells of the model."""
        parts = {
            "provider": "openai v1",
            "server": self._server.address.place,
            "model": self._server.model,
            "api": self._found.api,
            "entry": self._found.entry,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def facts(self) -> dict[str, str]:
        told = {name: value for name, value in self._found.entry.items() if name != "id"}
        return {
            "provider": "openai",
            "server": self._server.address.url,
            "interface": self._dialect.path,
            "weights": "not known: a server's weights cannot be hashed, and may change under the same name",
            "server tells": json.dumps(told, sort_keys=True, ensure_ascii=False)[:500]
            if told
            else "nothing of the model",
            "log-probabilities": self._found.no_scores or "echoed by the server; checked on two short texts",
            "token counts": "estimated before work (a token for three bytes), the server's own after it",
        }

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An estimate, start token included: a server has no tokenizer to ask. See `estimate_tokens`."""
        return [estimate_tokens(text) + 1 for text in texts]

    def generate(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> Iterator[Completions]:
        """Completions as they are done. The server draws: equal seeds give equal texts only where it keeps to them."""

        async def one(client: Client, index: int) -> tuple[int, Completion | Fault | Failed]:
            found = await self._dialect.ask(client, prompts[index])
            if isinstance(found, Fault):
                return index, found
            self._spent(found.usage)
            if found.mark:
                self._marks.add(found.mark)
            return index, found.answer

        wanted = [index for index in range(len(prompts)) if not skip(index)]
        with closing(as_done(wanted, self._limits.client(self._server), one, self._workers(wanted))) as batches:
            yield from self._passed_on(batches)
        self._remark_marks()

    def _workers(self, wanted: Sequence[int]) -> int:
        return max(1, min(self._limits.concurrency, len(wanted)))

    def _spent(self, usage: Usage) -> None:
        self.tokens_computed += usage.total

    def _passed_on(
        self, batches: Iterator[list[tuple[int, A | Failed | Fault]]]
    ) -> Iterator[list[tuple[int, A | Failed]]]:
        """Faults as failures of their items, unless they end everything; what came before is passed on first."""
        lost = 0
        for batch in batches:
            good: list[tuple[int, A | Failed]] = []
            error: ModelError | None = None
            for index, found in batch:
                if not isinstance(found, Fault):
                    lost = 0
                    good.append((index, found))
                    continue
                lost = lost + 1 if found.kind in ("unreachable", "broken") else 0
                error = error or self._server.end(found, self._found.listed) or self._gone(lost, found)
                if error is None:
                    good.append((index, failed(found)))
            if good:
                yield good
            if error:
                raise error

    def _gone(self, lost: int, fault: Fault) -> ModelError | None:
        if lost < max(_GIVE_UP, self._limits.concurrency):
            return None
        hint = "Answers so far are kept: start it again and repeat the command."
        return ModelError(
            f"the server at {self._server.address.url} cannot be reached any more: {fault.message}.", hint=hint
        )

    def _remark_marks(self) -> None:
        if len(self._marks) > 1:
            shown = ", ".join(sorted(self._marks)[:4])
            self.remarks.append(
                f"The server changed its configuration during the run: {len(self._marks)} marks ({shown})."
            )


class _WritesAndScores(_Writes):
    """A served model whose echoes were found to be true at the start, and are checked again each time."""

    def score(self, asks: Sequence[Ask], skip: Callable[[int], bool]) -> Iterator[Answers]:
        """Log-probabilities of continuations, as the server's tokenizer splits them."""

        async def one(client: Client, index: int) -> tuple[int, Scored | Fault | Failed]:
            return index, await self._score(client, asks[index])

        wanted = [index for index in range(len(asks)) if not skip(index)]
        with closing(as_done(wanted, self._limits.client(self._server), one, self._workers(wanted))) as batches:
            yield from self._passed_on(batches)

    async def _score(self, client: Client, ask: Ask) -> Scored | Fault | Failed:
        context, texts = scores.parts(ask)
        echoes: list[scores.Echo | str] = []
        step = _TOGETHER if self._found.together else 1
        for low in range(0, len(texts), step):
            found = await self._echo(client, texts[low : low + step])
            if isinstance(found, Fault):
                return found
            echoes.extend(found)
        sums = []
        for echo, text, continuation in zip(echoes, texts, ask.continuations, strict=True):
            if isinstance(echo, str):
                return Failed(echo)
            one: scores.Beyond | Fault = scores.beyond(echo, context)
            if isinstance(one, scores.Beyond) and one.straddles:
                one = await self._straddled(client, context, text, echo)
            if isinstance(one, Fault):
                return one
            if one.fault:
                return Failed(f"no log-probability of {continuation!r}: {one.fault}")
            sums.append(one)
        return Scored(tuple(one.logprob for one in sums), tuple(one.tokens for one in sums))

    async def _straddled(self, client: Client, context: str, text: str, echo: scores.Echo) -> scores.Beyond | Fault:
        """What lies beyond the context where a token reaches over its end: two more requests, or none such sum."""
        found = await self._echo(client, [context])
        if isinstance(found, Fault):
            return found
        alone = found[0]
        rest = "" if isinstance(alone, str) else scores.rest(text, echo, alone)
        if isinstance(alone, str) or not rest:
            return scores.Beyond(fault="a token of the server's straddles the end of the context")
        found = await self._echo(client, [context + rest])
        if isinstance(found, Fault):
            return found
        return scores.Beyond(fault=found[0]) if isinstance(found[0], str) else scores.after(found[0], alone, echo)

    async def _echo(self, client: Client, texts: Sequence[str]) -> tuple[scores.Echo | str, ...] | Fault:
        found = await client.ask(
            "/completions", scores.body(self._server.model, texts), lambda body: scores.read(texts, body)
        )
        if isinstance(found, Fault):
            return found
        self._spent(found.usage)
        return found.found
