"""MATH: the release is read as it lies, its prompt is asked to the byte, and a faulty copy is refused or told of."""

import hashlib
import json

import pytest

from gnomon.errors import DataError
from gnomon.tasks import load_task
from gnomon.tasks._math_release import COUNTS, SUBJECTS, checksums

PROBLEM = {
    "problem": "What is $2 + 3$?",
    "level": "Level 2",
    "type": "Algebra",
    "solution": "Adding gives $\\boxed{4}$ at first sight, and $\\boxed{5}$ at the second.",
}


@pytest.fixture
def folder(tmp_path):
    for subject in SUBJECTS:
        (tmp_path / "test" / subject).mkdir(parents=True)
        for number in (2, 10):
            write(tmp_path, subject, number, PROBLEM)
    return tmp_path


def write(root, subject, number, row):
    (root / "test" / subject / f"{number}.json").write_text(json.dumps(row), encoding="utf-8")


def load(folder, **more):
    return load_task("math", {"data": str(folder), "counts": "any", **more})


def test_items_come_by_number_and_the_last_box_is_the_answer(folder):
    items = load(folder, subsets="algebra").items()
    assert [item.id for item in items] == ["algebra/test/2", "algebra/test/10"]
    assert {item.key["answer"] for item in items} == {"5"}


def test_the_official_prompt_has_eight_examples_and_no_word_before_the_problem(folder):
    data = load(folder, subsets="algebra")
    _, protocol = data.task.protocol("official")
    (prompt,) = protocol.ask(data.items()[0], [])
    assert prompt.context.startswith(
        "Given a mathematics problem, determine the answer. Simplify your answer as much as possible.\nProblem: What is"
    )
    assert prompt.context.endswith("Answer: $3$\n###\nWhat is $2 + 3$?\nAnswer: $")
    assert prompt.context.count("\n###\n") == 8
    assert "Problem: Calculate $6 \\cdot 8\\frac{1}{3}\nAnswer: $50$" in prompt.context
    assert (prompt.decoding.max_tokens, prompt.decoding.temperature) == (20, 0)


def test_the_prompt_for_fine_tuned_models_keeps_the_stray_backslash(folder):
    data = load(folder, subsets="algebra")
    _, protocol = data.task.protocol("finetuned")
    (prompt,) = protocol.ask(data.items()[0], [])
    assert prompt.context == "\nQUESTION:\nWhat is $2 + 3$?\\FULL SOLUTION:\n"


@pytest.mark.parametrize(
    ("protocol", "text", "answer"),
    [
        ("official", "5", "5"),
        ("boxed", "so \\boxed{5}.", "5"),
        ("boxed", "so 5", None),
        ("finetuned", "so \\boxed{5}.", "5"),
        ("finetuned", "so \\boxed 5", None),
    ],
)
def test_answers_are_read_as_the_protocol_says(folder, protocol, text, answer):
    data = load(folder, subsets="algebra")
    assert data.task.protocol(protocol)[1].extract(data.items()[0], text) == answer


def test_files_that_are_not_the_releases_are_told_of(folder):
    data = load(folder)
    (note,) = data.task.notes(data.items())
    assert "14 of 14 files differ" in note
    assert "prealgebra/test/2" in note


def test_an_unknown_level_is_in_no_level(folder):
    write(folder, "algebra", 11, {**PROBLEM, "level": "Level ?"})
    data = load(folder, subsets="algebra")
    levels = [data.task.rollups["level"](item) for item in data.items()]
    assert levels == ["Level 2", "Level 2", None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (json.dumps({**PROBLEM, "solution": "5"}).encode(), "no answer in"),
        (json.dumps({**PROBLEM, "level": 3}).encode(), "text fields"),
        (b"[1]", "text fields"),
    ],
)
def test_a_faulty_file_is_named(folder, content, words):
    path = folder / "test" / "geometry" / "10.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load(folder).items()
    assert "geometry/10.json" in str(caught.value)


def test_a_missing_subject_is_named(folder):
    for path in (folder / "test" / "geometry").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="lacks 1 of 7 subsets of math: geometry"):
        load(folder).items()


def test_too_few_problems_are_refused(folder):
    with pytest.raises(DataError, match=r"prealgebra has 2 rows in test here, and 871 in the release"):
        load_task("math", {"data": str(folder)}).items()


def test_the_release_has_12500_checksums_in_the_papers_counts():
    assert len(checksums()) == 12_500 == sum(COUNTS.values())
    for (split, subject), count in COUNTS.items():
        assert sum(name.startswith(f"{split}/{subject}/") for name in checksums()) == count


@pytest.mark.realdata
def test_the_real_test_split_is_the_release(release):
    data = load_task("math", {"data": str(release("math"))})
    items = data.items()
    assert len(items) == 5000
    assert {item.fields["level"] for item in items} == {f"Level {n}" for n in range(1, 6)}
    unreleased = [item.id for item in items if item.key.get("unreleased")]
    root = release("math") / "test"
    for path in sorted(root.glob("*/1*.json")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        same = checksums()[f"test/{path.parent.name}/{path.stem}"] == digest[:8]
        assert same == (f"{path.parent.name}/test/{path.stem}" not in unreleased)
    assert len(unreleased) <= 1
