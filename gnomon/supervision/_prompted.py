"""The prompted learner: nothing is trained; a lesson's examples stand in the prompt, and the model says yes or no.

Belongs here: examples, prompts, and from log-probabilities to outcomes. Does not belong here: how prefixes are shared
(`models/_tree.py`: examples are the common prefix of all prompts of a lesson and computed once).

Burns et al. 2023 prompt with no example and with 5, labelled with the truth or weakly. Their prompts are not public;
the words are ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gnomon.asks import Answer, Ask, Failed, Scored
from gnomon.errors import ModelError, UsageError
from gnomon.models import Model, Scores, Told
from gnomon.stats import stream
from gnomon.supervision._agreement import agreement
from gnomon.supervision._heads import Lesson
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Job, Outcome

__all__ = ["Prompted", "examples"]

Progress = Callable[[str, int, int], None]

_CENTRED = 200
"""Most rows whose log-odds are looked at to centre those of a lesson."""
_NEAR = 8
"""Tokens: a text so much shorter than the longest cannot be the longest in a prompt, whatever merges at its seams."""


@dataclass(frozen=True)
class _Words:
    """How a row is put, with {text} and {other}, and what follows it for class 0 and class 1."""

    question: str
    answers: tuple[str, str]


_ONE = _Words("{text}\nIs this right, yes or no?\nAnswer:", (" no", " yes"))
_TWO = _Words("A: {text}\n\nB: {other}\n\nWhich of the two is better, A or B?\nAnswer:", (" B", " A"))


@dataclass(frozen=True)
class _Plan:
    """What one job asks: behind which examples, of which rows, and on which its log-odds are centred."""

    prefix: str
    rows: NDArray[np.int64]
    centred: NDArray[np.int64]


class Prompted:
    """Learns from examples in its prompt, and from nothing else: neither loss nor epochs play a part.

    Parameters
    ----------
    models : mapping of name to Model
        Each must score.
    shots : int
        Examples, drawn from the rows of a lesson with as many of either label (see `examples`); 0 is zero-shot, which
        no lesson changes. The longest are left out where a prompt would not fit, and `remarks` says how many; a text to
        be judged is never cut.
    calibrated : bool
        Whether the log-odds are centred, so that a preference of the prompt for one answer does not decide. A text by
        itself: their middle over at most 200 of the lesson's rows, seen without labels, is taken from all of them,
        which is right where classes are about balanced, as a pool's are. Two texts: they are asked in both orders, and
        half the difference counts, so that swapping the two negates it. Off: as the model gives them, in one order.

    Notes
    -----
    A natural two-class set (a review that is good or bad) keeps its own label, of which "right" says little without
    examples.
    """

    apart = False

    def __init__(
        self,
        models: Mapping[str, Model],
        shots: int = 5,
        calibrated: bool = True,
        progress: Progress = lambda what, done, total: None,
    ) -> None:
        if shots < 0:
            raise UsageError(f"shots={shots} was given.", hint="Give a whole number from 0.")
        self._models, self._shots, self._calibrated, self._progress = models, shots, calibrated, progress
        self._lengths: dict[tuple[str, int], NDArray[np.int64]] = {}
        self._left_out: dict[str, list[tuple[int, int]]] = {}

    def spec(self, pool: Pool) -> dict[str, Any]:
        """All that changes what is learned, beside the job and the model."""
        words = _words(pool)
        return {
            "learner": "prompted",
            "shots": self._shots,
            "calibrated": self._calibrated,
            "words": [words.question, *words.answers],
        }

    def fingerprint(self, name: str) -> str:
        """What says which model learns."""
        return self._models[name].fingerprint()

    @property
    def remarks(self) -> list[str]:
        """What a reader of the numbers should know: examples that were left out."""
        return [
            f"{name}: {sum(out for out, _ in counts)} of {sum(drawn for _, drawn in counts)} examples were left out, "
            "the longest ones of prompts that were longer than the model reads."
            for name, counts in self._left_out.items()
        ]

    def prompt(self, pool: Pool, name: str, job: Job, row: int) -> str:
        """All that the model reads when it is asked of `row` after the lesson of `job`."""
        return self._plan(pool, name, job)[0].prefix + _body(pool, row)

    def learn(
        self, pool: Pool, name: str, jobs: Sequence[Job], skip: Callable[[int], bool]
    ) -> Iterator[tuple[int, Outcome]]:
        """Outcomes of one model's jobs, by their number; those with the same examples are asked together."""
        plans = []
        for job in jobs:
            plan, left_out = self._plan(pool, name, job)
            plans.append(plan)
            if left_out:
                self._left_out.setdefault(name, []).append((left_out, self._shots))
        alike: dict[str, list[int]] = {}
        for number, plan in enumerate(plans):
            alike.setdefault(plan.prefix, []).append(number)
        for prefix, members in alike.items():
            missing = [number for number in members if not skip(number)]
            if not missing:
                continue
            began = time.perf_counter()
            rows = np.unique(np.concatenate([plans[number].rows for number in members]))
            needed = np.unique(np.concatenate([plans[number].rows for number in missing]))
            odds = self._odds(pool, name, prefix, rows, needed)
            each = (time.perf_counter() - began) / len(missing)
            for number in missing:
                yield number, _outcome(jobs[number], plans[number], odds, each)

    def _plan(self, pool: Pool, name: str, job: Job) -> tuple[_Plan, int]:
        """The plan of a job, and how many of its examples were left out."""
        lesson = job.lesson
        drawn = examples(lesson, self._shots)
        centred = np.empty(0, dtype=np.int64)
        if self._calibrated and not pool.against:
            unseen = np.setdiff1d(lesson.rows, lesson.rows[drawn])
            rest = unseen if len(unseen) else lesson.rows
            centred = np.sort(stream(lesson.seed, "centre").permutation(rest)[:_CENTRED])
        rows = np.unique(np.concatenate([job.wanted, job.held, job.test, centred]))
        shots = [
            _body(pool, row) + _words(pool).answers[int(target > 0.5)] + "\n\n"
            for row, target in zip(lesson.rows[drawn], lesson.targets[drawn], strict=True)
        ]
        kept = self._fitting(pool, name, rows, shots)
        return _Plan("".join(kept), rows, centred), len(shots) - len(kept)

    def _fitting(self, pool: Pool, name: str, rows: NDArray[np.int64], shots: list[str]) -> list[str]:
        """`shots` without the longest ones (the later of equals), so many that every row fits behind the rest."""
        model = self._models[name]
        assert isinstance(model, Scores)
        limit = model.context_length
        if limit is None:
            return shots
        key = (name, id(pool))
        if key not in self._lengths:
            bodies = [_body(pool, row) for row in range(len(pool.texts))]
            self._lengths[key] = np.array(model.count_tokens(bodies), dtype=np.int64)
        lengths = self._lengths[key][rows]
        longest = rows[lengths >= lengths.max() - _NEAR]
        answers = _words(pool).answers
        ends = [_body(pool, row, swapped) + one for row in longest for swapped in self._orders(pool) for one in answers]
        sizes = dict(zip(shots, model.count_tokens(shots), strict=True)) if shots else {}
        kept = list(shots)
        while (most := max(model.count_tokens(["".join(kept) + end for end in ends]))) > limit:
            if not kept:
                raise ModelError(
                    f"a text to be judged takes {most:,} tokens without any example; model '{name}' reads {limit:,}.",
                    hint="Leave such texts out with  --max-tokens .",
                )
            del kept[max(range(len(kept)), key=lambda place: (sizes[kept[place]], place))]
        return kept

    def _odds(
        self, pool: Pool, name: str, prefix: str, rows: NDArray[np.int64], needed: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """log p(class 1) - log p(class 0) of the needed ones of `rows`, at their numbers in the pool; NaN elsewhere."""
        model, answers = self._models[name], _words(pool).answers
        assert isinstance(model, Scores)
        orders = self._orders(pool)
        places = [(int(row), swapped) for row in rows for swapped in orders]
        asks = [Ask(prefix + _body(pool, row, swapped), answers) for row, swapped in places]
        if isinstance(model, Told):
            model.tell(asks, [int(pool.labels[row]) ^ swapped for row, swapped in places])
        wanted = set(needed.tolist())
        odds = np.full((len(pool.texts), len(orders)), np.nan)
        done, total = 0, len(wanted) * len(orders)
        self._progress(f"asking · {name}", done, total)
        for batch in model.score(asks, lambda index: places[index][0] not in wanted):
            for index, answer in batch:
                row, swapped = places[index]
                odds[row, int(swapped)] = _log_odds(answer, name, pool.texts[row])
            done += len(batch)
            self._progress(f"asking · {name}", done, total)
        if np.isnan(odds[needed]).any():
            raise ModelError(f"model '{name}' left some of {total:,} questions without an answer.")
        found = (odds[:, 0] - odds[:, 1]) / 2 if len(orders) == 2 else odds[:, 0]
        return np.asarray(found, dtype=np.float64)

    def _orders(self, pool: Pool) -> tuple[bool, ...]:
        """Whether two texts are swapped, in every order in which they are asked."""
        return (False, True) if self._calibrated and pool.against else (False,)


def examples(lesson: Lesson, shots: int) -> NDArray[np.int64]:
    """Places in a lesson of the rows that become examples, in the order of the prompt.

    As many of either label, targets being hardened at a half; an odd one falls to either by chance. Where a label has
    too few rows, the other fills up. Turning all labels round draws the same rows in the same order.

    >>> lesson = Lesson(np.arange(10, 16), np.array([.9, .8, .7, .6, .2, .1]), seed=3)
    >>> drawn = examples(lesson, 4)
    >>> len(drawn), int((lesson.targets[drawn] > .5).sum())
    (4, 2)
    """
    order = stream(lesson.seed, "shots").permutation(len(lesson.rows))
    side = lesson.targets[order] > 0.5
    before = np.where(side, np.cumsum(side), np.cumsum(~side))  # how many of its own label, itself included
    within = before <= -(-shots // 2)
    first = np.flatnonzero(within)[:shots]
    filling = np.flatnonzero(~within)[: shots - len(first)]
    return np.asarray(order[np.sort(np.concatenate([first, filling]))], dtype=np.int64)


def _words(pool: Pool) -> _Words:
    return _TWO if pool.against else _ONE


def _body(pool: Pool, row: int, swapped: bool = False) -> str:
    """A row's text or texts, the one of the pool as A unless they are swapped, and the question."""
    text, other = pool.texts[row], pool.against[row] if pool.against else ""
    if swapped:
        text, other = other, text
    return _words(pool).question.format(text=text, other=other)


def _log_odds(answer: Answer, name: str, text: str) -> float:
    """Of class 1, from log-probabilities of the answers for class 0 and 1; raises ModelError where there are none.

    >>> round(_log_odds(Scored((-2.0, -0.5), (1, 1)), "mock/uniform", "2 + 2 = 4"), 1)
    1.5
    """
    fault = answer.message if isinstance(answer, Failed) else ""
    if isinstance(answer, Scored):
        values = np.array(answer.logprobs)
        if answer.truncated:
            fault = f"{answer.truncated:,} tokens of it were cut"
        elif values.shape != (2,) or not np.isfinite(values).all() or values.max() > 1e-3:
            fault = f"{answer.logprobs} as log-probabilities of two answers"
        else:
            return float(values[1] - values[0])
    raise ModelError(f"model '{name}' could not be asked whether '{text[:60]}' is right: {fault or 'no answer'}.")


def _middle(odds: NDArray[np.float64]) -> float:
    """Half-way between the tertiles; 0 of none.

    It is the median but where rows fall into two heaps, as they do for a model that knows: the median then lies at the
    edge of the larger heap, or in it, and a class of 51% would be divided; the middle lies between the heaps.

    >>> heaps = np.repeat([-2.0, 2.0], [49, 51])
    >>> _middle(heaps), float(np.median(heaps))
    (0.0, 2.0)
    """
    return float(np.quantile(odds, [1 / 3, 2 / 3]).mean()) if len(odds) else 0.0


def _outcome(job: Job, plan: _Plan, odds: NDArray[np.float64], seconds: float) -> Outcome:
    says = np.asarray(expit(odds - _middle(odds[plan.centred])), dtype=np.float64)
    held = np.array([agreement(says[job.held], job.held_targets)])
    return Outcome(says[job.wanted], says[None, job.test], held, 0, seconds)
