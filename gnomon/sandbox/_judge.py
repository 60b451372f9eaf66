"""From what a jail reports to an outcome.

Belongs here: reading what a child emitted, and deciding between statuses. Does not belong here: pipes, processes.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from gnomon.sandbox._child import TO_ZYGOTE
from gnomon.sandbox._types import Limits, Outcome, Status
from gnomon.sandbox._values import BadValue, decode

__all__ = ["Transcript", "judge"]

_MESSAGE = 2000  # characters
_ENDING = 1 << 15
_VALUES = 100_000  # a value of one byte takes the parent about two microseconds to read


class Transcript:
    """What a child emitted, from hostile bytes to values, as they come.

    Attributes
    ----------
    values : list
        What was emitted.
    size : int
        Bytes of it.
    ending : dict or None
        What the child said of its own end.
    fault : str
        Why the bytes make no sense from some point on; nothing after it is read.

    >>> heard = Transcript(limit=100)
    >>> heard.feed(b"v\\x04\\x00\\x00\\x00tr")
    >>> heard.feed(b"ue")
    >>> heard.values
    [True]
    """

    def __init__(self, limit: int) -> None:
        self.values: list[Any] = []
        self.ending: dict[str, Any] | None = None
        self.fault = ""
        self.size = 0
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.fault or self.ending is not None:
            return
        self._rest += data
        while len(self._rest) >= TO_ZYGOTE.size and not self.fault and self.ending is None:
            kind, length = TO_ZYGOTE.unpack_from(self._rest)
            if kind not in (b"v", b"x") or length > self._limit + _ENDING:
                self.fault = "what it emitted cannot be read"
                return
            end = TO_ZYGOTE.size + length
            if len(self._rest) < end:
                return
            text = bytes(memoryview(self._rest)[TO_ZYGOTE.size : end])
            del self._rest[:end]
            self._understand(kind, text)

    def _understand(self, kind: bytes, text: bytes) -> None:
        try:
            value = decode(text)
        except BadValue as error:
            self.fault = f"it emitted a value that is refused: {error}"
            return
        if len(self.values) >= _VALUES:
            self.fault = f"it emitted more than {_VALUES:,} values"
        elif kind == b"v":
            self.size += len(text)
            self.values.append(value)
        elif isinstance(value, dict):
            self.ending = value
        else:
            self.fault = "what it emitted cannot be read"


def judge(facts: dict[str, Any], heard: Transcript, stdout: bytes, stderr: bytes, limits: Limits) -> Outcome:
    """The outcome of a job that the zygote says has ended.

    Parameters
    ----------
    facts : dict
        The zygote's last frame: why it ended the child ("" where it did not), wait status, seconds, sizes, use.
    """
    status, message = _status(facts, heard, limits)
    return Outcome(
        status=status,
        stdout=stdout[: limits.output],
        results=heard.values,
        message=message[:_MESSAGE],
        stderr=stderr,
        seconds=float(facts["seconds"]),
        cpu=float(facts["cpu"]),
        peak=int(facts["peak"]),
    )


def _status(facts: dict[str, Any], heard: Transcript, limits: Limits) -> tuple[Status, str]:
    why, code = facts["why"], os.waitstatus_to_exitcode(facts["status"])
    ended: dict[str, tuple[Status, str]] = {
        "entries": ("output", f"more than {limits.entries:,} files in the scratch folder"),
        "threads": ("killed", f"more than {limits.threads:,} threads"),
        "closed": ("killed", "the session was closed"),
    }
    too_much: tuple[Status, str] = ("output", f"more than {limits.output:,} bytes of output")
    late: tuple[Status, str] = ("timeout", f"more than {limits.seconds:g} s")
    printed, complained = facts["sizes"]
    if why == "output" or max(printed + heard.size, complained) > limits.output:
        return too_much
    if heard.fault and why in ("", "closed") and code in (0, -signal.SIGKILL):
        return "error", heard.fault
    if why in ended:
        return ended[why]
    if why == "deadline":
        return late
    if code < 0:
        # The kernel ends a process at its processor time with SIGKILL, since the soft limit is the hard one.
        if -code in (signal.SIGXCPU, signal.SIGKILL) and facts["cpu"] >= int(limits.seconds) + 1.9:
            return late
        return "killed", _signal_name(-code)
    if heard.ending is None or code != 0:
        return "error", f"it ended with exit code {code} before the driver returned"
    said, message = heard.ending.get("status"), heard.ending.get("message")
    text = message if isinstance(message, str) else ""
    if said == "ok":
        return "ok", ""
    return ("memory" if said == "memory" else "error"), text


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
