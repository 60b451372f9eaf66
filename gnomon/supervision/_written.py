"""What a run keeps beside its blocks: every model's predictions on the test rows, and a record a row.

Belongs here: names and shapes of what is written. Does not belong here: computing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnomon.files import write_atomically
from gnomon.runs import Record
from gnomon.supervision._ladder import Ladder, Node

if TYPE_CHECKING:
    from gnomon.supervision._study import Study

__all__ = ["named", "records", "save_predictions"]


def named(node: Node) -> str:
    """What a stage is called, whatever its seed.

    >>> from gnomon.supervision._ladder import ceiling, student, supervisor
    >>> named(supervisor("a", 0)), named(ceiling("b", 0)), named(student("b", "a", "xent", 0))
    ('supervisor a', 'ceiling b', 'student b of a, xent')
    """
    _, _, step = node.part.partition(" ")
    part = f", part {step}" if step else ""
    if node.teacher is None:
        return f"{'supervisor' if node.part == 'a' else 'ceiling'} {node.model}{part}"
    errors = f", {node.errors} errors" if node.errors else ""
    chained = f" taught by {node.teacher.teacher.model}" if node.teacher.teacher else ""
    return f"student {node.model} of {node.teacher.model}{chained}, {node.loss}{errors}{part}"


def _predictions(ladder: Ladder) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name and P(class 1), (seeds, test rows), of every stage."""
    groups: dict[str, list[Node]] = {}
    for node in ladder.outcomes:
        groups.setdefault(named(node), []).append(node)
    for name, members in groups.items():
        ordered = sorted(members, key=lambda node: node.seed)
        yield name, np.stack([ladder.outcomes[node].final for node in ordered])


def save_predictions(path: Path, study: Study, ladders: Sequence[Ladder]) -> None:
    """One tensor (seeds, test rows) a stage, named "task/stage", and "task/labels"."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    for one, ladder in zip(study.tasks, ladders, strict=True):
        tensors[f"{one.name}/labels"] = one.pool.labels[one.pool.test]
        tensors.update({f"{one.name}/{name}": values for name, values in _predictions(ladder)})
    write_atomically(path, save(tensors))


def records(study: Study, ladders: Sequence[Ladder]) -> list[Record]:
    """One record a test row: the mean P(class 1) of every stage over seeds. Right or wrong is the strongest student of
    the weakest supervisor, by the first loss."""
    found = []
    for one, ladder in zip(study.tasks, ladders, strict=True):
        means = {name: values.mean(axis=0) for name, values in _predictions(ladder)}
        weak, strong = next(iter(study.models)), list(study.models)[-1]
        headline = means[f"student {strong} of {weak}, {study.settings.losses[0]}"]
        for at, row in enumerate(one.pool.test):
            label = int(one.pool.labels[row])
            found.append(
                Record(
                    id=f"{one.name}/{one.pool.ids[row]}",
                    subset=one.name,
                    split="test",
                    group=one.pool.groups[row],
                    input="",
                    status="ok",
                    output={name: round(float(values[at]), 6) for name, values in means.items()},
                    parsed=int(headline[at] > 0.5),
                    target=label,
                    correct=bool((headline[at] > 0.5) == (label == 1)),
                )
            )
    return found
