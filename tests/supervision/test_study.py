"""Whole studies on mocks: stages are computed once, resumed, and fall with what they were taught."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from gnomon.errors import AbilityError, UsageError
from gnomon.models import load_model
from gnomon.supervision import _frozen, supervise
from gnomon.supervision._ladder import Ladder, ceiling, chain, student, supervisor
from gnomon.supervision._pool import pool
from gnomon.supervision._stages import StageStore
from gnomon.tasks import judged, load_task, task_named

MODELS = ["mock/parrot", "mock/oracle"]
SMALL = {"seeds": 2, "learn": 240, "test": 80, "cache": False}


def study(path, **more):
    return supervise("facts", MODELS, runs_dir=path, **{**SMALL, **more})


def tables(run):
    return {block.title: block for block in run.result() if block.kind == "table"}


def predictions(run):
    return load_file(run.path / "arrays" / "predictions.safetensors")


def test_a_study_says_all_it_owes(tmp_path):
    run = study(tmp_path, simulate=["random", "easy"])
    assert run.manifest.status == "complete"
    found = tables(run)
    assert len(found["Supervisor, student, ceiling"].rows) == 2
    assert len(found["More ways to teach"].rows) == 2
    estimates = [block for block in run.result() if block.kind == "estimate"]
    assert all(block.interval or block.reason for block in estimates)
    kept = predictions(run)
    assert kept["facts/student mock/oracle of mock/parrot, xent"].shape == (2, 80)
    assert len(run.records()) == 80
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "Over training" in page


def test_the_table_is_what_the_saved_predictions_give(tmp_path):
    run = study(tmp_path, learn=1600, test=400)
    kept = predictions(run)
    truth = kept["facts/labels"]
    rate = {name: ((values > 0.5) == truth).mean() for name, values in kept.items() if values.ndim == 2}
    row = next(row for row in tables(run)["Supervisor, student, ceiling"].rows if row[3] == "confidence")
    names = "supervisor mock/parrot", "student mock/oracle of mock/parrot, confidence", "ceiling mock/oracle"
    assert row[4:7] == pytest.approx([rate[f"facts/{name}"] for name in names])
    assert row[7] == pytest.approx((row[5] - row[4]) / (row[6] - row[4]))


def test_losses_stand_against_the_first_on_the_same_items(tmp_path):
    run = study(tmp_path, losses=["xent", "confidence", "entropy"])
    kept, found = predictions(run), tables(run)
    truth = kept["facts/labels"]
    rate = {name: ((values > 0.5) == truth).mean() for name, values in kept.items() if values.ndim == 2}
    of = "facts/student mock/oracle of mock/parrot"
    for total, pair in zip(
        found["Losses against xent"].rows, found["Losses against xent, pair by pair"].rows, strict=True
    ):
        assert total[1:] == [1, *pair[3:]]
        assert pair[4] == pytest.approx(rate[f"{of}, {pair[3]}"] - rate[f"{of}, xent"])
        assert pair[5] <= pair[4] <= pair[6]
    assert not any(title.startswith("Losses") for title in tables(study(tmp_path / "one", losses=["xent"])))


def test_two_runs_with_one_seed_give_the_same_bytes(tmp_path):
    one, other = study(tmp_path / "a"), study(tmp_path / "b")
    for name in ("result.json", "arrays/predictions.safetensors"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()
    third = study(tmp_path / "c", seed=1)
    assert not np.array_equal(
        predictions(one)["facts/labels"], predictions(third)["facts/labels"]
    ) or not np.array_equal(
        predictions(one)["facts/ceiling mock/oracle"], predictions(third)["facts/ceiling mock/oracle"]
    )


class Stopping(_frozen.Frozen):
    """A learner that is killed after so many stages."""

    left = 3

    def learn(self, pool, name, jobs, skip):
        for found in super().learn(pool, name, jobs, skip):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield found


def test_an_interrupted_sweep_goes_on_at_its_stage_with_the_same_bytes(tmp_path, monkeypatch):
    whole = study(tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(_frozen, "Frozen", Stopping)
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / "cut")
    again = study(tmp_path / "cut")
    assert "3 known before" in (again.path / "log.txt").read_text()
    for name in ("result.json", "arrays/predictions.safetensors"):
        assert (whole.path / name).read_bytes() == (again.path / name).read_bytes()


@pytest.fixture
def rows():
    data = load_task("facts")
    return pool(judged(data.task, data.items()), learn=240, test=80, seed=0)


def ladder(rows, path, recipe=None):
    models = {name: load_model(name) for name in MODELS}
    learner = _frozen.Frozen(models, path / "states", recipe or _frozen.HeadRecipe(epochs=3), "last")
    return Ladder(rows, learner, StageStore(path / "stages"), lambda what, done, total: None)


def test_what_is_known_is_not_computed_again(rows, tmp_path):
    nodes = [student("mock/oracle", "mock/parrot", loss, 0) for loss in ("xent", "confidence")]
    first = ladder(rows, tmp_path)
    first.compute(nodes)
    assert (first.computed, first.reused) == (3, 0)
    second = ladder(rows, tmp_path)
    second.compute([*nodes, student("mock/oracle", "mock/parrot", "product", 0), ceiling("mock/oracle", 0)])
    assert (second.computed, second.reused) == (2, 3)
    for node in nodes:
        assert np.array_equal(first.outcomes[node].test, second.outcomes[node].test)


def test_a_changed_teacher_makes_new_students_and_nothing_else(rows, tmp_path):
    wanted = [student("mock/oracle", "mock/parrot", "xent", 0), ceiling("mock/oracle", 0)]
    ladder(rows, tmp_path).compute(wanted)
    store = StageStore(tmp_path / "stages")
    before = sorted(path.name for path in store.root.rglob("*.safetensors"))

    class Other(_frozen.Frozen):
        def fingerprint(self, name):
            return super().fingerprint(name) + (" retrained" if name == "mock/parrot" else "")

        def learn(self, pool, name, jobs, skip):
            for number, found in super().learn(pool, name, jobs, skip):
                if name == "mock/parrot":
                    found = type(found)(1 - found.wanted, found.test, found.held, found.chosen)
                yield number, found

    models = {name: load_model(name) for name in MODELS}
    learner = Other(models, tmp_path / "states", _frozen.HeadRecipe(epochs=3), "last")
    again = Ladder(rows, learner, store, lambda what, done, total: None)
    again.compute(wanted)
    assert (again.computed, again.reused) == (2, 1)
    assert len(before) == 3


def test_a_changed_recipe_or_seed_misses_the_store(rows, tmp_path):
    ladder(rows, tmp_path).compute([ceiling("mock/oracle", 0)])
    other = ladder(rows, tmp_path, _frozen.HeadRecipe(epochs=3, lr=1e-2))
    other.compute([ceiling("mock/oracle", 0), ceiling("mock/oracle", 1)])
    assert (other.computed, other.reused) == (2, 0)


def test_a_damaged_stage_is_computed_again_and_said(rows, tmp_path):
    first = ladder(rows, tmp_path)
    first.compute([ceiling("mock/oracle", 0)])
    path = next((tmp_path / "stages").rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:40])
    again = ladder(rows, tmp_path)
    again.compute([ceiling("mock/oracle", 0)])
    assert again.computed == 1
    assert "computed again" in again._store.remarks[0]


def test_weak_labels_belong_to_the_rows_they_were_made_for(rows, tmp_path):
    """The student's targets are its supervisor's words on just these rows, which the supervisor did not learn from."""
    found = ladder(rows, tmp_path)
    node = student("mock/oracle", "mock/parrot", "xent", 0)
    found.compute([node])
    taught, held = found.rows(node)
    seen = set(np.concatenate(found.rows(supervisor("mock/parrot", 0))).tolist())
    assert not seen & set(np.concatenate([taught, held, rows.test]).tolist())
    lesson = found._job(node).lesson
    outcome, wanted = found.outcomes[supervisor("mock/parrot", 0)], found.wanted(supervisor("mock/parrot", 0))
    for row, target in zip(lesson.rows.tolist(), lesson.targets.tolist(), strict=True):
        assert outcome.wanted[wanted.tolist().index(row)] == target


def test_a_chain_teaches_on_rows_that_are_new_to_every_teacher(rows, tmp_path):
    found = ladder(rows, tmp_path)
    nodes = chain(["mock/parrot", "mock/parrot", "mock/oracle"], "xent", 0)
    found.compute(nodes)
    parts = [set(found.rows(node)[0].tolist()) for node in nodes]
    assert not parts[0] & parts[1]
    assert nodes[1].teacher == nodes[0]


def test_a_student_taught_random_errors_sees_through_them(tmp_path):
    """Errors at random carry nothing to copy; errors on the rows that the student finds easiest do."""
    run = study(tmp_path, simulate=["random", "easy"], learn=1200, test=300)
    rows = {row[3]: row for row in tables(run)["More ways to teach"].rows}
    assert rows["xent, random errors"][5] > rows["xent, easy errors"][5]


@pytest.mark.parametrize(
    ("models", "more", "says"),
    [
        (["mock/oracle"], {}, "a supervisor needs a student"),
        (["mock/oracle", "mock/oracle"], {}, "twice in the ladder"),
        (MODELS, {"chain": True}, "the ladder has 2 models"),
        (MODELS, {"losses": ["xnt"]}, "Did you mean 'xent'"),
        (MODELS, {"losses": []}, "no loss was named"),
        (MODELS, {"simulate": ["odd"]}, "no kind of simulated error is named 'odd'"),
        (MODELS, {"learner": "frozn"}, "Did you mean 'frozen'"),
        (MODELS, {"select": "best"}, "no way to select an epoch"),
        (MODELS, {"seeds": 0}, "seeds=0"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(models, more, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        supervise("facts", models, runs_dir=tmp_path, **{**SMALL, **more})
    assert not list(tmp_path.iterdir())


def test_a_model_without_states_is_refused(tmp_path):
    with pytest.raises(AbilityError, match="cannot give hidden states"):
        supervise("facts", ["mock/uniform", "mock/oracle"], runs_dir=tmp_path, **SMALL)


def test_a_task_that_is_no_choice_task_is_refused():
    with pytest.raises(UsageError, match="answers to choose from"):
        judged(task_named("math"), task_named("math").examples)


def test_a_strong_model_that_is_smaller_is_warned_of(tmp_path):
    big, small = load_model("mock/oracle"), load_model("mock/parrot")
    big.parameters, small.parameters = 1000, 10
    run = supervise("facts", [big, small], runs_dir=tmp_path, **SMALL)
    notes = [block.text for block in run.result() if block.kind == "note"]
    assert any("is smaller" in text for text in notes)
    assert json.loads((run.path / "manifest.json").read_text())["status"] == "complete"


def test_an_argument_can_belong_to_one_task_alone(tmp_path):
    given = {"facts.subsets": "capitals-statements"}
    run = supervise(["facts", "facts-planets-statements"], MODELS, runs_dir=tmp_path, task_args=given, **SMALL)
    assert {row[0] for row in tables(run)["Supervisor, student, ceiling"].rows} == {"facts", "facts-planets-statements"}
    assert all(record.id.startswith(("facts/capitals", "facts-planets")) for record in run.records().values())
    with pytest.raises(UsageError, match="not studied here"):
        supervise("facts", MODELS, runs_dir=tmp_path, task_args={"fact.subsets": "x"}, **SMALL)
