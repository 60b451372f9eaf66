"""What a probe study will read: for each task the items, their pairs in every template, who learns, and the variants.

Belongs here: choosing and splitting. Does not belong here: reading states (`_read.py`), fitting (`_fit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.knowledge._plants import Compounds, compounds, misled, with_opinion, with_word
from gnomon.knowledge._rows import Rows
from gnomon.registry import did_you_mean
from gnomon.tasks import (
    Item,
    Protocol,
    TaskData,
    balanced_sample,
    contrast_pair,
    contrast_templates,
    hidden_supervision,
    load_task,
    split_by_group,
)

__all__ = ["SIGNS", "TRAIN", "Part", "plan"]

SIGNS = ("few-labels", "conjunction", "oracle")
"""Ways to settle which side is true."""

TRAIN = 0.6
"""Share of items that are learned from (the paper's 60/40)."""

_COUPLES = 128
_MOST_DIAGNOSED = 400


@dataclass
class Part:
    """One task of a study.

    `rows`: every chosen item in every template. `first` is the template that the diagnostics are worded in; `variants`
    holds their rows by name ("word", "opinion", "prefix", "negated"), on at most 400 items.
    """

    name: str
    arguments: Mapping[str, str]
    data: TaskData
    protocols: dict[str, Protocol]
    items: dict[str, Item]
    rows: Rows
    first: str
    notes: list[str] = field(default_factory=list)
    variants: dict[str, Rows] = field(default_factory=dict)
    compounds: Compounds | None = None
    available: int = 0

    def diagnosed(self) -> Rows:
        """The rows that the variants were made from."""
        return self.rows.of(self.first, self._diagnosed)

    _diagnosed: list[str] = field(default_factory=list)

    def tables(self) -> list[Rows]:
        """All that must be read."""
        made = [self.compounds.rows] if self.compounds else []
        return [self.rows, *self.variants.values(), *made]

    def spec(self) -> dict[str, Any]:
        """What of this task defines the run."""
        return {
            "task": self.name,
            "subsets": list(self.data.subsets),
            "splits": list(self.data.splits),
            "templates": {
                name: self.data.task.fingerprint(protocol) for name, protocol in sorted(self.protocols.items())
            },
            "data": self.data.checksum(),
        }


def plan(
    task: str,
    arguments: Mapping[str, str],
    *,
    templates: str,
    limit: int | None,
    seed: int,
    diagnostics: bool,
    couples: bool,
    after: str = "",
) -> Part:
    """Read a task and lay out its rows; raises UsageError or DataError in one sentence for what cannot be probed."""
    data = load_task(task, arguments)
    known = contrast_templates(data.task)
    protocols = _named(templates, known, task)
    every = [item for item in data.items() if item.choices]
    available = len(every)
    items = balanced_sample(every, limit, seed) if limit is not None else list(every)
    learn, test = split_by_group(items, TRAIN, seed)
    if len(learn) < 2 or len(test) < 2:
        raise UsageError(
            f"{task} has {len(items)} items here, {len(learn)} to learn from and {len(test)} to test on, after whole "
            "groups were kept together; a probe needs at least 2 of each.",
            hint="Raise --limit, or name more subsets with  -T subsets=... .",
        )
    learners = {item.id for item in learn}
    pairs = tuple(contrast_pair(item, name, protocol) for item in items for name, protocol in protocols.items())
    rows = Rows(pairs, np.array([pair.item in learners for pair in pairs], dtype=bool), after=after)
    _both_classes(task, rows)
    first = next(iter(protocols))
    part = Part(task, arguments, data, protocols, {item.id: item for item in items}, rows, first, available=available)
    if note := hidden_supervision(items):
        part.notes.append(note)
    part.notes.extend(_drawn(task, len(items), available, limit))
    part.notes.extend(data.notes)
    part._diagnosed = _evenly(list(part.items), _MOST_DIAGNOSED)
    if diagnostics:
        _add_variants(part, seed)
    if couples:
        rows = part.diagnosed()
        part.compounds = compounds(rows.keep(rows.train), _COUPLES, seed)
    return part


def _drawn(task: str, drawn: int, available: int, limit: int | None) -> list[str]:
    """What a reader must know of how items were drawn."""
    if limit is None or drawn == available:
        return []
    told = [f"{drawn:,} of {available:,} items of {task} were drawn, as many of each label."]
    if unused := min(limit, available) - drawn:
        told.append(
            f"{unused:,} more items of {task} were left out for balance: one label has no more. --all-items takes "
            "every item."
        )
    return told


def _named(text: str, known: Mapping[str, Protocol], task: str) -> dict[str, Protocol]:
    if text == "all":
        return dict(known)
    chosen = {}
    for name in (name.strip() for name in text.split(",") if name.strip()):
        if name not in known:
            hint = " ".join(filter(None, [did_you_mean(name, known), f"Known: {', '.join(known)}."]))
            raise UsageError(f"{task} has no template '{name}'.", hint=hint)
        chosen[name] = known[name]
    if not chosen:
        raise UsageError("no template was named.", hint=f"Known: {', '.join(known)}; or  --templates all .")
    return chosen


def _both_classes(task: str, rows: Rows) -> None:
    for what, mask in (("learn from", rows.train), ("test on", rows.test)):
        found = set(rows.y[mask].tolist())
        if len(found) < 2:
            which = "first" if found == {1} else "second"
            raise UsageError(
                f"in all {int(mask.sum())} pairs of {task} to {what}, the {which} answer is right: nothing can be told "
                "apart.",
                hint="Raise --limit, or take other subsets.",
            )


def _evenly(names: list[str], most: int) -> list[str]:
    """At most `most` of `names`, evenly spread, so that both halves and both labels are among them."""
    step = max(1.0, len(names) / most)
    return [names[int(number * step)] for number in range(min(most, len(names)))]


def _add_variants(part: Part, seed: int) -> None:
    """The texts that the diagnostics need, on the first template."""
    rows, protocol, body = part.diagnosed(), part.protocols[part.first], part.data.task.body
    part.variants["word"] = with_word(rows, part.items, protocol, body)
    part.variants["opinion"] = with_opinion(rows, part.items, protocol, body)
    part.variants["prefix"] = misled(rows)
    if negated := _negated(part, len(part._diagnosed), seed):
        part.variants["negated"] = negated


def _negated(part: Part, most: int, seed: int) -> Rows | None:
    """Rows of the subsets that negate those probed, all of them for testing, of groups that nothing was learned of;
    None where there are none."""
    twins = [twin for subset, twin in part.data.task.negations.items() if subset in part.data.subsets]
    twins = [twin for twin in twins if twin not in part.data.subsets]
    if not twins:
        return None
    names = {key: value for key, value in part.arguments.items() if key != "subsets"}
    other = load_task(part.name, {**names, "subsets": ",".join(twins)})
    learned = {part.items[name].group for name in set(part.rows.items[part.rows.train].tolist())}
    items = balanced_sample([item for item in other.items() if item.group not in learned], most, seed)
    protocol = part.protocols[part.first]
    pairs = tuple(contrast_pair(item, part.first, protocol) for item in items)
    if not pairs:
        part.notes.append(f"{part.name} has negated twins, and something was learned of the subject of each.")
        return None
    return Rows(pairs, np.zeros(len(pairs), dtype=bool), None, "negated", part.rows.after)
