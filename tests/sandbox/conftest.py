"""What the tests of jails share: a driver that runs a program, a warm jail, a look at what is left."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.sandbox import Jail, JailKind, Job, Limits, Outcome, Pool, find_jail

PROGRAM = """
def main(payload, emit, receive):
    exec(compile(payload, "program", "exec"), {"__name__": "__main__", "emit": emit, "receive": receive})
"""


@pytest.fixture(scope="session")
def bubblewrap() -> JailKind:
    """The kind that most tests use; skipped where it is not installed, an error where it is and does not work."""
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    return find_jail("bubblewrap")


@pytest.fixture(scope="module")
def jail(bubblewrap: JailKind) -> Iterator[Jail]:
    """One warm jail for a file of tests."""
    with Jail(bubblewrap) as one:
        yield one


@pytest.fixture(scope="session")
def program() -> Callable[..., Job]:
    """`program(text, stdin, seconds=..., ...)` is the job that runs `text` with `emit` and `receive` in reach."""

    def make(text: str, stdin: bytes = b"", **limits: float) -> Job:
        return Job(PROGRAM, text, stdin, Limits(**limits))

    return make


@pytest.fixture
def run(jail: Jail, program: Callable[..., Job]) -> Callable[..., Outcome]:
    """Runs a program in the file's jail."""

    def call(text: str, stdin: bytes = b"", **limits: float) -> Outcome:
        return jail.run(program(text, stdin, **limits))

    return call


def _descendants(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(folder.name)] = int(fields[1])
    found, new = [], [pid]
    while new:
        found += new
        new = [child for child, parent in parents.items() if parent in new]
    return [one for one in found if one in parents]


@pytest.fixture(scope="session")
def descendants() -> Callable[[int], list[int]]:
    """Living processes below one, itself included, as seen outside of any jail."""
    return _descendants


@pytest.fixture(scope="session")
def pythons_folder() -> str:
    """The folder of the Python that runs in a jail."""
    return os.path.abspath(sys.base_prefix)


ATTACKER = """
import ctypes, os, sys
C = ctypes.CDLL(None, use_errno=True)
def refused(action, *arguments, **more):
    "True where the action is refused by the system."
    try:
        action(*arguments, **more)
    except OSError:
        return True
    return False
def called(number, *arguments):
    "The system's own answer to a system call: -1 is failure."
    ctypes.set_errno(0)
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return C.syscall(ctypes.c_long(number), *words), ctypes.get_errno()
"""
HONEST = """
import json, math, os, random, struct, numpy, threading
done = []
threading.Thread(target=done.append, args=(1,)).start()
a, b = map(int, input().split())
print(a + b, math.sqrt(16), json.loads("[1]"), numpy.arange(3).sum(), struct.pack("<I", 1), done)
emit({"files": os.listdir("/tmp"), "processes": sum(name.isdigit() for name in os.listdir("/proc"))})
"""


@pytest.fixture(scope="module")
def lone_pool(bubblewrap: JailKind) -> Iterator[Pool]:
    """A pool of one jail, whose parent has a secret in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNOMON_TEST_SECRET", "a secret of the parent")
        with Pool(bubblewrap, workers=1) as one:
            yield one


@pytest.fixture
def withstand(lone_pool: Pool, program: Callable[..., Job]) -> Callable[..., None]:
    """Runs an attack and then an honest program: the verdict is right and in time, and nothing is left behind."""

    def check(text: str, verdicts: tuple[str, ...], prints: bytes | None, says: str, limits: dict[str, float]) -> None:
        started = time.monotonic()
        jobs = [program(ATTACKER + text, **limits), program(HONEST, b"3 4")]
        outcomes = dict(lone_pool.map(jobs))
        assert outcomes[0].status in verdicts, outcomes[0]
        assert says in outcomes[0].message
        assert prints is None or outcomes[0].stdout == prints
        # The machine may be busy, and a jail that was thrown away is started again; "for ever" would be ten seconds.
        assert time.monotonic() - started < limits["seconds"] + 5
        assert outcomes[0].seconds < limits["seconds"] + 1
        assert outcomes[1].status == "ok", outcomes[1]
        assert outcomes[1].stdout == b"7 4.0 [1] 3 b'\\x01\\x00\\x00\\x00' [1]\n"
        assert outcomes[1].results == [{"files": [], "processes": 2}]
        jail = lone_pool._all[0].jail
        assert jail.pid is not None
        assert len(_descendants(jail.pid)) == 2  # as seen outside: bwrap and the zygote

    return check
