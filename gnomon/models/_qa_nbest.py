"""Windows over a long context, and the best spans of all windows: the n-best list of the SQuAD 2 and CUAD releases.

Belongs here: arithmetic on arrays of tokens and logits. Does not belong here: text and tokenizers (`_qa_text.py`),
running a model (`_highlighter.py`).

Where several candidates have equal scores, the earlier one comes first, as in the releases: by window, then by rank of
the start, then by rank of the end; the null comes last of its equals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Highlighted, Span
from gnomon.models._qa_text import Context, Ints

__all__ = ["Candidates", "best_pairs", "highlighted", "owners", "window_starts"]

Logits = NDArray[np.floating[Any]]


def window_starts(tokens: int, room: int, step: int) -> Ints:
    """First token of each window of at most `room` >= 1 tokens, `step` tokens apart; the last reaches the end.

    >>> window_starts(10, room=4, step=2).tolist()
    [0, 2, 4, 6]
    >>> window_starts(0, room=4, step=2).tolist()
    []
    """
    if tokens == 0:
        return np.zeros(0, dtype=np.int64)
    count = 1 + max(0, -(-(tokens - room) // step))
    return np.arange(count, dtype=np.int64) * step


def owners(tokens: int, room: int, starts: Ints) -> Ints:
    """For each token, the window that shows most of its surroundings (shape (tokens,)): a span may start only there.

    The measure is the releases': the smaller of the numbers of tokens to the window's left and right edge, plus 0.01
    times the window's length; the first of equal windows.

    >>> owners(6, room=4, starts=window_starts(6, room=4, step=2)).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    best = np.full(tokens, -1.0)
    owner = np.zeros(tokens, dtype=np.int64)
    for number, start in enumerate(starts):
        length = min(room, tokens - int(start))
        at = np.arange(length)
        score = np.minimum(at, length - 1 - at) + 0.01 * length
        better = np.flatnonzero(score > best[start : start + length])
        best[start + better] = score[better]
        owner[start + better] = number
    return owner


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of start and end tokens with the sums of their logits; arrays of shape (pairs,).

    `rows` is the row of the logits that a pair comes from; `starts` and `ends` are columns, both included.
    """

    rows: Ints
    starts: Ints
    ends: Ints
    scores: NDArray[np.float64]

    def row(self, number: int, shift: int) -> Candidates:
        """The pairs of one row, `shift` added to their columns; `rows` must rise."""
        own = slice(*np.searchsorted(self.rows, [number, number + 1]))
        return Candidates(self.rows[own], self.starts[own] + shift, self.ends[own] + shift, self.scores[own])

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """One after another; at least one."""
        names = ("rows", "starts", "ends", "scores")
        rows, starts, ends, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(rows, starts, ends, scores)


def best_pairs(
    start: Logits,
    end: Logits,
    lengths: Ints,
    may_start: NDArray[np.bool_],
    may_end: NDArray[np.bool_],
    *,
    n_best: int,
    longest: int,
) -> Candidates:
    """All pairs of the best `n_best` starts and the best `n_best` ends of each row that make an allowed span.

    Parameters
    ----------
    start, end : array of shape (rows, width)
        Logits. Columns from `lengths` on are padding and take no part. Every other column, the question's included,
        may take one of the `n_best` places.
    lengths : array of shape (rows,)
        Tokens of each row.
    may_start, may_end : array of shape (rows, width)
        Where a span may start and end.
    n_best : int
    longest : int
        Most tokens of a span.

    Examples
    --------
    >>> logits, yes = np.array([[0.0, 1.0, 3.0]]), np.ones((1, 3), dtype=bool)
    >>> found = best_pairs(logits, logits, np.array([3]), yes, yes, n_best=2, longest=9)
    >>> list(zip(found.starts.tolist(), found.ends.tolist(), found.scores.tolist()))
    [(2, 2, 6.0), (1, 2, 4.0), (1, 1, 2.0)]
    """
    padding = np.arange(start.shape[1])[None] >= lengths[:, None]
    tops = []
    for logits in (start, end):
        order = np.argsort(np.where(padding, np.inf, -logits), axis=1, kind="stable")
        tops.append(order[:, :n_best])
    firsts, lasts = tops[0][:, :, None], tops[1][:, None, :]
    rows = np.arange(len(start))[:, None, None]
    fits = may_start[rows, firsts] & may_end[rows, lasts] & (lasts >= firsts) & (lasts - firsts < longest)
    fits &= ~padding[rows, firsts] & ~padding[rows, lasts]
    row, first, last = np.nonzero(fits)
    starts, ends = tops[0][row, first], tops[1][row, last]
    scores = start[row, starts].astype(np.float64) + end[row, ends].astype(np.float64)
    return Candidates(row, starts, ends, scores)


def highlighted(context: Context, found: Candidates, nulls: NDArray[np.float64], n_best: int) -> Highlighted:
    """The answer for one question, read in one window or more, from its candidates in the order of windows.

    At most `n_best` entries with distinct texts (words joined by single blanks), by falling score; the null is one of
    them, or is added to them. Probabilities are the softmax over these entries.

    Parameters
    ----------
    context : Context
    found : Candidates
        `starts` and `ends` are tokens of the context.
    nulls : array of shape (windows,)
        Each window's score for 'no answer'; the lowest counts.
    n_best : int
    """
    null = float(nulls.min())
    starts, ends = context.starts[found.starts], context.ends[found.ends]
    full = np.flatnonzero(ends > starts)  # a token may stand for a blank or for nothing
    seen: dict[str, tuple[int, int, float]] = {}
    for at in full[np.argsort(-found.scores[full], kind="stable")]:
        score = float(found.scores[at])
        if len(seen) >= n_best - (score < null):  # the null, once it is passed, has one of the places
            break
        text = context.text[starts[at] : ends[at]]
        if text not in seen and not text.isspace():
            seen[text] = (int(starts[at]), int(ends[at]), score)
    scores = np.array([score for _, _, score in seen.values()] + [null])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    spans = tuple(
        Span(*context.place(start, end), probability=float(share))
        for (start, end, _), share in zip(seen.values(), shares[:-1], strict=True)
    )
    return Highlighted(spans, none=float(shares[-1]), windows=len(nulls))
