"""A jail's process, from its command to its end.

Belongs here: starting, greeting, stopping, with the same settings for every kind of jail. Does not belong here: which
command makes a jail (one file a kind), and jobs (`_jail.py`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.sandbox import _child, _seccomp, _zygote
from gnomon.sandbox._wire import Dead, Wire

__all__ = ["MODULES", "STACK", "Command", "Process", "environment", "own_numpy", "own_python", "python_arguments"]

STACK = 256 << 20
"""Room for the main thread's stack; `Limits.stack` may not be more."""

_IMPORTS = """
abc array ast atexit bisect builtins calendar cmath collections collections.abc copy ctypes dataclasses datetime decimal
enum fractions functools hashlib heapq importlib inspect io itertools json linecache math numbers operator os queue
random re signal statistics string struct sys textwrap threading time timeit traceback types typing unicodedata
unittest.mock warnings weakref
"""
MODULES = tuple(_IMPORTS.split())
"""What is imported before the first job."""

_NUMPY = ("numpy", "numpy.random", "numpy.linalg", "numpy.fft", "numpy.polynomial", "numpy.ma")
_START = 30.0  # seconds that a jail may take to start: ten times more than on a busy machine
_STOP = 2.0
# The zygote's text comes as the first bytes of standard input, so nothing has to lie anywhere inside.
_BOOT = """\
import os, sys, types
def take(count):
    whole = b""
    while len(whole) < count:
        got = os.read(0, count - len(whole))
        if not got: os._exit(0)
        whole += got
    return whole
for name in ("gnomon", "gnomon.sandbox", "gnomon.sandbox._child", "gnomon.sandbox._zygote"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(take(int(take(8))), name, "exec"), module.__dict__)
for name in [name for name in sys.modules if name.startswith("gnomon")]: del sys.modules[name]
module.serve()
"""


def python_arguments() -> tuple[str, ...]:
    """Arguments of the interpreter: no byte code written, no user's and no site's packages, the zygote from stdin."""
    return ("-B", "-s", "-S", "-c", _BOOT)


def environment(home: str) -> dict[str, str]:
    """All the variables that a program sees; sets have the same order in every run.

    >>> environment("/tmp")["PYTHONHASHSEED"]
    '0'
    """
    # A process with threads must not fork, so numpy gets none.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    places = {"PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": home}
    return {**places, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **alone}


def own_python() -> Path:
    """The interpreter behind this one, not the link that a virtual environment has."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def own_numpy() -> Path | None:
    """The folder of this interpreter's numpy, which is not imported for this."""
    found = importlib.util.find_spec("numpy")
    return Path(found.origin).parent if found is not None and found.origin else None


@dataclass(frozen=True)
class Command:
    """How one jail is started, and what is special inside.

    Attributes
    ----------
    argv : tuple of str
    environment : mapping
        The whole environment of `argv`; what is inside is for `argv` to say.
    scratch : str
        The only folder, as seen inside, where programs may write.
    own_scratch : bool
        Whether it is a file system of its own, whose entries can be counted.
    count_processes : bool
        Whether RLIMIT_NPROC counts this jail's processes alone.
    numpy : str
        The folder, as seen inside, that numpy is imported from; "" for the interpreter's own.
    remove : Path or None
        A folder outside that is removed when the jail ends.
    finish : tuple of str
        A command that ends the jail where the end of `argv`'s process does not.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: str = "/tmp"
    own_scratch: bool = True
    count_processes: bool = False
    numpy: str = ""
    remove: Path | None = None
    finish: tuple[str, ...] = ()


def _new_starter() -> None:
    # A process asks to be killed when its parent's *thread* ends, so all are started by one thread that stays.
    global _starter
    _starter = ThreadPoolExecutor(1, thread_name_prefix="gnomon-jails")


_starter: ThreadPoolExecutor
_new_starter()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_starter)


class Process:
    """A started jail that has said hello; raises Dead, with the end of what it wrote, where it does not.

    Attributes
    ----------
    facts : dict
        "python" and "numpy" (version or None), "seccomp" (whether its children get the filter), "pid" (as seen inside).
    wire : Wire
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._errors = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None
        try:
            # Before the jail's own command: the stack may grow, and the kernel takes this one first when memory ends.
            line = f'ulimit -Ss {STACK >> 10} 2>/dev/null; echo 500 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'
            self._process = _starter.submit(
                subprocess.Popen,
                ["/bin/sh", "-c", line, "sh", *command.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                cwd=command.remove or "/",
                env=dict(command.environment),
                start_new_session=True,
            ).result()
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self.wire = Wire(self._process.stdin.fileno(), self._process.stdout.fileno())
            self.facts = self._greet()
        except BaseException as error:
            said = self.said()
            self.stop(force=True)
            if isinstance(error, (Dead, OSError, RuntimeError)):
                raise Dead(f"a jail did not start: {error}" + (f" ({said})" if said else "")) from error
            raise

    @property
    def pid(self) -> int:
        """Process id, as seen outside, of the command that holds the jail."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """The end of what the command and the zygote wrote to standard error, in one line."""
        size = os.fstat(self._errors.fileno()).st_size
        text = os.pread(self._errors.fileno(), 600, max(0, size - 600)).decode("utf-8", "replace")
        return " ".join(text.split())

    def _greet(self) -> dict[str, Any]:
        sources = (b"", b"", Path(_child.__file__).read_bytes(), Path(_zygote.__file__).read_bytes())
        deadline = time.monotonic() + _START
        filtered = _seccomp.assemble()
        settings = {
            "modules": MODULES,
            "numpy": [self._command.numpy] if self._command.numpy else [],
            "numpy_modules": _NUMPY,
            "scratch": self._command.scratch,
            "own_scratch": self._command.own_scratch,
            "count_processes": self._command.count_processes,
            "filter": filtered.code.hex() if filtered else "",
            "blanks": filtered.blanks if filtered else [],
        }
        assert self._process is not None
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), True)
        try:
            text = memoryview(b"".join(b"%08d" % len(source) + source for source in sources))
            while text:  # a pipe holds 64 KiB and takes all of it at once
                text = text[os.write(self._process.stdin.fileno(), text) :]
        except OSError as error:
            raise Dead("it ended at once") from error
        finally:
            os.set_blocking(self._process.stdin.fileno(), False)
        self.wire.write(b"s", json.dumps(settings).encode(), deadline=deadline)
        _, kind, data = self.wire.read(deadline)
        facts = json.loads(data)
        if kind != b"h" or not isinstance(facts, dict):
            raise Dead("it did not greet")
        return facts

    def stop(self, force: bool = False) -> None:
        """End the jail and all in it, and give back what it held. Without `force` it is first asked to."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            if not force:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP)
            if process.poll() is None:
                self._kill(process)
        self._errors.close()
        if self._command.remove is not None:
            shutil.rmtree(self._command.remove, ignore_errors=True)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if self._command.finish:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    self._command.finish,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_START,
                    check=False,
                )
        # It leads a session and a group of its own; what is deeper dies with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 9)
        process.wait()
