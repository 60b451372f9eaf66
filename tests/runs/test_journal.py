"""The journal: whole lines are kept whatever happens around them, and reading changes nothing."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import RunError
from gnomon.runs import Journal, Record


def record(number, **more):
    return Record(
        id=f"unit/{number}", subset="s", split="test", group=f"g{number}", input="0" * 16, **{"status": "ok", **more}
    )


@pytest.fixture
def full(tmp_path):
    """A journal of five records."""
    journal = Journal(tmp_path / "records.jsonl")
    journal.append([record(number, correct=bool(number % 2), message="a\nb\r\u2028c") for number in range(5)])
    return journal


def test_what_was_appended_is_read_back_in_order(full):
    again = Journal(full.path)
    assert list(again.records.items()) == list(full.records.items())
    assert again.repairs == []


def test_the_latest_line_of_a_unit_counts_and_keeps_its_place(full):
    full.append([record(2, status="error", message="late")])
    again = Journal(full.path)
    assert [one.id for one in again.records.values()] == [f"unit/{number}" for number in range(5)]
    assert again.records["unit/2"].message == "late"
    assert len(full.path.read_bytes().splitlines()) == 6


def test_every_cut_of_the_file_leaves_the_whole_lines_and_only_them(full):
    content = full.path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(content) if byte == 10]
    for size in range(len(content)):
        full.path.write_bytes(content[:size])
        journal = Journal(full.path)
        assert len(journal.records) == sum(end <= size for end in ends)
        assert bool(journal.repairs) == (size not in (0, *ends))
        journal.append([record(9)])
        kept = full.path.read_bytes().splitlines()
        assert all(json.loads(line) for line in kept)
        assert len(kept) == sum(end <= size for end in ends) + 1


def test_reading_a_half_written_journal_leaves_the_file_as_it_is(full):
    torn = full.path.read_bytes()[:-9]
    full.path.write_bytes(torn)
    assert "half-written" in Journal(full.path).repairs[0]
    assert full.path.read_bytes() == torn


@pytest.mark.parametrize(
    "garbage", [b"{", b"\xff\xfe\x00", b"null", b"[]", b'{"id": "unit/7"}', b'{"id": 7, "status": "maybe"}', b""]
)
def test_a_garbage_line_is_passed_over_and_counted(full, garbage):
    lines = full.path.read_bytes().splitlines(keepends=True)
    full.path.write_bytes(b"".join([*lines[:2], garbage + b"\n", *lines[3:]]))
    journal = Journal(full.path)
    assert set(journal.records) == {"unit/0", "unit/1", "unit/3", "unit/4"}
    assert journal.repairs == ["records.jsonl: 1 broken line(s) were passed over; their units are asked again."]


def test_a_disk_that_takes_a_part_only_does_not_tear_a_line(full, monkeypatch):
    class Narrow(io.FileIO):
        def write(self, data):
            return super().write(bytes(data)[:11])

    monkeypatch.setattr(
        type(full.path), "open", lambda self, mode, buffering=-1: Narrow(str(self), mode.replace("b", ""))
    )
    full.append([record(5), record(6)])
    monkeypatch.undo()
    again = Journal(full.path)
    assert len(again.records) == 7
    assert again.repairs == []


def test_a_disk_that_fills_in_mid_line_is_an_error_and_the_next_append_mends_it(full, monkeypatch):
    before = full.path.read_bytes()

    class Full(io.FileIO):
        left = 20

        def write(self, data):
            if not Full.left:
                raise OSError(28, "No space left on device")
            taken, Full.left = Full.left, 0
            return super().write(bytes(data)[:taken])

    monkeypatch.setattr(
        type(full.path), "open", lambda self, mode, buffering=-1: Full(str(self), mode.replace("b", ""))
    )
    with pytest.raises(RunError, match=r"records\.jsonl cannot be written: No space left on device\. Make room"):
        full.append([record(5)])
    monkeypatch.undo()
    assert "unit/5" not in full.records
    assert full.path.read_bytes() == before + full.path.read_bytes()[-20:]
    full.append([record(6)])
    assert list(Journal(full.path).records) == [*(f"unit/{n}" for n in range(5)), "unit/6"]
    assert Journal(full.path).repairs == []


def test_a_journal_that_is_a_folder_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "records.jsonl").mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        Journal(tmp_path / "records.jsonl")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.text(st.characters(exclude_categories=["Cs"])))), st.binary(max_size=30)
)
def test_any_text_and_any_torn_tail_leave_the_records(tmp_path_factory, units, tail):
    path = tmp_path_factory.mktemp("journal") / "records.jsonl"
    journal = Journal(path)
    for number, message in units:
        journal.append([record(number, message=message)])
    with path.open("ab") as file:
        file.write(tail.replace(b"\n", b""))
    expected = {f"unit/{number}": message for number, message in units}
    assert {key: one.message for key, one in Journal(path).records.items()} == expected
