"""Writing that leaves either the old file or the new one, and says what to do when the disk will not have it.

Belongs here: the few operations on files that every run needs. Does not belong here: what is in the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from gnomon.errors import RunError

__all__ = ["cannot_write", "write_atomically"]


def write_atomically(path: Path, text: str) -> None:
    """Put `text` at `path` by way of a temporary file in the same folder and a rename. Raises RunError; the old file
    then still stands."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> RunError:
    """The error for a file that cannot be written: which, why, what is safe and what to do."""
    hints = {
        errno.ENOSPC: "Make room and give the same command again: what is recorded so far is kept.",
        errno.EDQUOT: "Make room and give the same command again: what is recorded so far is kept.",
        errno.EACCES: "Give a folder that you may write to with  --runs-dir DIR .",
        errno.EROFS: "Give a folder that you may write to with  --runs-dir DIR .",
        errno.ENOTDIR: "A part of that path is a file, not a folder: give another place.",
        errno.EEXIST: "A part of that path is a file, not a folder: give another place.",
    }
    hint = hints.get(error.errno or 0, "Give another folder with  --runs-dir DIR .")
    return RunError(f"{path} cannot be written: {error.strerror or error}.", hint=hint)
