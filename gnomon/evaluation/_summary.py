"""Blocks that every kind of benchmark shares: averages with intervals and baselines, scores by subset and by rollup,
statuses, the first prompt, samples.

Belongs here: how verdicts on items become tables. Does not belong here: what one kind adds (`_choice.py`,
`_mathematics.py`, `_moves.py`, `_programs.py`, `_spans.py`), formulas (`_metrics.py`, `stats/`), drawing (`report/`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gnomon.asks import Ask, Passage
from gnomon.blocks import Block, Column, Estimate, IntervalChart, Note, Sample, Samples, Table, Text
from gnomon.evaluation._kinds import Asked
from gnomon.evaluation._metrics import Score, Verdict, macro, pooled, score
from gnomon.runs import Record
from gnomon.tasks import Task

__all__ = [
    "GRADED",
    "Answered",
    "Row",
    "averages",
    "by_number",
    "by_subset",
    "estimate",
    "first_prompt",
    "rollups",
    "samples",
    "split_parts",
    "statuses",
    "truncated_prompts",
    "verdicts",
    "writing",
]

GRADED = ("ok", "truncated", "unparsed", "refused")
"""Statuses that count: an answer that cannot be read is wrong and counted apart; an error is no answer and is not
scored."""

_MOST_SAMPLES = 2000


@dataclass(frozen=True)
class Answered:
    """An asked item with its record, if there is one."""

    asked: Asked
    record: Record | None

    @property
    def verdict(self) -> Verdict | None:
        if self.record is None or self.record.status not in GRADED or self.record.correct is None:
            return None
        return Verdict(self.asked.item, self.record.correct)


def split_parts(answered: Sequence[Answered], splits: Sequence[str]) -> Iterator[tuple[list[Answered], str]]:
    """The answers of each split, with what its blocks' titles end in."""
    for split in splits:
        part = [one for one in answered if one.asked.item.split == split]
        yield part, f" ({split})" if len(splits) > 1 else ""


def verdicts(answered: Sequence[Answered]) -> list[Verdict]:
    return [verdict for one in answered if (verdict := one.verdict) is not None]


def by_subset_verdicts(answered: Sequence[Answered], task: Task) -> dict[str, list[Verdict]]:
    """Verdicts by subset, in the task's order; a subset without one has an empty list."""
    found: dict[str, list[Verdict]] = {
        subset: [] for subset in task.subsets if any(one.asked.item.subset == subset for one in answered)
    }
    for verdict in verdicts(answered):
        found[verdict.item.subset].append(verdict)
    return found


def averages(task: Task, answered: Sequence[Answered], suffix: str, what: str = "accuracy") -> Iterator[Block]:
    """Micro and macro of `what`, the paper's own average first."""
    subsets = by_subset_verdicts(answered, task)
    row_wise = all(task.metric(subset).group_size is None for subset in subsets)
    scores = {subset: score(task.metric(subset), verdicts) for subset, verdicts in subsets.items()}
    whole = [(found, subsets[subset]) for subset, found in scores.items() if found is not None]
    headline = task.headline == "micro" or len(subsets) == 1
    micro = _micro(pooled(verdicts(answered)), suffix, headline, row_wise, what)
    if len(subsets) == 1:
        found = next(iter(scores.values()))
        metric = task.metric(next(iter(subsets)))
        if found is not None and metric.group_size is not None:
            yield estimate(f"{metric.name}{suffix}", found, f"share of whole {found.unit}", headline=True)
            yield micro.model_copy(update={"headline": False})
        else:
            yield micro
        return
    average = _macro(whole, len(subsets), row_wise, suffix, task.headline == "macro", what)
    yield from (micro, average) if task.headline == "micro" else (average, micro)


def _micro(found: Score | None, suffix: str, headline: bool, row_wise: bool, what: str) -> Estimate:
    name = f"{what}, micro{suffix}" if row_wise else f"{what} over rows{suffix}"
    method = "mean over all questions (micro)"
    if found is None:
        return Estimate(name=name, value=None, n=0, method=method, headline=headline, reason="nothing was answered")
    return estimate(name, found, method, headline)


def estimate(name: str, found: Score, method: str, headline: bool) -> Estimate:
    return Estimate(
        name=name,
        value=found.value,
        interval=found.interval,
        n=found.n,
        groups=found.groups if found.groups != found.n else None,
        method=method,
        baselines=_baselines([found]),
        headline=headline,
    )


def _macro(
    whole: Sequence[tuple[Score, list[Verdict]]], subsets: int, row_wise: bool, suffix: str, headline: bool, what: str
) -> Estimate:
    name = f"{what if row_wise else 'average'}, macro over {subsets} subsets{suffix}"
    method = "unweighted mean of the subsets' scores (macro)"
    n = sum(found.n for found, _ in whole)
    if len(whole) < subsets:
        reason = f"{subsets - len(whole)} of {subsets} subsets have no score"
        return Estimate(name=name, value=None, n=n, method=method, headline=headline, reason=reason)
    value, interval = macro(whole)
    interval = interval.model_copy(update={"low": max(0.0, interval.low), "high": min(1.0, interval.high)})
    baselines = _baselines([found for found, _ in whole])
    return Estimate(
        name=name, value=value, interval=interval, n=n, method=method, baselines=baselines, headline=headline
    )


def _baselines(scores: Sequence[Score]) -> dict[str, float]:
    """What chance and the commonest answer reach on average; none where nothing is chosen from."""
    found = {}
    for name, values in (
        ("chance", [one.chance for one in scores]),
        ("majority class", [one.majority for one in scores]),
    ):
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            found[name] = sum(known) / len(known)
    return found


Row = list[str | int | float | bool | None]


def _score_columns(task: Task) -> list[Column]:
    """The columns of `_score_cells`: baselines only where options are chosen from."""
    labels = ["score", "low", "high"]
    columns = [*(Column(label=label, format="fraction") for label in labels), Column(label="n", format="integer")]
    if task.kind == "choice":
        columns += [Column(label="chance", format="fraction"), Column(label="majority", format="fraction")]
    return columns


def _score_cells(task: Task, found: Score | None) -> Row:
    low, high = (found.interval.low, found.interval.high) if found else (None, None)
    cells: Row = [found.value if found else None, low, high, found.n if found else 0]
    if task.kind == "choice":
        cells += [found.chance, found.majority] if found else [None, None]
    return cells


def by_subset(task: Task, answered: Sequence[Answered], suffix: str) -> Table:
    """One row a subset; the metric and the accuracy over rows where some subset reports another metric; the category,
    which colours the chart."""
    subsets = by_subset_verdicts(answered, task)
    scores = {subset: score(task.metric(subset), verdicts) for subset, verdicts in subsets.items()}
    mixed = any(task.metric(subset).group_size is not None for subset in subsets)
    category = _category(task, answered)
    columns = [Column(label="subset"), *_score_columns(task)]
    if mixed:
        columns += [Column(label="metric"), Column(label="accuracy over rows", format="fraction")]
    if category:
        columns.append(Column(label="category"))
    rows: list[Row] = []
    for subset, verdicts in subsets.items():
        row: Row = [subset, *_score_cells(task, scores[subset])]
        if mixed:
            over_rows = pooled(verdicts)
            row += [task.metric(subset).name, over_rows.value if over_rows else None]
        rows.append(row + ([category[subset]] if category else []))
    found = [one for one in scores.values() if one is not None]
    caption = f"95% intervals: {', '.join(sorted({one.interval.method for one in found})) or 'none'}."
    if mixed:
        caption += " n counts rows, or whole groups for exact match."
    if ignored := sum(one.ignored for one in found):
        caption += f" {ignored} rows stand in groups that are not whole and do not count for exact match."
    chance = {one.chance for one in found if one.chance is not None}
    return Table(
        title=f"Score by subset{suffix}",
        columns=columns,
        rows=rows,
        caption=caption,
        chart=IntervalChart(
            label=0,
            value=1,
            low=2,
            high=3,
            colour=len(columns) - 1 if category else None,
            reference=chance.pop() if len(chance) == 1 else None,
            reference_label="chance",
        ),
        headline=True,
    )


def _category(task: Task, answered: Sequence[Answered]) -> dict[str, str]:
    """Subset to its name in the coarsest rollup that covers every item and keeps subsets whole; empty where there is
    none."""
    for rollup in reversed(list(task.rollups.values())):
        homes: dict[str, set[str | None]] = {}
        for one in answered:
            homes.setdefault(one.asked.item.subset, set()).add(rollup(one.asked.item))
        if all(len(home) == 1 and None not in home for home in homes.values()):
            return {subset: str(next(iter(home))) for subset, home in homes.items()}
    return {}


def by_number(name: str) -> tuple[int, str]:
    """Sorts names by the number that they hold first ("<=900" before "1201-1500"), names without one first.

    >>> sorted(["901-1200", "1201-1500", ">2100", "<=900", "other"], key=by_number)
    ['other', '<=900', '901-1200', '1201-1500', '>2100']
    """
    digits = re.search("[0-9]+", name)
    return int(digits[0]) if digits else -1, name


def rollups(task: Task, answered: Sequence[Answered], suffix: str, what: str = "accuracy") -> Iterator[Table]:
    """Pooled scores of larger groups of items, such as MMLU's categories."""
    for name, rollup in task.rollups.items():
        parts: dict[str, list[Verdict]] = {}
        for verdict in verdicts(answered):
            if (home := rollup(verdict.item)) is not None:
                parts.setdefault(home, []).append(verdict)
        if not parts or (len(parts) == 1 and len(task.rollups) > 1):
            continue
        rows: list[Row] = [[home, *_score_cells(task, pooled(parts[home]))] for home in sorted(parts, key=by_number)]
        yield Table(
            title=f"{what.capitalize()} by {name}{suffix}",
            columns=[Column(label=name), *_score_columns(task)],
            rows=rows,
            caption="Pooled over questions (micro).",
            chart=IntervalChart(label=0, value=1, low=2, high=3, reference=None),
        )


_MEANINGS = {
    "ok": "answered and graded",
    "truncated": "answered and graded; the prompt or what was written was cut",
    "unparsed": "no answer could be read: counted as wrong",
    "refused": "the model declined: counted as wrong",
    "error": "no answer, or no verdict: not scored; the same command tries again",
    "timeout": "no answer in time: not scored",
    "not asked": "not reached yet",
}


def statuses(answered: Sequence[Answered]) -> Table:
    """How many items ended in which way."""
    counts = Counter(one.record.status if one.record is not None else "not asked" for one in answered)
    rows: list[Row] = [
        [status, counts[status], counts[status] / len(answered), _MEANINGS[status]]
        for status in _MEANINGS
        if counts[status]
    ]
    return Table(
        title="Statuses",
        columns=[
            Column(label="status"),
            Column(label="items", format="integer"),
            Column(label="share", format="fraction"),
            Column(label="meaning"),
        ],
        rows=rows,
    )


def writing(answered: Sequence[Answered]) -> Iterator[Table]:
    """What was written: how long, how often cut off, how often without an answer that could be read."""
    outputs = [one.record.output for one in answered if one.record is not None and "finish" in one.record.output]
    texts = sum(len(output["finish"]) for output in outputs)
    if not any(count for output in outputs for count in output["tokens"]):  # from a file: nothing was written here
        return
    tokens = sorted(count for output in outputs for count in output["tokens"])
    cut = sum(finish == "length" for output in outputs for finish in output["finish"])
    unread = sum(answer is None for output in outputs for answer in output["answers"])
    both = sum(
        finish == "length" and answer is None
        for output in outputs
        for finish, answer in zip(output["finish"], output["answers"], strict=True)
    )
    prompts = sum(bool(output.get("cut")) for output in outputs)
    rows: list[Row] = [
        ["answer read (parse rate)", texts - unread, (texts - unread) / texts],
        ["no answer could be read", unread, unread / texts],
        ["cut off at the token limit (truncation rate)", cut, cut / texts],
        ["cut off and without an answer", both, both / texts],
        ["items whose prompt was cut on its left to fit the model", prompts, prompts / len(outputs)],
    ]
    yield Table(
        title="What was written",
        columns=[
            Column(label=""),
            Column(label="completions", format="integer"),
            Column(label="share", format="fraction"),
        ],
        rows=rows,
        caption=f"{texts:,} completions, {sum(tokens):,} tokens; the median has {tokens[len(tokens) // 2]:,}.",
        headline=True,
    )


def truncated_prompts(answered: Sequence[Answered]) -> Iterator[Note]:
    """A note where prompts did not fit the model."""
    cut = sum(one.record is not None and bool(one.record.output.get("cut")) for one in answered)
    if cut:
        text = f"{cut:,} of {len(answered):,} prompts were longer than the model can see and were cut on their left."
        yield Note(level="deviation", text=text)


def first_prompt(answered: Sequence[Answered]) -> Iterator[Text]:
    """What the model was given first, to the byte."""
    first = next((one.asked for one in answered if one.asked.asks), None)
    if first is None:
        return
    ask = first.asks[0]
    caption, text = f"Item {first.item.id}.", ask.context
    if isinstance(ask, Ask):
        continuations = "\n".join(repr(text) for text in ask.continuations)
        caption += f" The continuations whose log-probabilities were compared:\n{continuations}"
    elif isinstance(ask, Passage):
        text = f"{ask.question}\n\n{ask.context[:20_000]}"
        caption += " The question, then the text" + (
            ", of which the start is shown." if len(ask.context) > 20_000 else "."
        )
    else:
        how = ask.decoding
        way = f"temperature {how.temperature:g}, top-p {how.top_p:g}" if how.temperature else "greedy"
        stops = f", stopping at {', '.join(map(repr, how.stop))}" if how.stop else ""
        caption += f" Written on from here: {way}, at most {how.max_tokens:,} tokens{stops}."
    yield Text(title="The first full prompt, exactly", text=text, caption=caption)


def samples(answered: Sequence[Answered], show: Callable[[Answered], Sample], most: int = _MOST_SAMPLES) -> Samples:
    """At most a few thousand items, evenly spread over the run."""
    with_record = [one for one in answered if one.record is not None]
    step = max(1.0, len(with_record) / most)
    chosen = [with_record[int(number * step)] for number in range(min(most, len(with_record)))]
    caption = "" if len(chosen) == len(with_record) else "An even selection; all of them are in records.jsonl."
    return Samples(title="Samples", total=len(with_record), samples=[show(one) for one in chosen], caption=caption)
