"""What graders of APPS get wrong: small programs, each with the release's results and with what a fair grader gives.

The programs were written for these tests; the results are those of the release's own scorer.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from gnomon.evaluation._jailed import grade_programs
from gnomon.sandbox import find_jail

P, W, E, T, L = "passed", "wrong", "error", "timeout", "load error"
DIED = [-1] * 21


@dataclass(frozen=True)
class Edge:
    name: str
    inputs: list[Any]
    outputs: list[Any]
    program: str
    official: list[bool | int]
    corrected: list[str]
    fn_name: str | None = None
    slow: bool = False

    @property
    def cases(self) -> dict[str, Any]:
        data = {"inputs": self.inputs, "outputs": self.outputs}
        return {**data, "fn_name": self.fn_name} if self.fn_name else data


def stdio(name, given, wanted, program, official, corrected, slow=False):
    """One case, or several where lists are given."""
    inputs, outputs = (given, wanted) if isinstance(corrected, list) else ([given], [wanted])
    official = official if isinstance(official, list) else [official]
    return Edge(
        name, inputs, outputs, program, official, corrected if isinstance(corrected, list) else [corrected], slow=slow
    )


def call(name, given, wanted, program, official, corrected, slow=False):
    official = official if isinstance(official, list) else [official]
    return Edge(name, [given], [wanted], program, official, [corrected], "f", slow)


def prints(text):
    return f"print({text!r})"


def returns(text):
    return f"def f(*a):\n    return {text}"


ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
_MAIN = "def main():\n    a, b = map(int, input().split())\n    print(a + b)\n"

EDGES = [
    # 1-7: loading and leaving
    stdio("1 sum of two numbers", "1 2\n", "3\n", ADD, True, P),
    stdio("2 main guard", "1 2\n", "3\n", _MAIN + "if __name__ == '__main__':\n    main()\n", False, P),
    stdio("3 exit()", "1 2\n", "3\n", ADD + "exit()\n", -1, P),
    stdio("3 sys.exit(0)", "1 2\n", "3\n", "import sys\n" + ADD + "sys.exit(0)\n", True, P),
    stdio("3 sys.exit(1)", "1 2\n", "3\n", "import sys\n" + ADD + "sys.exit(1)\n", True, P),
    stdio("4 stdin.buffer", "4\n", "4\n", "import sys\nprint(int(sys.stdin.buffer.readline()))\n", -1, P),
    stdio("4 open(0)", "4\n5\n", "9\n", "print(sum(map(int, open(0).read().split())))\n", True, P),
    stdio("5 for line in stdin", "1\n2\n", "3\n", "import sys\nprint(sum(int(x) for x in sys.stdin))\n", True, P),
    stdio(
        "5 readline until empty",
        "1\n2\n",
        "3\n",
        "import sys\ns = 0\nwhile x := sys.stdin.readline():\n    s += int(x)\nprint(s)\n",
        True,
        P,
    ),
    stdio(
        "5 until EOFError",
        "1\n2\n",
        "3\n",
        "s = 0\ntry:\n    while True:\n        s += int(input())\nexcept EOFError:\n    print(s)\n",
        True,
        P,
    ),
    stdio(
        "5 alias readline",
        "1\n2\n",
        "3\n",
        "from sys import stdin\na, b = stdin.readline(), stdin.readline()\nprint(int(a) + int(b))\n",
        True,
        P,
    ),
    stdio(
        "5 alias lines glued",
        "12\n34\n",
        "12|34|\n",
        "from sys import stdin\nprint(''.join(stdin.readlines()).replace('\\n', '|'))\n",
        False,
        P,
    ),
    stdio(
        "6 global", "3\n", "4\n", "n = 1\ndef add(x):\n    global n\n    n += x\nadd(int(input()))\nprint(n)\n", -1, P
    ),
    stdio(
        "7 star import after code", "4\n", "2\n", "x = 0\nfrom math import *\nprint(int(sqrt(int(input()))))\n", -2, P
    ),
    # 8-10: order and multiplicity
    stdio("8 tokens in another order", "", "1 2 3\n", prints("3 2 1"), True, W),
    stdio("8 tokens repeated", "", "1 2\n", prints("1 1 2 2"), True, W),
    stdio("9 lines in another order", "", "1\n2\n", prints("2\n1"), True, W),
    stdio("9 lines repeated", "", "1\n2\n", prints("1\n2\n2\n1"), True, W),
    stdio("10 one token twice", "", "1\n", prints("1 1"), True, W),
    stdio("10 one line twice", "", "1\n", prints("1\n1"), True, W),
    stdio("10 one line more", "", "1\n", prints("1\n2"), False, W),
    # 11-12: numbers
    stdio("11 2.0 for 2", "", "2\n", prints("2.0"), True, P),
    stdio("11 close", "", "0.333333\n", prints("0.3333331"), True, P),
    stdio("11 integers 1e-6 apart, relatively", "", "1000000000\n", prints("1000001000"), True, W),
    stdio("11 integers 1e-4 apart, relatively", "", "1000000000\n", prints("1000100000"), False, W),
    stdio("11 rounded to 3 decimals", "", "2 7\n", prints("2.0004 7"), True, W),
    stdio("11 rounded, both decimal", "", "0.1234 1\n", prints("0.12336 1"), True, W),
    stdio("12 exponent", "", "1e3\n", prints("1000"), True, P),
    stdio("12 infinity", "", "inf\n", prints("Infinity"), True, P),
    stdio("12 not a number", "", "nan\n", prints("nan"), True, P),
    # 13-15: text
    stdio("13 case", "", "YES\n", prints("Yes"), False, W),
    stdio("13 blanks and blank lines expected", "", "\n1 \n\n2\n\n", prints("1\n2"), True, P),
    stdio("13 CRLF expected", "", "1\r\n2\r\n", prints("1\n2"), True, P),
    stdio("13 blank lines with CRLF expected", "", "1\r\n\r\n2\r\n", prints("1\n2"), False, P),
    stdio("13 own blank lines", "", "1\n2\n", prints("1  \n\n2\n\n"), True, P),
    stdio("13 lines are not blanks", "", "1\n2\n", prints("1 2"), False, W),
    stdio("14 nothing expected, nothing printed", "", "", "pass", True, P),
    stdio("14 nothing expected, something printed", "", "", prints("1"), False, W),
    stdio("15 lists of lines", ["1", "2"], ["1", "2"], "print(input())\nprint(input())\n", True, P),
    # 16-19: failures
    stdio(
        "16 raises on the second case", ["1\n", "0\n"], ["1\n", "1\n"], "print(1 // int(input()))\n", [True, -1], [P, E]
    ),
    stdio("16 syntax error", ["1\n", "0\n"], ["1\n", "1\n"], "print(1\n", [-2], [L, L]),
    stdio(
        "16 loops on the first case",
        ["1\n", "0\n"],
        ["1\n", "0\n"],
        "n = int(input())\nwhile n:\n    pass\nprint(n)\n",
        [-1, True],
        [T, P],
        slow=True,
    ),
    stdio(
        "17 deep recursion",
        "5000\n",
        "5000\n",
        "def f(n):\n    return n and 1 + f(n - 1)\nprint(f(int(input())))\n",
        -1,
        E,
    ),
    stdio("18 bytes to stdout.buffer", "", "1\n", "import sys\nsys.stdout.buffer.write(b'1\\n')\n", -1, P),
    stdio("18 os.write", "", "1\n", "import os\nos.write(1, b'1\\n')\n", False, P),
    stdio("19 imports only", "", "1\n", "import sys\n", -2, W),
    # 20-24: what is returned
    call("20 alone", [], 3, returns("3"), True, P),
    call("20 in a list", [], [3], returns("3"), True, P),
    call("20 the first of several", [], [1, 2], returns("1"), True, W),
    call("21 tuple", [], [1, 2], returns("(1, 2)"), True, P),
    call("21 tuples in a list", [], [[1, 2], [3, 4]], returns("[(1, 2), (3, 4)]"), False, P),
    call("21 tuples in a list in a list", [], [[[1, 2], [3, 4]]], returns("[(1, 2), (3, 4)]"), True, P),
    call("22 1 for True", [], True, returns("1"), True, P),
    call("22 no tolerance", [], 0.3, returns("0.1 + 0.2"), False, W),
    call("22 keys of dicts", [], {"1": 2}, returns("{1: 2}"), True, P),
    call("22 empty list", [], [], returns("[]"), True, P),
    call("22 keys of the argument", [{"1": 2}], 2, "def f(d):\n    return d[1]\n", True, P),
    call("22 class Solution", [2], 4, "class Solution:\n    def f(self, n):\n        return 2 * n\n", True, P),
    call("22 Solution in a comment", [2], 4, "# no class Solution\ndef f(n):\n    return 2 * n\n", -2, P),
    call("23 wrong name", [], 1, "def g():\n    return 1\n", -2, L),
    call("23 sys.exit inside", [], 1, "import sys\ndef f():\n    sys.exit()\n", DIED, E),
    call("24 array", [], [1, 2], returns("np.array([1, 2])"), -1, P),
    call("24 array of one", [], [5], returns("np.array([5])"), True, P),
    # Officially True: the release compares in the program's process, and here nobody asks this object.
    call(
        "24 equal to everything",
        [],
        1,
        "class A:\n    __eq__ = lambda self, other: True\ndef f():\n    return A()\n",
        False,
        W,
    ),
    # 25-26: attacks
    stdio("25 os._exit(0)", "", "1\n", "import os\nos._exit(0)\n", DIED, E),
    stdio("25 os._exit(0) after printing", "", "1\n", "import os\nprint(1, flush=True)\nos._exit(0)\n", DIED, E),
    # Officially True: the expected output lies in a caller's frame there.
    stdio(
        "26 prints what the frames hold",
        "",
        "expected words\n",
        "import sys\nf = sys._getframe()\nwhile f:\n    if 'in_outs' in f.f_locals:\n"
        "        print(f.f_locals['in_outs']['outputs'][0])\n"
        "    f = f.f_back\n",
        False,
        W,
    ),
    # beyond the list
    stdio("from __future__", "", "1\n", "from __future__ import annotations\nprint(1)\n", -2, P),
    stdio("byte order mark", "", "1\n", "\ufeffprint(1)\n", -2, P),
    stdio("empty program", "", "1\n", "", -2, W),
    stdio("KeyboardInterrupt after output", "", "1\n", "print(1)\nraise KeyboardInterrupt\n", DIED, E),
    stdio("stdout alias", "", "1\n", "from sys import stdout\nstdout.write('1')\n", False, P),
    stdio("a text over two lines", "", "3\n", "print(len('''1\n2'''))\n", False, P),
    stdio("sys.stdout.close()", "", "1\n", "import sys\nprint(1)\nsys.stdout.close()\n", -1, P),
    stdio(
        "alarm swallowed",
        "",
        "1\n",
        "try:\n    while True:\n        pass\nexcept Exception:\n    print(1)\n",
        False,
        T,
        slow=True,
    ),
    call(
        "alarm swallowed in a call",
        [],
        1,
        "def f():\n    try:\n        while True:\n            pass\n    except Exception:\n        return 1\n",
        True,
        T,
        slow=True,
    ),
    stdio("more inputs than outputs", ["", ""], ["1\n"], prints("1"), DIED, [P]),
    stdio("a number is expected", "", 1, prints("1"), DIED, P),
    call(
        "a thread that does not end",
        [],
        1,
        "import time, threading as t\ndef f():\n    t.Thread(target=time.sleep, args=(60,)).start()\n    return 1\n",
        True,
        T,
        slow=True,
    ),
    stdio(
        "unfinished threads print",
        "",
        "1\n",
        "import time, threading as t\nt.Thread(target=lambda: (time.sleep(.1), print(1))).start()\n",
        False,
        P,
    ),
    stdio("atexit", "", "1\n", "import atexit\natexit.register(lambda: print(1))\n", False, P),
    stdio("5,000 digits", "9" * 5000 + "\n", "9" * 5000 + "\n", "print(int(input()))\n", True, P),
    call("5,000 digits returned", [10**5000], [10**5000 + 1], "def f(n):\n    return n + 1\n", True, P),
    call("Fraction", [], 0.5, "from fractions import Fraction\ndef f():\n    return Fraction(1, 2)\n", True, P),
    call("generator", [], [1], returns("(x for x in [1])"), False, W),
    call("Counter", [], {"a": 1}, returns("Counter('a')"), True, P),
    call(
        "named tuple",
        [],
        [1, 2],
        "from collections import namedtuple as n\ndef f():\n    return n('T', 'a b')(1, 2)\n",
        True,
        P,
    ),
    call("set for a list", [], [1], returns("{1}"), False, W),
    call("an array with another number", [], 3, returns("np.array([3, 4])"), True, W),
    stdio(
        "a return outside of functions",
        "1\n",
        "1\n",
        "if input() == '1':\n    print(1)\n    return\nprint(2)\n",
        True,
        P,
    ),
    stdio("a nonlocal of its own", "", "2\n", "x = 1\ndef f():\n    nonlocal x\n    x = 2\nf()\nprint(x)\n", True, P),
    stdio("an import in brackets", "", "2\n", "from math import (\n    sqrt,\n)\nprint(int(sqrt(4)))\n", -2, P),
    stdio("os.getcwd", "", "1\n", "import os\nos.getcwd()\nprint(1)\n", -1, P),
    stdio("memory", "", "1\n", "print(len(bytearray(1 << 40)))\n", -1, "memory"),
]


def _graded(edges):
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    work = [({"input_output": json.dumps(edge.cases)}, [edge.program]) for edge in edges]
    sys.set_int_max_str_digits(digits)
    graded = grade_programs(work, find_jail("bubblewrap"), "apps")
    return {edges[index].name: verdicts for index, [verdicts] in graded}


@pytest.fixture(scope="module")
def fast():
    return _graded([edge for edge in EDGES if not edge.slow])


@pytest.fixture(scope="module")
def slow():
    return _graded([edge for edge in EDGES if edge.slow])


def _agrees(edge, verdicts):
    official, corrected = verdicts["official"], verdicts["corrected"]
    # 1 == True and -1 is no bool: types are compared too.
    assert [(type(one), one) for one in official.results] == [(type(one), one) for one in edge.official], official
    assert list(corrected.words) == edge.corrected, corrected


def test_edges_have_names_of_their_own():
    assert len({edge.name for edge in EDGES}) == len(EDGES)


@pytest.mark.parametrize("edge", [edge for edge in EDGES if not edge.slow], ids=lambda edge: edge.name)
def test_official_is_the_releases_verdict_and_corrected_is_fair(edge, fast):
    _agrees(edge, fast[edge.name])


@pytest.mark.slow
@pytest.mark.parametrize("edge", [edge for edge in EDGES if edge.slow], ids=lambda edge: edge.name)
def test_time_runs_out_as_in_the_release(edge, slow):
    _agrees(edge, slow[edge.name])
