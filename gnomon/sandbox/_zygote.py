"""The process inside a jail: it imports what programs need once, and forks one child for every job.

Its text is sent to a bare interpreter together with `_child.py`, so it needs the standard library and that file only.
Belongs here: what process 1 of a jail does. Does not belong here: what a child does (`_child.py`), and judging what
happened (`_judge.py`, in the parent).

What a child cannot reach: the zygote is process 1 of its namespace (signals from inside do not arrive), it cannot be
traced or read (not dumpable), the child has closed the zygote's descriptors and forks no process of its own. What was
asked of a job (payload, standard input) is read by the child, after the fork, so the zygote never holds it and no later
job can find it; buffers that hold what a job wrote are wiped. The nonce of a job is read after the child has closed the
control pipe; frames without it come from nobody.

Towards the zygote: kind (1 byte), length (4 bytes), data. `d` a driver, `j` a job (then, outside the frame: payload,
standard input, nonce), `m` a message to the running child, `k` end the running child.
Towards the parent: length (4 bytes), nonce (16 bytes), kind (1 byte), data. `h` hello, `d` a driver is ready or not,
`r` bytes that the child emitted, `o` standard output, `e` the end of standard error, `f` finished.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import platform
import select
import shutil
import signal
import struct
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

from gnomon.sandbox._child import READY, TO_PARENT, TO_ZYGOTE, Child, memory_file, read_exactly, write_all

_NOBODY = bytes(16)
_CHUNK = 1 << 16
_TAIL = 4096  # bytes of standard error that are kept
_TICK = 0.025  # seconds between two looks at what no resource limit binds: threads, files, output
_ENDING = 1 << 15  # bytes for frames and for what a child says of its end, beside what it emits
_MESSAGES = 64 << 20  # bytes that wait for a child which does not read them
_DUMPABLE, _NO_NEW_PRIVILEGES, _SECCOMP, _SUBREAPER = 4, 38, 22, 36


def _frame(fd: int) -> tuple[bytes, bytearray]:
    kind, length = TO_ZYGOTE.unpack(read_exactly(fd, TO_ZYGOTE.size))
    return kind, read_exactly(fd, length)


class Watch:
    """The zygote's side of one job: relays, limits that the kernel does not keep, the deadline."""

    def __init__(self, head: dict[str, Any], settings: dict[str, Any], pid: int, nonce: bytes) -> None:
        self.head, self.settings, self.pid, self.nonce = head, settings, pid, nonce
        self.buffer = bytearray(_CHUNK)
        self.pending = bytearray()
        self.emitted = 0
        self.ended = False

    def back(self, kind: bytes, *parts: bytes | bytearray | memoryview) -> None:
        write_all(1, TO_PARENT.pack(sum(map(len, parts)), self.nonce, kind), *parts)

    def until_end(self, out: int, err: int, results: int, inbox: int) -> str:
        """Wait for the child's end, its deadline or a limit; "" where it ended by itself, else why it must end."""
        started, poller = time.monotonic(), select.poll()
        handle = _process_handle(self.pid)
        tick = _TICK if handle >= 0 else 0.002
        for fd in filter(lambda fd: fd >= 0, (0, results, handle)):
            poller.register(fd, select.POLLIN)
        looked, why, deadline = started, "", started + self.head["seconds"]
        try:
            while not why:
                now = time.monotonic()
                events = dict(poller.poll(max(0.0, min(deadline - now, looked + tick - now)) * 1000 + 0.5))
                now = time.monotonic()
                if results in events and not self._relay(results):
                    poller.unregister(results)
                if 0 in events:
                    why = self._control()
                if inbox in events or self.pending:
                    self._pass_on(inbox, poller)
                if handle in events:
                    break
                if now >= looked + tick:
                    looked = now
                    why = why or self._look(out, err, handle)
                    if self.ended:
                        break
                if not why and now >= deadline:
                    why = "deadline"
        finally:
            if handle >= 0:
                os.close(handle)
        return why

    def _relay(self, results: int) -> bool:
        """Pass on what the child has emitted; False when there will be no more."""
        try:
            got = os.readv(results, [self.buffer])
        except BlockingIOError:
            return True
        if got and self.emitted <= self.head["output"] + _ENDING:
            self.emitted += got
            self.back(b"r", memoryview(self.buffer)[:got])
        return bool(got)

    def drain(self, results: int) -> None:
        """The rest of what a dead child has emitted."""
        while self.emitted <= self.head["output"] + _ENDING:
            before = self.emitted
            if not self._relay(results) or self.emitted == before:
                return

    def _control(self) -> str:
        kind, data = _frame(0)
        if int.from_bytes(data[:4], "little") != self.head["number"]:
            return ""
        if kind == b"k":
            return "closed"
        self.pending += data[4:]
        data[:] = bytes(len(data))
        return "output" if len(self.pending) > _MESSAGES else ""

    def _pass_on(self, inbox: int, poller: select.poll) -> None:
        done = 0
        try:
            with memoryview(self.pending) as whole, whole[: 1 << 20] as part:
                done = os.write(inbox, part)
        except BrokenPipeError:  # the child has closed its end: nobody will read this
            done = len(self.pending)
        except BlockingIOError:
            pass
        self.pending[:done] = bytes(done)
        del self.pending[:done]
        if self.pending:
            poller.register(inbox, select.POLLOUT)
        else:
            with contextlib.suppress(KeyError):
                poller.unregister(inbox)

    def _look(self, out: int, err: int, handle: int) -> str:
        most = self.head["output"]
        printed = os.fstat(out).st_size
        if printed > most or printed + self.emitted > most + _ENDING or os.fstat(err).st_size > most:
            return "output"
        if self.settings["own_scratch"] and _entries(self.settings["scratch"]) > self.head["entries"]:
            return "entries"
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[17]) > self.head["threads"]:
                    return "threads"
        except OSError:
            pass
        if handle < 0:
            self.ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return ""

    def send_file(self, kind: bytes, fd: int, start: int) -> None:
        """What is in `fd` from `start`, in frames."""
        size = min(os.fstat(fd).st_size, self.head["output"] + 1)
        while start < size:
            got = os.preadv(fd, [memoryview(self.buffer)[: min(_CHUNK, size - start)]], start)
            if not got:
                return
            self.back(kind, memoryview(self.buffer)[:got])
            start += got

    def wipe(self) -> None:
        self.buffer[:] = bytes(len(self.buffer))
        self.pending[:] = bytes(len(self.pending))


def _process_handle(pid: int) -> int:
    """A descriptor that becomes readable when `pid` ends; -1 where the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def _entries(folder: str) -> int:
    """Files and folders that a file system of its own holds, itself not counted."""
    state = os.statvfs(folder)
    return state.f_files - state.f_ffree - 1


class Zygote:
    """What process 1 of a jail does, from its settings to the end of its input."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.mains: dict[str, Callable[..., Any]] = {}
        self.library: Any = None

    def serve(self) -> NoReturn:
        try:
            self.settings = json.loads(_frame(0)[1])
            self._prepare()
            while True:
                kind, data = _frame(0)
                if kind == b"d":
                    self._learn(json.loads(data))
                elif kind == b"j":
                    self._job(json.loads(data))
                # a message for a job that has ended by now is for nobody
        except (EOFError, BrokenPipeError):
            os._exit(0)

    def _prepare(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a handler would let a child's signal through to process 1
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        with contextlib.suppress(OSError, AttributeError):
            self.library = ctypes.CDLL(None, use_errno=True)
            self.library.prctl(_DUMPABLE, 0, 0, 0, 0)
            if os.getpid() != 1:
                self.library.prctl(_SUBREAPER, 1, 0, 0, 0)
        facts = {"python": platform.python_version(), "pid": os.getpid(), "seccomp": self._try_filter(), "numpy": None}
        if not facts["seccomp"]:
            self.settings["filter"] = ""
        for name in self.settings["modules"]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        sys.path += self.settings["numpy"]
        with contextlib.suppress(ImportError):
            for name in self.settings["numpy_modules"]:
                importlib.import_module(name)
            if "numpy" in sys.modules:
                facts["numpy"] = sys.modules["numpy"].__version__
                sys.modules["numpy.random"].seed(0)
        # numpy alone is lent, not all that lies beside it; its own parts are found through the package
        sys.path[:] = [entry for entry in sys.path if entry and entry not in self.settings["numpy"]]
        importlib.import_module("site").setquit()  # exit() and quit(), which -S leaves out
        sys.argv = ["program.py"]
        threading.stack_size(8 << 20)  # else threads take the main thread's limit as their size
        gc.collect()
        gc.disable()
        gc.freeze()
        data = json.dumps(facts).encode()
        write_all(1, TO_PARENT.pack(len(data), _NOBODY, b"h"), data)

    def install(self) -> bool:
        """Put the filter on this process, for good."""
        code = bytearray.fromhex(self.settings["filter"])
        if not code or self.library is None:
            return False
        for blank in self.settings["blanks"]:
            struct.pack_into("=I", code, blank, os.getpid())
        held = (ctypes.c_char * len(code)).from_buffer(code)
        program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(held)))
        prctl = self.library.prctl
        if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            return False
        return not prctl(_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0)

    def _try_filter(self) -> bool:
        """Whether a child gets the filter and is then refused what it refuses."""
        pid = os.fork()
        if not pid:
            refused = False
            if self.install():
                try:
                    os._exit(2 if os.fork() else 3)
                except OSError as error:
                    refused = error.errno == errno.EPERM
            os._exit(0 if refused else 1)
        return os.waitpid(pid, 0)[1] == 0

    def _learn(self, driver: dict[str, str]) -> None:
        """Run a driver's top level, once: its imports and definitions are there in every child."""
        message = b""
        module = types.ModuleType("driver")
        sys.modules["driver"] = module
        try:
            exec(compile(driver["source"], "driver", "exec"), module.__dict__)
            self.mains[driver["name"]] = module.__dict__["main"]
        except (Exception, SystemExit) as error:
            message = f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:2000]
        gc.freeze()
        write_all(1, TO_PARENT.pack(len(message), _NOBODY, b"d"), message)

    def _job(self, head: dict[str, Any]) -> None:
        out, err = memory_file(), memory_file()
        (results, results_end), (inbox_end, inbox) = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            child = Child(head, self.settings, self.install)
            child.run(self.mains[head["driver"]], (out, err, results_end, inbox_end))
        os.close(results_end)
        os.close(inbox_end)
        if os.read(results, 1) != READY:
            # The child may have left a part of its job in the control pipe, so there is no going on.
            os.write(2, b"a child did not begin\n" + os.pread(err, _TAIL, 0))
            os._exit(70)
        os.set_blocking(results, False)
        os.set_blocking(inbox, False)
        watch = Watch(head, self.settings, pid, bytes(read_exactly(0, 16)))
        started = time.monotonic()
        try:
            why = watch.until_end(out, err, results, inbox)
        except (EOFError, BrokenPipeError):
            self._end_everything(pid)
            os._exit(0)
        seconds = time.monotonic() - started
        status, usage, clean = self._end_everything(pid)
        watch.drain(results)
        watch.send_file(b"o", out, 0)
        watch.send_file(b"e", err, max(0, os.fstat(err).st_size - _TAIL))
        sizes = [os.fstat(out).st_size, os.fstat(err).st_size]
        watch.wipe()
        for fd in (out, err, results, inbox):
            os.close(fd)
        clean = self._clear_scratch() and clean
        facts = {"why": why, "status": status, "seconds": seconds, "clean": clean, "sizes": sizes}
        facts |= {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
        watch.back(b"f", json.dumps(facts).encode())

    def _end_everything(self, pid: int) -> tuple[int, Any, bool]:
        """Kill and reap the child and whatever else is there; the child's status, its use, whether it was alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        alone = True
        for _ in range(1000):
            _kill_the_rest()
            try:
                reaped, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return status, usage, alone
            alone = False
            if not reaped:
                time.sleep(0.001)
        return status, usage, False

    def _clear_scratch(self) -> bool:
        """Empty the scratch folder; False where that is not done, and the jail had better be thrown away."""
        folder = self.settings["scratch"]
        try:
            if os.stat(folder).st_uid == os.getuid():
                os.chmod(folder, 0o700)
            if self.settings["own_scratch"] and _entries(folder) > 500:
                return False
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
            return True
        except (OSError, RecursionError):
            return False


def _kill_the_rest() -> None:
    """Kill every process of the namespace; outside of one, this process's children, adopted orphans included."""
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
        for stray in file.read().split():
            os.kill(int(stray), signal.SIGKILL)


def serve() -> NoReturn:
    """Be the zygote: the control pipe is standard input, answers go to standard output."""
    Zygote().serve()
