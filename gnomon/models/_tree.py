"""Which tokens must be computed, and in which order: a prefix tree over token sequences and the steps that walk it.

Belongs here: pure planning on integers, the same for every model. Does not belong here: text (`_tokens.py`) or tensors
(`_scorer.py`).

The plan is a list of `Step`s. A step computes some rows on top of the keys and values of the first `prefix` tokens of
the current path; a step with `keep` extends that path (a *trunk*: the few-shot examples of a subject, say). Steps come
in depth-first order, so the kept keys and values form one stack: a trunk at depth p overwrites whatever lay at p and
beyond. The plan depends on the sequences alone, never on what has been answered already, so an interrupted run that
goes on repeats the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Budget", "Read", "Row", "Sequence_", "Step", "plan", "plan_plain"]

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Read:
    """One wanted log-probability: of token `target`, given everything up to and including position `at`."""

    at: int
    target: int
    ask: int
    continuation: int


@dataclass(frozen=True, slots=True)
class Sequence_:
    """Token ids that must be computed, with what is to be read along them."""

    ids: Ids
    reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens computed together on top of a shared prefix: a chain, or a small tree laid flat in depth-first order.

    `positions[i]` is the token's absolute position; `parents[i]` the index in the row of the token before it, -1 for
    the prefix. In a chain `parents` is -1, 0, 1, ... `reads` pairs an index in the row with what is read there.
    """

    ids: Ids
    positions: Ids
    parents: Ids
    reads: tuple[tuple[int, Read], ...]

    @property
    def chain(self) -> bool:
        return bool((self.parents == np.arange(-1, len(self.parents) - 1)).all())


@dataclass(frozen=True, slots=True)
class Step:
    """Rows computed in one pass over the model, on top of the first `prefix` tokens of the stack.

    `asks` are those that this step helps to answer: for a trunk, all beneath it.
    """

    prefix: int
    rows: tuple[Row, ...]
    keep: bool
    asks: frozenset[int]

    @property
    def tokens(self) -> int:
        return sum(len(row.ids) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one step and the two thresholds of the plan, all in tokens.

    tokens: most tokens a step (a single longer row still goes alone). reads: most positions that reach the output head.
    row: largest subtree that is laid flat in one row; beyond it, branches are computed apart. worth: a trunk is made
    only where it spares at least so many tokens, since a pass over the model for few tokens costs as much as one for
    about so many.
    """

    tokens: int = 1024
    reads: int = 512
    row: int = 384
    worth: int = 96


@dataclass(slots=True, eq=False)
class _Node:
    """A stretch [start, end) of sequence `source`, shared by every sequence beneath it."""

    start: int
    end: int
    source: int
    children: list[_Node] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    tokens: int = 0  # in the whole subtree, this stretch included
    leaves: int = 0
    reading: int = 0  # reads in the whole subtree

    @property
    def length(self) -> int:
        return self.end - self.start


def plan(sequences: Sequence[Sequence_], budget: Budget) -> list[Step]:
    """Steps that compute every position of `sequences` once, apart from stretches too short to be worth a trunk.

    Examples
    --------
    >>> ids = lambda *tokens: np.array(tokens)
    >>> shots = range(100)
    >>> one = Sequence_(ids(*shots, 7, 8), (Read(101, 5, 0, 0),))
    >>> two = Sequence_(ids(*shots, 9), (Read(100, 5, 1, 0),))
    >>> steps = plan([one, two], Budget(row=50))
    >>> [(step.prefix, step.tokens, step.keep) for step in steps]
    [(0, 100, True), (100, 3, False)]
    """
    return _Walk(sequences, budget).steps(_tree(sequences))


def plan_plain(sequences: Sequence[Sequence_], budget: Budget, *, alone: bool = False) -> list[Step]:
    """Steps without any sharing: every longest sequence from its start, grouped by length.

    `alone`: every distinct sequence in a step of its own, at its own length.
    """
    rows = _distinct(sequences) if alone else _longest(sequences, budget)
    groups = ([row] for row in rows) if alone else _groups(rows, budget, padded=True)
    return [Step(prefix=0, rows=tuple(group), keep=False, asks=_asked(group)) for group in groups]


def _longest(sequences: Sequence[Sequence_], budget: Budget) -> list[Row]:
    """A chain for every sequence that is no prefix of another; shared positions are read in the first one only."""
    root = _tree(sequences)
    walk = _Walk(sequences, budget)
    rows: list[Row] = []
    stack: list[tuple[_Node, list[Read]]] = [(child, []) for child in reversed(root.children)]
    while stack:
        node, carried = stack.pop()
        reads = [*carried, *node.reads]
        if not node.children:
            rows.append(walk.chain(node, 0, reads))
        for number, child in reversed(list(enumerate(node.children))):
            stack.append((child, reads if number == 0 else []))
    return rows


def _distinct(sequences: Sequence[Sequence_]) -> list[Row]:
    """A chain for every sequence, equal ones together."""
    same: dict[bytes, list[Sequence_]] = {}
    for sequence in sequences:
        same.setdefault(sequence.ids.tobytes(), []).append(sequence)
    rows = []
    for group in same.values():
        ids = group[0].ids
        reads = tuple((read.at, read) for sequence in group for read in sequence.reads)
        rows.append(Row(ids, np.arange(len(ids)), np.arange(-1, len(ids) - 1), reads))
    return rows


def _tree(sequences: Sequence[Sequence_]) -> _Node:
    """The radix tree of all sequences, each read filed under the stretch that holds its position."""
    keys = [sequence.ids.astype(">u4").tobytes() for sequence in sequences]
    order = sorted(range(len(sequences)), key=keys.__getitem__)
    root = _Node(0, 0, -1)
    path = [root]
    previous: Ids = np.empty(0, dtype=np.int64)
    for index in order:
        ids = sequences[index].ids
        common = _common_prefix(previous, ids)
        popped: _Node | None = None
        while path[-1].end > common:
            popped = path.pop()
        if popped is not None and path[-1].end < common:
            path.append(_split(path[-1], popped, common))
        if len(ids) > common:
            node = _Node(common, len(ids), index)
            path[-1].children.append(node)
            path.append(node)
        for read in sequences[index].reads:
            next(node for node in reversed(path) if node.start <= read.at < node.end).reads.append(read)
        previous = ids
    _measure(root)
    return root


def _split(parent: _Node, node: _Node, at: int) -> _Node:
    """Cut `node` at position `at`; the new upper half takes its place under `parent`."""
    upper = _Node(node.start, at, node.source, [node])
    upper.reads = [read for read in node.reads if read.at < at]
    node.reads = [read for read in node.reads if read.at >= at]
    node.start = at
    parent.children[-1] = upper  # sequences come sorted, so `node` is the newest child
    return upper


def _common_prefix(a: Ids, b: Ids) -> int:
    shorter = min(len(a), len(b))
    different = np.flatnonzero(a[:shorter] != b[:shorter])
    return int(different[0]) if len(different) else shorter


def _measure(root: _Node) -> None:
    """Fill in the sizes of all subtrees, children before parents."""
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(node.children)
    for node in reversed(order):
        node.tokens = node.length + sum(child.tokens for child in node.children)
        node.leaves = sum(child.leaves for child in node.children) or 1
        node.reading = len(node.reads) + sum(child.reading for child in node.children)


@dataclass(slots=True, eq=False)
class _Trunk:
    """A kept stretch from position `start` to the end of `node`, on top of `below`; the root's is empty."""

    node: _Node
    row: Row | None
    start: int
    below: _Trunk | None
    asks: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        return self.node.end


class _Walk:
    """Turns a tree into steps, depth first."""

    def __init__(self, sequences: Sequence[Sequence_], budget: Budget) -> None:
        self._sequences = sequences
        self._budget = budget

    def steps(self, root: _Node) -> list[Step]:
        """All steps, depth first; a trunk's asks are those of everything that lies on it."""
        trunks: list[_Trunk] = []
        made: list[tuple[Step, _Trunk]] = []
        pending = [_Trunk(root, None, 0, None)]
        while pending:  # an own stack, since nested prompts may lie thousands of trunks deep
            trunk = pending.pop()
            trunks.append(trunk)
            made.extend((step, trunk) for step in self._kept(trunk))
            rows, above = self._beneath(trunk)
            for group in _groups(rows, self._budget):
                step = Step(prefix=trunk.end, rows=tuple(group), keep=False, asks=_asked(group))
                trunk.asks |= step.asks
                made.append((step, trunk))
            pending.extend(reversed(above))
        for trunk in reversed(trunks):
            if trunk.below is not None:
                trunk.below.asks |= trunk.asks
        return [replace(step, asks=frozenset(trunk.asks)) if step.keep else step for step, trunk in made]

    def _kept(self, trunk: _Trunk) -> Iterator[Step]:
        """The stretch of `trunk` itself, in pieces where it is long."""
        if trunk.row is None:
            return
        trunk.asks |= _asked([trunk.row])
        for low in range(0, len(trunk.row.ids), self._budget.tokens):
            piece = _piece(trunk.row, low, low + self._budget.tokens)
            yield Step(prefix=trunk.start + low, rows=(piece,), keep=True, asks=frozenset())

    def _beneath(self, trunk: _Trunk) -> tuple[list[Row], list[_Trunk]]:
        """Rows to be computed on top of `trunk`, and the trunks that grow from it."""
        rows: list[Row] = []
        trunks: list[_Trunk] = []
        pending: list[tuple[_Node, list[Read], int]]
        pending = [(child, [], child.start) for child in reversed(trunk.node.children)]
        while pending:
            child, carried, start = pending.pop()
            length = child.end - start
            small = child.tokens - child.length + length <= self._budget.row and child.reading <= self._budget.reads
            if not child.children:
                rows.append(self.chain(child, start, [*carried, *child.reads]))
            elif small:
                rows.append(self._flat(child, start, carried))
            elif length * (child.leaves - 1) >= self._budget.worth:
                trunks.append(_Trunk(child, self.chain(child, start, [*carried, *child.reads]), start, trunk))
            else:  # too little to share: every branch computes this stretch anew, the first one reads in it
                reads = [*carried, *child.reads]
                for number, grandchild in reversed(list(enumerate(child.children))):
                    pending.append((grandchild, reads if number == 0 else [], start))
        return rows, trunks

    def chain(self, node: _Node, start: int, reads: list[Read]) -> Row:
        """The positions from `start` to the end of `node`, one after another."""
        ids = self._sequences[node.source].ids[start : node.end]
        return Row(
            ids=ids,
            positions=np.arange(start, node.end),
            parents=np.arange(-1, len(ids) - 1),
            reads=tuple((read.at - start, read) for read in reads),
        )

    def _flat(self, top: _Node, start: int, carried: list[Read]) -> Row:
        """A whole subtree in one row, depth first."""
        ids, positions, parents = [], [], []
        reads: list[tuple[int, Read]] = []
        size = 0
        stack = [(top, start, carried, -1)]
        while stack:
            node, begin, extra, parent = stack.pop()
            length = node.end - begin
            ids.append(self._sequences[node.source].ids[begin : node.end])
            positions.append(np.arange(begin, node.end))
            parents.append(np.concatenate([[parent], np.arange(size, size + length - 1)]))
            reads.extend((size + read.at - begin, read) for read in [*extra, *node.reads])
            size += length
            stack.extend((child, child.start, [], size - 1) for child in reversed(node.children))
        return Row(np.concatenate(ids), np.concatenate(positions), np.concatenate(parents), tuple(reads))


def _piece(row: Row, low: int, high: int) -> Row:
    """Positions [low, high) of a chain, on top of those before."""
    ids = row.ids[low:high]
    reads = tuple((at - low, read) for at, read in row.reads if low <= at < high)
    return Row(ids, row.positions[low:high], np.arange(-1, len(ids) - 1), reads)


def _groups(rows: list[Row], budget: Budget, padded: bool = False) -> Iterator[list[Row]]:
    """Rows of like length together, within the budget; `padded` counts each row as long as the longest."""
    group: list[Row] = []
    tokens = reads = 0
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        size = len(group[0].ids) if padded and group else len(row.ids)
        if group and (tokens + size > budget.tokens or reads + len(row.reads) > budget.reads):
            yield group
            group, tokens, reads = [], 0, 0
            size = len(row.ids)
        group.append(row)
        tokens += size
        reads += len(row.reads)
    if group:
        yield group


def _asked(rows: Sequence[Row]) -> frozenset[int]:
    return frozenset(read.ask for row in rows for _, read in row.reads)
