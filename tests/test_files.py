"""Writing whole or not at all, and what is said when it is not."""

import os
import subprocess

import pytest

from gnomon.errors import RunError
from gnomon.files import write_atomically


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB; skipped where it cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting needs more rights")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file.json", "ä\n")
    assert (tmp_path / "a" / "b" / "file.json").read_bytes() == "ä\n".encode()
    assert os.listdir(tmp_path / "a" / "b") == ["file.json"]


def test_a_full_disk_leaves_the_old_file_and_no_other(small_disk):
    file = small_disk / "result.json"
    write_atomically(file, "old")
    with pytest.raises(
        RunError, match=r"result\.json cannot be written: No space left on device\. Make room and give the same command"
    ):
        write_atomically(file, "x" * 100_000)
    assert file.read_text() == "old"
    assert os.listdir(small_disk) == ["result.json"]


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file_and_no_other(at, tmp_path, monkeypatch):
    file = tmp_path / "result.json"
    file.write_text("old")

    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, at, fail)
    with pytest.raises(RunError, match="Input/output error"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_file_in_the_way_of_a_folder_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="a file, not a folder"):
        write_atomically(tmp_path / "file" / "result.json", "new")
    with pytest.raises(RunError, match="a file, not a folder"):
        write_atomically(tmp_path / "file" / "below" / "result.json", "new")


def test_a_folder_in_the_way_of_a_file_is_said_in_one_sentence(tmp_path):
    (tmp_path / "result.json").mkdir()
    with pytest.raises(RunError, match=r"result\.json cannot be written"):
        write_atomically(tmp_path / "result.json", "new")
    assert os.listdir(tmp_path) == ["result.json"]
