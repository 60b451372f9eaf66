"""Models without a network, for tests, demonstrations and fault drills: mock/uniform, mock/oracle, mock/flaky,
mock/garbage.

Belongs here: behaviour that is easy to predict. Does not belong here: anything a result about a real model could rest
on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from gnomon.asks import Ask, Failed, Scored
from gnomon.errors import UsageError
from gnomon.models._model import Answers, Arguments, Model, ModelName
from gnomon.registry import did_you_mean

_BATCH = 512


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
        for low in range(0, len(asks), _BATCH):
            wanted = [index for index in range(low, min(low + _BATCH, len(asks))) if not skip(index)]
            if wanted:
                yield [(index, self._answer(index, asks[index])) for index in wanted]

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        share = -math.log(len(ask.continuations))
        return Scored((share,) * len(ask.continuations), (1,) * len(ask.continuations))


class Oracle(Uniform):
    """Is told the right answers beforehand and gives each probability 0.9."""

    def __init__(self) -> None:
        super().__init__("mock/oracle")
        self._best: list[int] = []

    def tell(self, asks: Sequence[Ask], best: Sequence[int]) -> None:
        self._best = list(best)

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        others = max(1, len(ask.continuations) - 1)
        best = self._best[index] if self._best else 0
        scores = [math.log(0.9 if number == best else 0.1 / others) for number in range(len(ask.continuations))]
        return Scored(tuple(scores), (1,) * len(scores))


class Flaky(Uniform):
    """Fails a share of asks at random (`-M rate=0.1`), others each time it is asked, unless `-M seed=` fixes them."""

    def __init__(self, rate: float, seed: int | None) -> None:
        super().__init__("mock/flaky")
        self._rate = rate
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        if self._random.random() < self._rate:
            return Failed("the flaky mock failed on purpose")
        return super()._answer(index, ask)


class Garbage(Uniform):
    """Answers with what no model should give: NaN, probabilities above one, too few numbers, infinities."""

    def _answer(self, index: int, ask: Ask) -> Scored | Failed:
        n = len(ask.continuations)
        kinds = [(math.nan,) * n, (1.0,) * n, (-1.0,) * (n - 1), (math.inf,) * n, (-math.inf,) * n]
        return Scored(kinds[index % len(kinds)], (1,) * n)


_KINDS = ("uniform", "oracle", "flaky", "garbage")


def provider(name: ModelName, arguments: Mapping[str, str]) -> Model:
    """`mock/uniform`, `mock/oracle`, `mock/flaky` (rate, seed) or `mock/garbage`."""
    given = Arguments(arguments, ("rate", "seed") if name.rest == "flaky" else (), f"mock/{name.rest}")
    if name.settings:
        raise UsageError(f"mock models have no settings; got '@{','.join(name.settings)}'.")
    match name.rest:
        case "uniform":
            return Uniform()
        case "oracle":
            return Oracle()
        case "flaky":
            seed = given.whole("seed", -1, -1, 2**31)
            return Flaky(given.number("rate", 0.1, 0, 1), None if seed < 0 else seed)
        case "garbage":
            return Garbage("mock/garbage")
    raise UsageError(
        f"no mock model is named '{name.rest}'. {did_you_mean(name.rest, _KINDS)} Known: {', '.join(_KINDS)}."
    )
