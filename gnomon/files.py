"""Files: where gnomon keeps what can be made again, and writing that leaves either the old file or the new one.

Belongs here: the few operations on files that every room shares. Does not belong here: what is in the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from gnomon.errors import RunError

__all__ = ["cache_folder", "cannot_write", "write_atomically"]

_HINTS = {
    errno.ENOSPC: "Make room and give the same command again: what is recorded so far is kept.",
    errno.EDQUOT: "Make room in your quota and give the same command again: what is recorded so far is kept.",
    errno.EACCES: "Give a folder that you may write to ( --runs-dir DIR , -o FILE ).",
    errno.EPERM: "Give a folder that you may write to ( --runs-dir DIR , -o FILE ).",
    errno.EROFS: "Give a folder that you may write to ( --runs-dir DIR , -o FILE ).",
    errno.EISDIR: "That path is a folder: give a file name.",
    errno.ENOTDIR: "A part of that path is a file, not a folder: give another place.",
    errno.EEXIST: "A part of that path is a file, not a folder: give another place.",
    errno.ENAMETOOLONG: "The name is too long: give a shorter one.",
}


def cache_folder() -> Path:
    """Folder of what can be made again: `GNOMON_CACHE`, else `$XDG_CACHE_HOME/gnomon`, else `~/.cache/gnomon`."""
    if given := os.environ.get("GNOMON_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnomon"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Put `content` at `path` by way of a temporary file in the same folder and a rename; text is written as UTF-8.

    Raises RunError where that cannot be done; an older file then still stands, and nothing is left behind.
    """
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> RunError:
    """The error for a file that cannot be written: which, why, what is safe and what to do.

    >>> print(cannot_write(Path("a.html"), OSError(errno.EISDIR, "Is a directory")))
    a.html cannot be written: Is a directory. That path is a folder: give a file name.
    """
    hint = _HINTS.get(error.errno or 0, "Give another place ( --runs-dir DIR , -o FILE ).")
    return RunError(f"{path} cannot be written: {error.strerror or error}.", hint=hint)
