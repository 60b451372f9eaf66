"""The study end to end on models whose states are known, on bad input, and after an interruption."""

import json

import pytest

import gnomon
from gnomon.errors import AbilityError, RunError, UsageError
from gnomon.models import load_model

FAST = {"methods": ("ccs", "crc-tpc", "logistic"), "curve": False, "limit": 120}
CAPITALS = {"subsets": "capitals-statements"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))


def probed(tmp_path, model="mock/oracle", tasks="facts", **given):
    return gnomon.probe(tasks, model, runs_dir=tmp_path / "runs", task_args=CAPITALS, **{**FAST, **given})


def block(run, kind, title=""):
    return next(b for b in run.result() if b.kind == kind and (not title or b.title.startswith(title)))


def test_a_model_that_holds_the_truth_is_right_and_its_own_answers_are_no_worse(tmp_path):
    run = probed(tmp_path, limit=300)
    rows = {row[0]: row for row in block(run, "table", "At layer").rows}
    assert run.manifest.status == "complete"
    assert rows["ccs"][2] > 0.85
    assert rows["logistic"][2] > 0.85
    assert rows["zero-shot"][2] == 1.0
    verdict = block(run, "verdict")
    assert [one.name for one in verdict.conditions if one.passed is False] == [
        "above zero-shot",
        "above calibrated zero-shot",
    ]


def test_truth_that_the_model_does_not_say_is_identified(tmp_path, monkeypatch):
    """States that hold the truth, answers that are a coin: every condition holds."""
    from gnomon.models.mock import Oracle, Uniform

    monkeypatch.setattr(Oracle, "_answer", Uniform._answer)
    run = probed(tmp_path, limit=300)
    verdict = block(run, "verdict")
    assert verdict.identified, verdict.reason
    estimate = block(run, "estimate")
    assert estimate.value > 0.9
    assert set(estimate.baselines) == {"zero-shot", "calibrated zero-shot", "majority class"}


def test_a_parrot_is_not_identified_and_the_report_says_what_was_found(tmp_path):
    run = probed(tmp_path, "mock/parrot")
    verdict = block(run, "verdict")
    assert not verdict.identified
    assert block(run, "estimate").value is None
    found = {(row[0], row[1]): row[-1] for row in block(run, "table", "What is found").rows}
    assert found["ccs", "a planted word"] == "the planted feature"
    assert found["ccs", "a stated opinion"] == "the planted feature"
    failed = {one.name for one in verdict.conditions if one.passed is False}
    assert {"truth above a planted word", "truth above a stated opinion"} <= failed


def test_the_layer_is_chosen_without_labels_and_empty_layers_are_passed_over(tmp_path):
    run = probed(tmp_path)
    curve = block(run, "curve", "Accuracy by layer")
    assert curve.x_names == ["0", "1", "2"]
    assert block(run, "verdict").name == "facts · ccs · layer 2"


def test_the_same_command_reads_nothing_again_and_gives_the_same_bytes(tmp_path):
    one = probed(tmp_path)
    first = (one.path / "result.json").read_bytes()
    two = probed(tmp_path)
    assert (two.path / "result.json").read_bytes() == first
    log = (two.path / "log.txt").read_text()
    assert " 0 readings computed" in log.splitlines()[-2]


def test_an_interrupted_reading_goes_on_where_it_stopped(tmp_path, monkeypatch):
    from gnomon.models import mock

    whole = probed(tmp_path / "whole")
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(mock, "_BATCH", 16)
    asked = []
    plain = mock.Oracle._inside

    def stops(self, index, reading):
        asked.append(reading)
        if len(asked) == 100:
            raise KeyboardInterrupt
        return plain(self, index, reading)

    monkeypatch.setattr(mock.Oracle, "_inside", stops)
    with pytest.raises(KeyboardInterrupt):
        probed(tmp_path / "cut")
    run = probed(tmp_path / "cut")
    assert len(set(asked)) == len(asked) - len([one for one in asked[:100] if asked.count(one) > 1])
    assert len(asked) < len(set(asked)) + 17
    result = [json.loads((one.path / "result.json").read_text())["blocks"] for one in (whole, run)]
    assert result[0] == result[1]


def test_a_larger_limit_extends_the_run_and_a_smaller_one_does_not_shrink_it(tmp_path):
    small, large = probed(tmp_path, limit=80), probed(tmp_path, limit=160)
    assert small.path == large.path
    again = probed(tmp_path, limit=80)
    assert (
        len({record.id.split("/", 2)[2] for record in again.records().values() if record.id.startswith("facts/")})
        == 160
    )


def test_every_pair_is_in_the_records_with_its_p(tmp_path):
    run = probed(tmp_path)
    records = [record for name, record in run.records().items() if name.startswith("facts/")]
    assert len(records) == 120 * 3
    assert {"ccs", "crc-tpc", "logistic"} == set(records[0].output["p"])
    groups = {half: {record.group for record in records if record.split == half} for half in ("train", "test")}
    assert not groups["train"] & groups["test"]


@pytest.mark.realdata
def test_transfer_between_tasks_is_a_matrix_with_the_tasks_own_accuracy_on_its_diagonal(tmp_path, release, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(release("mmlu").parent))
    run = gnomon.probe(["copa", "sst2"], "mock/oracle", runs_dir=tmp_path / "runs", diagnostics=False, **FAST)
    matrix = block(run, "matrix", "Transfer of ccs")
    assert matrix.columns == ["copa", "sst2"]
    tables = [b for b in run.result() if b.kind == "table" and b.title.startswith("At layer")]
    diagonal = [next(row for row in table.rows if row[0] == "ccs")[2] for table in tables]
    assert [matrix.values[k][k] for k in (0, 1)] == diagonal


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"model": "mock/uniform"}, AbilityError, "cannot give hidden states, which 'gnomon probe' needs"),
        ({"methods": ("css",)}, UsageError, "Did you mean 'ccs'"),
        ({"layers": "1-9"}, UsageError, "no layer '9'"),
        ({"layers": "1-999999999"}, UsageError, "no layer '999999999'"),
        ({"layers": "2-1"}, UsageError, "go downward"),
        ({"methods": ("crc-tcp",)}, UsageError, "Did you mean 'crc-tpc'"),
        ({"prior": 1.0}, UsageError, "prior=1.0"),
        ({"layer": "7"}, UsageError, "no layer '7'"),
        ({"layers": "0-1", "layer": "2"}, UsageError, "none of the layers"),
        ({"templates": "plane"}, UsageError, "Did you mean 'plain'"),
        ({"normalize": "nrom"}, UsageError, "no normalisation is named 'nrom'"),
        ({"sign": "magic"}, UsageError, "Use one of few-labels, conjunction, oracle"),
        ({"mode": "adam"}, UsageError, "Use one of lbfgs, paper"),
        ({"labels": 0}, UsageError, "labels=0"),
        ({"limit": 2}, UsageError, "--limit 2"),
        ({"limit": 4}, UsageError, "whole groups|one class|nothing can be told apart|at least 2"),
        ({"tasks": []}, UsageError, "no task was named"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(tmp_path, given, kind, words):
    with pytest.raises(kind, match=words):
        probed(tmp_path, **given)
    assert not (tmp_path / "cache" / "states").exists()


@pytest.mark.realdata
@pytest.mark.parametrize(("task", "words"), [("math", "a task of mathematics"), ("cuad", "a task of spans")])
def test_a_task_without_choices_is_refused(tmp_path, release, monkeypatch, task, words):
    monkeypatch.setenv("GNOMON_DATA", str(release("mmlu").parent))
    with pytest.raises(UsageError, match=words):
        gnomon.probe(task, "mock/oracle", runs_dir=tmp_path)


def test_a_store_of_another_model_is_refused(tmp_path):
    run = probed(tmp_path)
    (folder,) = {path.parent for path in (tmp_path / "cache" / "states").rglob("meta.json")}
    meta = folder / "meta.json"
    meta.write_text(meta.read_text().replace(load_model("mock/oracle").fingerprint(), "another model"))
    with pytest.raises(RunError, match="another model"):
        probed(tmp_path)
    assert run.path.exists()


@pytest.mark.parametrize("sign", ["oracle", "conjunction", "few-labels"])
def test_the_sign_is_named_in_every_result(tmp_path, sign):
    run = probed(tmp_path, sign=sign)
    rows = {row[0]: row[-1] for row in block(run, "table", "At layer").rows}
    assert rows["ccs"].startswith(sign)
    ways = [row[1] for row in block(run, "table", "Which side").rows if row[0] == "ccs"]
    assert ways == ["few-labels", "conjunction", "oracle"]
    if sign == "oracle":
        assert any(b.kind == "note" and "biased above chance" in b.text for b in run.result())


def test_without_diagnostics_nothing_is_identified(tmp_path):
    run = probed(tmp_path, diagnostics=False)
    verdict = block(run, "verdict")
    assert not verdict.identified
    assert any(b.kind == "note" and "Nothing was planted" in b.text for b in run.result())


def test_one_probe_a_template_and_transduction_run_through(tmp_path):
    run = probed(tmp_path, stacked=False, transductive=True)
    rows = {row[0]: row for row in block(run, "table", "At layer").rows}
    assert rows["ccs"][2] > 0.85
