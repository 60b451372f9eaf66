"""Moves: what is read from a text, what is legal, what mates, against positions worked out by hand."""

import csv
import importlib.util
import random

import chess
import pytest

from gnomon.errors import UsageError
from gnomon.grading.moves import judge, need, pose, read_move, san

BACK_RANK = "6k1/5ppp/8/8/8/8/8/RR4K1 w - - 0 1"
"""Both rooks mate on the eighth rank."""

PROMOTES = "8/8/8/8/8/k1K5/3p4/8 b - - 1 2"
"""A pawn on d2; as a knight it gives check."""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("e2e4", "e2e4"),
        (" e2e4 e7e5", "e2e4"),
        ("The best move is e7e8q.", "e7e8q"),
        ("E7E8", None),
        ("e7e8Q", "e7e8q"),
        ("d2d1n", "d2d1n"),
        ("d2d1k", None),
        ("e2-e4", None),
        ("e2 e4", None),
        ("e9e4", None),
        ("xe2e4", None),
        ("e2e45", None),
        ("Nf3", None),
        ("0000", None),
        ("", None),
    ],
)
def test_uci_is_read_as_a_word_of_its_own(text, found):
    assert read_move(text, "uci") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nf3", "Nf3"),
        ("1. e4 e5", "e4"),
        ("24...Rxe7+", "Rxe7+"),
        ("24... exd8=Q#", "exd8=Q#"),
        ("exd8Q", "exd8Q"),
        ("O-O", "O-O"),
        ("0-0-0+", "0-0-0+"),
        ("Nbd7", "Nbd7"),
        ("R1a3", "R1a3"),
        ("Qh4e1", "Qh4e1"),
        ("Nf3!?", "Nf3"),
        ("1-0", None),
        ("e2e4", None),
        ("Nf9", None),
        ("nothing at all", None),
    ],
)
def test_san_is_read_as_a_word_of_its_own(text, found):
    assert read_move(text, "san") == found


def test_the_opponent_moves_first_and_the_other_side_is_to_solve():
    puzzle = pose("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "a2a1", "b1a1")
    assert (puzzle.fen, puzzle.side) == ("6k1/5ppp/8/8/8/8/5PPP/rR4K1 w - - 1 2", "White")
    assert (puzzle.last, puzzle.last_san, puzzle.best) == ("a2a1", "Ra1", "b1a1")


@pytest.mark.parametrize(
    ("fen", "last", "best", "words"),
    [
        ("nonsense", "a2a1", "b1b8", "expected"),
        ("6k1/5ppp/8/8/8/8/r4PPP/1R4K b - - 0 1", "a2a1", "b1b8", "row"),
        ("8/8/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "a2a1", "b1b8", "no position that can be"),
        ("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 w - - 0 1", "a2a1", "b1b8", "a2a1 is not legal"),
        ("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "a2a1", "b1i8", "'b1i8' is no move in UCI"),
        ("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "a2a1", "a1a2", "a1a2 is not legal"),
        ("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "0000", "b1b8", "moves nothing"),
    ],
)
def test_what_is_no_puzzle_is_refused_with_the_reason(fen, last, best, words):
    with pytest.raises(ValueError, match=words):
        pose(fen, last, best)


def test_another_mate_is_right_for_any_mate_alone():
    first, second = judge(BACK_RANK, "a1a8", "a1a8"), judge(BACK_RANK, "a1a8", "b1b8")
    assert (first.official, first.any_mate) == (True, True)
    assert (second.move, second.official, second.any_mate) == ("b1b8", False, True)
    quiet = judge(BACK_RANK, "a1a8", "a1a7")
    assert (quiet.move, quiet.official, quiet.any_mate) == ("a1a7", False, False)
    assert (quiet.options, quiet.accepted) == (chess.Board(BACK_RANK).legal_moves.count(), 2)


def test_where_the_solution_does_not_mate_a_mate_is_wrong():
    found = judge(BACK_RANK, "g1f2", "a1a8")
    assert (found.official, found.any_mate, found.accepted) == (False, False, 1)


def test_the_piece_of_a_promotion_is_part_of_the_move():
    knight = judge(PROMOTES, "d2d1n", "d2d1n")
    assert (knight.move, knight.official) == ("d2d1n", True)
    assert judge(PROMOTES, "d2d1n", "d2d1q").official is False
    assert judge(PROMOTES, "d2d1n", "d2d1").move is None
    assert san(PROMOTES, "d2d1n") == "d1=N+"
    for text in ("d1=N+", "d1=N", "d1N"):
        assert judge(PROMOTES, "d2d1n", text).official
    assert not judge(PROMOTES, "d2d1n", "d1=Q").official
    assert judge(PROMOTES, "d2d1n", "d1").move is None


def test_castling_is_one_move_in_all_its_spellings():
    fen = "4k3/8/8/8/8/8/8/4K2R w K - 0 1"
    assert all(judge(fen, "e1g1", text).official for text in ("e1g1", "O-O", "0-0"))
    assert judge("4k3/8/8/8/8/8/8/4K2R w - - 0 1", "h1h2", "O-O").move is None


def test_a_san_that_fits_two_moves_names_neither():
    assert judge("4k3/8/8/8/8/8/4K3/R6R w - - 0 1", "a1d1", "Rd1").move is None
    assert judge("4k3/8/8/8/8/8/4K3/R6R w - - 0 1", "a1d1", "Rad1").official


def test_no_answer_and_illegal_answers_are_wrong():
    for answer in (None, "h1h8", "a8a1", "Qh5"):
        found = judge(BACK_RANK, "a1a8", answer)
        assert (found.move, found.official, found.any_mate) == (None, False, False)


def test_every_legal_move_is_read_back_from_both_notations():
    draw, board = random.Random(5), chess.Board()
    for _ in range(120):
        if board.is_game_over():
            break
        for move in board.legal_moves:
            fen = board.fen()
            for notation, text in (("uci", move.uci()), ("san", san(fen, move.uci()))):
                assert judge(fen, move.uci(), read_move(f" {text}\n", notation)).official
        board.push(draw.choice(list(board.legal_moves)))


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"chess needs the package python-chess.*pip install .gnomon\[chess\]") as told:
        need()
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.realdata
def test_of_the_mates_in_one_thirty_seven_have_another_mate(release):
    """Every legal move is tried with python-chess's own words, beside the judge's."""
    path = release("chess") / "lichess_10k" / "lichess_puzzles.csv"
    with path.open() as file:
        rows = [(fen, *moves.split()) for fen, moves, _ in csv.reader(file) if len(moves.split()) == 2]
    mating = others = 0
    for fen, last, best in rows:
        found = judge(pose(fen, last, best).fen, best, best)
        board = chess.Board(fen)
        board.push_uci(last)
        mates = {board.san(move) for move in board.legal_moves if board.san(move).endswith("#")}
        mating += board.san(chess.Move.from_uci(best)) in mates
        if board.san(chess.Move.from_uci(best)) in mates:
            assert found.accepted == len(mates)
            others += len(mates) > 1
        else:
            assert found.accepted == 1
    assert (len(rows), mating, others) == (1136, 1029, 37)
