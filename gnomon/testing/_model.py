"""What every model must keep. Belongs here: checks on abilities. Does not belong here: how good a model is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gnomon.asks import Ask, Completion, Decoding, Failed, Prompt, Scored
from gnomon.models import Fills, Generates, Model, Represents, Scores, abilities, load_model
from gnomon.testing._errors import ensure
from gnomon.testing._states import check_fills, check_represents

__all__ = ["check_model"]

_ASKS = (
    Ask("The capital of France is", (" Paris", " Rome")),
    Ask("The capital of France is", (" Paris",)),
    Ask("Two plus two is four.\n\nThree plus four is", (" seven", " eight", " a number that nobody knows")),
    Ask("Two plus two is four.\n\nOne plus one is", (" two", " three")),
    Ask("A", (" b",)),
    Ask("It ends in a space: ", ("yes", "no")),
    Ask("Ünïcödé, 中文, \U0001f642:", (" \U0001f642", " ok")),
)
_STORY = "Once upon a time there was"
_PROMPTS = (
    Prompt(_STORY, Decoding(max_tokens=12)),
    Prompt(_STORY, Decoding(max_tokens=12, stop=(" ", "e"))),
    Prompt(_STORY, Decoding(max_tokens=1)),
    Prompt("Two plus two is four.\n\nThree plus four is", Decoding(max_tokens=5, stop=("\n\n",))),
    Prompt("A list of numbers: 1, 2, 3,", Decoding(max_tokens=9, temperature=1.0), seed=1),
    Prompt("A list of numbers: 1, 2, 3,", Decoding(max_tokens=9, temperature=1.0), seed=2),
    Prompt("A list of numbers: 1, 2, 3,", Decoding(max_tokens=9, temperature=0.7, top_p=0.9), seed=1),
    Prompt("Ünïcödé, 中文, \U0001f642:", Decoding(max_tokens=6)),
    Prompt("A", Decoding(max_tokens=3)),
    Prompt("", Decoding(max_tokens=3)),
)


def check_model(model: str | Model, arguments: Mapping[str, str] | None = None, *, tolerance: float = 1e-4) -> None:
    """Check a model: its name and fingerprint, and what each of its abilities promises.

    For `score`: every wanted index exactly once, one finite log-probability <= 0 a continuation, the same numbers for
    any order and company of asks to `tolerance`, and bit-identical numbers for any `skip`. For `generate`: every wanted
    index exactly once, stop strings and `max_tokens` kept, and the same texts for any order, company and `skip`, greedy
    or drawn with a seed. For `represent`: finite float32 states of the shape that `layout()` gives, the same for any
    order and company to `tolerance` of the largest, bit-identical for any `skip`. For `fill`: one log-probability an
    answer. A model that fails an ask by design returns `Failed` with a message.

    Parameters
    ----------
    model : str or Model
        A name for `load_model`, or a model.
    arguments : mapping
        `-M` arguments, where `model` is a name.
    tolerance : float
        Largest difference of a log-probability between two batches; raise it for half precision. Above 0.001 texts may
        differ, too: where two tokens are nearly as likely, the rounding decides.

    Raises ConformanceError for a broken promise.

    Examples
    --------
    >>> check_model("mock/uniform")
    """
    found = load_model(model, arguments) if isinstance(model, str) else model
    ensure(isinstance(found, Model), f"{found!r} lacks name, fingerprint or facts")
    ensure(
        bool(found.name) and found.fingerprint() == found.fingerprint(), f"{found.name}: the fingerprint is not stable"
    )
    ensure(all(isinstance(value, str) for value in found.facts().values()), f"{found.name}: facts must be text")
    if "score" in abilities(found):
        assert isinstance(found, Scores)
        _check_scores(found, found.name, tolerance)
    if "generate" in abilities(found):
        assert isinstance(found, Generates)
        _check_generates(found, found.name, same=tolerance <= 1e-3)
    if "represent" in abilities(found):
        assert isinstance(found, Represents)
        check_represents(found, found.name, tolerance, _all)
    if "fill" in abilities(found):
        assert isinstance(found, Fills)
        check_fills(found, found.name, tolerance, _all)


def _check_scores(model: Scores, name: str, tolerance: float) -> None:
    whole = _score(model, _ASKS, name)
    for ask, answer in zip(_ASKS, whole, strict=True):
        if isinstance(answer, Failed):
            ensure(bool(answer.message), f"{name}: a failure without a message")
            continue
        ensure(
            len(answer.logprobs) == len(answer.tokens) == len(ask.continuations),
            f"{name}: not one number a continuation for {ask!r}",
        )
        ensure(all(math.isfinite(p) and p <= 1e-6 for p in answer.logprobs), f"{name}: {answer.logprobs} for {ask!r}")
        ensure(all(n >= 1 for n in answer.tokens), f"{name}: a continuation of no token in {ask!r}")
    backwards = _score(model, _ASKS[::-1], name)[::-1]
    alone = [_score(model, [ask], name)[0] for ask in _ASKS]
    for other in (backwards, alone):
        for ask, one, two in zip(_ASKS, whole, other, strict=True):
            if isinstance(one, Scored) and isinstance(two, Scored):
                apart = max(abs(a - b) for a, b in zip(one.logprobs, two.logprobs, strict=True))
                ensure(
                    apart <= tolerance, f"{name}: company or order moves a log-probability by {apart:.3g} for {ask!r}"
                )
    skipped = {0, 3}
    some = {index: answer for batch in model.score(_ASKS, skipped.__contains__) for index, answer in batch}
    ensure(
        set(some) == set(range(len(_ASKS))) - skipped,
        f"{name}: with indices {skipped} skipped, {sorted(some)} were answered",
    )
    for index, answer in some.items():
        before = whole[index]
        same = not (isinstance(answer, Scored) and isinstance(before, Scored)) or answer == before
        ensure(same, f"{name}: skipping other asks changes the numbers of {_ASKS[index]!r}")
    ensure(model.count_tokens(["a b c", ""])[0] >= 1, f"{name}: 'a b c' has no tokens")
    ensure(_score(model, [], name) == [], f"{name}: answers to no asks")


def _check_generates(model: Generates, name: str, same: bool) -> None:
    whole = _all(model.generate, _PROMPTS, name)
    for prompt, answer in zip(_PROMPTS, whole, strict=True):
        _check_completion(prompt, answer, name)
    others = {
        "order": _all(model.generate, _PROMPTS[::-1], name)[::-1],
        "company": [_all(model.generate, [prompt], name)[0] for prompt in _PROMPTS],
        "being asked together with itself": _all(model.generate, _PROMPTS * 2, name)[len(_PROMPTS) :],
    }
    skipped = {0, 3}
    some = dict(pair for batch in model.generate(_PROMPTS, skipped.__contains__) for pair in batch)
    ensure(
        set(some) == set(range(len(_PROMPTS))) - skipped,
        f"{name}: with prompts {skipped} skipped, {sorted(some)} were answered",
    )
    others["skipping other prompts"] = [some.get(index, answer) for index, answer in enumerate(whole)]
    for what, answers in others.items():
        for prompt, one, two in zip(_PROMPTS, whole, answers, strict=True):
            both = isinstance(one, Completion) and isinstance(two, Completion)
            ensure(not (both and same) or one == two, f"{name}: {what} changes the text after {prompt!r}")
    ensure(_all(model.generate, [], name) == [], f"{name}: completions of no prompts")


def _check_completion(prompt: Prompt, answer: object, name: str) -> None:
    if isinstance(answer, Failed):
        ensure(bool(answer.message), f"{name}: a failure without a message")
        return
    ensure(
        isinstance(answer, Completion) and isinstance(answer.text, str), f"{name}: {answer!r} is no text for {prompt!r}"
    )
    assert isinstance(answer, Completion)
    ensure(
        0 <= answer.tokens <= prompt.decoding.max_tokens and answer.truncated >= 0,
        f"{name}: {answer.tokens} tokens, {answer.truncated} cut, for {prompt!r}",
    )
    ensure(answer.finish in ("stop", "length"), f"{name}: finish={answer.finish!r} for {prompt!r}")
    found = [stop for stop in prompt.decoding.stop if stop in answer.text]
    ensure(not found, f"{name}: the stop strings {found} are in the text after {prompt!r}")
    with_text = answer.text.encode("utf-8", "ignore").decode() == answer.text
    ensure(with_text, f"{name}: the text after {prompt!r} is no Unicode that can be written to a file")


def _score(model: Scores, asks: Sequence[Ask], name: str) -> list[Scored | Failed]:
    return _all(model.score, asks, name)


def _all(ask: Callable[[Any, Callable[[int], bool]], Iterator[Any]], asks: Sequence[Any], name: str) -> list[Any]:
    """What a model answers, in order; every index must come exactly once."""
    found: dict[int, Any] = {}
    for batch in ask(asks, lambda index: False):
        for index, answer in batch:
            ensure(index not in found, f"{name}: index {index} was answered twice")
            found[index] = answer
    ensure(
        sorted(found) == list(range(len(asks))),
        f"{name}: {len(asks) - len(found)} of {len(asks)} asks were not answered",
    )
    return [found[index] for index in range(len(asks))]
