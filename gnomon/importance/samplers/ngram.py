"""`ngram`: the conditional of a word under a trigram model, from both sides. Belongs here: the counts and that law."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gnomon.errors import UsageError
from gnomon.importance._groups import Spans
from gnomon.importance._sampler import Sampler
from gnomon.importance._words import TOKEN, cased, is_word, put, texts_of, tokens, within

__all__ = ["NGram", "sampler"]

Floats = NDArray[np.float64]
_START, _END, _UNKNOWN = "\0s", "\0e", "\0?"


class NGram(Sampler):
    """A trigram model of words, P(w_i | rest) ~ P(w_i | w_i-2, w_i-1) P(w_i+1 | w_i-1, w_i) P(w_i+2 | w_i, w_i+1).

    That is the full conditional of one word under the model, exactly: all three trigrams that hold it. Several words
    are drawn by Gibbs sweeps through a hub (Besag & Clifford 1989): from the text some sweeps backward, and from there
    forward anew for each draw, so that text and draws are exchangeable under the model after any number of sweeps.

    Parameters
    ----------
    weight : float
        Share of the longer context wherever it was seen, in (0, 1): P3 = weight * count ratio + (1 - weight) * P2, and
        P2 likewise over P1.
    least : int
        Words seen less often are unknown, and are never drawn.
    sweeps : int
        Gibbs sweeps each way, for groups of several words.

    Examples
    --------
    >>> from gnomon.importance import words
    >>> law = NGram(least=1).fit(["a fine film .", "a fine story .", "a bad film ."] * 5)
    >>> text = "a good film ."
    >>> sorted(set(law.sample(text, words(text)[1], 200, np.random.default_rng(0))))[:2]
    ['a bad film .', 'a fine film .']
    """

    kind: ClassVar[str] = "text"
    about: ClassVar[str] = "a trigram model of words, given both sides"
    leaves_open: ClassVar[str] = (
        "words follow the trigram counts of the texts that it learnt from: farther words, grammar and sense play no "
        "part in its draws, and a word that it has not seen can never be drawn"
    )

    def __init__(self, weight: float = 0.7, least: int = 2, sweeps: int = 3) -> None:
        self.weight = weight
        self.least = least
        self.sweeps = sweeps

    def fit(self, X: Any) -> Self:
        """Count a list of texts."""
        if not 0 < self.weight < 1 or self.sweeps < 1:
            raise UsageError(f"weight={self.weight}, sweeps={self.sweeps}: give a weight in (0, 1) and sweeps from 1.")
        lines = [[found.group().lower() for found in TOKEN.finditer(text)] for text in texts_of(X, "NGram")]
        counts = Counter(word for line in lines for word in line)
        known = sorted(word for word, count in counts.items() if count >= self.least)
        self.words_ = [_START, _END, _UNKNOWN, *known]
        self.index_ = {word: number for number, word in enumerate(self.words_)}
        self._may = np.array([is_word(word) and number > 2 for number, word in enumerate(self.words_)])
        if not self._may.any():
            raise UsageError(f"no word occurs {self.least} times in the texts.", hint="Give more texts, or least=1.")
        flat = np.array([number for line in lines for number in (0, 0, *map(self._id, line), 1, 1)], dtype=np.int64)
        self._count(flat)
        self._last: tuple[str, list[int], dict[tuple[int, int], int]] = ("", [0, 0, 1, 1], {})
        return self

    def sample(self, x: Any, group: Spans, n: int, rng: np.random.Generator) -> list[str]:
        if not hasattr(self, "words_"):
            raise UsageError("NGram has seen no text.", hint="Call fit(texts) first.")
        spans = within(x, group)
        if not spans:
            return [x] * n
        ids, places = self._line(x)
        at = [places[span] for span in spans]
        drawn = self._one(ids, at[0], n, rng)[:, None] if len(at) == 1 else self._several(ids, at, n, rng)
        before = [x[start:end] for start, end in spans]
        return [
            put(x, spans, [cased(self.words_[w], like) for w, like in zip(row, before, strict=True)]) for row in drawn
        ]

    # -- drawing -------------------------------------------------------------------------------------------------------

    def _one(self, ids: list[int], i: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        steps = np.cumsum(self.conditional(ids[i - 2], ids[i - 1], ids[i + 1], ids[i + 2]))
        drawn = np.searchsorted(steps, rng.random(n) * steps[-1], side="right")
        return np.asarray(drawn.clip(0, len(steps) - 1), dtype=np.int64)

    def _several(self, ids: list[int], at: list[int], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        hub = list(ids)
        for _ in range(self.sweeps):
            for i in reversed(at):
                hub[i] = int(self._one(hub, i, 1, rng)[0])
        found = []
        for _ in range(n):
            state = list(hub)
            for _ in range(self.sweeps):
                for i in at:
                    state[i] = int(self._one(state, i, 1, rng)[0])
            found.append([state[i] for i in at])
        return np.asarray(found, dtype=np.int64)

    def conditional(self, a: int, b: int, c: int, d: int) -> Floats:
        """Weights (words,) of the word between a b and c d, by number; 0 for what is no word."""
        p = self._middle(b, c)
        p *= self._next(a, b)
        p *= self._first(c, d)
        p *= self._may
        return p

    # -- counts --------------------------------------------------------------------------------------------------------

    def _line(self, text: str) -> tuple[list[int], dict[tuple[int, int], int]]:
        """Numbers of a text's words, two of a start before and of an end after, and where each word stands."""
        if self._last[0] != text:  # the words of a text are drawn one after another
            found = tokens(text)
            ids = [0, 0, *(self._id(word.lower()) for _, word in found), 1, 1]
            self._last = text, ids, {span: at + 2 for at, (span, _) in enumerate(found)}
        return self._last[1], self._last[2]

    def _id(self, word: str) -> int:
        return self.index_.get(word, 2)

    def _count(self, flat: NDArray[np.int64]) -> None:
        V = len(self.words_)
        one = np.bincount(flat, minlength=V).astype(np.float64)
        self._p1 = (one + 0.1) / (one.sum() + 0.1 * V)
        self._n1 = one
        pairs, n2 = np.unique(flat[:-1] * V + flat[1:], return_counts=True)
        self._rows = csr_array((n2.astype(np.float64), (pairs // V, pairs % V)), shape=(V, V))
        self._cols = csr_array((n2.astype(np.float64), (pairs % V, pairs // V)), shape=(V, V))
        triples, n3 = np.unique(np.stack([flat[:-2], flat[1:-1], flat[2:]], axis=1), axis=0, return_counts=True)
        a, b, c = triples.T
        self._third = _Index(a * V + b, c, n3)
        self._between = _Index(a * V + c, b, n3)
        self._before = _Index(b * V + c, a, n3)
        self._kept: dict[tuple[str, int], Floats] = {}

    def _given(self, a: int) -> Floats:
        """P2(w | a) for all w."""
        return self._cached("given", a)

    def _giving(self, b: int) -> Floats:
        """P2(b | w) for all w."""
        return self._cached("giving", b)

    def _cached(self, what: str, word: int) -> Floats:
        key = (what, word)
        if key not in self._kept:
            if len(self._kept) > 4000:
                self._kept.clear()
            table = self._rows if what == "given" else self._cols
            ids = table.indices[table.indptr[word] : table.indptr[word + 1]]
            counts = table.data[table.indptr[word] : table.indptr[word + 1]]
            if what == "given":
                seen = self._n1[word] > 0
                p = (1 - self.weight * seen) * self._p1
                p[ids] += self.weight * counts / max(1.0, self._n1[word])
            else:
                p = np.where(self._n1 > 0, 1 - self.weight, 1.0) * self._p1[word]
                p[ids] += self.weight * counts / self._n1[ids]
            self._kept[key] = p
        return self._kept[key]

    def _pair(self, a: int) -> tuple[NDArray[Any], Floats]:
        table = self._rows
        return table.indices[table.indptr[a] : table.indptr[a + 1]], table.data[table.indptr[a] : table.indptr[a + 1]]

    def _next(self, a: int, b: int) -> Floats:
        """P3(w | a, b) for all w."""
        ids, counts = self._third.get(a * len(self.words_) + b)
        if not len(ids):
            return self._given(b)
        p = (1 - self.weight) * self._given(b)
        p[ids] += self.weight * counts / counts.sum()
        return p

    def _middle(self, a: int, c: int) -> Floats:
        """P3(c | a, w) for all w."""
        p = self._giving(c).copy()
        seen, n2 = self._pair(a)
        p[seen] *= 1 - self.weight
        ids, counts = self._between.get(a * len(self.words_) + c)
        if len(ids):
            total = n2[np.searchsorted(seen, ids)]
            p[ids] += self.weight * counts / total
        return p

    def _first(self, b: int, c: int) -> Floats:
        """P3(c | w, b) for all w."""
        p = np.full(len(self.words_), float(self._given(b)[c]))
        table = self._cols
        seen, n2 = (part[table.indptr[b] : table.indptr[b + 1]] for part in (table.indices, table.data))
        p[seen] *= 1 - self.weight
        ids, counts = self._before.get(b * len(self.words_) + c)
        if len(ids):
            p[ids] += self.weight * counts / n2[np.searchsorted(seen, ids)]
        return p


class _Index:
    """Values and counts by key, looked up by bisection."""

    def __init__(self, keys: NDArray[np.int64], values: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        order = np.lexsort((values, keys))
        self.keys, self.values, self.counts = keys[order], values[order], counts[order].astype(np.float64)

    def get(self, key: int) -> tuple[NDArray[np.int64], Floats]:
        low, high = np.searchsorted(self.keys, key, side="left"), np.searchsorted(self.keys, key, side="right")
        return self.values[low:high], self.counts[low:high]


sampler = NGram
