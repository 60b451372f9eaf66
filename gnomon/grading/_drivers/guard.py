"""What the releases of APPS and HumanEval take away from a program before they run it.

Belongs here: the names, because programs that use them fail officially. Does not belong here: safety, which this is not
and the jail is.
"""

from __future__ import annotations

import builtins
import os
import shutil
import subprocess
import sys

__all__ = ["take_away"]

_OS = """kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace
unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir"""
_MODULES = ("ipdb", "joblib", "resource", "psutil", "tkinter")


def take_away() -> None:
    """Set to None what the releases' guard sets to None (testing_util.py, execution.py)."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in ("exit", "quit", "help"):
        setattr(builtins, name, None)
    for name in _OS.split():
        setattr(os, name, None)
    for name in ("rmtree", "move", "chown"):
        setattr(shutil, name, None)
    setattr(subprocess, "Popen", None)  # noqa: B010  (the type checker knows it as a class)
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
