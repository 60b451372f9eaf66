"""The tuned learner: whole networks, or low-rank adapters, trained on texts; one job after another.

Belongs here: what a batch teaches (labels of texts, preferences between two, answers in writing), and probes of what
was learned. Does not belong here: the course of a training (`_course.py`), networks (`models/_pupil.py`), losses
(`losses/`).

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

from gnomon.asks import Decoding
from gnomon.models import Learns, Model
from gnomon.stats import stream
from gnomon.supervision._course import Course, Teaching, TuneRecipe
from gnomon.supervision._heads import HeadRecipe, Lesson, train_heads
from gnomon.supervision._ladder import PROBE
from gnomon.supervision._loss import Step, log_odds, loss_named
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Job, Outcome, key_of

if TYPE_CHECKING:
    from gnomon.models._pupil import Pupil, Scribe

__all__ = ["TuneRecipe", "Tuned"]

Progress = Callable[[str, int, int], None]


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

    apart = True

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
        self._primed: tuple[str, dict[str, torch.Tensor]] | None = None

    def spec(self, pool: Pool) -> dict[str, Any]:
        """All that changes what is learned, beside the job and the model."""
        recipe = {key: value for key, value in dataclasses.asdict(self._recipe).items() if key != "tokens"}
        return {
            "learner": "tuned v2",
            **recipe,
            "lr": self._recipe.rate,
            "select": self._select,
            "writes": pool.written,
        }

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
        writes = pool.written or job.primed
        pupil = model.pupil(recipe.method, job.lesson.seed, recipe.start, recipe.rank, writes)
        if name not in self._ids and not pool.written:
            self._ids[name] = pupil.ids([*pool.texts, *pool.against])
        ids = self._ids.get(name, [])
        if not writes:
            pupil.forget_all_but(ids)
        judging = None if pool.written else _Judging(pupil, _Texts(ids, len(pool.against)), job, recipe)
        if judging and job.lesson.loss == PROBE:
            says = judging.probe(job.lesson.targets, np.concatenate([job.test, job.wanted]))
            test, wanted = says[: len(job.test)], says[len(job.test) :]
            return Outcome(wanted, test[None], np.full(1, np.nan), 0, time.perf_counter() - began)
        teaching: Teaching = judging or _Writing(pupil, pool, job, recipe)
        course = Course(teaching, job, recipe, self._select, place)
        if job.primed and not course.begun:
            self._prime(pool, name, job, pupil, ids)
        course.run(lambda done, total: self._progress(f"training · {name}", done, total))
        outcome = Outcome(
            wanted=teaching.says(job.wanted),
            test=np.stack(course.test),
            held=np.array(course.held),
            chosen=course.chosen,
            seconds=time.perf_counter() - began,
            probed=judging.probe(job.truth, job.test) if judging and job.truth is not None else np.empty(0),
        )
        course.close()
        return outcome

    def _prime(self, pool: Pool, name: str, job: Job, pupil: Scribe, ids: Sequence[Sequence[int]]) -> None:
        """Teach `pupil` to write the lesson's texts, whatever their labels, once over (Burns et al. 2023: generative
        finetuning). Jobs with the same rows and seed share what that gives."""
        key = f"{name} {job.lesson.seed} {pool.digest(job.lesson.rows)}"
        if self._primed is None or self._primed[0] != key:
            pairs = len(pool.texts) if pool.against else 0
            texts = [ids[row + offset] for offset in ((0, pairs) if pairs else (0,)) for row in job.lesson.rows]
            texts = [one for one in texts if len(one) > 1]
            order = stream(job.lesson.seed, "order/generative").permutation(len(texts))
            steps = -(-len(texts) // self._recipe.batch)
            optimiser, schedule = self._recipe.optimiser(pupil, steps)
            for number in range(steps):
                batch = [texts[at] for at in order[number * self._recipe.batch : (number + 1) * self._recipe.batch]]
                optimiser.zero_grad(set_to_none=True)
                _write_on(pupil, batch, [1] * len(batch), self._recipe.tokens)
                optimiser.step()
                schedule.step()
                self._progress(f"generative finetuning · {name}", number + 1, steps)
            head = [str(at) for at, one in enumerate(pupil.weights()) if any(one is w for w in pupil.head.parameters())]
            self._primed = key, {at: one for at, one in pupil.state().items() if at not in head}
        pupil.restore({**pupil.state(), **self._primed[1]})


def _write_on(pupil: Scribe, ids: Sequence[Sequence[int]], starts: Sequence[int], tokens: int) -> None:
    """Add the gradient of the mean surprise of a token, over all that are to be written, piece by piece."""
    from gnomon.models._pupil import alike, batches

    total = sum(len(one) - start for one, start in zip(ids, starts, strict=True))
    for piece in batches([len(one) for one in ids], tokens):
        for near in alike([len(ids[row]) for row in piece], pupil.pass_tokens):
            rows = [piece[at] for at in near]
            surprise = pupil.surprise([ids[row] for row in rows], [starts[row] for row in rows])
            torch.autograd.backward(surprise.sum() / total)


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


class _Judging:
    """Labels of texts, or preferences between two."""

    def __init__(self, pupil: Pupil, texts: _Texts, job: Job, recipe: TuneRecipe) -> None:
        self.pupil, self._texts, self._job, self._recipe = pupil, texts, job, recipe
        self._loss = loss_named(job.lesson.loss) if job.lesson.loss != PROBE else None

    def backward(self, places: NDArray[np.int64], step: Step) -> None:
        from gnomon.models._pupil import batches

        assert self._loss is not None
        lesson, pupil = self._job.lesson, self.pupil
        ids = self._texts.of(lesson.rows[places])
        weak = torch.tensor(lesson.targets[places], dtype=torch.float32, device=pupil.device)
        pieces = list(batches([len(one) for one in ids], self._recipe.tokens))
        if len(pieces) == 1:
            torch.autograd.backward(self._loss(self._texts.joined(_by_length(pupil, ids)), weak, step))
            return
        whole = torch.from_numpy(pupil.predict(ids, self._recipe.tokens)).to(pupil.device).requires_grad_()
        torch.autograd.backward(self._loss(self._texts.joined(whole), weak, step))
        assert whole.grad is not None
        for rows in pieces:
            torch.autograd.backward(pupil.logits([ids[row] for row in rows]), whole.grad[rows])

    def says(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(rows):
            return np.empty(0)
        logits = torch.from_numpy(self.pupil.predict(self._texts.of(rows), self._recipe.tokens)).double()
        return np.asarray(torch.sigmoid(log_odds(self._texts.joined(logits))).numpy(), dtype=np.float64)

    def probe(self, targets: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """P(class 1) of `rows` by a linear head on the states as they are now, fitted to `targets` of the lesson's
        rows."""
        learned = self._job.lesson.rows
        states = self._states(np.concatenate([learned, rows]))
        lesson = Lesson(np.arange(len(learned)), targets, seed=self._job.lesson.seed)
        heads = train_heads(states, [lesson], HeadRecipe(), paired=bool(self._texts.pairs))
        return np.asarray(heads.probabilities(states[len(learned) :])[0], dtype=np.float64)

    def _states(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = self.pupil.predict(self._texts.of(rows), self._recipe.tokens, "states")
        return found[: len(rows)] - found[len(rows) :] if self._texts.pairs else found


def _by_length(pupil: Pupil, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits (n, 2) of texts that fit in memory together, with gradient, computed among texts of similar length."""
    from gnomon.models._pupil import alike

    groups = alike([len(one) for one in ids], pupil.pass_tokens)
    found = torch.cat([pupil.logits([ids[row] for row in rows]) for rows in groups])
    return found[torch.tensor([row for rows in groups for row in rows], device=found.device).argsort()]


class _Writing:
    """Answers, written after their prompts and ended by a line break; decoding is greedy (Burns et al. 2023, chess
    puzzles)."""

    def __init__(self, pupil: Scribe, pool: Pool, job: Job, recipe: TuneRecipe) -> None:
        self.pupil, self._pool, self._recipe = pupil, pool, recipe
        prompts = [pool.texts[row] for row in job.lesson.rows]
        self._pairs = pupil.pairs(prompts, [f"{answer}\n" for answer in job.lesson.targets.tolist()])
        longest = max(len(ids) - start for ids, start in self._pairs)
        self._decoding = Decoding(max_tokens=longest + 2, stop=("\n",))

    def backward(self, places: NDArray[np.int64], step: Step) -> None:
        chosen = [self._pairs[place] for place in places]
        _write_on(self.pupil, [ids for ids, _ in chosen], [start for _, start in chosen], self._recipe.tokens)

    def says(self, rows: NDArray[np.int64]) -> NDArray[np.str_]:
        if not len(rows):
            return np.empty(0, dtype=np.str_)
        return np.array(self.pupil.write([self._pool.texts[row] for row in rows], self._decoding), dtype=np.str_)
