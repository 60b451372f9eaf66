"""What losses on weak labels have in common.

Belongs here: where in training a step is, hardening by rank, cross-entropy against soft targets. Does not belong here:
any loss (`losses/`, one file each).

Tensors have the shape (..., batch): everything before the batch is independent heads that are trained together.
Probabilities and targets are those of class 1.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from gnomon.errors import UsageError
from gnomon.registry import Registry, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Loss", "Step", "cross_entropy", "harden", "log_odds", "loss_named", "registry"]


@dataclass
class Step:
    """Where in training a batch stands.

    Attributes
    ----------
    number, total : int
        This step, from 0, and how many there are.
    batch : int
        Rows of a full batch.
    recent : list
        Scores and weak labels of the rows seen last, at most a batch of them, without gradient; kept by `harden` so
        that batches too small for a quantile borrow from their predecessors.
    """

    number: int
    total: int
    batch: int = 32
    recent: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def ramp(self, share: float) -> float:
        """From 0 at the first step to 1 after `share` of all steps, linearly; always 1 where `share` is 0.

        >>> [Step(number, 100).ramp(0.2) for number in (0, 10, 20, 99)]
        [0.0, 0.5, 1.0, 1.0]
        """
        return 1.0 if share <= 0 else min(1.0, self.number / (share * self.total))


Loss = Callable[["Tensor", "Tensor", Step], "Tensor"]
"""(logits (..., batch, 2), weak labels (..., batch), step) -> loss of every head (...), a mean over its rows."""


def log_odds(logits: Tensor) -> Tensor:
    """log p(1) - log p(0): (..., batch)."""
    return logits[..., 1] - logits[..., 0]


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over rows of -t log p(1) - (1 - t) log p(0); with `weights`, a weighted mean (0 where all weights are 0).

    >>> round(float(cross_entropy(torch.tensor([[0., 0.]]), torch.tensor([0.3]))), 4)
    0.6931
    """
    odds = log_odds(logits)
    each = -target * F.logsigmoid(odds) - (1 - target) * F.logsigmoid(-odds)
    if weights is None:
        return each.mean(-1)
    return (each * weights).sum(-1) / weights.sum(-1).clamp(min=1)


def harden(scores: Tensor, weak: Tensor, step: Step, share: float | None = None) -> Tensor:
    """1 for the highest of `scores`, 0 for the others, as many 1 as the classes' balance asks; no gradient.

    Parameters
    ----------
    scores, weak : Tensor (..., batch)
        The student's own scores of class 1, and its weak labels.
    share : float, optional
        Share of rows that become 1; by default the mean weak label, head by head.

    Notes
    -----
    The threshold of Burns et al. 2023, section 4.3, as a rank, so that equal scores never all fall in one class: among
    equals the rows that come first are taken. A batch smaller than a full one is ranked together with the rows before
    it; a single row with none before it takes its weak label's side.

    >>> harden(torch.zeros(10), torch.full((10,), 0.3), Step(0, 1, batch=10)).sum()
    tensor(3.)
    """
    scores, weak = scores.detach(), weak.detach()
    rows = scores.shape[-1]
    pool, labels = scores, weak
    if rows < step.batch and step.recent:
        pool = torch.cat([scores, *(one for one, _ in reversed(step.recent))], -1)[..., : step.batch]
        labels = torch.cat([weak, *(one for _, one in reversed(step.recent))], -1)[..., : step.batch]
    _remember(scores, weak, step)
    if pool.shape[-1] < 2:
        return (weak > 0.5).to(scores.dtype)
    wanted = labels.mean(-1, keepdim=True) if share is None else torch.full_like(labels[..., :1], share)
    count = torch.round(wanted * pool.shape[-1])
    rank = pool.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    return (rank < count).to(scores.dtype)[..., :rows]


def _remember(scores: Tensor, weak: Tensor, step: Step) -> None:
    if scores.shape[-1] >= step.batch:
        step.recent[:] = [(scores, weak)]
        return
    step.recent.append((scores, weak))
    held = sum(one.shape[-1] for one, _ in step.recent)
    while held - step.recent[0][0].shape[-1] >= step.batch:
        held -= step.recent.pop(0)[0].shape[-1]


registry = Registry(kind="loss", package="gnomon.supervision.losses", attribute="loss", group="gnomon.losses")


_RANGES = {"alpha": (0.0, 1.0), "warmup": (0.0, 1.0), "beta": (0.0, 100.0), "steps": (0.0, 1e9), "radius": (0.0, 0.5)}


def loss_named(text: str) -> Loss:
    """The loss called `NAME` or `NAME@setting=value@...`; the file's name is the loss's.

    Raises UsageError with the closest name for an unknown loss or setting, and for a value out of range.

    >>> loss_named("confidence@alpha=0.75") is not None
    True
    >>> loss_named("confidance")
    Traceback (most recent call last):
    gnomon.errors.UsageError: no loss is named 'confidance'. Did you mean 'confidence'? Known: confidence, entropy, ...
    """
    name, *parts = text.split("@")
    found: Any = registry.load(name)
    known = {
        key: one
        for key, one in inspect.signature(found).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }
    given = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in known:
            hint = " ".join(filter(None, [did_you_mean(key, known), f"Known: {', '.join(known) or 'none'}."]))
            raise UsageError(f"loss '{name}' has no setting '{key}'.", hint=hint)
        given[key] = _number(name, key, value)
    return functools.partial(found, **given) if given else found


def _number(name: str, key: str, value: str) -> float:
    low, high = _RANGES.get(key, (float("-inf"), float("inf")))
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise UsageError(f"{key}={value} of loss '{name}': give a number from {low:g} to {high:g}.")
    return number
