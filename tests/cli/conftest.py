"""The command line in this process, and as a program of its own."""

import os
import subprocess
import sys

import pytest

from gnomon.cli import main


@pytest.fixture
def cli(capsys, monkeypatch):
    """A function from arguments to (exit status, standard output, standard error)."""

    def run(*args):
        words = [str(arg) for arg in args]
        monkeypatch.setattr(sys, "argv", ["gnomon", *words])
        with pytest.raises(SystemExit) as left:
            main(words)
        found = capsys.readouterr()
        return left.value.code, found.out, found.err

    return run


@pytest.fixture
def program():
    """A function that runs `python -m gnomon` with arguments and returns the finished process."""

    def run(*args, **more):
        command = [sys.executable, "-m", "gnomon", *map(str, args)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **more,
        )

    return run


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """The working directory is empty, so that whatever a command writes by default is seen."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
