"""Which items are asked, and with which examples before them.

Belongs here: sampling by `--limit` and `--seed`, and dropping few-shot examples past a limit. Does not belong here:
prompts (`tasks/`), asking (`runs/`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gnomon.asks import Asking, Prompt
from gnomon.errors import UsageError
from gnomon.evaluation._kinds import Asked, Settings
from gnomon.stats import stream
from gnomon.tasks import Item, Protocol, TaskData, _gpt2

__all__ = ["Prepared", "Request", "choose", "prepare"]

_USUAL = Settings()
_SLACK = 8  # tokens by which a prompt may differ from the sum of its parts
_CONTINUATION = 16  # tokens of the model's context that are left for the longest continuation


@dataclass(frozen=True)
class Request:
    """One invocation's wish: at most `limit` items a subset (None: all), drawn by `seed`."""

    limit: int | None
    seed: int


@dataclass
class Prepared:
    """All that will be asked, and what a reader must be told of it."""

    asked: list[Asked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose(items: Sequence[Item], requests: Sequence[Request], together: bool = False) -> tuple[list[Item], list[str]]:
    """The union of what `requests` draw, in the order of `items`, and notes on limits that were rounded to whole
    groups.

    A draw takes whole groups in an order fixed by the seed, so a larger limit contains a smaller one's items.
    `together`: the same order in every subset.
    """
    strata: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        strata[item.split, item.subset].append(item)
    wanted: set[str] = set()
    notes: dict[str, None] = {}
    for request in requests:
        if request.limit is not None and request.limit < 1:
            raise UsageError(f"--limit {request.limit}: give a whole number from 1, or leave it out for all items.")
        for (split, subset), members in strata.items():
            drawn = _draw(members, request, f"sample/{split}" if together else f"sample/{split}/{subset}")
            wanted.update(item.id for item in drawn)
            if request.limit is not None and len(drawn) != min(request.limit, len(members)):
                notes[
                    f"{subset} ({split}): --limit {request.limit} became {len(drawn)}, since rows that "
                    "share a group stay together."
                ] = None
    return [item for item in items if item.id in wanted], list(notes)


def _draw(members: Sequence[Item], request: Request, name: str) -> Sequence[Item]:
    if request.limit is None or request.limit >= len(members):
        return members
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in members:
        groups[item.group].append(item)
    order = stream(request.seed, name).permutation(len(groups))
    names = list(groups)
    drawn: list[Item] = []
    for index in order:
        group = groups[names[index]]
        if drawn and len(drawn) + len(group) > request.limit:
            break
        drawn.extend(group)
    return drawn


def prepare(
    data: TaskData, items: Sequence[Item], protocol: Protocol, shots: int, model: Any, settings: Settings = _USUAL
) -> Prepared:
    """The asks of every item. Where the protocol has a limit, the last example is dropped while a prompt is too long,
    never below none. `model` counts tokens."""
    prepared = Prepared()
    examples = {subset: data.shots(subset, shots) for subset in dict.fromkeys(item.subset for item in items)}
    counts = {item.id: shots for item in items}
    if protocol.limit is not None and shots:
        counter, name = model.count_tokens, "the model's own tokenizer"
        if _gpt2.available():
            counter, name = _gpt2.count, "GPT-2's"
        else:
            prepared.notes.append(
                f"Tokens were counted with {name}, not GPT-2's as the release does. To get GPT-2's:  {_gpt2.INSTALL}"
            )
        over = _drop(counts, items, examples, protocol, protocol.limit.tokens, counter)
        if model.context_length is not None:
            room = model.context_length - _CONTINUATION
            over |= _drop(counts, items, examples, protocol, room, model.count_tokens)
        if over:
            prepared.notes.append(
                f"{len(over):,} prompts are too long even without examples and were asked whole "
                f"(the first: {min(over)}); the release's code does not end on such a prompt."
            )
        dropped = sum(count < shots for count in counts.values())
        if dropped:
            prepared.notes.append(
                f"{dropped:,} of {len(items):,} prompts were too long for {shots} examples and were given "
                "fewer, as the release does."
            )
    for item in items:
        asks = protocol.ask(item, examples[item.subset][: counts[item.id]])
        prepared.asked.append(Asked(item, _sampled(item, asks, settings), counts[item.id]))
    return prepared


def _sampled(item: Item, asks: Sequence[Asking], settings: Settings) -> tuple[Asking, ...]:
    """Every prompt once a sample; what is not written is asked once."""
    return tuple(one for ask in asks for one in (settings.prompts(item, ask) if isinstance(ask, Prompt) else [ask]))


def _drop(
    counts: dict[str, int],
    items: Sequence[Item],
    examples: dict[str, list[Item]],
    protocol: Protocol,
    limit: int,
    counter: Callable[[Sequence[str]], list[int]],
) -> set[str]:
    """Lower `counts` in place and give the ids that are too long even at none. A prompt is counted whole only where the
    sum of its parts is close to the limit."""
    rest = [item for item in items if _bytes(protocol, item, examples[item.subset][: counts[item.id]]) + _SLACK > limit]
    over: set[str] = set()
    if not rest:
        return over
    bare = dict(zip((item.id for item in rest), counter([_longest(protocol, item, []) for item in rest]), strict=True))
    for subset in dict.fromkeys(item.subset for item in rest):
        members = [item for item in rest if item.subset == subset]
        first, shots = members[0], examples[subset]
        withs = counter([_longest(protocol, first, shots[:k]) for k in range(len(shots) + 1)])
        extra = [tokens - withs[0] for tokens in withs]
        for item in members:
            while True:
                tokens = bare[item.id] + extra[counts[item.id]]
                if abs(tokens - limit) <= _SLACK:
                    tokens = counter([_longest(protocol, item, shots[: counts[item.id]])])[0]
                if tokens <= limit:
                    break
                if counts[item.id] == 0:
                    over.add(item.id)
                    break
                counts[item.id] -= 1
    return over


def _longest(protocol: Protocol, item: Item, shots: Sequence[Item]) -> str:
    return max((ask.context for ask in protocol.ask(item, shots)), key=len)


def _bytes(protocol: Protocol, item: Item, shots: Sequence[Item]) -> int:
    """An upper bound of the number of tokens: none of the tokenizers in use makes more than one token of a byte."""
    return max(len(ask.context.encode()) for ask in protocol.ask(item, shots))
