"""Comparing two runs: what is refused, what is noted, and the numbers against scipy."""

import json
import random

import pytest
from scipy.stats import binomtest, false_discovery_control

from gnomon import compare, evaluate
from gnomon.blocks import Comparison, Note, Selection, Table
from gnomon.errors import RunError, UsageError


@pytest.fixture
def runs(hashed, tmp_path):
    """A function that runs facts, or another task, into a folder of its own."""

    def make(name, task="facts", **more):
        model = hashed(more.pop("model", name))
        return evaluate(task, model, runs_dir=tmp_path / name, cache=False, **more)

    return make


def only(blocks, kind):
    [found] = [block for block in blocks if isinstance(block, kind)]
    return found


def words(blocks):
    return [block.text for block in blocks if isinstance(block, Note)]


def test_a_run_against_itself_is_refused(runs):
    a = runs("a", limit=2)
    with pytest.raises(RunError, match="was given twice"):
        compare(a, a)


def test_identical_answers_have_no_difference_and_p_1(runs):
    blocks = compare(runs("a", model="m", limit=4), runs("b", model="m", limit=4))
    overall = only(blocks, Comparison)
    assert (overall.difference, overall.p_value) == (0, 1)
    assert overall.interval.low <= 0 <= overall.interval.high
    assert not any(one.selected for one in only(blocks, Selection).hypotheses)
    assert {one.p_value for one in only(blocks, Selection).hypotheses} == {1.0}


def test_swapping_the_runs_mirrors_everything(runs):
    a, b = runs("a", limit=6), runs("b", limit=6)
    one, two = only(compare(a, b), Comparison), only(compare(b, a), Comparison)
    assert one.difference == pytest.approx(-two.difference)
    assert one.interval.low == pytest.approx(-two.interval.high)
    assert one.p_value == two.p_value
    assert (one.a, one.b) == (two.b, two.a)


@pytest.mark.parametrize("method", ["bh", "by"])
@pytest.mark.parametrize("q", [0.05, 0.3])
def test_the_selection_is_exact_mcnemar_under_fdr_control(method, q, runs):
    a, b = runs("a", limit=30), runs("b", limit=30)
    for run, share in ((a, 0.4), (b, 0.95)):  # make them differ in some subsets, for sure
        file, chance = run.path / "records.jsonl", random.Random(1)
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            if row["subset"].startswith("a"):
                row["correct"] = chance.random() < share
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, two = a.records(), b.records()
    names, p_values, effects = [], [], []
    for subset in dict.fromkeys(record.subset for record in one.values()):
        keys = [key for key, record in one.items() if record.subset == subset]
        only_a = sum(bool(one[key].correct) and not two[key].correct for key in keys)
        only_b = sum(bool(two[key].correct) and not one[key].correct for key in keys)
        names.append(subset)
        p_values.append(binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0)
        effects.append((only_b - only_a) / len(keys))
    adjusted = false_discovery_control(p_values, method=method)
    blocks = compare(a, b, q=q, method=method)
    found = {h.name: h for h in only(blocks, Selection).hypotheses}
    assert set(found) == set(names)
    assert [found[n].p_value for n in names] == pytest.approx(p_values)
    assert [found[n].q_value for n in names] == pytest.approx(list(adjusted))
    assert [found[n].effect for n in names] == pytest.approx(effects)
    assert [found[n].selected for n in names] == [bool(value <= q) for value in adjusted]
    assert any(h.selected for h in found.values())
    difference = sum(bool(two[k].correct) - bool(one[k].correct) for k in one) / len(one)
    assert only(blocks, Comparison).difference == pytest.approx(difference)


def test_grouped_subsets_are_compared_by_whole_groups(runs, small_release):
    args = {"data": str(small_release("ethics")), "counts": "any", "split": "test"}
    blocks = compare(runs("a", "ethics", task_args=args), runs("b", "ethics", task_args=args))
    found = {h.name: h.n for h in only(blocks, Selection).hypotheses}
    assert found == {"justice": 2, "deontology": 2, "virtue": 2, "utilitarianism": 4, "commonsense": 6}
    assert [row[1] for row in only(blocks, Table).rows][:4] == ["exact match"] * 3 + ["accuracy"]
    assert only(blocks, Comparison).groups == 2 + 2 + 2 + 4 + 6


@pytest.fixture
def mmlu(small_release):
    return {"data": str(small_release("mmlu")), "counts": "any", "subsets": "anatomy,virology"}


@pytest.mark.parametrize("other", [{"protocol": "lm-eval"}, {"shots": 2}, {"shots": 0}])
def test_other_protocols_are_refused_unless_asked_for(other, runs, mmlu):
    a, b = runs("a", "mmlu", task_args=mmlu), runs("b", "mmlu", task_args=mmlu, **other)
    with pytest.raises(
        RunError,
        match=r"under different protocols, so their difference is not the models' alone\. .*--across-protocols",
    ):
        compare(a, b)
    blocks = compare(a, b, across_protocols=True)
    assert only(blocks, Comparison).n == 8
    assert any("different protocols" in text for text in words(blocks))


def test_another_task_is_refused(runs, mmlu):
    with pytest.raises(RunError, match=r"a run of facts and .* of mmlu"):
        compare(runs("a", limit=1), runs("b", "mmlu", task_args=mmlu))


def test_other_data_are_refused_with_or_without_across_protocols(runs, mmlu, tmp_path):
    a = runs("a", "mmlu", task_args=mmlu)
    file = tmp_path / "mmlu" / "test" / "anatomy_test.csv"
    file.write_text(file.read_text().replace("question 2?", "question two?"))
    b = runs("b", "mmlu", task_args=mmlu)
    for across in (False, True):
        with pytest.raises(RunError, match="data with different contents"):
            compare(a, b, across_protocols=across)


@pytest.mark.parametrize("change", [("question 2?", "question two?"), (",A\n", ",B\n")])
def test_other_data_are_found_under_other_subsets_too(change, runs, mmlu, tmp_path):
    a = runs("a", "mmlu", task_args=mmlu, shots=0)
    file = tmp_path / "mmlu" / "test" / "anatomy_test.csv"
    file.write_text(file.read_text().replace(*change))
    b = runs("b", "mmlu", task_args={**mmlu, "subsets": "anatomy"}, shots=0)
    with pytest.raises(RunError, match="not the same item in both"):
        compare(a, b)


def test_a_partial_overlap_is_noted_with_both_counts(runs, mmlu):
    a = runs("a", "mmlu", task_args=mmlu)
    b = runs("b", "mmlu", task_args={**mmlu, "subsets": "virology"}, limit=3)
    blocks = compare(a, b)
    assert only(blocks, Comparison).n == 3
    assert [text for text in words(blocks) if "no graded partner" in text] == [
        f"5 items of {a.manifest.id} have no graded partner and are left out."
    ]


def test_no_overlap_is_refused(runs, mmlu):
    a = runs("a", "mmlu", task_args={**mmlu, "subsets": "anatomy"})
    b = runs("b", "mmlu", task_args={**mmlu, "subsets": "virology"})
    with pytest.raises(RunError, match="no answered item in common"):
        compare(a, b)


def test_errors_are_left_out_and_said(runs, tmp_path):
    args = {"model_args": {"rate": "0.4", "seed": "2"}, "limit": 4, "cache": False}
    flaky = evaluate("facts", "mock/flaky", runs_dir=tmp_path / "flaky", **args)
    whole = runs("whole", limit=4)
    blocks = compare(flaky, whole)
    assert only(blocks, Comparison).n == flaky.manifest.statuses["ok"]
    assert any("is incomplete" in text for text in words(blocks))


@pytest.mark.parametrize("q", [0, 1, -0.1, 2, float("nan")])
def test_a_rate_that_is_none_is_refused(q, runs):
    with pytest.raises(UsageError, match="--q"):
        compare(runs("a", limit=1), runs("b", limit=1), q=q)


def test_a_single_common_item_is_no_traceback(runs, mmlu):
    a = runs("a", "mmlu", task_args={**mmlu, "subsets": "anatomy"}, limit=1)
    b = runs("b", "mmlu", task_args={**mmlu, "subsets": "anatomy"}, limit=1)
    with pytest.raises(RunError, match="share one group of items only"):
        compare(a, b)
