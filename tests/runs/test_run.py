"""A run's folder under faults: kills at any moment, torn and foreign files, full disks, two processes at once."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gnomon import evaluate
from gnomon.errors import RunError
from gnomon.runs import Journal, Run, list_runs


def ask(hashed, runs_dir, **more):
    return evaluate("facts", hashed(), runs_dir=runs_dir, cache=False, **{"limit": 2, **more})


def result(run):
    return (run.path / "result.json").read_bytes()


# kills ---------------------------------------------------------------------------------------------------------------

FORKS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Hashed
from gnomon import evaluate

watched = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "sqlite3.connect"}
folder = Path(sys.argv[2])
low, step = int(sys.argv[3]), int(sys.argv[4])
left = -1
WHAT = {"task_args": {"subsets": "capitals-questions,capitals-statements,animals-questions"}, "command": "again"}

def hook(event, args):
    global left
    if event in watched and left > 0 and (event != "open" or str(folder) in str(args[0])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)

def child(runs_dir, kill_at):
    global left
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os.environ["GNOMON_CACHE"] = str(runs_dir / "cache")
        left = kill_at
        evaluate("facts", Hashed(batch=2), limit=2, runs_dir=runs_dir, **WHAT)
        os._exit(0)
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
        os._exit(1)

os.environ["GNOMON_CACHE"] = str(folder / "whole" / "cache")
evaluate("facts", Hashed(batch=2), limit=2, runs_dir=folder / "whole", **WHAT)  # here, so that no child need import
[whole] = (folder / "whole").glob("*/result.json")
moment, kills = low, 0
while True:
    runs = folder / str(moment)
    killed = child(runs, moment)
    if killed == 0:
        break
    assert killed == -signal.SIGKILL, (moment, killed)
    kills += 1
    assert child(runs, -1) == 0, moment
    [found] = runs.glob("*/result.json")
    assert found.read_bytes() == whole.read_bytes(), moment
    assert sorted(p.name for p in found.parent.iterdir() if not p.name.startswith(".")) == sorted(
        p.name for p in whole.parent.iterdir() if not p.name.startswith(".")
    ), moment
    assert '"status": "complete"' in (found.parent / "manifest.json").read_text(), moment
    moment += step
print(kills)
"""


def test_a_kill_before_any_touch_of_a_file_changes_no_byte_of_the_result(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "runs"), "1", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 15


def command(model, runs_dir):
    args = ["-T", "subsets=capitals-questions,animals-statements", "-M", "batch_tokens=64", "--limit", "60"]
    return [sys.executable, "-m", "gnomon", "eval", "facts", "-m", f"hf/{model}", *args, "--runs-dir", str(runs_dir)]


def environment(folder):
    return {**os.environ, "OMP_NUM_THREADS": "1", "GNOMON_CACHE": str(folder / "cache")}


def finish(model, folder):
    done = subprocess.run(
        command(model, folder / "runs"),
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [found] = list_runs(folder / "runs")
    return found, done


@pytest.fixture(scope="module")
def uninterrupted(tiny_model, tmp_path_factory):
    return finish(tiny_model, tmp_path_factory.mktemp("whole"))[0]


def recorded(folder):
    return sum(path.read_bytes().count(b"\n") for path in (folder / "runs").glob("*/records.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("when", ["40 records", "seed 0", "seed 1"])
def test_kill_9_and_the_same_command_again_give_the_same_result(when, tiny_model, uninterrupted, tmp_path):
    process = subprocess.Popen(
        command(tiny_model, tmp_path / "runs"),
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    number, what = when.split()[::-1] if when.startswith("seed") else when.split()
    wanted = int(number) if what.startswith("record") else 1
    late = 0.0 if what.startswith("record") else random.Random(int(number)).uniform(0, 0.4)
    if when == "seed 0":  # while it starts: no record yet
        time.sleep(1 + late)
    else:
        end = time.monotonic() + 60
        while recorded(tmp_path) < wanted and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(late)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = recorded(tmp_path)
    found, done = finish(tiny_model, tmp_path)
    assert result(found) == result(uninterrupted)
    assert found.manifest.status == "complete"
    assert (found.path / "report.html").stat().st_size > 10_000
    assert found.manifest.statuses == {"ok": 120}
    lines = [json.loads(line)["id"] for line in (found.path / "records.jsonl").read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 120
    if 0 < before < 120:
        assert "are recorded already; going on" in done.stderr
    if what.startswith("record"):
        assert wanted <= before < 120


def test_a_torn_journal_gives_the_same_result(hashed, tmp_path):
    whole = ask(hashed, tmp_path / "whole")
    content = (whole.path / "records.jsonl").read_bytes()
    for size in random.Random(0).sample(range(len(content)), 6):
        run = ask(hashed, tmp_path / str(size))
        (run.path / "records.jsonl").write_bytes(content[:size])
        (run.path / "result.json").unlink()
        again = ask(hashed, tmp_path / str(size))
        assert result(again) == result(whole)
        assert len(again.records()) == len(whole.records())


def test_a_broken_line_is_asked_again_and_the_log_says_so(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    before = result(run)
    journal = run.path / "records.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[20] = b"\x00\xffgarbage\n"
    journal.write_bytes(b"".join(lines)[:-5])
    again = ask(hashed, tmp_path)
    assert result(again) == before
    assert "1 broken line(s) were passed over" in (run.path / "log.txt").read_text()
    assert "a half-written last line was cut off" in (run.path / "log.txt").read_text()
    assert len(journal.read_bytes().splitlines()) == len(lines) + 1


def test_records_of_other_inputs_are_asked_again(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    before = result(run)
    journal = run.path / "records.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    for row in rows[::2]:
        row.update(input="f" * 16, parsed=0, correct=True)
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert result(ask(hashed, tmp_path)) == before


# folders that are no runs --------------------------------------------------------------------------------------------


def test_a_folder_in_the_way_is_left_alone(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    (run.path / "manifest.json").unlink()
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises(RunError, match=r"is no run of gnomon \(it has no manifest\.json\)"):
        ask(hashed, tmp_path)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_what_a_killed_write_left_is_not_in_the_way(hashed, tmp_path):
    name = ask(hashed, tmp_path / "other").path.name
    (tmp_path / name).mkdir()
    (tmp_path / name / ".manifest.json.77.tmp").write_text("{")
    (tmp_path / name / ".lock").write_text("")
    assert ask(hashed, tmp_path).manifest.status == "complete"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"id": 1}', "\x00"])
def test_a_corrupt_manifest_is_refused_with_what_to_do(content, hashed, tmp_path):
    run = ask(hashed, tmp_path)
    (run.path / "manifest.json").write_text(content)
    for do in (lambda: Run(run.path), lambda: ask(hashed, tmp_path)):
        with pytest.raises(RunError, match=r"manifest\.json cannot be read .* away"):
            do()
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"blocks": 1}', '{"blocks": [{"kind": "what"}]}', "\xff"])
def test_a_corrupt_result_is_refused_and_made_again_by_the_same_command(content, hashed, tmp_path):
    run = ask(hashed, tmp_path, command="gnomon eval it")
    before = result(run)
    (run.path / "result.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunError, match=r"result\.json cannot be read .* gnomon eval it"):
        run.result()
    assert result(ask(hashed, tmp_path)) == before


def test_a_file_and_a_missing_folder_are_no_runs(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    with pytest.raises(RunError, match="a file, not a folder"):
        Run(run.path / "report.html")
    with pytest.raises(RunError, match=f"there is no such folder.*{run.path.name}"):
        Run(tmp_path / "nothing")
    (run.path / "result.json").unlink()
    with pytest.raises(RunError, match="no result yet"):
        run.result()


def test_reading_a_run_writes_nothing(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    with (run.path / "records.jsonl").open("ab") as file:
        file.write(b'{"id": "half')
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.path.iterdir()}
    again = Run(run.path)
    assert len(again.records()) == 56
    again.result()
    list_runs(tmp_path)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.path.iterdir()} == before


# two at once ---------------------------------------------------------------------------------------------------------

HOLD = """
import sys, fcntl
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_that_another_process_works_on_is_left_as_it_is(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        before = {path.name: path.read_bytes() for path in run.path.iterdir()}
        with pytest.raises(RunError, match="another process is working on"):
            ask(hashed, tmp_path, limit=3)
        assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before
    finally:
        holder.kill()  # a lock dies with its process
        holder.communicate()
    assert ask(hashed, tmp_path, limit=3).manifest.status == "complete"


# disks ---------------------------------------------------------------------------------------------------------------


def mounted(place, options):
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting needs more rights")


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    mounted(place, "size=64k")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_keeps_the_records_and_the_run_goes_on_after_room_is_made(hashed, tmp_path, small_disk):
    whole = ask(hashed, tmp_path / "whole", limit=8)
    with pytest.raises(RunError, match=r"(records\.jsonl|report\.html|log\.txt).*(No space left on device)") as caught:
        ask(hashed, small_disk, limit=8)
    assert any(word in str(caught.value) for word in ("Make room", "free some space"))
    [folder] = small_disk.iterdir()
    kept = Journal(folder / "records.jsonl").records
    assert 0 < len(kept) < len(whole.records())
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = hashed()
    run = evaluate("facts", again, limit=8, runs_dir=small_disk, cache=False)
    assert result(run) == result(whole)
    assert len(again.asked) == len(whole.records()) - len(kept)
    assert not [path for path in run.path.iterdir() if path.name.endswith((".tmp", ".part"))]


@pytest.mark.parametrize("file", ["manifest.json", "log.txt", "records.jsonl", "report.html", "result.json"])
def test_a_disk_that_fills_at_any_file_names_it_and_loses_nothing(file, hashed, tmp_path, monkeypatch):
    whole = ask(hashed, tmp_path / "whole")
    folder = tmp_path / "runs"

    def full(opened):
        def attempt(path, *args, **more):
            writing = args and not args[0].startswith("r")
            if writing and str(folder) in str(path) and all(part in Path(path).name for part in file.split(".")):
                raise OSError(28, "No space left on device", str(path))
            return opened(path, *args, **more)

        return attempt

    monkeypatch.setattr(Path, "open", full(Path.open))
    monkeypatch.setattr("builtins.open", full(open))
    with pytest.raises(RunError, match=rf"{file} (cannot|could not) be written: No space left on device"):
        ask(hashed, folder)
    monkeypatch.undo()
    assert not [path for path in folder.rglob("manifest.json") if '"complete"' in path.read_text()]
    assert result(ask(hashed, folder)) == result(whole)


def test_a_read_only_disk_is_said_in_one_sentence(hashed, tmp_path):
    place = tmp_path / "disk"
    mounted(place, "ro")
    try:
        with pytest.raises(RunError, match=r"cannot be written: Read-only file system.*--runs-dir"):
            ask(hashed, place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_runs_are_listed_oldest_first_and_other_folders_passed_over(hashed, tmp_path):
    second = ask(hashed, tmp_path, task_args={"subsets": "capitals-questions"})
    first = ask(hashed, tmp_path, task_args={"subsets": "animals-questions"})
    first.update(first.manifest.model_copy(update={"started": "2001-01-01T00:00:00Z"}))
    (tmp_path / "notes").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    assert [run.path for run in list_runs(tmp_path)] == [first.path, second.path]
    assert list_runs(tmp_path / "nowhere") == []


def test_everything_in_a_run_can_be_read_without_gnomon(hashed, tmp_path):
    run = ask(hashed, tmp_path)
    code = textwrap.dedent(
        f"""
        import json, pathlib
        folder = pathlib.Path({str(run.path)!r})
        rows = [json.loads(line) for line in (folder / "records.jsonl").open()]
        share = sum(row["correct"] for row in rows) / len(rows)
        blocks = json.loads((folder / "result.json").read_text())["blocks"]
        value = next(b["value"] for b in blocks if b.get("name") == "accuracy, micro")
        assert abs(share - value) < 1e-12, (share, value)
        assert json.loads((folder / "manifest.json").read_text())["status"] == "complete"
        """
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
