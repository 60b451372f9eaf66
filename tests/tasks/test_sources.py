"""Where data come from: order of places, CSV read to the byte, and faults that name file, record and remedy."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.errors import DataError, UsageError
from gnomon.tasks import EMBEDDED, Folder, Hub, SourceFinder, csv_rows, hub_rows

HUB = Hub("someone/something", "0123456789abcdef")


def read(path: Path, columns: int = 2, header: tuple[str, ...] | None = None) -> list[list[str]]:
    return [row for _, row in csv_rows(path, columns, header)]


@pytest.fixture
def file(tmp_path):
    """Writes bytes into a file and returns its path."""

    def write(data: bytes) -> Path:
        path = tmp_path / "rows.csv"
        path.write_bytes(data)
        return path

    return write


# --- cells arrive as they stand ---


@pytest.mark.parametrize("cell", ["None", "0.10", "True", "nan", "NA", "null", "1e5", "007", " padded ", "\t", ""])
def test_mmlu_edge_4_cells_that_look_like_other_types_stay_text(file, cell):
    assert read(file(f"a,{cell}\n".encode())) == [["a", cell]]


def test_a_quoted_line_break_belongs_to_its_cell_and_makes_no_new_record(file):
    path = file(b'"one\ntwo",b\nc,"x\r\ny"\n')
    assert list(csv_rows(path, 2)) == [(1, ["one\ntwo", "b"]), (2, ["c", "x\r\ny"])]


def test_windows_line_ends_part_records_and_are_no_part_of_a_cell(file):
    assert read(file(b"a,b\r\nc,d\r\n")) == [["a", "b"], ["c", "d"]]


def test_the_last_record_needs_no_line_end(file):
    assert read(file(b"a,b\nc,d")) == [["a", "b"], ["c", "d"]]


def test_doubled_quotes_are_one_quote(file):
    assert read(file(b'"say ""no""",b\n')) == [['say "no"', "b"]]


def test_a_mark_like_a_byte_order_mark_inside_a_cell_survives(file):
    """Two questions of college_medicine hold U+FEFF in their middle."""
    assert read(file("a\ufeffb,c\n".encode())) == [["a\ufeffb", "c"]]


def test_the_header_is_checked_and_is_no_record(file):
    path = file(b"label,text\n1,b\n")
    assert list(csv_rows(path, 2, ("label", "text"))) == [(1, ["1", "b"])]


# What no file of a release holds: NUL, lone surrogates, and a byte order mark at the very start.
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_any_cells_written_as_csv_are_read_back_unchanged(tmp_path, rows, end):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
    path = tmp_path / "rows.csv"
    path.write_bytes(text.getvalue().encode())
    assert read(path, 3) == rows


# --- faults name file and record, and say what to do ---


def fault(path: Path, columns: int = 2, header: tuple[str, ...] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(path, columns, header)
    message = str(caught.value)
    assert str(path) in message
    assert message.rstrip().endswith(".")
    return message


def test_too_many_cells_name_the_record_its_line_and_the_comma(file):
    message = fault(file(b'"a\nb",c\nd,e,f\n'))
    assert "record 2 (line 3): 3 cells where the release has 2" in message
    assert "comma" in message


@pytest.mark.parametrize("row", [b"a", b""])
def test_too_few_cells_and_blank_lines_name_the_record(file, row):
    message = fault(file(b"a,b\n" + row + b"\nc,d\n"))
    assert f"record 2 (line 2): {len(row)} cells where the release has 2" in message
    assert "not whole" in message


@pytest.mark.parametrize("data", [b'"a,b\nc,d\n', b'a,b\n"c,d\n', b'x,"'])
def test_a_quote_that_never_ends_names_the_record_where_it_began(file, data):
    number = 1 if data.startswith((b'"', b"x")) else 2
    message = fault(file(data))
    assert f"record {number} (line {number})" in message
    assert "double quotes" in message


def test_text_after_a_closing_quote_is_refused_and_not_glued(file):
    message = fault(file(b'a,b\n"c"d,e\n'))
    assert "record 2 (line 2)" in message


@pytest.mark.parametrize("place", [0, 1])
def test_bytes_that_are_not_utf8_name_the_record_however_far_into_the_file(file, place):
    good = b'"some text\nof two lines",b\n' * 20_000
    bad = "Müller,b\n".encode("latin-1")
    message = fault(file(good * place + bad + good))
    assert f"record {20_000 * place + 1} (line {40_000 * place + 1}) holds" in message
    assert "UTF-8" in message
    assert "Get the file again" in message


@pytest.mark.parametrize("data", [b"a,b\nc\0,d\n", b'a,b\n"c\0",d\n', b"a,b\n\0\0\0\0,\0\n"])
def test_nul_bytes_are_refused_with_their_record(file, data):
    assert "record 2 (line 2) holds a NUL" in fault(file(data))


def test_a_utf16_file_is_refused(file):
    assert "record 1" in fault(file("a,b\n".encode("utf-16")))


@pytest.mark.parametrize("header", [None, ("label", "text")])
def test_a_byte_order_mark_is_refused_and_never_becomes_part_of_the_first_cell(file, header):
    message = fault(file(b"\xef\xbb\xbflabel,text\n1,b\n"), header=header)
    assert "byte order mark before its first record" in message
    assert "Save it as UTF-8 without one" in message


@pytest.mark.parametrize("header", [None, ("label", "text")])
def test_an_empty_file_is_called_empty(file, header):
    assert "is empty" in fault(file(b""), header=header)


def test_a_missing_header_shows_what_stands_there_and_what_should(file):
    message = fault(file(b"1,I helped.\n"), header=("label", "scenario"))
    assert "the first record is ['1', 'I helped.']" in message
    assert "label,scenario" in message


@pytest.mark.parametrize("found", [b"Label,scenario", b"scenario,label", b" label,scenario", b"label,scenario,", b"a"])
def test_a_header_that_is_almost_right_is_refused(file, found):
    assert "the first record is" in fault(file(found + b"\n1,b\n"), header=("label", "scenario"))


def test_a_broken_header_is_record_0(file):
    assert "record 0 (line 1)" in fault(file(b'"label,scenario\n'), header=("label", "scenario"))


def test_a_missing_file_is_named(tmp_path):
    message = fault(tmp_path / "absent.csv")
    assert "is missing" in message
    assert "-T subsets=" in message


def test_a_folder_in_the_place_of_a_file_is_an_error_of_the_data(tmp_path):
    (tmp_path / "rows.csv").mkdir()
    message = fault(tmp_path / "rows.csv")
    assert "cannot be read" in message
    assert "a file that you may read" in message


def test_a_file_in_the_place_of_a_folder_is_an_error_of_the_data(tmp_path):
    (tmp_path / "test").write_text("")
    assert "cannot be read" in fault(tmp_path / "test" / "rows.csv")


def test_rows_before_a_fault_are_given_so_that_the_record_number_is_right(file):
    rows = csv_rows(file(b"a,b\nc,d\ne\n"), 2)
    assert [next(rows), next(rows)] == [(1, ["a", "b"]), (2, ["c", "d"])]
    with pytest.raises(DataError, match="record 3"):
        next(rows)


# --- which place is read ---


def finder(hub: Hub | None = HUB, embedded: bool = False) -> SourceFinder:
    def fits(folder: Path) -> bool:
        return (folder / "here").exists()

    return SourceFinder(fits=fits, layout="a file called here.", hub=hub, embedded=embedded)


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "here").touch()
    return folder


def test_data_comes_before_gnomon_data_and_gnomon_data_before_the_hub(tmp_path, monkeypatch):
    given_folder, root = make(tmp_path / "given"), tmp_path / "root"
    deep = make(root / "sub" / "quiz")
    assert finder().find("quiz", None) == HUB
    monkeypatch.setenv("GNOMON_DATA", str(root))
    assert finder().find("quiz", None) == Folder(deep)
    direct = make(root / "quiz")
    assert finder().find("quiz", None) == Folder(direct)
    assert finder().find("quiz", str(given_folder)) == Folder(given_folder)


def test_a_folder_of_the_right_name_that_does_not_fit_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "quiz").mkdir()
    fitting = make(tmp_path / "z" / "quiz")
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path))
    assert finder().find("quiz", None) == Folder(fitting)
    assert finder().find("other", None) == HUB


def test_of_several_folders_one_level_down_the_first_by_name_is_read_every_time(tmp_path, monkeypatch):
    for name in ("c", "a", "b"):
        make(tmp_path / name / "quiz")
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path))
    assert finder().find("quiz", None) == Folder(tmp_path / "a" / "quiz")


@pytest.mark.parametrize("variable", ["data", "GNOMON_DATA"])
def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, variable):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = make(tmp_path / "releases" / "quiz")
    monkeypatch.setenv("GNOMON_DATA", "~/releases" if variable == "GNOMON_DATA" else "")
    assert finder().find("quiz", "~/releases/quiz" if variable == "data" else None) == Folder(folder)


def test_an_empty_gnomon_data_is_none(monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", "")
    assert finder().find("quiz", None) == HUB


def test_gnomon_data_that_is_no_folder_is_an_error_and_no_way_to_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path / "typo"))
    with pytest.raises(DataError, match=r"GNOMON_DATA=.*typo is no folder\. .*quiz/"):
        finder().find("quiz", None)


def test_a_named_folder_that_is_absent_or_does_not_fit_is_never_replaced_by_another_place(tmp_path, monkeypatch):
    make(tmp_path / "root" / "quiz")
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path / "root"))
    with pytest.raises(DataError, match=r"data=.*absent is no folder.*a file called here"):
        finder().find("quiz", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"does not hold quiz's release.*a file called here"):
        finder().find("quiz", str(tmp_path))


def test_a_task_without_hub_says_how_to_name_a_folder():
    with pytest.raises(DataError, match=r"not on the hub.*-T data=FOLDER"):
        finder(hub=None).find("quiz", None)


def test_embedded_data_need_no_place_and_refuse_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path / "anything"))
    assert finder(embedded=True).find("facts", None) is EMBEDDED
    with pytest.raises(UsageError, match=r"facts is carried by gnomon and reads no folder\. Leave out"):
        finder(embedded=True).find("facts", str(tmp_path))


def test_a_source_is_described_by_its_own_name_and_not_by_the_machine(tmp_path, monkeypatch):
    make(tmp_path / "quiz")
    monkeypatch.chdir(tmp_path / "quiz")
    assert Folder(tmp_path / "quiz").describe() == "folder quiz"
    assert Folder(Path(".")).describe() == "folder quiz"
    assert HUB.describe() == "hub someone/something @ 0123456789ab"
    assert EMBEDDED.describe() == "embedded in gnomon"


# --- the hub ---


@dataclass
class FakeHub:
    """Stands for `datasets.load_dataset`: remembers how it was called, gives rows or fails."""

    rows: list[dict[str, Any]]
    error: Exception | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, path: str, **arguments: Any) -> Any:
        import datasets

        self.calls.append({"path": path, **arguments})
        if self.error:
            raise self.error
        return datasets.Dataset.from_list(self.rows)


@pytest.fixture
def hub(monkeypatch):
    import datasets

    fake = FakeHub([{"question": " raw ", "label": 1}])
    monkeypatch.setattr(datasets, "load_dataset", fake)
    return fake


def test_the_hub_is_asked_at_the_pinned_revision_and_cells_are_not_touched(hub):
    assert list(hub_rows(HUB, "easy", "test", ("question",))) == [(1, {"question": " raw ", "label": 1})]
    assert hub.calls == [{"path": HUB.id, "name": "easy", "split": "test", "revision": HUB.revision}]


@pytest.mark.parametrize(
    "error",
    [ConnectionError("no route\nsecond line"), ValueError("no config 'easy'"), OSError(""), RuntimeError("\n")],
)
def test_every_failure_of_the_hub_is_one_data_error_of_one_line_with_the_way_out(hub, error):
    hub.error = error
    words = r"hub someone/something .*\(easy, test\) cannot be had: \w.*-T data=FOLDER"
    with pytest.raises(DataError, match=words) as caught:
        list(hub_rows(HUB, "easy", "test", ("question",)))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_a_failure_of_the_hub_says_that_gnomon_data_was_looked_through(hub, tmp_path, monkeypatch):
    hub.error = ConnectionError("no route")
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"No folder under GNOMON_DATA={tmp_path} holds it"):
        list(hub_rows(HUB, "easy", "test", ("question",)))


def test_a_missing_column_is_named_beside_those_that_are_there(hub):
    with pytest.raises(DataError, match=r"lacks the column choices, answer; it has question, label"):
        list(hub_rows(HUB, "easy", "test", ("question", "choices", "answer")))


def test_an_empty_cell_of_the_hub_is_refused_and_never_the_word_none(hub):
    hub.rows = [{"question": "a"}, {"question": None}]
    with pytest.raises(DataError, match=r"row 2: question is empty"):
        list(hub_rows(HUB, "easy", "test", ("question",)))


def test_configurations_that_are_plain_folders_are_found(tmp_path, monkeypatch):
    """The hub's parquet branch lays files out so, without the card that would name its configurations."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name in ("easy", "hard"):
        for split in ("train", "test"):
            target = tmp_path / "quiz" / name / split
            target.mkdir(parents=True)
            datasets.Dataset.from_dict({"question": [f"{name} {split}"]}).to_parquet(str(target / "0000.parquet"))
    source = Hub(str(tmp_path / "quiz"), "main", by_folder=True)
    assert [row["question"] for _, row in hub_rows(source, "hard", "test", ("question",))] == ["hard test"]
    with pytest.raises(DataError, match="cannot be had"):
        list(hub_rows(Hub(str(tmp_path / "quiz"), "main"), "hard", "test", ("question",)))
