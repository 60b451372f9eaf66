"""What every task must keep. Belongs here: checks on items and protocols. Does not belong here: what a task asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gnomon.asks import Ask, Passage, Prompt, Scored
from gnomon.grading.moves import san
from gnomon.models._model import Told
from gnomon.models.mock import Oracle
from gnomon.tasks import Item, Kind, Protocol, Task, TaskData, load_task
from gnomon.testing._errors import ensure

__all__ = ["check_task"]


def check_task(task: str | TaskData, *, most: int = 200) -> None:
    """Check a task that can be read here: its items, groups, counts, and every protocol on up to `most` items of each
    subset.

    Parameters
    ----------
    task : str or TaskData
        A registered name (its data must be found without arguments), or what `load_task` gave.
    most : int
        Items of a subset that protocols are tried on; ids and counts are checked on all.

    Raises ConformanceError for a broken promise, DataError where there are no data.

    Examples
    --------
    >>> check_task("facts", most=20)
    """
    data = load_task(task) if isinstance(task, str) else task
    definition = data.task
    items = data.items()
    _check_definition(definition)
    _check_items(definition, items)
    again = TaskData(definition, data.source, data.subsets, data.splits, data.shots_split, data.counts_free).items()
    ensure(
        [item.id for item in again] == [item.id for item in items],
        f"{definition.name}: two readings give other items or another order",
    )
    for name, protocol in definition.protocols.items():
        for subset in data.subsets:
            some = [item for item in items if item.subset == subset][:most]
            _check_protocol(f"{definition.name}, protocol {name}, {subset}", data, protocol, some)


def _check_definition(task: Task) -> None:
    ensure(
        bool(task.subsets) and len(set(task.subsets)) == len(task.subsets), f"{task.name}: subsets are empty or repeat"
    )
    ensure(bool(task.protocols), f"{task.name}: there is no protocol")
    ensure(bool(task.examples), f"{task.name}: there are no examples, so its protocols have no fingerprint")
    ensure(set(task.metrics) <= set(task.subsets), f"{task.name}: a metric is named for an unknown subset")
    ensure(set(task.default_splits) <= set(task.splits), f"{task.name}: a default split is none of its splits")
    hashes = [task.fingerprint(protocol) for protocol in task.protocols.values()]
    ensure(len(set(hashes)) == len(hashes), f"{task.name}: two protocols ask the same, byte for byte")


def _check_items(task: Task, items: Sequence[Item]) -> None:
    ensure(bool(items), f"{task.name}: there are no items")
    ids = [item.id for item in items]
    ensure(len(set(ids)) == len(ids), f"{task.name}: an id stands twice")
    sizes: dict[tuple[str, str], int] = {}
    for item in items:
        _CHECKS[task.kind](task, item)
        ensure(
            item.subset in task.subsets and item.split in task.splits,
            f"{task.name}, {item.id}: unknown subset or split",
        )
        sizes[item.subset, item.group] = sizes.get((item.subset, item.group), 0) + 1
    for (subset, group), size in sizes.items():
        most = task.metric(subset).group_size
        ensure(most is None or size <= most, f"{task.name}, {group}: {size} rows in a group of {most}")


def _check_choice(task: Task, item: Item) -> None:
    ensure(len(item.choices) >= 2, f"{task.name}, {item.id}: fewer than two choices")
    ensure(
        0 <= item.answer < len(item.choices),
        f"{task.name}, {item.id}: answer {item.answer} is none of {len(item.choices)} choices",
    )


def _check_mathematics(task: Task, item: Item) -> None:
    answer = item.key.get("answer")
    ensure(isinstance(answer, str), f"{task.name}, {item.id}: the key holds no answer, but {answer!r}")


def _check_moves(task: Task, item: Item) -> None:
    best, fen = item.key.get("best"), item.key.get("fen")
    try:
        legal = bool(san(str(fen), str(best)))
    except ValueError:
        legal = False
    ensure(legal, f"{task.name}, {item.id}: the key's move {best!r} is not legal in its position {fen!r}")


def _check_program(task: Task, item: Item) -> None:
    ensure(task.cases is not None, f"{task.name}: there is no way to the cases that programs are run on")


def _check_spans(task: Task, item: Item) -> None:
    size = len(item.fields.get("contract", ""))
    for start, end in item.key.get("spans", ((0, 0),)):
        ensure(0 <= start < end <= size, f"{task.name}, {item.id}: span {start} to {end} of {size} characters")


_CHECKS: dict[Kind, Callable[[Task, Item], None]] = {
    "choice": _check_choice,
    "mathematics": _check_mathematics,
    "moves": _check_moves,
    "programs": _check_program,
    "spans": _check_spans,
}
_ASKED = {"score": Ask, "generate": Prompt, "highlight": Passage}


def _check_protocol(where: str, data: TaskData, protocol: Protocol, items: Sequence[Item]) -> None:
    ensure(protocol.version >= 1, f"{where}: version {protocol.version}")
    for item in items:
        shots = data.shots(item.subset, protocol.shots)
        asks = protocol.ask(item, shots)
        ensure(
            bool(asks) and asks == protocol.ask(item, shots),
            f"{where}, {item.id}: asking twice gives other asks, or none",
        )
        ideal = protocol.ideal(item)
        ensure(len(ideal) == len(asks), f"{where}, {item.id}: {len(ideal)} ideal answers for {len(asks)} asks")
        for ask, best in zip(asks, ideal, strict=True):
            kind = _ASKED[protocol.ability]
            ensure(isinstance(ask, kind), f"{where}, {item.id}: a {type(ask).__name__} where {kind.__name__} is due")
            if isinstance(ask, Ask):
                _check_continuations(f"{where}, {item.id}", item, ask)
            elif isinstance(ask, Prompt):
                ensure(ask.decoding.max_tokens >= 1, f"{where}, {item.id}: no token may be written")
                ensure(isinstance(best, str), f"{where}, {item.id}: the ideal answer is no text: {best!r}")
            else:
                inside = all(0 <= start < end <= len(ask.context) for start, end in best)
                ensure(inside, f"{where}, {item.id}: an ideal span lies outside the text")
        if protocol.ability == "score":
            _check_reading(f"{where}, {item.id}", protocol, item, asks, ideal)


def _check_continuations(where: str, item: Item, ask: Ask) -> None:
    good = all(ask.continuations) and (len(set(ask.continuations)) == len(ask.continuations) or not _distinct(item))
    ensure(good, f"{where}: continuations are empty or repeat: {ask.continuations}")


def _check_reading(where: str, protocol: Protocol, item: Item, asks: Sequence[Any], ideal: Sequence[int]) -> None:
    chosen = protocol.read(item, _answers(asks, ideal))
    ensure(
        chosen.option == item.answer,
        f"{where}: a perfect model is read as option {chosen.option}, the answer is {item.answer}",
    )
    total = sum(chosen.probabilities)
    ensure(not chosen.probabilities or math.isclose(total, 1, abs_tol=1e-9), f"{where}: probabilities sum to {total}")


def _distinct(item: Item) -> bool:
    return len(set(item.choices)) == len(item.choices)


def _answers(asks: Sequence[Ask], ideal: Sequence[int]) -> list[Scored]:
    """What a model that knows would say."""
    model = Oracle()
    assert isinstance(model, Told)
    model.tell(asks, ideal)
    return [
        answer for batch in model.score(asks, lambda index: False) for _, answer in batch if isinstance(answer, Scored)
    ]
