"""What goes into a jail and what comes out.

Belongs here: limits, jobs, outcomes. Does not belong here: how any of it is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

__all__ = ["STATUSES", "Job", "Limits", "Outcome", "Status"]

Status = Literal["ok", "error", "timeout", "memory", "output", "killed", "harness"]
STATUSES: tuple[Status, ...] = get_args(Status)

_MAXIMA = {"stack": 256 << 20, "files": 900, "output": 1 << 30}


@dataclass(frozen=True)
class Limits:
    """What one job may use. Every limit is positive.

    Parameters
    ----------
    seconds : float
        Wall clock of the child, from the call of the driver's `main` on; in a session, the parent's pauses included.
        Processor time is limited to two seconds more.
    memory : int
        Address space in bytes, on top of what the warm interpreter and the payload have mapped.
    output : int
        Bytes of standard output and of emitted results together (at most 1 GiB); also of standard error, and of any
        one file.
    stack : int
        Bytes of the main thread's stack, at most 256 MiB. Other threads have what `threading.stack_size` says, else
        8 MiB.
    files : int
        Open files, at most 900.
    threads : int
        Threads at one time. A burst may pass it for a fortieth of a second before the job is ended.
    entries : int
        Files and folders in the scratch folder (which holds 64 MiB), watched in the same way.

    >>> Limits(seconds=2).seconds
    2
    >>> Limits(seconds=0)
    Traceback (most recent call last):
    ValueError: seconds=0: a limit is positive.
    """

    seconds: float = 4.0
    memory: int = 1 << 30
    output: int = 16 << 20
    stack: int = 64 << 20
    files: int = 64
    threads: int = 128
    entries: int = 4096

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{one.name}={value}: a limit is positive.")
            if value > _MAXIMA.get(one.name, value):
                raise ValueError(f"{one.name}={value}: at most {_MAXIMA[one.name]}.")


@dataclass(frozen=True)
class Job:
    """One program to be run, by a driver that is trusted.

    Parameters
    ----------
    driver : str
        Python source that defines `main(payload, emit, receive)`. Its top level is run once a jail, outside of any job:
        imports and definitions there cost nothing later, and nothing secret may be in it. `main` runs in the child.
        `emit(value)` sends a JSON value to the parent at once; `receive()` waits for one (EOFError is never raised:
        who is not answered runs into the deadline). After `main`, other threads are waited for, functions registered
        with `atexit` run, and standard output is flushed, as at the end of a program.
    payload : Any
        A JSON value, the untrusted program among it. Whatever is here can be read by the program.
    stdin : bytes
        The program's standard input, a file.
    limits : Limits

    Notes
    -----
    The driver shares a process with the program, so all that a job emits or prints are the program's words: it may
    forge every one of them, "ok" included. Keep expected answers out of the payload, and compare in the parent.

    >>> Job("def main(payload, emit, receive): emit(payload + 1)", 41).payload
    41
    """

    driver: str
    payload: Any = None
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes
    ----------
    status : str
        "ok" : `main` returned, or ended with `sys.exit(0)`.
        "error" : an exception left `main`, or the process ended without `main` returning.
        "timeout" : the wall clock or processor time ran out.
        "memory" : a MemoryError left `main`.
        "output" : too much was printed, emitted or written.
        "killed" : a signal ended the process (a segmentation fault, `abort`), or it had too many threads.
        "harness" : the jail failed, twice; this says nothing about the program.
    stdout : bytes
        Standard output, at most `Limits.output` bytes of it.
    results : list
        What was emitted, in order, also before a failure: JSON values at most 100 levels deep, without lone surrogates.
    message : str
        Exception type and text, name of the signal, or the limit; "" for "ok". The program's words: hostile text.
    stderr : bytes
        The last 4,096 bytes of standard error.
    seconds, cpu : float
        Wall clock and processor time. A time-out with little processor time says that the machine was busy, or that
        the program slept.
    peak : int
        Bytes of memory in use at the highest point, the warm interpreter's (about 30 MiB) included.

    >>> Outcome("ok", stdout=b"3").ok
    True
    """

    status: Status
    stdout: bytes = b""
    results: list[Any] = field(default_factory=list)
    message: str = ""
    stderr: bytes = b""
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0

    @property
    def ok(self) -> bool:
        """Whether `main` returned."""
        return self.status == "ok"
