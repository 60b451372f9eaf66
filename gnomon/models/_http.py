"""One JSON request to a server that may be slow, busy, broken or hostile, and the key that goes along.

Belongs here: addresses, the key, time limits, size limits, retries, pace. Does not belong here: what is asked of a
server or what an answer means (`_server_*.py`).

A request ends in what its reader made of the answer, or in a `Fault`, never in an exception: no exception that holds a
request, and with it the key, is ever passed on. Every text of an answer is freed of the key before anyone reads it.
"""

from __future__ import annotations

import asyncio
import email.utils
import importlib.metadata
import ipaddress
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import httpx2

from gnomon.errors import ModelError, UsageError

__all__ = ["LEAK", "Address", "Client", "Fault", "Key", "Malformed", "Pace"]

T = TypeVar("T")

LEAK = "[API key removed]"
"""What stands in an answer where a server sent the key back."""

MOST_BYTES = 64 << 20  # an echo of 100,000 tokens with their log-probabilities takes about a quarter of it
FIRST_WAIT = 0.5  # seconds; doubled at each further try
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 600.0  # a server that asks for more has run out of something: saying so beats waiting
_CONNECT = 10.0
_SECRET_LENGTH = 8  # shorter "keys" (EMPTY, none, x) are place-holders, and words of ordinary texts


class Malformed(ValueError):
    """An answer of the wrong shape: worth asking for again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """No usable answer, and why: `message` is the end of a sentence, free of the key.

    `again`: asking once more may help. `wait`: seconds that the server asked to be left alone.
    """

    kind: Literal["unreachable", "broken", "timeout", "malformed", "status", "redirect", "too large"]
    message: str
    status: int = 0
    code: str = ""
    param: str = ""
    again: bool = False
    wait: float | None = None
    tries: int = 1


class Key:
    """An API key out of the environment: shown nowhere, and taken out of every text that comes back.

    >>> Key("sk-0123456789")
    Key(set)
    >>> Key("sk-0123456789").hide("bad key sk-0123456789!")
    'bad key [API key removed]!'
    >>> Key("")
    Key(none)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, variable: str) -> Key:
        """The key in the environment's `variable`; raises ModelError, without the value, where it cannot be one."""
        value = os.environ.get(variable, "").strip()
        if not all("!" <= char <= "~" for char in value):
            raise ModelError(
                f"{variable} holds white space or characters that no key has, so it was not sent.",
                hint=f"Set {variable} to the bare key.",
            )
        return cls(value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Key({'set' if self else 'none'})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key is not written down")

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._value}"} if self else {}

    def within(self, text: str) -> bool:
        return len(self._value) >= _SECRET_LENGTH and self._value in text

    def hide(self, text: str) -> str:
        return text.replace(self._value, LEAK) if self.within(text) else text

    def clean(self, value: Any) -> Any:
        """JSON without the key, and without half characters, which no file could hold."""
        match value:
            case str():
                return _whole(self.hide(value))
            case list():
                return [self.clean(one) for one in value]
            case dict():
                return {self.clean(name): self.clean(one) for name, one in value.items()}
        return value


@dataclass(frozen=True)
class Address:
    """Where a server's API begins, such as http://127.0.0.1:8000/v1, checked and in one spelling.

    >>> Address.parse("HTTP://LocalHost:8000/v1/").url
    'http://localhost:8000/v1'
    >>> Address.parse("localhost")
    Traceback (most recent call last):
    gnomon.errors.UsageError: model argument base_url=localhost is no address. Write  -M base_url=http://HOST:PORT/v1 .
    """

    scheme: str
    place: str
    """Host, port where it is not the scheme's own, and path: what tells one server from another."""
    host: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises UsageError for what is no plain http or https address; the text is not repeated where it may hold a
        password."""
        hint = "Write  -M base_url=http://HOST:PORT/v1 ."
        if "@" in text or "?" in text or "#" in text:
            raise UsageError("model argument base_url holds a user name, a query or a fragment.", hint=hint)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
            httpx2.URL(text)
        except (ValueError, httpx2.InvalidURL):
            host, port = "", None
        if not host or parts.scheme not in ("http", "https"):
            raise UsageError(f"model argument base_url={text} is no address.", hint=hint)
        path = parts.path.rstrip("/")
        for tail in ("/chat/completions", "/completions", "/models"):
            if path.endswith(tail):
                shorter = f"{parts.scheme}://{parts.netloc}{path.removesuffix(tail)}"
                raise UsageError(
                    f"model argument base_url={text} goes too deep.", hint=f"Write  -M base_url={shorter} ."
                )
        shown = f"[{host}]" if ":" in host else host
        own = {"http": 80, "https": 443}[parts.scheme]
        return cls(parts.scheme, f"{shown}{f':{port}' if port not in (None, own) else ''}{path}", host)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}"

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass
class Pace:
    """When the next request may leave: at most `per_minute` (0: no limit), and not before a pause is over."""

    per_minute: float = 0.0
    _next: float = field(default=0.0, repr=False)
    _until: float = field(default=0.0, repr=False)

    async def turn(self) -> None:
        """Wait for this request's turn."""
        start = max(time.monotonic(), self._next)
        self._next = start + (60 / self.per_minute if self.per_minute else 0)
        while (wait := max(start, self._until) - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nobody ask for some seconds: the limit that one request met is the limit of all."""
        self._until = max(self._until, time.monotonic() + seconds)


class Client:
    """Asks one server; an asynchronous context manager, to be used within one event loop.

    Parameters
    ----------
    address, key, pace
        Where, with what, how fast. The key goes to this address only: redirects are not followed, and a proxy of the
        environment is used for https alone, whose contents it cannot read.
    timeout : float
        Seconds for one request, connecting and reading included.
    retries : int
        How often a request is repeated after a busy, broken or unreachable server.
    connections : int
        Most requests at a time.
    """

    def __init__(self, address: Address, key: Key, pace: Pace, timeout: float, retries: int, connections: int) -> None:
        self._address, self._key, self._pace = address, key, pace
        self._timeout, self._retries, self._connections = timeout, retries, connections
        self._random = random.Random()  # jitter must differ between processes; no result depends on it

    async def __aenter__(self) -> Client:
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": f"gnomon/{importlib.metadata.version('gnomon')}",
            **self._key.headers(),
        }
        fault = ""
        try:
            self._http = httpx2.AsyncClient(
                headers=headers,
                timeout=httpx2.Timeout(None, connect=min(_CONNECT, self._timeout)),
                limits=httpx2.Limits(max_connections=self._connections),
                trust_env=self._address.scheme == "https" and not self._address.loopback,
                follow_redirects=False,
                verify=self._address.scheme == "https",  # without TLS, reading all certificates is 20 ms for nothing
            )
        except (ImportError, OSError, ValueError) as error:  # proxies and certificates of the environment
            fault = self._key.hide(_first_line(error))
        if fault:
            raise ModelError(f"no connection to {self._address.url} can be made: {fault}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[Any], T],
        *,
        retries: int | None = None,
        reach: bool = True,
        timeout: float | None = None,
    ) -> T | Fault:
        """What `read` makes of the answer to `body` (GET where it is None), or a fault after all tries.

        `read` gets clean JSON and raises `Malformed` for what is no answer. `retries` and `timeout` lower
        the client's own; without `reach`, a server that cannot be connected to, or is silent, is not tried again.
        """
        seconds = self._timeout if timeout is None else min(timeout, self._timeout)
        most = self._retries if retries is None else min(retries, self._retries)
        content = None if body is None else json.dumps(body).encode()
        for attempt in range(most + 1):
            await self._pace.turn()
            found = await self._once(path, content, read, seconds)
            if not isinstance(found, Fault):
                return found
            fault = replace(found, tries=attempt + 1)
            if not fault.again or attempt == most or (fault.kind in ("unreachable", "timeout") and not reach):
                break
            backoff = self._random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt))  # full jitter
            if fault.wait is not None:
                self._pace.pause(fault.wait)
            await asyncio.sleep(backoff + (fault.wait or 0.0))
        return fault

    async def _once(self, path: str, content: bytes | None, read: Callable[[Any], T], seconds: float) -> T | Fault:
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(
                    "GET" if content is None else "POST", self._address.url + path, content=content
                ) as got,
            ):
                headers, raw = got.headers, await _body(got)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.PoolTimeout):
            return Fault("timeout", f"no answer within {seconds:g} seconds", again=True)
        except httpx2.DecodingError:
            return Fault("malformed", "an answer whose compression is broken", again=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return Fault("unreachable", self._key.hide(_first_line(error)), again=True)
        except (httpx2.HTTPError, OSError) as error:  # a kept connection may have been closed at this very moment
            return Fault("broken", self._key.hide(_first_line(error)), again=True)
        if raw is None:
            return Fault("too large", f"an answer of more than {MOST_BYTES >> 20} MiB, which was not read")
        if 300 <= got.status_code < 400:
            target = _readable(self._key.hide(headers.get("location", "")), 120)
            return Fault("redirect", f"a redirection to '{target}', which is not followed", got.status_code)
        if got.status_code >= 400:
            return self._refusal(got.status_code, headers, raw)
        try:
            return read(self._key.clean(_json(raw)))
        except RecursionError:
            return Fault("malformed", "JSON that is nested too deep", again=True)
        except Malformed as error:
            return Fault("malformed", self._key.hide(str(error)), again=True)

    def _refusal(self, status: int, headers: Mapping[str, str], raw: bytes) -> Fault:
        """What an error status says. Servers put their words in different places, or send a page for people."""
        try:
            body = self._key.clean(_json(raw))
        except (Malformed, RecursionError):
            body = None
        error = body.get("error", body) if isinstance(body, dict) else {}
        said = error if isinstance(error, str) else ""
        code = param = ""
        if isinstance(error, dict):
            said = next((str(error[name]) for name in ("message", "detail", "error", "type") if error.get(name)), "")
            code, param = str(error.get("code") or ""), str(error.get("param") or "")
        text = said or self._key.hide(raw[:2000].decode("utf-8", "replace"))
        busy = status in (408, 409, 425, 429) or status >= 500
        wait = _retry_after(headers.get("retry-after", "")) if busy else None
        patient = wait is None or wait <= LONGEST_RETRY_AFTER
        if not patient:
            text = f"wait {wait:,.0f} seconds; {text}"
        again = busy and patient and code != "insufficient_quota"
        return Fault("status", f"HTTP {status}: {_readable(text)}", status, code, param, again, wait if again else None)


async def _body(response: httpx2.Response) -> bytes | None:
    """The answer's bytes; None where they are too many. A redirection's are not read."""
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        return None
    parts, size = [], 0
    if not 300 <= response.status_code < 400:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                return None
            parts.append(part)
    return b"".join(parts)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"))
    except ValueError:
        pass
    text = raw[:400].decode("utf-8", "replace")
    raise Malformed(f"no whole JSON: {_readable(text)!r}" if text.strip() else "an empty answer")


def _retry_after(text: str) -> float | None:
    """Seconds to wait, from a number of seconds or a date; None where there is neither.

    >>> _retry_after("1.5"), _retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), _retry_after("soon")
    (1.5, 0.0, None)
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _readable(text: str, most: int = 200) -> str:
    """One line for people: no line breaks, no escapes of a terminal, not long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else f"{line[:most]} ..."


def _whole(text: str) -> str:
    """`text` with halves of surrogate pairs replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _first_line(error: Exception) -> str:
    return _readable(str(error)) or type(error).__name__
