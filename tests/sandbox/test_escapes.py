"""Programs that want out: to other processes, other files, the network, the zygote's trust, the kernel.

Each gets its verdict in time, leaves nothing behind, and the next program in the same pool runs as if nothing had been.
"""

from __future__ import annotations

import platform
import re
import textwrap
from pathlib import Path

import numpy
import pytest


def attack(name, text, *verdicts, prints=None, says="", **limits):
    """A case for `withstand`: a program, the verdicts that are right, what it must have printed, what is said of it."""
    limits.setdefault("seconds", 0.4 if "timeout" in verdicts else 4.0)
    case = {"text": textwrap.dedent(text), "verdicts": verdicts or ("ok",), "prints": prints, "says": says}
    return pytest.param({**case, "limits": limits}, id=name)


def calls(name, *numbers):
    """System calls (number, then arguments; those left out are 0) that must all be refused."""
    return attack(
        name,
        f"""
        import errno
        wrong = []
        for number, *arguments in {numbers!r}:
            answer, code = called(number, *(arguments + [0] * 6)[:6])
            if answer != -1 or code not in (errno.EPERM, errno.ENOSYS):
                wrong.append((number, answer, code))
        print(wrong)
        """,
        prints=b"[]\n",
    )


HOME, PROJECT = str(Path.home()), str(Path(__file__).resolve().parents[2])
SECRET = "GNOMON_TEST_SECRET"  # set by `withstand`

ATTACKS = [
    # other processes
    attack(
        "signals for process 1 and everyone",
        """
        import signal
        victims = [1, -1, os.getppid(), -1000]
        signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGHUP, 0)
        print([victim for victim in victims for number in signals if not refused(os.kill, victim, number)])
        """,
        prints=b"[]\n",
    ),
    attack(
        "signals by way of a file's owner",
        """
        import fcntl
        r, w = os.pipe()
        own, sig, own_ex = 8, 10, 15
        print([refused(fcntl.fcntl, r, *command) for command in ((own, 1), (sig, 9), (own_ex, bytes(8)))])
        """,
        prints=b"[True, True, True]\n",
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
        names = ['mem', 'environ', 'maps', 'stack', 'io', 'auxv', 'fd/0', 'fd/1', 'root/etc', 'cwd/x', 'exe',
                 'map_files', 'oom_score_adj', 'clear_refs', 'comm', 'coredump_filter', 'timerslack_ns']
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
        ways = [double, os.setsid, lambda: subprocess.run(['/bin/true']),
                lambda: os.posix_spawn('/bin/true', ['true'], {}),
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
        names = ['/etc/shadow', '/etc/passwd', '/etc/hostname', '/etc/ssh', '/var/log', '/home', '/boot',
                 '/sys', '/run', '/opt', '/proc/kcore', '/proc/kmsg', '/dev/mem', '/dev/kmsg', '/dev/tty',
                 '/dev/pts', '/dev/vda']
        print([n for n in names if not refused(os.open, n, os.O_RDONLY)])
        switches = ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern']
        print(*[refused(os.open, switch, os.O_WRONLY) for switch in switches])
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
        print(refused(os.link, os.__file__, '/tmp/f'), refused(os.link, '/proc/self/fd/1', '/tmp/g'))
        """,
        prints=b"True True True\nTrue True\n",
    ),
    attack(
        "files of Python and numpy",
        """
        import numpy, numpy.linalg
        files = [os.__file__, numpy.__file__, numpy.linalg.__file__, sys.executable]
        ways = [(open, 'a'), (os.unlink,), (os.chmod, 0o777), (os.rename, '/tmp/x'), (os.truncate, 0), (os.utime,)]
        print([file for file in files if file for way, *more in ways if not refused(way, file, *more)])
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
        f"""
        secret = {SECRET!r}
        print([k for k, v in os.environ.items() if secret in k + v], open('/proc/self/environ').read().find(secret))
        """,
        prints=b"[] -1\n",
    ),
    attack(
        "a terminal",
        """
        import fcntl
        print(refused(fcntl.ioctl, 0, 0x5412, b'x'), refused(os.openpty), refused(open, '/dev/ptmx'), os.isatty(1))
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
        facts = {"why": "", "status": 0, "seconds": 0, "clean": True, "sizes": [0, 0], "cpu": 0, "peak": 0}
        facts = json.dumps(facts).encode()
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
    attack(
        "a result too long",
        """
        import struct
        os.write(3, b"v" + struct.pack("<I", 300_000))
        for _ in range(100): os.write(3, b"9" * 3000)
        """,
        "error",
        says="digits",
    ),
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
        os.makedirs('/tmp/a/b/c'); open('/tmp/a/b/c/d', 'w')
        for folder in ('/tmp/a/b', '/tmp/a', '/tmp'): os.chmod(folder, 0)
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

# Every one of these numbers is checked against the kernel's header below.
REFUSED = {
    "tracing": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_open": 434, "pidfd_getfd": 438,
        "pidfd_send_signal": 424, "kcmp": 312, "tkill": 200, "process_madvise": 440, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "migrate_pages": 256, "move_pages": 279, "ioprio_set": 251, "sched_setattr": 314,
    },
    "processes and programs": {"fork": 57, "vfork": 58, "clone3": 435, "execve": 59, "execveat": 322, "setsid": 112},
    "mounts and namespaces": {
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "mknod": 133,
        "open_by_handle_at": 304, "name_to_handle_at": 303, "setuid": 105, "setgid": 106, "capset": 126,
        "sethostname": 170, "acct": 163, "quotactl": 179,
    },
    "network": {
        "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "listen": 50, "accept": 43, "sendto": 44,
        "sendmsg": 46, "recvmsg": 47,
    },
    "parts of the kernel that programs do not need": {
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "bpf": 321, "userfaultfd": 323,
        "keyctl": 250, "add_key": 248, "request_key": 249, "perf_event_open": 298, "memfd_create": 319,
        "memfd_secret": 447, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "personality": 135,
        "kexec_load": 246, "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169, "swapon": 167,
        "splice": 275, "tee": 276, "vmsplice": 278, "inotify_init": 253, "fanotify_init": 300, "modify_ldt": 154,
        "mlock": 149, "mlockall": 151, "sync": 162, "timer_create": 222, "timerfd_create": 283, "signalfd4": 289,
        "seccomp": 317, "io_setup": 206, "mbind": 237, "syslog": 103, "iopl": 172, "settimeofday": 164,
        "clock_settime": 227, "adjtimex": 159, "setxattr": 188, "lookup_dcookie": 212, "remap_file_pages": 216,
    },
}  # fmt: skip
X86_64 = [
    *(calls(name, *((number,) for number in numbers.values())) for name, numbers in REFUSED.items()),
    calls(
        "process 1",
        (62, 1, 9),
        (62, -1, 9),
        (234, 1, 1, 9),
        (101, 16, 1),
        (101, 0x4206, 1),
        (302, 1, 7),
        (141, 0, 1, 9),
    ),
    calls(
        "clone without a thread", (56, 17), (56, 0x10000011), (56, 0x4111), (56, 0x7E010000), (56, 0x3D0F00 - 0x10000)
    ),
    calls("commands to oneself", (157, 4, 1), (157, 22, 1), (157, 36, 1), (157, 1, 0), (157, 0x59616D61, -1)),
    calls("x32 system calls", (0x40000000 + 39,), (0x40000000 + 57,), (0x40000000 + 520,)),
    calls("from the future", (500,), (999,), (0x3FFFFFFF,)),
]


@pytest.mark.parametrize("case", ATTACKS)
def test_attack_gets_its_verdict_and_leaves_nothing(case, withstand):
    withstand(**case)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("case", X86_64)
def test_system_calls_are_refused(case, withstand):
    withstand(**case)


def test_numbers_in_these_attacks_are_the_kernels():
    """A wrong number would be refused too, and prove nothing."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the kernel's headers are not installed: apt-get install linux-libc-dev")
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)\n", header.read_text())}
    for numbers in REFUSED.values():
        assert {name: known[name] for name in numbers} == numbers
    special = {
        "kill": 62,
        "tgkill": 234,
        "ptrace": 101,
        "prlimit64": 302,
        "setpriority": 141,
        "clone": 56,
        "prctl": 157,
    }
    assert {name: known[name] for name in special} == special
