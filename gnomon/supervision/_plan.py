"""What a weak-to-strong study consists of: its settings, models, rows and stages, settled before any work.

Belongs here: understanding and refusing what was asked. Does not belong here: doing it (`_study.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.models import Model, load_model, require
from gnomon.registry import did_you_mean, unknown
from gnomon.supervision import _ladder as make
from gnomon.supervision._given import Given
from gnomon.supervision._ladder import Node
from gnomon.supervision._loss import loss_named
from gnomon.supervision._pool import Pool, pool, written_pool
from gnomon.supervision._simulated import KINDS
from gnomon.tasks import TaskData, judged, load_task, posed, written_only

__all__ = [
    "LEARNERS",
    "Settings",
    "Study",
    "TaskPool",
    "check_settings",
    "models_of",
    "nodes",
    "read_tasks",
]

LEARNERS = {
    "frozen": ("represent", "a linear head on frozen states of the last layer"),
    "lora": ("learn", "low-rank adapters at all linear layers, and a head"),
    "full": ("learn", "the whole network, and a head"),
    "prompt": ("score", "examples in the prompt, and nothing trained"),
}
SELECT = ("held", "last")
ANSWERS = ("auto", "judged", "written")
STARTS = ("auto", "unembedding", "zero")


@dataclass(frozen=True)
class Settings:
    """How models are taught. Every field is part of the run's identity."""

    learner: str
    answers: str
    epochs: int
    lr: float | None
    start: str
    max_tokens: int
    shots: int
    losses: tuple[str, ...]
    seeds: int
    chain: bool
    simulate: tuple[str, ...]
    generative_first: bool
    saliency: bool
    easy: float | None
    select: str
    learn: int
    test: int
    seed: int

    @property
    def written(self) -> bool:
        """Whether answers are written, once that is settled."""
        return self.answers == "written"

    @property
    def tuned(self) -> bool:
        """Whether networks themselves are trained."""
        return self.learner in ("lora", "full")


@dataclass
class TaskPool:
    """A task with its rows."""

    name: str
    data: TaskData
    pool: Pool


@dataclass
class Study:
    """Everything that is settled before the first text is read. `models` go from weak to strong; labels that somebody
    gave stand before them all."""

    models: dict[str, Model]
    tasks: list[TaskPool]
    settings: Settings
    spec: dict[str, Any]
    notes: list[str]
    given: Given | None = None

    @property
    def names(self) -> list[str]:
        """Supervisors and students from weak to strong."""
        return [*([self.given.name] if self.given else []), *self.models]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(supervisor, student): every model teaches itself and all that stand above it."""
        names = self.names
        return [(weak, strong) for place, weak in enumerate(names) for strong in names[place:] if strong in self.models]


def check_settings(tasks: Sequence[str], losses: Sequence[str] | None, **given: Any) -> Settings:
    """Settings with everything settled; raises UsageError for what cannot be."""
    answers = given["answers"]
    _known("way to answer", answers, ANSWERS)
    if answers == "auto":
        answers = "written" if any(written_only(load_task(name).task) for name in tasks) else "judged"
    usual = ("xent",) if answers == "written" or given["learner"] == "prompt" else ("xent", "confidence")
    settings = Settings(**{**given, "answers": answers, "losses": usual if losses is None else tuple(losses)})
    _known("learner", settings.learner, LEARNERS)
    _known("way to select an epoch", settings.select, SELECT)
    _known("start of a head", settings.start, STARTS)
    if not settings.losses:
        raise UsageError("no loss was named.", hint="Give  --losses xent,confidence .")
    for name in settings.losses:
        loss_named(name)
    for kind in settings.simulate:
        _known("kind of simulated error", kind, KINDS)
    for what in ("seeds", "learn", "test", "epochs", "max_tokens"):
        if getattr(settings, what) < 1:
            raise UsageError(f"{what}={getattr(settings, what)} was given.", hint="Give a whole number from 1.")
    if settings.lr is not None and not 0 < settings.lr < 1:
        raise UsageError(f"lr={settings.lr:g} was given.", hint="Give a number between 0 and 1.")
    if settings.shots < 0:
        raise UsageError(f"shots={settings.shots} was given.", hint="Give a whole number from 0.")
    _check_together(settings)
    return settings


def _known(what: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise unknown(what, value, allowed)


def _check_together(settings: Settings) -> None:
    """Refuse what does not go with what else was asked."""
    if settings.written:
        if not settings.tuned:
            raise UsageError(
                f"answers are written here, which the learner '{settings.learner}' does not teach.",
                hint="Give  --learner lora  or  --learner full .",
            )
        for asked, words in (
            (settings.losses != ("xent",), f"the losses {', '.join(settings.losses)}"),
            (bool(settings.simulate), "simulated errors"),
            (settings.saliency, "probes of what was learned"),
            (settings.generative_first, "generative finetuning first"),
        ):
            if asked:
                raise UsageError(
                    f"answers are written here, and {words} need labels of two classes.",
                    hint="Leave that out (the loss is xent), or take a choice task with  --answers judged .",
                )
    for asked, flag in (
        (settings.generative_first, "--generative-first"),
        (settings.saliency, "--saliency"),
    ):
        if asked and not settings.tuned:
            raise UsageError(
                f"{flag} needs networks that are trained, and the learner is '{settings.learner}'.",
                hint="Give  --learner lora  or  --learner full .",
            )
    if settings.learner == "prompt" and set(settings.losses) != {"xent"}:
        raise UsageError(
            "nothing is trained by prompting, so there is no loss to choose.", hint="Leave out  --losses ."
        )


def read_tasks(
    names: Sequence[str], arguments: Mapping[str, str], models: Mapping[str, Model], settings: Settings
) -> list[TaskPool]:
    """Every task with its rows."""
    found = []
    for name in names:
        data = load_task(name, _of_task(name, names, arguments))
        found.append(TaskPool(name, data, _rows(data, models, settings)))
    return found


def _of_task(name: str, names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The task arguments of one task: those for all, and those that begin with its name and a full stop."""
    found: dict[str, str] = {}
    for key, value in given.items():
        owner, stop, own = key.partition(".")
        if stop and owner not in names:
            hint = did_you_mean(owner, names) or f"The tasks here: {', '.join(names)}."
            raise UsageError(f"task argument '{key}' belongs to a task that is not studied here.", hint=hint)
        if not stop:
            found.setdefault(key, value)
        elif owner == name:
            found[own] = value
    return found


def _rows(data: TaskData, models: Mapping[str, Model], settings: Settings) -> Pool:
    """The task's rows, without those that are too long for any model."""
    many = {"learn": settings.learn, "test": settings.test, "seed": settings.seed}
    if settings.written:
        asked = posed(data.task, data.items(), data.options)
        texts = [f"{one.prompt}{one.answer}" for one in asked]
        found = written_pool(asked, **many, long=_too_long([texts], models, settings))
    else:
        rows = judged(data.task, data.items())
        sides = [[one.text for one in rows], [one.against for one in rows]]
        cut = settings.learner == "frozen"  # its states are cut on the left, and told of
        long = None if cut else _too_long([side for side in sides if any(side)], models, settings)
        found = pool(rows, **many, long=long)
    if settings.easy is not None and found.difficulty is None:
        raise UsageError(
            f"{data.task.name} knows no difficulty, which --easy {settings.easy:g} needs.",
            hint="Take a task that does, such as chess, or leave out  --easy .",
        )
    return found


def _too_long(sides: Sequence[list[str]], models: Mapping[str, Model], settings: Settings) -> list[bool]:
    """Which rows have a text that any of the models would read in more than `max_tokens`."""
    most = np.zeros(len(sides[0]))
    for texts in sides:
        for model in models.values():
            most = np.maximum(most, model.count_tokens(texts))  # type: ignore[attr-defined]
    return [bool(count > settings.max_tokens) for count in most]


def models_of(
    ladder: Sequence[str | Model], arguments: Mapping[str, str], settings: Settings, least: int
) -> tuple[dict[str, Model], list[str]]:
    """The models by name, weak ones first, and what a reader must be told of their order."""
    models: dict[str, Model] = {}
    for one in ladder:
        model = load_model(one, arguments) if isinstance(one, str) else one
        require(model, LEARNERS[settings.learner][0], "gnomon supervise")
        if settings.written or settings.generative_first:
            require(model, "generate", "gnomon supervise")
        if model.name in models:
            raise UsageError(f"{model.name} stands twice in the ladder.", hint="Name each model once.")
        models[model.name] = model
    if len(models) < least:
        raise UsageError(
            f"{len(models)} model was named, and a supervisor needs a student.",
            hint="Give  --weak NAME --strong NAME , or  --ladder a,b,c  from weak to strong.",
        )
    sizes = {name: getattr(model, "parameters", None) for name, model in models.items()}
    notes = []
    known = [(name, size) for name, size in sizes.items() if size]
    for (below, less), (above, more) in itertools.pairwise(known):
        if more < less:
            notes.append(
                f"{above} ({more:,} parameters) stands above {below} ({less:,}) in the ladder and is smaller: "
                "supervisor and student are named by their places."
            )
    return models, notes


def nodes(study: Study) -> list[Node]:
    """All stages of the study."""
    settings, names = study.settings, study.names
    first = settings.losses[0]
    found: list[Node] = []
    for seed in range(settings.seeds):
        found += [make.supervisor(name, seed) for name in names]
        found += [make.ceiling(name, seed) for name in study.models]
        for weak, strong in study.pairs:
            found += [
                make.student(strong, weak, loss, seed, probed=study.settings.saliency) for loss in settings.losses
            ]
            if weak != strong:
                found += [make.student(strong, weak, "xent", seed, kind) for kind in settings.simulate]
                if settings.generative_first:
                    found.append(make.student(strong, weak, first, seed, primed=True))
                if settings.saliency:
                    found += [make.probe(strong, None, seed), make.probe(strong, weak, seed)]
        if settings.generative_first:
            found += [make.ceiling(name, seed, primed=True) for name in study.models]
        if settings.easy is not None:
            for name in study.models:
                found += [make.easy(name, settings.easy, seed), make.mixed(name, settings.easy, seed)]
        if settings.chain:
            for loss in settings.losses:
                found += [*make.chain(names, loss, seed), make.direct(names, loss, seed)]
            found.append(make.ceiling(names[-1], seed, make.last_part(names)))
    return found
