r"""math-verify as a second, named grader of MATH's answers, in a process that can be ended.

Belongs here: starting, asking and ending the worker. Does not belong here: what the worker does (`_equiv_worker.py`),
the grader of the release (`equivalence.py`).

math-verify (Hugging Face, version 0.9) parses LaTeX with ANTLR and compares with sympy, so an answer of a dozen
characters, `(10^{10^{10}})!`, can take all time and memory. Its own limits use SIGALRM, which fails outside the main
thread and waits for a long step of C code; here the process is killed and the next question gets a new one.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from gnomon.errors import UsageError

__all__ = ["INSTALL", "Verdict", "Verifier"]

INSTALL = 'pip install "math-verify[antlr4_13_2]"'
MAX_LENGTH = 10_000
"""Characters of an answer; a longer one is not read."""

_START_SECONDS = 120.0
_SIGXCPU = -24


@dataclass(frozen=True, slots=True)
class Verdict:
    """What math-verify says about one answer.

    `status` is "ok"; "timeout" past the time limit; "error" where math-verify or its process failed (memory among the
    reasons), or a text is too long; "missing" where there is no answer to judge. `equivalent` is False in all but "ok".
    `detail` says more.
    """

    equivalent: bool
    status: Literal["ok", "timeout", "error", "missing"] = "ok"
    detail: str = ""


class Verifier:
    r"""Asks math-verify whether an answer agrees with the gold answer. A context manager; close it after use.

    Parameters
    ----------
    seconds : float, default 10
        Wall-clock limit for one question, > 0; past it the process is killed and a new one serves the next question.
    memory : int, default 1 GiB
        Bytes of address space for the process (where the system can limit them).

    Notes
    -----
    math-verify is lenient where `equivalence.equivalent_corrected` is not: it simplifies expressions, compares
    unordered lists and sets, and rounds. It is not symmetric: the gold answer comes first. Known false positives:
    `50%` agrees with 50 and with 0.5, `1/2^{99}` with `1/2^{98}`.

    One question is asked at a time; threads that share a Verifier wait for one another. The process starts with the
    first question (a second or two), and reads only standard input: when this program dies, it ends.

    Raises
    ------
    UsageError
        At the first question, where math-verify is not installed or its process cannot start; and after `close`.

    Examples
    --------
    >>> with Verifier() as verifier:
    ...     verifier.equivalent("(x+1)^2", "x^2+2x+1").equivalent  # doctest: +SKIP
    True
    """

    def __init__(self, *, seconds: float = 10.0, memory: int = 1 << 30) -> None:
        if not seconds > 0:
            raise UsageError(f"a time limit of {seconds} seconds was asked for; give a number above 0.")
        self.seconds = seconds
        self.memory = memory
        self.version = ""
        """math-verify's version, known after the first question."""
        self.starts = 0
        """How many processes were started: one more than were lost to limits and errors."""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Verifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; more than once does no harm."""
        with self._lock:
            self._closed = True
            self._end()

    def equivalent(self, gold: str, answer: str | None) -> Verdict:
        """Whether `answer` agrees with `gold` for math-verify. Both are answers, not whole solutions.

        Raises UsageError where math-verify is not there (see the class); whatever a text does is in the Verdict.
        """
        if answer is None or not answer.strip():
            return Verdict(False, "missing", "there is no answer")
        if not gold.strip():
            return Verdict(False, "error", "the gold answer is blank")
        longest = max(len(gold), len(answer))
        if longest > MAX_LENGTH:
            return Verdict(False, "error", f"a text of {longest:,} characters is not read; the limit is {MAX_LENGTH:,}")
        with self._lock:
            return self._ask(gold, answer)

    def equivalent_many(self, pairs: Iterable[tuple[str, str | None]]) -> list[Verdict]:
        """`equivalent` for pairs of gold and answer, in order."""
        return [self.equivalent(gold, answer) for gold, answer in pairs]

    def _ask(self, gold: str, answer: str) -> Verdict:
        if self._closed:
            raise UsageError("this Verifier is closed.", hint="Make a new one: with Verifier() as verifier: ...")
        process = self._process or self._start()
        try:
            _send(process, {"gold": gold, "answer": answer})
            line = self._replies.get(timeout=self.seconds)
        except queue.Empty:
            self._end()
            return Verdict(False, "timeout", f"no verdict after {self.seconds:g} seconds")
        except BrokenPipeError:
            line = ""
        except BaseException:
            self._end()  # a reply that nobody waited for must not answer the next question
            raise
        if not line:
            code = self._end()
            if code == _SIGXCPU:
                return Verdict(False, "timeout", f"no verdict after {self.seconds:g} seconds of CPU time")
            return Verdict(False, "error", f"math-verify's process ended with code {code}, perhaps for want of memory")
        reply = json.loads(line)
        if "error" in reply:
            self._end()  # out of memory, or in a state that nobody knows
            return Verdict(False, "error", reply["error"])
        return Verdict(reply["equivalent"], "ok", reply["detail"])

    def _start(self) -> subprocess.Popen[str]:
        """Start a process and wait until it has imported math-verify."""
        self._replies = queue.SimpleQueue()
        self._process = process = subprocess.Popen(
            [*_command(), str(self.seconds), str(self.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for us; we end the worker
        )
        self._reader = threading.Thread(target=_read, args=(process, self._replies), daemon=True)
        self._reader.start()
        self.starts += 1
        started = time.monotonic()
        try:
            line = self._replies.get(timeout=_START_SECONDS)
        except BaseException as error:
            self._end()
            if isinstance(error, queue.Empty):
                raise UsageError(f"math-verify's process did not start within {_START_SECONDS:g} seconds.") from None
            raise
        reply: dict[str, Any] = json.loads(line) if line else {}
        if "ready" not in reply:
            code, taken = self._end(), time.monotonic() - started
            if "missing" in reply:
                raise UsageError(f"math-verify cannot be imported ({reply['missing']}).", hint=f"Install it: {INSTALL}")
            raise UsageError(
                f"math-verify's process ended with code {code} after {taken:.1f} seconds, before the first question.",
                hint=f"It may use {self.memory:,} bytes of memory; give it more with memory= .",
            )
        self.version = reply["ready"]
        return process

    def _end(self) -> int | None:
        """Kill the process if it still runs, close its pipes, and give its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        if self._reader is None or self._reader.is_alive():
            process.kill()  # else its output has ended, and so has it, or will at once
        try:
            code = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if self._reader is not None:
            self._reader.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # of a question that it did not read any more
                    pipe.close()
        return code


def _command() -> list[str]:
    # Isolated: neither the current folder nor PYTHONPATH can put another math_verify in its place.
    return [sys.executable, "-I", str(Path(__file__).with_name("_equiv_worker.py"))]


def _send(process: subprocess.Popen[str], message: dict[str, str]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _read(process: subprocess.Popen[str], replies: queue.SimpleQueue[str]) -> None:
    """Hand on each line of the process; an empty string says that it ended."""
    assert process.stdout is not None
    for line in process.stdout:
        replies.put(line)
    replies.put("")
