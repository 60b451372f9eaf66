"""Chess from puzzles to numbers, on positions of our own: two graders side by side, legality, bands, and every number
counted again from the records."""

import json

import pytest

from gnomon import compare, evaluate
from gnomon.asks import Completion, Failed
from gnomon.blocks import Estimate, Note, Samples, Table
from gnomon.errors import RunError
from gnomon.grading.moves import judge, pose, san
from gnomon.stats import wilson

RANK = "6k1/5ppp/8/8/8/8/r7/1R4K1 b - - 0 1"
TWO = "6k1/5ppp/7b/8/8/8/8/RR4K1 b - - 0 1"
"""Black moves the bishop off, and either rook mates."""
PAWN = "8/8/8/8/8/k1K5/3p4/7N w - - 0 1"

PUZZLES = [
    (RANK, "a2a3", "b1b8", 700),
    (TWO, "h6d2", "a1a8", 900),
    (TWO, "h6c1", "b1c1", 1200),
    (PAWN, "h1f2", "d2d1n", 2002),
    (RANK, "h7h6", "b1b8", 1300),
    (RANK, "g7g6", "b1b8", 1600),
    (RANK, "g8f8", "b1b8", 2500),
]
OTHERS = ["b1b7", "b1b8", "a1a8", "d2d1q", "b1b2", "b1b3", "b1b4"]
"""A legal move other than the solution; the second one mates too."""


@pytest.fixture
def ask(tmp_path):
    def run(model, puzzles=PUZZLES, runs="runs", protocol=None, **more):
        folder = tmp_path / "chess"
        folder.mkdir(exist_ok=True)
        lines = (f"{fen},{last} {best},{rating}\n" for fen, last, best, rating in puzzles)
        (folder / "lichess_puzzles.csv").write_text("".join(lines))
        args = {"data": str(folder), **({"grader": more.pop("grader")} if "grader" in more else {})}
        return evaluate(
            "chess", model, task_args=args, protocol=protocol, runs_dir=tmp_path / runs, cache=False, **more
        )

    return run


def estimates(run):
    return {one.name: one for one in run.result() if isinstance(one, Estimate)}


def table(run, title):
    (found,) = [one for one in run.result() if isinstance(one, Table) and one.title.startswith(title)]
    return found


def records(run):
    rows = {}
    for line in (run.path / "records.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["id"]] = row
    return list(rows.values())


def number_of(prompt):
    """Which of PUZZLES a prompt is about."""
    fens = [pose(fen, last, best).fen for fen, last, best, _ in PUZZLES]
    (found,) = [number for number, fen in enumerate(fens) if f"{fen}\n" in prompt.context]
    return found


@pytest.fixture
def writing(ask, writer):
    """A run of a model that writes `texts`, one a puzzle."""

    def run(texts, name="writer", **more):
        return ask(writer(lambda prompt: texts[number_of(prompt)], name=name), **more)

    return run


@pytest.mark.parametrize("protocol", ["uci", "san"])
@pytest.mark.parametrize("grader", ["official", "any-mate"])
def test_the_oracle_is_right_under_both_protocols_and_graders(ask, protocol, grader):
    run = ask("mock/oracle", protocol=protocol, grader=grader)
    assert run.manifest.statuses == {"ok": 7}
    for name in ("accuracy (official), micro", "accuracy (any-mate), micro", "legal moves", "moves that could be read"):
        assert (estimates(run)[name].value, estimates(run)[name].n) == (1.0, 7)
    assert [row["parsed"] for row in records(run)] == [best for _, _, best, _ in PUZZLES]


def test_one_that_does_not_know_and_one_that_does_not_write(ask, refused):
    run = ask("mock/flaky", model_args={"rate": "0", "seed": "1"})
    assert run.manifest.statuses == {"unparsed": 7}
    found = estimates(run)
    assert found["accuracy (official), micro"].value == found["legal moves"].value == 0
    assert found["moves that could be read"].value == 0
    assert table(run, "Statuses").rows[0][:2] == ["unparsed", 7]


def test_two_graders_stand_side_by_side_and_the_one_asked_for_decides(writing):
    texts = [f" {move}" for move in OTHERS]
    one, two = writing(texts), writing(texts, grader="any-mate")
    for run, first, values in ((one, "official", (0, 1 / 7)), (two, "any-mate", (0, 1 / 7))):
        found = estimates(run)
        assert (found["accuracy (official), micro"].value, found["accuracy (any-mate), micro"].value) == values
        assert found[f"accuracy ({first}), micro"].headline
        assert next(iter(found)) == f"accuracy ({first}), micro"
        assert found["legal moves"].value == 1
    assert [row["correct"] for row in records(one)] == [False] * 7
    assert [row["correct"] for row in records(two)] == [number == 1 for number in range(7)]
    shown = table(one, "Answers on which the graders disagree")
    assert shown.rows == [["row-2", "b1b8", "a1a8"]]
    with pytest.raises(RunError, match="graded by"):
        compare(one, two)


def test_every_way_to_answer_has_its_status_and_counts_as_it_should(writing):
    texts = [
        Completion(" b1b8", 4),
        Completion(" I would say a1a8", 8, "length"),  # cut at the move's end
        Completion(" b1c1 wins the bishop", 8, "length"),  # cut after it
        Completion(" d2d1", 3),  # the promotion's piece is missing
        Completion(" a1a8", 4),  # no piece there
        Failed("I do not play.", status="refused"),
        Failed("the line is dead"),
    ]
    run = writing(texts)
    rows = {row["id"]: row for row in records(run)}
    assert [(row["status"], row.get("correct")) for row in rows.values()] == [
        ("ok", True),
        ("truncated", True),
        ("ok", True),
        ("ok", False),
        ("ok", False),
        ("refused", False),
        ("error", None),
    ]
    assert [row["output"]["legal"] for row in rows.values() if "legal" in row.get("output", {})] == [
        True,
        True,
        True,
        False,
        False,
    ]
    found = estimates(run)
    assert (found["accuracy (official), micro"].value, found["accuracy (official), micro"].n) == (0.5, 6)
    assert (found["legal moves"].value, found["legal moves"].n) == (0.5, 6)
    assert found["moves that could be read"].value == 5 / 6
    interval = found["accuracy (official), micro"].interval
    assert (interval.low, interval.high) == (wilson(3, 6).low, wilson(3, 6).high)
    assert run.manifest.status == "incomplete"


def test_a_random_legal_move_is_the_baseline(ask):
    run = ask("mock/oracle")
    options = [judge(pose(fen, last, best).fen, best, best) for fen, last, best, _ in PUZZLES]
    found = estimates(run)
    official = sum(1 / one.options for one in options) / 7
    lenient = sum(one.accepted / one.options for one in options) / 7
    assert found["accuracy (official), micro"].baselines == {"random legal move": pytest.approx(official)}
    assert found["accuracy (any-mate), micro"].baselines == {"random legal move": pytest.approx(lenient)}
    assert lenient > official


def test_bands_come_in_the_order_of_ratings_with_both_graders(writing):
    texts = [best for _, _, best, _ in PUZZLES]
    texts[1], texts[4] = "b1b8", "h1h9"
    run = writing(texts)
    bands = ["<=900", "901-1200", "1201-1500", "1501-1800", "1801-2100", ">2100"]
    scores = table(run, "Accuracy (official) by rating")
    assert [row[0] for row in scores.rows] == bands
    assert [row[4] for row in scores.rows] == [2, 1, 1, 1, 1, 1]
    assert [row[1] for row in scores.rows] == [0.5, 1, 0, 1, 1, 1]
    beside = table(run, "Graders and legal moves by rating")
    assert beside.rows[0] == ["<=900", 0.5, 1.0, 1.0, 2]
    assert beside.rows[2] == ["1201-1500", 0.0, 0.0, 0.0, 1]


def test_san_answers_are_compared_as_moves(ask, writer):
    def answer(prompt):
        fen, last, best, _ = PUZZLES[number_of(prompt)]
        return f" 12... {san(pose(fen, last, best).fen, best).rstrip('+#')}!"

    run = ask(writer(answer), protocol="san")
    assert estimates(run)["accuracy (official), micro"].value == 1
    uci = ask(writer(lambda prompt: PUZZLES[number_of(prompt)][2]), protocol="san", runs="uci")
    assert estimates(uci)["moves that could be read"].value == 0


def test_what_differs_from_the_paper_and_the_key_are_told_in_the_right_places(ask):
    run = ask("mock/oracle")
    notes = " ".join(one.text for one in run.result() if isinstance(one, Note))
    assert "PGN" in notes
    (samples,) = [one for one in run.result() if isinstance(one, Samples)]
    assert samples.samples[3].target == "d2d1n"
    assert "rating: 2002" in samples.samples[3].prompt
    assert samples.samples[0].verdicts == {"official": "right", "any-mate": "right"}


def test_a_second_call_asks_nothing_and_changes_no_byte(ask, knowing):
    first = knowing()
    run = ask(first)
    before = (run.path / "result.json").read_bytes()
    assert len(first.asked) == 7
    again = knowing()
    assert (ask(again).path / "result.json").read_bytes() == before
    assert again.asked == []


def test_runs_are_compared_puzzle_by_puzzle(writing):
    texts = [best for _, _, best, _ in PUZZLES]
    one, two = writing(texts, "good"), writing(OTHERS, "bad")
    comparison = compare(one, two)[0]
    assert (comparison.value_a, comparison.value_b, comparison.n) == (1, 0, 7)


def test_bad_wishes_are_refused_before_anything_is_written(ask, refused, tmp_path):
    folder = tmp_path / "chess"
    folder.mkdir()
    (folder / "lichess_puzzles.csv").write_text(f"{RANK},a2a3 b1b8,700\n")
    flags = ("-T", f"data={folder}")
    assert "has no grader 'any_mate'" in refused("eval", "chess", "-m", "mock/oracle", "-T", "grader=any_mate", *flags)
    assert "cannot write text" in refused("eval", "chess", "-m", "mock/uniform", *flags)
    assert "no split to take few-shot" in refused("eval", "chess", "-m", "mock/oracle", "--shots", "2", *flags)
    assert "a task of moves" in refused("probe", "chess", "-m", "mock/oracle", *flags)


@pytest.mark.realdata
def test_other_mates_of_the_first_ten_thousand(ask, release, tmp_path, writer):
    """A model that always plays another mate where there is one: the graders differ on exactly those."""
    import chess

    def answer(prompt):
        fen = prompt.context.split("Position (FEN): ")[1].split("\n")[0]
        board = chess.Board(fen)
        mates = sorted(move.uci() for move in board.legal_moves if board.san(move).endswith("#"))
        return mates[-1] if mates else "none"

    args = {"data": str(release("chess") / "lichess_10k")}
    run = evaluate("chess", writer(answer), task_args=args, runs_dir=tmp_path / "real", limit=1500, cache=False)
    rows = records(run)
    assert len(rows) == 1500
    wrong = [row for row in rows if row["grades"]["any-mate"] and not row["grades"]["official"]]
    right = [row for row in rows if row["grades"]["official"]]
    found = estimates(run)
    assert found["accuracy (official), micro"].value == len(right) / 1500
    assert found["accuracy (any-mate), micro"].value == (len(right) + len(wrong)) / 1500
    assert all(row["output"]["accepted"] > 1 for row in wrong)
    unparsed = sum(row["status"] == "unparsed" for row in rows)
    assert found["moves that could be read"].value == pytest.approx((1500 - unparsed) / 1500)
