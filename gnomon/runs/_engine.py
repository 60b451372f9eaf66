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
from functools import lru_cache
from typing import Any

from gnomon.asks import Answer, Ask, Asking, Completion, Failed, Highlighted, Passage, Prompt, Reading, Scored
from gnomon.runs._cache import AnswerCache
from gnomon.runs._journal import Journal
from gnomon.runs._manifest import Record

__all__ = ["Unit", "ask_all"]

Respond = Callable[[Sequence[Any], Callable[[int], bool]], Iterable[Sequence[tuple[int, Answer]]]]
"""A model's ability: `score`, `generate` or `highlight`."""


@dataclass(frozen=True)
class Unit:
    """One row of the journal to be: its id, what is asked, and how its answers become a record."""

    id: str
    asks: tuple[Asking | Reading, ...]
    finish: Callable[[Sequence[Answer], str], Record]
    input: str = field(default="")

    def __post_init__(self) -> None:
        if not self.input:
            text = json.dumps([_given(ask) for ask in self.asks])
            object.__setattr__(self, "input", hashlib.sha256(text.encode()).hexdigest()[:16])


def _given(ask: Asking | Reading) -> list[Any]:
    """All that a model is given with `ask`."""
    match ask:
        case Ask():
            return [ask.context, *ask.continuations]
        case Prompt():
            how = ask.decoding
            return [ask.context, how.max_tokens, how.temperature, how.top_p, how.stop, ask.seed]
        case Passage():
            return [ask.question, _digest(ask.context)]
        case Reading():
            return [ask.question, ask.answers, ask.after]


@lru_cache(maxsize=4)  # the questions about one contract follow one another
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def ask_all(
    units: Sequence[Unit],
    journal: Journal,
    respond: Respond,
    *,
    fingerprint: str,
    cache: AnswerCache | None = None,
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
        for batch in respond(work.asks, lambda index: index not in work.open):
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

    def __init__(self, units: Sequence[Unit], journal: Journal, cache: AnswerCache | None, fingerprint: str) -> None:
        self._units, self._journal, self._cache, self._fingerprint = units, journal, cache, fingerprint
        self.asks: list[Asking | Reading] = []
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
        keys = {index: AnswerCache.key(self._fingerprint, self.asks[index]) for index in sorted(self.open)}
        known = self._cache.get(list(keys.values()))
        found = [(index, known[key]) for index, key in keys.items() if key in known]
        usable = [(i, answer) for i, answer in found if not isinstance(_checked(self.asks[i], answer), Failed)]
        self.answered(usable, 0.0, remember=False)

    def answered(self, batch: Sequence[tuple[int, Answer]], seconds: float, remember: bool = True) -> None:
        """Take in answers; every unit that is whole now is journalled, all in one write."""
        records, fresh = [], {}
        for index, given in batch:
            if index not in self.open:
                continue
            self.open.discard(index)
            answer = _checked(self.asks[index], given)
            if not isinstance(answer, Failed) and remember and self._cache is not None:
                fresh[AnswerCache.key(self._fingerprint, self.asks[index])] = answer
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


def _checked(ask: Asking | Reading, answer: Answer) -> Answer:
    """`answer`, or a failure that says in what way it is none to `ask`."""
    match ask, answer:
        case _, Failed():
            return answer
        case Ask(), Scored():
            fault = _no_scores(ask.continuations, answer)
        case Reading(), Scored():
            fault = _no_scores(ask.answers, answer)
        case Prompt(), Completion():
            fault = _no_text(answer)
        case Passage(), Highlighted():
            fault = _no_spans(ask, answer)
        case _:
            fault = f"{type(answer).__name__} as the answer to {type(ask).__name__}"
    return Failed(f"the model gave {fault}") if fault else answer


def _no_scores(continuations: Sequence[str], answer: Scored) -> str:
    if len(answer.logprobs) != len(continuations):
        return f"{len(answer.logprobs)} log-probabilities for {len(continuations)} continuations"
    for value in answer.logprobs:
        if not math.isfinite(value):
            return f"{value} as a log-probability"
        if value > 1e-3:
            return f"{value:g} as a log-probability, which is above 0"
    return ""


def _no_text(answer: Completion) -> str:
    if not isinstance(answer.text, str):
        return f"{type(answer.text).__name__} in place of text"
    if not isinstance(answer.tokens, int) or answer.tokens < 0:
        return f"{answer.tokens} tokens"
    if answer.finish not in ("stop", "length"):
        return f"{answer.finish!r} as the way that the text ended"
    return ""


def _no_spans(ask: Passage, answer: Highlighted) -> str:
    if not 0 <= answer.none <= 1:
        return f"{answer.none} as the probability that there is no span"
    for span in answer.spans:
        if not 0 <= span.start < span.end <= len(ask.context):
            return f"the span {span.start} to {span.end} of a text of {len(ask.context):,} characters"
        if not 0 <= span.probability <= 1:
            return f"{span.probability} as a span's probability"
    return ""
