"""Spans of a passage that answer a question, by a transformers model with an extractive question-answering head.

Belongs here: loading such a model and running it over windows, batched by length. Does not belong here: text
(`_qa_text.py`), the choice among candidates (`_qa_nbest.py`), names and settings (`hf.py`).

The way of SQuAD 2 as the CUAD release goes it (its train.py and utils.py, with transformers' squad processor):

- the question is cut to its first 64 tokens; windows have 512 tokens, the question's and the special ones included;
- windows begin 256 tokens of the context apart. That is what doc_stride means there: the processor passes on
  512 - 256 - question - special as the *overlap*, so the distance is 256 and the overlap is the rest;
- of each window the 20 best starts and the 20 best ends are paired; the question's and the special tokens can take
  places among the 20. A pair counts where both ends are the context's, in order, at most 512 tokens long, and where the
  start lies in the window that shows most of its surroundings (the release asks this of the start alone);
- the null is the sum at the first token of the window where this sum is lowest;
- sorted by score, entries with distinct texts are kept until there are 20, the null being one of them or added as the
  21st; probabilities are the softmax over these entries.

Deviations, each of which can change a number:

- Spans are characters of the passage. The release rebuilds texts from words: it joins words by single blanks, and
  widens a span to whole words where its search for the tokens' text fails. Texts are told apart as here, blanks joined.
- Padding takes no place among the 20 best; in the release the padding of a passage's last window can.
- Where nothing but the null is left, it has probability 1; the release adds a span 'empty' with logits of 0.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnomon.asks import Failed, Highlighted, Passage
from gnomon.errors import ModelError, UsageError
from gnomon.models._qa_nbest import Candidates, best_pairs, highlighted, owners, window_starts
from gnomon.models._qa_text import Context, Ints, Layout, Reader

__all__ = ["Highlighter", "is_extractive", "load_extractive"]

_BLOCK = 64  # passages whose windows share batches: more than the questions that one contract has
_HEADS = ("ForQuestionAnswering", "ForQuestionAnsweringSimple")
_SEEING = {"layoutlm", "layoutlmv2", "layoutlmv3", "lilt", "lxmert", "markuplm"}  # they need more than text

Found = list[tuple[int, Highlighted | Failed]]


def is_extractive(config: Any) -> bool:
    """Whether a configuration names a question-answering head over text, as its checkpoint was saved.

    >>> from transformers import BertConfig
    >>> is_extractive(BertConfig(architectures=["BertForQuestionAnswering"])), is_extractive(BertConfig())
    (True, False)
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES as KNOWN

    heads = config.architectures or []
    return (
        config.model_type in KNOWN
        and config.model_type not in _SEEING
        and any(str(head).endswith(_HEADS) for head in heads)
    )


def load_extractive(
    place: str,
    revision: str = "",
    dtype: str = "float32",
    device: str = "cpu",
    *,
    shown: str = "",
    config: Any = None,
) -> tuple[Any, Any]:
    """The model and the tokenizer at `place`, a folder or a hub id.

    Parameters
    ----------
    place, revision : str
        As transformers takes them; no revision where it is empty.
    dtype : str
        "auto" (the checkpoint's), "float32", "bfloat16" or "float16".
    device : str
    shown : str
        The model's name in messages; `hf/<place>` where it is empty.
    config : PretrainedConfig, optional
        In place of the checkpoint's own, for example with fewer layers.

    Returns
    -------
    (PreTrainedModel, PreTrainedTokenizerBase)
        The model in eval mode on its device, without gradients.

    Raises
    ------
    ModelError
        Where files are missing or unreadable, and where any weight is: transformers would fill it with random numbers.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForQuestionAnswering

    from gnomon.models.hf import _at, _first_line, _quiet, _read_tokenizer

    shown = shown or f"hf/{place}"
    tokenizer = _read_tokenizer(shown, place, revision)  # before the weights: a model without one fails early
    if not set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids):
        # transformers makes up such a tokenizer where a folder has none
        raise ModelError(
            f"model '{shown}' has no tokenizer that can be read: its vocabulary holds special tokens only.",
            hint="Put tokenizer.json (or the files of its tokenizer) into the model's folder.",
        )
    with _quiet():
        try:
            model, loading = AutoModelForQuestionAnswering.from_pretrained(
                place,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                output_loading_info=True,
                **({} if config is None else {"config": config}),
                **_at(revision),
            )
        except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
            raise ModelError(f"model '{shown}' cannot be loaded: {_first_line(error)}") from error
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"model '{shown}' cannot be loaded: its files lack {len(missing)} weights, such as {missing[0]}.",
            hint="Its head would be random numbers. Use a checkpoint trained on SQuAD 2 or CUAD.",
        )
    return model.to(device).eval().requires_grad_(False), tokenizer


@dataclass
class _Job:
    """One passage under way: its windows, and what was found in those that are done."""

    index: int
    context: Context
    question: Ints
    room: int
    windows: Ints
    owner: Ints
    found: dict[int, tuple[Candidates, float]] = field(default_factory=dict)
    failed: bool = False

    def count(self, window: int) -> int:
        """Tokens of the context in a window."""
        return min(self.room, len(self.context.ids) - int(self.windows[window]))

    @property
    def done(self) -> bool:
        return len(self.found) == len(self.windows)


_Row = tuple[_Job, int, int]  # a job, one of its windows, and the number of tokens in it


class Highlighter:
    """Highlights passages with one loaded model.

    Parameters
    ----------
    model : PreTrainedModel
        With start and end logits for every token.
    tokenizer : PreTrainedTokenizerBase
        A fast one.
    length : int
        Tokens of a window, question and special tokens included; lowered to what the model takes.
    stride : int
        Tokens of the context from one window's start to the next; half a window where a window holds fewer.
    question : int
        Tokens of a question that are read; at most half of the window.
    longest : int
        Tokens of the longest span.
    n_best : int
        Starts and ends tried a window, and entries kept a question.
    batch_tokens : int
        Most tokens, padding included, that go through the model at once; never less than one window.

    Attributes
    ----------
    tokens_computed : int
        Token positions that went through the model so far, padding not counted.
    remarks : list of str
        What a reader of the numbers should know, such as windows that are shorter than asked for.

    Notes
    -----
    A model trained on SQuAD 1 alone never learnt to give a score to 'no answer', and nothing in its files says so.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        length: int = 512,
        stride: int = 256,
        question: int = 64,
        longest: int = 512,
        n_best: int = 20,
        batch_tokens: int = 8_192,
    ) -> None:
        given = {"length": length, "stride": stride, "question": question, "longest": longest, "n_best": n_best}
        for name, value in (given | {"batch_tokens": batch_tokens}).items():
            if value < 1:
                raise UsageError(f"{name}={value}: give a whole number of at least 1.")
        self._model = model.eval()
        size = int(model.get_input_embeddings().weight.shape[0])
        self._reader = Reader(tokenizer, size)
        self._stride, self._longest, self._n_best, self._batch_tokens = stride, longest, n_best, batch_tokens
        self.tokens_computed = 0
        self.remarks: list[str] = []
        self._length = self._fitting(length)
        free = self._length - self._reader.layout.special
        if free < 1:
            raise UsageError(f"windows of {self._length} tokens leave no room for a context.", hint="Make them longer.")
        self._question = min(question, free // 2)
        self._segments = _takes_segments(model, self._reader.layout)
        padding = getattr(model.config.get_text_config(), "pad_token_id", None) or 0
        self._padding = int(padding) if 0 < padding < size else 0

    def highlight(self, passages: Sequence[Passage], skip: Callable[[int], bool]) -> Iterator[Found]:
        """Yield (index into `passages`, spans) in batches, every index that is not skipped exactly once.

        Which windows share a batch depends on `passages` alone, never on `skip`; batches that serve skipped passages
        only are left out. A passage for which the model gives numbers that are not finite is `Failed`.
        """
        for first in range(0, len(passages), _BLOCK):
            block = range(first, min(first + _BLOCK, len(passages)))
            if not all(skip(index) for index in block):
                yield from self._run([self._job(index, passages[index]) for index in block], skip)

    def _run(self, jobs: Sequence[_Job], skip: Callable[[int], bool]) -> Iterator[Found]:
        empty = [(job.index, self._answer(job)) for job in jobs if job.done and not skip(job.index)]
        if empty:
            yield empty
        for batch in self._batches(jobs):
            if all(skip(job.index) for job, _, _ in batch):
                continue
            self._compute(batch)
            ready = {job.index: job for job, _, _ in batch if job.done and not skip(job.index)}
            if ready:
                yield [(index, self._answer(job)) for index, job in ready.items()]
            for job in ready.values():
                job.found.clear()

    def _job(self, index: int, passage: Passage) -> _Job:
        context = self._reader.context(passage.context)
        question = self._reader.question(passage.question, self._question)
        room = self._length - self._reader.layout.special - len(question)
        step = self._stride if self._stride <= room else max(1, room // 2)
        windows = window_starts(len(context.ids), room, step)
        return _Job(index, context, question, room, windows, owners(len(context.ids), room, windows))

    def _batches(self, jobs: Sequence[_Job]) -> Iterator[list[_Row]]:
        """Windows of all jobs, the longest first, in batches that keep to the budget."""
        special = self._reader.layout.special
        rows = [
            (job, window, special + len(job.question) + job.count(window))
            for job in jobs
            for window in range(len(job.windows))
        ]
        rows.sort(key=lambda row: -row[2])
        while rows:
            size = max(1, self._batch_tokens // rows[0][2])
            yield rows[:size]
            del rows[:size]

    def _compute(self, batch: Sequence[_Row]) -> None:
        """One pass over the model; each window's candidates and null go to its job."""
        layout = self._reader.layout
        lengths = np.array([length for _, _, length in batch])
        ids = np.zeros((len(batch), lengths.max()), dtype=np.int64)
        segments = np.zeros_like(ids)
        may_start, may_end = np.zeros(ids.shape, dtype=bool), np.zeros(ids.shape, dtype=bool)
        heads = np.zeros(len(batch), dtype=np.int64)
        for number, (job, window, length) in enumerate(batch):
            start, count = int(job.windows[window]), job.count(window)
            head = heads[number] = length - count - len(layout.after)
            own = slice(start, start + count)
            ids[number, :length] = np.concatenate(
                [layout.before, job.question, layout.between, job.context.ids[own], layout.after]
            )
            if self._segments:
                segments[number, :length] = _segments(layout, len(job.question), count)
            may_start[number, head : head + count] = job.owner[own] == window
            may_end[number, head : head + count] = True
        starts, ends = self._logits(ids, segments, lengths)
        self.tokens_computed += int(lengths.sum())
        finite = _finite(starts, ends, lengths)
        pairs = best_pairs(starts, ends, lengths, may_start, may_end, n_best=self._n_best, longest=self._longest)
        nulls = starts[:, 0].astype(np.float64) + ends[:, 0].astype(np.float64)
        for number, (job, window, _) in enumerate(batch):
            shift = int(job.windows[window]) - int(heads[number])
            job.found[window] = (pairs.row(number, shift), float(nulls[number]))
            job.failed |= not finite[number]

    def _logits(self, ids: Ints, segments: Ints, lengths: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Start and end logits, each of the shape of `ids`."""
        mask = (np.arange(ids.shape[1])[None] < lengths[:, None]).astype(np.int64)
        wanted = {"input_ids": ids, "attention_mask": mask}
        if self._segments:
            wanted["token_type_ids"] = segments
        if self._padding:  # families that count positions by it look at nothing else
            ids[mask == 0] = self._padding
        with torch.inference_mode():
            tensors = {key: torch.from_numpy(value).to(self._model.device) for key, value in wanted.items()}
            output = self._model(**tensors)
            both = torch.stack([output.start_logits, output.end_logits]).float().cpu().numpy()
        return both[0], both[1]

    def _answer(self, job: _Job) -> Highlighted | Failed:
        if job.failed:
            return Failed("the model gave logits that are not finite; try  -M dtype=float32 .")
        if not len(job.windows):  # a context without a word
            return Highlighted((), none=1.0, windows=0)
        found, nulls = zip(*(job.found[window] for window in range(len(job.windows))), strict=True)
        return highlighted(job.context, Candidates.joined(found), np.array(nulls), self._n_best)

    def _fitting(self, length: int) -> int:
        limit = _positions(self._model)
        if limit is None or length <= limit:
            return length
        self.remarks.append(f"Passages are read in windows of {limit} tokens, not {length}: the model takes no more.")
        return limit


def _segments(layout: Layout, question: int, context: int) -> list[int]:
    before, first, between, second, after = layout.segments
    return [*before, *[first] * question, *between, *[second] * context, *after]


def _finite(starts: NDArray[np.float32], ends: NDArray[np.float32], lengths: Ints) -> NDArray[np.bool_]:
    """Whether each row's logits are numbers (shape (rows,)); rows with others are set to 0."""
    padding = np.arange(starts.shape[1])[None] >= lengths[:, None]
    finite = np.all(np.isfinite(starts) & np.isfinite(ends) | padding, axis=1)
    for logits in (starts, ends):
        logits[~finite] = 0.0
    return np.asarray(finite)


def _takes_segments(model: Any, layout: Layout) -> bool:
    """Whether the model has an embedding for each of the tokenizer's segments; others take the argument for ids."""
    known = getattr(model.config, "type_vocab_size", 0) or 0
    accepted = "token_type_ids" in inspect.signature(model.forward).parameters
    return accepted and max(_segments(layout, 1, 1)) < known


def _positions(model: Any) -> int | None:
    """Most tokens that the model takes at once; None where nothing says so."""
    text = model.config.get_text_config()
    keys = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
    limit = next((int(value) for key in keys if (value := getattr(text, key, None))), None)
    for name, module in model.named_modules():
        # RoBERTa's family counts positions from behind the padding token's id, so that 514 rows serve 512 tokens
        if limit and name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return min(limit, int(module.num_embeddings) - int(module.padding_idx) - 1)
    return limit if limit and limit > 0 else None
