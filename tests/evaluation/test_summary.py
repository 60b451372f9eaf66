"""The summary against a second count made from records.jsonl alone."""

import json
from collections import defaultdict

import pytest

from gnomon import evaluate
from gnomon.blocks import Curve, Estimate, Samples, Table, Text
from gnomon.stats import reliability, rms_calibration_error, rms_calibration_error_official

SUBJECTS = {
    "abstract_algebra": ("math", "STEM"),
    "college_physics": ("physics", "STEM"),
    "anatomy": ("health", "other (business, health, misc.)"),
    "philosophy": ("philosophy", "humanities"),
    "sociology": ("culture", "social sciences"),
}


@pytest.fixture(scope="module")
def mmlu(tmp_path_factory, write_csv):
    """Five subjects of unequal sizes, answered by the hash of the question."""
    folder = tmp_path_factory.mktemp("mmlu")
    for size, subject in enumerate(SUBJECTS, start=1):
        for split, count in (("dev", 5), ("test", 17 * size)):
            rows = [
                [f"{subject} {split} {n}?", *(f"{n}{c}" for c in "abcd"), "ABCD"[(n * n + size) % 4]]
                for n in range(count)
            ]
            write_csv(folder / split / f"{subject}_{split}.csv", rows)
    return folder


@pytest.fixture
def run(mmlu, hashed, tmp_path):
    args = {"data": str(mmlu), "counts": "any", "subsets": ",".join(SUBJECTS)}
    return evaluate("mmlu", hashed(), task_args=args, runs_dir=tmp_path, cache=False)


def records(run):
    return [json.loads(line) for line in (run.path / "records.jsonl").read_text().splitlines()]


def tables(run):
    return {block.title: block for block in run.result() if isinstance(block, Table)}


def by_label(table, label):
    """First column to the column called `label`."""
    at = [column.label for column in table.columns].index(label)
    return {row[0]: row[at] for row in table.rows}


def named(run):
    return {block.name: block for block in run.result() if isinstance(block, Estimate)}


def test_micro_and_macro_equal_counting(run):
    by = defaultdict(list)
    for record in records(run):
        by[record["subset"]].append(record["parsed"] == record["target"])
    pooled = [right for part in by.values() for right in part]
    assert {name: len(part) for name, part in by.items()} == {name: 17 * n for n, name in enumerate(SUBJECTS, start=1)}
    found = named(run)
    assert found["accuracy, micro"].value == pytest.approx(sum(pooled) / len(pooled))
    assert found["accuracy, micro"].n == len(pooled) == 255
    assert found["accuracy, micro"].interval.method == "Wilson"
    assert found["accuracy, micro"].baselines["chance"] == 0.25
    macro = found["accuracy, macro over 5 subsets"]
    assert macro.value == pytest.approx(sum(sum(part) / len(part) for part in by.values()) / 5)
    assert macro.interval.method == "MOVER (Wilson)"
    assert [one.name for one in run.result() if isinstance(one, Estimate) and one.headline] == ["accuracy, micro"]


def test_the_majority_baseline_is_the_best_constant_letter_of_each_subject(run):
    by = defaultdict(list)
    for record in records(run):
        by[record["subset"]].append(record["target"])
    right = sum(max(part.count(option) for option in range(4)) for part in by.values())
    assert named(run)["accuracy, micro"].baselines["majority class"] == pytest.approx(right / 255)


@pytest.mark.parametrize(("title", "level"), [("Accuracy by subcategory", 0), ("Accuracy by category", 1)])
def test_rollups_pool_questions(title, level, run):
    by = defaultdict(list)
    for record in records(run):
        by[SUBJECTS[record["subset"]][level].split(" (")[0].lower()].append(record["parsed"] == record["target"])
    scores, counts = by_label(tables(run)[title], "score"), by_label(tables(run)[title], "n")
    found = {name: name.split(" (")[0].lower() for name in scores}
    assert {found[name]: value for name, value in scores.items()} == pytest.approx(
        {n: sum(p) / len(p) for n, p in by.items()}
    )
    assert {found[name]: count for name, count in counts.items()} == {name: len(part) for name, part in by.items()}


def test_calibration_is_that_of_the_stored_probabilities(run):
    rows = records(run)
    confidence = [max(row["output"]["probabilities"]) for row in rows]
    correct = [row["parsed"] == row["target"] for row in rows]
    found = named(run)
    assert found["RMS calibration error"].value == pytest.approx(rms_calibration_error(confidence, correct))
    assert found["RMS calibration error, as released"].value == pytest.approx(
        rms_calibration_error_official(confidence, correct)
    )
    [curve] = [block for block in run.result() if isinstance(block, Curve)]
    bins = reliability(confidence, correct, bin_size=20)
    assert curve.series[0].x == pytest.approx([one.confidence for one in bins])
    assert curve.series[0].y == pytest.approx([one.accuracy for one in bins])
    assert sum(curve.series[0].n) == 255


def test_probabilities_are_the_softmax_of_what_the_model_gave(run):
    for row in records(run):
        [logs] = row["output"]["logprobs"]
        assert sum(row["output"]["probabilities"]) == pytest.approx(1)
        assert row["parsed"] == max(range(4), key=lambda option: (logs[option], -option))


def test_the_first_prompt_is_shown_to_the_byte(run, mmlu):
    [text] = [block for block in run.result() if isinstance(block, Text)]
    assert text.text.startswith("The following are multiple choice questions (with answers) about  ")
    assert text.text.count("\nAnswer:") == 6
    assert text.text.endswith("\nAnswer:")
    assert "' A'\n' B'\n' C'\n' D'" in text.caption


def test_samples_hold_every_item_of_a_small_run(run):
    [samples] = [block for block in run.result() if isinstance(block, Samples)]
    rows = {row["id"]: row for row in records(run)}
    assert samples.total == len(samples.samples) == 255
    assert {one.id: one.correct for one in samples.samples} == {key: row["correct"] for key, row in rows.items()}


def test_large_runs_show_an_even_selection(hashed, tmp_path):
    run = evaluate("facts", hashed(batch=500), limit=120, runs_dir=tmp_path, cache=False)
    [samples] = [block for block in run.result() if isinstance(block, Samples)]
    assert samples.total == len(run.records()) > 2000
    assert len(samples.samples) == len({one.id for one in samples.samples}) == 2000
    shown = {one.subset for one in samples.samples}
    assert shown == {record.subset for record in run.records().values()}


def test_test_and_hard_test_are_reported_apart(hashed, tmp_path, small_release):
    args = {"data": str(small_release("ethics")), "counts": "any"}
    run = evaluate("ethics", hashed(), task_args=args, runs_dir=tmp_path / "runs", cache=False)
    names = [name for name in named(run) if "calibration" not in name]
    assert names == [
        "average, macro over 5 subsets (test)",
        "accuracy over rows (test)",
        "average, macro over 5 subsets (test_hard)",
        "accuracy over rows (test_hard)",
    ]
    for split in ("test", "test_hard"):
        rows = [row for row in records(run) if row["split"] == split]
        groups = defaultdict(lambda: defaultdict(list))
        for row in rows:
            groups[row["subset"]][row["group"]].append(bool(row.get("correct")))
        expected = {name: sum(map(all, part.values())) / len(part) for name, part in groups.items()}
        assert by_label(tables(run)[f"Score by subset ({split})"], "score") == pytest.approx(expected)
        assert by_label(tables(run)[f"Score by subset ({split})"], "n") == {
            name: len(part) for name, part in groups.items()
        }
        assert named(run)[f"average, macro over 5 subsets ({split})"].value == pytest.approx(sum(expected.values()) / 5)
        assert named(run)[f"accuracy over rows ({split})"].value == pytest.approx(
            sum(bool(row.get("correct")) for row in rows) / len(rows)
        )


def test_short_and_long_commonsense_items_are_reported_apart(hashed, tmp_path, small_release):
    args = {"data": str(small_release("ethics")), "counts": "any", "subsets": "commonsense", "split": "test"}
    run = evaluate("ethics", hashed(), task_args=args, runs_dir=tmp_path / "runs", cache=False)
    [table] = [table for title, table in tables(run).items() if "length of commonsense" in title]
    assert by_label(table, "n") == {"short": 4, "long": 2}


def test_one_grouped_subset_leads_with_exact_match(hashed, tmp_path, small_release):
    args = {"data": str(small_release("ethics")), "counts": "any", "subsets": "justice", "split": "test"}
    run = evaluate("ethics", hashed(), task_args=args, limit=10, runs_dir=tmp_path / "runs", cache=False)
    [headline] = [one for one in named(run).values() if one.headline]
    assert (headline.name, headline.n) == ("exact match", 2)
    assert headline.baselines["chance"] == 0.0625
    assert len(run.records()) == 8
