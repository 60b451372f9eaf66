"""`gnomon.compare`: two runs on the same items, item by item.

Belongs here: which items are paired, the test of each subset, the overall difference. Does not belong here: the tests
themselves (`stats/`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from gnomon.blocks import Block, Column, Comparison, Note, Selected, Selection, Table
from gnomon.errors import NotIdentifiedError, RunError, UsageError
from gnomon.evaluation._summary import GRADED
from gnomon.grading.groups import exact_match
from gnomon.runs import Record, Run
from gnomon.stats import adjust, mcnemar, minimum_detectable_difference, paired_cluster_bootstrap
from gnomon.tasks import task_named

__all__ = ["compare"]


@dataclass(frozen=True)
class _Subset:
    """One subset's paired verdicts, in the unit of its own metric: rows, or whole groups."""

    name: str
    metric: str
    a: list[bool]
    b: list[bool]


def compare(
    a: Run,
    b: Run,
    *,
    q: float = 0.05,
    method: Literal["bh", "by"] = "bh",
    seed: int = 0,
    across_protocols: bool = False,
) -> list[Block]:
    """How `b` differs from `a` on the items that both answered.

    Overall: the paired difference in accuracy over rows with a cluster bootstrap interval, a sign-flip test and the
    smallest difference that could have been seen. By subset: exact McNemar tests on the subset's own metric, with the
    false-discovery rate held at `q` over all of them by Benjamini-Hochberg ("bh") or Benjamini-Yekutieli ("by").

    Raises RunError where the runs cannot be compared: other tasks, other data, other protocols (unless
    `across_protocols`), no item in common.
    """
    if not 0 < q < 1:
        raise UsageError(f"--q {q}: give a number between 0 and 1.")
    notes = _comparable(a, b, across_protocols)
    for run in (a, b):
        _refuse_without_verdicts(run)
    records_a, records_b = a.records(), b.records()
    common = [
        key for key, record in records_a.items() if key in records_b and _graded(record) and _graded(records_b[key])
    ]
    if not common:
        raise RunError(
            f"{a.path} and {b.path} have no answered item in common.",
            hint="Run both with the same subsets, limit and seed.",
        )
    pairs = [(records_a[key], records_b[key]) for key in common]
    _same_items(a, b, pairs)
    if len({one.group for one, _ in pairs}) == 1:
        raise RunError(
            f"{a.path} and {b.path} share one group of items only, and one says nothing about the next.",
            hint="Ask both more items with a larger  --limit .",
        )
    for run, records in ((a, records_a), (b, records_b)):
        if alone := len(records) - len(common):
            notes.append(
                Note(
                    level="warning",
                    text=f"{alone:,} items of {run.manifest.id} have no graded partner and are left out.",
                )
            )
    names = (a.manifest.model["name"], b.manifest.model["name"])
    if names[0] == names[1]:
        names = (a.manifest.id, b.manifest.id)
    subsets = _subsets(a.manifest.spec["task"], pairs)
    return [_overall(pairs, names, seed), *notes, *_by_subset(subsets, names, q, method)]


def _graded(record: Record) -> bool:
    return record.status in GRADED and record.correct is not None


def _refuse_without_verdicts(run: Run) -> None:
    """Items are compared by right and wrong, which spans and several samples an item do not have."""
    spec = run.manifest.spec
    if task_named(spec["task"]).kind == "spans":
        raise RunError(
            f"{run.path} is a run of {spec['task']}, whose answers are not right or wrong but ranked by confidence; "
            "compare pairs right and wrong answers.",
            hint="Put both runs into one report:  gnomon report RUN_A RUN_B -o report.html .",
        )
    if spec.get("samples", 1) > 1 or any(len(r.output.get("texts", ())) > 1 for r in run.records().values()):
        raise RunError(
            f"{run.path} has several samples an item, and compare pairs one answer with one.",
            hint="Put both runs into one report, where pass@k stands:  gnomon report RUN_A RUN_B -o report.html .",
        )


def _comparable(a: Run, b: Run, across_protocols: bool) -> list[Note]:
    """Refuse what cannot be compared; note what a reader must know."""
    if a.path.resolve() == b.path.resolve():
        raise RunError(f"{a.path} was given twice.", hint="Give two runs; list them with  gnomon ls runs .")
    one, two = a.manifest.spec, b.manifest.spec
    if one["task"] != two["task"]:
        raise RunError(f"{a.path} is a run of {one['task']} and {b.path} of {two['task']}, so they share no items.")
    if one.get("grader") != two.get("grader"):
        raise RunError(
            f"{a.path} was graded by '{one.get('grader')}' and {b.path} by '{two.get('grader')}'.",
            hint="Grade one again with the other's  -T grader=... ; its answers are recorded or cached.",
        )
    notes = []
    if (one["protocol"], one["protocol_hash"], one["shots"]) != (two["protocol"], two["protocol_hash"], two["shots"]):
        words = [
            f"{run.path} ({run.manifest.spec['task']}, {run.manifest.spec['protocol']} "
            f"v{run.manifest.spec['protocol_version']}, "
            f"{run.manifest.spec['shots']} shots, {run.manifest.data.get('items', 0):,} items)"
            for run in (a, b)
        ]
        text = (
            f"{words[0]} and {words[1]} were asked under different protocols, so their difference is "
            "not the models' alone."
        )
        if not across_protocols:
            raise RunError(
                text,
                hint=f"Run one again with  --protocol {one['protocol']} --shots {one['shots']} , or "
                "compare anyway with  --across-protocols  (the report will say so).",
            )
        notes.append(Note(level="deviation", text=text))
    same_subsets = one["subsets"] == two["subsets"] and one["splits"] == two["splits"]
    # Shots are part of "data" and of the protocol: across protocols only the items themselves must be equal.
    key = "items" if across_protocols else "data"
    if same_subsets and one[key] != two[key]:
        raise RunError(
            f"{a.path} and {b.path} were asked from data with different contents (checksums {one[key][:8]} "
            f"and {two[key][:8]})."
        )
    for run in (a, b):
        if run.manifest.status != "complete":
            notes.append(
                Note(
                    level="warning",
                    text=f"{run.manifest.id} is {run.manifest.status}: the items that it lacks are not compared.",
                )
            )
    return notes


def _same_items(a: Run, b: Run, pairs: Sequence[tuple[Record, Record]]) -> None:
    """Runs of other subsets have other checksums, so what they share is compared by item: target, group, and the
    prompt where that must be equal."""
    one, two = a.manifest.spec, b.manifest.spec
    same_prompts = (one["protocol"], one["protocol_hash"]) == (two["protocol"], two["protocol_hash"])
    for first, second in pairs:
        same = (first.target, first.group) == (second.target, second.group)
        if not same or (
            same_prompts
            and first.shots == second.shots == 0
            and "texts" not in first.output
            and first.input != second.input
        ):
            raise RunError(
                f"{a.path} and {b.path} were asked from data with different contents: {first.id} is not "
                "the same item in both."
            )


def _overall(pairs: Sequence[tuple[Record, Record]], names: tuple[str, str], seed: int) -> Comparison:
    first = [bool(one.correct) for one, _ in pairs]
    second = [bool(two.correct) for _, two in pairs]
    groups: list[Hashable] = [one.group for one, _ in pairs]
    found = paired_cluster_bootstrap(first, second, groups, seed=seed)
    try:
        detectable = minimum_detectable_difference(first, second, groups)
    except NotIdentifiedError:
        detectable = None
    value_a, value_b = sum(first) / len(first), sum(second) / len(second)
    return Comparison(
        name="accuracy over rows",
        a=names[0],
        b=names[1],
        value_a=value_a,
        value_b=value_b,
        difference=value_b - value_a,
        interval=found.interval,
        p_value=found.p_value,
        test="paired sign-flip test by group",
        n=len(pairs),
        groups=found.groups if found.groups != len(pairs) else None,
        detectable=detectable,
    )


def _subsets(task: str, pairs: Sequence[tuple[Record, Record]]) -> list[_Subset]:
    """Pairs by (split, subset), in the unit of the subset's metric."""
    homes: dict[tuple[str, str], list[tuple[Record, Record]]] = defaultdict(list)
    for one, two in pairs:
        homes[one.split, one.subset].append((one, two))
    several = len({split for split, _ in homes}) > 1
    found = []
    definition = task_named(task)
    for (split, subset), rows in homes.items():
        metric = definition.metric(subset)
        a, b = [bool(one.correct) for one, _ in rows], [bool(two.correct) for _, two in rows]
        if metric.group_size is not None:
            groups = [one.group for one, _ in rows]
            a = list(exact_match(a, groups, metric.group_size).right)
            b = list(exact_match(b, groups, metric.group_size).right)
        if a:
            found.append(_Subset(f"{subset} ({split})" if several else subset, metric.name, a, b))
    return found


def _by_subset(
    subsets: Sequence[_Subset], names: tuple[str, str], q: float, method: Literal["bh", "by"]
) -> list[Block]:
    tests = [mcnemar(one.a, one.b) for one in subsets]
    adjusted = [float(value) for value in adjust([test.p_value for test in tests], method)]
    words = {"bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}[method]
    selection = Selection(
        title="Subsets in which the two differ",
        method=f"exact McNemar tests, {words}",
        q=q,
        effect_label=f"{names[1]} minus {names[0]}",
        hypotheses=[
            Selected(
                name=one.name,
                effect=sum(one.b) / len(one.b) - sum(one.a) / len(one.a),
                p_value=test.p_value,
                q_value=value,
                n=test.n,
                selected=value <= q,
            )
            for one, test, value in zip(subsets, tests, adjusted, strict=True)
        ],
        caption="Benjamini-Hochberg needs tests that are independent or positively dependent; "
        "Benjamini-Yekutieli needs nothing."
        if method == "bh"
        else "",
    )
    table = Table(
        title="Both systems by subset",
        columns=[
            Column(label="subset"),
            Column(label="metric"),
            Column(label=names[0], format="fraction"),
            Column(label=names[1], format="fraction"),
            Column(label=f"only {names[0]} right", format="integer"),
            Column(label=f"only {names[1]} right", format="integer"),
            Column(label="n", format="integer"),
        ],
        rows=[
            [one.name, one.metric, sum(one.a) / len(one.a), sum(one.b) / len(one.b), test.only_a, test.only_b, test.n]
            for one, test in zip(subsets, tests, strict=True)
        ],
    )
    return [selection, table]
