"""The system calls that a program in a jail may make, as a filter that the kernel runs.

Belongs here: the list of calls, by name and number, and its translation into classic BPF. Does not belong here:
installing the filter (`_zygote.py`, in the child, after the fork).

The list says what is allowed; everything else is refused with EPERM, and calls that are younger than the list with
ENOSYS, so that a C library falls back to what it used before. Not on the list, among others: starting processes and
programs, sockets, mounts and namespaces, tracing, other processes' memory, keys, bpf, io_uring, userfaultfd, shared
memory segments, memfd_create, splice, inotify, and whatever changes the priority, limits or signals of another process.

Numbers: `asm/unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64) of Linux.
"""

from __future__ import annotations

import errno
import platform
import struct
import sys
from dataclasses import dataclass

__all__ = ["ALLOWED", "ARCHITECTURES", "CONDITIONAL", "Filter", "assemble"]

# name, number on x86_64, number on aarch64; a dash where there is no such call.
_CALLS = """
read 0 63, write 1 64, open 2 -, openat 257 56, openat2 437 437, creat 85 -, close 3 57, close_range 436 436, stat 4 -,
fstat 5 80, lstat 6 -, newfstatat 262 79, statx 332 291, lseek 8 62, pread64 17 67, pwrite64 18 68, readv 19 65,
writev 20 66, preadv 295 69, pwritev 296 70, preadv2 327 286, pwritev2 328 287, access 21 -, faccessat 269 48,
faccessat2 439 439, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, getdents 78 -, getdents64 217 61,
getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34,
rmdir 84 -, link 86 -, linkat 265 37, unlink 87 -, unlinkat 263 35, symlink 88 -, symlinkat 266 36, readlink 89 -,
readlinkat 267 78, chmod 90 -, fchmod 91 52, fchmodat 268 53, umask 95 166, utime 132 -, utimes 235 -, futimesat 261 -,
utimensat 280 88, truncate 76 45, ftruncate 77 46, fallocate 285 47, fadvise64 221 223, fsync 74 82, fdatasync 75 83,
flock 73 32, statfs 137 43, fstatfs 138 44, sendfile 40 71,
poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19, pause 34 -,
nanosleep 35 101, clock_nanosleep 230 115, wait4 61 260, waitid 247 95,
brk 12 214, mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, msync 26 227,
futex 202 98, futex_waitv 449 449, set_robust_list 273 99, set_tid_address 218 96, rseq 334 293, membarrier 324 283,
getcpu 309 168, sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
sched_get_priority_max 146 125, sched_get_priority_min 147 126, gettid 186 178,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigsuspend 130 133,
rt_sigtimedwait 128 137, sigaltstack 131 132, restart_syscall 219 128, alarm 37 -, getitimer 36 102, setitimer 38 103,
clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153,
getpid 39 172, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148,
getresgid 120 150, getgroups 115 158, getpgrp 111 -, getpgid 121 155, getsid 124 156, getrlimit 97 163,
setrlimit 160 164, getrusage 98 165, getpriority 140 141, uname 63 160, sysinfo 99 179, getrandom 318 278,
exit 60 93, exit_group 231 94
"""

# Allowed for some arguments only; `_conditions` says for which.
_CONDITIONAL = """
clone 56 220, clone3 435 435, kill 62 129, tgkill 234 131, prlimit64 302 261, prctl 157 167, fcntl 72 25, ioctl 16 29
"""

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080  # user, mount, pid, net, ipc, uts, cgroup, time
# duplicate, close-on-exec, status flags, pipe size; not locks (unbounded kernel memory), owners and signals
_FCNTL = (0, 1, 2, 3, 4, 1030, 1032)
# is it a terminal, how much is there to read, close-on-exec, non-blocking, window size
_IOCTL = (0x5401, 0x541B, 0x5450, 0x5451, 0x5421, 0x5413)
# name of a thread, dumpable (reading), name of a mapping (newer allocators)
_PRCTL = (3, 15, 16, 0x53564D41)
_YOUNGEST = 450  # calls from here on are not known to this file

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_MISSING = 0x00050000 | errno.ENOSYS
_INSTRUCTION = struct.Struct("=HBBI")
_X32 = 0x40000000


def _numbers(text: str, column: int) -> dict[str, int]:
    rows = (row.split() for row in text.replace("\n", " ").split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


ARCHITECTURES = {"x86_64": (1, 0xC000003E), "aarch64": (2, 0xC00000B7)}
"""Machine name to its column in the list and the kernel's number for it."""
ALLOWED = {machine: _numbers(_CALLS, column) for machine, (column, _) in ARCHITECTURES.items()}
"""Calls that are allowed whatever their arguments are: name to number, by machine."""
CONDITIONAL = {machine: _numbers(_CONDITIONAL, column) for machine, (column, _) in ARCHITECTURES.items()}
"""Calls that are allowed for some arguments: name to number, by machine."""


@dataclass(frozen=True)
class Filter:
    """A program for `PR_SET_SECCOMP`, with blanks for the process that it will be installed in.

    Attributes
    ----------
    code : bytes
        Eight bytes an instruction.
    blanks : tuple of int
        Offsets of four-byte words that must become the process id (native byte order).

    >>> made = assemble("x86_64")
    >>> len(made.code) % 8, len(made.code) // 8 < 4096, len(made.blanks)
    (0, True, 3)
    """

    code: bytes
    blanks: tuple[int, ...]


class _Assembler:
    """Instructions in order; jumps only reach over the few instructions that a rule consists of."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []
        self.blanks: list[int] = []

    def emit(self, code: int, value: int, yes: int = 0, no: int = 0) -> None:
        self.rows.append((code, yes, no, value))

    def load_argument(self, index: int) -> None:
        # The low word. The kernel reads pids, flags and commands as 32 bits, so the high word says nothing.
        self.emit(_LOAD, 16 + 8 * index)

    def allow_if_equal(self, value: int) -> None:
        self.emit(_EQUAL, value, 0, 1)
        self.emit(_RETURN, _ALLOW)

    def allow_if_own_pid(self) -> None:
        self.blanks.append(len(self.rows) * _INSTRUCTION.size + 4)
        self.allow_if_equal(0)

    def block(self, number: int, rows: _Assembler) -> None:
        """`rows`, run for the call `number` only; they end in a return."""
        self.emit(_EQUAL, number, 0, len(rows.rows))
        start = len(self.rows) * _INSTRUCTION.size
        self.blanks += [start + blank for blank in rows.blanks]
        self.rows += rows.rows


def _conditions(name: str) -> _Assembler:
    """What decides about a call that is allowed for some arguments only."""
    rule = _Assembler()
    if name == "clone":  # threads, never processes; flags are the first argument on both machines
        rule.load_argument(0)
        rule.emit(_ANY_BIT, _CLONE_NAMESPACES, 2, 0)
        rule.emit(_ANY_BIT, _CLONE_THREAD, 0, 1)
        rule.emit(_RETURN, _ALLOW)
    elif name == "clone3":  # its flags lie in memory, where a filter cannot read: the C library then takes clone
        rule.emit(_RETURN, _MISSING)
    elif name in ("kill", "tgkill"):  # itself and nobody else
        rule.load_argument(0)
        rule.allow_if_own_pid()
        if name == "kill":
            rule.allow_if_equal(0)
    elif name == "prlimit64":  # of another process of the same user the kernel would allow it
        rule.load_argument(0)
        rule.allow_if_equal(0)
        rule.allow_if_own_pid()
    else:
        rule.load_argument(0 if name == "prctl" else 1)
        for value in {"prctl": _PRCTL, "fcntl": _FCNTL, "ioctl": _IOCTL}[name]:
            rule.allow_if_equal(value)
    rule.emit(_RETURN, _REFUSE)
    return rule


def assemble(machine: str | None = None) -> Filter | None:
    """The filter for `machine` ("x86_64", "aarch64"; default: this one), None where the list has no numbers for it.

    Another architecture's calls (32-bit ones, x32) end the process or are refused: their numbers mean other calls.
    """
    machine = machine or platform.machine()
    # A 32-bit Python on a 64-bit kernel makes 32-bit calls.
    if machine not in ARCHITECTURES or sys.maxsize < 2**32 or sys.byteorder != "little":
        return None
    program = _Assembler()
    program.emit(_LOAD, 4)
    program.emit(_EQUAL, ARCHITECTURES[machine][1], 1, 0)
    program.emit(_RETURN, _KILL)
    program.emit(_LOAD, 0)
    program.emit(_AT_LEAST, _X32, 0, 1)
    program.emit(_RETURN, _REFUSE)
    for name, number in CONDITIONAL[machine].items():
        program.block(number, _conditions(name))
    for number in ALLOWED[machine].values():
        program.allow_if_equal(number)
    program.emit(_AT_LEAST, _YOUNGEST, 0, 1)
    program.emit(_RETURN, _MISSING)
    program.emit(_RETURN, _REFUSE)
    return Filter(b"".join(_INSTRUCTION.pack(*row) for row in program.rows), tuple(program.blanks))
