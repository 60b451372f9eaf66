"""MATH from problems to numbers, on small problems in the release's layout: what is read, what three graders say of it,
and that every number of the result is the records'."""

import json
from collections import Counter

import pytest

from gnomon import compare, evaluate
from gnomon.asks import Completion, Failed
from gnomon.blocks import Comparison, Estimate, Matrix, Note, Samples, Selection, Table
from gnomon.errors import RunError
from gnomon.grading.verify import Verdict, Verifier

GRADERS = ("official", "corrected", "math-verify")
FIVE = [("algebra", number, "Level 1", f"What is $1000 + {number}$?", str(1000 + number)) for number in range(1, 6)]


def blocks(run, kind, start=""):
    return [
        b
        for b in run.result()
        if isinstance(b, kind) and (getattr(b, "title", None) or getattr(b, "name", "")).startswith(start)
    ]


def table(run, title):
    (found,) = blocks(run, Table, title)
    return found


@pytest.fixture
def ask(tmp_path, small_math):
    """A run of MATH; the model is any of ours, or a name."""

    def run(model, problems=None, runs="runs", protocol=None, **given):
        more = {key: given.pop(key) for key in ("limit", "seed", "accept_errors") if key in given}
        args = small_math(**given) if problems is None else small_math(problems, **given)
        return evaluate("math", model, task_args=args, protocol=protocol, runs_dir=tmp_path / runs, cache=False, **more)

    return run


# the oracle ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["official", "boxed", "finetuned"])
@pytest.mark.parametrize("own", [True, False])
def test_the_oracle_is_right_under_every_protocol_and_grader(ask, knowing, protocol, own):
    run = ask(knowing() if own else "mock/oracle", protocol=protocol)
    assert run.manifest.status == "complete"
    assert run.manifest.statuses == {"ok": 8}
    for record in run.records().values():
        assert record.grades == dict.fromkeys(GRADERS, True)
        assert record.correct is True
    micro = {one.name: (one.value, one.n) for one in blocks(run, Estimate) if "micro" in one.name}
    assert micro == {f"accuracy ({grader}), micro": (1.0, 8) for grader in GRADERS}


def test_an_answer_with_a_dollar_cannot_be_given_between_dollars(ask, knowing):
    """The release stops at a dollar, so that its own protocol never gets such an answer whole."""
    money = [("geometry", 1, "Level 1", "What do two pens for \\$3 cost?", r"\$6"), *FIVE[:2]]
    official, boxed = (ask(knowing(), money, protocol=name).records() for name in ("official", "boxed"))
    assert official["geometry/test/1"].parsed == "\\"
    assert [r.correct for r in official.values()] == [True, True, False]
    assert [r.correct for r in boxed.values()] == [True, True, True]


# statuses ------------------------------------------------------------------------------------------------------------


def test_every_way_to_end_has_its_status_and_counts_as_it_should(ask, writer):
    ways = {
        1001: Completion(r"So it is \boxed{1001}.", 9),
        1002: Completion("I do not know.", 4),
        1003: Completion(r"It is \boxed{1003}. Moreover", 20, "length"),
        1004: Completion("Let us first consider", 20, "length"),
        1005: Failed("I would rather not.", status="refused"),
    }
    problems = [*FIVE, ("geometry", 1, "Level 2", "What is $1000 + 6$?", "1006"), ("geometry", 2, "Level 2", "7?", "7")]
    ways[1006] = Completion(r"\boxed{1006}", 3, truncated=5)

    def answer(prompt):
        for value, way in ways.items():
            if f"+ {value - 1000}$" in prompt.context:
                return way
        return Failed("the line is dead")

    run = ask(writer(answer), problems, protocol="boxed")
    records = run.records()
    assert {name: (r.status, r.correct) for name, r in records.items()} == {
        "algebra/test/1": ("ok", True),
        "algebra/test/2": ("unparsed", False),
        "algebra/test/3": ("truncated", True),
        "algebra/test/4": ("unparsed", False),
        "algebra/test/5": ("refused", False),
        "geometry/test/1": ("truncated", True),
        "geometry/test/2": ("error", None),
    }
    assert records["algebra/test/2"].grades == dict.fromkeys(GRADERS, False)
    assert records["algebra/test/5"].message == "I would rather not."
    assert run.manifest.status == "incomplete"
    for grader in GRADERS:
        (micro,) = blocks(run, Estimate, f"accuracy ({grader}), micro")
        assert (micro.value, micro.n) == (0.5, 6)
    statuses = {row[0]: row[1] for row in table(run, "Statuses").rows}
    assert statuses == {"ok": 1, "truncated": 2, "unparsed": 2, "refused": 1, "error": 1}
    written = {row[0]: (row[1], row[2]) for row in table(run, "What was written").rows}
    assert written["answer read (parse rate)"] == (3, 0.6)
    assert written["no answer could be read"] == (2, 0.4)
    assert written["cut off at the token limit (truncation rate)"] == (2, 0.4)
    assert written["cut off and without an answer"] == (1, 0.2)
    (cut,) = [count for name, (count, _) in written.items() if "prompt" in name]
    assert cut == 1
    assert any("1 of 7 prompts were longer" in note.text for note in blocks(run, Note))


def test_an_empty_completion_is_wrong_for_all_three(ask, writer):
    for protocol in ("official", "boxed", "finetuned"):
        records = ask(writer(lambda prompt: ""), FIVE, protocol=protocol).records().values()
        assert {r.correct for r in records} == {False}
        assert not any(grade is True for r in records for grade in r.grades.values())


HOSTILE = [
    "\ud83d",
    "\udc00\ud83d1",
    "\0",
    "1" * 50_000,
    "$" * 300,
    "\\boxed{" * 900,
    "<script>",
    "\\frac",
    "\\sqrt",
    "1/0",
]


@pytest.mark.parametrize("protocol", ["official", "boxed"])
def test_whatever_a_model_writes_becomes_a_record_and_a_page(ask, writer, protocol):
    problems = [("algebra", n, "Level 1", f"Problem {n}.", "7") for n in range(len(HOSTILE))]
    shape = "{}" if protocol == "official" else "\\boxed{{{}}}"
    texts = {f"Problem {n}.": shape.format(text) for n, text in enumerate(HOSTILE)}
    run = ask(
        writer(lambda prompt: next(t for name, t in texts.items() if name in prompt.context)),
        problems,
        protocol=protocol,
    )
    assert run.manifest.status == "complete"
    assert {r.correct for r in run.records().values()} == {False}
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "boxed{<script>" not in page


# graders -------------------------------------------------------------------------------------------------------------

# reference, answer, and what each grader must say by its own rule: the release compares strings after sixteen
# replacements, the corrected rule reads numbers and LaTeX, math-verify simplifies
CASES = [
    ("1000", "1,000", (False, True, True)),
    (r"\frac{1}{2}", "0.5", (True, True, True)),
    (r"\frac{3}{4}", "0.75", (False, True, True)),
    ("5", "x=5", (True, True, True)),
    ("x^2+1", "1+x^2", (False, False, True)),
    ("(1,0)", "(0,1)", (False, False, False)),
    ("7", "8", (False, False, False)),
]


@pytest.fixture
def disagreeing(ask, writer):
    problems = [
        ("algebra" if n % 2 else "geometry", n, f"Level {n % 3 + 1}", f"Number {n}?", gold)
        for n, (gold, _, _) in enumerate(CASES)
    ]

    def answer(prompt):
        (number,) = [n for n in range(len(CASES)) if f"Number {n}?" in prompt.context]
        return f"\\boxed{{{CASES[number][1]}}}"

    def run(**given):
        return ask(writer(answer), problems, protocol="boxed", **given)

    return run


def test_three_graders_judge_the_same_answers_each_by_its_rule(disagreeing):
    records = disagreeing().records()
    found = {(r.target, r.parsed): tuple(r.grades[g] for g in GRADERS) for r in records.values()}
    assert found == {(gold, answer): verdicts for gold, answer, verdicts in CASES}


def test_the_tables_of_agreement_are_the_hand_counts(disagreeing):
    run = disagreeing()
    rows = {row[0]: row[1:] for row in table(run, "Agreement of the graders").rows}
    assert rows == {  # both, only A, only B, neither
        "official / corrected": [2, 0, 2, 3],
        "official / math-verify": [2, 0, 3, 2],
        "corrected / math-verify": [4, 0, 1, 2],
    }
    shown = table(run, "Answers on which the graders disagree")
    assert {tuple(row[1:]) for row in shown.rows} == {
        ("1,000", "1000", "wrong", "right", "right"),
        ("0.75", r"\frac{3}{4}", "wrong", "right", "right"),
        ("1+x^2", "x^2+1", "wrong", "wrong", "right"),
    }
    assert shown.caption == "3 in all."
    (samples,) = blocks(run, Samples)
    words = {sample.id: sample.verdicts for sample in samples.samples}
    assert words["geometry/test/0"] == {"official": "wrong", "corrected": "right", "math-verify": "right"}


def test_the_grader_that_is_asked_for_decides_what_is_right(disagreeing):
    runs = {grader: disagreeing(grader=grader) for grader in GRADERS}
    for number, grader in enumerate(GRADERS):
        assert {(r.target, r.parsed): r.correct for r in runs[grader].records().values()} == {
            (gold, answer): verdicts[number] for gold, answer, verdicts in CASES
        }
        (first, *others) = [one for one in blocks(runs[grader], Estimate) if "micro" in one.name]
        assert first.name == f"accuracy ({grader}), micro"
        assert {one.name for one in others} == {f"accuracy ({g}), micro" for g in GRADERS if g != grader}
    values = {
        grader: {one.name: one.value for one in blocks(run, Estimate) if "micro" in one.name}
        for grader, run in runs.items()
    }
    assert values["official"] == values["corrected"] == values["math-verify"]
    assert values["official"]["accuracy (math-verify), micro"] == 5 / 7


@pytest.mark.parametrize("status", ["timeout", "error"])
def test_a_verifier_that_gives_no_verdict_makes_the_answer_wrong_and_is_told(ask, knowing, status, monkeypatch):
    class Lost(Verifier):
        def equivalent(self, gold, answer):
            return Verdict(False, status, "no") if gold == "1001" else Verdict(gold == answer)

    monkeypatch.setattr("gnomon.evaluation._mathematics.Verifier", Lost)
    run = ask(knowing(), FIVE, grader="math-verify")
    record = run.records()["algebra/test/1"]
    assert (record.grades["math-verify"], record.grades["official"], record.correct) == (status, True, False)
    (first,) = blocks(run, Estimate, "accuracy (math-verify), micro")
    assert first.value == 0.8
    assert f"math-verify gave no verdict on 1 {status}" in table(run, "Agreement of the graders").caption
    (row,) = table(run, "Answers on which the graders disagree").rows
    assert row[-1] == status


# numbers against the records -----------------------------------------------------------------------------------------


@pytest.fixture
def mixed(ask, writer, quick_verifier):
    """Ten problems in two subjects, some answered wrong, by a rule that the test does not need to know."""
    problems = [
        (("algebra", "geometry")[n % 2], n, f"Level {5 if n == 10 else 1 + n % 3}", f"Number {n}?", str(n + 100))
        for n in range(1, 11)
    ]

    def run(wrong=(3, 4, 8), **given):
        def answer(prompt):
            (number,) = [n for n in range(1, 11) if f"Number {n}?" in prompt.context]
            return f"\\boxed{{{number + 100 + (number in wrong)}}}"

        return ask(writer(answer, name=f"wrong{len(wrong)}"), problems, protocol="boxed", **given)

    return run


def latest_rows(run):
    rows = {}
    for line in (run.path / "records.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["id"]] = row
    return list(rows.values())


def test_the_matrix_is_a_second_count_of_the_records(mixed, tmp_path):
    run = mixed()
    right, every = Counter(), Counter()
    for row in latest_rows(run):
        subject, split, number = row["id"].split("/")
        problem = json.loads((tmp_path / "math" / split / subject / f"{number}.json").read_text())
        cell = subject, problem["level"]
        every[cell] += 1
        right[cell] += row["correct"]
    (matrix,) = blocks(run, Matrix)
    assert matrix.rows == ["algebra", "geometry"]
    assert matrix.columns == ["Level 1", "Level 2", "Level 3", "Level 5"]
    for i, subject in enumerate(matrix.rows):
        for j, name in enumerate(matrix.columns):
            cell = subject, name
            assert matrix.counts[i][j] == every[cell]
            assert matrix.values[i][j] == (right[cell] / every[cell] if every[cell] else None)
    assert sum(map(sum, matrix.counts)) == 10
    assert matrix.values[1][3] is None


def test_averages_and_tables_are_the_records(mixed):
    run = mixed()
    rows = latest_rows(run)
    (micro,) = blocks(run, Estimate, "accuracy (official), micro")
    (macro,) = blocks(run, Estimate, "accuracy (official), macro")
    assert micro.value == sum(row["correct"] for row in rows) / 10 == 0.7
    shares = {
        name: sum(row["correct"] for row in rows if row["subset"] == name) / 5 for name in ("algebra", "geometry")
    }
    assert macro.value == pytest.approx(sum(shares.values()) / 2)
    assert {row[0]: row[1] for row in table(run, "Score by subset").rows} == shares
    assert sum(row[4] for row in table(run, "Accuracy by level").rows) == 10
    assert micro.baselines == {}


def test_levels_that_are_none_stand_apart(ask, knowing, quick_verifier):
    odd = [*FIVE[:3], ("algebra", 9, "Level ?", "What is $0 + 9$?", "9")]
    run = ask(knowing(), odd)
    (matrix,) = blocks(run, Matrix)
    assert matrix.columns == ["Level 1", "Level ?"]
    assert [row[0] for row in table(run, "Accuracy by level").rows] == ["Level 1"]


def test_another_copy_of_the_data_is_told(ask, knowing, quick_verifier):
    run = ask(knowing())
    assert any("8 of 8 files differ from the release's checksums" in note.text for note in blocks(run, Note))


def test_a_limit_draws_problems_and_says_so(ask, knowing, quick_verifier):
    run = ask(knowing(), limit=2)
    assert len(run.records()) == 6
    assert any("6 of 8 items were asked (--limit)" in note.text for note in blocks(run, Note))
    assert sum(map(sum, blocks(run, Matrix)[0].counts)) == 6


# going on ------------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("grader", ["official", "math-verify"])
@pytest.mark.parametrize("after", [0, 3])
def test_an_end_between_answering_and_verifying_changes_no_number(ask, knowing, grader, after, monkeypatch):
    whole = ask(knowing(), runs="whole", grader=grader)

    class Stops(Verifier):
        left = after

        def equivalent(self, gold, answer):
            Stops.left -= 1
            if Stops.left < 0:
                raise Interrupted
            return super().equivalent(gold, answer)

    with monkeypatch.context() as patch:
        patch.setattr("gnomon.evaluation._mathematics.Verifier", Stops)
        with pytest.raises(Interrupted):
            ask(knowing(), grader=grader)
    again = knowing()
    run = ask(again, grader=grader)
    assert again.asked == []
    assert (run.path / "result.json").read_bytes() == (whole.path / "result.json").read_bytes()
    assert {k: r.grades for k, r in run.records().items()} == {k: r.grades for k, r in whole.records().items()}


def test_another_grader_verifies_nothing_twice_within_a_run(ask, knowing, monkeypatch):
    ask(knowing())
    monkeypatch.setattr("gnomon.evaluation._mathematics.Verifier", None)  # would fail if it were needed
    run = ask(knowing())
    assert run.manifest.status == "complete"


# comparing -----------------------------------------------------------------------------------------------------------


def test_two_runs_are_compared_item_by_item(mixed, cli):
    one, two = mixed(wrong=(3, 4, 8)), mixed(wrong=(4,))
    comparison, *rest = compare(one, two)
    assert isinstance(comparison, Comparison)
    assert (comparison.value_a, comparison.value_b, comparison.n) == (0.7, 0.9, 10)
    (selection,) = [block for block in rest if isinstance(block, Selection)]
    assert [h.name for h in selection.hypotheses] == ["algebra", "geometry"]
    effects = {h.name: h.effect for h in selection.hypotheses}
    assert effects == {"algebra": pytest.approx(0.2), "geometry": pytest.approx(0.2)}
    status, out, _ = cli("compare", one.path, two.path, "--json")
    assert status == 0
    assert json.loads(out)["blocks"][0]["difference"] == pytest.approx(0.2)


def test_runs_of_different_graders_are_not_compared(mixed, cli):
    one, two = mixed(), mixed(wrong=(), grader="corrected")
    with pytest.raises(RunError, match=r"graded by 'official' and .* by 'corrected'"):
        compare(one, two)
    status, _, err = cli("compare", one.path, two.path)
    assert status == 2
    assert len(err.strip().splitlines()) == 1


# refusals ------------------------------------------------------------------------------------------------------------


def test_faults_of_the_data_are_told_before_anything_is_written(refused, small_math, tmp_path):
    args = small_math()
    path = tmp_path / "math" / "test" / "algebra" / "3.json"
    flags = [word for key, value in args.items() for word in ("-T", f"{key}={value}")]
    good = path.read_text()
    for content, words in (
        ("{", "cannot be read as JSON"),
        (json.dumps({**json.loads(good), "level": 3}), "a problem needs the text fields"),
        (json.dumps({**json.loads(good), "solution": "It is 2."}), "has no answer in \\boxed"),
    ):
        path.write_text(content)
        assert words in refused("eval", "math", "-m", "mock/oracle", *flags)
    path.write_text(good)
    assert "lacks 1 of 1 subsets" in refused(
        "eval", "math", "-m", "mock/oracle", "-T", f"data={args['data']}", "-T", "subsets=precalculus"
    )
    assert "in the release" in refused(
        "eval", "math", "-m", "mock/oracle", "-T", f"data={args['data']}", "-T", "subsets=algebra"
    )
    assert "no protocol 'oficial'" in refused("eval", "math", "-m", "mock/oracle", "--protocol", "oficial", *flags)
    assert "cannot write text" in refused("eval", "math", "-m", "mock/uniform", *flags)
    programs = path.parent.parent / "programs.jsonl"
    programs.write_text('{"task_id": "algebra/test/3", "completion": "2"}')
    assert "math grades no files of solutions" in refused("eval", "math", "--solutions", programs, *flags)
    assert "Give one of" in refused("eval", "math", "-m", "mock/oracle", "--solutions", str(path), *flags)
    assert "no split to take few-shot examples from" in refused(
        "eval", "math", "-m", "mock/oracle", "--shots", "2", *flags
    )
