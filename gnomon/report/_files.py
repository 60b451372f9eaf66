"""Putting a finished file in its place, whole or not at all.

Belongs here: the atomic write that reports and figures share. Does not belong here: what is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from gnomon.errors import RunError

__all__ = ["replace_file"]

_WHAT_TO_DO = {
    errno.ENOSPC: "The disk is full: free some space and run the command again.",
    errno.EDQUOT: "Your disk quota is used up: free some space and run the command again.",
    errno.EACCES: "The folder is not writable: choose another place, for example with -o.",
    errno.EPERM: "The folder is not writable: choose another place, for example with -o.",
    errno.EROFS: "The file system is read-only: choose another place, for example with -o.",
    errno.EISDIR: "That path is a folder: give a file name.",
    errno.ENOTDIR: "A part of that path is a file, not a folder: choose another place.",
    errno.EEXIST: "A part of that path is a file, not a folder: choose another place.",
    errno.ENAMETOOLONG: "The name is too long: choose a shorter one.",
}


def replace_file(path: Path, content: bytes) -> Path:
    """Write `content` beside `path`, then move it there in one step; a reader never sees half a file.

    Parameters
    ----------
    path : Path
        Where the file goes; missing parents are made.
    content : bytes
        The whole file.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    RunError
        If the disk is full, the folder cannot be written or the path is not a file's. An older file stays as it was.
    """
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        hint = _WHAT_TO_DO.get(error.errno or 0, "Choose another place, for example with -o.")
        raise RunError(f"{path} could not be written: {error.strerror or error}.", hint=hint) from error
    return path
