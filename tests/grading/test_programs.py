"""Judging programs without running any: test cases, both comparisons, verdicts from outcomes, metrics."""

import ast
import json
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import DataError, UsageError
from gnomon.grading import _programs_corrected as corrected
from gnomon.grading import _programs_official as official
from gnomon.grading import programs
from gnomon.grading._programs_drivers import driver
from gnomon.grading.programs import Cases, parse_cases
from gnomon.sandbox import Outcome

TWO = Cases(("1\n", "2\n"), ("1\n", "2\n"))
CALL = Cases(([1],), (1,), "f")

# test cases ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json is no JSON"),
        ("{", "x.json is no JSON"),
        ("[" * 100_000, "x.json is no JSON"),
        ("[]", "x.json holds a list, not an object"),
        ('{"inputs": []}', "x.json has no 'outputs'"),
        ('{"inputs": {}, "outputs": []}', "'inputs' is a dict, not a list"),
        ('{"inputs": [], "outputs": null}', "'outputs' is null, not a list"),
        ('{"inputs": [], "outputs": [], "fn_name": 3}', "'fn_name' is a int, not a text"),
    ],
)
def test_cases_that_cannot_be_read_are_told_with_their_file(text, message):
    with pytest.raises(DataError, match=message):
        parse_cases(text, "x.json")


@pytest.mark.parametrize("digits", [1, 599, 600, 601, 4300, 4301, 5000])
def test_integers_have_any_number_of_digits_and_pythons_limit_stays_as_it_is(digits):
    before = sys.get_int_max_str_digits()
    text = f'{{"inputs": [[-{"7" * digits}]], "outputs": [1.5], "fn_name": "f"}}'
    assert parse_cases(text, "x").inputs[0][0] == -(10**digits - 1) * 7 // 9
    assert sys.get_int_max_str_digits() == before


def test_lists_of_unequal_length_are_kept_and_only_pairs_are_judged_fairly():
    cases = parse_cases('{"inputs": ["", "", ""], "outputs": ["1"]}', "x")
    assert (len(cases), cases.judged) == (3, 1)


# the release's comparison of what is printed, against a second and plainer one ---


def _near(a, b):
    if math.isnan(a) or math.isnan(b):
        return False
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= 1e-8 + 1e-5 * abs(b)


def _numbers(rows):
    try:
        return [[round(float(token), 3) for token in row] for row in rows]
    except ValueError:
        return None


def plain(printed, expected):
    """The eight steps of the release, (a) to (h), one by one."""
    own = printed.splitlines()
    a = "\n".join(own).strip() == expected.strip()
    b = "\n".join(line.strip() for line in own).strip() == expected.strip()
    c = len(own) == 1 and own[0] == expected
    wanted = []
    for line in expected.split("\n"):
        if line != "":
            wanted.append(line.strip())
    d = own == wanted
    own = [line for line in own if line != ""]
    e = own == wanted
    try:
        f = len(own) == len(wanted) and all(_near(float(x), float(y)) for x, y in zip(own, wanted, strict=True))
    except ValueError:
        f = False
    rows, wanted_rows = [line.split() for line in own if line.split()], [line.split() for line in wanted]
    as_sets = [{tuple(sorted(set(row))) for row in part} for part in (rows, wanted_rows)]
    g = as_sets[0] == as_sets[1]
    numbers = _numbers(rows), _numbers(wanted_rows)
    h = False
    if None not in numbers and "nan" not in (printed + expected).lower():
        ours, theirs = ({tuple(sorted(set(row))) for row in part} for part in numbers)
        h = ours == theirs
    return a or b or c or d or e or f or g or h


TOKENS = st.sampled_from(["1", "2", "1.0", "1.0004", "1e0", "inf", "-0", "0", "x", "X", "1000000", "1000001", ""])
TEXT = st.lists(st.lists(TOKENS, max_size=3).map(" ".join), max_size=4).flatmap(
    lambda rows: st.sampled_from(["\n".join(rows), "\n".join(rows) + "\n", "\r\n".join(rows), " \n".join(rows)])
)


@given(TEXT, TEXT)
def test_the_cascade_is_the_releases_eight_steps(printed, expected):
    assert official.same_printed(printed, expected) is plain(printed, expected)


@given(st.lists(st.lists(TOKENS, max_size=3).map(" ".join), max_size=4), st.randoms(use_true_random=False))
def test_the_cascade_knows_no_order_of_lines(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert official.same_printed("\n".join(shuffled), "\n".join(row for row in rows if row.strip()))


@pytest.mark.parametrize("expected", [1, None, {"a": "b"}, {"1": "b"}, [1, 2], [["1"]], True])
def test_an_expected_output_that_is_no_text_ends_the_releases_worker(expected):
    said = [["text", "1\n"], ["done"]]
    verdict = programs.official_verdict(Cases(("",), (expected,)), Outcome("ok", results=said))
    assert verdict.results == programs.DIED
    assert verdict.results == (-1,) * 21


def test_a_case_that_failed_is_not_compared_but_its_lists_are_joined():
    said = [["error", "ValueError", ""], ["done"]]
    assert programs.official_verdict(Cases(("",), (1,)), Outcome("ok", results=said)).results == (-1,)
    assert programs.official_verdict(Cases(("",), ([1],)), Outcome("ok", results=said)).results == programs.DIED
    assert programs.official_verdict(Cases(([1],), ("",)), Outcome("ok", results=said)).results == programs.DIED
    assert programs.official_verdict(Cases((1,), ("",)), Outcome("ok", results=said)).results == (-1,)


# the release's comparison of what is returned ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "1", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("12a"), inner, max_size=2),
    max_leaves=6,
)
VALUES = st.recursive(JSON, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3))


def plain_returned(value, expected):
    def keys(x):
        return {int(k): v for k, v in x.items()} if all(str(k).isdecimal() for k in x) else x

    if isinstance(expected, dict) and keys(expected) is not expected:
        expected = [keys(expected)]
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        expected = [keys(expected[0])] if keys(expected[0]) is not expected[0] else expected
    candidates = [expected] + (expected[:1] if isinstance(expected, list) else [])
    value = list(value) if isinstance(value, tuple) else value
    found = any(value == one for one in candidates)
    pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
    if (
        pairs
        and isinstance(expected, list)
        and expected
        and all(isinstance(p, tuple | list | str | dict) for p in value)
    ):
        found = found or [list(part) for part in value] == expected[0]
    return found


@given(VALUES, JSON)
def test_what_is_returned_is_compared_as_in_the_release(value, expected):
    whole_key_first = isinstance(value, dict) and 0 in value  # a dict has a "first element" only under the key 0
    assert whole_key_first or official.same_returned(value, (expected,), 0) is plain_returned(value, expected)


def test_a_call_without_an_expected_output_is_an_error_and_no_death():
    said = [["value", 1], ["value", 2], ["done"]]
    assert programs.official_verdict(Cases(([], []), (1,), "f"), Outcome("ok", results=said)).results == (True, -1)


@pytest.mark.parametrize(
    ("value", "expected", "result"),
    [
        (np.int64(3), 3, True),
        (np.float64(0.5), [0.5], True),
        (np.array([1, 2]), 1, True),  # compared once, and the first element counts
        (np.array([1, 2]), [1, 2], -1),
        (np.array([]), 1, False),
        ([np.int64(1), np.int64(2)], [1, 2], True),
        (Fraction(1, 2), 0.5, True),
        (float("nan"), float("nan"), False),
    ],
)
def test_values_of_numpy_compare_as_numpy_compares(value, expected, result):
    found = official.same_returned(value, (expected,), 0)
    assert (type(found), found) == (type(result), result)


# the fair comparisons ---


@given(TEXT, TEXT)
def test_the_fair_comparison_takes_no_more_than_order_number_and_value(printed, expected):
    same = corrected.same_printed(printed, expected)
    if same:
        rows = [[line.split() for line in text.split("\n") if line.split()] for text in (printed, expected)]
        assert [len(row) for row in rows[0]] == [len(row) for row in rows[1]]
    assert corrected.same_printed(expected, expected)


@pytest.mark.parametrize(
    ("own", "wanted", "same"),
    [
        ("2.0", "2", True),
        ("2e0", "2", True),
        ("2", "2.0", True),
        ("2.0000001", "2", False),
        ("2.0000001", "2.0", True),
        ("2.00001", "2.0", False),
        ("1000000.9", "1000000.0", True),
        ("1000001.1", "1000000.0", False),
        ("7", "07", False),
        ("07", "7", False),
        ("7.0", "07", False),
        ("07.0", "7", False),
        ("+5", "5", False),
        ("12345678901234567890.0", "12345678901234567890", True),
        ("12345678901234567891.0", "12345678901234567890", False),
        ("1_0", "10.0", False),
        ("١", "1.0", False),
        ("nan", "NaN", True),
        ("-inf", "-Infinity", True),
        ("inf", "-inf", False),
        ("1e999999999999999999999", "5", False),
        ("1e400", "1e401", True),  # both are infinite as floats; no test case holds such numbers
        ("0x10", "16", False),
        ("x", "1.0", False),
        ("yes", "YES", False),
    ],
)
def test_tokens(own, wanted, same):
    assert corrected.same_printed(own, wanted) is same


@given(JSON)
def test_a_value_agrees_with_itself_alone_or_in_a_list(value):
    assert corrected.same_returned(value, value)
    assert corrected.same_returned(value, [value])


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        ([(1, 2), (3, 4)], [[1, 2], [3, 4]], True),
        (((1,), 2), [[1], 2], True),
        (np.array([[1, 2]]), [[1, 2]], True),
        (np.float64(0.5), 0.5, True),
        ({1: (2,)}, {"1": [2]}, True),
        ({True: 1}, {"true": 1}, True),
        ({"a": {None: 1}}, {"a": {"null": 1}}, True),
        ({1.5: 1}, {"1.5": 1}, True),
        (1, [1, 2], False),
        ([1], [[1], [2]], False),
        (None, [], False),
        ({1}, [1], False),
        ("1", 1, False),
        (1, True, True),
        (float("nan"), float("nan"), False),
    ],
)
def test_returned_values(value, expected, same):
    assert corrected.same_returned(value, expected) is same


def test_arguments_with_numbers_for_keys():
    assert corrected.arguments([{"1": 2}, {"a": 1}, {"-3": {"4": 1}}]) == [{1: 2}, {"a": 1}, {-3: {"4": 1}}]
    assert official.arguments([{"1": 2}, {"a": 1}]) == [{1: 2}]
    assert official.arguments([{"a": 2}, 3]) == [{"a": 2}, 3]
    assert official.arguments([3, {"1": 2}]) == [3, {"1": 2}]


# verdicts ---


@pytest.mark.parametrize(
    ("status", "said", "results", "words"),
    [
        ("ok", [["text", "1"], ["text", "3"], ["done"]], (True, False), ("passed", "wrong")),
        ("ok", [["load", "SyntaxError", "no"]], (-2,), ("load error",)),
        ("timeout", [["text", "1"], ["text", "2"], ["done"]], (True, True), ("passed", "passed")),
        ("timeout", [["text", "1"]], programs.DIED, ("timeout",)),
        ("memory", [["text", "1"]], programs.DIED, ("memory",)),
        ("output", [], programs.DIED, ("output limit",)),
        ("killed", [["text", "1"], ["text", "2"]], programs.DIED, ("error",)),
        ("ok", [["text", "1"], ["error", "_OutOfTime", ""], ["done"]], (True, -1), ("passed", "timeout")),
        ("ok", [["text", "1"], ["error", "MemoryError", ""], ["done"]], (True, -1), ("passed", "memory")),
        # what only a program could have written
        ("ok", [True, True, ["done"]], (-1, -1), ("error", "error")),
        ("ok", [["text", "1"], ["text", "2"], ["text", "3"], ["done"]], programs.DIED, ("error",)),
        ("ok", [["value", 1], ["text", 2], ["done"]], (-1, -1), ("error", "error")),
        ("ok", [["error", [], {}], ["passed"], ["done"]], (-1, -1), ("error", "error")),
        ("ok", [], programs.DIED, ("error",)),
    ],
)
def test_official_verdicts(status, said, results, words):
    verdict = programs.official_verdict(TWO, Outcome(status, results=said))
    assert (verdict.results, verdict.words) == (results, words)
    assert verdict.graded


def test_a_jail_that_fails_gives_no_verdict():
    for verdict in (
        programs.official_verdict(TWO, Outcome("harness", results=[["text", "1"], ["text", "2"], ["done"]])),
        programs.verdict_of(["passed", programs.corrected_word(TWO, 1, Outcome("harness", stdout=b"2\n"))]),
        programs.verdict_of([programs.humaneval_ended(Outcome("harness"))[0]]),
    ):
        assert not verdict.graded
        assert not verdict.passed
        assert verdict.results == ()


@pytest.mark.parametrize(
    ("cases", "outcome", "word"),
    [
        (TWO, Outcome("ok", b"1\n"), "passed"),
        (TWO, Outcome("ok", b"2\n"), "wrong"),
        (TWO, Outcome("ok", b"\xff"), "wrong"),
        (TWO, Outcome("error", b"1\n"), "error"),
        (TWO, Outcome("killed", b"1\n"), "error"),
        (TWO, Outcome("timeout", b"1\n"), "timeout"),
        (TWO, Outcome("memory", b"1\n"), "memory"),
        (TWO, Outcome("output", b"1\n"), "output limit"),
        (TWO, Outcome("ok", b"1\n", [["load", "SyntaxError", ""]]), "load error"),
        (CALL, Outcome("ok", results=[["value", 1]]), "passed"),
        (CALL, Outcome("ok", results=[["value", {"tuple": 3}]]), "error"),
        (CALL, Outcome("ok", results=[["value", {"opaque": ["A", True]}]]), "wrong"),
        (CALL, Outcome("ok", b"1\n"), "error"),
        (CALL, Outcome("ok", results=["passed"]), "error"),
    ],
)
def test_corrected_words(cases, outcome, word):
    assert programs.corrected_word(cases, 0, outcome) == word


def test_humaneval_words():
    assert programs.humaneval_word(["passed"], raised=False) == ("passed", "")
    assert programs.humaneval_word(["failed", "AssertionError", "x"], raised=False)[0] == "wrong"
    assert programs.humaneval_word(["failed", "AssertionError", "x"], raised=True)[0] == "error"
    assert programs.humaneval_word(["failed", "TypeError", "x"], raised=False)[0] == "error"
    assert programs.humaneval_word(["broken", "NameError", "x"], raised=False)[0] == "harness"
    assert programs.humaneval_ended(Outcome("memory"), of_checker=True, answered=False)[0] == "harness"
    assert programs.humaneval_ended(Outcome("memory"), of_checker=True, answered=True)[0] == "memory"


def test_a_problem_that_lacks_a_text_is_refused_with_its_name():
    with pytest.raises(DataError, match="record 3 has no text 'test'"):
        programs.parse_humaneval({"prompt": "", "entry_point": "f"}, "record 3")


# what is sent into a jail ---

DRIVERS = ["apps_official", "apps_program", "apps_call", "humaneval_candidate", "humaneval_checker"]


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_is_whole_and_needs_the_standard_library_alone(name):
    tree = ast.parse(driver(name))
    top = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    top += [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    names = [one for one in top if one != "__all__"]
    assert len(set(names)) == len(names)
    assert "main" in names
    for node in ast.walk(tree):
        for module in [a.name for a in node.names] if isinstance(node, ast.Import) else []:
            assert module.split(".")[0] in sys.stdlib_module_names | {"numpy"}
        if isinstance(node, ast.ImportFrom):
            assert node.module.split(".")[0] in sys.stdlib_module_names


@given(st.text(min_size=6, max_size=12, alphabet="qzjxk"), st.booleans())
def test_no_expected_output_is_in_anything_that_a_program_is_run_with(secret, call):
    cases = Cases((["1"],), ([secret],), "f" if call else None)
    runs = [programs.official_run("pass", cases), programs.corrected_run("pass", cases, 0)]
    problem = programs.HumanEvalProblem("def f(x):\n", f"def check(c):\n    assert c(1) == '{secret}'\n", "f")
    runs.append(programs.humaneval_runs(problem, "    return x\n")[0])
    for run in runs:
        assert secret not in json.dumps(run.payload) + run.stdin.decode() + run.driver


# metrics ---


def test_metrics_of_the_releases_own_example():
    """What print_results says of EXAMPLE_RESULTS in the release: 0.2 compile, 0.2 runtime, 0.3 average, 0.2 strict."""
    results = [
        [-2],
        [False] * 3,
        [True] * 2,
        [False, True] * 2 + [False] * 3 + [True, False] * 2 + [True] * 3,
        [-1] * 21,
    ]
    results[3] += [False, True]
    assert len(results[3]) == 16
    assert programs.error_rates(results) == (0.2, 0.2)
    assert sum(map(programs.case_average, results)) / 5 == pytest.approx(0.3)
    assert sum(map(programs.strict, results)) / 5 == pytest.approx(0.2)


def test_top_k_is_the_best_of_the_first_k():
    results = [[True, False], [True, True], [-2]]
    assert programs.best_average(results, 1) == (0.5, False)
    assert programs.best_average(results, 2) == (1.0, True)
    assert programs.best_average(results) == (1.0, True)


@pytest.mark.parametrize(("results", "k"), [([], None), ([[True]], 2), ([[True]], 0)])
def test_top_k_of_too_few_is_refused(results, k):
    with pytest.raises(UsageError, match="top-"):
        programs.best_average(results, k)


def test_nothing_is_no_success():
    assert programs.case_average([]) == 0
    assert not programs.strict([])
    with pytest.raises(UsageError, match="no programs"):
        programs.error_rates([])
