"""Programs that want more than they may have, and programs that end in a way that looks like success.

Each gets its verdict in time, leaves nothing behind, and the next program in the same pool runs as if nothing had been.
"""

from __future__ import annotations

import textwrap

import pytest


def attack(name, text, *verdicts, prints=None, says="", **limits):
    """A case for `withstand`: a program, the verdicts that are right, what it must have printed, what is said of it."""
    limits.setdefault("seconds", 0.4 if "timeout" in verdicts else 4.0)
    case = {"text": textwrap.dedent(text), "verdicts": verdicts or ("ok",), "prints": prints, "says": says}
    return pytest.param({**case, "limits": limits}, id=name)


ATTACKS = [
    # more than it may have
    attack("fork bomb", "while True: os.fork()", "error", says="PermissionError"),
    attack(
        "fork bomb that goes on",
        """
        while True:
            for fork in (os.fork, os.forkpty, lambda: called(57), lambda: called(58), lambda: called(56, 17)):
                try:
                    if fork() == 0: pass
                except BaseException: pass
        """,
        "timeout",
    ),
    attack(
        "thread bomb",
        """
        import threading, time
        threading.stack_size(32768)
        while True:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        """,
        "killed",  # by the zygote; for a user other than root the kernel refuses the thread before that
        "error",
        says="thread",
    ),
    attack("memory bomb", "x = []\nwhile True: x.append(bytearray(1 << 20))", "memory", memory=200 << 20),
    attack("memory at once", "x = b'x' * (1 << 40)", "memory"),
    attack("mapped memory", "import mmap\nx = [mmap.mmap(-1, 1 << 26) for _ in range(100)]", "error", "memory"),
    attack("numpy memory", "import numpy\nx = numpy.ones(1 << 31)", "memory", "error"),
    attack(
        "memory is not swallowed for ever",
        """
        x = []
        while True:
            try:
                x.append(bytearray(1 << 16))
            except MemoryError: pass
        """,
        "timeout",
        memory=100 << 20,
    ),
    attack(
        "file descriptors", "x = []\nwhile True: x.append(os.open('/dev/null', 0))", "error", says="Too many open files"
    ),
    attack(
        "scratch folder filled",
        "for n in range(100): open(f'/tmp/{n}', 'wb').write(bytes(1 << 20))",
        "error",
        says="No space left",
    ),
    attack(
        "scratch folder of many files", "n = 0\nwhile True:\n open(f'/tmp/{n}', 'w')\n n += 1", "output", says="files"
    ),
    attack(
        "one large file", "with open('/tmp/x', 'wb') as f:\n while True: f.write(bytes(1 << 20))", "error", says="large"
    ),
    attack(
        "no other place to write",
        """
        places = ['/', '/dev', '/dev/shm', '/usr', '/usr/lib', '/etc', '/proc', '/var/tmp', '/run', '/work', '/root']
        print([place for place in places if not refused(open, place + '/x', 'w')])
        """,
        prints=b"[]\n",
    ),
    attack("a gigabyte printed", "for _ in range(1024): print('x' * (1 << 20))", "output"),
    attack("a gigabyte written", "while True:\n try: os.write(1, bytes(1 << 20))\n except OSError: pass", "output"),
    attack("a gigabyte of errors", "while True:\n try: os.write(2, bytes(1 << 20))\n except OSError: pass", "output"),
    attack("a sparse gigabyte", "os.ftruncate(1, 1 << 30)", "error", says="large"),
    attack("a gigabyte emitted", "while True: emit('x' * 1000000)", "output"),
    attack("one value of a hundred megabytes", "emit('x' * 100_000_000)", "output"),
    attack("many small values", "while True: emit(0)", "error", "output", "timeout", says=""),
    attack("endless loop", "while True: pass", "timeout"),
    attack("endless loop in C", "pow(3, 10 ** 9)", "timeout"),
    attack("endless regular expression", "import re\nre.match('(a*)*b', 'a' * 60)", "timeout"),
    attack(
        "deep recursion", "sys.setrecursionlimit(10 ** 9)\nf = lambda: f()\nf()", "memory", "killed", "error", "timeout"
    ),
    attack(
        "stack overflow in C",
        "import functools\nsys.setrecursionlimit(10 ** 9)\nf = functools.cache(lambda n: f(n + 1))\nf(0)",
        "killed",
        "memory",
        "error",
    ),
    attack(
        "raised limits",
        """
        import resource
        kinds = [getattr(resource, 'RLIMIT_' + name) for name in ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE')]
        endless = resource.RLIM_INFINITY
        raised = []
        for kind in kinds:
            try: resource.setrlimit(kind, (endless, endless)); raised.append(kind)
            except (ValueError, OSError): pass
        print(raised, refused(resource.prlimit, 1, resource.RLIMIT_NOFILE, (0, 0)), refused(resource.prlimit, 1, 0))
        """,
        prints=b"[] True True\n",
    ),
    attack(
        "locks without end",
        """
        import fcntl
        f = open('/tmp/x', 'w')
        print(refused(fcntl.lockf, f, fcntl.LOCK_EX), refused(fcntl.fcntl, f, 1031, 1 << 20))
        """,
        prints=b"True True\n",
    ),
    # time
    attack(
        "signals swallowed",
        """
        import signal
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        signal.alarm(0); signal.setitimer(signal.ITIMER_REAL, 0)
        while True: pass
        """,
        "timeout",
    ),
    attack("exceptions swallowed", "while True:\n try:\n  while True: pass\n except BaseException: pass", "timeout"),
    attack("stops itself", "import signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    attack("sleeps", "import time\nwhile True: time.sleep(100)", "timeout"),
    attack("waits for standard input that ends", "print(repr(sys.stdin.read()))", prints=b"''\n"),
    attack("waits for a value", "receive()", "timeout"),
    attack(
        "daemon thread goes on",
        "import threading\ndef f():\n while True: pass\nthreading.Thread(target=f, daemon=True).start()\nprint('done')",
        prints=b"done\n",
    ),
    attack(
        "thread goes on",
        "import threading\ndef f():\n while True: pass\nthreading.Thread(target=f).start()",
        "timeout",
    ),
    attack(
        "an exit function that never ends", "import atexit\n@atexit.register\ndef f():\n while True: pass", "timeout"
    ),
    # ends that look like success
    attack("os._exit(0)", "os._exit(0)", "error", says="exit code 0"),
    attack("sys.exit(0)", "print(3); sys.exit(0)", prints=b"3\n"),
    attack("sys.exit(3)", "sys.exit(3)", "error", says="SystemExit: 3"),
    attack("abort", "os.abort()", "killed", says="SIGABRT"),
    attack("segmentation fault", "ctypes.string_at(0)", "killed", says="SIGSEGV"),
    attack("kills itself", "import signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed", says="SIGKILL"),
]


@pytest.mark.parametrize("case", ATTACKS)
def test_attack_gets_its_verdict_and_leaves_nothing(case, withstand):
    withstand(**case)
