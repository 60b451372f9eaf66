"""A model's files: a fingerprint of weights that is honest and computed once.

Belongs here: hashes. Does not belong here: reading a model (`hf.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from gnomon.errors import ModelError
from gnomon.files import cache_folder

__all__ = ["fingerprint"]

_KINDS = (".safetensors", ".bin", ".json", ".model", ".txt", ".gguf", ".jinja")


def fingerprint(place: str, revision: str = "") -> str:
    """SHA-256 over the contents of a model's files (weights, configuration, tokenizer), by name.

    A folder's files are read whole, once: the result is remembered under path, size and time of change. Files of the
    hub's cache are named by their own hash there, so they need not be read.
    """
    folder = Path(place) if Path(place).is_dir() else _snapshot(place, revision)
    digest = hashlib.sha256()
    memory = _Memory(cache_folder() / "fingerprints.json")
    for path in sorted(path for path in folder.iterdir() if path.suffix in _KINDS):
        digest.update(f"{path.name}\0{memory.hash(path)}\n".encode())
    memory.save()
    return digest.hexdigest()


def _snapshot(place: str, revision: str) -> Path:
    """The folder of a hub model in the hub's own cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(place, "config.json", revision=revision or None)
    if not isinstance(found, str):
        raise ModelError(f"model '{place}' is neither a folder nor in the hub's cache, so it has no fingerprint.")
    return Path(found).parent


class _Memory:
    """Hashes of files by path, size and time of change, kept between processes; a broken memory is forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = False
        try:
            self._known: dict[str, str] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._known = {}

    def hash(self, path: Path) -> str:
        blob = path.resolve()
        if path.is_symlink() and blob.parent.name == "blobs":  # the hub's cache: the name is the content's hash
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
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(dict(_latest(self._known.items()))))
            os.replace(temporary, self._path)
        except OSError:
            return  # only a memory: without it the next process reads the files again


def _latest(items: Iterable[tuple[str, str]], most: int = 1000) -> list[tuple[str, str]]:
    return list(items)[-most:]
