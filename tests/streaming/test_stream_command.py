"""`gnomon stream` as a user sees it: files and pipes, little memory, a kill on the way, bad input."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from gnomon.cli.stream import command
from gnomon.errors import GnomonError
from gnomon.streaming import HingeSketch, stream
from gnomon.streaming._sources import Source, pieces


def rows(n=2000, d=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, d))
    return X, np.where(X.sum(axis=1) + 0.3 * rng.normal(size=n) > 0, 1, -1)


def write(path, X, y, header="a,b,y\n", separator=","):
    lines = (separator.join([*(f"{v:.5f}" for v in row), str(label)]) for row, label in zip(X, y, strict=True))
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def run(*args, stdin=None, **more):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    whole = [sys.executable, "-m", "gnomon", "stream", *map(str, args)]
    return subprocess.run(whole, input=stdin, capture_output=True, env=environment, timeout=280, **more)


def invoke(*args):
    result = CliRunner().invoke(command, [*map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def all_of(source):
    found = list(pieces(source))
    return np.concatenate([one.X for one in found]), np.concatenate([one.y for one in found])


def test_every_format_gives_the_same_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    X, y = rows(300)
    X = np.round(X, 5)
    write(tmp_path / "p.csv", X, y)
    write(tmp_path / "p.txt", X, y, header="", separator=" ")
    write(tmp_path / "p.tsv", X, y, header="a\tb\ty\n", separator="\t")
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress((tmp_path / "p.csv").read_bytes()))
    (tmp_path / "p.svm").write_text("".join(f"{c:+d} 1:{u:.5f} 2:{v:.5f}\n" for (u, v), c in zip(X, y, strict=True)))
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "y": y}), tmp_path / "p.parquet")
    for name in ("p.csv", "p.txt", "p.tsv", "p.csv.gz", "p.svm", "p.parquet"):
        found, labels = all_of(Source(str(tmp_path / name)))
        np.testing.assert_array_equal(found, X)
        np.testing.assert_array_equal(labels, y)


def test_columns_labels_and_weights_are_named(tmp_path):
    file = tmp_path / "p.csv"
    file.write_text('kind,w,"long name",b\n"skin",2,0.5,9\nother,1,1.5,9\n,1,1,9\n\nskin,1,,9\n')
    source = Source(str(file), target="kind", columns=("long name",), positive="skin", weight="w", divide=2.0)
    [piece] = pieces(source)
    np.testing.assert_array_equal(piece.X[:, 0], [0.25, 0.75, 0.5, np.nan])
    np.testing.assert_array_equal(piece.y, [1, -1, np.nan, 1])
    np.testing.assert_array_equal(piece.weight, [2, 1, 1, 1])


def test_a_run_prints_solutions_and_keeps_sketch_result_and_report(tmp_path):
    X, y = rows()
    file = write(tmp_path / "p.csv", X, y)
    done = invoke(file, "--runs-dir", tmp_path / "runs", "--lam", "1e-2", "-o", tmp_path / "a.sk")
    assert "gap at most" in done.output
    [folder] = (tmp_path / "runs").iterdir()
    assert {"manifest.json", "result.json", "report.html"} <= {one.name for one in folder.iterdir()}
    assert json.loads((folder / "manifest.json").read_text())["status"] == "complete"
    assert "Error against space" in (folder / "report.html").read_text()
    sketch = HingeSketch.load(tmp_path / "a.sk")
    other = HingeSketch(k=1024).partial_fit(np.round(X, 5), y)
    assert sketch.solve(0.01).value == pytest.approx(other.solve(0.01).value, abs=1e-9)


def test_merge_and_query(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        file = write(tmp_path / f"{name}.csv", *rows(seed=seed))
        stream(file, k=64, out=tmp_path / f"{name}.sk", seed=seed, report=False, runs_dir=tmp_path / "runs")
    done = invoke("merge", tmp_path / "a.sk", tmp_path / "b.sk", "-o", tmp_path / "c.sk")
    assert "4,000 rows of 2 sketches" in done.output
    done = invoke("query", tmp_path / "c.sk", "--theta", "1,1", "--bias", "0.1", "--lam", "0.01", "--json")
    value = json.loads(done.output)
    parts = [rows(seed=seed) for seed in (0, 1)]
    X, y = np.round(np.concatenate([one[0] for one in parts]), 5), np.concatenate([one[1] for one in parts])
    true = np.maximum(0, 1 - y * (X.sum(axis=1) + 0.1)).mean() + 0.01 / 2 * 2.01
    assert value["low"] <= true <= value["high"]
    done = invoke("query", tmp_path / "c.sk", "--lam", "1e-2,1e-3")
    assert done.output.count("gap at most") == 2


def test_epsilon_and_memory_choose_the_size_and_hold(tmp_path):
    X, y = rows(20_000, 1)
    file = write(tmp_path / "p.csv", X, y, header="a,y\n")
    more = {"report": False, "runs_dir": tmp_path / "runs", "lams": [0.1], "out": tmp_path / "a.sk"}
    stream(file, epsilon=1e-4, **more)
    sketch = HingeSketch.load(tmp_path / "a.sk")
    fit = sketch.solve(0.1)
    true = np.maximum(0, 1 - y * (np.round(X[:, 0], 5) * fit.coef[0] + fit.intercept)).mean() + 0.05 * (fit.w @ fit.w)
    assert abs(fit.value - true) <= 1e-4
    stream(file, memory=8192, **more)
    assert HingeSketch.load(tmp_path / "a.sk").memory().kept <= 8192


@pytest.mark.parametrize(
    "text, more, sentence",
    [
        ("x,y\n1,0\n2,1\n", {}, "labels must be -1 and \\+1, and 0 was found. Say which label is positive, as in"),
        ("x,y\n1,1\n", {"target": "z"}, "has no column 'z'. There are: x, y"),
        ("x,y\n", {}, "has no rows"),
        ("", {}, "holds no rows"),
        ("x,y\na,1\n,1\n", {}, "has no row of 2 that could be used"),
        ("x,y\n1,1\n", {"epsilon": 0.1, "memory": 10_000}, "each of them chooses the size"),
        ("x,y\n1,1\n", {"memory": 10}, "10 bytes hold no sketch of 1 columns"),
        ("x,y\n1,1\n", {"format": "xml"}, "'xml' is no format"),
        ("x,y\n1,1\n", {"resume": True}, "no sketch .* to go on from"),
        ("1 1:2\n1 3:2\n", {"format": "libsvm", "columns": ["a"]}, "LIBSVM has indices"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, text, more, sentence):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(GnomonError, match=sentence):
        stream(tmp_path / "p.csv", report=False, runs_dir=tmp_path / "runs", **more)


def test_one_label_missing_values_and_a_range_that_grows_are_told(tmp_path):
    (tmp_path / "p.csv").write_text("x,y\n1,1\n,1\n2,1\n")
    run_ = stream(tmp_path / "p.csv", report=False, runs_dir=tmp_path / "runs")
    texts = " ".join(block.text for block in run_.result() if block.kind == "note")
    assert "1 rows were left out" in texts
    assert "All rows have the label +1" in texts
    grows = "x,y\n" + "".join(f"{i / 100:.7f},{1 if i % 2 else -1}\n" for i in range(450_000))
    (tmp_path / "g.csv").write_text(grows)
    run_ = stream(tmp_path / "g.csv", epsilon=50, report=False, runs_dir=tmp_path / "runs", lams=[1.0])
    assert any("range grew" in block.text for block in run_.result() if block.kind == "note")


WIDE = 4000


def wide_block(seed):
    """About 4 MB of rows, most of it a column that nobody reads."""
    X, y = rows(1000, 2, seed)
    pad = "7" * WIDE
    return "".join(f"{u:.4f},{v:.4f},{pad},{c}\n" for (u, v), c in zip(X, y, strict=True)).encode()


LIMIT = 700 * 1024  # KiB of address space


@pytest.mark.slow
@pytest.mark.parametrize("how", ["file", "standard input"])
def test_data_larger_than_the_memory_that_may_be_used(tmp_path, how):
    block, count = wide_block(0), 190
    assert len(block) * count > LIMIT * 1024
    args = ["--columns", "1,2", "--target", "4", "--format", "csv", "--no-report", "--runs-dir", str(tmp_path / "runs")]
    args += ["--memory", "64K", "-o", str(tmp_path / "a.sk")]
    file = tmp_path / "big.csv"
    if how == "file":
        with file.open("wb") as out:
            for _ in range(count):
                out.write(block)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    name = str(file) if how == "file" else "-"
    words = ["bash", "-c", f'ulimit -v {LIMIT}; exec "$0" "$@"', sys.executable, "-m", "gnomon", "stream", name, *args]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as on:
        if how != "file":
            for _ in range(count):
                on.stdin.write(block)
        _, err = on.communicate(timeout=280)
    file.unlink(missing_ok=True)
    assert on.returncode == 0, err.decode()
    sketch = HingeSketch.load(tmp_path / "a.sk")
    assert sketch.n_seen_ == 1000 * count
    assert sketch.memory().kept <= 65_536


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_sketch_and_ends_alike(tmp_path):
    X, y = rows(20_000)
    part = write(tmp_path / "part.csv", X, y, header="").read_bytes()
    file = tmp_path / "p.csv"
    file.write_bytes(b"a,b,y\n" + part * 30)
    args = ["--no-report", "--runs-dir", tmp_path / "runs", "--k", "128", "--every", "1"]
    whole = run(file, *args, "-o", tmp_path / "whole.sk")
    assert whole.returncode == 0, whole.stderr
    words = [sys.executable, "-m", "gnomon", "stream", str(file), *map(str, args), "-o", str(tmp_path / "a.sk")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as on:
        while not (tmp_path / "a.sk").exists() and on.poll() is None:
            time.sleep(0.01)
        on.send_signal(signal.SIGKILL)
    assert on.returncode == -signal.SIGKILL
    assert HingeSketch.load(tmp_path / "a.sk").n_seen_ < 600_000
    resumed = run(file, *args, "-o", tmp_path / "a.sk", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "a.sk").read_bytes() == (tmp_path / "whole.sk").read_bytes()
    other = run(file, *args, "-o", tmp_path / "a.sk", "--resume", "--columns", "a")
    assert b"was made from other data" in other.stderr


def test_a_pipe_goes_on_where_its_sketch_left_off(tmp_path):
    X, y = rows(3000)
    text = write(tmp_path / "p.txt", X, y, header="", separator=" ").read_bytes()
    args = ["-", "--no-report", "--runs-dir", tmp_path / "runs", "-o", tmp_path / "a.sk", "--k", "64"]
    cut = text.index(b"\n", len(text) // 2) + 1
    assert run(*args, stdin=text[:cut]).returncode == 0
    half = HingeSketch.load(tmp_path / "a.sk").n_seen_
    assert 0 < half < 3000
    assert run(*args, "--resume", stdin=text).returncode == 0
    assert HingeSketch.load(tmp_path / "a.sk").n_seen_ == 3000
