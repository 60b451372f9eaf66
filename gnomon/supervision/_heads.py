"""Linear heads on frozen features: many lessons (supervisors, ceilings, students, seeds) as one batched program.

Belongs here: training and applying heads. Does not belong here: features, weak labels, or which lessons there are.

A lesson's head sees the rows of its own lesson in its own order and nothing of the other heads: the batch is equal to
training them one by one, up to the last bit of vectorised functions, where both are standardised by the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gnomon.errors import ModelError, UsageError
from gnomon.stats import stream
from gnomon.supervision._loss import Step, loss_named

__all__ = ["HeadRecipe", "Heads", "Lesson", "train_heads"]

_CHUNK = 1 << 26
"""Most bytes of features that one step gathers."""


@dataclass(frozen=True)
class Lesson:
    """What one head learns: rows of the features, P(class 1) of each, by which loss, in which order.

    Parameters
    ----------
    rows : ndarray of int (n,)
    targets : ndarray (n,)
        In [0, 1]: the truth, or weak labels.
    loss : str
        As in `--losses`.
    seed : int
        Of the order of rows.
    """

    rows: NDArray[np.int64]
    targets: NDArray[np.float64]
    loss: str = "xent"
    seed: int = 0


@dataclass(frozen=True)
class HeadRecipe:
    """How heads are trained: AdamW with a cosine schedule to 0, on standardised features.

    `epochs` over a lesson's rows in batches of `batch`; `lr` and `decay` are AdamW's. The paper finetunes whole models
    for 2 epochs; a head alone on frozen features needs more steps, and 20 bring it to where logistic regression is.
    """

    epochs: int = 20
    batch: int = 32
    lr: float = 3e-3
    decay: float = 0.1


@dataclass(frozen=True)
class Heads:
    """Trained heads, in the order of their lessons.

    Attributes
    ----------
    weights : ndarray (heads, epochs, 2, d)
        After every epoch, for standardised features; the last is the trained head.
    bias : ndarray (heads, epochs, 2)
    centre, scale : ndarray (d,)
        What standardises.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]

    def probabilities(self, features: ArrayLike, epoch: int = -1) -> NDArray[np.float64]:
        """P(class 1) of every row by every head: (heads, n).

        >>> heads = train_heads(np.eye(4), [Lesson(np.arange(4), np.array([0., 1., 0., 1.]))])
        >>> (heads.probabilities(np.eye(4)) > .5).astype(int)
        array([[0, 1, 0, 1]])
        """
        x = self.standardised(features)
        return np.stack([self.course(x, number)[epoch] for number in range(len(self.weights))])

    def standardised(self, features: ArrayLike) -> NDArray[np.float32]:
        """Features as heads see them: (n, d)."""
        found = (np.asarray(features, dtype=np.float32) - self.centre) / self.scale
        return np.asarray(found, dtype=np.float32)

    def course(self, standardised: NDArray[np.float32], number: int) -> NDArray[np.float64]:
        """P(class 1) of every row by one head after every epoch: (epochs, n), from features as heads see them."""
        weights, bias = self.weights[number], self.bias[number]
        odds = (weights[:, 1] - weights[:, 0]) @ standardised.T + (bias[:, 1] - bias[:, 0])[:, None]
        return np.asarray(torch.sigmoid(torch.from_numpy(odds).double()).numpy(), dtype=np.float64)

    @property
    def epochs(self) -> int:
        """Epochs that are kept."""
        return int(self.weights.shape[1])


def train_heads(
    features: ArrayLike,
    lessons: Sequence[Lesson],
    recipe: HeadRecipe | None = None,
    start: ArrayLike | None = None,
    standard: NDArray[np.int64] | None = None,
    paired: bool = False,
) -> Heads:
    """Train one head a lesson on frozen features.

    Parameters
    ----------
    features : array-like (N, d)
        Finite.
    lessons : sequence of Lesson
        At least one; lessons of equal length with the same loss are trained together.
    recipe : HeadRecipe, optional
    start : array-like (2, d), optional
        Rows of the classes to begin with, in the coordinates of `features`, such as the unembedding of "0" and "1"
        (the paper); zeros by default (its public code).
    standard : ndarray of int, optional
        Rows whose mean and standard deviation standardise the features; by default those that occur in any lesson.
    paired : bool
        Features are differences of two texts: nothing is centred and there is no bias, so that swapping the two
        negates the logit (the reward model of section 4.2 is such a difference).

    Returns
    -------
    Heads

    Raises
    ------
    UsageError
        For features that are not finite, a lesson without rows, targets outside [0, 1] or of another length.
    ModelError
        Where training diverges.
    """
    recipe = recipe or HeadRecipe()
    x = np.asarray(features, dtype=np.float32)
    _check(x, lessons)
    used = np.unique(np.concatenate([lesson.rows for lesson in lessons])) if standard is None else standard
    centre = x[used].mean(axis=0) if not paired else np.zeros(x.shape[1], dtype=np.float32)
    scale = np.sqrt(np.square(x[used] - centre).mean(axis=0))
    scale[scale < 1e-8 * max(float(scale.max()), 1e-30)] = 1.0  # a feature that never varies says nothing
    scale[scale == 0] = 1.0
    ready = torch.from_numpy((x - centre) / scale)
    first = np.zeros((2, x.shape[1]), dtype=np.float32)
    offset = np.zeros(2, dtype=np.float32)
    if start is not None:
        given = np.asarray(start, dtype=np.float32)
        if given.shape != first.shape:
            raise UsageError(f"a start of the shape {given.shape} was given; give (2, {x.shape[1]}).")
        first, offset = given * scale, given @ centre
    weights = np.empty((len(lessons), recipe.epochs, 2, x.shape[1]), dtype=np.float32)
    bias = np.empty((len(lessons), recipe.epochs, 2), dtype=np.float32)
    for members in _together(lessons, recipe.batch, x.shape[1]):
        found = _train(ready, [lessons[number] for number in members], recipe, first, offset, paired)
        weights[members], bias[members] = found
    return Heads(weights, bias, centre, scale)


def _check(x: NDArray[np.float32], lessons: Sequence[Lesson]) -> None:
    if x.ndim != 2 or not np.isfinite(x).all():
        raise UsageError(f"features of the shape {x.shape} must be (rows, width) and finite.")
    if not lessons:
        raise UsageError("no lesson was given.")
    for lesson in lessons:
        if len(lesson.rows) == 0 or len(lesson.rows) != len(lesson.targets):
            raise UsageError(f"a lesson has {len(lesson.rows)} rows and {len(lesson.targets)} targets.")
        if not ((lesson.targets >= 0) & (lesson.targets <= 1)).all():
            raise UsageError("a lesson's targets must be probabilities in [0, 1].")


def _together(lessons: Sequence[Lesson], batch: int, width: int) -> list[list[int]]:
    """Numbers of lessons that one program trains."""
    kinds: dict[tuple[int, str], list[int]] = {}
    for number, lesson in enumerate(lessons):
        kinds.setdefault((len(lesson.rows), lesson.loss), []).append(number)
    most = max(1, _CHUNK // (4 * batch * width))
    return [members[low : low + most] for members in kinds.values() for low in range(0, len(members), most)]


def _orders(lessons: Sequence[Lesson], epoch: int) -> torch.Tensor:
    """Rows of every lesson in the order of this epoch, beside their places in the lesson: (2, heads, n)."""
    places = np.stack([stream(lesson.seed, f"order/{epoch}").permutation(len(lesson.rows)) for lesson in lessons])
    rows = np.stack([lesson.rows[place] for lesson, place in zip(lessons, places, strict=True)])
    return torch.from_numpy(np.stack([rows, places]))


def _train(
    x: torch.Tensor,
    lessons: Sequence[Lesson],
    recipe: HeadRecipe,
    first: NDArray[np.float32],
    offset: NDArray[np.float32],
    paired: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    heads, n = len(lessons), len(lessons[0].rows)
    loss = loss_named(lessons[0].loss)
    targets = torch.from_numpy(np.stack([lesson.targets for lesson in lessons]).astype(np.float32))
    weight = torch.from_numpy(np.tile(first, (heads, 1, 1))).requires_grad_()
    bias = torch.from_numpy(np.tile(offset, (heads, 1, 1))).requires_grad_(not paired)
    optimiser = torch.optim.AdamW([weight] if paired else [weight, bias], lr=recipe.lr, weight_decay=recipe.decay)
    per_epoch = -(-n // recipe.batch)
    total = per_epoch * recipe.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    step = Step(0, total, recipe.batch)
    kept_weights = np.empty((heads, recipe.epochs, 2, x.shape[1]), dtype=np.float32)
    kept_bias = np.empty((heads, recipe.epochs, 2), dtype=np.float32)
    for epoch in range(recipe.epochs):
        rows, places = _orders(lessons, epoch)
        for low in range(0, n, recipe.batch):
            batch = x[rows[:, low : low + recipe.batch]]  # (heads, rows, d)
            weak = targets.gather(1, places[:, low : low + recipe.batch])
            logits = torch.baddbmm(bias, batch, weight.transpose(1, 2))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss(logits, weak, step).sum())
            optimiser.step()
            schedule.step()
            step.number += 1
        kept_weights[:, epoch], kept_bias[:, epoch] = weight.detach().numpy(), bias.detach()[:, 0].numpy()
    if not np.isfinite(kept_weights).all():
        raise ModelError("training a head diverged.", hint="Take a smaller learning rate.")
    return kept_weights, kept_bias
