"""Sketch files: what comes back, and what is refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from gnomon.errors import DataError
from gnomon.streaming import HingeSketch, InputError, SketchFileError, StreamingSVM
from gnomon.streaming._files import VERSION, load_sketch


def rows(n=3000, d=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.where(X[:, 0] > 0, 1.0, -1.0)


@pytest.fixture
def saved(tmp_path):
    X, y = rows()
    sketch = HingeSketch(k=50, seed=4).partial_fit(X, y)
    sketch.save(tmp_path / "a.sk", {"rows read": 3000})
    return sketch, tmp_path / "a.sk"


def test_what_is_loaded_goes_on_as_if_nothing_had_happened(saved):
    sketch, path = saved
    loaded = HingeSketch.load(path)
    assert load_sketch(path)[1] == {"rows read": 3000}
    assert loaded.get_params() == sketch.get_params()
    more = rows(2111, seed=1)
    for one in (sketch, loaded):
        for at in range(0, 2111, 7):
            one.partial_fit(more[0][at : at + 7], more[1][at : at + 7])
    theta, b = np.random.default_rng(0).normal(size=(20, 2)), np.zeros(20)
    for part in ("low", "high", "estimate"):
        np.testing.assert_array_equal(
            getattr(sketch.objective(theta, b), part), getattr(loaded.objective(theta, b), part)
        )
    sketch.save(path)
    loaded.save(path.with_name("b.sk"))
    assert path.read_bytes() == path.with_name("b.sk").read_bytes()


def test_merging_files_is_merging_sketches(saved):
    sketch, path = saved
    other = HingeSketch(k=50, seed=5).partial_fit(*rows(seed=9))
    from_file = HingeSketch.load(path).merge(other.copy())
    live = sketch.copy().merge(other.copy())
    assert from_file.solve(0.01).value == live.solve(0.01).value


def test_a_classifier_keeps_its_classes(tmp_path):
    X, y = rows()
    svm = StreamingSVM(k=64).partial_fit(X, np.where(y > 0, "warm", "cold"))
    svm.save(tmp_path / "c.sk")
    loaded = StreamingSVM.load(tmp_path / "c.sk")
    assert loaded.classes_.tolist() == ["cold", "warm"]
    assert (loaded.predict(X) == svm.predict(X)).all()
    with pytest.raises(InputError, match="holds a StreamingSVM, not a HingeSketch"):
        HingeSketch.load(tmp_path / "c.sk")


def test_every_truncation_is_refused_in_a_sentence(saved):
    _, path = saved
    whole = path.read_bytes()
    for length in (0, 3, 8, 15, 40, 400, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SketchFileError, match=r"is truncated|is no sketch") as caught:
            HingeSketch.load(path)
        assert str(caught.value).count("\n") == 0


def test_every_changed_byte_is_refused(saved):
    _, path = saved
    whole = bytearray(path.read_bytes())
    for at in [*range(0, 600, 13), *range(600, len(whole), 997), len(whole) - 1]:
        changed = bytearray(whole)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(SketchFileError):
            HingeSketch.load(path)


def test_a_foreign_file_another_version_and_no_file_are_told_apart(saved, tmp_path):
    _, path = saved
    whole = path.read_bytes()
    path.write_bytes(b"x,y\n1,2\n" * 100)
    with pytest.raises(SketchFileError, match=r"no sketch of gnomon: it begins with b'x,y"):
        HingeSketch.load(path)
    path.write_bytes(whole[:8] + struct.pack("<I", VERSION + 6) + whole[12:])
    with pytest.raises(SketchFileError, match=f"has version {VERSION + 6} .* reads version {VERSION}"):
        HingeSketch.load(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(SketchFileError, match="damaged"):
        HingeSketch.load(path)
    with pytest.raises(DataError, match="there is no file"):
        HingeSketch.load(tmp_path / "none.sk")


def test_a_file_with_a_right_checksum_and_wrong_contents_is_refused(saved):
    _, path = saved
    whole = path.read_bytes()
    for old, new in ((b'"k": 50', b'"k": "0'), (b"HingeSketch", b"HingeSketcx"), (b'"d": 2', b'"d": 3')):
        assert old in whole
        content = whole[:-4].replace(old, new)
        path.write_bytes(content + struct.pack("<I", zlib.crc32(content)))
        with pytest.raises(SketchFileError):
            HingeSketch.load(path)


def test_an_empty_sketch_has_nothing_to_save(tmp_path):
    with pytest.raises(InputError, match="empty sketch cannot be saved"):
        HingeSketch().save(tmp_path / "e.sk")
