"""One training by gradient: order, batches, schedule, looks, and going on from the last look after an interruption.

Belongs here: the course of things. Does not belong here: what a batch teaches and what is said of rows (`_tuned.py`),
networks (`models/_pupil.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from typing import Protocol as Contract

import numpy as np
import torch
from numpy.typing import NDArray

from gnomon.errors import ModelError
from gnomon.files import write_atomically
from gnomon.stats import stream
from gnomon.supervision._agreement import agreement, chosen_point
from gnomon.supervision._loss import Step
from gnomon.supervision._stages import Job, packed, unpacked

if TYPE_CHECKING:
    from gnomon.models._pupil import Pupil

__all__ = ["Course", "Teaching", "TuneRecipe"]


@dataclass(frozen=True)
class TuneRecipe:
    """How networks are trained: AdamW with a cosine schedule to 0 and no warm-up, no dropout.

    `epochs` and `batch` are the paper's (2 and 32). `lr` None is 5e-5 for whole networks (the released code's for small
    ones) and 2e-4 for adapters of `rank`. `start` is what the head begins with: the output rows of "0" and "1"
    ("unembedding", the paper) or zeros (the released code). `looks` are taken at the test rows, evenly over the
    training. `tokens` are computed in one piece.
    """

    method: str = "lora"
    epochs: int = 2
    batch: int = 32
    lr: float | None = None
    rank: int = 8
    start: str = "unembedding"
    looks: int = 4
    tokens: int = 4096

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.lr if self.lr is not None else 5e-5 if self.method == "full" else 2e-4

    def optimiser(self, pupil: Pupil, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """For all that `pupil` learns with, and its schedule over `steps`."""
        found = torch.optim.AdamW(pupil.weights(), lr=self.rate, weight_decay=0.0, fused=True)
        return found, torch.optim.lr_scheduler.CosineAnnealingLR(found, steps)


class Teaching(Contract):
    """What a batch teaches a pupil, and what the pupil then says."""

    @property
    def pupil(self) -> Pupil:
        """Who learns."""
        ...

    def backward(self, places: NDArray[np.int64], step: Step) -> None:
        """Add the gradient of the loss on these places of the lesson."""
        ...

    def says(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """P(class 1) of rows, or what is written for them."""
        ...


class Course:
    """One training, from its last look on.

    Attributes
    ----------
    test : list of ndarray (t,)
        What was said of the test rows at every look.
    held : list of float
        Agreement on held-out rows, likewise.
    """

    def __init__(self, teaching: Teaching, job: Job, recipe: TuneRecipe, select: str, place: Path) -> None:
        self._teaching, self._job, self._recipe, self._select, self._place = teaching, job, recipe, select, place
        self._pupil = teaching.pupil
        self._per_epoch = -(-len(job.lesson.rows) // recipe.batch)
        self._total = self._per_epoch * recipe.epochs
        self._looks = sorted({round(self._total * (k + 1) / recipe.looks) for k in range(recipe.looks)} - {0})
        self._optimiser, self._schedule = recipe.optimiser(self._pupil, self._total)
        self._step = Step(0, self._total, recipe.batch)
        self.test: list[NDArray[Any]] = []
        self.held: list[float] = []
        self._kept: dict[str, torch.Tensor] = {}

    @property
    def begun(self) -> bool:
        """Whether a look was written by a training that was interrupted."""
        return self._place.is_file()

    @property
    def chosen(self) -> int:
        """The look that is taken."""
        return chosen_point(self.held, self._select)

    def run(self, progress: Callable[[int, int], None]) -> None:
        """Train to the end; afterwards the pupil has the weights of the chosen look."""
        self._resume()
        progress(self._step.number, self._total)
        while self._step.number < self._total:
            self._optimiser.zero_grad(set_to_none=True)
            self._teaching.backward(self._batch(self._step.number), self._step)
            self._optimiser.step()
            self._schedule.step()
            self._step.number += 1
            if self._step.number in self._looks:
                self._look()
            progress(self._step.number, self._total)
        if self._kept:
            self._pupil.restore(self._kept)

    def close(self) -> None:
        """Forget what an interrupted training would need."""
        self._place.unlink(missing_ok=True)

    def _batch(self, number: int) -> NDArray[np.int64]:
        """Places in the lesson of the rows of step `number`: another order in every epoch."""
        epoch, at = divmod(number, self._per_epoch)
        order = stream(self._job.lesson.seed, f"order/{epoch}").permutation(len(self._job.lesson.rows))
        return order[at * self._recipe.batch : (at + 1) * self._recipe.batch]

    def _look(self) -> None:
        """Predict, keep the weights of the look that would be chosen, and write what an interrupted training needs."""
        said = self._teaching.says(self._job.test)
        if said.dtype.kind == "f" and not np.isfinite(said).all():
            raise ModelError("training diverged.", hint="Take a smaller learning rate.")
        self.test.append(said)
        self.held.append(agreement(self._teaching.says(self._job.held), self._job.held_targets))
        if self._select != "last" and self.chosen == len(self.held) - 1:
            self._kept = self._pupil.state()
        if self._step.number < self._total:
            self._save()

    def _save(self) -> None:
        held = {
            "weights": self._pupil.state(),
            "kept": self._kept,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "number": self._step.number,
            "recent": self._step.recent,
            "test": [torch.from_numpy(packed(one).copy()) for one in self.test],
            "held": self.held,
        }
        buffer = io.BytesIO()
        torch.save(held, buffer)
        write_atomically(self._place, buffer.getvalue())

    def _resume(self) -> None:
        """Go on from the last look, if one was written; a damaged file counts as none."""
        if not self.begun:
            return
        try:
            held = torch.load(self._place, map_location="cpu", weights_only=True)
        except Exception:  # whatever is wrong with it, beginning anew is right
            return
        self._pupil.restore(held["weights"])
        self._kept = held["kept"]
        self._optimiser.load_state_dict(held["optimiser"])
        self._schedule.load_state_dict(held["schedule"])
        self._step.number, self._step.recent = held["number"], [tuple(pair) for pair in held["recent"]]
        self.test, self.held = [unpacked(one.numpy()) for one in held["test"]], held["held"]
