"""Tables of what a study may look at besides: probes before and after finetuning, and rows by their difficulty.

Belongs here: their numbers and words. Does not belong here: gaps recovered (`_cells.py`, `_tables.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnomon.blocks import Cell as TableCell
from gnomon.blocks import Column, Table
from gnomon.stats.clusters import clustered_mean
from gnomon.supervision import _ladder as make
from gnomon.supervision._cells import groups_of
from gnomon.supervision._ladder import Ladder, Node
from gnomon.supervision._pool import Pool

if TYPE_CHECKING:
    from gnomon.supervision._plan import Study

__all__ = ["difficulty_table", "saliency_table"]

_BANDS = 5


def saliency_table(study: Study, ladders: Sequence[Ladder]) -> Table:
    """Linear probes of the model as it is and of what finetuning on weak labels made of it."""
    loss, seeds = study.settings.losses[0], range(study.settings.seeds)
    rows: list[list[TableCell]] = []
    for one, ladder in zip(study.tasks, ladders, strict=True):
        pool = one.pool
        for weak, strong in study.pairs:
            if weak == strong:
                continue
            students = [ladder.outcomes[make.student(strong, weak, loss, seed, probed=True)] for seed in seeds]
            ways = [
                [ladder.outcomes[make.probe(strong, None, seed)].final for seed in seeds],
                [ladder.outcomes[make.probe(strong, weak, seed)].final for seed in seeds],
                [found.final for found in students],
                [found.probed for found in students],
                [ladder.outcomes[make.ceiling(strong, seed)].final for seed in seeds],
            ]
            right = [pool.right(np.stack(says), pool.test).mean(axis=0) for says in ways]
            gain = clustered_mean(right[3] - right[0], groups_of(pool))
            shares = [float(part.mean()) for part in right]
            rows.append([one.name, weak, strong, *shares, shares[3] - shares[0], gain.low, gain.high])
    labels = (
        "probe on the truth",
        "probe on weak labels",
        "finetuned on weak labels",
        "finetuned so, then probe on the truth",
        "finetuned on the truth",
        "probe: gain by finetuning",
        "low",
        "high",
    )
    return Table(
        title="Saliency: is the truth easier to read after finetuning on weak labels?",
        columns=[
            *(Column(label=text) for text in ("task", "supervisor", "student")),
            *(Column(label=text, format="fraction") for text in labels),
        ],
        rows=rows,
        headline=True,
        caption=f"Test accuracies, means over seeds; loss {loss}. Probes are linear heads on the state of the last "
        "token, fitted to half B. The gain's interval is over groups of test items.",
    )


def difficulty_table(study: Study, ladders: Sequence[Ladder]) -> Table:
    """Models that learned easy rows alone, beside those that learned as many of all and those that learned all."""
    most, seeds = study.settings.easy, range(study.settings.seeds)
    assert most is not None
    rows: list[list[TableCell]] = []
    for one, ladder in zip(study.tasks, ladders, strict=True):
        pool = one.pool
        for label, chosen in _bands(pool, most):
            for name in study.models:
                ways = [
                    [make.easy(name, most, seed) for seed in seeds],
                    [make.mixed(name, most, seed) for seed in seeds],
                    [make.ceiling(name, seed) for seed in seeds],
                ]
                right = [_right(pool, ladder, nodes, chosen) for nodes in ways]
                groups = [group for group, here in zip(groups_of(pool), chosen, strict=True) if here]
                apart = clustered_mean(right[0] - right[1], groups)
                shares = [float(part.mean()) for part in right]
                rows.append([one.name, label, int(chosen.sum()), name, *shares, apart.low, apart.high])
    labels = (f"taught up to {most:g}", "taught as many of all", "taught all of half B", "easy less mixed, low", "high")
    return Table(
        title="Easy to hard",
        columns=[
            Column(label="task"),
            Column(label="difficulty of test rows"),
            Column(label="n", format="integer"),
            Column(label="model"),
            *(Column(label=text, format="fraction") for text in labels),
        ],
        rows=rows,
        headline=True,
        caption="Test accuracies of models taught the truth, means over seeds. The interval of the difference is over "
        "groups of test items.",
    )


def _bands(pool: Pool, most: float) -> list[tuple[str, NDArray[np.bool_]]]:
    """Test rows up to the limit and above it, and by fifths."""
    assert pool.difficulty is not None
    found = pool.difficulty[pool.test]
    edges = np.unique(np.quantile(found, np.linspace(0, 1, _BANDS + 1)))
    bands = [(f"up to {most:g}", found <= most), (f"above {most:g}", found > most)]
    for low, high in itertools.pairwise(edges):
        bands.append((f"{low:g} to {high:g}", (found >= low) & ((found < high) | (high == edges[-1]))))
    return [(label, chosen) for label, chosen in bands if chosen.sum() >= 2]


def _right(pool: Pool, ladder: Ladder, nodes: Sequence[Node], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of seeds that are right, of the chosen test rows."""
    says = np.stack([ladder.outcomes[node].final for node in nodes])
    return np.asarray(pool.right(says, pool.test).mean(axis=0)[chosen], dtype=np.float64)
