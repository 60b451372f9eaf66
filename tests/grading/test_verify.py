r"""math-verify in its own process: what it says, and that no answer can take more than its time, memory or process."""

from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.errors import UsageError
from gnomon.grading import verify
from gnomon.grading.boxed import boxed_official
from gnomon.grading.equivalence import canonical, equivalent_corrected
from gnomon.grading.verify import INSTALL, MAX_LENGTH, Verdict, Verifier

installed = pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason=f"needs {INSTALL}")

ENDLESS = "(10^{10^{10}})!"


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(seconds=30) as shared:
        yield shared


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts another program in the worker's place: after `ready`, it runs the given lines for each question."""

    def replace(body: str) -> None:
        lines = ["import json, os, signal, sys, time", "print(json.dumps({'ready': 'none'}), flush=True)"]
        lines += ["for line in sys.stdin:", *(f"    {line}" for line in body.splitlines())]
        path = tmp_path / "worker.py"
        path.write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.setattr(verify, "_command", lambda: [sys.executable, "-I", str(path)])

    return replace


def _ends(pid: int) -> bool:
    """Whether a process is gone within some seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # ended; whoever adopted it has not asked yet
            return True
        time.sleep(0.05)
    return False


# --- what math-verify says ---


@installed
@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("1/2", "0.5", True),
        (r"\frac{1}{2}", "0.50", True),
        ("1000", "1,000", True),
        ("1,2", "2,1", True),
        ("5", "x=5", True),
        ("12", "12_{10}", True),
        (r"1\frac12", r"\frac{3}{2}", True),
        ("(x+1)^2", "x^2+2x+1", True),
        (r"-\frac34", r"\frac{-3}{4}", True),
        (r"\sqrt{3}", r"\sqrt 3", True),
        ("$5$", r"\boxed{5}", True),
        ("(1,2)", "(2,1)", False),
        ("(0,1)", "[0,1]", False),
        (r"\frac13", "0.333", False),
        ("2", r"\pm 2", False),
        ("5", "6", False),
        ("5", r"\frac{", False),
        # its known false positive: both readings of a percentage
        ("50%", "50", True),
        ("50%", "0.5", True),
    ],
)
def test_math_verify_says(verifier, gold, answer, equal):
    assert verifier.equivalent(gold, answer) == Verdict(equal)


@installed
def test_many_are_judged_in_order_by_one_process_whose_version_is_known(verifier):
    verdicts = verifier.equivalent_many([("1", "1"), ("1", "2"), ("1", None), (r"\$7", "7")])
    assert [verdict.equivalent for verdict in verdicts] == [True, False, False, True]
    assert [verdict.status for verdict in verdicts] == ["ok", "ok", "missing", "ok"]
    assert verifier.version
    assert verifier.starts == 1


@installed
def test_it_serves_several_threads(verifier):
    found: dict[int, Verdict] = {}

    def ask(number: int) -> None:
        found[number] = verifier.equivalent(str(number % 3), "1")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number for number, verdict in found.items() if verdict.equivalent} == {1, 4, 7, 10}


@installed
@pytest.mark.parametrize("text", ["5\udc80", "5\x00", "\n5\n", "{" * 60, "\\" * 301, "$" * 99, "'\"; import os", "√∞"])
def test_no_text_ends_the_process(verifier, text):
    verdict = verifier.equivalent("5", text)
    assert verdict.status in ("ok", "error")
    assert verifier.equivalent("5", "5") == Verdict(True)


# --- answers that are not judged ---


@pytest.mark.parametrize("answer", [None, "", " \n"])
def test_a_missing_answer_is_said_to_be_missing_without_a_process(answer):
    with Verifier() as verifier:
        assert verifier.equivalent("5", answer).status == "missing"
        assert verifier.starts == 0


@pytest.mark.parametrize(("gold", "answer"), [(" ", "5"), ("5", "1" * (MAX_LENGTH + 1)), ("1" * (MAX_LENGTH + 1), "5")])
def test_a_blank_gold_answer_and_a_text_too_long_are_errors_without_a_process(gold, answer):
    with Verifier() as verifier:
        verdict = verifier.equivalent(gold, answer)
        assert (verdict.equivalent, verdict.status) == (False, "error")
        assert verifier.starts == 0


# --- limits ---


@installed
def test_an_endless_answer_is_stopped_and_the_next_one_gets_a_new_process():
    with Verifier(seconds=30) as verifier:
        assert verifier.equivalent("5", "5") == Verdict(True)
        verifier.seconds = 0.6
        process = verifier._process
        start = time.monotonic()
        verdict = verifier.equivalent("5", ENDLESS)
        assert (verdict.equivalent, verdict.status) == (False, "timeout")
        assert "0.6 seconds" in verdict.detail
        assert 0.5 < time.monotonic() - start < 10
        assert process.poll() is not None
        verifier.seconds = 30
        assert verifier.equivalent("5", "5") == Verdict(True)
        assert verifier.starts == 2


@installed
def test_too_little_memory_to_start_is_said_with_the_number():
    with (
        Verifier(memory=1 << 24) as verifier,
        pytest.raises(UsageError, match=r"before the first question.*16,777,216 bytes"),
    ):
        verifier.equivalent("5", "5")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ("os._exit(3)", "error", "ended with code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "error", "ended with code -9"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "timeout", "CPU time"),
        ("print(json.dumps({'error': 'MemoryError: '}), flush=True)", "error", "MemoryError"),
        ("os.close(1)\ntime.sleep(60)", "timeout", "no verdict after 0.3 seconds"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)", "timeout", "no verdict"),
    ],
)
def test_a_process_that_fails_is_replaced(worker, body, status, detail):
    worker(body)
    with Verifier(seconds=0.3 if "sleep" in body else 30) as verifier:
        for starts in (1, 2):
            verdict = verifier.equivalent("5", "5")
            if body.startswith("os.close"):
                assert verdict.status in ("error", "timeout")  # its end is seen either way
            else:
                assert verdict.status == status
                assert detail in verdict.detail
            assert not verdict.equivalent
            assert verifier.starts == starts
            assert verifier._process is None


def test_a_late_reply_never_answers_the_next_question(worker):
    worker(
        "question = json.loads(line)\n"
        "time.sleep(0.6 if question['answer'] == 'slow' else 0)\n"
        "print(json.dumps({'equivalent': question['answer'] == 'slow', 'detail': ''}), flush=True)"
    )
    with Verifier(seconds=0.3) as verifier:
        assert verifier.equivalent("5", "slow").status == "timeout"
        time.sleep(0.5)
        verifier.seconds = 30
        assert verifier.equivalent("5", "quick") == Verdict(False)


def test_an_interrupt_while_waiting_ends_the_process(worker, monkeypatch):
    worker("time.sleep(60)")
    with Verifier(seconds=30) as verifier:
        process = verifier._start()

        class Interrupted(queue.SimpleQueue):
            def get(self, block=True, timeout=None):
                raise KeyboardInterrupt

        monkeypatch.setattr(verifier, "_replies", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            verifier.equivalent("5", "5")
        assert process.poll() is not None
        assert verifier._process is None


# --- start and end ---


def test_without_the_package_the_error_is_the_line_that_installs_it(monkeypatch):
    isolated, script = verify._command()[1:]
    # Without site-packages nothing can be imported but the standard library.
    monkeypatch.setattr(verify, "_command", lambda: [sys.executable, isolated, "-S", script])
    with Verifier() as verifier, pytest.raises(UsageError, match=r'pip install "math-verify\[antlr4_13_2\]"'):
        verifier.equivalent("5", "5")


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_limit_that_is_none_is_refused(seconds):
    with pytest.raises(UsageError, match="above 0"):
        Verifier(seconds=seconds)


def test_close_ends_the_process_and_a_closed_verifier_answers_no_more(worker):
    worker("print(json.dumps({'equivalent': True, 'detail': ''}), flush=True)")
    verifier = Verifier()
    assert verifier.equivalent("5", "5") == Verdict(True)
    process = verifier._process
    verifier.close()
    verifier.close()
    assert process.poll() is not None
    with pytest.raises(UsageError, match="closed"):
        verifier.equivalent("5", "5")


@installed
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_the_process_ends_when_its_program_dies():
    code = (
        "import os\nfrom gnomon.grading.verify import Verifier\nverifier = Verifier()\n"
        "verifier.equivalent('1', '1')\nprint(verifier._process.pid, flush=True)\nos._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert _ends(int(done.stdout))


# --- the release's answers ---


def _answers(folder: Path, step: int) -> list[str]:
    files = sorted(folder.glob("test/*/*.json"))[::step]
    found = [boxed_official(json.loads(file.read_text(encoding="utf-8"))["solution"]) for file in files]
    return [answer for answer in found if answer is not None]


@installed
@pytest.mark.realdata
def test_a_sample_of_gold_answers_equal_themselves_and_differ_from_their_neighbours(release, verifier):
    answers = _answers(release("math"), 17)
    assert len(answers) > 290
    assert all(verdict == Verdict(True) for verdict in verifier.equivalent_many(zip(answers, answers, strict=True)))
    # The corrected rule is the stricter: what it joins, math-verify joins too.
    neighbours = list(zip(answers, answers[1:] + answers[:1], strict=True))
    for (first, second), verdict in zip(neighbours, verifier.equivalent_many(neighbours), strict=True):
        assert verdict.status == "ok"
        assert verdict.equivalent or not equivalent_corrected(first, second), (first, second)


@installed
@pytest.mark.realdata
@pytest.mark.slow
def test_all_gold_answers_equal_themselves_and_what_the_corrected_rule_joins_with_them(release):
    answers = _answers(release("math"), 1)
    assert len(answers) == 5000
    classes: dict[object, str] = {}
    joined = []
    for answer in answers:
        first = classes.setdefault(canonical(answer), answer)
        if first != answer:
            joined.append((first, answer))
    with Verifier(seconds=30) as verifier:
        assert all(verdict == Verdict(True) for verdict in verifier.equivalent_many(zip(answers, answers, strict=True)))
        apart = [pair for pair in joined if not verifier.equivalent(*pair).equivalent]
        assert verifier.starts == 1
    assert len(joined) > 100
    # What is left: a percentage, which the benchmark reads as its figure, and a unit that math-verify does not know.
    assert all("%" in "".join(pair) or "text" in "".join(pair) for pair in apart), apart
