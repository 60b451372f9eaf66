"""Models without a network, for tests, demonstrations and fault drills: mock/uniform, mock/oracle, mock/parrot,
mock/flaky, mock/garbage.

Belongs here: behaviour that is easy to predict. Does not belong here: anything a result about a real model could rest
on.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gnomon.asks import (
    Ask,
    Completion,
    Failed,
    Highlighted,
    Passage,
    Prompt,
    Reading,
    Scored,
    Span,
    StateLayout,
    States,
)
from gnomon.errors import UsageError
from gnomon.models._model import (
    Answers,
    Arguments,
    Best,
    Completions,
    Highlightings,
    Model,
    ModelName,
    Representations,
)
from gnomon.registry import did_you_mean

_BATCH = 512


def _batches(count: int, skip: Callable[[int], bool]) -> Iterator[list[int]]:
    """Indices below `count` that are not skipped, in batches of which none is empty."""
    for low in range(0, count, _BATCH):
        if wanted := [index for index in range(low, min(low + _BATCH, count)) if not skip(index)]:
            yield wanted


class Uniform:
    """Gives every continuation the same probability, so that every prediction is a tie."""

    context_length: int | None = None

    def __init__(self, name: str = "mock/uniform") -> None:
        self.name = name

    def fingerprint(self) -> str:
        return f"{self.name} v1"

    def facts(self) -> dict[str, str]:
        return {"provider": "mock", "behaviour": " ".join((type(self).__doc__ or "").split())}

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """White-space separated words: a mock has no tokenizer."""
        return [len(text.split()) for text in texts]

    def score(self, asks: Sequence[Ask], skip: Callable[[int], bool]) -> Iterator[Answers]:
        for wanted in _batches(len(asks), skip):
            yield [(index, self._answer(index, asks[index])) for index in wanted]

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        share = -math.log(len(ask.continuations))
        return Scored((share,) * len(ask.continuations), (1,) * len(ask.continuations))


class _Able(Uniform):
    """A mock with all abilities; a subclass says what it writes and highlights."""

    def generate(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> Iterator[Completions]:
        for wanted in _batches(len(prompts), skip):
            yield [(index, self._write(index, prompts[index])) for index in wanted]

    def highlight(self, passages: Sequence[Passage], skip: Callable[[int], bool]) -> Iterator[Highlightings]:
        for wanted in _batches(len(passages), skip):
            yield [(index, self._mark(index, passages[index])) for index in wanted]

    def _write(self, index: int, prompt: Prompt) -> Completion | Failed:
        raise NotImplementedError

    def _mark(self, index: int, passage: Passage) -> Highlighted | Failed:
        raise NotImplementedError


def _written(text: str, prompt: Prompt) -> Completion:
    """`text` as a model would write it under the prompt's decoding: before its first stop string, and no more words
    than it may have tokens."""
    ends = [at for stop in prompt.decoding.stop if (at := text.find(stop)) >= 0]
    text = text[: min(ends, default=len(text))]
    words = list(re.finditer(r"\S+", text))
    if len(words) <= prompt.decoding.max_tokens:
        return Completion(text, len(words))
    return Completion(text[: words[prompt.decoding.max_tokens - 1].end()], prompt.decoding.max_tokens, "length")


_WIDTH = 64


class _Inside:
    """States that are made up: what is true, and what a text says on its surface, along fixed directions.

    A subclass gives the strength of both at layer 2; layer 1 holds half of it, layer 0 none.
    """

    name: str
    truth = 0.0
    surface = 0.0

    def layout(self) -> StateLayout:
        return StateLayout(("0", "1", "2"), _WIDTH, "float32", f"made up by {self.name}, v1")

    def represent(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Representations]:
        for wanted in _batches(len(readings), skip):
            yield [(index, self._inside(index, readings[index])) for index in wanted]

    def _right(self, index: int) -> int:
        raise NotImplementedError

    def _inside(self, index: int, reading: Reading) -> States | Failed:
        import numpy as np

        right, said = self._right(index), _said(reading)
        values = np.zeros((len(reading.answers), 3, _WIDTH), dtype=np.float32)
        for number, answer in enumerate(reading.answers):
            noise = np.random.default_rng(_digest(reading.question, answer)).normal(size=(3, _WIDTH)) / 2
            noise += np.random.default_rng(_digest(reading.question)).normal(size=(3, _WIDTH))
            values[number] = noise + 3 * np.random.default_rng(_digest(answer)).normal(size=_WIDTH)
            values[number, :, 0] += np.array([0, 0.5, 1]) * self.truth * (1 if number == right else -1)
            values[number, :, 1] += np.array([0, 0.5, 1]) * self.surface * (1 if number == said else -1)
        words = tuple(len(f"{reading.question} {answer} {reading.after}".split()) for answer in reading.answers)
        return States(values, words)


def _said(reading: Reading) -> int:
    """The answer that a text points to on its surface: a planted word, an opinion, else a coin of its own."""
    for number, word in enumerate(("Banana", "Shed")):
        if word in reading.question:
            return number
    opinion = reading.question.rpartition("Alice thinks")[2] if "Alice thinks" in reading.question else ""
    named = [(opinion.find(answer), number) for number, answer in enumerate(reading.answers) if answer in opinion]
    if named:
        return min(named)[1]
    return _digest(reading.question) % len(reading.answers)


def _digest(*texts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()[:4], "big")


class Oracle(_Inside, _Able):
    """Is told the right answers beforehand: gives each probability 0.9, writes it, highlights it, and holds it in its
    states."""

    truth = 2.2

    def __init__(self, name: str = "mock/oracle") -> None:
        super().__init__(name)
        self._best: list[Best] = []

    def tell(self, asks: Sequence[Ask | Prompt | Passage | Reading], best: Sequence[Best]) -> None:
        self._best = list(best)

    def _told(self, index: int, kind: type, otherwise: Any) -> Any:
        """What it was told of one index; `otherwise` where it was told nothing."""
        best = self._best[index] if self._best else otherwise
        if not isinstance(best, kind):
            raise TypeError(f"{self.name} was told {best!r} of ask {index}, where {kind.__name__} is due")
        return best

    def _right(self, index: int) -> int:
        found: int = self._told(index, int, 0)
        return found

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        others = max(1, len(ask.continuations) - 1)
        best = self._told(index, int, 0)
        scores = [math.log(0.9 if number == best else 0.1 / others) for number in range(len(ask.continuations))]
        return Scored(tuple(scores), (1,) * len(scores))

    def _write(self, index: int, prompt: Prompt) -> Completion | Failed:
        return _written(self._told(index, str, ""), prompt)

    def _mark(self, index: int, passage: Passage) -> Highlighted | Failed:
        spans = tuple(Span(start, end, 0.9) for start, end in self._told(index, tuple, ()))
        return Highlighted(spans, none=0.1 if spans else 0.9)


class Parrot(Oracle):
    """Holds in its states, above all, what a text says on its surface, the truth only faintly; its own answers are a
    coin."""

    truth = 0.5
    surface = 4.0

    def __init__(self) -> None:
        super().__init__("mock/parrot")

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        return Uniform._answer(self, index, ask)


class Flaky(_Able):
    """Fails a share of asks at random (`-M rate=0.1`), others each time it is asked, unless `-M seed=` fixes them;
    else it does not know."""

    def __init__(self, rate: float, seed: int | None) -> None:
        super().__init__("mock/flaky")
        self._rate = rate
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()

    def _fails(self) -> Failed | None:
        return Failed("the flaky mock failed on purpose") if self._random.random() < self._rate else None

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        return self._fails() or super()._answer(index, ask)

    def _write(self, index: int, prompt: Prompt) -> Completion | Failed:
        return self._fails() or _written("I do not know.", prompt)

    def _mark(self, index: int, passage: Passage) -> Highlighted | Failed:
        return self._fails() or Highlighted((), none=1.0)


class Garbage(_Able):
    """Answers with what no model should give: NaN, probabilities above one, too few numbers, infinities, texts that are
    none, spans outside of the passage, states of other shapes."""

    def layout(self) -> StateLayout:
        return StateLayout(("0", "1"), 4, "float32", "garbage")

    def represent(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Representations]:
        import numpy as np

        for wanted in _batches(len(readings), skip):
            found: list[Any] = []
            for index in wanted:
                n = len(readings[index].answers)
                shapes = [(n, 2, 4), (n, 2, 3), (n + 1, 2, 4), (n, 2, 4)]
                values = np.full(shapes[index % 4], [np.nan, 0, 0, np.inf][index % 4], dtype=np.float32)
                found.append((index, None if index % 5 == 4 else States(values, (1,) * n)))
            yield found

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        n = len(ask.continuations)
        kinds = [(math.nan,) * n, (1.0,) * n, (-1.0,) * (n - 1), (math.inf,) * n, (-math.inf,) * n]
        return Scored(kinds[index % len(kinds)], (1,) * n)

    def _write(self, index: int, prompt: Prompt) -> Completion | Failed:
        texts: list[Any] = [None, b"bytes", 7, ["a", "list"], "\ud800"]  # the last is half a character
        kinds: list[Any] = [*(Completion(text, 1) for text in texts), Completion("x", -1), "no completion", None]
        found: Completion = kinds[index % len(kinds)]
        return found

    def _mark(self, index: int, passage: Passage) -> Highlighted | Failed:
        n = len(passage.context)
        spans = [Span(-1, n, 0.5), Span(0, n + 1, 0.5), Span(n, 0, 0.5), Span(0, n, math.nan), Span(0, n, 1.5)]
        kinds: list[Any] = [*(Highlighted((span,), 0.5) for span in spans), Highlighted((), math.nan), None]
        found: Highlighted = kinds[index % len(kinds)]
        return found


_KINDS = ("uniform", "oracle", "parrot", "flaky", "garbage")


def provider(name: ModelName, arguments: Mapping[str, str]) -> Model:
    """`mock/uniform`, `mock/oracle`, `mock/parrot`, `mock/flaky` (rate, seed) or `mock/garbage`."""
    given = Arguments(arguments, ("rate", "seed") if name.rest == "flaky" else (), f"mock/{name.rest}")
    if name.settings:
        raise UsageError(f"mock models have no settings; got '@{','.join(name.settings)}'.")
    match name.rest:
        case "uniform":
            return Uniform()
        case "oracle":
            return Oracle()
        case "parrot":
            return Parrot()
        case "flaky":
            seed = given.whole("seed", -1, -1, 2**31)
            return Flaky(given.number("rate", 0.1, 0, 1), None if seed < 0 else seed)
        case "garbage":
            return Garbage("mock/garbage")
    raise UsageError(
        f"no mock model is named '{name.rest}'. {did_you_mean(name.rest, _KINDS)} Known: {', '.join(_KINDS)}."
    )
