"""A run as a folder: opening, locking, reading back, finishing.

Belongs here: the folder and its files. Does not belong here: any study.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gnomon.blocks import Block
from gnomon.errors import RunError
from gnomon.files import cannot_write, write_atomically
from gnomon.runs._journal import Journal
from gnomon.runs._manifest import SCHEMA, Manifest, Record

__all__ = ["Run", "list_runs", "now"]

_BLOCKS: TypeAdapter[list[Block]] = TypeAdapter(list[Block])


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Run:
    """One run's folder.

    Parameters
    ----------
    path : Path
        The folder. `Run(path)` of a folder without a manifest raises RunError; see `Run.begin`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)

    @classmethod
    def begin(cls, runs_dir: Path, manifest: Manifest) -> Run:
        """Open the run of this id for work, or begin it; what an earlier invocation recorded is kept."""
        path = runs_dir / manifest.id
        try:
            if (
                not (path / "manifest.json").is_file()
                and path.exists()
                and any(not _passing(entry.name) for entry in path.iterdir())
            ):
                raise RunError(
                    f"{path} exists and is no run of gnomon (it has no manifest.json).",
                    hint="Move it, or use  --runs-dir DIR .",
                )
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        with _locked(path):  # before anything is written: a run that another process works on stays as it is
            if (path / "manifest.json").is_file():
                earlier = _read_manifest(path)
                manifest = manifest.model_copy(update={"started": earlier.started, "seconds": earlier.seconds})
            write_atomically(path / "manifest.json", _json(manifest))
        return cls(path)

    def journal(self) -> Journal:
        """The records, ready for more."""
        return Journal(self.path / "records.jsonl")

    def records(self) -> dict[str, Record]:
        """The latest record of every unit, by id."""
        return Journal(self.path / "records.jsonl").records

    def result(self) -> list[Block]:
        """The summary's blocks. Raises RunError where the run has none yet."""
        try:
            stored = json.loads((self.path / "result.json").read_text(encoding="utf-8"))
            return _BLOCKS.validate_python(stored["blocks"])
        except FileNotFoundError:
            raise RunError(
                f"{self.path} has no result yet.", hint=f"Go on with the run:  {self.manifest.command}"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path / 'result.json'} cannot be read ({type(error).__name__}).",
                hint=f"Make it again:  {self.manifest.command}",
            ) from error

    def finish(self, blocks: Sequence[Block], manifest: Manifest) -> None:
        """Write the result, then the manifest: its status is the last thing that changes."""
        body = {
            "gnomon_schema": SCHEMA,
            "run": manifest.id,
            "blocks": [block.model_dump(mode="json", exclude_defaults=False) for block in blocks],
        }
        write_atomically(self.path / "result.json", json.dumps(body, indent=1, ensure_ascii=True) + "\n")
        self.update(manifest)

    def update(self, manifest: Manifest) -> None:
        write_atomically(self.path / "manifest.json", _json(manifest))
        self.manifest = manifest

    def log(self, text: str) -> None:
        """Add a line with the time to log.txt."""
        try:
            with (self.path / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"{now()} {text}\n")
        except OSError as error:
            raise cannot_write(self.path / "log.txt", error) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process works on a run at a time; a lock dies with its process. Raises RunError where another
        holds it."""
        with _locked(self.path):
            yield


def list_runs(runs_dir: Path) -> list[Run]:
    """All runs under `runs_dir`, oldest first; folders that are no runs are passed over."""
    found = []
    for manifest in runs_dir.glob("*/manifest.json"):
        with contextlib.suppress(RunError):
            found.append(Run(manifest.parent))
    return sorted(found, key=lambda run: (run.manifest.started, run.manifest.id))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no such locks on this system; appends are still whole lines
        yield
        return
    try:
        file = (path / ".lock").open("w")
    except OSError as error:
        raise cannot_write(path / ".lock", error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(
                f"another process is working on {path}.", hint="Wait for it, or use  --runs-dir DIR ."
            ) from None
        yield


def _passing(name: str) -> bool:
    """Whether a file says nothing of a run: the lock, and what a write that was killed leaves."""
    return name == ".lock" or (name.startswith(".") and name.endswith(".tmp"))


def _read_manifest(path: Path) -> Manifest:
    file = path / "manifest.json"
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        what = "there is no such folder" if not path.exists() else "it has no manifest.json"
        raise RunError(f"{path} is no run: {what}.", hint=_nearby(path)) from None
    except NotADirectoryError:
        raise RunError(f"{path} is no run: it is a file, not a folder.", hint=_nearby(path)) from None
    except (OSError, ValidationError) as error:
        raise RunError(
            f"{file} cannot be read ({type(error).__name__}).",
            hint=f"Move {path} away and give the command again; the records in its records.jsonl are lines "
            "of JSON and can be read by hand.",
        ) from error


def _nearby(path: Path) -> str:
    names = (
        sorted(entry.name for entry in os.scandir(path.parent) if (Path(entry) / "manifest.json").is_file())
        if path.parent.is_dir()
        else []
    )
    return (
        f"Runs in {path.parent}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"
        if names
        else "See  gnomon ls runs ."
    )


def _json(manifest: Manifest) -> str:
    return manifest.model_dump_json(indent=1) + "\n"
