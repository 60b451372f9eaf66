"""One checker serves many programs of a HumanEval problem: nothing of one program shows in the next verdict."""

import shutil

import pytest

from gnomon.evaluation._jailed import grade_programs

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")

PROBLEM = {
    "prompt": "def double(x):\n",
    "entry_point": "double",
    "test": "seen = []\n\n\ndef check(candidate):\n    seen.append(candidate(2))\n    assert seen == [4]\n",
}
RIGHT = "    return 2 * x\n"


def words(programs, problem=PROBLEM, workers=1):
    ((_, verdicts),) = grade_programs([(problem, programs)], None, "humaneval", workers=workers)
    return [verdict["official"].words[0] for verdict in verdicts]


def test_the_tests_names_are_new_for_every_program():
    assert words([RIGHT, "    return x + x\n", "    return x * 2\n"]) == ["passed"] * 3


@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("    return 3 * x\n", "wrong"),
        ("    raise ValueError(x)\n", "error"),
        ("    return (\n", "load error"),
        ("    import os\n    os._exit(0)\n", "error"),
        ("    import sys\n    sys.exit(0)\n", "error"),
        ("    return object()\n", "wrong"),
        ("    return [0] * 10**9\n", "error"),
    ],
)
def test_the_program_after_a_faulty_one_is_judged_alone(program, word):
    assert words([RIGHT, program, RIGHT + "\n"]) == ["passed", word, "passed"]


@pytest.mark.slow
def test_the_program_after_an_endless_one_is_judged_alone():
    assert words(["    while True: pass\n", RIGHT]) == ["timeout", "passed"]


def test_more_programs_than_one_checker_serves():
    programs = [f"    return 2 * x  # {number}\n" for number in range(60)]
    assert words(programs, workers=2) == ["passed"] * 60


def test_problems_do_not_share_a_checker():
    other = {**PROBLEM, "test": PROBLEM["test"].replace("[4]", "[5]")}
    found = dict(grade_programs([(PROBLEM, [RIGHT]), (other, [RIGHT])], None, "humaneval", workers=1))
    assert [found[index][0]["official"].words[0] for index in (0, 1)] == ["passed", "wrong"]
