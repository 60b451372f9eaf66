"""A study from names to numbers: extending, statuses, baselines, and what makes another run."""

import json
import math

import pytest

from gnomon import evaluate
from gnomon.asks import Failed, Scored
from gnomon.blocks import Estimate, Note, Table
from gnomon.errors import AbilityError, DataError, UsageError
from gnomon.tasks import load_task, registry, task_named


def estimates(run):
    return [block for block in run.result() if isinstance(block, Estimate)]


def numbers(run):
    """All of a result but what is said about how it was asked."""
    return [block for block in run.result() if not isinstance(block, Note)]


def notes(run, level=None):
    return [block.text for block in run.result() if isinstance(block, Note) and level in (None, block.level)]


def ids(run):
    return list(run.records())


# growing -------------------------------------------------------------------------------------------------------------


def test_limit_3_then_6_equals_6_at_once(hashed, tmp_path):
    evaluate("facts", hashed(), limit=3, runs_dir=tmp_path / "grown", cache=False)
    model = hashed()
    grown = evaluate("facts", model, limit=6, runs_dir=tmp_path / "grown", cache=False)
    fresh = evaluate("facts", hashed(), limit=6, runs_dir=tmp_path / "fresh", cache=False)
    assert grown.manifest.id == fresh.manifest.id
    assert sorted(ids(grown)) == sorted(ids(fresh))
    assert numbers(grown) == numbers(fresh)
    assert len(model.asked) < len(ids(fresh))
    assert len((grown.path / "records.jsonl").read_text().splitlines()) == len(ids(fresh))


def test_another_seed_adds_its_items(hashed, tmp_path):
    alone = [evaluate("facts", hashed(), limit=4, seed=s, runs_dir=tmp_path / str(s), cache=False) for s in (0, 1)]
    evaluate("facts", hashed(), limit=4, seed=0, runs_dir=tmp_path / "both", cache=False)
    both = evaluate("facts", hashed(), limit=4, seed=1, runs_dir=tmp_path / "both", cache=False)
    assert set(ids(both)) == set(ids(alone[0])) | set(ids(alone[1]))
    assert both.manifest.plan["requests"] == [{"limit": 4, "seed": 0}, {"limit": 4, "seed": 1}]
    assert estimates(both)[0].n == len(ids(both))


def test_a_smaller_limit_afterwards_keeps_all(hashed, tmp_path):
    large = evaluate("facts", hashed(), limit=6, runs_dir=tmp_path, cache=False)
    before = numbers(large)
    small = evaluate("facts", hashed(), limit=2, runs_dir=tmp_path, cache=False)
    assert numbers(small) == before
    assert len(ids(small)) == len(ids(large))


def test_the_same_again_asks_nothing_and_changes_no_byte(hashed, tmp_path):
    first = evaluate("facts", hashed(), limit=3, runs_dir=tmp_path, cache=False)
    files = {name: (first.path / name).read_bytes() for name in ("result.json", "records.jsonl")}
    model = hashed()
    again = evaluate("facts", model, limit=3, runs_dir=tmp_path, cache=False)
    assert model.asked == []
    assert {name: (again.path / name).read_bytes() for name in files} == files
    assert again.manifest.started == first.manifest.started


def test_whatever_changes_the_question_is_another_run(hashed, tmp_path, small_release):
    folder = small_release("mmlu")

    def run(name="hashed", **more):
        data = {"data": str(folder), "counts": "any", "subsets": "anatomy,virology", **more.pop("data", {})}
        return evaluate("mmlu", hashed(name), task_args=data, runs_dir=tmp_path / "runs", cache=False, **more).path

    first = run()
    assert run(limit=2) == run(seed=3) == first
    others = [
        run(protocol="lm-eval"),
        run(shots=3),
        run(shots=0),
        run(name="other"),
        run(data={"subsets": "anatomy"}),
        run(data={"split": "val"}),
        run(data={"shots_split": "val"}),
    ]
    for split in ("test", "dev"):
        file = folder / split / f"anatomy_{split}.csv"
        file.write_text(file.read_text().replace("question 0?", "question 0 ?"))
        others.append(run())
    assert len({first, *others}) == len(others) + 1


def test_equal_data_elsewhere_is_the_same_run(hashed, tmp_path, small_release):
    folder = small_release("mmlu")
    moved = folder.rename(tmp_path / "elsewhere")
    small_release("mmlu")
    paths = [
        evaluate(
            "mmlu", hashed(), task_args={"data": str(d), "counts": "any", "subsets": "anatomy"}, runs_dir=tmp_path / "r"
        ).path
        for d in (moved, folder)
    ]
    assert paths[0] == paths[1]


# statuses ------------------------------------------------------------------------------------------------------------


def test_errors_are_not_scored_and_the_same_command_completes(tmp_path):
    def run(rate):
        return evaluate(
            "facts", "mock/flaky", model_args={"rate": rate, "seed": "5"}, limit=4, runs_dir=tmp_path, cache=False
        )

    first = run("0.3")
    statuses = first.manifest.statuses
    assert first.manifest.status == "incomplete"
    assert min(statuses["ok"], statuses["error"]) > 0
    records = first.records().values()
    right = [bool(r.correct) for r in records if r.status == "ok"]
    micro = estimates(first)[0]
    assert (micro.n, micro.value) == (len(right), sum(right) / len(right))
    assert all(r.correct is None and r.message for r in records if r.status == "error")
    assert notes(first, "warning")[0].startswith(
        f"{statuses['error']} of {sum(statuses.values())} items could not be answered: the run is"
    )
    done = run("0")
    fresh = evaluate("facts", "mock/uniform", limit=4, runs_dir=tmp_path / "fresh", cache=False)
    assert done.path == first.path
    assert done.manifest.status == "complete"
    assert numbers(done) == numbers(fresh)


def test_accepted_errors_complete_the_run_and_are_said(tmp_path):
    args = {"model_args": {"rate": "0.5", "seed": "1"}, "limit": 3, "runs_dir": tmp_path, "cache": False}
    run = evaluate("facts", "mock/flaky", accept_errors=True, **args)
    assert run.manifest.status == "complete"
    assert any("left out of every number, as was asked" in text for text in notes(run, "warning"))
    assert estimates(run)[0].n == run.manifest.statuses["ok"]
    assert evaluate("facts", "mock/flaky", **{**args, "model_args": {"rate": "1"}}).manifest.status == "incomplete"


@pytest.mark.parametrize("accept", [True, False])
def test_garbage_gives_errors_with_the_value_and_no_number(accept, tmp_path):
    run = evaluate("facts", "mock/garbage", limit=2, runs_dir=tmp_path, accept_errors=accept)
    records = list(run.records().values())
    assert {r.status for r in records} == {"error"}
    assert {r.correct for r in records} == {None}
    words = {r.message.removeprefix("the model gave ").split(" as ")[0].split(" log-")[0] for r in records}
    assert words >= {"nan", "inf", "-inf", "1"}
    assert run.manifest.status == ("complete" if accept else "incomplete")
    for one in estimates(run):
        assert (one.value, one.interval, one.n) == (None, None, 0)
        assert "nothing was answered" in one.reason or "have no score" in one.reason
    for table in (block for block in run.result() if isinstance(block, Table) and block.title.startswith("Score by")):
        labels = [column.label for column in table.columns]
        cells = [dict(zip(labels, row, strict=True)) for row in table.rows]
        assert all(row["score"] is None and row["low"] is None and row["n"] == 0 for row in cells)
    page = (run.path / "report.html").read_text()
    assert "not given" in page or "nothing was answered" in page


def test_refused_is_wrong_and_counted_apart(hashed, tmp_path):
    class Shy(hashed):
        def answer(self, ask):
            return Failed("I would rather not", status="refused") if "capital" in ask.context else super().answer(ask)

    run = evaluate("facts", Shy(), task_args={"subsets": "capitals-questions"}, limit=6, runs_dir=tmp_path, cache=False)
    assert run.manifest.status == "complete"
    assert run.manifest.statuses == {"refused": 6}
    assert (estimates(run)[0].value, estimates(run)[0].n) == (0.0, 6)


def test_cut_prompts_count_and_are_said(hashed, tmp_path):
    class Short(hashed):
        def answer(self, ask):
            found = super().answer(ask)
            return Scored(found.logprobs, found.tokens, truncated=3)

    run = evaluate("facts", Short(), limit=1, runs_dir=tmp_path, cache=False)
    assert set(run.manifest.statuses) == {"truncated"}
    assert estimates(run)[0].n == len(run.records()) >= 28
    assert any("cut on their left" in text for text in notes(run, "deviation"))


# what mocks must score -----------------------------------------------------------------------------------------------

WORDED = ("ag_news", "boolq", "copa", "imdb", "piqa", "qnli", "rte", "sst2", "true_false", "truthfulqa")
WORDED += ("cola", "cosmos_qa", "multirc", "sciq", "social_i_qa", "wic")
BESIDE = {"hh_rlhf"}  # answered by the oracle in tests/tasks: test_hh_rlhf and test_rows
BESIDE |= {"anli", "dream", "hellaswag", "mctaco", "openbookqa", "paws", "quail", "quartz"}
EVERY = [(task, name) for task in ("ethics", "facts", "mmlu") for name in task_named(task).protocols]


def arguments(task, small_release):
    if task == "facts":
        return {}
    return {
        "data": str(small_release(task)),
        "counts": "any",
        **({"subsets": "anatomy,virology"} if task == "mmlu" else {}),
    }


def test_every_choice_task_is_answered_here_or_with_the_worded_tasks():
    choice = {name for name in registry.names() if task_named(name).kind == "choice"}
    assert {task for task, _ in EVERY} | set(WORDED) | BESIDE == choice


@pytest.mark.realdata
@pytest.mark.parametrize("task", WORDED)
def test_the_oracle_is_always_right_on_tasks_of_many_wordings(task, tmp_path, release):
    folder = {"true_false": "true_false_statements"}.get(task, task)
    asked = {"data": str(release("nlp") / folder)}
    run = evaluate(task, "mock/oracle", limit=8, task_args=asked, runs_dir=tmp_path)
    found = [one for one in estimates(run) if "calibration" not in one.name]
    assert {one.value for one in found} == {1.0}


@pytest.mark.parametrize(("task", "protocol"), EVERY)
def test_the_oracle_is_always_right(task, protocol, tmp_path, small_release):
    run = evaluate(
        task,
        "mock/oracle",
        protocol=protocol,
        limit=8,
        task_args=arguments(task, small_release),
        runs_dir=tmp_path / "runs",
    )
    found = [one for one in estimates(run) if "calibration" not in one.name]
    assert len(found) >= 2
    assert {one.value for one in found} == {1.0}
    assert all(one.interval.high == 1 and one.interval.low < 1 for one in found)


@pytest.mark.parametrize(("task", "protocol"), EVERY)
def test_ties_go_to_the_first_option_and_tied_utilities_to_none(task, protocol, tmp_path, small_release):
    args = arguments(task, small_release)
    run = evaluate(task, "mock/uniform", protocol=protocol, limit=8, task_args=args, runs_dir=tmp_path / "runs")
    items = {item.id: item for item in load_task(task, args).items()}
    for key, record in run.records().items():
        item = items[key]
        assert record.tie
        if item.subset != "utilitarianism":
            assert record.correct == (item.answer == 0)
        elif protocol != "lm-eval":
            assert (record.parsed, record.correct) == (None, False)
    [micro] = [
        one
        for one in estimates(run)
        if one.name in ("accuracy, micro", "accuracy over rows", "accuracy over rows (test)")
    ]
    asked = [items[key] for key in run.records() if task != "ethics" or items[key].split == "test"]
    first = sum(i.answer == 0 and (i.subset != "utilitarianism") for i in asked)
    if protocol != "lm-eval" or task != "ethics":
        assert micro.value == pytest.approx(first / len(asked))
    total = len(run.records())
    assert any(text.startswith(f"{total:,} of {total:,} answers were ties") for text in notes(run, "warning"))


# refusals before any work --------------------------------------------------------------------------------------------


class Mute:
    name = "mute"

    def fingerprint(self):
        return "mute"

    def facts(self):
        return {}


@pytest.mark.parametrize(
    ("error", "words", "more"),
    [
        (UsageError, "no task", {"task": "fact"}),
        (UsageError, "protocol", {"protocol": "official"}),
        (UsageError, "--shots -1", {"shots": -1}),
        (UsageError, "shots", {"shots": 2}),
        (UsageError, "--limit 0", {"limit": 0}),
        (UsageError, "seed", {"seed": -1, "limit": 2}),
        (AbilityError, "cannot give log-probabilities", {"model": Mute()}),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(error, words, more, tmp_path):
    with pytest.raises(error, match=words):
        evaluate(**{"task": "facts", "model": "mock/uniform", "runs_dir": tmp_path / "runs", **more})
    assert not (tmp_path / "runs").exists()


def test_a_subset_without_rows_is_refused(small_release, tmp_path):
    folder = small_release("ethics")
    (folder / "justice" / "justice_test.csv").write_text("label,scenario\n")
    with pytest.raises(DataError, match=r"no row of justice \(test\)"):
        evaluate("ethics", "mock/uniform", task_args={"data": str(folder), "counts": "any"}, runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_manifest_tells_what_the_numbers_rest_on(tmp_path, small_release):
    args = {"data": str(small_release("mmlu")), "counts": "any", "subsets": "anatomy"}
    run = evaluate(
        "mmlu",
        "mock/uniform",
        task_args=args,
        shots=2,
        limit=3,
        seed=4,
        runs_dir=tmp_path / "runs",
        command="gnomon it",
    )
    stored = json.loads((run.path / "manifest.json").read_text())
    assert stored["spec"]["shots"] == 2
    assert stored["plan"] == {"requests": [{"limit": 3, "seed": 4}]}
    assert stored["protocol"]["name"] == "official"
    assert stored["data"]["items"] == 3
    assert (stored["status"], stored["command"]) == ("complete", "gnomon it")
    assert len(stored["spec"]["data"]) == 64
    assert stored["versions"]["gnomon"]
    assert any(
        "2 few-shot examples were given; the protocol 'official' has 5" in text for text in notes(run, "deviation")
    )
    assert any("in the release" in text for text in notes(run, "deviation"))
    assert math.isfinite(stored["seconds"])
