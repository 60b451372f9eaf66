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
from gnomon.supervision._ladder import PROBE, Ladder, Node, student
from gnomon.supervision._stages import packed

if TYPE_CHECKING:
    from gnomon.supervision._plan import Study

__all__ = ["named", "records", "save_predictions"]


def named(node: Node) -> str:
    """What a stage is called, whatever its seed.

    >>> from gnomon.supervision._ladder import ceiling, student, supervisor
    >>> named(supervisor("a", 0)), named(ceiling("b", 0)), named(student("b", "a", "xent", 0))
    ('supervisor a', 'ceiling b', 'student b of a, xent')
    """
    words, _, most = node.part.partition("<=")
    if most:
        return f"{node.model} taught {'as many rows as those' if '~' in words else 'rows'} up to {most}"
    _, _, step = node.part.partition(" ")
    part = f", part {step}" if step else ""
    if node.primed:
        part += ", generative first"
    if node.loss == PROBE:
        return f"probe of {node.model} on {f'labels of {node.teacher.model}' if node.teacher else 'the truth'}"
    if node.teacher is None:
        return f"{'supervisor' if node.part == 'a' else 'ceiling'} {node.model}{part}"
    errors = f", {node.errors} errors" if node.errors else ""
    chained = f" taught by {node.teacher.teacher.model}" if node.teacher.teacher else ""
    return f"student {node.model} of {node.teacher.model}{chained}, {node.loss}{errors}{part}"


def _predictions(ladder: Ladder) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and P(class 1) or written answers, (seeds, test rows), of every stage."""
    groups: dict[str, list[Node]] = {}
    for node in ladder.outcomes:
        groups.setdefault(named(node), []).append(node)
    for name, members in groups.items():
        ordered = sorted(members, key=lambda node: node.seed)
        yield name, np.stack([ladder.outcomes[node].final for node in ordered])


def save_predictions(path: Path, study: Study, ladders: Sequence[Ladder]) -> None:
    """One tensor (seeds, test rows) a stage, named "task/stage", and "task/labels"; written answers as JSON bytes."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    for one, ladder in zip(study.tasks, ladders, strict=True):
        pool = one.pool
        tensors[f"{one.name}/labels"] = packed(pool.truth(pool.test)) if pool.written else pool.labels[pool.test]
        tensors.update({f"{one.name}/{name}": packed(values) for name, values in _predictions(ladder)})
    write_atomically(path, save(tensors))


def records(study: Study, ladders: Sequence[Ladder]) -> list[Record]:
    """One record a test row: what every stage says of it, the mean P(class 1) over seeds or the answer that the first
    seed wrote. Right or wrong is the strongest student of the weakest supervisor, by the first loss."""
    found = []
    weak, strong, loss = study.names[0], study.names[-1], study.settings.losses[0]
    probed = study.settings.saliency
    for one, ladder in zip(study.tasks, ladders, strict=True):
        pool = one.pool
        says = {
            name: values[0] if pool.written else values.mean(axis=0).round(6) for name, values in _predictions(ladder)
        }
        headline = says[named(student(strong, weak, loss, 0, probed=probed))]
        right, truth = pool.right(headline, pool.test), pool.truth(pool.test)
        for at, row in enumerate(pool.test):
            found.append(
                Record(
                    id=f"{one.name}/{pool.ids[row]}",
                    subset=one.name,
                    split="test",
                    group=pool.groups[row],
                    input="",
                    status="ok",
                    output={name: values[at].item() for name, values in says.items()},
                    parsed=str(headline[at]) if pool.written else int(headline[at] > 0.5),
                    target=str(truth[at]) if pool.written else int(truth[at]),
                    correct=bool(right[at]),
                )
            )
    return found
