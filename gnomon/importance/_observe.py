"""Asking a subject about inputs and their counterfactuals, a chunk at a time: one model call for many hypotheses.

Belongs here: hypotheses, seeds, chunks, what is asked only once. Does not belong here: what the outputs mean
(`methods/`), files (`_study.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.importance._groups import Group
from gnomon.importance._outputs import Outputs
from gnomon.importance._sampler import Blank, Sampler, drawn_rows
from gnomon.importance._select import Floats, Mask
from gnomon.importance._subject import Subject, as_subject
from gnomon.stats import stream

__all__ = ["Hypothesis", "Observed", "content_ids", "hypotheses", "observe"]

ROUND = 20
"""Draws a round where draws are adaptive."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """That the features of `group` of input number `input` are a draw given the rest; `key` is the same anywhere."""

    input: int
    group: Group
    key: str


@dataclass(frozen=True, eq=False)
class Observed:
    """Hypotheses, what their subject said, and the class that was read for each input."""

    hypotheses: tuple[Hypothesis, ...]
    outputs: Outputs
    chosen: NDArray[np.int64]
    calls: int
    """Inputs that the subject was shown."""


def content_ids(inputs: Sequence[Any]) -> list[str]:
    """A name for every input by its content, so that place and company do not matter; twins are numbered.

    >>> [name[-2:] for name in content_ids(["a", "b", "a"])]
    ['#0', '#0', '#1']
    """
    seen: dict[str, int] = {}
    found = []
    for one in inputs:
        digest = hashlib.sha256(_bytes(one)).hexdigest()[:24]
        found.append(f"{digest}#{seen.get(digest, 0)}")
        seen[digest] = seen.get(digest, 0) + 1
    return found


def hypotheses(
    inputs: Sequence[Any], groups: Sequence[Group] | Callable[[Any], Sequence[Group]], ids: Sequence[str] = ()
) -> tuple[Hypothesis, ...]:
    """Every group of every input. `groups` are those of all inputs alike, or a function of an input."""
    found = []
    for number, (x, name) in enumerate(zip(inputs, ids or content_ids(inputs), strict=True)):
        for group in groups(x) if callable(groups) else groups:
            found.append(Hypothesis(number, group, f"{name}\0{group.key}"))
    if not found:
        raise UsageError("there is nothing to test: no input has a group.", hint="Look at the groups, or the inputs.")
    return tuple(found)


def observe(
    subject: Any,
    inputs: Any,
    sampler: Sampler,
    groups: Sequence[Group] | Callable[[Any], Sequence[Group]],
    draws: int,
    *,
    seed: int = 0,
    chunk: int = 4096,
    goes_on: Callable[[Floats, Floats], Mask] | None = None,
    first: int = 0,
    ids: Sequence[str] = (),
    numbers: Sequence[int] = (),
) -> Observed:
    """Draw counterfactuals and ask for all outputs.

    Parameters
    ----------
    subject : anything that `as_subject` takes
    inputs : sequence of n
        Rows (n, d), texts, or images (n, height, width, channels).
    draws : int
        Counterfactuals a hypothesis, at least 1.
    seed : int
        Draws depend on it, the input's content and the group, and on nothing else.
    chunk : int
        Counterfactuals that are shown to the subject in one call, about.
    goes_on : callable, optional
        From Y (m,) and the draws so far to which hypotheses need more: draws then come in rounds (`IRT.open`).
    first : int
        Draws before the first round, where draws are adaptive.
    ids : sequence of str, optional
        Names of the inputs, by which draws are seeded; by default made of their content.
    numbers : sequence of int, optional
        What the subject is told of which input is meant; by default the place in `inputs`.

    Examples
    --------
    >>> from gnomon.importance import Gaussian, columns
    >>> law = Gaussian(mean=np.zeros(2), covariance=np.eye(2))
    >>> found = observe(lambda X: X[:, 0], np.ones((3, 2)), law, columns(2), draws=5)
    >>> found.outputs.drawn.shape, found.calls  # the second column does not matter
    ((6, 5), 33)
    """
    asked = as_subject(subject)
    family = hypotheses(inputs, groups, ids)
    told = np.asarray(numbers if len(numbers) else range(len(inputs)), dtype=np.int64)
    rounds = [draws] if goes_on is None else _rounds(draws, first)
    D = np.full((len(family), draws), np.nan)
    Y, chosen, calls = np.empty(len(inputs)), np.zeros(len(inputs), dtype=np.int64), 0
    parts = [np.arange(start, min(start + chunk, len(inputs))) for start in range(0, len(inputs), chunk)]
    for part in parts:
        Y[part], chosen[part] = asked.choose([inputs[at] for at in part], told[part])
        calls += len(part)
    own = np.array([one.input for one in family])
    done = 0
    for number, size in enumerate(rounds):
        open_ = np.arange(len(family))
        if goes_on is not None and number:
            open_ = open_[goes_on(Y[own], D[:, :done])]
        step = max(1, chunk // size)
        for start in range(0, len(open_), step):
            these = open_[start : start + step]
            D[these, done : done + size], shown = _ask(
                asked, sampler, inputs, [family[at] for at in these], size, number, seed, Y, chosen, told
            )
            calls += shown
        done += size
    return Observed(family, Outputs(Y[own], D, own, [one.key for one in family]), chosen, calls)


def _rounds(draws: int, first: int) -> list[int]:
    sizes = [first + min(ROUND, draws - first)]
    while sum(sizes) < draws:
        sizes.append(min(max(ROUND, sum(sizes) - first), draws - sum(sizes)))  # as many again: few rounds, little waste
    return sizes


def _ask(
    subject: Subject,
    sampler: Sampler,
    inputs: Any,
    family: Sequence[Hypothesis],
    n: int,
    number: int,
    seed: int,
    Y: Floats,
    chosen: NDArray[np.int64],
    told: NDArray[np.int64],
) -> tuple[Floats, int]:
    """Outputs (len(family), n) of one round, and how many inputs the subject was shown.

    A counterfactual that is equal to its input is not asked again, nor one that was drawn before for that input.
    """
    filled = [at for at, one in enumerate(family) if not one.group.empty]
    blanks = [
        Blank(inputs[family[at].input], family[at].group, n, stream(seed, f"draws\0{family[at].key}\0{number}"))
        for at in filled
    ]
    D = np.repeat(Y[[one.input for one in family]][:, None], n, axis=1)
    places: dict[tuple[int, bytes], list[tuple[int, int]]] = {}
    batch: list[Any] = []
    classes: list[int] = []
    owners: list[int] = []
    for at, rows in zip(filled, drawn_rows(sampler, blanks), strict=True):
        which = family[at].input
        same = _bytes(inputs[which])
        for k, row in enumerate(rows):
            content = _bytes(row)
            if content == same:
                continue
            known = places.setdefault((which, content), [])
            if not known:
                batch.append(row)
                classes.append(int(chosen[which]))
                owners.append(int(told[which]))
            known.append((at, k))
    if batch:
        found = subject.read(batch, np.asarray(classes, dtype=np.int64), np.asarray(owners, dtype=np.int64))
        for value, spots in zip(found, places.values(), strict=True):
            for at, k in spots:
                D[at, k] = value
    return D, len(batch)


def _bytes(x: Any) -> bytes:
    return x.encode("utf-8", "surrogatepass") if isinstance(x, str) else np.ascontiguousarray(x).tobytes()
