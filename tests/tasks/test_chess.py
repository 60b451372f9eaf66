"""Chess puzzles: both layouts, whose move it is, what is told of a broken row, and what a prompt shows."""

import importlib.util
import time

import chess
import pytest

from gnomon.errors import DataError, UsageError
from gnomon.tasks import chess as module
from gnomon.tasks import load_task, task_named
from gnomon.tasks.chess import band
from gnomon.testing import check_task

START = "6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1"
AFTER = "6k1/5ppp/8/8/8/8/5PPP/rR4K1 w - - 1 2"
PAWN = "8/8/8/8/8/k1K5/3p4/7N w - - 0 1"
HEADER = "PuzzleId,FEN,Moves,Rating,RatingDeviation,Popularity,NbPlays,Themes,GameUrl,OpeningTags"
GOOD = f"{START},a2a1 b1a1,700"


@pytest.fixture
def items(tmp_path):
    """A function (lines of the file) that writes and reads them."""

    def read(*lines, name="lichess_puzzles.csv"):
        folder = tmp_path / "puzzles"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
        return load_task("chess", {"data": str(folder)}).items()

    return read


def test_the_first_move_is_the_opponents_and_the_second_is_to_be_found(items):
    (item,) = items(GOOD)
    assert item.fields == {"position": AFTER, "side": "White", "last": "a2a1", "last_san": "Ra1"}
    assert item.key == {"best": "b1a1", "fen": AFTER, "rating": 700}
    assert "b1a1" not in " ".join(item.fields.values())


def test_the_databases_own_layout_is_read_by_its_header(items):
    rest = "80,95,1000,mate mateIn1 short,https://lichess.org/x#1,"
    (item,) = items(HEADER, f"0aBc9,{START},a2a1 b1a1,700,{rest}", name="lichess_db_puzzle.csv")
    assert (item.id, item.key["rating"]) == ("0aBc9", 700)
    (plain,) = items(GOOD)
    assert (plain.fields, plain.key, plain.group) == (item.fields, item.key, item.group)


def test_the_piece_of_a_promotion_is_kept(items):
    (item,) = items(f"{PAWN},h1f2 d2d1n,2002")
    assert item.key["best"] == "d2d1n"
    protocols = task_named("chess").protocols
    assert protocols["uci"].ideal(item) == (" d2d1n",)
    assert protocols["san"].ideal(item) == (" d1=N+",)
    assert protocols["uci"].extract(item, " d2d1n") == "d2d1n"


def test_rows_of_one_position_share_a_group_whatever_their_counters(items):
    one, two, other = items(GOOD, GOOD.replace(" 0 1", " 9 40"), f"{START},g7g6 b1b8,900")
    assert one.group == two.group != other.group
    assert one.key["fen"] != two.key["fen"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{START},a2a1,700", "line 2: the moves 'a2a1' hold no second one"),
        (f"{START},,700", "line 2: the moves '' hold no second one"),
        (f"{START},a2h8 b1a1,700", "line 2: the move a2h8 is not legal"),
        (f"{START},a2a1 b1h8,700", "line 2: the move b1h8 is not legal"),
        (f"{START},a2-a1 b1a1,700", "line 2: 'a2-a1' is no move in UCI"),
        (f"{START[:20]},a2a1 b1a1,700", "line 2: expected 8 rows in position part of fen"),
        ("8/8/8/8/8/8/8/8 w - - 0 1,a2a1 b1a1,700", "line 2: the FEN .* no position that can be"),
        (f"{START},a2a1 b1a1,hard", "line 2: the rating 'hard' is not a whole number"),
        (f"{START},a2a1 b1a1,7.5", "line 2: the rating '7.5' is not"),
        (f"{START},a2a1 b1a1,", "line 2: the rating '' is not"),
        (f"{START},a2a1 b1a1", "line 2: 2 cells where 3 are due"),
        (f'{START},"a2a1 b1a1,700', "cannot be read as CSV"),
    ],
)
def test_a_broken_row_is_named_with_file_and_line(line, words, items):
    with pytest.raises(DataError, match=words) as told:
        items(GOOD, line)
    assert "lichess_puzzles.csv" in str(told.value)


def test_files_that_are_none_are_told(items, tmp_path):
    with pytest.raises(DataError, match=r"lichess_puzzles\.csv is empty"):
        items()
    with pytest.raises(DataError, match="the header lacks PuzzleId, Rating"):
        items("FEN,Moves")
    (tmp_path / "puzzles" / "lichess_puzzles.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read as CSV in UTF-8"):
        load_task("chess", {"data": str(tmp_path / "puzzles")}).items()
    with pytest.raises(DataError, match="does not hold chess's release"):
        load_task("chess", {"data": str(tmp_path)})


@pytest.mark.parametrize(
    ("rating", "name"),
    [
        *[(0, "<=900"), (900, "<=900"), (901, "901-1200"), (1200, "901-1200"), (1201, "1201-1500")],
        *[(1500, "1201-1500"), (1501, "1501-1800"), (1800, "1501-1800"), (1801, "1801-2100")],
        *[(2100, "1801-2100"), (2101, ">2100")],
    ],
)
def test_ratings_fall_into_bands(rating, name, items):
    (item,) = items(f"{START},a2a1 b1a1,{rating}")
    assert band(item) == name


def test_a_prompt_shows_the_position_and_the_last_move_and_nothing_of_the_key(items):
    (item,) = items(GOOD)
    for name, last in (("uci", "a2a1"), ("san", "Ra1")):
        protocol = task_named("chess").protocols[name]
        (prompt,) = protocol.ask(item, [])
        assert f"{AFTER}\nBlack has just played {last}\nBest move for White:" in prompt.context
        assert "b1a1" not in prompt.context
        assert "Rxa1" not in prompt.context
        assert prompt.decoding.max_tokens == 8
        assert prompt.decoding.stop == ("\n",)
        assert any("PGN" in text for text in protocol.deviations)


def test_a_file_of_millions_is_drawn_from_by_names_alone(items, monkeypatch):
    lines = [f"id{n},{START},a2a1 b1a1,{600 + n}" for n in range(40)]
    header = "PuzzleId,FEN,Moves,Rating"
    whole = items(header, *lines)
    monkeypatch.setattr(module, "_MOST", 10)
    some, turned = items(header, *lines), items(header, *reversed(lines))
    assert [item.id for item in some] == [item.id for item in whole if item in some or item.id in {i.id for i in some}]
    assert len(some) == 10
    assert {item.id for item in some} == {item.id for item in turned}
    assert task_named("chess").notes(some) == [
        "10 of the 40 puzzles were read, drawn by their names; the others were not looked at."
    ]
    assert task_named("chess").notes(whole) == []


def test_without_the_package_the_task_is_listed_and_not_read(items, monkeypatch, cli_free_listing):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    cli_free_listing()
    with pytest.raises(UsageError, match="pip install"):
        items(GOOD)


@pytest.fixture
def cli_free_listing():
    """What `gnomon ls tasks chess` needs: the task, and the hashes of its protocols."""

    def listing():
        task = task_named("chess")
        assert len({task.fingerprint(protocol) for protocol in task.protocols.values()}) == 2

    return listing


def test_the_example_is_a_puzzle():
    (example,) = task_named("chess").examples
    board = chess.Board(example.key["fen"])
    assert board.is_valid()
    assert chess.Move.from_uci(example.key["best"]) in board.legal_moves
    assert example.fields["position"] == example.key["fen"]


@pytest.mark.realdata
def test_the_first_ten_thousand_puzzles(release):
    began = time.perf_counter()
    items = load_task("chess", {"data": str(release("chess") / "lichess_10k")}).items()
    assert time.perf_counter() - began < 15  # about one second; far from what trying every move would take
    assert len(items) == len({item.group for item in items}) == 10_000
    bands = [band(item) for item in items]
    counts = {name: bands.count(name) for name in dict.fromkeys(bands)}
    assert counts == {
        "<=900": 1305,
        "901-1200": 2021,
        "1201-1500": 1829,
        "1501-1800": 1768,
        "1801-2100": 1409,
        ">2100": 1668,
    }
    promotions = [item.key["best"] for item in items if len(item.key["best"]) == 5]
    assert len(promotions) == 19
    assert {move[-1] for move in promotions} == {"q"}


@pytest.mark.realdata
def test_the_task_conforms_and_is_found_under_the_data_folder(release, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(release("chess").parent))
    check_task("chess", most=100)
