"""How long CUAD takes without a model: reading all contracts, judging predictions, curves and intervals. One table.

Belongs here: times of gnomon's own steps, with made-up predictions. Does not belong here: the speed or quality of a
model.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from gnomon.grading.spans import SpanQuestion, bootstrap, exact_curve, is_lenient, judge, official_curve
from gnomon.tasks._squad import Contract, Question, read_squad

T = TypeVar("T")
RULES: tuple[Literal["official", "exact"], ...] = ("official", "exact")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What `call` gives, and its wall seconds."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def noisy(contract: Contract, question: Question, count: int, rng: random.Random) -> SpanQuestion:
    """`count` predictions: some golds with moved ends at a higher confidence, the rest anywhere in the contract."""
    context, made = contract.context, []
    for span in question.answers[:count]:
        if rng.random() < 0.7:
            start = max(0, span.start - rng.randrange(20))
            made.append((context[start : span.end + rng.randrange(20)], rng.betavariate(3, 2)))
    while len(made) < count:
        start = rng.randrange(max(1, len(context) - 300))
        made.append((context[start : start + rng.randint(20, 300)], rng.betavariate(1, 5)))
    return SpanQuestion(tuple(span.text for span in question.answers), tuple(made), is_lenient(question.id))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="CUADv1.json, or another file of its layout")
    parser.add_argument("--predictions", type=int, default=20, help="predictions a question")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows: dict[str, list[float]] = {}

    def step(name: str, call: Callable[[], T]) -> T:
        found, seconds = timed(call)
        rows.setdefault(name, []).append(seconds)
        return found

    for _ in range(options.repeats):
        contracts = step("read and check", partial(read_squad, options.data))
        rng = random.Random(options.seed)
        pairs = [(contract, question) for contract in contracts for question in contract.questions]
        questions = [noisy(contract, question, options.predictions, rng) for contract, question in pairs]
        titles = [contract.title for contract, _ in pairs]
        judged = step("judge", partial(judge, questions))
        official = step("official curve", partial(official_curve, judged)).aupr
        exact = step("exact curve", partial(exact_curve, judged)).aupr
        for rule in RULES:
            resample = partial(bootstrap, judged, titles, seed=options.seed, rule=rule, draws=options.draws)
            step(f"bootstrap, {rule}, {options.draws} draws", resample)
    total = sum(len(question.predictions) for question in questions)
    print(f"{len(contracts)} contracts, {len(questions):,} questions, {judged.golds:,} golds, {total:,} predictions")
    for name, taken in rows.items():
        spread = f"range {min(taken):.3f} to {max(taken):.3f} s, n {len(taken)}"
        print(f"{name:32} median {statistics.median(taken):6.3f} s   {spread}")
    print(f"area: official {official:.4f}, exact {exact:.4f}")


if __name__ == "__main__":
    main()
