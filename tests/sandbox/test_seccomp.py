"""The filter says what its list says: checked by an interpreter of classic BPF written here, and against the kernel's
own headers where they are installed."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from gnomon.sandbox._seccomp import ALLOWED, ARCHITECTURES, CONDITIONAL, assemble

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
PID = 4711
MACHINES = sorted(ARCHITECTURES)


def decide(code: bytes, number: int, arguments=(), architecture: int = 0xC000003E) -> int:
    """What the kernel would answer: BPF from its documentation, four instructions and a return."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(list(arguments) + [0] * 6)[:6])
    accumulator, place = 0, 0
    while True:
        operation, yes, no, value = struct.unpack_from("=HBBI", code, 8 * place)
        place += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            assert value % 4 == 0
            (accumulator,) = struct.unpack_from("=I", data, value)
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
        place += yes if holds else no


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


@pytest.fixture
def ask(machine):
    made = assemble(machine)
    code = bytearray(made.code)
    for blank in made.blanks:
        assert code[blank : blank + 4] == bytes(4)
        struct.pack_into("=I", code, blank, PID)

    def answer(number, *arguments, architecture=ARCHITECTURES[machine][1]):
        return decide(bytes(code), number, arguments, architecture)

    return answer


def test_exactly_the_listed_calls_are_allowed(machine, ask):
    conditional = set(CONDITIONAL[machine].values())
    allowed = {number for number in range(1000) if number not in conditional and ask(number, 2**64 - 1) == ALLOW}
    assert allowed == set(ALLOWED[machine].values())


def test_all_others_are_refused_and_young_ones_unknown(machine, ask):
    listed = set(ALLOWED[machine].values()) | set(CONDITIONAL[machine].values())
    for number in set(range(450)) - listed:
        assert ask(number) == EPERM
    for number in set(range(450, 1000)) - listed:
        assert ask(number) == ENOSYS


def test_threads_are_allowed_and_processes_are_not(machine, ask):
    clone = CONDITIONAL[machine]["clone"]
    pthread = 0x3D0F00  # what glibc asks for
    assert ask(clone, pthread) == ALLOW
    assert ask(clone, pthread & ~0x10000) == EPERM
    assert ask(clone, 17) == EPERM
    assert ask(clone, 0x4111) == EPERM
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask(clone, pthread | namespace) == EPERM
    assert ask(CONDITIONAL[machine]["clone3"]) == ENOSYS


def test_signals_and_limits_are_for_oneself(machine, ask):
    for name in ("kill", "tgkill", "prlimit64"):
        number = CONDITIONAL[machine][name]
        assert ask(number, PID, 9, 9) == ALLOW
        for other in (1, 2, PID + 1, 2**32 - 1, 2**64 - 1, 2**32 - PID):
            assert ask(number, other, 9, 9) == EPERM
    assert ask(CONDITIONAL[machine]["kill"], 0) == ALLOW
    assert ask(CONDITIONAL[machine]["tgkill"], 0) == EPERM


def test_the_high_half_of_a_number_does_not_help(machine, ask):
    """The kernel takes a pid from the low 32 bits, so a high half must not make process 1 look like another one."""
    assert ask(CONDITIONAL[machine]["kill"], (PID << 32) | 1, 9) == EPERM


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("fcntl", [(0, 0), (0, 4), (0, 1030)], [(0, 6), (0, 7), (0, 8), (0, 10), (0, 15), (0, 1031), (0, 38)]),
        ("ioctl", [(0, 0x5401), (0, 0x541B)], [(0, 0x5412), (0, 0x8901), (0, 0xC0045877), (0, 0)]),
        ("prctl", [(15, 0), (3, 0)], [(4, 1), (22, 2), (38, 1), (1, 9), (36, 1), (0, 0)]),
    ],
)  # fmt: skip
def test_commands_are_listed_too(machine, ask, name, good, bad):
    number = CONDITIONAL[machine][name]
    assert {ask(number, *arguments) for arguments in good} == {ALLOW}
    assert {ask(number, *arguments) for arguments in bad} == {EPERM}


def test_other_architectures_end_the_process(machine, ask):
    for architecture in (0x40000003, 0xC000003E, 0xC00000B7, 0x40000028):
        if architecture != ARCHITECTURES[machine][1]:
            assert ask(ALLOWED[machine]["read"], architecture=architecture) == KILL


def test_x32_calls_are_refused(machine, ask):
    assert ask(0x40000000 + ALLOWED[machine]["read"]) == EPERM


def test_a_machine_without_a_list_has_no_filter():
    assert assemble("riscv64") is None
    assert assemble("i686") is None


def _numbers(path: str, pattern: str) -> dict[str, int]:
    if not Path(path).exists():
        pytest.skip(f"{path} is not there: apt-get install linux-libc-dev")
    return {found[1]: int(found[2]) for found in re.finditer(pattern, Path(path).read_text())}


def test_numbers_for_x86_64_are_the_kernels():
    known = _numbers("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+) (\d+)\n")
    ours = ALLOWED["x86_64"] | CONDITIONAL["x86_64"]
    assert {name: known.get(name) for name in ours} == ours


def test_numbers_for_aarch64_are_the_kernels():
    path = "/usr/include/asm-generic/unistd.h"
    # Some calls have a second name for 32-bit machines; on 64-bit ones the plain name stands for the number.
    known = _numbers(path, r"#define __NR_(\w+) (\d+)\n")
    known |= {
        found[1]: int(found[2]) for found in re.finditer(r"#define __NR3264_(\w+) (\d+)\n", Path(path).read_text())
    }
    known["newfstatat"] = known.pop("fstatat")
    ours = ALLOWED["aarch64"] | CONDITIONAL["aarch64"]
    assert {name: known.get(name) for name in ours} == ours
