"""`masked-lm`: a masked language model's own distribution. Belongs here: masking, drawing, putting back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ModelError, UsageError
from gnomon.importance._groups import Spans
from gnomon.importance._pieces import Pieces
from gnomon.importance._sampler import Blank, Sampler
from gnomon.importance._words import cased, put, within

__all__ = ["MaskedLM", "sampler"]


@dataclass(eq=False)
class _Filling:
    """One blank while it is filled: token ids of its n draws, the places still masked, and where tokens stand."""

    blank: Blank
    ids: NDArray[np.int64]
    places: list[int]
    spans: list[tuple[int, int]]
    before: list[int]


class MaskedLM(Sampler):
    """Words drawn from a masked language model that sees all the rest.

    All pieces of a group are masked and drawn from left to right, each given those that were drawn before (the paper
    masks one piece). A piece that begins a word is replaced by one that does, so that words stay apart; marks stay.

    Parameters
    ----------
    model : str
        A folder or hub id, as in `-m hf/...` (`hf/` may be left out).
    batch : int
        Texts in one pass.

    Raises
    ------
    UsageError, ModelError
        For a model that is no masked language model, or a text that is longer than it reads.
    """

    kind: ClassVar[str] = "text"
    about: ClassVar[str] = "a masked language model's distribution, given both sides"
    leaves_open: ClassVar[str] = (
        "the masked language model gives the true distribution of a word in its place, of as many pieces as it has now"
    )

    def __init__(self, model: str = "", batch: int = 64) -> None:
        self.model = model
        self.batch = batch

    def sample(self, x: Any, group: Any, n: int, rng: np.random.Generator) -> Sequence[Any] | NDArray[Any]:
        return self.sample_many([Blank(x, group, n, rng)])[0]

    def sample_many(self, blanks: Sequence[Blank]) -> list[Sequence[Any] | NDArray[Any]]:
        self._load()
        fillings = [self._begin(one) for one in blanks]
        for step in range(max((len(one.places) for one in fillings), default=0)):
            self._step([one for one in fillings if step < len(one.places)], step)
        return [self._written(one) for one in fillings]

    def _load(self) -> None:
        if hasattr(self, "_network"):
            return
        from transformers import AutoModelForMaskedLM

        from gnomon.models import load_model
        from gnomon.models.hf import _read_tokenizer

        if not self.model:
            raise UsageError("the sampler masked-lm needs a model.", hint="Give  --sampler masked-lm:FOLDER .")
        source: Any = load_model(self.model if self.model.startswith("hf/") else f"hf/{self.model}")
        if not hasattr(source, "fill"):
            raise ModelError(f"model '{self.model}' is no masked language model.", hint="Use a BERT or RoBERTa.")
        self._network = source._load_as(AutoModelForMaskedLM)
        tokenizer = _read_tokenizer(source.name, source._place, source._revision)
        if tokenizer.mask_token_id is None:
            raise ModelError(f"the tokenizer of '{self.model}' has no mask token.")
        self._pieces = Pieces(tokenizer)
        limit = getattr(self._network.config, "max_position_embeddings", None)
        self._limit = min(x for x in (limit, tokenizer.model_max_length) if x)
        self.fingerprint_ = source.fingerprint()

    def digest(self) -> dict[str, Any]:
        self._load()
        return {"name": "MaskedLM", "model": self.fingerprint_}

    def _begin(self, blank: Blank) -> _Filling:
        tokenizer = self._pieces.tokenizer
        assert isinstance(blank.group, Spans)
        coded = tokenizer(blank.x, return_offsets_mapping=True)
        ids, offsets = list(coded["input_ids"]), coded["offset_mapping"]
        if len(ids) > self._limit:
            raise UsageError(
                f"a text of {len(ids):,} tokens is longer than the {self._limit:,} that '{self.model}' reads."
            )
        words = within(blank.x, blank.group)
        places, spans = [], []
        for at, (start, end) in enumerate(offsets):
            while start < end and blank.x[start].isspace():  # some tokenizers count the space before a word
                start += 1
            inside = any(low <= start and end <= high for low, high in words)
            if end > start and inside and any(char.isalnum() for char in blank.x[start:end]):
                places.append(at)
                spans.append((start, end))
        before = [ids[at] for at in places]
        for at in places:
            ids[at] = int(tokenizer.mask_token_id)
        return _Filling(blank, np.repeat(np.asarray(ids)[None], blank.n, axis=0), places, spans, before)

    def _step(self, fillings: Sequence[_Filling], step: int) -> None:
        """Draw the `step`-th masked piece of every draw; equal rows are computed once."""
        rows: list[NDArray[np.int64]] = []
        wanted: list[int] = []
        back = []
        for one in fillings:
            unique, which = np.unique(one.ids, axis=0, return_inverse=True)
            back.append((len(rows), which.reshape(-1)))
            rows += list(unique)
            wanted += [one.places[step]] * len(unique)
        logits = self._logits(rows, wanted)
        for one, (first, which) in zip(fillings, back, strict=True):
            before = one.before[step]
            allowed = self._pieces.alike(before) if before < len(self._pieces.words) else self._pieces.words
            scores = np.where(allowed, logits[first : first + int(which.max()) + 1, : len(allowed)], -np.inf)
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            steps = np.cumsum(p, axis=1)
            for k, chance in enumerate(one.blank.rng.random(one.blank.n)):
                line = steps[which[k]]
                one.ids[k, one.places[step]] = min(
                    int(np.searchsorted(line, chance * line[-1], side="right")), len(line) - 1
                )

    def _logits(self, rows: Sequence[NDArray[np.int64]], wanted: Sequence[int]) -> NDArray[np.float64]:
        import torch

        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        found: list[NDArray[np.float64]] = [np.empty(0)] * len(rows)
        pad = self._pieces.tokenizer.pad_token_id or 0
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            longest = max(len(rows[at]) for at in part)
            ids = np.full((len(part), longest), pad)
            mask = np.zeros((len(part), longest), dtype=np.int64)
            for row, at in enumerate(part):
                ids[row, : len(rows[at])], mask[row, : len(rows[at])] = rows[at], 1
            device = self._network.device
            with torch.inference_mode():
                given = {
                    "input_ids": torch.tensor(ids, device=device),
                    "attention_mask": torch.tensor(mask, device=device),
                }
                logits = self._network(**given).logits[range(len(part)), [wanted[at] for at in part]]
            for row, at in enumerate(part):
                # beyond five decimals a logit depends on its company in the batch
                found[at] = np.round(logits[row].double().cpu().numpy(), 4)
        return np.stack(found)

    def _written(self, one: _Filling) -> list[str]:
        texts = []
        for row in one.ids[:, one.places]:
            words = [self._pieces.written[int(piece)] for piece in row]
            if self._pieces.lowers:
                words = [cased(word, one.blank.x[a:b]) for word, (a, b) in zip(words, one.spans, strict=True)]
            texts.append(put(one.blank.x, one.spans, words))
        return texts


sampler = MaskedLM
