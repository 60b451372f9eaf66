"""The store of states under faults: kills at any byte, damage anywhere, full disks, other models, many processes."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.asks import Reading, StateLayout, States
from gnomon.errors import RunError
from gnomon.runs import StateStore, _states_files, represent_all

LAYOUT = StateLayout(("0", "1"), 3, "float16", "last token")
ASKED = [Reading(f"Is {number} even?", ("yes", "no")) for number in range(4)]


def states(reading):
    rows = [[hash_of(reading.question + answer, number) for number in range(2)] for answer in reading.answers]
    return States(np.array(rows, dtype=np.float32), (len(reading.question),) * len(reading.answers))


def hash_of(text, number):
    return random.Random(f"{text}{number}").choices(range(-999, 999), k=3)


def opened(root, fingerprint="model"):
    return StateStore(root, fingerprint=fingerprint, layout=LAYOUT)


def add(store, readings):
    store.add([(reading, states(reading)) for reading in readings])


def wrong(store, readings):
    """Whether any number of `readings` is not what it must be."""
    expected = np.stack([states(reading).values for reading in readings])
    return any((store.layer(readings, name) != expected[:, :, n]).any() for n, name in enumerate(LAYOUT.layers))


def read(log):
    def represent(readings, skip):
        for index, reading in enumerate(readings):
            if not skip(index):
                log.append(reading)
                yield [(index, states(reading))]

    return represent


def copied(whole, folder):
    folder.mkdir(parents=True)
    for name, data in whole.items():
        (folder / name).write_bytes(data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of all of ASKED: the name of its folder and its files."""
    store = opened(tmp_path_factory.mktemp("whole"))
    add(store, ASKED)
    return store.path.name, {path.name: path.read_bytes() for path in store.path.iterdir()}


# torn ----------------------------------------------------------------------------------------------------------------


class Gone(BaseException):
    """The process is no more."""


def stopping(left, how):
    """`_write_at` that takes `left` bytes in all, then fails by `how`; and the count of what it took."""
    write = _states_files._write_at
    room = [left]

    def narrow(path, offset, data):
        taken = data[: room[0]]
        room[0] -= len(taken)
        if taken:
            write(path, offset, taken)
        if len(taken) < len(data):
            raise how

    return narrow, room


@pytest.mark.parametrize("how", [Gone(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full"])
def test_a_stop_at_any_byte_loses_nothing_that_was_kept_and_the_next_add_mends_the_rest(tmp_path, monkeypatch, how):
    counted, room = stopping(10**6, how)
    monkeypatch.setattr(_states_files, "_write_at", counted)
    add(opened(tmp_path / "count"), ASKED[1:3])
    total = 10**6 - room[0]
    assert total > 100
    for size in range(total):
        monkeypatch.undo()
        store = opened(tmp_path / str(size))
        add(store, ASKED[:1])
        monkeypatch.setattr(_states_files, "_write_at", stopping(size, how)[0])
        with pytest.raises(Gone if isinstance(how, Gone) else RunError):
            add(store, ASKED[1:3])
        monkeypatch.undo()
        for one in (store, opened(tmp_path / str(size))):  # this process may go on, too
            assert not wrong(one, [reading for reading in ASKED if reading in one])
            assert ASKED[0] in one
            assert one.remarks == []
        add(store, ASKED[3:])
        log = []
        assert represent_all(ASKED, opened(tmp_path / str(size)), read(log)).failures == {}
        assert set(log) <= set(ASKED[1:3])
        last = opened(tmp_path / str(size))
        assert (last.rows, wrong(last, ASKED), last.remarks) == (8, False, [])


KILLS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_states_faults import ASKED, opened, read, represent_all, wrong

left = -1
folder = sys.argv[2]

def hook(event, args):
    global left
    if left > 0 and event in {"open", "os.rename", "os.remove", "os.mkdir", "mmap.__new__", "fcntl.flock"} and (
        event != "open" or folder in str(args[0])
    ):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
moment = 0
while True:
    moment += 1
    root = Path(folder) / str(moment)
    pid = os.fork()
    if not pid:
        left = moment
        represent_all(ASKED, opened(root), read([]))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    log, store = [], opened(root)
    before = [reading for reading in ASKED if reading in store]
    represent_all(ASKED, store, read(log))
    assert log == [reading for reading in ASKED if reading not in before], moment
    assert not wrong(opened(root), ASKED) and store.remarks == [], moment
    assert opened(root).rows == 8
print(moment - 1)
"""


def run(script, *args):
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_kill_9_before_any_touch_of_a_file_costs_what_was_not_kept_and_no_more(tmp_path):
    assert int(run(KILLS, tmp_path)) > 15


# damaged -------------------------------------------------------------------------------------------------------------


def mended(root):
    """Read all again in a damaged store: the readings that were computed, and the remarks of the first opening."""
    log, store = [], opened(root)
    assert represent_all(ASKED, store, read(log)).failures == {}
    assert not wrong(store, ASKED)
    again = opened(root)
    assert not wrong(again, ASKED)
    rest = []
    represent_all(ASKED, again, read(rest))
    assert rest == []
    return log, store.remarks, again.remarks


@pytest.mark.parametrize("name", ["layer-000.bin", "layer-001.bin", "index.bin"])
def test_a_file_cut_at_any_length_costs_the_rows_behind_the_cut(tmp_path, whole, name):
    folder, files = whole
    each = len(files[name]) // 8
    for size in range(len(files[name])):
        copied(files, tmp_path / str(size) / folder)
        (tmp_path / str(size) / folder / name).write_bytes(files[name][:size])
        log, first, then = mended(tmp_path / str(size))
        assert log == ASKED[size // each // 2 :]
        if name != "index.bin":  # an index cut short is what a kill leaves: no damage
            assert "states of" in first[0]
            assert "cut off" in first[0]
        assert then == []


@pytest.mark.parametrize("name", ["layer-000.bin", "index.bin"])
def test_a_missing_file_is_made_again(tmp_path, whole, name):
    folder, files = whole
    copied({key: value for key, value in files.items() if key != name}, tmp_path / folder)
    log, _, then = mended(tmp_path)
    assert (log, then) == (ASKED, [])


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_flipped_bit_anywhere_costs_one_reading_and_is_said_once(tmp_path_factory, whole, data):
    folder, files = whole
    root = tmp_path_factory.mktemp("states")
    name = data.draw(st.sampled_from([name for name in sorted(files) if name.endswith(".bin")]))
    bad = bytearray(files[name])
    at = data.draw(st.integers(0, len(bad) - 1))
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    copied({**files, name: bytes(bad)}, root / folder)
    row = at // (len(bad) // 8)
    log, first, then = mended(root)
    assert log == [ASKED[row // 2]]
    assert len(first) == 1
    assert "1 texts" in first[0]
    assert "computed again" in first[0]
    assert then == []


def test_a_layer_is_believed_or_refused_by_its_own_bytes_only(tmp_path, whole):
    folder, files = whole
    bad = bytearray(files["layer-001.bin"])
    bad[-1] ^= 1
    copied({**files, "layer-001.bin": bytes(bad)}, tmp_path / folder)
    store = opened(tmp_path)
    assert (store.layer(ASKED, "0") == np.stack([states(one).values[:, 0] for one in ASKED])).all()
    assert (store.layer(ASKED[:3], "1") == np.stack([states(one).values[:, 1] for one in ASKED[:3]])).all()
    with pytest.raises(RunError, match=r"states of 1 texts in .* are damaged and were dropped\. Give the same command"):
        store.layer(ASKED, "1")
    assert [reading in store for reading in ASKED] == [True, True, True, False]
    log, _, then = mended(tmp_path)
    assert (log, then) == (ASKED[3:], [])


@pytest.mark.parametrize("name", ["layer-000.bin", "index.bin"])
def test_a_file_that_is_cut_under_an_open_store_is_refused_not_misread(tmp_path, whole, name):
    folder, files = whole
    copied(files, tmp_path / folder)
    store = opened(tmp_path)
    store.check(ASKED)
    (tmp_path / folder / name).write_bytes(files[name][: len(files[name]) // 2])
    with pytest.raises(RunError, match=r"damaged and were dropped|no states of the reading"):
        (store.tokens if name == "index.bin" else lambda asked: store.layer(asked, "0"))(ASKED)
    log = []
    represent_all(ASKED, store, read(log))
    assert log == ASKED[2:]
    assert not wrong(store, ASKED)


def test_rows_that_were_seen_half_written_are_not_struck_out(tmp_path, whole):
    folder, files = whole
    copied(files, tmp_path / folder)
    (tmp_path / folder / "layer-001.bin").write_bytes(files["layer-001.bin"][:-1])
    (tmp_path / folder / "index.bin").write_bytes(files["index.bin"][:-1] + b"\x00")
    early = opened(tmp_path)
    assert early.rows == 7
    for name in ("layer-001.bin", "index.bin"):  # now they are whole
        (tmp_path / folder / name).write_bytes(files[name])
    more = Reading("More?", ("a", "b"))
    add(early, [more])
    assert early.rows == opened(tmp_path).rows == 10
    assert not wrong(early, [*ASKED, more])


def test_junk_behind_the_end_is_written_over(tmp_path, whole):
    folder, files = whole
    copied({name: data + b"\xa5" * 5 for name, data in files.items() if name.endswith(".bin")}, tmp_path / folder)
    store = opened(tmp_path)
    assert (store.rows, store.remarks) == (8, [])
    more = Reading("More?", ("a", "b"))
    add(store, [more])
    again = opened(tmp_path)
    assert (again.rows, again.remarks, wrong(again, [*ASKED, more])) == (10, [], False)


# of another ----------------------------------------------------------------------------------------------------------


def test_the_folder_of_another_model_is_refused_with_both_names(tmp_path, whole):
    _, files = whole
    theirs = opened(tmp_path, "theirs")
    copied(files, theirs.path)
    with pytest.raises(RunError) as caught:
        opened(tmp_path, "theirs")
    layout = "(2 layers of 3 float16 numbers, last token)"
    assert f"holds states of the model model {layout}, not of the model theirs {layout}. Move" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"fingerprint": "model", "layout": {}}'])
def test_a_description_that_cannot_be_read_is_refused_with_what_to_do(tmp_path, whole, content):
    folder, files = whole
    copied({**files, "meta.json": content}, tmp_path / folder)
    with pytest.raises(RunError, match=r"meta\.json cannot be read .* Remove "):
        opened(tmp_path)


def test_the_description_says_whose_states_they_are(whole):
    meta = json.loads(whole[1]["meta.json"])
    assert meta["fingerprint"] == "model"
    assert meta["layout"] == {"layers": ["0", "1"], "width": 3, "dtype": "float16", "rule": "last token"}


# disks ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs more rights")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_full_disk_is_said_in_one_sentence_and_the_same_call_goes_on_after_room_is_made(disk):
    asked = [Reading(f"{number} " + "x" * 10, ("yes", "no")) for number in range(1500)]
    log = []
    with pytest.raises(RunError, match=r"cannot be written: No space left on device\. Make room"):
        represent_all(asked, opened(disk), read(log))
    done = len(log) - 1
    assert 100 < done < 1499
    store = opened(disk)
    assert sum(reading in store for reading in asked) == done
    remount(disk, "size=64m")
    rest = []
    represent_all(asked[: done + 20], store, read(rest))
    assert rest == asked[done : done + 20]
    assert not wrong(store, asked[: done + 20])
    assert store.remarks == []


def test_a_read_only_disk_can_be_read_and_says_so_when_written(disk):
    add(opened(disk), ASKED[:2])
    remount(disk, "ro")
    store = opened(disk)
    assert not wrong(store, ASKED[:2])
    assert represent_all(ASKED[:2], store, read([])).reused == 2
    with pytest.raises(RunError, match="cannot be written: Read-only file system"):
        represent_all(ASKED, store, read([]))
    with pytest.raises(RunError, match="cannot be written: Read-only file system"):
        add(opened(disk, "another"), ASKED)


def test_a_folder_in_the_place_of_a_file_is_said_in_one_sentence(tmp_path, whole):
    folder, files = whole
    copied({name: data for name, data in files.items() if name == "meta.json"}, tmp_path / folder)
    (tmp_path / folder / "index.bin").mkdir()
    with pytest.raises(RunError, match=r"index\.bin cannot be read: Is a directory"):
        opened(tmp_path)


# many at once --------------------------------------------------------------------------------------------------------

MANY = """
import os, random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_states_faults import Reading, add, opened, represent_all, read, wrong

root = Path(sys.argv[2])
asked = [Reading(f"Is {number} prime?", ("yes", "no")) for number in range(120)]
children = []
for seed in range(4):
    pid = os.fork()
    if not pid:
        try:
            mine = random.Random(seed).sample(asked, 90)
            store = opened(root)
            if seed % 2:
                represent_all(mine, store, read([]))
            else:
                for low in range(0, 90, 3):
                    add(store, mine[low : low + 3])
            assert not wrong(store, mine)
            assert store.remarks == []
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    children.append(pid)
looks = 0
while children:
    store = opened(root)
    known = [reading for reading in asked if reading in store]
    assert not known or not wrong(store, known)
    assert store.remarks == [], store.remarks
    looks += 1
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        assert status == 0
        children.remove(pid)
store = opened(root)
entry = store._files.entry.itemsize
texts = 2 * sum(reading in store for reading in asked)
assert store.rows == texts == (store.path / "index.bin").stat().st_size // entry, (store.rows, texts)
print(looks)
"""


def test_writers_at_once_double_and_lose_nothing_and_readers_see_only_whole_rows(tmp_path):
    assert int(run(MANY, tmp_path)) > 1


def test_what_another_process_added_is_found_and_taken_over(tmp_path):
    one, two = opened(tmp_path), opened(tmp_path)
    add(one, ASKED[:2])
    assert not wrong(two, ASKED[:2])
    log = []
    represent_all(ASKED[:3], opened(tmp_path), read(log))
    represent_all(ASKED, two, read(log))
    assert log == [ASKED[2], ASKED[3]]
    assert not wrong(one, ASKED)


def test_a_store_that_was_removed_under_an_open_one_is_begun_anew(tmp_path):
    store = opened(tmp_path)
    add(store, ASKED[:3])
    for path in store.path.iterdir():
        path.unlink()
    store.path.rmdir()
    log = []
    represent_all(ASKED, store, read(log))
    assert log == ASKED
    assert not wrong(opened(tmp_path), ASKED)


HOLD = """
import fcntl, sys
file = open(sys.argv[2], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_dies_with_its_process(tmp_path):
    store = opened(tmp_path)
    add(store, ASKED[:1])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, "", str(store.path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    add(store, ASKED[1:])
    assert not wrong(store, ASKED)
