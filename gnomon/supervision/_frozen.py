"""The frozen learner: linear heads on the last layer's states, all jobs of a model as one batched program.

Belongs here: from jobs to outcomes. Does not belong here: heads (`_heads.py`), features (`_features.py`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.models import Model, Represents
from gnomon.supervision._agreement import agreement, chosen_point
from gnomon.supervision._features import Features, deepest, read_features
from gnomon.supervision._heads import HeadRecipe, train_heads
from gnomon.supervision._pool import Pool
from gnomon.supervision._stages import Job, Outcome

__all__ = ["Frozen"]

Progress = Callable[[str, int, int], None]


class Frozen:
    """Learns on states that are read once, whatever is learned from them.

    Parameters
    ----------
    models : mapping of name to Model
        Each must represent.
    root : Path
        Where states are kept.
    select : {"held", "last"}
        The epoch that is chosen: the last of those with the most agreement on held-out rows, or the last of all.
    start : {"zero", "unembedding"}
        What heads begin with: zeros, or the model's output rows of "0" and "1".
    """

    apart = False

    def __init__(
        self,
        models: Mapping[str, Model],
        root: Path,
        recipe: HeadRecipe,
        select: str,
        progress: Progress = lambda what, done, total: None,
        start: str = "zero",
    ) -> None:
        self._models, self._root, self._recipe, self._select, self._progress = models, root, recipe, select, progress
        self._start = start
        self._features: dict[tuple[str, int], Features] = {}

    def spec(self, pool: Pool) -> dict[str, Any]:
        """All that changes what is learned, beside the job and the model."""
        return {
            "learner": "frozen",
            **dataclasses.asdict(self._recipe),
            "select": self._select,
            "start": self._start,
            "standard": pool.digest(pool.learn),
        }

    def fingerprint(self, name: str) -> str:
        """What says which model learns, its reading rule included."""
        model = self._models[name]
        assert isinstance(model, Represents)
        return f"{model.fingerprint()} {model.layout().rule}"

    def features(self, pool: Pool, name: str) -> Features:
        """States of all the pool's texts, or differences of states where texts are compared."""
        key = (name, id(pool))
        if key not in self._features:
            if (whole := deepest(self._models, name)) != name:
                self.features(pool, whole)  # its pass gives these, too
            model = self._models[name]
            assert isinstance(model, Represents)
            labels = pool.labels.tolist()
            found = read_features(
                model,
                [*pool.texts, *pool.against],
                [*labels, *(1 - label for label in labels)] if pool.against else labels,
                self._root,
                lambda done, total: self._progress(f"reading · {name}", done, total),
                [one for one in self._models.values() if isinstance(one, Represents)],
            )
            self._features[key] = found.compared() if pool.against else found
        return self._features[key]

    def _first(self, name: str) -> Any:
        model = self._models[name]
        if self._start == "zero":
            return None
        if not hasattr(model, "unembedding"):
            raise UsageError(
                f"model '{name}' has no output rows that a head could begin with.", hint="Leave out  --start ."
            )
        return model.unembedding(("0", "1")).cpu().numpy()

    def learn(
        self, pool: Pool, name: str, jobs: Sequence[Job], skip: Callable[[int], bool]
    ) -> Iterator[tuple[int, Outcome]]:
        """Outcomes of one model's jobs, by their number; all are computed together, whichever are skipped."""
        began = time.perf_counter()
        values = self.features(pool, name).values
        heads = train_heads(
            values, [job.lesson for job in jobs], self._recipe, self._first(name), pool.learn, bool(pool.against)
        )
        seen = heads.standardised(values)
        each = (time.perf_counter() - began) / len(jobs)
        for number, job in enumerate(jobs):
            if skip(number):
                continue
            says = heads.course(seen, number)
            held = np.array([agreement(point[job.held], job.held_targets) for point in says])
            chosen = chosen_point(held, self._select)
            yield number, Outcome(says[chosen, job.wanted], says[:, job.test], held, chosen, each)
