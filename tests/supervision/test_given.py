"""Labels from a file in a supervisor's place: read by id, checked against the study's own rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from gnomon.errors import DataError, UsageError
from gnomon.supervision import supervise
from gnomon.supervision._given import read_labels

SMALL = {"seeds": 2, "learn": 240, "test": 80, "cache": False}


@pytest.fixture
def rows(tmp_path):
    """The rows of a study, as it writes them."""
    path = tmp_path / "rows.jsonl"
    assert supervise("facts", ["mock/oracle"], runs_dir=tmp_path / "none", write_rows=path, **SMALL) is None
    assert not (tmp_path / "none").exists()
    return [json.loads(line) for line in path.read_text().splitlines()]


def labelled(rows, path, says):
    path.write_text("".join(json.dumps({"id": row["id"], "p": says(row)}) + "\n" for row in rows))
    return path


def by_length(row):
    return 0.9 if len(row["text"]) % 2 else 0.2


def test_rows_that_are_written_out_have_no_labels_and_come_back_as_a_supervisor(rows, tmp_path):
    assert all(set(row) == {"id", "text"} for row in rows)
    labels = labelled(rows, tmp_path / "crowd.jsonl", by_length)
    run = supervise("facts", ["mock/oracle"], weak_labels=labels, runs_dir=tmp_path / "runs", **SMALL)
    held = load_file(run.path / "arrays" / "predictions.safetensors")
    told = held["facts/supervisor labels crowd"]
    assert np.array_equal(told[0], told[1])
    said = {row["id"]: by_length(row) for row in rows}
    assert [said[f"facts/{record.id.removeprefix('facts/')}"] for record in run.records().values()] == told[0].tolist()
    (table,) = [block for block in run.result() if getattr(block, "title", "") == "Supervisor, student, ceiling"]
    (row, _) = table.rows
    assert row[1:3] == ["labels crowd", "mock/oracle"]
    assert row[4] == pytest.approx(((told[0] > 0.5) == held["facts/labels"]).mean())


def test_other_labels_make_other_students_and_the_same_ceiling(rows, tmp_path):
    found = []
    for name, says in (("one", by_length), ("two", lambda row: 1 - by_length(row))):
        labels = labelled(rows, tmp_path / f"{name}.jsonl", says)
        run = supervise("facts", ["mock/oracle"], weak_labels=labels, runs_dir=tmp_path / name, **SMALL)
        found.append(load_file(run.path / "arrays" / "predictions.safetensors"))
    one, two = found
    assert np.array_equal(one["facts/ceiling mock/oracle"], two["facts/ceiling mock/oracle"])
    assert not np.array_equal(
        one["facts/student mock/oracle of labels one, xent"], two["facts/student mock/oracle of labels two, xent"]
    )


def test_a_ladder_can_stand_on_given_labels(rows, tmp_path):
    labels = labelled(rows, tmp_path / "crowd.jsonl", by_length)
    models = ["mock/parrot", "mock/oracle"]
    run = supervise("facts", models, weak_labels=labels, chain=True, runs_dir=tmp_path / "runs", **SMALL)
    titles = {block.title: block for block in run.result() if block.kind == "table"}
    pairs = {(row[1], row[2]) for row in titles["Supervisor, student, ceiling"].rows}
    assert pairs == {("labels crowd", "mock/parrot"), ("labels crowd", "mock/oracle"), ("mock/parrot", "mock/oracle")}
    assert len(titles["More ways to teach"].rows) == 4


def test_labels_of_other_rows_are_refused_with_both_kinds_of_id(rows, tmp_path):
    other = [{"id": f"validation-{number}", "text": "x"} for number in range(400)]
    labels = labelled(other, tmp_path / "other.jsonl", by_length)
    with pytest.raises(DataError, match=r"labels for 0 of the 320 rows of facts.*such as 'validation-0'") as refused:
        supervise("facts", ["mock/oracle"], weak_labels=labels, runs_dir=tmp_path / "runs", **SMALL)
    assert "--write-rows" in str(refused.value)
    assert not (tmp_path / "runs").exists()
    short = labelled(rows[:-1], tmp_path / "short.jsonl", by_length)
    with pytest.raises(DataError, match="labels for 319 of the 320 rows"):
        supervise("facts", ["mock/oracle"], weak_labels=short, runs_dir=tmp_path / "runs", **SMALL)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no label"),
        ("nonsense\n", "line 1: 'nonsense' is no label"),
        ('{"id": "a"}\n', "is no label"),
        ('{"id": "a", "p": 1.2}\n', "is no label"),
        ('{"id": 3, "p": 0.5}\n', "is no label"),
        ('{"id": "a", "p": 0.5}\n{"id": "a", "p": 0.6}\n', "line 2: the row 'a' has a label already"),
    ],
)
def test_a_broken_file_is_named_with_its_line(text, says, tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        read_labels(path)


def test_a_missing_file_and_answers_where_labels_are_due_are_refused(rows, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "none.jsonl")
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps({"id": row["id"], "answer": "yes"}) + "\n" for row in rows))
    with pytest.raises(DataError, match='where "p": P'):
        supervise("facts", ["mock/oracle"], weak_labels=path, runs_dir=tmp_path / "runs", **SMALL)


def test_rows_are_never_written_over_a_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        supervise("facts", ["mock/oracle"], runs_dir=tmp_path, write_rows=path, **SMALL)
    assert path.read_text() == "mine"
