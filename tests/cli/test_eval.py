"""`gnomon eval` as a user sees it: statuses, what is printed, interruption."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from gnomon.cli._progress import Bar
from gnomon.runs import list_runs

U = ("-m", "mock/uniform", "--no-cache")


def test_a_complete_run_prints_numbers_report_and_path_and_leaves_0(cli, in_tmp):
    status, out, err = cli("eval", "facts", *U, "--limit", "2")
    assert (status, err) == (0, "")
    [run] = list_runs(in_tmp / "runs")
    assert "accuracy, micro" in out
    assert "chance" in out
    assert f"Report: open runs/{run.path.name}/report.html in a browser" in out
    assert f"Run:    runs/{run.path.name}" in out
    assert "\x1b" not in out
    assert run.manifest.command == "gnomon eval facts -m mock/uniform --no-cache --limit 2"


def test_errors_leave_1_then_the_same_command_leaves_0(cli, in_tmp):
    args = ("eval", "facts", "-m", "mock/flaky", "--no-cache", "--limit", "2")
    status, out, _ = cli(*args, "-M", "rate=0.5", "-M", "seed=1")
    assert status == 1
    assert "The run is incomplete. Give the same command again to ask what is missing" in " ".join(out.split())
    status, out, err = cli(*args, "-M", "rate=0")
    assert status == 0
    assert "incomplete" not in out
    assert "are recorded already; going on" in err
    assert len(list_runs(in_tmp / "runs")) == 1


def test_garbage_prints_no_number(cli, in_tmp):
    status, out, _ = cli("eval", "facts", "-m", "mock/garbage", "--limit", "1")
    assert status == 1
    assert "not given: nothing was answered" in " ".join(out.split())
    status, out, _ = cli("eval", "facts", "-m", "mock/garbage", "--limit", "1", "--accept-errors")
    assert status == 0
    assert "as was asked" in " ".join(out.split())


def test_json_is_one_object_a_line(cli, in_tmp, small_release):
    data = ("-T", f"data={small_release('ethics')}", "-T", "counts=any")
    status, out, err = cli("eval", "ethics,ethics", *U, *data, "--json")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 2
    for line in lines:
        found = json.loads(line)
        assert found["status"] == "complete"
        assert {block["kind"] for block in found["blocks"]} <= {"estimate", "table", "note"}
        assert (in_tmp / found["run"] / "manifest.json").is_file()


def test_several_tasks_make_a_run_each_and_each_knows_its_own_command(cli, in_tmp):
    cli("eval", "facts,ethics", *U, "-T", "data=x")
    assert not (in_tmp / "runs").exists()
    status, _, _ = cli("eval", "facts,facts", *U, "--limit", "1")
    assert status == 0
    assert [run.manifest.command for run in list_runs(in_tmp / "runs")] == [
        "gnomon eval facts -m mock/uniform --no-cache --limit 1"
    ]


def test_a_name_with_square_brackets_is_shown_as_it_is(cli, in_tmp, tmp_path):
    place = tmp_path / "[bold]a[" / "b]"
    status, out, _ = cli("eval", "facts", *U, "--limit", "1", "--runs-dir", place)
    assert status == 0
    assert f"Run:    {place}" in out


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with Bar("task") as bar:
        for done in range(12):
            bar(done, 12)
    err = capsys.readouterr().err
    assert len(err.splitlines()) >= 3
    assert all(line.startswith("task: ") and "/s, " in line and line.endswith(" left") for line in err.splitlines())
    assert "\x1b" not in err
    assert "\r" not in err


def test_work_under_two_seconds_shows_no_progress(capsys):
    with Bar("task") as bar:
        for done in range(12):
            bar(done, 12)
    assert capsys.readouterr().err == ""


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started deaf to it
from gnomon.models import mock
from gnomon.cli import main

def slow(self, asks, skip):
    for index in range(len(asks)):
        if not skip(index):
            time.sleep(0.1)
            yield [(index, self._answer(index, asks[index]))]

mock.Uniform.score = slow
main(sys.argv[1:])
"""


def test_ctrl_c_leaves_130_and_a_run_that_goes_on(cli, in_tmp):
    args = ["eval", "facts", *U, "--limit", "6"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *args],
        cwd=in_tmp,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    end = time.monotonic() + 60
    while not list(in_tmp.glob("runs/*/records.jsonl")) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted. What was answered is kept: give the same command again to go on." in err
    assert "Traceback" not in err
    [run] = list_runs(in_tmp / "runs")
    kept = len(run.records())
    assert kept > 0
    assert run.manifest.status == "running"
    status, _, err = cli(*args)
    assert status == 0
    assert f"{kept:,} of" in err
    assert list_runs(in_tmp / "runs")[0].manifest.status == "complete"


def test_a_reader_that_goes_away_gets_no_traceback(in_tmp):
    command = [sys.executable, "-m", "gnomon", "ls", "tasks", "mmlu"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert b"Traceback" not in err


@pytest.mark.slow
def test_quickstart_asks_the_embedded_model(cli, in_tmp, monkeypatch, model_cache):
    from gnomon.models import smollm2

    if smollm2.source() is None:
        pytest.skip("the embedded model is not installed")
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    status, out, _ = cli("quickstart", "--limit", "1")
    assert status == 0
    assert "Next:" in out
    [run] = list_runs(in_tmp / "runs")
    assert (run.manifest.status, run.manifest.title) == ("complete", "facts · smollm2")
