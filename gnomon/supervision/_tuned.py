"""The tuned learner: whole networks, or low-rank adapters, trained on texts; one job after another.

Belongs here: the course of a training: order, batches, schedule, looks, checkpoints. Does not belong here: networks
(`models/_pupil.py`), losses (`losses/`).

A loss may look at a whole batch (its threshold is a rank), however little of it fits in memory at once: logits of all
rows are computed without a graph, the loss gives their gradients, and these are carried into the weights piece by
piece. The gradient is the same, and memory is that of one piece.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnomon.errors import ModelError
from gnomon.files import write_atomically
from gnomon.models import Learns, Model
from gnomon.stats import stream
from gnomon.supervision._agreement import agreement, chosen_point
from gnomon.supervision._loss import Step, log_odds, loss_named
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Job, Outcome, key_of

if TYPE_CHECKING:
    from gnomon.models._pupil import Pupil

__all__ = ["TuneRecipe", "Tuned"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TuneRecipe:
    """How networks are trained: AdamW with a cosine schedule to 0 and no warm-up, no dropout.

    `epochs` and `batch` are the paper's (2 and 32). `lr` None is 5e-5 for whole networks (the released code's for small
    ones) and 2e-4 for adapters of `rank`. `looks` are taken at the test rows, evenly over the training. `tokens` are
    computed in one piece.
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


class Tuned:
    """Learns by gradient on the network itself.

    Parameters
    ----------
    models : mapping of name to Model
        Each must learn.
    root : Path
        Where a training in work keeps its last look, so that an interrupted one goes on from there.
    select : {"held", "last"}
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        root: Path,
        recipe: TuneRecipe,
        select: str,
        progress: Progress = lambda what, done, total: None,
    ) -> None:
        self._models, self._root, self._recipe, self._select, self._progress = models, root, recipe, select, progress
        self._ids: dict[str, list[list[int]]] = {}

    def spec(self, pool: Pool) -> dict[str, Any]:
        """All that changes what is learned, beside the job and the model."""
        recipe = {key: value for key, value in dataclasses.asdict(self._recipe).items() if key != "tokens"}
        return {"learner": "tuned", **recipe, "lr": self._recipe.rate, "select": self._select}

    def fingerprint(self, name: str) -> str:
        """What says which model learns."""
        return self._models[name].fingerprint()

    def learn(
        self, pool: Pool, name: str, jobs: Sequence[Job], skip: Callable[[int], bool]
    ) -> Iterator[tuple[int, Outcome]]:
        """Outcomes of one model's jobs, by their number; each is trained by itself."""
        for number, job in enumerate(jobs):
            if not skip(number):
                key = key_of(pool, job, self.fingerprint(name), self.spec(pool))
                yield number, self._train(pool, name, job, self._root / f"{key}.work")

    def _train(self, pool: Pool, name: str, job: Job, place: Path) -> Outcome:
        began, recipe = time.perf_counter(), self._recipe
        model = self._models[name]
        assert isinstance(model, Learns)
        pupil: Pupil = model.pupil(recipe.method, job.lesson.seed, recipe.start, recipe.rank)
        if name not in self._ids:
            self._ids[name] = pupil.ids([*pool.texts, *pool.against])
        course = _Course(
            pupil, _Texts(self._ids[name], len(pool.texts) if pool.against else 0), job, recipe, self._select, place
        )
        course.run(lambda done, total: self._progress(f"training · {name}", done, total))
        wanted = course.best(job.wanted)
        place.unlink(missing_ok=True)
        return Outcome(
            wanted=wanted,
            test=np.stack(course.test),
            held=np.array(course.held),
            chosen=course.chosen,
            seconds=time.perf_counter() - began,
        )


@dataclass(frozen=True)
class _Texts:
    """Token ids of all rows; where texts are compared, those of the others follow after `pairs` rows.

    A pair's logits are 0 and r(text) - r(against), r being the head's log-odds of one text: swapping the two negates
    them, and equal texts give a half (Burns et al. 2023, section 4.2).
    """

    ids: Sequence[Sequence[int]]
    pairs: int

    def of(self, rows: NDArray[np.int64]) -> list[Sequence[int]]:
        """Ids of all texts of these rows: one a row, or first all and then all others."""
        others = [self.ids[row + self.pairs] for row in rows] if self.pairs else []
        return [*(self.ids[row] for row in rows), *others]

    def joined(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (rows, 2) from those of the texts."""
        if not self.pairs:
            return logits
        text, other = (logits[:, 1] - logits[:, 0]).chunk(2)
        return torch.stack([torch.zeros_like(text), text - other], dim=1)


class _Course:
    """One training, from its last look on."""

    def __init__(self, pupil: Pupil, texts: _Texts, job: Job, recipe: TuneRecipe, select: str, place: Path) -> None:
        self._pupil, self._texts, self._job, self._recipe, self._select = pupil, texts, job, recipe, select
        self._place = place
        self._loss = loss_named(job.lesson.loss)
        rows = len(job.lesson.rows)
        self._per_epoch = -(-rows // recipe.batch)
        self._total = self._per_epoch * recipe.epochs
        self._looks = sorted({round(self._total * (k + 1) / recipe.looks) for k in range(recipe.looks)} - {0})
        self._optimiser = torch.optim.AdamW(pupil.weights(), lr=recipe.rate, weight_decay=0.0)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, self._total)
        self._step = Step(0, self._total, recipe.batch)
        self.test: list[NDArray[np.float64]] = []
        self.held: list[float] = []
        self._kept: dict[str, torch.Tensor] = {}
        self._resume()

    @property
    def chosen(self) -> int:
        """The look that is taken."""
        return chosen_point(self.held, self._select)

    def run(self, progress: Callable[[int, int], None]) -> None:
        while self._step.number < self._total:
            self._learn_batch(self._batch(self._step.number))
            self._step.number += 1
            if self._step.number in self._looks:
                self._look()
            progress(self._step.number, self._total)

    def best(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """P(class 1) of `rows` at the chosen look."""
        if self._kept:
            self._pupil.restore(self._kept)
        return self._says(rows)

    def _batch(self, number: int) -> NDArray[np.int64]:
        """Places in the lesson of the rows of step `number`: another order in every epoch."""
        epoch, at = divmod(number, self._per_epoch)
        order = stream(self._job.lesson.seed, f"order/{epoch}").permutation(len(self._job.lesson.rows))
        return order[at * self._recipe.batch : (at + 1) * self._recipe.batch]

    def _learn_batch(self, places: NDArray[np.int64]) -> None:
        from gnomon.models._pupil import batches

        lesson, pupil = self._job.lesson, self._pupil
        ids = self._texts.of(lesson.rows[places])
        weak = torch.tensor(lesson.targets[places], dtype=torch.float32, device=pupil.device)
        pieces = list(batches([len(one) for one in ids], self._recipe.tokens))
        self._optimiser.zero_grad(set_to_none=True)
        if len(pieces) == 1:
            self._loss(self._texts.joined(pupil.logits(ids)), weak, self._step).backward()  # type: ignore[no-untyped-call]
        else:
            whole = torch.from_numpy(pupil.predict(ids, self._recipe.tokens)).to(pupil.device).requires_grad_()
            self._loss(self._texts.joined(whole), weak, self._step).backward()  # type: ignore[no-untyped-call]
            assert whole.grad is not None
            for rows in pieces:
                pupil.logits([ids[row] for row in rows]).backward(whole.grad[rows])  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._schedule.step()

    def _says(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(rows):
            return np.empty(0)
        logits = torch.from_numpy(self._pupil.predict(self._texts.of(rows), self._recipe.tokens)).double()
        return np.asarray(torch.sigmoid(log_odds(self._texts.joined(logits))).numpy(), dtype=np.float64)

    def _look(self) -> None:
        """Predict, keep the weights of the look that would be chosen, and write what an interrupted training needs."""
        self.test.append(self._says(self._job.test))
        self.held.append(agreement(self._says(self._job.held), self._job.held_targets))
        if not np.isfinite(self.test[-1]).all():
            raise ModelError("training diverged.", hint="Take a smaller learning rate.")
        if self._select != "last" and self.chosen == len(self.held) - 1:
            self._kept = self._pupil.state()
        if self._step.number < self._total:
            self._save()

    def _save(self) -> None:
        import io

        held = {
            "weights": self._pupil.state(),
            "kept": self._kept,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "number": self._step.number,
            "recent": self._step.recent,
            "test": [torch.from_numpy(one) for one in self.test],
            "held": self.held,
        }
        buffer = io.BytesIO()
        torch.save(held, buffer)
        write_atomically(self._place, buffer.getvalue())

    def _resume(self) -> None:
        """Go on from the last look, if one was written; a damaged file counts as none."""
        if not self._place.is_file():
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
        self.test, self.held = [one.numpy() for one in held["test"]], held["held"]
