"""Where the confidence loss wins and where it loses: weak-to-strong problems on arrays, with a large or a small gap.

Belongs here: the simulated problem, and the comparison of losses on it. Does not belong here: losses (`losses/`), heads
(`_heads.py`), simulated errors on real texts (`_simulated.py`).

The construction is ours, not the paper's (Burns et al. 2023 finetune real models, section 4.3.2). The student sees
three kinds of directions, mixed by a random rotation: a *salient* one of large variance, *fine* ones of small variance,
and others that mean nothing. The supervisor's score is a salient part, a fine part and noise. Between the two gaps just
two angles differ: how much of the truth, and how much of the supervisor's score, is fine.

Gradient descent takes up the salient direction first, the fine ones only with much training. The confidence loss holds
the student to what it is sure of at the end of its warm-up, which is the salient direction. At the large gap all that
the supervisor says beyond it is its own error, so holding to it leaves the errors unlearned, which naive training
copies; at the small gap it is the rest of the truth, known to the supervisor just where the salient direction leaves
the student unsure, so holding to it locks the student's early errors in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Interval
from gnomon.errors import UsageError
from gnomon.registry import unknown
from gnomon.stats import clustered_mean, stream
from gnomon.supervision._heads import HeadRecipe, Lesson, train_heads
from gnomon.supervision.recovery import Recovery, gap_recovered

__all__ = ["GapComparison", "SimulatedGap", "confidence_against_naive", "simulated_gap"]

NAIVE = "xent"
CONFIDENCE = "confidence@alpha=0.75"
"""With the paper's coefficient for its largest students."""

_TEST = 2000
_ANGLES = {"large": (0.0, 55.0), "small": (25.0, 25.0)}
"""Degrees from salient to fine: of the truth, of the supervisor's score."""
_SALIENT, _FINE = 3.0, 0.4
"""Standard deviations of the directions; the others have 1."""
_BLUR = 0.2
"""Noise of the student's view of the salient direction, which keeps a ceiling below 1."""
_NOISE = 0.5
"""Noise of the supervisor's score, whose other parts have variance 1."""
_SHARP = 10.0
"""From score to log-odds: most of the supervisor's labels are near 0 or 1."""

Gap = Literal["large", "small"]


@dataclass(frozen=True)
class SimulatedGap:
    """One drawn problem.

    Attributes
    ----------
    features : ndarray (n + t, width), float32
        What the student sees.
    truth : ndarray of bool (n + t,)
    weak : ndarray (n + t,)
        P(class 1) by the supervisor, in [0, 1].
    learn, test : ndarray of int (n,), (t,)
        Row numbers that share nothing.
    """

    features: NDArray[np.float32]
    truth: NDArray[np.bool_]
    weak: NDArray[np.float64]
    learn: NDArray[np.int64]
    test: NDArray[np.int64]

    def accuracy(self, says: NDArray[np.float64]) -> float:
        """Share of test rows on whose side of a half `says` (t,), P(class 1), is right."""
        return float(((says > 0.5) == self.truth[self.test]).mean())


@dataclass(frozen=True)
class GapComparison:
    """What the losses made of many drawn problems.

    Attributes
    ----------
    gap : str
    weak, early, ceiling : float
        Mean test accuracies of the supervisor, of the naive student after its first epoch, of a student of the truth.
    accuracy : mapping of loss to float
        Mean test accuracies of the students at the end of training.
    recovered : mapping of loss to Recovery
        Performance gap recovered; its items are the drawn problems.
    difference : float
        Mean test accuracy with the confidence loss minus that of naive training, problem by problem.
    interval : Interval
        Of `difference`: Student's t over the problems, which are independent.
    """

    gap: str
    weak: float
    early: float
    ceiling: float
    accuracy: dict[str, float]
    recovered: dict[str, Recovery]
    difference: float
    interval: Interval


def simulated_gap(gap: Gap, seed: int, n: int = 1500, width: int = 64) -> SimulatedGap:
    """Draw one problem.

    Parameters
    ----------
    gap : {"large", "small"}
        "large": the truth is salient, and two thirds of the variance of the supervisor's score are fine; it is right on
        about 68% of rows. "small": truth and score are made of the same parts, a sixth of them fine; it is right on
        about 85%.
    seed : int
        Every seed draws directions, rows and labels anew.
    n : int
        Rows to learn from, at least 2; 2,000 more are for testing.
    width : int
        Features, at least 4; a quarter of the directions is fine.

    Raises
    ------
    UsageError
        For an unknown gap, or sizes too small.

    Examples
    --------
    >>> found = simulated_gap("large", seed=0)
    >>> found.features.shape, round(found.accuracy(found.weak[found.test]), 1)
    ((3500, 64), 0.7)
    """
    if gap not in _ANGLES:
        raise unknown("simulated gap", gap, _ANGLES)
    if n < 2 or width < 4:
        raise UsageError(f"n={n} and width={width} were given.", hint="Give n from 2 and width from 4.")
    random, rows, fine = stream(seed, f"simulated gap/{gap}"), n + _TEST, width // 4
    salient, small = random.normal(size=rows), random.normal(size=(rows, fine))
    along = random.normal(size=fine)
    hidden = small @ (along / np.linalg.norm(along))
    seen = [
        _SALIENT * (salient + _BLUR * random.normal(size=rows))[:, None],
        _FINE * small,
        random.normal(size=(rows, width - fine - 1)),
    ]
    rotation, _ = np.linalg.qr(random.normal(size=(width, width)))
    (truth_salient, truth_fine), (weak_salient, weak_fine) = (
        (np.cos(angle), np.sin(angle)) for angle in np.deg2rad(_ANGLES[gap])
    )
    score = weak_salient * salient + weak_fine * hidden + _NOISE * random.normal(size=rows)
    return SimulatedGap(
        features=(np.concatenate(seen, axis=1) @ rotation).astype(np.float32),
        truth=truth_salient * salient + truth_fine * hidden > 0,
        weak=1 / (1 + np.exp(-_SHARP * score)),
        learn=np.arange(n),
        test=np.arange(n, rows),
    )


def confidence_against_naive(
    gap: Gap,
    seeds: int | Sequence[int] = 20,
    *,
    n: int = 1500,
    width: int = 64,
    recipe: HeadRecipe | None = None,
    level: float = 0.95,
) -> GapComparison:
    """Teach students by both losses, and one the truth, on every drawn problem; all are taken at the end of training.

    Parameters
    ----------
    gap : {"large", "small"}
    seeds : int or sequence of int
        How many problems, from seed 0 on, or which; at least 2.
    n, width : int
        Of every problem, as in `simulated_gap`.
    recipe : HeadRecipe, optional
        How heads are trained.
    level : float
        Confidence of the intervals, in (0, 1).

    Raises
    ------
    UsageError
        For fewer than 2 seeds, and as `simulated_gap`.

    Notes
    -----
    The angles, strengths and noises of this module were chosen on seeds from 1000 on. Seeds below 1000 are for
    reporting.

    At the small gap naive training may pass the ceiling (PGR above 1): soft labels say how sure the supervisor is, and
    the ceiling learns from the bare truth. Against hardened weak labels it comes to where the ceiling is.

    Examples
    --------
    >>> found = confidence_against_naive("large", seeds=2, n=400, width=16)
    >>> found.interval.method, sorted(found.recovered)
    ('clustered t', ['confidence@alpha=0.75', 'xent'])
    """
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if len(chosen) < 2:
        raise UsageError(f"{len(chosen)} seeds were given: an interval needs at least 2.", hint="Give  seeds=20 .")
    found = np.array([_accuracies(simulated_gap(gap, seed, n, width), seed, recipe) for seed in chosen])
    weak, early, naive, confident, ceiling = found.T
    return GapComparison(
        gap=gap,
        weak=float(weak.mean()),
        early=float(early.mean()),
        ceiling=float(ceiling.mean()),
        accuracy={NAIVE: float(naive.mean()), CONFIDENCE: float(confident.mean())},
        recovered={
            name: gap_recovered(weak, student, ceiling, level=level)
            for name, student in ((NAIVE, naive), (CONFIDENCE, confident))
        },
        difference=float((confident - naive).mean()),
        interval=clustered_mean(confident - naive, None, level),
    )


def _accuracies(problem: SimulatedGap, seed: int, recipe: HeadRecipe | None) -> list[float]:
    """On the test rows: supervisor, naive student after its first epoch, naive, confident, student of the truth."""
    told = [(problem.weak, NAIVE), (problem.weak, CONFIDENCE), (problem.truth.astype(np.float64), NAIVE)]
    lessons = [Lesson(problem.learn, labels[problem.learn], loss, seed) for labels, loss in told]
    heads = train_heads(problem.features, lessons, recipe)
    seen = heads.standardised(problem.features[problem.test])
    courses = [heads.course(seen, number) for number in range(len(lessons))]
    says = [problem.weak[problem.test], courses[0][0], *(course[-1] for course in courses)]
    return [problem.accuracy(one) for one in says]
