"""Which stages a study needs, and computing them in an order in which teachers come before those they teach.

Belongs here: supervisors, ceilings, students, chains, simulated supervisors, probes; waves of jobs. Does not belong
here: how one is computed (the learners), or what the numbers mean (`_cells.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Contract

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError, RunError
from gnomon.stats import stream
from gnomon.supervision._heads import Lesson
from gnomon.supervision._pool import Halves, Pool, halves
from gnomon.supervision._simulated import simulated
from gnomon.supervision._stages import Job, Outcome, StageStore, key_of
from gnomon.supervision._team import Team

__all__ = [
    "PROBE",
    "Ladder",
    "Learner",
    "Node",
    "ceiling",
    "chain",
    "chained",
    "direct",
    "easy",
    "last_part",
    "mixed",
    "probe",
    "student",
    "supervisor",
]

Progress = Callable[[str, int, int], None]

PROBE = "probe"
"""In place of a loss: a linear head on the states of the model as it is."""


@dataclass(frozen=True)
class Node:
    """One stage. `teacher` is whose predictions it learns from (None: the truth); `part` says on which rows.

    With `errors` the labels are the truth with as many errors as the teacher makes, of that kind (see `_simulated.py`).
    A `primed` model first learns to write the texts. Of a `probed` one it is asked, too, what a linear probe of it says
    when fitted to the truth.
    """

    model: str
    seed: int
    part: str
    teacher: Node | None = None
    loss: str = "xent"
    errors: str = ""
    judge: Node | None = None
    primed: bool = False
    probed: bool = False

    @property
    def needs(self) -> list[Node]:
        """Stages that must be there before this one."""
        return [node for node in (self.teacher, self.judge) if node is not None]


def supervisor(model: str, seed: int) -> Node:
    """Learns the truth of half A."""
    return Node(model, seed, "a")


def ceiling(model: str, seed: int, part: str = "b", primed: bool = False) -> Node:
    """Learns the truth of half B, or of a part of it."""
    return Node(model, seed, part, primed=primed)


def student(
    strong: str, weak: str, loss: str, seed: int, errors: str = "", primed: bool = False, probed: bool = False
) -> Node:
    """Learns what a supervisor says of half B."""
    judge = supervisor(strong, seed) if errors in ("easy", "hard") else None
    return Node(strong, seed, "b", supervisor(weak, seed), loss, errors, judge, primed, probed)


def probe(model: str, weak: str | None, seed: int) -> Node:
    """A linear probe of the model as it is, fitted to the truth of half B or to what a supervisor says of it."""
    return Node(model, seed, "b", None if weak is None else supervisor(weak, seed), PROBE)


def easy(model: str, most: float, seed: int) -> Node:
    """Learns the truth of those rows of half B whose difficulty is at most `most`."""
    return Node(model, seed, f"b <={most:g}")


def mixed(model: str, most: float, seed: int) -> Node:
    """Learns the truth of as many rows of half B, whatever their difficulty."""
    return Node(model, seed, f"b ~<={most:g}")


def chain(models: Sequence[str], loss: str, seed: int) -> list[Node]:
    """Students of `models[1:]`, each taught by the one before on rows that are new to both; `models[0]` is the
    supervisor (bootstrapping, Burns et al. 2023, section 4.3.1)."""
    teacher, found = supervisor(models[0], seed), []
    steps = len(models) - 1
    for step, model in enumerate(models[1:]):
        teacher = Node(model, seed, f"b {step + 1}/{steps}", teacher, loss)
        found.append(teacher)
    return found


def chained(models: Sequence[str], loss: str, seed: int) -> Node:
    """The last student of a chain."""
    return chain(models, loss, seed)[-1]


def last_part(models: Sequence[str]) -> str:
    """The rows that the last student of a chain learns from."""
    return f"b {len(models) - 1}/{len(models) - 1}"


def direct(models: Sequence[str], loss: str, seed: int) -> Node:
    """The last model of a chain, taught by the first alone on the rows of the chain's last step."""
    return Node(models[-1], seed, last_part(models), supervisor(models[0], seed), loss)


class Learner(Contract):
    """What turns jobs into outcomes.

    Attributes
    ----------
    apart : bool
        Whether each job is a piece of work by itself, so that several processes can share them.
    """

    apart: bool

    def spec(self, pool: Pool) -> dict[str, Any]:
        """All that changes what is learned, beside the job and the model."""
        ...

    def fingerprint(self, name: str) -> str:
        """What says which model learns."""
        ...

    def learn(
        self, pool: Pool, name: str, jobs: Sequence[Job], skip: Callable[[int], bool]
    ) -> Iterator[tuple[int, Outcome]]:
        """Outcomes of one model's jobs, by their number, as they are done; none of those that are skipped.

        What is computed together depends on `jobs` alone, so that an interrupted study gives the same numbers.
        """
        ...


class Ladder:
    """Outcomes of the stages over one pool.

    Attributes
    ----------
    outcomes : mapping of Node to Outcome
    computed, reused : int
        Stages.
    """

    def __init__(
        self, pool: Pool, learner: Learner, store: StageStore, progress: Progress, team: Team | None = None
    ) -> None:
        self.pool = pool
        self.outcomes: dict[Node, Outcome] = {}
        self.computed, self.reused = 0, 0
        self._learner, self._store, self._progress, self._team = learner, store, progress, team or Team()
        self._halves: dict[tuple[int, int], Halves] = {}
        self._spec: Mapping[str, Any] = learner.spec(pool)

    def compute(self, nodes: Iterable[Node]) -> None:
        """Have all `nodes` and what they need; each outcome is kept as soon as it is there."""
        waiting = _with_needs(nodes)
        total = len(waiting)
        waiting = [node for node in waiting if node not in self.outcomes]
        while waiting:
            ready = [node for node in waiting if all(need in self.outcomes for need in node.needs)]
            for model in dict.fromkeys(node.model for node in ready):
                self._wave(model, [node for node in ready if node.model == model], total)
            waiting = [node for node in waiting if node not in self.outcomes]

    def rows(self, node: Node) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows that a stage learns from, and those that choose its epoch."""
        name, _, steps = node.part.partition("/")
        cut = self.halves(node.seed, int(steps or 1))
        if node.part == "a":
            return cut.a, cut.a_held
        if "<=" in name:
            return self._by_difficulty(cut, name, node.seed)
        return (cut.parts[int(name.split()[1]) - 1] if steps else cut.b), cut.b_held

    def _by_difficulty(self, cut: Halves, part: str, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of half B up to a difficulty ("b <=N"), or as many of all ("b ~<=N"); and held-out ones."""
        words, _, most = part.partition("<=")
        assert self.pool.difficulty is not None
        below = self.pool.difficulty <= float(most)
        rows, held = cut.b[below[cut.b]], cut.b_held[below[cut.b_held]]
        if not len(rows):
            known = self.pool.difficulty[self.pool.learn]
            raise DataError(
                f"no row to learn from has a difficulty of at most {most}; it runs from {known.min():g} to "
                f"{known.max():g}.",
                hint="Give a larger  --easy , or more rows with  --learn .",
            )
        if "~" in words:
            return np.sort(stream(seed, "mixed").choice(cut.b, len(rows), replace=False)), cut.b_held
        return rows, held if len(held) else cut.b_held

    def halves(self, seed: int, parts: int = 1) -> Halves:
        """The rows of one training seed, divided."""
        if (seed, parts) not in self._halves:
            self._halves[seed, parts] = halves(self.pool, seed, parts)
        return self._halves[seed, parts]

    def labels(self, node: Node, rows: NDArray[np.int64]) -> NDArray[Any]:
        """What a stage is told of `rows`: the truth, what its teacher says, or simulated labels."""
        truth = self.pool.truth(rows)
        if node.teacher is None:
            return truth
        told = self.says(node.teacher, rows)
        if not node.errors:
            return told
        judged = self.says(node.judge, rows) if node.judge else None
        return simulated(node.errors, truth, told, [self.pool.texts[row] for row in rows], judged, node.seed)

    def says(self, node: Node, rows: NDArray[np.int64]) -> NDArray[Any]:
        """P(class 1) of `rows`, or what was written for them; they must be among those that the stage was asked of."""
        wanted = self.wanted(node)
        at = np.searchsorted(wanted, rows)
        return np.asarray(self.outcomes[node].wanted[at])

    def wanted(self, node: Node) -> NDArray[np.int64]:
        """The rows that others may learn from this stage: rows that it did not learn from itself, sorted."""
        if node.part == "a":
            cut = self.halves(node.seed)
            return np.sort(np.concatenate([cut.b, cut.b_held]))
        name, _, steps = node.part.partition("/")
        if steps and int(name.split()[1]) < int(steps):
            cut = self.halves(node.seed, int(steps))
            return np.sort(np.concatenate([cut.parts[int(name.split()[1])], cut.b_held]))
        return np.empty(0, dtype=np.int64)

    def _wave(self, model: str, nodes: Sequence[Node], total: int) -> None:
        jobs = [self._job(node) for node in nodes]
        keys = [key_of(self.pool, job, self._learner.fingerprint(model), self._spec) for job in jobs]
        missing = set()
        for number, (node, key) in enumerate(zip(nodes, keys, strict=True)):
            if (known := self._store.get(key)) is None:
                missing.add(number)
            else:
                self.outcomes[node] = known
                self.reused += 1
        self._progress("learning", len(self.outcomes), total)
        if missing:
            mine = self._team.mine(sorted(missing), self._learner.apart)
            if mine:
                for number, outcome in self._learner.learn(self.pool, model, jobs, lambda number: number not in mine):
                    self._store.put(keys[number], outcome)
                    self.outcomes[nodes[number]] = outcome
                    self.computed += 1
                    self._progress("learning", len(self.outcomes), total)
            self._team.wait()
            self._fetch({keys[number]: nodes[number] for number in missing - mine})

    def _fetch(self, others: Mapping[str, Node]) -> None:
        """Take what the other processes computed."""
        for key, node in others.items():
            if (found := self._store.get(key)) is None:
                raise RunError(
                    "a stage that another process computed is not in the cache.",
                    hint="Let all processes share one GNOMON_CACHE .",
                )
            self.outcomes[node] = found

    def _job(self, node: Node) -> Job:
        rows, held = self.rows(node)
        lesson = Lesson(rows, self.labels(node, rows), node.loss, node.seed)
        return Job(
            node.model,
            lesson,
            held,
            self.labels(node, held),
            self.wanted(node),
            self.pool.test,
            node.primed,
            self.pool.truth(rows) if node.probed else None,
        )


def _with_needs(nodes: Iterable[Node]) -> list[Node]:
    """`nodes` and all that they need, each once, those that are needed first."""
    found: dict[Node, None] = {}

    def add(node: Node) -> None:
        for need in node.needs:
            add(need)
        found[node] = None

    for node in nodes:
        add(node)
    return list(found)
