"""One jail: what a job gets and gives, every status, limits, sessions, and jails that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.sandbox import STATUSES, Command, Ended, Jail, JailKind, Job, Limits, Outcome
from gnomon.sandbox._process import Process

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
ECHO = """
import sys
def main(payload, emit, receive):
    emit(payload)
    sys.stdout.buffer.write(sys.stdin.buffer.read())
"""


@given(VALUES, st.binary(max_size=50))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out(jail, value, stdin):
    outcome = jail.run(Job(ECHO, value, stdin))
    assert (outcome.status, outcome.results, outcome.stdout, outcome.message) == ("ok", [value], stdin, "")


def test_large_input_and_output_pass(jail):
    stdin = os.urandom(1 << 20) * 8
    outcome = jail.run(Job(ECHO, "x" * 5_000_000, stdin))
    assert outcome.stdout == stdin
    assert outcome.results == ["x" * 5_000_000]


def test_long_integers_pass_both_ways(jail):
    number = 10**20_000 - 1
    driver = "def main(payload, emit, receive): emit(payload); emit(receive() + 1)"
    with jail.talk(Job(driver, number)) as session:
        assert session.receive() == number
        session.send(number)
        assert session.receive() == number + 1


def test_the_programs_own_limit_on_digits_is_pythons(run):
    assert "4300" in run("str(10 ** 5000)").message


@pytest.mark.parametrize(
    "text, status, message",
    [
        ("print(1)", "ok", ""),
        ("raise SystemExit", "ok", ""),
        ("exit()", "ok", ""),
        ("quit(0)", "ok", ""),
        ("exit('no')", "error", "SystemExit: no"),
        ("1 / 0", "error", "ZeroDivisionError: division by zero"),
        ("x = ", "error", "SyntaxError: invalid syntax (program, line 1)"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt: "),
        ("raise MemoryError('mine')", "memory", "MemoryError: mine"),
        ("while True: pass", "timeout", "more than 0.3 s"),
        ("import os; os.abort()", "killed", "SIGABRT"),
        ("import os; os._exit(5)", "error", "it ended with exit code 5 before the driver returned"),
        ("print('x' * 2000)", "output", "more than 1,000 bytes of output"),
        ("emit('x' * 2000)", "output", "more than 1,000 bytes of output"),
        ("print('x' * 600); emit('x' * 600)", "output", "more than 1,000 bytes of output"),
        ("print('x' * 999)", "ok", ""),
        ("print('x' * 900); emit('x' * 97)", "ok", ""),
        ("print('x' * 900); emit('x' * 98)", "output", "more than 1,000 bytes of output"),
    ],
)
def test_status_and_message(run, text, status, message):
    outcome = run(text, seconds=0.3 if status == "timeout" else 4, output=1000)
    assert (outcome.status, outcome.message) == (status, message)
    assert outcome.status in STATUSES
    assert outcome.ok == (status == "ok")
    assert len(outcome.stdout) <= 1000


@pytest.mark.parametrize("end", ["1 / 0", "import os; os._exit(0)", "import os; os.abort()", "while True: pass"])
def test_what_was_said_before_a_failure_is_kept(run, end):
    outcome = run(f"emit([1]); emit('two'); print('three', flush=True)\n{end}", seconds=0.3)
    assert outcome.results == [[1], "two"]
    assert outcome.stdout == b"three\n"
    assert outcome.status != "ok"


def test_the_end_of_standard_error_is_kept(run):
    outcome = run("import sys; sys.stderr.write('x' * 10000 + 'end'); 1 / 0", output=100_000)
    assert len(outcome.stderr) == 4096
    assert b"xxend" in outcome.stderr
    assert outcome.stderr.endswith(b"ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    "text, stdout",
    [
        ("a = input(); print(a + input())", b"12\n"),
        ("import sys; print(sys.stdin.read().split())", b"['1', '2']\n"),
        ("import sys; print([line for line in sys.stdin])", b"['1\\n', '2\\n']\n"),
        ("from sys import stdin, stdout; stdout.write(stdin.readline())", b"1\n"),
        ("import sys; sys.stdout.buffer.write(sys.stdin.buffer.readline())", b"1\n"),
        ("import os; os.write(1, os.read(0, os.fstat(0).st_size))", b"1\n2\n"),
        ("print(open(0).read().split())", b"['1', '2']\n"),
        ("print(open('/dev/stdin').read().split())", b"['1', '2']\n"),
        ("import sys; sys.stdin.read(); print(repr(sys.stdin.read()))", b"''\n"),
        ("import sys, io; sys.stdout = io.StringIO(); print(1); sys.__stdout__.write(sys.stdout.getvalue())", b"1\n"),
        ("import atexit, os; atexit.register(os.write, 1, b'late\\n')", b"late\n"),
        (
            "import threading; threading.stack_size(1 << 27); threading.Thread(target=lambda: print(input())).start()",
            b"1\n",
        ),
        ("if __name__ == '__main__': print(input())", b"1\n"),
        ("import fileinput; print([line for line in fileinput.input()])", b"['1\\n', '2\\n']\n"),
        ("print('\\u00e9\\udc80', end='')", b"\xc3\xa9\x80"),
    ],
)
def test_a_program_reads_and_writes_as_it_would_alone(run, text, stdout):
    outcome = run(text, b"1\n2\n")
    assert (outcome.status, outcome.stdout) == ("ok", stdout), outcome


def test_deep_recursion_has_the_stack_it_was_promised(run):
    text = "import sys, functools\nsys.setrecursionlimit(10 ** 6)\n"
    text += "f = functools.cache(lambda n: n and 1 + f(n - 1))\nprint(f(40000))"
    assert run(text).stdout == b"40000\n"
    assert run(text, stack=1 << 20).message == "SIGSEGV"


def test_memory_is_counted_on_top_of_what_the_interpreter_has(run):
    text = "x = bytearray({} << 20)"
    assert run(text.format(90), memory=100 << 20).status == "ok"
    assert run(text.format(110), memory=100 << 20).status == "memory"


def test_a_result_can_be_told_when_memory_is_used_up(run):
    text = """
    x, value = [], {'blocks': 'x' * 100000}
    try:
        while True: x.append(bytearray(1 << 20))
    except MemoryError:
        while True:
            try: x.append(bytearray(1 << 10))
            except MemoryError: break
    emit(value)
    """
    outcome = run(textwrap.dedent(text), memory=100 << 20)
    assert outcome.results == [{"blocks": "x" * 100_000}]


def test_time_is_told(run):
    asleep = run("import time; time.sleep(0.2)")
    assert 0.2 <= asleep.seconds < 2
    assert asleep.cpu < 0.2
    busy = run("import time\nwhile time.process_time() < 0.2: pass")
    assert busy.cpu >= 0.19
    assert run("x = bytearray(50 << 20)").peak > 50 << 20


def test_the_same_program_says_the_same_in_every_jail(bubblewrap, program):
    text = "import random, numpy; print(random.random(), numpy.random.rand(), {'a', 'b', 'c', 'd', 'e'}, hash('x'))"
    said = set()
    for _ in range(2):
        with Jail(bubblewrap) as one:
            said |= {one.run(program(text)).stdout for _ in range(2)}
    assert len(said) == 1


def test_the_drivers_top_level_runs_once_a_jail(bubblewrap):
    driver = "import time\nloaded = time.monotonic_ns()\ndef main(payload, emit, receive): emit(loaded)"
    with Jail(bubblewrap) as one:
        first, second = (one.run(Job(driver)).results[0] for _ in range(2))
    assert first == second


def test_what_a_job_changes_in_the_driver_is_gone_in_the_next(jail):
    driver = "seen = []\ndef main(payload, emit, receive): seen.append(payload); emit(seen)"
    assert [jail.run(Job(driver, n)).results for n in range(3)] == [[[0]], [[1]], [[2]]]


@pytest.mark.parametrize("driver", ["x = ", "1 / 0", "pass", "raise SystemExit", "import nothing_of_that_name"])
def test_a_driver_that_cannot_be_used_is_the_harness_fault(jail, driver):
    outcome = jail.run(Job(driver))
    assert outcome.status == "harness"
    assert "the driver cannot be used" in outcome.message


def test_a_payload_that_is_no_json_is_the_callers_mistake(jail, run):
    with pytest.raises(TypeError, match="not JSON serializable"):
        jail.run(Job(ECHO, object()))
    assert run("print(1)").ok


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0}, {"memory": -1}, {"stack": 1 << 40}, {"files": 10_000}, {"seconds": float("nan")}]
)
def test_limits_that_cannot_be_kept_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


# sessions


ADD = "def main(payload, emit, receive):\n    while (pair := receive()) is not None: emit(sum(pair))\n    print('end')"


def test_a_session_asks_and_answers(jail):
    with jail.talk(Job(ADD)) as session:
        for n in range(200):
            session.send([n, 1])
            assert session.receive() == n + 1
        session.send(None)
        outcome = session.finish()
    assert outcome.status == "ok"
    assert outcome.results == [n + 1 for n in range(200)]
    assert outcome.stdout == b"end\n"


def test_messages_wait_for_a_driver_that_is_busy(jail):
    """Two megabytes each way do not fit in any pipe."""
    big = "x" * 100_000
    driver = (
        "import time\ndef main(payload, emit, receive):\n    time.sleep(0.1)\n    for _ in range(20): emit(receive())"
    )
    with jail.talk(Job(driver)) as session:
        for _ in range(20):
            session.send(big)
        assert [session.receive() for _ in range(20)] == [big] * 20
        assert session.finish().ok


def test_who_waits_for_a_value_is_told_of_the_end(jail, program):
    with jail.talk(program("emit(1); raise ValueError('no')")) as session:
        assert session.receive() == 1
        with pytest.raises(Ended, match="error: ValueError: no") as caught:
            session.receive()
        assert caught.value.outcome.status == "error"
        session.send("nobody hears")
        assert session.finish() is caught.value.outcome


def test_one_answer_can_be_given_less_time_than_the_session(jail, run, program):
    with jail.talk(program("emit(1)\nwhile True: pass", seconds=30)) as session:
        assert session.receive(seconds=5) == 1
        with pytest.raises(Ended, match=r"no answer within 0\.2 s") as caught:
            session.receive(seconds=0.2)
    assert caught.value.outcome.status == "timeout"
    assert caught.value.outcome.seconds < 5
    assert run("print(1)").ok


def test_the_deadline_holds_for_the_whole_session(jail, program):
    def talk_for_ever(session):
        while True:
            session.send(1)
            assert session.receive() == 1

    with jail.talk(program("while True: emit(receive())", seconds=0.3)) as session, pytest.raises(Ended) as caught:
        talk_for_ever(session)
    assert caught.value.outcome.status == "timeout"
    assert len(caught.value.outcome.results) > 10


def test_leaving_a_session_ends_the_job(jail, run, program):
    with jail.talk(program("emit(1)\nwhile True: pass", seconds=30)) as session:
        session.receive()
    assert session.finish().status == "killed"
    assert session.finish().message == "the session was closed"
    assert run("print(1)").ok


def test_an_unreadable_answer_ends_the_session(jail, program):
    with jail.talk(program("import os\nos.write(3, b'?' * 100)\nwhile True: pass", seconds=30)) as session:
        with pytest.raises(Ended, match="cannot be read"):
            session.receive()
        assert session.finish().status == "error"


def test_a_message_that_comes_too_late_reaches_nobody(jail, run, program):
    for _ in range(20):
        with jail.talk(program("pass")) as session:
            for n in range(5):
                session.send([n] * 1000)
    assert run("print(1)").stdout == b"1\n"
    with jail.talk(Job(ADD)) as session:
        session.send([1, 2])
        assert session.receive() == 3


def test_a_jail_is_for_one_job_at_a_time(jail, program):
    with jail.talk(program("receive()")), pytest.raises(RuntimeError, match="in use"):
        jail.run(program("pass"))


# jails that end or fail


def test_a_jail_starts_when_it_is_needed_and_is_kept(bubblewrap, program):
    with Jail(bubblewrap) as one:
        assert not one.alive
        assert one.pid is None
        one.run(program("pass"))
        first = one.pid
        one.run(program("1 / 0"))
        assert one.alive
        assert one.pid == first
    assert not one.alive
    with pytest.raises(RuntimeError, match="closed"):
        one.run(program("pass"))
    one.close()


def test_closing_leaves_no_process(bubblewrap, program, descendants):
    with Jail(bubblewrap) as one:
        one.run(program("pass"))
        pids = descendants(one.pid)
        assert len(pids) == 2
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_a_jail_that_is_killed_amid_a_job_is_replaced_and_the_job_repeated(bubblewrap, program):
    with Jail(bubblewrap) as one:
        one.run(program("pass"))
        first = one.pid
        threading.Timer(0.3, os.kill, (first, signal.SIGKILL)).start()
        outcome = one.run(program("import time; time.sleep(0.6); print('done')"))
        assert (outcome.status, outcome.stdout) == ("ok", b"done\n")
        assert one.pid != first


def test_a_jail_that_is_killed_between_jobs_is_not_noticed(bubblewrap, program):
    with Jail(bubblewrap) as one:
        one.run(program("pass"))
        os.kill(one.pid, signal.SIGKILL)
        assert one.run(program("print(1)")).stdout == b"1\n"


def test_a_session_whose_jail_is_killed_says_harness(bubblewrap, program):
    with Jail(bubblewrap) as one:
        with one.talk(program("emit(1); receive()")) as session:
            session.receive()
            os.kill(one.pid, signal.SIGKILL)
            with pytest.raises(Ended) as caught:
                session.receive()
        assert caught.value.outcome.status == "harness"
        assert caught.value.outcome.results == [1]
        assert one.run(program("print(1)")).ok


PARENT = """
import sys, time
from gnomon.sandbox import Jail, Job, Limits, find_jail
driver = "def main(payload, emit, receive):\\n    emit(1)\\n    while True: pass"
jail = Jail(find_jail("bubblewrap"))
session = jail.talk(Job(driver, limits=Limits(seconds=60)))
session.receive()
print(jail.pid, flush=True)
time.sleep(60)
"""


def test_nothing_outlives_a_parent_that_is_killed(bubblewrap, descendants):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        pids = descendants(int(parent.stdout.readline()))
        assert len(pids) == 3
        parent.kill()
    deadline = time.monotonic() + 10
    while any(descendants(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(descendants(pid) for pid in pids)


class Lying(JailKind):
    """A jail whose process 1 is the given program, and not ours."""

    name = "lying"

    def __init__(self, text: str) -> None:
        self.text = text

    def missing(self):
        return None

    def label(self) -> str:
        return "lies"

    def command(self) -> Command:
        return Command((sys.executable, "-S", "-c", LIAR + textwrap.dedent(self.text)))


LIAR = """
import os, struct, sys, time, json
def say(kind, data, nonce=bytes(16)): os.write(1, struct.pack("<I16sc", len(data), nonce, kind) + data)
def hear():
    os.read(0, 1 << 20)
def hello():
    hear(); say(b"h", json.dumps({"python": "3", "numpy": None, "seccomp": True, "pid": 1}).encode())
def learn():
    time.sleep(0.2); hear(); say(b"d", b"")
facts = {"why": "", "status": 0, "seconds": 0, "clean": True, "sizes": [0, 0], "cpu": 0, "peak": 0}
"""


@pytest.mark.parametrize(
    "lie, says",
    [
        ("sys.exit('no room')", "no room"),
        ("os.write(1, b'x' * 100); time.sleep(9)", "frame of"),
        ("say(b'?', b'{}'); time.sleep(9)", "did not greet"),
        ("hello(); sys.exit()", "jail failed"),
        ("hello(); learn(); hear(); sys.exit('out of order')", "out of order"),
        ("hello(); learn(); hear(); say(b'f', json.dumps(facts).encode()); time.sleep(9)", "without the job's nonce"),
        ("hello(); learn(); hear(); os.write(1, b'\\xff' * 100); time.sleep(9)", "frame of"),
    ],
)
def test_a_jail_that_lies_is_the_harness_fault(lie, says):
    with Jail(Lying(lie)) as one:
        outcome = one.run(Job(ECHO))
    assert outcome.status == "harness"
    assert says in outcome.message


def test_a_jail_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr("gnomon.sandbox._jail._SLACK", 0.5)
    with Jail(Lying("hello(); learn(); time.sleep(60)")) as one:
        started = time.monotonic()
        outcome = one.run(Job(ECHO, limits=Limits(seconds=0.1, output=1000)))
    assert outcome == Outcome("harness", message="the jail failed: it did not answer in time")
    assert time.monotonic() - started < 20


def test_many_jails_come_and_go_without_a_trace(bubblewrap):
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        process = Process(bubblewrap.command())
        assert process.alive
        process.stop()
        assert not process.alive
    assert len(os.listdir("/proc/self/fd")) == len(before)
