"""The MATH release as facts: subjects, levels, counts, the checksum of every file, and the few-shot prompt.

Belongs here: constants of the release. Does not belong here: reading and asking (`math.py`).
"""

from __future__ import annotations

import functools
from importlib import resources

__all__ = ["COUNTS", "EXAMPLES", "INSTRUCTION", "LEVELS", "SUBJECTS", "checksums"]

SUBJECTS = (
    "prealgebra",
    "algebra",
    "number_theory",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "precalculus",
)
"""In the order of the paper's tables; the names are the release's folders."""

LEVELS = ("Level 1", "Level 2", "Level 3", "Level 4", "Level 5")

_SIZES = {
    "prealgebra": (871, 1205),
    "algebra": (1187, 1744),
    "number_theory": (540, 869),
    "counting_and_probability": (474, 771),
    "geometry": (479, 870),
    "intermediate_algebra": (903, 1295),
    "precalculus": (546, 746),
}
COUNTS = {
    (split, subject): size
    for subject, sizes in _SIZES.items()
    for split, size in zip(("test", "train"), sizes, strict=True)
}

INSTRUCTION = "Given a mathematics problem, determine the answer. Simplify your answer as much as possible."

# The eight examples of the release's evaluate_gpt3.py, to the byte; the sixth leaves its dollar open there, too.
EXAMPLES = (
    (
        r"What is $\left(\frac{7}{8}\right)^3 \cdot \left(\frac{7}{8}\right)^{-3}$?",
        "1",
    ),
    (
        "In how many ways can 4 books be selected from a shelf of 6 books if the order in which the books are selected "
        "does not matter?",
        "15",
    ),
    ("Find the distance between the points $(2,1,-4)$ and $(5,8,-3).$", r"\sqrt{59}"),
    (
        "The faces of an octahedral die are labeled with digits $1$ through $8$. What is the probability, expressed as "
        "a common fraction, of rolling a sum of $15$ with a pair of such octahedral dice?",
        r"\frac{1}{32}",
    ),
    (
        "The first three terms of an arithmetic sequence are 1, 10 and 19, respectively. What is the value of the 21st "
        "term?",
        "181",
    ),
    (r"Calculate $6 \cdot 8\frac{1}{3}", "50"),
    (
        "When the binary number $100101110010_2$ is divided by 4, what is the remainder (give your answer in base 10)?",
        "2",
    ),
    (r"How many zeros are at the end of the product 25 $\times$ 240?", "3"),
)


@functools.cache
def checksums() -> dict[str, str]:
    """The first 8 hex digits of the SHA-256 of every file, by `split/subject/number`."""
    found = {}
    text = resources.files("gnomon.tasks").joinpath("_math_checksums.txt").read_text(encoding="ascii")
    for line in text.splitlines():
        if not line.startswith("#"):
            folder, *files = line.split()
            for file in files:
                number, _, digits = file.partition(":")
                found[f"{folder}/{number}"] = digits
    return found
