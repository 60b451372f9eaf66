"""Log-probabilities from an OpenAI-compatible server: echoed prompts, and whether their numbers can be believed.

Belongs here: reading an echo, where a context ends in it, judging a server by the probe's echoes. Does not belong here:
text (`_server_text.py`), sending (`_http.py`).

The interface `/completions` gives log-probabilities of the prompt's own tokens where `echo` and `logprobs` are both
obeyed. Many servers take the two and obey one or none, so that nothing is believed unseen: the tokens must join to the
text that was sent, byte by byte, and each token must have its number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gnomon.asks import Ask
from gnomon.models._http import LEAK, Malformed
from gnomon.models._server_text import Usage, read_usage

__all__ = ["PROBES", "Beyond", "Echo", "Echoes", "after", "beyond", "body", "judge", "parts", "read", "rest"]

PROBES = (
    "Question: What is 2 + 2?\nAnswer: It is 4.",
    "Question: What is 2 + 2?\nAnswer: It is blue.",
)
"""Two texts that begin alike: a causal model gives the tokens of the common part the same log-probabilities."""

_COMMON = "Question: What is 2 + 2?\nAnswer: It is"
_NOISE = 0.25  # between two places of a batch at half precision; what is made up differs by far more
_UNCLEAR = "the server's tokens cannot be laid over the text: it hides parts of characters"
_UNKNOWN = "\ufffd".encode()
_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")  # OpenAI's spelling of tokens that are parts of a character


@dataclass(frozen=True, slots=True)
class Echo:
    """The tokens of one prompt: where each begins and ends (bytes of UTF-8), and its log-probability, None for one that
    the server gives none for. `starts` tokens stand before the text: a start token. Before byte `unclear` nothing is
    known of the tokens but their number."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    logprobs: tuple[float | None, ...]
    starts: int = 0
    unclear: int = 0


@dataclass(frozen=True, slots=True)
class Echoes:
    """One echo for each prompt, or in its place the reason why there is none; and what they cost."""

    found: tuple[Echo | str, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Beyond:
    """Sum and number of the tokens beyond a context; or `fault`, why there is no such sum; or `straddles`, where a
    token begins within the context and ends beyond it."""

    logprob: float = 0.0
    tokens: int = 0
    fault: str = ""
    straddles: bool = False


def body(model: str, prompts: Sequence[str]) -> dict[str, Any]:
    """The request: one token more is written than is needed, since many servers refuse or misread `max_tokens` 0.

    >>> body("some-model", ["2 + 2 = 4"])["prompt"]
    '2 + 2 = 4'
    """
    asked = prompts[0] if len(prompts) == 1 else list(prompts)
    return {"model": model, "prompt": asked, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}


def read(prompts: Sequence[str], answer: Any) -> Echoes:
    """The echoes in an answer, in the order of `prompts`; raises Malformed for what is no answer at all."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise Malformed("no list of choices")
    if len(choices) != len(prompts):
        raise Malformed(f"{len(choices)} choices for {len(prompts)} prompts")
    order = [choice.get("index", at) for at, choice in enumerate(choices)]
    if sorted(order, key=str) != sorted(range(len(prompts)), key=str):
        raise Malformed(f"choices numbered {order!r}")
    by_prompt = [choices[order.index(at)] for at in range(len(prompts))]
    found = tuple(_echo(prompt, choice) for prompt, choice in zip(prompts, by_prompt, strict=True))
    return Echoes(found, read_usage(answer))


def _echo(prompt: str, choice: dict[str, Any]) -> Echo | str:
    given = choice.get("logprobs")
    if given is None:
        return "the server gives no log-probabilities"
    tokens = given.get("tokens") if isinstance(given, dict) else None
    logprobs = given.get("token_logprobs") if isinstance(given, dict) else None
    if not isinstance(tokens, list) or not isinstance(logprobs, list) or len(tokens) != len(logprobs):
        raise Malformed("log-probabilities without a token each")
    if not all(isinstance(token, str) for token in tokens):
        raise Malformed("tokens that are no text")
    if not all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in logprobs):
        raise Malformed("log-probabilities that are no numbers")
    if any(LEAK in token for token in tokens):
        return "the server's answer holds the API key itself"
    text, pieces = prompt.encode("utf-8", "surrogatepass"), [_bytes(token) for token in tokens]
    whole = choice.get("text")
    written = whole[len(prompt) :].encode() if isinstance(whole, str) and whole.startswith(prompt) else None
    return _from_left(text, pieces, logprobs) or _from_right(text, pieces, logprobs, written)


def _bytes(token: str) -> bytes:
    if _BYTES.fullmatch(token):
        return bytes(int(pair, 16) for pair in token.removeprefix("bytes:").split("\\x")[1:])
    return token.encode()


def _from_left(text: bytes, tokens: list[bytes], logprobs: list[float | None]) -> Echo | str | None:
    """Lay `tokens` over `text`; one start token may stand before it, and the token that was written behind it.

    Some servers show the parts of a character as nothing, and the whole at one of them. At the end of the text, such a
    part cannot be told from what was written.
    """
    starts = next((n for n in (0, 1) if b"".join(tokens[n:]).startswith(text)), None)
    if starts is None:
        return None
    begins, ends, at = [0] * starts, [0] * starts, 0
    for token in tokens[starts:]:
        if at >= len(text):
            break
        begins.append(at)
        at += len(token)
        ends.append(at)
    if at != len(text):  # a token that begins in the prompt and ends in what was written
        return None
    behind = tokens[len(begins) :]
    if len(behind) > 1 or (behind == [b""] and text[-1:] > b"\x7f"):
        return _UNCLEAR
    return Echo(tuple(begins), tuple(ends), tuple(logprobs[: len(begins)]), starts)


def _from_right(text: bytes, tokens: list[bytes], logprobs: list[float | None], written: bytes | None) -> Echo | str:
    """Lay `tokens` over the end of `text`, where some before it are parts of a character that cannot be shown.

    Some servers show such a part as U+FFFD, so that tokens and text have different lengths. What follows the last such
    token is as certain as ever, if only it is certain that the last token is the one that was written.
    """
    if not any(_UNKNOWN in token for token in tokens):
        short = sum(map(len, tokens)) < len(text)
        which = f"{len(tokens)} tokens, which do not cover" if short else "tokens that do not join to"
        return f"the server gives log-probabilities of {which} the prompt"
    if written is None or not (tokens[-1] == written if written else not text.endswith(tokens[-1])):
        return _UNCLEAR
    begins, ends, at = [], [], len(text)
    for token in reversed(tokens[:-1]):
        if _UNKNOWN in token or not text[:at].endswith(token):
            break
        ends.append(at)
        at -= len(token)
        begins.append(at)
    rest = [0] * (len(tokens) - 1 - len(begins))
    return Echo((*rest, *begins[::-1]), (*rest, *ends[::-1]), tuple(logprobs[:-1]), 0, at)


def beyond(echo: Echo, context: str) -> Beyond:
    """The log-probability of all tokens that begin at or beyond the end of `context`, whose white space at the end is
    taken off already.

    >>> echo = Echo((0, 3, 6), (3, 6, 8), (None, -1.0, -0.5))
    >>> beyond(echo, "abc").logprob, beyond(echo, "abcd").straddles
    (-1.5, True)
    """
    boundary = len(context.encode("utf-8", "surrogatepass"))
    if boundary < echo.unclear:
        return Beyond(fault=_UNCLEAR)
    if any(
        low == high == boundary for low, high in zip(echo.begins[echo.starts :], echo.ends[echo.starts :], strict=True)
    ):
        return Beyond(fault=_UNCLEAR)
    if any(low < boundary < high for low, high in zip(echo.begins, echo.ends, strict=True)):
        return Beyond(straddles=True)
    reached = (at for at, low in enumerate(echo.begins) if at >= echo.starts and low >= max(boundary, echo.unclear))
    return _summed(echo.logprobs, next(reached, len(echo.begins)))


def _summed(logprobs: tuple[float | None, ...], first: int) -> Beyond:
    values = logprobs[first:]
    if not values:
        return Beyond(fault="the server's tokenizer leaves no token to the continuation")
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        what = "the first token, and the context is empty" if first == 0 else "a token of the continuation"
        return Beyond(fault=f"the server gives no log-probability of {what}")
    if bad := [value for value in known if not math.isfinite(value) or value > 1e-3]:
        return Beyond(fault=f"the server gave {bad[0]} as a log-probability")
    return Beyond(sum(min(value, 0.0) for value in known), len(known))


def rest(text: str, echo: Echo, context: Echo) -> str:
    """The text of the tokens beyond as many tokens as the context alone has; empty where there is no such text.

    The convention of `_tokens.py` for a token that straddles the context's end: "Answer:" and "\\nA", split as
    "Answer", ":\\n", "A", is scored as "A" after "Answer", ":". The server is asked for that text in turn.
    """
    if echo.unclear or context.unclear or len(context.begins) >= len(echo.begins):
        return ""
    raw = text.encode("utf-8", "surrogatepass")[echo.begins[len(context.begins)] :]
    return raw.decode("utf-8", "ignore") if raw.decode("utf-8", "ignore").encode() == raw else ""


def after(again: Echo, context: Echo, echo: Echo) -> Beyond:
    """The log-probability of the tokens of `rest` in the echo of context and rest; none where these are split in
    another way than each of them alone."""
    count = len(context.begins)
    widths = [[e.ends[at] - e.begins[at] for at in range(count, len(e.begins))] for e in (again, echo)]
    if again.unclear or again.ends[:count] != context.ends or widths[0] != widths[1]:
        return Beyond(fault="a token of the server's straddles the end of the context")
    return _summed(again.logprobs, count)


def parts(ask: Ask) -> tuple[str, list[str]]:
    """The context without white space at its end, and the whole text of each continuation."""
    return ask.context.rstrip(), [ask.context + continuation for continuation in ask.continuations]


def judge(answers: Sequence[Any]) -> str:
    """Why the echoes of `PROBES` cannot be believed; empty where they can. `answers` are the choices as they came."""
    echoes = []
    for prompt, choice in zip(PROBES, answers, strict=True):
        try:
            echo = _echo(prompt, choice)
        except Malformed as error:
            return f"the server gives {error}"
        if isinstance(echo, str):
            return echo
        if fault := _shifted(choice["logprobs"], echo) or _implausible(echo, len(_COMMON)):
            return fault
        echoes.append(echo)
    common = [[p for p, end in zip(e.logprobs, e.ends, strict=True) if end <= len(_COMMON)] for e in echoes]
    for one, other in zip(*common, strict=False):
        if one is not None and other is not None and abs(one - other) > _NOISE:
            return "the server gives the same tokens after the same text different log-probabilities"
    return ""


def _shifted(given: dict[str, Any], echo: Echo) -> str:
    """Whether the places that the server names are those of its tokens; a server may name none."""
    offsets = given.get("text_offset")
    if not offsets:
        return ""
    if not isinstance(offsets, list) or len(offsets) < len(echo.begins):
        return "the server's text_offset has not a number a token"
    told, real = offsets[echo.starts : len(echo.begins)], echo.begins[echo.starts :]
    shift = len(given["tokens"][0]) if echo.starts else 0  # some count the start token's letters, some do not
    if told not in (list(real), [at + shift for at in real]):
        return "the server's text_offset does not fit its tokens"
    return ""


def _implausible(echo: Echo, common: int) -> str:
    values = echo.logprobs[1:]
    if any(value is None for value in values):
        return "the server gives log-probabilities of some tokens of the prompt only"
    numbers = [value for value in values if value is not None]
    if any(not math.isfinite(value) or value > 1e-3 for value in numbers):
        return "the server gives numbers that are no log-probabilities"
    if len(numbers) > 1 and max(numbers) - min(numbers) < 1e-6:
        return "the server gives every token the same log-probability"
    if not any(end <= common for end in echo.ends):
        return "the server's tokens are longer than words"
    return ""
