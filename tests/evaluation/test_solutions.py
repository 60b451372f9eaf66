"""Files of programs made elsewhere: every documented format is read, and a fault is told with file and record."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.evaluation._solutions import Solutions
from gnomon.tasks import Item

APPS = [
    Item(f"test/{number:04d}", "interview", "test", f"test/{number:04d}", {"question": "?"}, key={"number": number})
    for number in (0, 7, 12)
]
HUMANEVAL = [
    Item(f"ours/{n}", "humaneval", "test", f"ours/{n}", {"prompt": f"def {name}(x):\n"}, key={"entry_point": name})
    for n, name in enumerate(("double", "halve", "negate"))
]


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def read(tmp_path):
    """The programs of each item, as read from a file of that content and name."""

    def read(content, items=APPS, name="solutions.jsonl", wanted=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        solutions = Solutions(path)
        wanted = items if wanted is None else wanted
        solutions.match(wanted, items)
        return {item.id: [one.text for one in solutions.answers(item.id)] for item in wanted}

    return read


ONE_EACH = {"test/0000": ["a"], "test/0007": ["b"], "test/0012": ["c"]}


# formats -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["task_id", "problem_id", "id"])
@pytest.mark.parametrize("one", ["completion", "solution", "program", "code", "output"])
def test_lines_with_one_program_under_any_documented_name(read, named, one):
    rows = [{named: name, one: text} for name, text in (("test/0000", "a"), ("7", "b"), (12, "c"))]
    assert read(lines(*rows)) == ONE_EACH


@pytest.mark.parametrize("many", ["completions", "solutions", "programs", "codes", "outputs", "samples", "generations"])
def test_lines_with_several_programs_under_any_documented_name(read, many):
    rows = [{"task_id": name, many: [f"{name} first", f"{name} second"]} for name in ONE_EACH]
    assert read(lines(*rows)) == {name: [f"{name} first", f"{name} second"] for name in ONE_EACH}


def test_lines_of_the_same_item_add_up_in_the_files_order_under_whatever_name(read):
    rows = [("0", "a"), ("test/0007", "b"), ("0000", "d"), ("12", "c"), ("test/0000", "e"), (0, "a")]
    found = read(lines(*({"task_id": name, "completion": text} for name, text in rows)))
    assert found == {**ONE_EACH, "test/0000": ["a", "d", "e", "a"]}


def test_human_evals_own_samples(read):
    rows = [{"task_id": f"ours/{n % 3}", "completion": f"    return {n}\n"} for n in range(6)]
    found = read(lines(*rows), HUMANEVAL)
    assert found["ours/2"] == ["    return 2\n", "    return 5\n"]


def test_a_prompt_names_its_last_function(read):
    rows = [
        {"prompt": "def double(x):\n", "samples": ["a", "b"]},
        {
            "prompt": 'import math\n\n\ndef helper(x):\n    return x\n\n\ndef halve ( x ):\n    """..."""\n',
            "samples": ["c"],
        },
        {"prompt": "def negate(x) -> int:\n", "samples": ["d"]},
    ]
    assert read(lines(*rows), HUMANEVAL) == {"ours/0": ["a", "b"], "ours/1": ["c"], "ours/2": ["d"]}


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_one_object_from_item_to_programs_as_the_apps_release_writes_it(read, several, indent):
    codes = {str(number): [text] if several else text for number, text in ((0, "a"), (7, "b"), (12, "c"))}
    assert read(json.dumps(codes, indent=indent), name="all_codes.json") == ONE_EACH


@pytest.mark.parametrize("indent", [None, 1])
def test_one_list_of_objects(read, indent):
    rows = [{"id": name, "code": texts[0]} for name, texts in ONE_EACH.items()]
    assert read(json.dumps(rows, indent=indent), name="list.json") == ONE_EACH


def test_one_line_alone_is_a_record_and_not_a_table(read):
    assert read(lines({"task_id": "7", "completion": "b"}), wanted=APPS[1:2]) == {"test/0007": ["b"]}


@pytest.mark.parametrize(
    "content", [lines(*({"id": k, "code": v[0]} for k, v in ONE_EACH.items())), json.dumps(ONE_EACH)]
)
def test_gzip_is_read_and_counts_as_the_same_file(read, tmp_path, content):
    assert read(gzip.compress(content.encode()), name="solutions.json.gz") == read(content) == ONE_EACH
    prints = {Solutions(tmp_path / name).fingerprint() for name in ("solutions.json.gz", "solutions.jsonl")}
    assert len(prints) == 1


def test_blank_lines_and_carriage_returns_are_no_records(read):
    rows = [json.dumps({"id": name, "code": texts[0]}) for name, texts in ONE_EACH.items()]
    assert read("\r\n\r\n" + "\r\n\r\n".join(rows) + "\r\n  \r\n") == ONE_EACH


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_feed_ends_a_record(read, mark):
    text = f"print('a{mark}b')"
    row = '{"task_id": "7", "completion": ' + json.dumps(text, ensure_ascii=False) + "}\n"
    row = row.replace("\\u000b", mark).replace("\\f", mark).replace("\\u001c", mark)
    if mark in "\x0b\x0c\x1c":  # JSON wants these escaped, so the line is faulty, and is one line all the same
        with pytest.raises(DataError, match="record 1 is no JSON"):
            read(row, wanted=APPS[1:2])
    else:
        assert read(row * 2, wanted=APPS[1:2]) == {"test/0007": [text, text]}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_text_a_program_is_it_comes_back(tmp_path_factory, texts, ascii_only, zipped):
    path = tmp_path_factory.mktemp("any") / ("s.jsonl.gz" if zipped else "s.jsonl")
    rows = [{"task_id": "0", "completion": text} for text in texts]
    data = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    solutions = Solutions(path)
    solutions.match(APPS[:1], APPS)
    assert [one.text for one in solutions.answers("test/0000")] == texts


def test_programs_decide_the_input_and_the_file_the_fingerprint(tmp_path):
    found = []
    for number, text in enumerate(("a", "b", "a")):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(lines({"id": "0", "code": text}, {"id": "7", "code": "x"}))
        solutions = Solutions(path)
        solutions.match(APPS[:2], APPS)
        found.append((solutions.fingerprint(), solutions.input("test/0000"), solutions.input("test/0007")))
    assert found[0] == found[2]
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]
    assert found[0][2] == found[1][2]


# faults --------------------------------------------------------------------------------------------------------------

GOOD = {"task_id": "0", "completion": "a"}

FAULTS = [
    ("", "holds no program"),
    ("\n \n\t\n", "holds no program"),
    ("[]", "holds no program"),
    ("{}", "holds no program"),
    (lines(GOOD) + '{"task_id": "7", "compl', "record 2 is no JSON"),
    (lines(GOOD) + "print(1)\n", "record 2 is no JSON"),
    ("print(1)\nprint(2)\n", "record 1 is no JSON"),
    ("\n\n" + lines(GOOD) + "\n{'task_id': '7'}\n", "record 5 is no JSON"),
    (lines(GOOD) + "7\n", "record 2 is no object but int"),
    ("7", "record 1 is no object but int"),
    ('"text"', "record 1 is no object but str"),
    ("null", "record 1 is no object but NoneType"),
    (lines(GOOD) + "[1]\n", "record 2 is no object but list"),
    (json.dumps([GOOD, [1]]), "record 2 is no object but list"),
    (lines(GOOD, {"completion": "b"}), "record 2 names no item"),
    (lines(GOOD, {"prompt": "no function", "samples": ["b"]}), "record 2 names no item"),
    (lines(GOOD, {"prompt": 7, "samples": ["b"]}), "record 2 names no item"),
    (lines(GOOD, {"task_id": "7"}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completion": None}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completion": 3}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completion": ["b"]}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completions": []}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completions": "b"}), r"record 2 \(7\) holds no program"),
    (lines(GOOD, {"task_id": "7", "completions": ["b", 3]}), r"record 2 \(7\) holds no program"),
    (json.dumps({"0": ["a"], "7": []}), r"record 2 \(7\) holds no program"),
    (json.dumps({"0": "a", "7": {"code": "b"}}), r"record 2 \(7\) holds no program"),
    (json.dumps({"0": "a", "7": None}), r"record 2 \(7\) holds no program"),
    ("[" * 100_000, "record 1 is no JSON"),
    (lines(GOOD) + "[" * 100_000, "record 2 is no JSON"),
    (lines(GOOD) + '{"task_id": ' + "9" * 5000 + ', "completion": "a"}', "record 2 is no JSON"),
    (lines(GOOD).encode() + b'{"task_id": "7", "completion": "\xff"}\n', "is not UTF-8"),
    (lines(GOOD).encode("utf-16"), "is not UTF-8"),
    (gzip.compress(lines(GOOD).encode()), "is not UTF-8"),
]


@pytest.mark.parametrize(("content", "words"), FAULTS)
def test_a_fault_is_told_with_file_and_record(read, content, words):
    with pytest.raises(DataError, match=rf"faulty\.jsonl.*{words}"):
        read(content, name="faulty.jsonl")


def broken_gzip():
    whole = gzip.compress(json.dumps({str(n): f"print({n})" for n in range(200)}).encode())
    middle = len(whole) // 2
    return {
        "plain text": b'{"0": "a"}',
        "empty": b"",
        "cut short": whole[:middle],
        "overwritten": whole[:middle] + b"\xff" * 40 + whole[middle + 40 :],
        "no such compression": whole[:10] + b"\xff" * 20 + whole[30:],
        "another checksum": whole[:-8] + bytes(8),
        "something behind": whole + b"rest",
    }


@pytest.mark.parametrize("how", broken_gzip())
def test_gzip_that_is_none_or_damaged_is_told(read, how):
    with pytest.raises(DataError, match=r"solutions\.jsonl\.gz (cannot be read|holds no program)"):
        read(broken_gzip()[how], name="solutions.jsonl.gz")


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"there is no file .*absent\.jsonl"):
        Solutions(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match=r"folder cannot be read"):
        Solutions(tmp_path / "folder")
    with pytest.raises(DataError, match=r"below cannot be read"):
        Solutions(tmp_path / "file" / "below")


# matching ------------------------------------------------------------------------------------------------------------


def test_an_unknown_item_is_told_with_its_record_and_an_example(read):
    with pytest.raises(DataError, match=r"record 2: '3' is no item of this task\. .*test/0000"):
        read(lines(GOOD, {"task_id": "3", "completion": "b"}), wanted=APPS[:1])


def test_missing_items_are_counted_and_named(read):
    with pytest.raises(DataError, match=r"no program for 2 of 3 items: test/0007, test/0012"):
        read(lines(GOOD))


def test_many_missing_items_are_named_in_part(read):
    items = [Item(f"test/{n:04d}", "interview", "test", str(n), {}, key={"number": n}) for n in range(1200)]
    with pytest.raises(DataError, match=r"1,199 of 1,200 items: test/0001, .*test/0005 \.\.\."):
        read(lines(GOOD), items)


def test_items_that_were_not_asked_for_need_no_program_and_may_have_one(read):
    assert read(lines(GOOD), wanted=APPS[:1]) == {"test/0000": ["a"]}
    assert read(json.dumps(ONE_EACH), wanted=APPS[:1]) == {"test/0000": ["a"]}


def test_a_part_of_the_task_takes_its_records_out_of_a_whole_file(tmp_path):
    path = tmp_path / "all_codes.json"
    path.write_text(json.dumps({str(number): [f"print({number})"] for number in range(20)}))
    solutions = Solutions(path)
    with pytest.raises(DataError, match=r"record 2: '1' is no item of this task"):
        solutions.match(APPS, APPS)
    assert solutions.match(APPS, APPS, part=True) == 17
    assert [one.text for one in solutions.answers("test/0007")] == ["print(7)"]
    with pytest.raises(DataError, match=r"no program for 1 of 1 items: ours/0"):
        solutions.match(HUMANEVAL[:1], HUMANEVAL, part=True)


def test_an_empty_text_is_a_program(read):
    assert read(json.dumps({**ONE_EACH, "7": [""]}))["test/0007"] == ["b", ""]


def test_a_number_that_two_splits_share_names_neither(read):
    items = [
        Item(f"{split}/0003", "interview", split, f"{split}/0003", {}, key={"number": 3}) for split in ("test", "train")
    ]
    assert read(json.dumps({"test/0003": "a", "train/0003": "b"}), items) == {"test/0003": ["a"], "train/0003": ["b"]}
    with pytest.raises(DataError, match=r"'3' is the name of several items"):
        read(json.dumps({"3": "a"}), items)
