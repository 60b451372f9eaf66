"""What the tests of jails share: a driver that runs a program, a warm jail, a look at what is left."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.sandbox import Jail, JailKind, Job, Limits, Outcome, find_jail

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
