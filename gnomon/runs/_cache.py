"""Answers already paid for, shared by all runs: one SQLite file, keyed by all that can change them.

Belongs here: keys, look-up and storage. Does not belong here: which model may use it (`_engine.py`).

A broken cache never breaks a run: it is set aside, said so, and the work is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.asks import Ask, Asking, Completion, Highlighted, Passage, Prompt, Reading, Scored, Span

__all__ = ["AnswerCache"]

Kept = Scored | Completion | Highlighted

_SCHEMA = 1


class AnswerCache:
    """A cache of answers.

    Parameters
    ----------
    path : Path
        The SQLite file; None keeps nothing.

    Attributes
    ----------
    remarks : list of str
        What went wrong, in words for a user; the cache then does without.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.remarks: list[str] = []
        self._connection: sqlite3.Connection | None = None
        if path:
            self._connection = self._open()

    @staticmethod
    def key(model: str, ask: Asking | Reading) -> str:
        """The key of `ask` under the model's fingerprint: no two models share one.

        >>> ask = Ask("2 + 2 =", (" 4",))
        >>> AnswerCache.key("one", ask) == AnswerCache.key("other", ask)
        False
        """
        parts: list[Any]
        match ask:
            case Ask():
                parts = ["score", ask.context, ask.continuations]
            case Prompt():
                how = ask.decoding
                drawn = [how.temperature, how.top_p, ask.seed] if how.temperature > 0 else []
                parts = ["generate", ask.context, how.max_tokens, how.stop, *drawn]
            case Passage():
                parts = ["highlight", ask.question, ask.context]
            case Reading():
                parts = ["fill", ask.question, ask.answers, ask.after]
        return hashlib.sha256(json.dumps([_SCHEMA, model, *parts]).encode()).hexdigest()

    def get(self, keys: Sequence[str]) -> dict[str, Kept]:
        """Those of `keys` that are known."""
        found: dict[str, Kept] = {}
        if self._connection is None:
            return found
        try:
            for low in range(0, len(keys), 500):
                part = list(keys[low : low + 500])
                marks = ",".join("?" * len(part))
                for key, value in self._connection.execute(
                    f"SELECT key, value FROM scores WHERE key IN ({marks})", part
                ):
                    found[key] = _unpacked(json.loads(value))
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            self._give_up(error)
        return found

    def put(self, answers: Mapping[str, Kept]) -> None:
        """Remember `answers` by key."""
        if self._connection is None or not answers:
            return
        rows = [(key, json.dumps(_packed(one))) for key, one in answers.items()]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection | None:
        assert self.path is not None
        for attempt in (1, 2):
            connection = None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self.path, timeout=10)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
                )
                return connection
            except sqlite3.Error as error:
                if connection is not None:
                    connection.close()
                if attempt == 2 or type(error) is not sqlite3.DatabaseError or not self._set_aside(error):
                    self._give_up(error)
                    return None
            except OSError as error:
                self._give_up(error)
                return None
        return None

    def _set_aside(self, error: Exception) -> bool:
        """Move a file that is no database out of the way, never deleting it."""
        assert self.path is not None
        aside = self.path.with_name(f"{self.path.name}.broken-{os.getpid()}")
        try:
            os.replace(self.path, aside)
        except OSError:
            return False
        for left in ("-wal", "-shm"):  # they belong to the old file and must not be taken for the new one's
            self.path.with_name(self.path.name + left).unlink(missing_ok=True)
        text = (
            f"The cache {self.path} cannot be read ({error}); it was set aside as {aside.name}, and a new one is begun."
        )
        self.remarks.append(text)
        return True

    def _give_up(self, error: Exception) -> None:
        self.close()
        if type(error) is not sqlite3.DatabaseError or not self._set_aside(
            error
        ):  # that very class: the file is damaged
            self.remarks.append(f"The cache {self.path} cannot be used ({error}); this run goes on without it.")


def _packed(answer: Kept) -> Any:
    match answer:
        case Scored():
            return [answer.logprobs, answer.tokens, answer.truncated]
        case Completion():
            return {"text": answer.text, "tokens": answer.tokens, "finish": answer.finish, "cut": answer.truncated}
        case Highlighted():
            spans = [[span.start, span.end, span.probability] for span in answer.spans]
            return {"spans": spans, "none": answer.none, "windows": answer.windows}


def _unpacked(value: Any) -> Kept:
    if isinstance(value, list):
        logprobs, tokens, truncated = value
        return Scored(tuple(map(float, logprobs)), tuple(map(int, tokens)), int(truncated))
    if "text" in value:
        text, finish = value["text"], value["finish"]
        if not isinstance(text, str) or finish not in ("stop", "length"):
            raise TypeError("a text that is none")
        return Completion(text, int(value["tokens"]), finish, int(value["cut"]))
    spans = tuple(Span(int(start), int(end), float(probability)) for start, end, probability in value["spans"])
    return Highlighted(spans, float(value["none"]), int(value["windows"]))
