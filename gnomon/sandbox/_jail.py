"""One warm jail: jobs one after the other, or a session with one of them.

Belongs here: the life of a job as the parent sees it; retrying; throwing a jail away. Does not belong here: many jails
(`_pool.py`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any

from gnomon.sandbox._judge import Transcript, judge
from gnomon.sandbox._kind import JailKind, find_jail
from gnomon.sandbox._process import Process
from gnomon.sandbox._types import Job, Outcome
from gnomon.sandbox._values import encode
from gnomon.sandbox._wire import Dead, Late

__all__ = ["Ended", "Jail", "Session"]

_SLACK = 10.0  # seconds that a jail may be late before it is given up
_BYTES_A_SECOND = 20 << 20  # slower than any pipe: what a large payload adds to that


class Ended(Exception):
    """The job of a session has ended while the parent waited for a value. `outcome` says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.status}: {outcome.message}" if outcome.message else outcome.status)
        self.outcome = outcome


class Session:
    """A running job that can be talked to. Use it in a `with` statement; made by `Jail.talk`.

    The deadline of the job's limits holds for the whole session.
    """

    def __init__(self, jail: Jail, job: Job, number: int) -> None:
        self._jail, self._job, self._limits, self._number = jail, job, job.limits, number
        self._payload = encode(job.payload)
        self._nonce = secrets.token_bytes(16)
        self._heard = Transcript(job.limits.output)
        self._given = 0
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._size = 0
        self._waited: float | None = None
        self._outcome: Outcome | None = None
        transfer = (len(self._payload) + len(job.stdin) + job.limits.output) / _BYTES_A_SECOND
        self._deadline = time.monotonic() + job.limits.seconds + _SLACK + transfer

    def _begin(self, process: Process) -> None:
        self._wire = process.wire
        head = asdict(self._limits) | {
            "number": self._number,
            "driver": _name(self._job.driver),
            "payload": len(self._payload),
            "stdin": len(self._job.stdin),
        }
        after = (self._payload, self._job.stdin, self._nonce)
        self._wire.write(b"j", json.dumps(head).encode(), *after, deadline=self._deadline)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, value: Any) -> None:
        """Give `value` to the driver's next `receive()`. Does nothing once the job has ended."""
        if self._outcome is None:
            data = encode(value)
            self._command(b"m", len(data).to_bytes(4, "little") + data)

    def receive(self, seconds: float | None = None) -> Any:
        """The next value that the driver emits.

        Parameters
        ----------
        seconds : float or None
            Longest time to wait; when it is over the job is ended and its status is "timeout".

        Raises
        ------
        Ended
            Where the job ends and has emitted no more.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while len(self._heard.values) == self._given:
            if self._outcome is not None:
                raise Ended(self._outcome)
            if self._heard.fault:
                self.close()
            else:
                self._step(until, seconds)
        self._given += 1
        return self._heard.values[self._given - 1]

    def finish(self) -> Outcome:
        """Wait for the job's end. A driver that waits for a value runs into the deadline."""
        while self._outcome is None:
            self._step()
        return self._outcome

    def close(self) -> Outcome:
        """End the job if it still runs, and say what came of it ("killed" where it still ran)."""
        if self._outcome is None:
            self._command(b"k", b"")
        return self.finish()

    def _command(self, kind: bytes, data: bytes) -> None:
        try:
            self._wire.write(kind, self._number.to_bytes(4, "little") + data, deadline=self._deadline)
        except Dead as error:
            self._give_up(error)

    def _step(self, until: float | None = None, seconds: float | None = None) -> None:
        """Read one frame, or end the job when it is `until`, after `seconds` of waiting."""
        try:
            nonce, kind, data = self._wire.read(self._deadline if until is None else min(until, self._deadline))
        except Late as error:
            if until is None or time.monotonic() >= self._deadline:
                self._give_up(error)
            else:
                self._waited = seconds
                self.close()
            return
        except Dead as error:
            self._give_up(error)
            return
        self._size += len(data)
        if not secrets.compare_digest(nonce, self._nonce):
            self._give_up(Dead("it sent a frame without the job's nonce"))
        elif self._size > 3 * self._limits.output + (1 << 20):
            self._give_up(Dead("it sent more than any job may write"))
        else:
            self._hear(kind, data)

    def _hear(self, kind: bytes, data: bytes) -> None:
        if kind == b"r":
            self._heard.feed(data)
        elif kind == b"o":
            self._out.append(data)
        elif kind == b"e":
            self._err.append(data)
        elif kind == b"f":
            facts = json.loads(data)
            stdout, stderr = b"".join(self._out), b"".join(self._err)
            outcome = judge(facts, self._heard, stdout, stderr, self._limits)
            if self._waited is not None and facts["why"] == "closed":
                outcome = replace(outcome, status="timeout", message=f"no answer within {self._waited:g} s")
            self._outcome = outcome
            self._jail._ended(bool(facts["clean"]))
        else:
            self._give_up(Dead(f"it sent a frame of kind {kind!r}"))

    def _give_up(self, error: Dead) -> None:
        if self._outcome is None:
            self._outcome = Outcome("harness", results=self._heard.values, message=self._jail._broke(error))


class Jail:
    """A jail that is started when it is first needed and kept warm; one thread at a time may use it.

    Parameters
    ----------
    kind : JailKind or None
        From `find_jail`; None finds one.

    Examples
    --------
    >>> driver = "def main(payload, emit, receive): emit(sum(payload)); print('done')"
    >>> with Jail() as jail:  # doctest: +SKIP
    ...     outcome = jail.run(Job(driver, [1, 2, 3]))
    >>> outcome.status, outcome.results, outcome.stdout  # doctest: +SKIP
    ('ok', [6], b'done\\n')
    """

    def __init__(self, kind: JailKind | None = None) -> None:
        self.kind = kind if kind is not None else find_jail()
        self._process: Process | None = None
        self._known: set[str] = set()
        self._number = 0
        self._busy = False
        self._closed = False

    def __enter__(self) -> Jail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether a warm process is there; the next job starts one otherwise."""
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int | None:
        """Process id of the command that holds the jail, None where there is none at the moment."""
        return self._process.pid if self._process is not None and self._process.alive else None

    def run(self, job: Job) -> Outcome:
        """Run `job` to its end. A jail that fails is replaced and the job repeated, once; then "harness"."""
        outcome = Outcome("harness")
        for _ in range(2):
            session = self.talk(job)
            try:
                outcome = session.finish()
            except BaseException:  # an interrupt: what the jail does now is nobody's concern
                self._drop(force=True)
                raise
            if outcome.status != "harness":
                break
        return outcome

    def talk(self, job: Job) -> Session:
        """Start `job` and talk with it. It is not repeated where the jail fails: the status is "harness" then."""
        if self._closed:
            raise RuntimeError("this jail is closed")
        if self._busy:
            raise RuntimeError("this jail is in use; give every thread its own, and end a session before the next job")
        session = Session(self, job, self._number + 1)
        self._busy = True
        self._number += 1
        try:
            session._begin(self._ready(job.driver))
        except Dead as error:
            session._give_up(error)
        except BaseException:
            self._drop(force=True)
            raise
        return session

    def close(self) -> None:
        """End the jail and everything in it. May be called again."""
        self._closed = True
        self._drop(force=self._busy)

    def _ready(self, driver: str) -> Process:
        """The warm process, started where there is none, that knows `driver`."""
        if self._process is not None and not self._process.alive:
            self._drop(force=True)
            self._busy = True
        if self._process is None:
            self._process = Process(self.kind.command())
        name = _name(driver)
        if name not in self._known:
            deadline = time.monotonic() + _SLACK
            self._process.wire.write(b"d", json.dumps({"name": name, "source": driver}).encode(), deadline=deadline)
            _, kind, message = self._process.wire.read(deadline)
            if kind != b"d" or message:
                raise Dead(f"the driver cannot be used: {message.decode('utf-8', 'replace')}")
            self._known.add(name)
        return self._process

    def _ended(self, clean: bool) -> None:
        self._busy = False
        if not clean:  # something was left behind that could not be removed
            self._drop(force=True)

    def _broke(self, error: Dead) -> str:
        said = self._process.said() if self._process is not None else ""
        self._drop(force=True)
        return f"the jail failed: {error}" + (f" ({said})" if said else "")

    def _drop(self, force: bool) -> None:
        process, self._process = self._process, None
        self._known.clear()
        self._busy = False
        if process is not None:
            process.stop(force=force)


def _name(driver: str) -> str:
    return hashlib.sha256(driver.encode()).hexdigest()
