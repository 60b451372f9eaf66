"""Chess puzzles of lichess (Burns et al. 2023, section 4): what is the best move here?

Belongs here: reading the puzzles and asking. Does not belong here: the rules of chess and what a move is worth
(`grading/moves.py`).

A row holds a position, the moves of a line, and a rating. The first move is the opponent's; the second, in the position
that it leads to, is the one to find.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gnomon.asks import Decoding, Prompt
from gnomon.errors import DataError
from gnomon.grading.moves import pose, read_move, san
from gnomon.tasks._sources import Folder, Hub, MissingFile, Source, SourceFinder, hub_rows
from gnomon.tasks._task import Item, Protocol, Task, group_name

__all__ = ["BANDS", "band", "task"]

_FILES = ("lichess_db_puzzle.csv", "lichess_puzzles.csv")
_PLAIN = ("FEN", "Moves", "Rating")
_NAMED = ("PuzzleId", *_PLAIN)
_MOST = 200_000
"""Puzzles that are read at most: every one is played through, and the whole database has millions."""

BANDS = ((900, "<=900"), (1200, "901-1200"), (1500, "1201-1500"), (1800, "1501-1800"), (2100, "1801-2100"))
_ABOVE = ">2100"


@dataclass(frozen=True, slots=True, order=True)
class _Row:
    """One row as text, ordered by where it stands."""

    number: int
    name: str
    fen: str
    moves: str
    rating: str
    where: str


def _read(source: Source, split: str, subset: str) -> list[Item]:
    if isinstance(source, Folder):
        path = next((source.path / name for name in _FILES if (source.path / name).is_file()), None)
        if path is None:
            raise MissingFile(f"{source.path} holds neither {' nor '.join(_FILES)}.")
        rows: Iterable[_Row] = _rows(path)
    else:
        assert isinstance(source, Hub)
        rows = (
            _row(number, {name: str(row[name]) for name in _NAMED}, f"{source.describe()}, row {number}")
            for number, row in hub_rows(source, "default", "train", _NAMED)
        )
    drawn, total = _drawn(rows)
    extra = {"drawn_from": total} if total > len(drawn) else {}
    return [_item(row, split, subset, extra) for row in drawn]


def _row(number: int, cells: Mapping[str, str], where: str) -> _Row:
    name = cells.get("PuzzleId", f"row-{number}")
    return _Row(number, name, cells["FEN"], cells["Moves"], cells["Rating"], where)


def _rows(path: Path) -> Iterator[_Row]:
    """Rows of either layout: with the database's header, or three cells a row and no header."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header: list[str] | None = None
            empty = True
            for cells in reader:
                number, empty = reader.line_num, False
                where = f"{path}, line {number}"
                if number == 1 and "FEN" in cells:
                    header = _header(cells, where)
                    continue
                wanted = 3 if header is None else len(header)
                if len(cells) != wanted:
                    raise DataError(f"{where}: {len(cells)} cells where {wanted} are due.", hint="Get the file again.")
                yield _row(number, dict(zip(header or _PLAIN, cells, strict=True)), where)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV in UTF-8: {error}.", hint="Get the file again.") from error
    if empty:
        raise DataError(f"{path} is empty.", hint="Get the file again.")


def _header(cells: list[str], where: str) -> list[str]:
    missing = [name for name in _NAMED if name not in cells]
    if missing:
        raise DataError(f"{where}: the header lacks {', '.join(missing)}; it is {','.join(cells)} .")
    return cells


def _drawn(rows: Iterable[_Row]) -> tuple[list[_Row], int]:
    """At most `_MOST` rows in their order, drawn by their names alone, and how many there were."""
    total = 0

    def keyed() -> Iterator[tuple[bytes, _Row]]:
        nonlocal total
        for row in rows:
            total += 1
            yield hashlib.blake2b(f"draw/{row.name}".encode(), digest_size=8).digest(), row

    kept = heapq.nsmallest(_MOST, keyed())
    return sorted(row for _, row in kept), total


def _item(row: _Row, split: str, subset: str, extra: dict[str, int]) -> Item:
    moves = row.moves.split()
    if len(moves) < 2:
        raise DataError(
            f"{row.where}: the moves '{row.moves}' hold no second one, which would be the one to find.",
            hint="The first move is the opponent's, the second solves the puzzle.",
        )
    if not re.fullmatch(r"[0-9]{1,5}", row.rating.strip()):
        raise DataError(f"{row.where}: the rating '{row.rating}' is not a whole number.", hint="Get the file again.")
    try:
        puzzle = pose(row.fen, moves[0], moves[1])
    except ValueError as error:
        raise DataError(f"{row.where}: {error}.", hint="Mend the row; gnomon guesses nothing.") from error
    fields = {"position": puzzle.fen, "side": puzzle.side, "last": puzzle.last, "last_san": puzzle.last_san}
    key = {"best": puzzle.best, "fen": puzzle.fen, "rating": int(row.rating), **extra}
    group = group_name(" ".join(puzzle.fen.split()[:4]))  # the counters of moves are no part of a position
    return Item(row.name, subset, split, group, fields, key=key)


def band(item: Item) -> str:
    """The band of ratings that a puzzle falls into."""
    rating = item.key["rating"]
    return next((name for most, name in BANDS if rating <= most), _ABOVE)


def _notes(items: Sequence[Item]) -> list[str]:
    total = items[0].key.get("drawn_from") if items else None
    if total is None:
        return []
    return [f"{len(items):,} of the {total:,} puzzles were read, drawn by their names; the others were not looked at."]


_WRITTEN = Decoding(max_tokens=8, stop=("\n",))


def _asked(item: Item, last: str, how: str) -> tuple[Prompt, ...]:
    side = item.fields["side"]
    other = "Black" if side == "White" else "White"
    text = (
        f"A chess puzzle: {side} has one best move. Write it in {how}, and nothing else.\n\n"
        f"Position (FEN): {item.fields['position']}\n{other} has just played {last}\nBest move for {side}:"
    )
    return (Prompt(text, _WRITTEN),)


def _uci(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    return _asked(item, item.fields["last"], "UCI notation, such as e2e4 or e7e8q")


def _san(item: Item, shots: Sequence[Item]) -> tuple[Prompt, ...]:
    return _asked(item, item.fields["last_san"], "standard algebraic notation, such as Nf3 or exd8=Q+")


_POSITION = (
    "The paper shows a model the moves of the game up to the puzzle, as in a PGN file, which these puzzles do not come "
    "with: here it is shown the position (FEN) and the opponent's last move."
)
_EXAMPLE = {
    "position": "6k1/5ppp/8/8/8/8/5PPP/rR4K1 w - - 1 2",
    "side": "White",
    "last": "a2a1",
    "last_san": "Ra1",
}

task = Task(
    title="Chess puzzles",
    source="arXiv:2312.09390",
    licence="CC0 (lichess puzzle database)",
    subsets=("all",),
    splits=("puzzles",),
    counts={},  # the database grows every month
    finder=SourceFinder(
        fits=lambda folder: any((folder / name).is_file() for name in _FILES),
        layout="lichess_db_puzzle.csv with its header (PuzzleId,FEN,Moves,Rating,...), or lichess_puzzles.csv with "
        "FEN,moves,rating and no header",
        hub=Hub("Lichess/chess-puzzles", "d283c355cf24ca7fa4aa2bb8ade0e2f6b5c8e43a"),
        names=("lichess_10k", "lichess_puzzles", "lichess"),
    ),
    read=_read,
    notes=_notes,
    kind="moves",
    protocols={
        "uci": Protocol(
            version=1,
            about="gnomon's own wording; the move is written from square to square, such as e2e4 or e7e8q.",
            ability="generate",
            ask=_uci,
            extract=lambda item, text: read_move(text, "uci"),
            ideal=lambda item: (f" {item.key['best']}",),
            deviations=(_POSITION, "The move is written in UCI; the paper's moves are those of PGN files, in SAN."),
        ),
        "san": Protocol(
            version=1,
            about="gnomon's own wording; the move is written as in PGN files, such as Nf3 or exd8=Q+.",
            ability="generate",
            ask=_san,
            extract=lambda item, text: read_move(text, "san"),
            ideal=lambda item: (f" {san(item.key['fen'], item.key['best'])}",),
            deviations=(_POSITION,),
        ),
    },
    rollups={"rating": band},
    difficulty=lambda item: float(item.key["rating"]),
    options={
        "grader": "official (default: the solution's move) or any-mate (where it mates, every mating move): whose "
        "verdict is the score; the other stands beside it"
    },
    examples=(
        Item(
            "example",
            "all",
            "puzzles",
            "example",
            _EXAMPLE,
            key={"best": "b1a1", "fen": _EXAMPLE["position"], "rating": 600},
        ),
    ),
)
