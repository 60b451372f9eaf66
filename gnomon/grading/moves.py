"""Judging a move in chess: can it be read, is it legal, is it the solution's, does it mate?

Belongs here: moves in UCI and SAN notation, positions as FEN, and the grades of one answer. Does not belong here: files
of puzzles and prompts (`tasks/chess.py`), averages (`evaluation/`).

The rules of chess are python-chess's. It is under the GPL 3.0, so gnomon does not bring it along: it is an extra of its
own, imported when a move is first looked at.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gnomon.errors import UsageError

if TYPE_CHECKING:
    import chess

__all__ = ["INSTALL", "Judged", "Notation", "Puzzle", "accepted_moves", "judge", "need", "pose", "read_move", "san"]

INSTALL = 'pip install "gnomon[chess]"'

Notation = Literal["uci", "san"]

_EDGE = r"(?<![A-Za-z0-9-])(?:{})(?![A-Za-z0-9-])"
_UCI = re.compile(_EDGE.format("[a-h][1-8][a-h][1-8][qrbnQRBN]?"))
_CASTLING = "[O0]-[O0](?:-[O0])?"
_PIECE = "[KQRBN][a-h]?[1-8]?x?[a-h][1-8]"
_PAWN = "(?:[a-h]x)?[a-h][1-8](?:=?[QRBN])?"
_SAN = re.compile(_EDGE.format(f"(?:{_CASTLING}|{_PIECE}|{_PAWN})[+#]?"))


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A position to be solved: `fen` after the opponent's move, which is `last` (UCI) or `last_san`; `side` is to move,
    "White" or "Black"; `best` (UCI) solves it."""

    fen: str
    last: str
    last_san: str
    side: str
    best: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one answer.

    `move` is the answer in UCI where it is legal, else None. `official`: it is the solution's move. `any_mate`: it is,
    or the solution's move mates and so does this one. Of the position's `options` legal moves, `accepted` are right
    under `any_mate` (1 where the solution does not mate).
    """

    move: str | None
    official: bool
    any_mate: bool
    options: int
    accepted: int


def need() -> None:
    """Raise UsageError, with what to install, where python-chess is missing."""
    if importlib.util.find_spec("chess") is None:
        raise UsageError(f"chess needs the package python-chess, which is not installed here: {INSTALL} .")


def pose(fen: str, last: str, best: str) -> Puzzle:
    """The puzzle that arises when `last` is played in `fen`. Moves are in UCI.

    Raises ValueError, with the reason, for a FEN that cannot be, and for a move that is none or not legal.

    >>> pose("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 b - - 0 1", "a2a1", "b1a1").fen
    '6k1/5ppp/8/8/8/8/5PPP/rR4K1 w - - 1 2'
    """
    need()
    import chess

    board = chess.Board(fen)
    if not board.is_valid():
        raise ValueError(f"the FEN '{fen}' is of no position that can be: {board.status()!r}")
    first = _uci(board, last)
    last_san = board.san(first)
    board.push(first)
    solution = _uci(board, best)
    return Puzzle(board.fen(), first.uci(), last_san, "White" if board.turn else "Black", solution.uci())


def _uci(board: chess.Board, text: str) -> chess.Move:
    """The legal move that `text` names; raises ValueError."""
    import chess

    try:
        move = board.parse_uci(text)
    except chess.InvalidMoveError:
        raise ValueError(f"'{text}' is no move in UCI") from None
    except chess.IllegalMoveError:
        raise ValueError(f"the move {text} is not legal in '{board.fen()}'") from None
    if not move:
        raise ValueError(f"'{text}' moves nothing")
    return move


def san(fen: str, move: str) -> str:
    """The legal `move` (UCI) of position `fen` in SAN, with signs for check and mate.

    >>> san("6k1/5ppp/8/8/8/8/5PPP/1R4K1 w - - 1 2", "b1b8")
    'Rb8#'
    """
    need()
    import chess

    board = chess.Board(fen)
    return board.san(_uci(board, move))


def read_move(text: str, notation: Notation) -> str | None:
    """The first move that `text` writes in `notation`, by its form alone; None where there is none.

    It stands as a word of its own; numbers of moves and words around it are passed over. The piece of a promotion is
    part of the move; in UCI it is read in either case.

    >>> read_move("24... Rxe7+, winning", "san"), read_move("I play e7e8Q.", "uci")
    ('Rxe7+', 'e7e8q')
    >>> read_move("Rxe7", "uci") is None, read_move("e7e8q", "san") is None
    (True, True)
    """
    found = (_UCI if notation == "uci" else _SAN).search(text)
    if found is None:
        return None
    return found[0].lower() if notation == "uci" else found[0]


def judge(fen: str, best: str, answer: str | None) -> Judged:
    """What `answer` (as `read_move` gave it, in either notation) is worth in position `fen`, whose solution is `best`
    (UCI, legal).

    Moves are compared, not texts: signs for check and mate may be missing in SAN. A SAN that fits two legal moves names
    neither. A promotion needs its piece.

    >>> judge("6k1/5ppp/8/8/8/8/8/RR4K1 w - - 0 1", "a1a8", "Rb8")
    Judged(move='b1b8', official=False, any_mate=True, options=23, accepted=2)
    """
    need()
    import chess

    board = chess.Board(fen)
    solution, move = _uci(board, best), _legal(board, answer)
    every = list(board.legal_moves)
    mates = _mating(board, solution)
    return Judged(
        move=None if move is None else move.uci(),
        official=move == solution,
        any_mate=move == solution or move in mates,
        options=len(every),
        accepted=len(mates) or 1,
    )


def accepted_moves(fen: str, best: str) -> set[str]:
    """The moves (UCI) that are right under `any_mate`: the solution's, and where it mates, all that mate.

    >>> sorted(accepted_moves("6k1/5ppp/8/8/8/8/8/RR4K1 w - - 0 1", "a1a8"))
    ['a1a8', 'b1b8']
    """
    need()
    import chess

    board = chess.Board(fen)
    return {best, *(move.uci() for move in _mating(board, _uci(board, best)))}


def _mating(board: chess.Board, solution: chess.Move) -> list[chess.Move]:
    """All mating moves where the solution is one, else none."""
    return [one for one in board.legal_moves if _mates(board, one)] if _mates(board, solution) else []


def _legal(board: chess.Board, answer: str | None) -> chess.Move | None:
    if answer is None:
        return None
    try:  # no text has the form of both notations
        return _uci(board, answer) if _UCI.fullmatch(answer) else board.parse_san(answer)
    except ValueError:  # not legal here, or, in SAN, ambiguous
        return None


def _mates(board: chess.Board, move: chess.Move) -> bool:
    board.push(move)
    mate = board.is_checkmate()
    board.pop()
    return mate
