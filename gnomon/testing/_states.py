"""What every model that shows its states, or fills gaps, must keep. Belongs here: checks on these two abilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gnomon.asks import Failed, Reading, Scored, States
from gnomon.models import Fills, Represents
from gnomon.testing._errors import ensure

__all__ = ["check_fills", "check_represents"]

_READINGS = (
    Reading("Is the capital of France Paris?", ("yes", "no")),
    Reading("Two plus two is four.\nThree plus four is", ("seven", "eight", "a number that nobody knows")),
    Reading("Is the capital of France Rome?", ("yes", "no")),
    Reading("", ("A text of its own.",)),
    Reading("Ünïcödé, 中文, \U0001f642:", ("\U0001f642", "ok")),
)
_GAPS = (
    Reading("The capital of France is", ("Paris", "Rome"), after="."),
    Reading("Two plus two is", ("four", "five and a half"), after=", I think."),
    Reading("It ends here:", ("yes", "no")),
)

Ask = Callable[[Any, Callable[[int], bool]], Iterator[Any]]
All = Callable[[Ask, Sequence[Any], str], list[Any]]


def check_represents(model: Represents, name: str, tolerance: float, every: All) -> None:
    """`tolerance` is a share of the largest entry; `every` asks for all indices and sees that each comes once."""
    layout = model.layout()
    ensure(layout == model.layout(), f"{name}: the layout of its states is not stable")
    ensure(len(set(layout.layers)) == len(layout.layers) > 0, f"{name}: layers {layout.layers} are not distinct names")
    whole = every(model.represent, _READINGS, name)
    for reading, found in zip(_READINGS, whole, strict=True):
        if isinstance(found, Failed):
            ensure(bool(found.message), f"{name}: a failure without a message")
            continue
        shape = (len(reading.answers), len(layout.layers), layout.width)
        ensure(found.values.shape == shape, f"{name}: states of shape {found.values.shape}, not {shape}, {reading!r}")
        ensure(found.values.dtype == np.float32, f"{name}: states are {found.values.dtype}, not float32")
        ensure(bool(np.isfinite(found.values).all()), f"{name}: states that are not finite for {reading!r}")
        ensure(len(found.tokens) == len(reading.answers), f"{name}: not one count of tokens an answer for {reading!r}")
    others = {
        "order": every(model.represent, _READINGS[::-1], name)[::-1],
        "company": [every(model.represent, [reading], name)[0] for reading in _READINGS],
    }
    for what, answers in others.items():
        for reading, one, two in zip(_READINGS, whole, answers, strict=True):
            if isinstance(one, States) and isinstance(two, States):
                apart = float(np.abs(one.values - two.values).max() / max(float(np.abs(one.values).max()), 1e-30))
                ensure(apart <= tolerance, f"{name}: {what} moves a state by {apart:.3g} of the largest, {reading!r}")
    skipped = {0, 3}
    some = dict(pair for batch in model.represent(_READINGS, skipped.__contains__) for pair in batch)
    ensure(set(some) == set(range(len(_READINGS))) - skipped, f"{name}: {skipped} skipped, {sorted(some)} answered")
    for index, one in some.items():
        two = whole[index]
        same = not (isinstance(one, States) and isinstance(two, States)) or np.array_equal(one.values, two.values)
        ensure(bool(same), f"{name}: skipping other readings changes the states of {_READINGS[index]!r}")
    ensure(every(model.represent, [], name) == [], f"{name}: states of no readings")


def check_fills(model: Fills, name: str, tolerance: float, every: All) -> None:
    """One finite log-probability <= 0 an answer, the same in any company."""
    whole = every(model.fill, _GAPS, name)
    alone = [every(model.fill, [reading], name)[0] for reading in _GAPS]
    for reading, one, two in zip(_GAPS, whole, alone, strict=True):
        if isinstance(one, Failed):
            ensure(bool(one.message), f"{name}: a failure without a message")
        if not (isinstance(one, Scored) and isinstance(two, Scored)):
            continue
        ensure(len(one.logprobs) == len(reading.answers), f"{name}: not one number an answer for {reading!r}")
        ensure(all(math.isfinite(p) and p <= 1e-6 for p in one.logprobs), f"{name}: {one.logprobs} for {reading!r}")
        apart = max(abs(a - b) for a, b in zip(one.logprobs, two.logprobs, strict=True))
        ensure(apart <= tolerance, f"{name}: company moves a log-probability by {apart:.3g} for {reading!r}")
