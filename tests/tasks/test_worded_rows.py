"""Rows of the ten sets of contrast pairs: what a good row becomes, and every fault named with its line."""

import json

import pytest

from gnomon.errors import DataError
from gnomon.tasks import load_task
from gnomon.tasks._sources import json_rows, line_rows

BOOLQ = {"question": "do cats bark", "passage": "Cats meow.", "label": False}
COPA = {"premise": "It rained.", "choice1": "Wet.", "choice2": "Dry.", "question": "effect", "label": 0}
RTE = {"premise": "A cat sleeps.", "hypothesis": "It sleeps.", "label": "entailment"}
PIQA = {"goal": "open", "sol1": "turn", "sol2": "water"}
TRUTHFUL = "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def items(tmp_path):
    """A function (task, files) that writes a folder named after the task and reads it."""

    def read(task, files, **more):
        for name, text in files.items():
            path = tmp_path / task / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_task(task, {"data": str(tmp_path / task), "counts": "any", **more}).items()

    return read


@pytest.mark.parametrize(
    ("task", "files", "answers"),
    [
        ("boolq", {"val.jsonl": lines(BOOLQ, BOOLQ | {"label": True})}, [0, 1]),
        ("copa", {"val.jsonl": lines(COPA, COPA | {"label": 1, "question": "cause"})}, [0, 1]),
        ("rte", {"val.jsonl": lines(RTE, RTE | {"label": "not_entailment"})}, [0, 1]),
        ("piqa", {"valid.jsonl": lines(PIQA, PIQA), "valid-labels.lst": "1\n0\n"}, [1, 0]),
        ("piqa", {"dev.jsonl": lines(PIQA, PIQA), "dev-labels.lst": "1\n0\n"}, [1, 0]),
        ("qnli", {"dev.tsv": "index\tquestion\tsentence\tlabel\n0\tq\ts\tentailment\n"}, [0]),
        ("sst2", {"stsa.binary.dev": "0 a bore\n1 a joy\n"}, [0, 1]),
        ("imdb", {"imdb.txt": "0 a bore\n1 a joy\n"}, [0, 1]),
        ("ag_news", {"test.csv": "Class Index,Title,Description\n3,Rates,rise\n2,Home,won\n"}, [2, 1]),
        ("true_false", {"cities.csv": "statement,label,city,country,correct_country\nS.,1,P,F,F\n"}, [1]),
    ],
)
def test_good_rows_are_read_in_order(task, files, answers, items):
    assert [item.answer for item in items(task, files)] == answers


def test_the_best_answer_of_truthfulqa_is_right_wherever_it_stands(items):
    rows = "".join(f"A,C{n},Q{n}?,Yes {n},Yes {n}; Ja,No {n}; Never {n} ;No {n},s\n" for n in range(40))
    found = items("truthfulqa", {"TruthfulQA.csv": TRUTHFUL + rows})
    for number, item in enumerate(found):
        assert item.choices[item.answer] == f"Yes {number}"
        assert sorted(item.choices) == sorted([f"Yes {number}", f"No {number}", f"Never {number}"])
    assert {item.answer for item in found} == {0, 1, 2}


def test_rows_about_the_same_thing_share_a_group(items):
    one, two, other = items("boolq", {"val.jsonl": lines(BOOLQ, BOOLQ | {"question": "x"}, BOOLQ | {"passage": "y"})})
    assert one.group == two.group != other.group
    rows = ["a\tq1\ts1\tentailment", "b\tq1\ts2\tentailment", "c\tq2\ts2\tentailment", "d\tq3\ts3\tentailment"]
    table = "\n".join(["index\tquestion\tsentence\tlabel", *rows])
    groups = [item.group for item in items("qnli", {"dev.tsv": table})]
    assert groups[0] == groups[1] == groups[2] != groups[3]


@pytest.mark.parametrize(
    ("task", "files", "words"),
    [
        ("boolq", {"val.jsonl": lines(BOOLQ, BOOLQ | {"label": "false"})}, "line 2: label 'false' is neither"),
        ("boolq", {"val.jsonl": lines(BOOLQ | {"passage": 7})}, "line 1: 'passage' is 7, not a text"),
        ("boolq", {"val.jsonl": lines({"question": "q", "label": True})}, "line 1 lacks 'passage'"),
        ("boolq", {"val.jsonl": "[1]\n"}, "line 1 holds list, not an object"),
        ("boolq", {"val.jsonl": '{"question": \n'}, "line 1 is no JSON"),
        ("boolq", {"val.jsonl": b'{"question": "\xff"}\n'}, "line 1 holds a NUL or bytes that are not UTF-8"),
        ("boolq", {"val.jsonl": ""}, r"val\.jsonl is empty"),
        ("copa", {"val.jsonl": lines(COPA | {"label": True})}, "label True; the release has effect or cause, 0 or 1"),
        ("copa", {"val.jsonl": lines(COPA | {"question": "why"})}, "question 'why'"),
        ("rte", {"val.jsonl": lines(RTE | {"label": "yes"})}, "label 'yes' is none of"),
        ("piqa", {"valid.jsonl": lines(PIQA, PIQA), "valid-labels.lst": "1\n"}, "has 1 labels of valid.jsonl's 2 rows"),
        ("piqa", {"valid.jsonl": lines(PIQA), "valid-labels.lst": "2\n"}, "must be 0 or 1"),
        ("qnli", {"dev.tsv": "q\ts\tl\n"}, "the first line is"),
        ("qnli", {"dev.tsv": "index\tquestion\tsentence\tlabel\n0\tq\ts\n"}, "line 2: 3 cells"),
        ("sst2", {"stsa.binary.dev": "0 fine\n2 what\n"}, "line 2 does not start with a label 0 or 1"),
        ("sst2", {"stsa.binary.dev": "0\n"}, "line 1 does not start with a label 0 or 1 and a text"),
        ("imdb", {"imdb.txt": "yes fine\n"}, "line 1 does not start with a label"),
        ("imdb", {"test/neg/0_1.txt": b"caf\xe9", "test/pos/0_9.txt": "fine"}, "not UTF-8"),
        (
            "ag_news",
            {"test.csv": "Class Index,Title,Description\n5,a,b\n"},
            "record 1: class '5' is none of 1, 2, 3, 4",
        ),
        (
            "true_false",
            {"cities.csv": "statement,label,city,country,correct_country\nS.,2,P,F,F\n"},
            "label '2' is neither",
        ),
        ("truthfulqa", {"TruthfulQA.csv": "Question\nx\n"}, "header"),
    ],
)
def test_a_fault_is_named_with_its_place(task, files, words, items):
    more = {"split": "test"} if any(name.startswith("test/") for name in files) else {}
    with pytest.raises(DataError, match=words):
        items(task, files, **more)


def test_lines_keep_their_numbers_and_lose_their_ends(tmp_path):
    path = tmp_path / "some"
    path.write_bytes(b"one\r\n\n \ntwo \xe2\x80\xa8 three")
    assert list(line_rows(path)) == [(1, "one"), (4, "two \u2028 three")]
    path.write_text('{"a": "x", "b": null}')
    with pytest.raises(DataError, match="line 1 lacks 'b'"):
        list(json_rows(path, ("a",), ("b",)))
    assert list(json_rows(path, ("a",))) == [(1, {"a": "x", "b": None})]
