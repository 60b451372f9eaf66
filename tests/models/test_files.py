"""Fingerprints of a model's files: honest, computed once, and never in the way."""

import hashlib
import json
import os
import shutil

import pytest

from gnomon.errors import ModelError
from gnomon.models import _files
from gnomon.models._files import fingerprint


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """The file of remembered hashes, in a cache of this test's own."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fingerprints.json"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "merges.txt"):
        (folder / name).write_text(f"contents of {name}")
    return folder


def test_any_change_of_a_models_files_shows(model, memory):
    seen = {fingerprint(str(model))}
    for name in ("config.json", "model.safetensors", "tokenizer.json", "merges.txt"):
        (model / name).write_text(f"Contents of {name}")  # of the same length
        seen.add(fingerprint(str(model)))
    (model / "chat_template.jinja").write_text("x")
    seen.add(fingerprint(str(model)))
    (model / "merges.txt").rename(model / "vocab.txt")
    seen.add(fingerprint(str(model)))
    (model / "vocab.txt").unlink()
    seen.add(fingerprint(str(model)))
    assert len(seen) == 8


def test_what_is_no_part_of_the_model_does_not_show(model, memory):
    before = fingerprint(str(model))
    (model / "README.md").write_text("x")
    (model / ".gitattributes").write_text("x")
    (model / "checkpoint").mkdir()
    os.utime(model / "model.safetensors", (1, 1))
    assert fingerprint(str(model)) == before


def test_a_fingerprint_does_not_depend_on_the_place_or_on_what_is_remembered(model, memory, tmp_path):
    before = fingerprint(str(model))
    shutil.copytree(model, tmp_path / "copy")
    assert fingerprint(str(tmp_path / "copy")) == before
    memory.unlink()
    assert fingerprint(str(model)) == before


def test_files_are_read_once(model, memory, monkeypatch):
    read = []
    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(file.name) or original(file, name))
    for _ in range(3):
        fingerprint(str(model))
    assert len(read) == 4
    (model / "config.json").write_text("longer than it was before")
    fingerprint(str(model))
    assert len(read) == 5


BROKEN = [b"", b"{", b"\xff\xfe", b'{"a": 3}']
NO_TABLE = [b"[]", b"null", b'"text"', b"3", b'["a"]']


@pytest.mark.parametrize("content", [*BROKEN, *NO_TABLE], ids=repr)
def test_a_broken_memory_is_forgotten_and_written_anew(content, model, memory):
    before = fingerprint(str(model))
    memory.write_bytes(content)
    assert fingerprint(str(model)) == before
    assert len(json.loads(memory.read_text())) >= 4
    assert fingerprint(str(model)) == before


def test_a_memory_that_holds_no_hash_for_a_file_is_not_believed(model, memory):
    before = fingerprint(str(model))
    memory.write_text(json.dumps(dict.fromkeys(json.loads(memory.read_text()), 3)))
    assert fingerprint(str(model)) == before


def test_a_memory_that_cannot_be_written_is_no_fault(model, memory):
    memory.parent.parent.mkdir(exist_ok=True)
    memory.parent.write_text("a file where the cache should be")
    assert len(fingerprint(str(model))) == 64


def test_a_memory_that_is_a_folder_is_no_fault(model, memory):
    memory.mkdir(parents=True)
    assert fingerprint(str(model)) == fingerprint(str(model))
    assert [path.name for path in memory.parent.iterdir()] == ["fingerprints.json"]


def test_the_memory_does_not_grow_without_end(memory, tmp_path):
    known = {f"/model/{number}": "0" * 64 for number in range(5000)}
    memory.parent.mkdir()
    memory.write_text(json.dumps(known))
    (tmp_path / "config.json").write_text("{}")
    fingerprint(str(tmp_path))
    kept = json.loads(memory.read_text())
    assert len(kept) == 1000
    assert list(kept)[-1].startswith(str(tmp_path))


def test_a_link_into_the_hubs_cache_need_not_be_read(tmp_path, memory, monkeypatch):
    name = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / name).write_bytes(b"weights")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(tmp_path / "blobs" / name)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("the file was read"))
    assert len(fingerprint(str(tmp_path / "snapshot"))) == 64


def test_a_link_to_a_file_that_is_not_named_by_its_hash_is_read(tmp_path, memory):
    """A user's own folder may be called `blobs` too."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").symlink_to(tmp_path / "blobs" / "weights")
    seen = set()
    for content in ("one", "two"):
        (tmp_path / "blobs" / "weights").write_text(content)
        seen.add(fingerprint(str(tmp_path / "model")))
    assert len(seen) == 2


def test_a_model_that_is_nowhere_has_no_fingerprint():
    with pytest.raises(ModelError, match="'nobody/nothing' is neither a folder nor in the hub's cache"):
        fingerprint("nobody/nothing")


def test_only_the_newest_hashes_are_kept():
    assert _files._latest([("a", "1"), ("b", "2"), ("c", "3")], most=2) == [("b", "2"), ("c", "3")]
