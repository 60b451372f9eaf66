"""Asks for what is missing and journals every unit as soon as its last answer is there.

Belongs here: what to ask, what to skip, when a unit is done. Does not belong here: how a model answers, or what an
answer means.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gnomon.asks import Ask, Failed, Scored
from gnomon.runs._cache import ScoreCache
from gnomon.runs._journal import Journal
from gnomon.runs._manifest import Record

__all__ = ["Unit", "ask_all"]

Answer = Scored | Failed
Score = Callable[[Sequence[Ask], Callable[[int], bool]], Iterable[list[tuple[int, Answer]]]]


@dataclass(frozen=True)
class Unit:
    """One row of the journal to be: its id, what is asked, and how its answers become a record."""

    id: str
    asks: tuple[Ask, ...]
    finish: Callable[[Sequence[Answer], str], Record]
    input: str = field(default="")

    def __post_init__(self) -> None:
        if not self.input:
            text = json.dumps([[ask.context, *ask.continuations] for ask in self.asks])
            object.__setattr__(self, "input", hashlib.sha256(text.encode()).hexdigest()[:16])


def ask_all(
    units: Sequence[Unit],
    journal: Journal,
    score: Score,
    *,
    fingerprint: str,
    cache: ScoreCache | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Answer every unit that the journal does not hold, or holds with an error, or holds for another input.

    All asks are shown to the model and the known ones skipped, so that batches, and with them the last bits of every
    number, are the same as in a run that was never interrupted.
    """
    work = _Work(units, journal, cache, fingerprint)
    progress(work.done, len(units))
    work.from_cache()
    progress(work.done, len(units))
    if work.open:
        began = time.perf_counter()
        for batch in score(work.asks, lambda index: index not in work.open):
            now = time.perf_counter()
            work.answered(batch, (now - began) / max(1, len(batch)))
            began = time.perf_counter()
            progress(work.done, len(units))
    unanswered = sorted(work.open)
    if unanswered:
        work.answered([(index, Failed("the model gave no answer")) for index in unanswered], 0.0)
    progress(work.done, len(units))


class _Work:
    """What is open, and the answers of units that are not whole yet."""

    def __init__(self, units: Sequence[Unit], journal: Journal, cache: ScoreCache | None, fingerprint: str) -> None:
        self._units, self._journal, self._cache, self._fingerprint = units, journal, cache, fingerprint
        self.asks: list[Ask] = []
        self._owner: list[int] = []
        self._first: list[int] = []
        self.open: set[int] = set()
        self._held: dict[int, dict[int, Answer]] = {}
        self.done = 0
        for number, unit in enumerate(units):
            self._first.append(len(self.asks))
            known = journal.records.get(unit.id)
            if known is not None and known.input == unit.input and known.status != "error":
                self.done += 1
            else:
                self.open.update(range(len(self.asks), len(self.asks) + len(unit.asks)))
            self.asks.extend(unit.asks)
            self._owner.extend([number] * len(unit.asks))

    def from_cache(self) -> None:
        if self._cache is None or not self.open:
            return
        keys = {index: ScoreCache.key(self._fingerprint, self.asks[index]) for index in sorted(self.open)}
        known = self._cache.get(list(keys.values()))
        found = [(index, known[key]) for index, key in keys.items() if key in known]
        usable = [(index, answer) for index, answer in found if isinstance(_checked(self.asks[index], answer), Scored)]
        self.answered(usable, 0.0, remember=False)

    def answered(self, batch: Sequence[tuple[int, Answer]], seconds: float, remember: bool = True) -> None:
        """Take in answers; every unit that is whole now is journalled, all in one write."""
        records, fresh = [], {}
        for index, given in batch:
            if index not in self.open:
                continue
            self.open.discard(index)
            answer = _checked(self.asks[index], given)
            if isinstance(answer, Scored) and remember and self._cache is not None:
                fresh[ScoreCache.key(self._fingerprint, self.asks[index])] = answer
            number = self._owner[index]
            held = self._held.setdefault(number, {})
            held[index] = answer
            unit = self._units[number]
            if len(held) == len(unit.asks):
                del self._held[number]
                record = unit.finish([held[at] for at in sorted(held)], unit.input)
                records.append(record.model_copy(update={"seconds": round(seconds * len(unit.asks), 6)}))
        if self._cache is not None:
            self._cache.put(fresh)
        if records:
            self._journal.append(records)
            self.done += len(records)


def _checked(ask: Ask, answer: Answer) -> Answer:
    """`answer`, or a failure that says in what way it is no set of log-probabilities."""
    if isinstance(answer, Failed):
        return answer
    if len(answer.logprobs) != len(ask.continuations):
        return Failed(
            f"the model gave {len(answer.logprobs)} log-probabilities for {len(ask.continuations)} continuations"
        )
    for value in answer.logprobs:
        if not math.isfinite(value):
            return Failed(f"the model gave {value} as a log-probability")
        if value > 1e-3:
            return Failed(f"the model gave {value:g} as a log-probability, which is above 0")
    return answer
