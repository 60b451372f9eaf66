"""`causal`: a causal language model fills in, what follows reweights. Belongs here: candidates and their weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Ask, Failed
from gnomon.errors import ModelError, UsageError
from gnomon.importance._groups import Spans
from gnomon.importance._pieces import Pieces
from gnomon.importance._sampler import Blank, Sampler
from gnomon.importance._words import TOKEN, cased, is_word, put, texts_of, within

__all__ = ["Causal", "sampler"]

_RIGHT = re.compile(r"\s*\S+")


class Causal(Sampler):
    """P(w | left, right) ~ P(w, right | left) under a causal language model, over its own likeliest candidates.

    The candidates are the words (single pieces) that the model finds likeliest after what is on the left, so they do
    not depend on the word that stands there. Each is scored together with the `right` words that follow: all of them in
    one call through the scoring engine, which computes what they share once. Draws follow these weights exactly.

    Parameters
    ----------
    model : str
        As in `-m`, for example "smollm2"; a model that scores but cannot be looked into takes its candidates from the
        commonest words of the texts given to `fit`.
    candidates : int
        At least 2.
    right : int
        Words to the right that reweight, 0 for none (then it is no full conditional).

    Raises
    ------
    UsageError
        For a group of several words: this sampler draws one.
    """

    kind: ClassVar[str] = "text"
    about: ClassVar[str] = "a causal language model's likeliest words, reweighted by what follows"
    leaves_open: ClassVar[str] = (
        "the language model gives the true distribution of a word among its likeliest candidates, given what is on the "
        "left and the few words on the right that it was shown; a word beyond the candidates can never be drawn"
    )

    def __init__(self, model: str = "smollm2", candidates: int = 48, right: int = 4) -> None:
        self.model = model
        self.candidates = candidates
        self.right = right

    def fit(self, X: Any) -> Self:
        """Keep the commonest words of a list of texts, for models that cannot be looked into."""
        counts = Counter(
            found.group().lower()
            for text in texts_of(X, "Causal")
            for found in TOKEN.finditer(text)
            if is_word(found.group())
        )
        self.words_ = [word for word, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
        return self

    def digest(self) -> dict[str, Any]:
        self._load()
        return {
            "name": "Causal",
            "model": self._source.fingerprint(),
            "candidates": self.candidates,
            "right": self.right,
        }

    def sample(self, x: Any, group: Any, n: int, rng: np.random.Generator) -> Sequence[Any] | NDArray[Any]:
        return self.sample_many([Blank(x, group, n, rng)])[0]

    def sample_many(self, blanks: Sequence[Blank]) -> list[Sequence[Any] | NDArray[Any]]:
        if self.candidates < 2 or self.right < 0:
            raise UsageError(f"candidates={self.candidates}, right={self.right}: give at least 2 and at least 0.")
        self._load()
        spans = [self._span(one) for one in blanks]
        known = sorted({(one.x, span) for one, span in zip(blanks, spans, strict=True) if span})
        laws = dict(zip(known, self._laws(known), strict=True))
        found: list[Sequence[Any] | NDArray[Any]] = []
        for one, span in zip(blanks, spans, strict=True):
            if span is None:
                found.append([one.x] * one.n)
                continue
            words, p = laws[(one.x, span)]
            drawn = np.searchsorted(np.cumsum(p), one.rng.random(one.n) * p.sum(), side="right").clip(0, len(p) - 1)
            found.append([put(one.x, [span], [words[k]]) for k in drawn])
        return found

    def _span(self, blank: Blank) -> tuple[int, int] | None:
        assert isinstance(blank.group, Spans)
        words = within(blank.x, blank.group)
        if len(words) > 1:
            raise UsageError(
                f"the sampler causal draws one word at a time, and group '{blank.group.name[:40]}' has {len(words)}.",
                hint="Use the sampler ngram or masked-lm for longer groups.",
            )
        return words[0] if words else None

    def _load(self) -> None:
        if hasattr(self, "_source"):
            return
        from gnomon.models import load_model, require

        source: Any = load_model(self.model)
        require(source, "score", "gnomon explain --sampler causal")
        self._source = source
        if hasattr(type(source), "_network"):  # it runs here
            self._pieces = Pieces(source._encoder._tokenizer)

    def _laws(self, places: Sequence[tuple[str, tuple[int, int]]]) -> list[tuple[list[str], NDArray[np.float64]]]:
        """For each place the candidates as they are written, and their weights."""
        self._load()
        if hasattr(self, "_pieces"):
            words = self._proposals(places)
        elif hasattr(self, "words_"):
            words = [self.words_[: self.candidates]] * len(places)
        else:
            raise UsageError(
                f"model '{self.model}' cannot propose words, and no texts were given.", hint="Call fit(texts) first."
            )
        asks, written = [], []
        for (text, (start, end)), some in zip(places, words, strict=True):
            left = text[:start].rstrip()
            own = list(dict.fromkeys(cased(word, text[start:end]) for word in some))
            after = "".join(_RIGHT.findall(text[end:])[: self.right])
            space = text[len(left) : start]
            asks.append(Ask(left or "\n", tuple(f"{space if left else ''}{word}{after}" for word in own)))
            written.append(own)
        scores: dict[int, NDArray[np.float64]] = {}
        for batch in self._source.score(asks, lambda index: False):
            for index, answer in batch:
                if isinstance(answer, Failed):
                    raise ModelError(f"model '{self.model}' could not fill in a word: {answer.message}")
                scores[index] = np.asarray(answer.logprobs)
        laws = []
        for index, own in enumerate(written):
            rounded = np.round(scores[index] - scores[index].max(), 4)
            laws.append((own, np.exp(rounded)))
        return laws

    def _proposals(self, places: Sequence[tuple[str, tuple[int, int]]]) -> list[list[str]]:
        """The likeliest single-piece words after the left side of each place; one pass a text."""
        import torch

        texts = sorted({text for text, _ in places}, key=len)
        where: dict[str, list[int]] = {}
        for number, (text, _) in enumerate(places):
            where.setdefault(text, []).append(number)
        found: list[list[str]] = [[]] * len(places)
        network, tokenizer = self._source._network, self._pieces.tokenizer
        begin = list(self._source._encoder.start) or [tokenizer.bos_token_id or tokenizer.eos_token_id or 0]
        for text in texts:
            coded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
            ids = torch.tensor([[*begin, *coded["input_ids"]]], device=network.device)
            with torch.inference_mode():
                logits = network(input_ids=ids).logits[0].float().cpu().numpy()
            ends = [end for _, end in coded["offset_mapping"]]
            for number in where[text]:
                start = places[number][1][0]
                token = next(at for at, end in enumerate(ends) if end > start)
                spaced = start > 0 and text[start - 1].isspace()
                line = np.round(logits[len(begin) + token - 1, : len(self._pieces.words)], 3)
                line = np.where(self._pieces.beginning(spaced), line, -np.inf)
                best = np.argsort(-line, kind="stable")[: self.candidates]
                found[number] = [self._pieces.written[int(one)] for one in best]
        return found


sampler = Causal
