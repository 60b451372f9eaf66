"""A model's files: a fingerprint of weights that is honest and computed once.

Belongs here: hashes. Does not belong here: reading a model (`hf.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from gnomon.errors import ModelError, RunError
from gnomon.files import cache_folder, write_atomically

__all__ = ["fingerprint"]

_KINDS = (".safetensors", ".bin", ".json", ".model", ".txt", ".gguf", ".jinja")


def fingerprint(place: str, revision: str = "") -> str:
    """SHA-256 over the contents of a model's files (weights, configuration, tokenizer), by name.

    A folder's files are read whole, once: the result is remembered under path, size and time of change. A model of the
    hub is told by its id and commit, since its weights may not have arrived yet.
    """
    if not Path(place).is_dir():
        return hashlib.sha256(f"{place}\0{_commit(place, revision)}".encode()).hexdigest()
    digest = hashlib.sha256()
    memory = _Memory(cache_folder() / "fingerprints.json")
    for path in sorted(path for path in Path(place).iterdir() if path.suffix in _KINDS):
        digest.update(f"{path.name}\0{memory.hash(path)}\n".encode())
    memory.save()
    return digest.hexdigest()


def _commit(place: str, revision: str) -> str:
    """The commit of a hub model, which names its folder in the hub's own cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(place, "config.json", revision=revision or None)
    if not isinstance(found, str):
        raise ModelError(f"model '{place}' is neither a folder nor in the hub's cache, so it has no fingerprint.")
    return Path(found).parent.name


class _Memory:
    """Hashes of files by path, size and time of change, kept between processes; a broken memory is forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = False
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {}
        items = known.items() if isinstance(known, dict) else ()
        self._known: dict[str, str] = {key: value for key, value in items if _is_hash(value)}

    def hash(self, path: Path) -> str:
        blob = path.resolve()
        if path.is_symlink() and blob.parent.name == "blobs" and _is_hash(blob.name):  # the hub's cache
            return blob.name
        state = blob.stat()
        key = f"{blob}:{state.st_size}:{state.st_mtime_ns}:{state.st_ino}"
        if key not in self._known:
            with blob.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            self._new = True
        return self._known[key]

    def save(self) -> None:
        if not self._new:
            return
        with contextlib.suppress(RunError):  # only a memory: without it the next process reads the files again
            write_atomically(self._path, json.dumps(dict(_latest(self._known.items()))))


def _is_hash(value: object) -> bool:
    """Whether `value` is a SHA-1 or SHA-256 in hexadecimal, as the hub names its blobs."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value) is not None


def _latest(items: Iterable[tuple[str, str]], most: int = 1000) -> list[tuple[str, str]]:
    return list(items)[-most:]
