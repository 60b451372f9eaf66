"""APPS and HumanEval: the releases are read as they lie, their prompts asked to the byte, faults named."""

import gzip
import json

import pytest

from gnomon.errors import DataError
from gnomon.tasks import load_task

CASES = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
CALL = {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}


def problem(root, split, number, cases=CASES, starter=None, difficulty="introductory", question="Add.\n"):
    folder = root / split / f"{number:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "question.txt").write_text(question, encoding="utf-8")
    if cases is not None:
        text = cases if isinstance(cases, str) else json.dumps(cases)
        (folder / "input_output.json").write_text(text, encoding="utf-8")
    if starter:
        (folder / "starter_code.py").write_text(starter, encoding="utf-8")
    if difficulty:
        (folder / "metadata.json").write_text(json.dumps({"difficulty": difficulty, "url": "x"}), encoding="utf-8")
    return folder


@pytest.fixture
def apps(tmp_path):
    problem(tmp_path, "test", 4000)
    problem(tmp_path, "test", 4001, CALL, starter="def add(a, b):\n")
    problem(tmp_path, "test", 7, difficulty=None)
    problem(tmp_path, "test", 3000, difficulty="competition", cases=None)
    return tmp_path


def load(root, **more):
    return load_task("apps", {"data": str(root), "counts": "any", **more})


def test_difficulty_comes_from_the_metadata_or_from_the_number(apps):
    assert [(item.id, item.subset) for item in load(apps).items()] == [
        ("test/4000", "introductory"),
        ("test/4001", "introductory"),
        ("test/0007", "interview"),
        ("test/3000", "competition"),
    ]


def test_the_official_prompt_to_the_byte(apps):
    data = load(apps, subsets="introductory")
    _, protocol = data.task.protocol("official")
    plain, call = (protocol.ask(item, [])[0].context for item in data.items())
    assert plain == "\nQUESTION:\nAdd.\n\nUse Standard Input format\nANSWER:\n"
    assert call == "\nQUESTION:\nAdd.\n\ndef add(a, b):\n\nUse Call-Based format\nANSWER:\n"


def test_no_prompt_holds_a_test_case(apps):
    data = load(apps)
    for name in data.task.protocols:
        for item in data.items():
            text = data.task.protocol(name)[1].ask(item, [])[0].context
            assert "3 4" not in text
            assert '"outputs"' not in text


def test_cases_are_read_when_they_are_needed(apps):
    data = load(apps, subsets="introductory")
    first = data.items()[0]
    assert first.key["cases"] == 2
    assert json.loads(data.task.cases(data.source, first)["input_output"]) == CASES


def test_problems_without_cases_are_told_of(apps):
    data = load(apps)
    (note,) = data.task.notes(data.items())
    assert "1 problems have no test case" in note
    assert "test/3000" in note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"inputs": ["1"], "outputs": ["1"', "4000"),
        ('{"inputs": ["1"]}', "outputs"),
        ("[1, 2]", "4000"),
    ],
)
def test_malformed_cases_are_named(apps, text, words):
    (apps / "test" / "4000" / "input_output.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        load(apps).items()
    assert "input_output.json" in str(caught.value)


def test_integers_of_5000_digits_are_read(apps):
    problem(apps, "test", 4002, '{"inputs": [[%s]], "outputs": [[1]], "fn_name": "f"}' % ("9" * 5000))
    assert load(apps).items()[2].key["cases"] == 1


def test_a_train_problem_needs_its_metadata(tmp_path):
    problem(tmp_path, "train", 1, difficulty=None)
    with pytest.raises(DataError, match=r"metadata.json is missing"):
        load(tmp_path, split="train").items()


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Here:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\nprint(1)\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ("print(3)", "print(3)"),
        ("```python\nprint(4)", "```python\nprint(4)"),
        ("   \n", None),
    ],
)
def test_the_chat_protocol_takes_the_last_fence(apps, text, program):
    data = load(apps, subsets="introductory")
    assert data.task.protocol("chat")[1].extract(data.items()[0], text) == program


HUMAN = {
    "task_id": "Own/0",
    "prompt": "def double(x):\n",
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


@pytest.mark.parametrize("packed", [True, False])
def test_humaneval_is_read_plain_or_gzipped(tmp_path, packed):
    text = json.dumps(HUMAN).encode() + b"\n"
    name = "HumanEval.jsonl.gz" if packed else "HumanEval.jsonl"
    (tmp_path / name).write_bytes(gzip.compress(text) if packed else text)
    data = load_task("humaneval", {"data": str(tmp_path), "counts": "any"})
    (item,) = data.items()
    (prompt,) = data.task.protocol(None)[1].ask(item, [])
    assert prompt.context == "def double(x):\n"
    assert prompt.decoding.stop == ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    assert set(data.task.cases(data.source, item)) == {"prompt", "test", "entry_point"}


@pytest.mark.parametrize("text", ["{", '{"task_id": "x"}', "[1]"])
def test_a_faulty_record_of_humaneval_is_named(tmp_path, text):
    (tmp_path / "HumanEval.jsonl").write_text(json.dumps(HUMAN) + "\n" + text + "\n")
    with pytest.raises(DataError, match="record 2"):
        load_task("humaneval", {"data": str(tmp_path), "counts": "any"}).items()


@pytest.mark.realdata
def test_the_real_humaneval_is_whole(release):
    assert len(load_task("humaneval", {"data": str(release("humaneval"))}).items()) == 164


@pytest.mark.realdata
def test_the_real_apps_problems_are_read(release):
    items = load(release("apps"), subsets="interview").items()
    assert [item.key["cases"] for item in items] == [565, 278, 5, 4]
