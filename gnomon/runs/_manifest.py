"""What is written down of a run: the manifest (once) and the records (one a unit).

Belongs here: persisted types and the description of this machine. Does not belong here: reading and writing them
(`_run.py`, `_journal.py`).
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gnomon.blocks import Status

__all__ = ["SCHEMA", "Manifest", "Record", "surroundings"]

SCHEMA = 1


class Record(BaseModel):
    """One unit, as a line of records.jsonl. A later line with the same id replaces an earlier one."""

    model_config = ConfigDict(extra="forbid")

    id: str
    subset: str
    split: str
    group: str
    input: str
    """Hash of everything that the model was given."""
    status: Status
    output: dict[str, Any] = {}
    parsed: int | str | None = None
    """The option, or the answer's text, that was read from the output."""
    target: int | str | None = None
    correct: bool | None = None
    """Right or wrong by the run's own grader; None where nothing was graded, or where right is no yes or no."""
    grades: dict[str, Any] = {}
    """What each grader found, by its name."""
    tie: bool = False
    shots: int = 0
    message: str = ""
    seconds: float = 0.0


class Manifest(BaseModel):
    """What a run was: enough to judge its numbers and to make them again."""

    model_config = ConfigDict(extra="forbid")

    gnomon_schema: int = SCHEMA
    id: str
    study: str
    title: str
    status: Literal["running", "incomplete", "complete"]
    spec: dict[str, Any]
    """What defines the run: with another spec it is another run."""
    plan: dict[str, Any]
    """What may grow within it: limits and seeds, all that were asked for."""
    model: dict[str, str]
    protocol: dict[str, Any]
    data: dict[str, Any]
    streams: dict[str, str] = {}
    """Named random streams: what each was used for."""
    command: str
    started: str
    finished: str | None = None
    seconds: float = 0.0
    tokens_computed: int = 0
    statuses: dict[str, int] = {}
    versions: dict[str, str] = {}
    host: dict[str, str] = {}


def surroundings() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of what computes, and what machine this is; no user name, no host name, no path."""
    versions = {"python": platform.python_version()}
    for name in ("gnomon", "torch", "transformers", "tokenizers", "numpy", "scipy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if commit := _git_commit():
        versions["gnomon commit"] = commit
    host = {"system": platform.platform(), "machine": platform.machine(), "cores": str(_cores())}
    torch = sys.modules.get("torch")
    if torch is not None:
        host["threads"] = str(torch.get_num_threads())
        if torch.cuda.is_available():
            host["accelerator"] = torch.cuda.get_device_name()
    return versions, host


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git_commit() -> str | None:
    """The commit of gnomon's own checkout, with + where files differ from it; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        run = {"cwd": root, "capture_output": True, "text": True, "timeout": 5, "check": True}
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()  # type: ignore[call-overload]
        changed = subprocess.run(["git", "status", "--porcelain", "gnomon"], **run).stdout.strip()  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit[:12]}{'+' if changed else ''}"
