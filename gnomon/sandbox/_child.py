"""A job inside a jail: the child that the zygote forks for it, with its trusted beginning and end.

Its text is sent to a bare interpreter, together with `_zygote.py`, so it needs the standard library only and no other
file of gnomon. Belongs here: all that runs after the fork, and reading and writing of pipes, which the zygote shares.
Does not belong here: the zygote's own side of a job.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import io
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

TO_ZYGOTE = struct.Struct("<cI")
TO_PARENT = struct.Struct("<I16sc")
READY = b"+"
_leave = os._exit
_RESERVE = 32 << 20  # address space for saying that there is none left


def read_exactly(fd: int, count: int) -> bytearray:
    """Exactly `count` bytes, and no byte of what comes after; EOFError where they end before."""
    whole = bytearray(count)
    view, done = memoryview(whole), 0
    while done < count:
        got = os.readv(fd, [view[done : done + (1 << 20)]])
        if not got:
            raise EOFError
        done += got
    return whole


def write_all(fd: int, *parts: bytes | bytearray | memoryview) -> None:
    """All of `parts`, in one call where the pipe has room."""
    total = sum(map(len, parts))
    done = os.writev(fd, parts)
    if done < total:
        rest = memoryview(b"".join(parts))
        while done < total:
            done += os.write(fd, rest[done:])


def memory_file() -> int:
    """An unnamed file in memory, where the system has such a thing."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("job")
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


def _mapped() -> int:
    """Bytes of address space that this process has; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(name: str, soft: int, hard: int | None = None) -> None:
    """Set a resource limit; what this system does not know or allow stays as it is."""
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return
    highest = resource.getrlimit(kind)[1]
    wanted = [value if highest == resource.RLIM_INFINITY else min(value, highest) for value in (soft, hard or soft)]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (wanted[0], wanted[1]))


def _text(fd: int, mode: str, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(open(fd, mode, closefd=False), "utf-8", errors)


class Child:
    """One job, in a process of its own. `run` never returns."""

    def __init__(self, head: dict[str, Any], settings: dict[str, Any], install: Callable[[], bool]) -> None:
        self.head, self.settings, self.install = head, settings, install

    def run(self, main: Callable[..., Any], files: tuple[int, int, int, int]) -> NoReturn:
        """Read the job, give up all that the zygote has, and call the driver's `main`."""
        try:
            os.setsid()
            payload = self._take(files)
            self._standard_streams()
            sys.modules["__main__"] = types.ModuleType("__main__")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            random.seed(0)
            gc.enable()
            os.chdir(self.settings["scratch"])
            self._limits()
            self.install()
            os.write(3, READY)
        except BaseException:
            with contextlib.suppress(Exception):
                traceback.print_exc()
            _leave(70)
        try:
            self._end(*self._call(main, payload))
        finally:  # whatever the program has made of this process, it never goes on as the zygote
            _leave(70)

    def _take(self, files: tuple[int, int, int, int]) -> Any:
        """The payload; afterwards 0 to 4 are input, output, errors, results and inbox, and nothing else is open."""
        sys.set_int_max_str_digits(0)
        payload = json.loads(read_exactly(0, self.head["payload"]))
        sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
        stdin = memory_file()
        write_all(stdin, read_exactly(0, self.head["stdin"]))
        os.lseek(stdin, 0, os.SEEK_SET)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (stdin, *files)]
        for target, fd in enumerate(high):
            os.dup2(fd, target, inheritable=target < 3)
        os.closerange(5, 1024)
        return payload

    @staticmethod
    def _standard_streams() -> None:
        # Annotated as final in typeshed; a forked child is the place where they do change.
        streams: Any = sys
        streams.stdin = streams.__stdin__ = _text(0, "rb", "surrogateescape")
        streams.stdout = streams.__stdout__ = _text(1, "wb", "surrogateescape")
        streams.stderr = streams.__stderr__ = _text(2, "wb", "backslashreplace")
        streams.stderr.reconfigure(line_buffering=True)

    def _limits(self) -> None:
        head = self.head
        used, cpu = _mapped(), int(head["seconds"]) + 2
        _limit("CORE", 0)
        _limit("CPU", cpu)
        _limit("STACK", head["stack"])
        _limit("FSIZE", head["output"] + 1)
        _limit("NOFILE", head["files"])
        for name in ("MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO"):
            _limit(name, 0)
        _limit("SIGPENDING", 256)
        if self.settings["count_processes"]:
            _limit("NPROC", head["threads"] + 8)
        _limit("AS", used + head["memory"], used + head["memory"] + _RESERVE)

    @staticmethod
    def _lift() -> None:
        """Use the reserve of address space: there is something to be said."""
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    def _emit(self, value: Any) -> None:
        try:
            self._say(b"v", self._encode(value))
        except MemoryError:
            self._lift()
            self._say(b"v", self._encode(value))

    def _encode(self, value: Any, *, dumps: Callable[..., str] = json.dumps) -> bytes:
        digits = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return dumps(value, separators=(",", ":")).encode()
        finally:
            sys.set_int_max_str_digits(digits)

    def _say(self, kind: bytes, data: bytes) -> None:
        write_all(3, TO_ZYGOTE.pack(kind, len(data)), data)

    def _receive(self, *, loads: Callable[..., Any] = json.loads) -> Any:
        length = int.from_bytes(read_exactly(4, 4), "little")
        text = read_exactly(4, length)
        digits = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return loads(text)
        finally:
            sys.set_int_max_str_digits(digits)

    def _call(self, main: Callable[..., Any], payload: Any) -> tuple[str, str]:
        """Status and message: what this process says of itself, which is all that can be said from inside."""
        try:
            try:
                main(payload, self._emit, self._receive)
            finally:
                # As at the end of a program: other threads are waited for, and registered functions run.
                threading._shutdown()  # type: ignore[attr-defined]
                atexit._run_exitfuncs()
        except SystemExit as error:
            return ("ok", "") if error.code in (None, 0) else ("error", f"SystemExit: {error.code}"[:2000])
        except BaseException as error:
            memory = isinstance(error, MemoryError)
            if memory:
                self._lift()
                error.__traceback__ = None  # frees what the frames hold
            with contextlib.suppress(BaseException):
                traceback.print_exception(error)
            text = ""
            with contextlib.suppress(BaseException):
                text = str(error)
            return "memory" if memory else "error", f"{type(error).__name__}: {text}"[:2000]
        return "ok", ""

    def _end(self, status: str, message: str) -> NoReturn:
        for stream in (sys.stdout, sys.__stdout__, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()  # type: ignore[union-attr]
        with contextlib.suppress(BaseException):
            self._say(b"x", self._encode({"status": status, "message": message}))
        _leave(0)
