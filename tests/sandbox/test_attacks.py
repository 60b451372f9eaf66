"""Programs that want out, want more than they may have, or want to be believed: each gets its verdict in time, leaves
nothing behind, and the next program in the same pool runs as if nothing had been."""

from __future__ import annotations

import inspect
import os
import platform
import secrets
import struct
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy
import pytest

from gnomon.sandbox import Job, Limits, Outcome, Pool
from gnomon.sandbox._seccomp import CONDITIONAL

SECRET = "GNOMON_TEST_SECRET_" + secrets.token_hex(8)

HELP = """
import ctypes, os, sys
C = ctypes.CDLL(None, use_errno=True)
def refused(action, *arguments, **more):
    "True where the action is refused by the system."
    try:
        action(*arguments, **more)
    except OSError:
        return True
    return False
def called(number, *arguments):
    "The system's own answer to a system call: -1 is failure."
    ctypes.set_errno(0)
    answer = C.syscall(ctypes.c_long(number), *[ctypes.c_long(one) if isinstance(one, int) else one for one in arguments])
    return answer, ctypes.get_errno()
"""


@dataclass(frozen=True)
class Attack:
    """A program, the verdicts that are right, and what it must have printed."""

    name: str
    text: str
    verdicts: tuple[str, ...] = ("ok",)
    prints: bytes | None = None
    says: str = ""
    limits: dict = field(default_factory=dict)


def attack(name, text, *verdicts, prints=None, says="", **limits):
    limits.setdefault("seconds", 0.4 if "timeout" in verdicts else 4.0)
    return Attack(name, HELP + textwrap.dedent(text), verdicts or ("ok",), prints, says, limits)


def calls(name, numbers):
    """System calls by number that must all be refused, by the list or as unknown."""
    return attack(
        name,
        f"""
        import errno
        wrong = []
        for name, number, arguments in {numbers!r}:
            answer, code = called(number, *arguments)
            if answer != -1 or code not in (errno.EPERM, errno.ENOSYS):
                wrong.append((name, answer, code))
        print(wrong)
        """,
        prints=b"[]\n",
    )


HOME, PROJECT = str(Path.home()), str(Path(__file__).resolve().parents[2])

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
        "killed",
        says="128 threads",
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
        kinds = [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE]
        endless = resource.RLIM_INFINITY
        raised = []
        for kind in kinds:
            try: resource.setrlimit(kind, (endless, endless)); raised.append(kind)
            except (ValueError, OSError): pass
        print(raised, refused(resource.prlimit, 1, resource.RLIMIT_NOFILE, (0, 0)), refused(resource.prlimit, 1, resource.RLIMIT_CPU))
        """,
        prints=b"[] True True\n",
    ),
    attack(
        "locks without end",
        "import fcntl\nf = open('/tmp/x', 'w')\nprint(refused(fcntl.lockf, f, fcntl.LOCK_EX), refused(fcntl.fcntl, f, 1031, 1 << 20))",
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
    # other processes
    attack(
        "signals for process 1 and everyone",
        """
        import signal
        victims = [1, -1, os.getppid(), -1000]
        print([v for v in victims for s in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, 0) if not refused(os.kill, v, s)])
        """,
        prints=b"[]\n",
    ),
    attack(
        "signals by way of a file's owner",
        """
        import fcntl
        r, w = os.pipe()
        own, sig, own_ex = 8, 10, 15
        print(refused(fcntl.fcntl, r, own, 1), refused(fcntl.fcntl, r, sig, 9), refused(fcntl.fcntl, r, own_ex, bytes(8)))
        """,
        prints=b"True True True\n",
    ),
    attack(
        "priority of process 1",
        """
        attempts = [(os.setpriority, os.PRIO_PROCESS, 1, 19), (os.sched_setaffinity, 1, {0}), (os.nice, 5),
                    (os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))]
        print([attempt[0].__name__ for attempt in attempts if not refused(*attempt)])
        """,
        prints=b"[]\n",
    ),
    attack(
        "processes that are seen",
        "print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == [1, os.getpid()], os.getppid())",
        prints=b"True 1\n",
    ),
    attack(
        "files of process 1",
        """
        names = ['mem', 'environ', 'maps', 'stack', 'io', 'auxv', 'fd/0', 'fd/1', 'root/etc', 'cwd/x', 'exe', 'map_files',
                 'oom_score_adj', 'clear_refs', 'comm', 'coredump_filter', 'timerslack_ns']
        found = [n for n in names if not refused(os.open, '/proc/1/' + n, os.O_RDWR)]
        found += [n for n in names[:11] if not refused(lambda: open('/proc/1/' + n, 'rb').read(1))]
        print(found, refused(os.readlink, '/proc/1/fd/1'), refused(os.readlink, '/proc/1/exe'))
        """,
        prints=b"[] True True\n",
    ),
    attack(
        "grandchildren",
        """
        import subprocess, multiprocessing
        def double():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True: pass
        ways = [double, os.setsid, lambda: subprocess.run(['/bin/true']), lambda: os.posix_spawn('/bin/true', ['true'], {}),
                multiprocessing.get_context('fork').Process(target=print).start]
        print([n for n, way in enumerate(ways) if not refused(way)])
        """,
        prints=b"[]\n",
    ),
    attack(
        "other programs",
        """
        ways = [os.execve, '/bin/sh', ['sh'], {}], [os.execve, sys.executable or '/usr/bin/python3', ['x'], {}]
        print([refused(*way) for way in ways], os.system('true') != 0)
        descriptor = os.open('/proc/self/exe', os.O_RDONLY)
        print(refused(os.execve, descriptor, ['x'], {}))
        """,
        prints=b"[True, True] True\nTrue\n",
    ),
    # other places
    attack(
        "sockets",
        """
        import socket
        families = [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, 40, 38]
        print([f for f in families for t in (1, 2, 3) if not refused(socket.socket, f, t)], refused(socket.socketpair))
        """,
        prints=b"[] True\n",
    ),
    attack(
        "files of the system",
        """
        names = ['/etc/shadow', '/etc/passwd', '/etc/hostname', '/etc/ssh', '/var/log', '/home', '/boot', '/sys', '/run', '/opt',
                 '/proc/kcore', '/proc/kmsg', '/proc/sysrq-trigger', '/dev/mem', '/dev/kmsg', '/dev/tty', '/dev/pts', '/dev/vda']
        print([n for n in names if not refused(os.open, n, os.O_RDONLY) and n != '/proc/sysrq-trigger'])
        print(refused(os.open, '/proc/sysrq-trigger', os.O_WRONLY), refused(os.open, '/proc/sys/kernel/core_pattern', os.O_WRONLY))
        """,
        prints=b"[]\nTrue True\n",
    ),
    attack(
        "home and project",
        f"""
        import sysconfig
        prefix, lent = sys.base_prefix, {str(Path(numpy.__file__).parent)!r}
        found = []
        for place in ({HOME!r}, {PROJECT!r}, '/work', '/home', '/mnt'):
            for folder, _, files in os.walk(place):
                if not folder.startswith((prefix, lent, lent + '.libs')):
                    found += [os.path.join(folder, name) for name in files]
        print(found, refused(open, {PROJECT + "/pyproject.toml"!r}), refused(open, {__file__!r}))
        """,
        prints=b"[] True True\n",
    ),
    attack(
        "links out of the scratch folder",
        """
        os.symlink('/etc/shadow', '/tmp/a'); os.symlink('/usr/lib', '/tmp/b'); os.symlink('/proc/1/root', '/tmp/c')
        os.mkdir('/tmp/d'); os.symlink('/usr', '/tmp/d/e')
        print(refused(open, '/tmp/a'), refused(os.listdir, '/tmp/c/etc'), refused(open, '/tmp/b/x', 'w'))
        print(refused(os.link, os.__file__, '/tmp/f'), refused(os.link, '/proc/self/fd/1', '/tmp/g', follow_symlinks=True))
        """,
        prints=b"True True True\nTrue True\n",
    ),
    attack(
        "files of Python and numpy",
        """
        import numpy, numpy.linalg
        files = [os.__file__, numpy.__file__, numpy.linalg.__file__, sys.executable]
        print([f for f in files for way in ((open, f, 'a'), (os.unlink, f), (os.chmod, f, 0o777), (os.rename, f, '/tmp/x')) if f and not refused(*way)])
        """,
        prints=b"[]\n",
    ),
    attack(
        "other packages",
        """
        found = []
        for name in ('torch', 'scipy', 'pytest', 'gnomon', 'pip'):
            try: __import__(name); found.append(name)
            except ImportError: pass
        print(found, [m for m in sys.modules if m.startswith('gnomon')])
        """,
        prints=b"[] []\n",
    ),
    attack(
        "variables of the parent",
        f"print([k for k, v in os.environ.items() if {SECRET[:18]!r} in k + v], open('/proc/self/environ').read().find({SECRET[:18]!r}))",
        prints=b"[] -1\n",
    ),
    attack(
        "a terminal",
        """
        import fcntl
        print(refused(fcntl.ioctl, 0, 0x5412, b'x'), refused(os.openpty), refused(os.open, '/dev/ptmx', os.O_RDWR), os.isatty(1))
        """,
        prints=b"True True True False\n",
    ),
    # trust
    attack(
        "control pipes of the zygote",
        r"""
        import stat
        kinds = {fd: stat.S_IFMT(os.fstat(fd).st_mode) for fd in range(1024) if not refused(os.fstat, fd)}
        print(sorted(kinds), [fd for fd, kind in kinds.items() if kind == stat.S_IFIFO], kinds[0] == stat.S_IFREG)
        """,
        prints=b"[0, 1, 2, 3, 4] [3, 4] True\n",
    ),
    attack(
        "garbage in every descriptor",
        "for fd in range(1024):\n if fd not in (1, 2): refused(os.write, fd, b'garbage' * 100)",
        "error",
        says="cannot be read",
    ),
    attack(
        "frames of the zygote forged",
        r"""
        import json, struct
        facts = json.dumps({"why": "", "status": 0, "seconds": 0, "clean": True, "sizes": [0], "cpu": 0, "peak": 0}).encode()
        frame = struct.pack("<I16sc", len(facts), bytes(16), b"f") + facts
        for fd in range(1024):
            if fd not in (0, 1): refused(os.write, fd, frame)
        os._exit(0)
        """,
        "error",
    ),
    attack(
        "a status that is for the harness to give",
        r"""
        import json, struct
        said = json.dumps({"status": "harness", "message": "poor me"}).encode()
        os.write(3, b"x" + struct.pack("<I", len(said)) + said); os._exit(0)
        """,
        "error",
        says="poor me",
    ),
    attack("descriptors closed", "os.closerange(0, 1024)", "error", says="before the driver returned"),
    attack(
        "a result too deep",
        r"""
        import struct
        deep = b"[" * 100000 + b"]" * 100000
        os.write(3, b"v" + struct.pack("<I", len(deep)))
        for start in range(0, len(deep), 4096): os.write(3, deep[start:start + 4096])
        """,
        "error",
        says="levels deep",
    ),
    attack("a result too long", "emit(10 ** 300_000)", "error", says="digits"),
    attack("a result of too many elements", "emit([[]] * 3_000_000)", "error", says="elements", seconds=4.0),
    attack("lone surrogates", "emit(['\\ud800', {'\\udfff': 1}])"),
    attack(
        "an exception that bites",
        """
        class Meta(type):
            @property
            def __name__(self): raise KeyboardInterrupt
        class Error(BaseException, metaclass=Meta):
            def __str__(self): raise MemoryError
        raise Error
        """,
        "error",
    ),
    attack(
        "the zygote's functions by way of frames",
        """
        frame, names = sys._getframe(), {}
        while frame:
            names.update(frame.f_globals); names.update(frame.f_locals); frame = frame.f_back
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ in ('Zygote', 'Watch'):
                for method in ('serve', '_job', 'back'):
                    try: getattr(thing, method)(b'f', b'{}') if method == 'back' else getattr(thing, method)()
                    except BaseException: pass
        """,
        "ok",
        "error",
    ),
    attack(
        "the warm interpreter changed",
        """
        import builtins, json, math, os, random, threading, struct, gc
        for module in (json, math, random, struct, threading, os, gc):
            for name in list(vars(module)):
                if not name.startswith('__'): setattr(module, name, None)
        builtins.print = builtins.exec = builtins.compile = builtins.len = None
        sys.modules.clear()
        """,
        "ok",
        "error",
    ),
    attack("nothing is an exit", "import os\nos._exit = lambda code: None\nsys.exit = None\nprint(1)", prints=b"1\n"),
    attack(
        "a scratch folder that resists",
        """
        os.makedirs('/tmp/a/b/c'); open('/tmp/a/b/c/d', 'w'); os.chmod('/tmp/a/b', 0); os.chmod('/tmp/a', 0); os.chmod('/tmp', 0)
        """,
    ),
    attack("a scratch folder without ground", "os.chdir('/tmp')\nfor n in range(3000): os.mkdir('d'); os.chdir('d')"),
    # the kernel
    attack(
        "32-bit system calls",
        r"""
        import mmap
        code = mmap.mmap(-1, 4096, prot=7)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        """,
        "killed",
        "error",
    ),
    attack("raw memory", "x = 257\nctypes.memset(id(x), 0xff, 24)\nprint(x + 1)", "killed", "ok", "error", "memory"),
]

X86_64 = [
    calls("x32 system calls", [("getpid", 0x40000000 + 39, ()), ("fork", 0x40000000 + 57, ())]),
    calls(
        "tracing",
        [("ptrace", 101, (16, 1, 0, 0)), ("seize", 101, (0x4206, 1, 0, 0)), ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
         ("process_vm_writev", 311, (1, 0, 0, 0, 0, 0)), ("pidfd_open", 434, (1, 0)), ("pidfd_getfd", 438, (3, 0, 0)),
         ("kcmp", 312, (1, 1, 0, 0, 0)), ("tkill", 200, (1, 9)), ("tgkill", 234, (1, 1, 9)), ("process_madvise", 440, (3, 0, 0, 4, 0)),
         ("rt_sigqueueinfo", 129, (1, 9, 0)), ("pidfd_send_signal", 424, (3, 9, 0, 0))],
    ),
    calls(
        "mounts and namespaces",
        [("mount", 165, (0, 0, 0, 0, 0)), ("umount2", 166, (0, 0)), ("pivot_root", 155, (0, 0)), ("chroot", 161, (0,)),
         ("unshare", 272, (0x10000000,)), ("setns", 308, (3, 0)), ("clone of a user", 56, (0x10000011, 0, 0, 0, 0)),
         ("thread in new namespaces", 56, (0x7E010000, 0, 0, 0, 0)), ("clone3", 435, (0, 88)), ("open_tree", 428, (0, 0, 0)),
         ("move_mount", 429, (0, 0, 0, 0, 0)), ("fsopen", 430, (0, 0)), ("mount_setattr", 442, (0, 0, 0, 0, 0)),
         ("open_by_handle_at", 304, (0, 0, 0)), ("mknod", 133, (0, 0, 0)), ("setuid", 105, (0,)), ("quotactl", 179, (0, 0, 0, 0))],
    ),
    calls(
        "parts of the kernel that programs do not need",
        [("io_uring_setup", 425, (1, 0)), ("io_uring_enter", 426, (3, 0, 0, 0, 0, 0)), ("bpf", 321, (0, 0, 0)),
         ("userfaultfd", 323, (1,)), ("keyctl", 250, (0, 0, 0, 0, 0)), ("add_key", 248, (0, 0, 0, 0, 0)), ("request_key", 249, (0, 0, 0, 0)),
         ("perf_event_open", 298, (0, 0, -1, -1, 0)), ("memfd_create", 319, (0, 0)), ("memfd_secret", 447, (0,)), ("shmget", 29, (0, 4096, 512)),
         ("msgget", 68, (0, 512)), ("semget", 64, (0, 1, 512)), ("mq_open", 240, (0, 66, 384, 0)), ("personality", 135, (0xFFFFFFFF,)),
         ("kexec_load", 246, (0, 0, 0, 0)), ("init_module", 175, (0, 0, 0)), ("reboot", 169, (0, 0, 0, 0)), ("swapon", 167, (0, 0)),
         ("splice", 275, (0, 0, 1, 0, 1, 0)), ("vmsplice", 278, (1, 0, 0, 0)), ("inotify_init", 253, ()), ("fanotify_init", 300, (0, 0)),
         ("modify_ldt", 154, (0, 0, 0)), ("mlockall", 151, (1,)), ("sync", 162, ()), ("timer_create", 222, (0, 0, 0)),
         ("seccomp", 317, (0, 0, 0)), ("set dumpable", 157, (4, 1, 0, 0, 0)), ("set seccomp", 157, (22, 1, 0, 0, 0)), ("from the future", 999, ())],
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def pool(bubblewrap) -> Iterator[Pool]:
    before = os.environ.get("GNOMON_TEST_SECRET")
    os.environ["GNOMON_TEST_SECRET"] = SECRET
    try:
        with Pool(bubblewrap, workers=1) as one:
            yield one
    finally:
        os.environ.pop("GNOMON_TEST_SECRET")
        if before is not None:
            os.environ["GNOMON_TEST_SECRET"] = before


HONEST = """
import json, math, os, random, struct, numpy, threading
done = []
threading.Thread(target=done.append, args=(1,)).start()
a, b = map(int, input().split())
print(a + b, math.sqrt(16), json.loads("[1]"), numpy.arange(3).sum(), struct.pack("<I", 1), done)
emit({"files": os.listdir("/tmp"), "processes": sum(name.isdigit() for name in os.listdir("/proc")), "draw": random.random()})
"""


def _is_clean(pool: Pool, outcome: Outcome, descendants: Callable[[int], list[int]]) -> None:
    """The program after the attack ran right, found nothing, and outside there are only the jail's own two processes."""
    assert outcome.status == "ok", outcome
    assert outcome.stdout == b"7 4.0 [1] 3 b'\\x01\\x00\\x00\\x00' [1]\n"
    [found] = outcome.results
    assert found["files"] == []
    assert found["processes"] == 2
    worker = pool._all[0]
    assert worker.jail.pid is not None
    assert len(descendants(worker.jail.pid)) == 2


@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.name)
def test_attack_gets_its_verdict_and_leaves_nothing(one, pool, program, descendants):
    _attack(one, pool, program, descendants)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("one", X86_64, ids=lambda one: one.name)
def test_system_calls_are_refused(one, pool, program, descendants):
    _attack(one, pool, program, descendants)


def _attack(one: Attack, pool: Pool, program: Callable[..., Job], descendants: Callable[[int], list[int]]) -> None:
    started = time.monotonic()
    jobs = [Job(program("").driver, one.text, b"", Limits(**one.limits)), program(HONEST, b"3 4")]
    outcomes = dict(pool.map(jobs))
    assert outcomes[0].status in one.verdicts, outcomes[0]
    assert one.says in outcomes[0].message
    if one.prints is not None:
        assert outcomes[0].stdout == one.prints
    # the machine may be busy, and a jail that was thrown away is started again; "for ever" would be ten seconds
    assert time.monotonic() - started < one.limits["seconds"] + 5
    assert outcomes[0].seconds < one.limits["seconds"] + 1
    _is_clean(pool, outcomes[1], descendants)


def test_no_attack_is_left_out_by_name():
    names = [one.name for one in [*ATTACKS, *X86_64]]
    assert len(set(names)) == len(names)
    assert len(names) > 60


SEARCH = """
import ctypes
def count(backwards):
    "How often the text that reads `backwards` from its end stands in this process's own writable memory."
    total = 0
    for line in open('/proc/self/maps').read().splitlines():
        area, rights = line.split()[:2]
        if rights.startswith('rw') and '[vvar' not in line:
            start, end = (int(part, 16) for part in area.split('-'))
            total += ctypes.string_at(start, end - start)[::-1].count(backwards)
    return total
emit(count(bytes.fromhex(WANTED)))
"""


def _search(text: bytes) -> str:
    """A program that looks for `text` and does not contain it."""
    return SEARCH.replace("WANTED", repr(text[::-1].hex()))


def test_the_search_finds_what_is_there(run):
    """The oracle of the next two tests: a text that the program itself holds is found."""
    text = secrets.token_bytes(16)
    program = f"held = bytes.fromhex({text[::-1].hex()!r})[::-1]\n" + _search(text)
    assert run(program).results[0] > 0


def test_the_nonce_is_nowhere_in_the_child(jail, program, monkeypatch):
    known = secrets.token_bytes(16)
    monkeypatch.setattr(secrets, "token_bytes", lambda count=None: known)
    outcome = jail.run(program(_search(known)))
    assert (outcome.status, outcome.results) == ("ok", [0])


def test_nothing_of_an_earlier_job_is_in_a_later_one(jail, program):
    """Payload, input, output, errors, results, messages: of all that, the next child's memory has no copy."""
    secret = secrets.token_hex(16)
    loud = f"print('{secret}'); print(input()); emit('{secret}'); emit(receive()); raise ValueError('{secret}')"
    with jail.talk(program(loud, secret.encode())) as session:
        session.send(secret)
        assert session.receive() == secret
        assert session.receive() == secret
        assert session.finish().stdout.decode().split() == [secret, secret]
    before = jail.pid
    outcome = jail.run(program(_search(secret.encode())))
    assert (outcome.status, outcome.results) == ("ok", [0])
    assert jail.pid == before


def test_a_forged_ok_is_worth_what_an_honest_one_is(run):
    """What a program can forge is what it could have said anyway: results and "ok", nothing of the harness."""
    value, end = b'"forged"', b'{"status":"ok"}'
    frames = b"v" + struct.pack("<I", len(value)) + value + b"x" + struct.pack("<I", len(end)) + end
    outcome = run(f"import os\nos.write(3, {frames!r}); os.write(1, b'printed'); os._exit(0)")
    assert (outcome.status, outcome.results, outcome.stdout) == ("ok", ["forged"], b"printed")


def test_lone_surrogates_do_not_reach_the_parent(run):
    outcome = run("emit(['\\ud800', {'\\udfff': 'x\\ud83d\\ude00'}]); raise ValueError('\\udc80')")
    assert outcome.results == [["�", {"�": "x😀"}]]
    assert outcome.message == "ValueError: �"
    repr(outcome).encode("utf-8")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
def test_numbers_in_these_attacks_are_real():
    """A wrong number would be refused too, and prove nothing."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the kernel's headers are not installed: apt-get install linux-libc-dev")
    known = {
        int(line.split()[2]): line.split()[1].removeprefix("__NR_")
        for line in header.read_text().splitlines()
        if line.startswith("#define __NR_")
    }
    source = inspect.getsource(inspect.getmodule(test_numbers_in_these_attacks_are_real))
    for name in (
        "ptrace",
        "process_vm_readv",
        "mount",
        "setns",
        "io_uring_setup",
        "bpf",
        "userfaultfd",
        "keyctl",
        "splice",
    ):
        number = next(number for number, known_name in known.items() if known_name == name)
        assert f'("{name}", {number}, ' in source
    assert CONDITIONAL["x86_64"]["clone"] == 56
