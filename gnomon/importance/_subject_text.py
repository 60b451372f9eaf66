"""Language models as subjects: choice tasks by log-probabilities, and classifiers of transformers.

Belongs here: from texts to numbers, in one call a batch. Does not belong here: read-outs (`_subject.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Ask, Failed
from gnomon.errors import ModelError, UsageError
from gnomon.importance._subject import Subject
from gnomon.models import Scores
from gnomon.tasks import Item, Protocol, Task

__all__ = ["Chooser", "Classifier"]


class Chooser(Subject):
    """A model that chooses an answer of a task's items: log-odds of the answer chosen on the original item.

    What is varied is one field of the item, the task's `body` by default; everything else of the prompt stays.
    """

    readout = "log-odds"
    chunk: ClassVar[int] = 256
    digits: ClassVar[int] = 3

    def __init__(self, model: Any, task: Task, protocol: Protocol, items: Sequence[Item], field: str) -> None:
        if not isinstance(model, Scores):
            raise UsageError(f"model '{model.name}' cannot give log-probabilities.")
        self.model, self.task, self.protocol, self.items, self.field = model, task, protocol, list(items), field
        self.name = str(model.name)  # type: ignore[attr-defined]
        self.classes = tuple(items[0].choices) if items else ()

    def texts(self) -> list[str]:
        """The text of every item that is varied."""
        return [str(item.fields[self.field]) for item in self.items]

    def ask(self, text: str, which: int) -> Ask:
        """The question about item number `which` with its text replaced."""
        item = self.items[which]
        asks = self.protocol.ask(dataclasses.replace(item, fields={**item.fields, self.field: text}), [])
        if len(asks) != 1 or not isinstance(asks[0], Ask):
            raise UsageError(f"{self.task.name} asks {len(asks)} questions an item here, and a subject needs one.")
        return asks[0]

    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        asks = [self.ask(text, int(at)) for text, at in zip(batch, which, strict=True)]
        width = max(len(ask.continuations) for ask in asks)
        found = np.full((len(asks), width), -np.inf)
        for answers in self.model.score(asks, lambda index: False):
            for index, answer in answers:
                if isinstance(answer, Failed):
                    found[index] = np.nan
                else:
                    found[index, : len(answer.logprobs)] = answer.logprobs
        return found

    def fingerprint(self) -> str:
        return str(self.model.fingerprint())  # type: ignore[attr-defined]


class Classifier(Subject):
    """A sequence classifier of transformers: log-odds of the class chosen on the original text, from its logits.

    Parameters
    ----------
    place : str
        A folder or hub id of a model with a classification head.
    batch_tokens : int
        Tokens in one pass, padding included.
    """

    readout = "log-odds"
    digits: ClassVar[int] = 4

    def __init__(self, place: str, batch_tokens: int = 4096) -> None:
        from gnomon.models import load_model
        from gnomon.models.hf import _read_tokenizer

        self.name = place if place.startswith("hf/") else f"hf/{place}"
        self._source = cast(Any, load_model(self.name))
        heads = self._source._config.architectures or []
        if not any(head.endswith("ForSequenceClassification") for head in heads):
            raise ModelError(f"model '{self.name}' is no classifier of texts (it is {', '.join(heads) or 'headless'}).")
        self._tokenizer = _read_tokenizer(self.name, self._source._place, self._source._revision)
        self.batch_tokens = batch_tokens
        labels = self._source._config.id2label
        self.classes = tuple(str(labels[at]) for at in sorted(labels))
        if len(self.classes) == 1:
            self.readout = "value"

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether a model of gnomon is a classifier of texts."""
        heads = getattr(getattr(model, "_config", None), "architectures", None) or []
        return any(head.endswith("ForSequenceClassification") for head in heads)

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        return self._source._load_as(AutoModelForSequenceClassification)

    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        import torch

        limit = getattr(self._network.config, "max_position_embeddings", None) or 10**9
        coded = self._tokenizer(list(batch), truncation=True, max_length=min(limit, self._tokenizer.model_max_length))
        rows = coded["input_ids"]
        order = sorted(range(len(rows)), key=lambda at: (len(rows[at]), at))
        found: list[NDArray[Any]] = [np.empty(0)] * len(rows)
        for part in self._parts(order, rows):
            padded = self._tokenizer.pad({key: [coded[key][at] for at in part] for key in coded}, return_tensors="pt")
            with torch.inference_mode():
                logits = self._network(**{key: value.to(self._network.device) for key, value in padded.items()}).logits
            for at, line in zip(part, logits.float().cpu().numpy(), strict=True):
                found[at] = line
        return np.stack(found)

    def _parts(self, order: Sequence[int], rows: Sequence[Sequence[int]]) -> list[list[int]]:
        parts: list[list[int]] = []
        for at in order:  # shortest first, so the newest is the longest of its part
            if not parts or (len(parts[-1]) + 1) * len(rows[at]) > self.batch_tokens:
                parts.append([])
            parts[-1].append(at)
        return parts

    def fingerprint(self) -> str:
        return f"classifier {self._source.fingerprint()}"
