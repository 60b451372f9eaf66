"""How many pairs of MATH answers a second each grader judges, on one core. Prints one table.

Belongs here: times of `gnomon.grading` on the release's own answers. Does not belong here: whether the graders are
right (`tests/grading`), a peer's code.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gnomon.grading.boxed import boxed_corrected, boxed_official
from gnomon.grading.equivalence import equivalent_corrected, equivalent_official
from gnomon.grading.verify import Verifier

Pair = tuple[str, str]


def solutions(folder: Path) -> list[str]:
    """The solutions of the release's test split, in the order of their files."""
    files = sorted(folder.glob("test/*/*.json"))
    if not files:
        raise SystemExit(f"{folder} holds no test/*/*.json; give the folder of MATH's release.")
    return [json.loads(file.read_text(encoding="utf-8"))["solution"] for file in files]


def respelled(answer: str) -> str:
    """An equal answer in other characters, so that no grader can stop at equal strings."""
    return answer.replace(r"\frac", r"\dfrac") if r"\frac" in answer else f"{answer}\n"


def rates(work: Callable[[], object], number: int, repeats: int) -> list[float]:
    """How many of `number` things a second `work` does, `repeats` times."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(number / (time.perf_counter() - start))
    return found


def read(reader: Callable[[str], str | None], texts: Sequence[str]) -> None:
    """The answer of each text, thrown away."""
    for text in texts:
        reader(text)


def judge(grader: Callable[[str, str], bool], pairs: Sequence[Pair]) -> None:
    """The verdict on each pair, thrown away."""
    for first, second in pairs:
        grader(first, second)


def show(name: str, found: Sequence[float]) -> None:
    """One line: the median, the range, the number of repeats."""
    spread = f"range {min(found):,.0f} to {max(found):,.0f}, n {len(found)}"
    print(f"{name:60} median {statistics.median(found):12,.0f} a second   {spread}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of MATH's release")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--verify", type=int, default=1000, metavar="N", help="pairs for math-verify; 0 leaves it out")
    options = parser.parse_args()
    texts = solutions(options.data)
    answers = [answer for answer in map(boxed_official, texts) if answer is not None]
    shuffled = random.Random(0).sample(answers, len(answers))
    kinds: dict[str, list[Pair]] = {
        "respelled": [(answer, respelled(answer)) for answer in answers],
        "another problem's": list(zip(answers, shuffled, strict=True)),
    }
    print(f"{len(texts):,} solutions, {len(answers):,} answers")
    for reader in (boxed_official, boxed_corrected):
        show(f"{reader.__name__}, solutions", rates(partial(read, reader, texts), len(texts), options.repeats))
    for grader in (equivalent_official, equivalent_corrected):
        for kind, pairs in kinds.items():
            found = rates(partial(judge, grader, pairs), len(pairs), options.repeats)
            show(f"{grader.__name__}, {kind} answer", found)
    for kind, pairs in kinds.items() if options.verify else ():
        chosen = random.Random(0).sample(pairs, min(options.verify, len(pairs)))
        with Verifier() as verifier:
            verifier.equivalent("1", "1")  # the start is not the grader's speed
            found = rates(partial(verifier.equivalent_many, chosen), len(chosen), options.repeats)
            show(f"math-verify {verifier.version}, {kind} answer", found)


if __name__ == "__main__":
    main()
