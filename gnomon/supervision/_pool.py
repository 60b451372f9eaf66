"""Texts with labels, or questions with answers, and their parts: who learns from the truth, who from weak labels, who
is tested.

Belongs here: choosing, balancing and dividing rows, and what is right. Does not belong here: how an item becomes a text
(`tasks/`), or training.

Parts never share a group (a passage, a question, a scenario) nor a text. The test rows depend on the run's seed alone;
the halves are drawn anew for every training seed, so that the spread over seeds holds the luck of the halves too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import DataError, UsageError
from gnomon.tasks import Judged, Posed

__all__ = ["LARGEST_SHARE", "Halves", "Pool", "halves", "pool", "written_pool"]

LARGEST_SHARE = 0.55
"""A set whose larger class has a greater share is rebalanced (Burns et al. 2023, appendix A.1)."""

VALIDATION = 0.1
"""Share of each half that is held out to choose an epoch by."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """All rows of a study: those that can be learned from, and those of the test set, both balanced.

    `texts`, `labels`, `groups` and `ids` run over all rows; `learn` and `test` are row numbers. Where texts are
    compared, `against` holds the other of each pair; else it is empty. Where answers are written, `posed` holds the
    questions, texts are their prompts and `labels` are zeros without meaning. `difficulty` is a number a row, where the
    task knows one.

    What a model says of rows is P(class 1), or the texts that it wrote; `truth`, `right` and `same` know which.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: tuple[str, ...]
    ids: tuple[str, ...]
    learn: Rows
    test: Rows
    notes: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    posed: tuple[Posed, ...] = ()
    difficulty: NDArray[np.float64] | None = None

    @property
    def written(self) -> bool:
        """Whether answers are written."""
        return bool(self.posed)

    def truth(self, rows: Rows) -> NDArray[Any]:
        """What a model that knew all would say of `rows`."""
        if self.written:
            return np.array([self.posed[row].answer for row in rows], dtype=np.str_)
        return self.labels[rows].astype(np.float64)

    def right(self, says: NDArray[Any], rows: Rows) -> NDArray[np.bool_]:
        """Whether what is said of `rows` (..., rows) is right."""
        if not self.written:
            return np.asarray((says > 0.5) == self.labels[rows])
        meant = self._meanings(says, rows)
        return np.array(
            [[text in self.posed[row].accepted for text, row in zip(one, rows, strict=True)] for one in meant],
            dtype=bool,
        ).reshape(says.shape)

    def same(self, one: NDArray[Any], other: NDArray[Any], rows: Rows) -> NDArray[np.bool_]:
        """Whether two things that are said of `rows` (..., rows) mean the same; what cannot be read is like nothing."""
        if not self.written:
            return np.asarray((one > 0.5) == (other > 0.5))
        first, second = self._meanings(one, rows), self._meanings(other, rows)
        found = [[a == b != "" for a, b in zip(x, y, strict=True)] for x, y in zip(first, second, strict=True)]
        return np.array(found, dtype=bool).reshape(one.shape)

    def _meanings(self, says: NDArray[Any], rows: Rows) -> list[list[str]]:
        return [
            [self.posed[row].read(text) for text, row in zip(one, rows, strict=True)]
            for one in says.reshape(-1, len(rows)).tolist()
        ]

    def digest(self, rows: Rows) -> str:
        """A hash of ids and texts of `rows` in their order: equal rows, equal digest."""
        parts = hashlib.sha256()
        for row in rows:
            other = [self.against[row]] if self.against else []
            answer = [self.posed[row].answer] if self.posed else []
            for text in (self.ids[row], self.texts[row], *other, *answer):
                data = text.encode("utf-8", "surrogatepass")
                parts.update(len(data).to_bytes(8, "big") + data)
        return parts.hexdigest()


@dataclass(frozen=True)
class Halves:
    """Row numbers: `a` teaches supervisors the truth, `b` is weakly labelled. Of each a tenth is held out, to choose an
    epoch by: `a_held`, `b_held`. `parts` divides `b` for chains of students, each on rows new to its teacher."""

    a: Rows
    a_held: Rows
    b: Rows
    b_held: Rows
    parts: tuple[Rows, ...] = ()


def pool(judged: Sequence[Judged], *, learn: int, test: int, seed: int, long: Sequence[bool] | None = None) -> Pool:
    """Choose rows: balanced test rows first, then rows to learn from, in whole groups.

    Parameters
    ----------
    judged : sequence of Judged
    learn, test : int
        Rows at most; where there are fewer, four fifths are learned from.
    seed : int
    long : sequence of bool, optional
        Rows that some model of the study cannot read whole; they are left out for all models.

    Raises
    ------
    DataError
        For a single class, or too few rows.
    """
    notes: list[str] = []
    kept = _distinct(judged, long, notes)
    if not kept:
        raise DataError(f"of {len(judged):,} texts none is left. {' '.join(notes)}", hint="Raise  --max-tokens .")
    _both(kept)
    wanted = learn + test
    if len(kept) < wanted:
        learn, test = (len(kept) * learn) // wanted, (len(kept) * test) // wanted
    groups: dict[str, list[int]] = {}
    for number, one in enumerate(kept):
        groups.setdefault(one.group, []).append(number)
    order = _shuffled(list(groups), seed, "test")
    taken, chosen, _ = _take(order, groups, kept, test, exact=True)
    rest = [name for name in _shuffled(list(groups), seed, "learn") if name not in taken]
    _, learned, dropped = _take(rest, groups, kept, learn, exact=False)
    if dropped:
        notes.append(f"{dropped:,} rows to learn from were dropped for balance: one label had more than 55% of them.")
    if min(len(chosen), len(learned)) < 4 or len({kept[number].label for number in learned}) < 2:
        raise DataError(
            f"{len(kept)} rows in {len(groups)} groups leave {len(learned)} to learn from and {len(chosen)} to test on "
            "after balancing; that is too few.",
            hint="Take more subsets or splits with  -T subsets=...  or  -T split=... .",
        )
    return _made(kept, learned, chosen, notes)


def _made(kept: Sequence[Judged], learned: Sequence[int], chosen: Sequence[int], notes: list[str]) -> Pool:
    rows = sorted([*learned, *chosen])
    place = {number: at for at, number in enumerate(rows)}
    labels = np.array([kept[number].label for number in rows], dtype=np.int64)
    return Pool(
        texts=tuple(kept[number].text for number in rows),
        labels=labels,
        groups=tuple(kept[number].group for number in rows),
        ids=tuple(kept[number].id for number in rows),
        learn=np.array(sorted(place[number] for number in learned), dtype=np.int64),
        test=np.array(sorted(place[number] for number in chosen), dtype=np.int64),
        notes=tuple(notes),
        against=tuple(kept[number].against for number in rows) if kept[0].against else (),
        difficulty=_difficulties([kept[number] for number in rows]),
    )


def _difficulties(kept: Sequence[Judged | Posed]) -> NDArray[np.float64] | None:
    """A number a row, or None where any lacks one."""
    found = [one.difficulty for one in kept]
    return None if None in found else np.array(found, dtype=np.float64)


def written_pool(
    posed: Sequence[Posed], *, learn: int, test: int, seed: int, long: Sequence[bool] | None = None
) -> Pool:
    """Rows of questions to be answered in writing; arguments and errors are those of `pool`. There are no classes, so
    nothing is balanced."""
    notes: list[str] = []
    counts: Counter[str] = Counter()
    kept: dict[str, Posed] = {}
    for number, one in enumerate(posed):
        if not one.answer.strip():
            counts["without an answer"] += 1
        elif long is not None and long[number]:
            counts["longer than a model reads"] += 1
        elif one.prompt in kept:
            counts["there twice"] += 1
        else:
            kept[one.prompt] = one
    notes.extend(f"{count:,} questions were left out: {what}." for what, count in counts.items())
    rows = list(kept.values())
    if len(rows) < learn + test:
        learn, test = len(rows) * learn // (learn + test), len(rows) * test // (learn + test)
    groups: dict[str, list[int]] = {}
    for number, one in enumerate(rows):
        groups.setdefault(one.group, []).append(number)
    tested = _first(_shuffled(list(groups), seed, "test"), groups, test)
    rest = [name for name in _shuffled(list(groups), seed, "learn") if name not in tested]
    learned = _first(rest, groups, learn)
    parts = [sorted(number for name in names for number in groups[name]) for names in (learned, tested)]
    if min(map(len, parts)) < 4:
        raise DataError(
            f"{len(posed)} questions leave {len(parts[0])} to learn from and {len(parts[1])} to test on; that is too "
            f"few. {' '.join(notes)}",
            hint="Take more subsets or splits with  -T subsets=...  or  -T split=... .",
        )
    chosen = [rows[number] for number in sorted([*parts[0], *parts[1]])]
    place = {number: at for at, number in enumerate(sorted([*parts[0], *parts[1]]))}
    return Pool(
        texts=tuple(one.prompt for one in chosen),
        labels=np.zeros(len(chosen), dtype=np.int64),
        groups=tuple(one.group for one in chosen),
        ids=tuple(one.id for one in chosen),
        learn=np.array([place[number] for number in parts[0]], dtype=np.int64),
        test=np.array([place[number] for number in parts[1]], dtype=np.int64),
        notes=tuple(notes),
        posed=tuple(chosen),
        difficulty=_difficulties(chosen),
    )


def _first(order: Sequence[str], groups: dict[str, list[int]], most: int) -> set[str]:
    """Whole groups in order, while they hold at most `most` rows."""
    found: set[str] = set()
    rows = 0
    for name in order:
        if rows + len(groups[name]) <= most:
            found.add(name)
            rows += len(groups[name])
    return found


def halves(found: Pool, seed: int, parts: int = 1) -> Halves:
    """Divide the rows to learn from, whole groups at a time, by a training seed.

    >>> rows = [Judged(str(n), f"g{n // 2}", f"text {n}", n % 2) for n in range(100)]
    >>> cut = halves(pool(rows, learn=80, test=20, seed=0), seed=1)
    >>> len(cut.a) + len(cut.a_held), len(cut.b) + len(cut.b_held)
    (40, 40)
    """
    shares = [VALIDATION, 1 - VALIDATION]
    first, second = _divided(found, found.learn, [0.5, 0.5], f"halves/{seed}")
    a_held, a = _divided(found, first, shares, f"held/{seed}")
    b_held, b = _divided(found, second, shares, f"held/{seed}")
    pieces = _divided(found, b, [1 / parts] * parts, f"parts/{seed}") if parts > 1 else (b,)
    if min(len(rows) for rows in (a, a_held, b, b_held, *pieces)) < 1:
        raise DataError(
            f"{len(found.learn)} rows in few groups cannot be divided into two halves, each with held-out rows"
            f"{f' and {parts} parts' if parts > 1 else ''}.",
            hint="Raise  --learn .",
        )
    return Halves(a, a_held, b, b_held, tuple(pieces))


def _divided(found: Pool, rows: Rows, shares: Sequence[float], what: str) -> tuple[Rows, ...]:
    """Parts of `rows` of about these shares, whole groups at a time."""
    groups: dict[str, list[int]] = {}
    for row in rows.tolist():
        groups.setdefault(found.groups[row], []).append(row)
    parts: list[list[int]] = [[] for _ in shares]
    for name in _shuffled(list(groups), 0, what):
        lacking = [share * len(rows) - len(part) for share, part in zip(shares, parts, strict=True)]
        parts[int(np.argmax(lacking))].extend(groups[name])
    return tuple(np.array(sorted(part), dtype=np.int64) for part in parts)


def _distinct(judged: Sequence[Judged], long: Sequence[bool] | None, notes: list[str]) -> list[Judged]:
    """Rows with a text, each text once; texts that carry both labels, and long ones, are left out."""
    labels: dict[tuple[str, str], set[int]] = {}
    for one in judged:
        labels.setdefault((one.text, one.against), set()).add(one.label)
    kept: dict[tuple[str, str], Judged] = {}
    counts: Counter[str] = Counter()
    for number, one in enumerate(judged):
        if not one.text.strip():
            counts["empty"] += 1
        elif long is not None and long[number]:
            counts["longer than a model reads"] += 1
        elif len(labels[one.text, one.against]) > 1:
            counts["both right and wrong, by their labels"] += 1
        elif (one.text, one.against) in kept:
            counts["there twice"] += 1
        else:
            kept[one.text, one.against] = one
    notes.extend(f"{count:,} texts were left out: {what}." for what, count in counts.items())
    return list(kept.values())


def _both(kept: Sequence[Judged]) -> None:
    classes = {one.label for one in kept}
    if len(classes) < 2:
        raise DataError(
            f"all {len(kept)} texts have label {next(iter(classes))}: there are no two classes to tell apart.",
            hint="Take other subsets or splits with  -T subsets=...  or  -T split=... .",
        )


def _take(
    order: Sequence[str], groups: dict[str, list[int]], kept: Sequence[Judged], most: int, exact: bool
) -> tuple[set[str], list[int], int]:
    """Whole groups in order until `most` balanced rows are there; the names taken, the rows that are kept, and how many
    were dropped for balance.

    Rows of the larger class are dropped where its share exceeds 55%; of a test set (`exact`) until both are equal.
    """
    if most < 1:
        raise UsageError(f"{most} rows were asked for.", hint="Give  --learn  and  --test  numbers from 1.")
    taken: set[str] = set()
    by_label: dict[int, list[int]] = {0: [], 1: []}
    for name in order:
        least = min(len(rows) for rows in by_label.values())
        all_rows = len(by_label[0]) + len(by_label[1])
        if 2 * least >= most or (not exact and all_rows >= most and least >= (1 - LARGEST_SHARE) * all_rows):
            break
        taken.add(name)
        for number in groups[name]:
            by_label[kept[number].label].append(number)
    small, large = sorted(by_label.values(), key=len)
    total = len(small) + len(large)
    dropped = 0
    if exact or len(large) > LARGEST_SHARE * total:
        dropped = len(large) - len(small)
        large = large[: len(small)]
    if len(small) + len(large) > most:
        excess = len(small) + len(large) - most
        small, large = small[: len(small) - excess // 2], large[: len(large) - (excess - excess // 2)]
    return taken, [*small, *large], dropped


def _shuffled(names: Sequence[str], seed: int, what: str) -> list[str]:
    """`names` in a seeded order that does not move when others come or go."""
    return sorted(
        names, key=lambda name: hashlib.sha256(f"{seed}/{what}/{name}".encode("utf-8", "surrogatepass")).digest()
    )
