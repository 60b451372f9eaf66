"""A very small extractive question-answering model, trained in under a minute on one core, and small tokenizers of the
usual kinds: for tests and for showing the command line at work. Nothing of gnomon is used here, so that what reads the
model is tested against something else.

    contracts = read_contracts(Path("cuad_v1_rebuilt.json"), ["Document Name", "Governing Law"])
    make_tiny_qa(Path("tiny-qa"), contracts[:40], steps=300, seed=0)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast
from transformers.utils import logging

LENGTH = 192
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@dataclass(frozen=True)
class Contract:
    """A text, and for each question the (start, end) characters of its answers."""

    context: str
    questions: dict[str, list[tuple[int, int]]]


def read_contracts(path: Path, categories: Sequence[str], longest: int = 60_000) -> list[Contract]:
    """Contracts of at most `longest` characters of a file in CUAD's layout, with the questions of some categories."""
    result = []
    for entry in json.loads(path.read_text(encoding="utf-8"))["data"]:
        (paragraph,) = entry["paragraphs"]
        if len(paragraph["context"]) > longest:
            continue
        questions = {
            row["question"]: [(a["answer_start"], a["answer_start"] + len(a["text"])) for a in row["answers"]]
            for row in paragraph["qas"]
            if row["id"].split("__")[1] in categories
        }
        result.append(Contract(paragraph["context"], questions))
    return result


def wordpiece(texts: Sequence[str], size: int = 3000) -> PreTrainedTokenizerFast:
    """A tokenizer as BERT's: single characters and the most frequent words of `texts`.

    The library's own trainer breaks ties by chance, and a seed should give the same model every time.
    """
    split = pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in texts for word, _ in split.pre_tokenize_str(text))
    single = sorted({char for word in words for char in word})
    pieces = [*SPECIAL, *single, *(f"##{char}" for char in single)]
    frequent = sorted((word for word in words if len(word) > 1), key=lambda word: (-words[word], word))
    pieces += frequent[: max(0, size - len(pieces))]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = split
    cls, sep = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def byte_level(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """As RoBERTa's: bytes merged within words, a blank belongs to the word after it, two separators in the middle."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def metaspace(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """As ALBERT's: a mark for the blank before a word, which may be a token of its own; offsets count the blank in."""
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]"]
    pieces = [(char, -5.0) for char in sorted(set("".join(texts)))]
    pieces += [(f"▁{word}", -4.0) for word in ("the", "law", "governs", "Delaware", "Agreement")]
    vocabulary = [*((token, 0.0) for token in special), ("▁", -6.0), *pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=1))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def make_tiny_qa(folder: Path, contracts: Sequence[Contract], steps: int, seed: int) -> Path:
    """Train for `steps` batches (0: keep the random weights) and save model and tokenizer in `folder`."""
    tokenizer = wordpiece([contract.context for contract in contracts])
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForQuestionAnswering(config)
    if steps:
        _train(model, _windows(tokenizer, contracts), steps, np.random.default_rng(seed))
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    model.eval().save_pretrained(folder)
    if shown:
        logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return Path(folder)


Window = tuple[list[int], list[int], int, int]  # ids, segments, first and last token of the answer (0, 0: none)


def _windows(tokenizer: PreTrainedTokenizerFast, contracts: Sequence[Contract]) -> list[Window]:
    """Every window of every question, as the tokenizer itself cuts them."""
    result = []
    for contract in contracts:
        for question, answers in contract.questions.items():
            encoded = tokenizer(
                _cut(tokenizer, question),
                contract.context,
                truncation="only_second",
                max_length=LENGTH,
                stride=48,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
                return_token_type_ids=True,
            )
            for number in range(len(encoded["input_ids"])):
                first, last = _target(encoded["offset_mapping"][number], encoded.sequence_ids(number), answers)
                result.append((encoded["input_ids"][number], encoded["token_type_ids"][number], first, last))
    return result


def _cut(tokenizer: PreTrainedTokenizerFast, question: str) -> str:
    """As much of a question as its first 64 tokens hold."""
    offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question[: offsets[:64][-1][1]]


def _target(offsets: list[tuple[int, int]], parts: list[int | None], answers: list[tuple[int, int]]) -> tuple[int, int]:
    """First and last token of the first answer that lies in the window whole; (0, 0) where none does."""
    own = [at for at, part in enumerate(parts) if part == 1]
    for start, end in answers:
        if offsets[own[0]][0] <= start and end <= offsets[own[-1]][1]:
            inside = [at for at in own if offsets[at][0] < end and offsets[at][1] > start]
            if inside:
                return inside[0], inside[-1]
    return 0, 0


def _train(model: BertForQuestionAnswering, windows: list[Window], steps: int, chance: np.random.Generator) -> None:
    """As many windows with an answer as without in every batch, the learning rate falling to 0."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    for batch in _batches(windows, steps, chance):
        width = max(len(ids) for ids, _, _, _ in batch)
        pad = [[*ids, *[0] * (width - len(ids))] for ids, _, _, _ in batch]
        output = model(
            input_ids=torch.tensor(pad),
            token_type_ids=torch.tensor([[*types, *[0] * (width - len(types))] for _, types, _, _ in batch]),
            attention_mask=torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _, _, _ in batch]),
            start_positions=torch.tensor([first for _, _, first, _ in batch]),
            end_positions=torch.tensor([last for _, _, _, last in batch]),
        )
        optimizer.zero_grad()
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _batches(windows: list[Window], steps: int, chance: np.random.Generator, size: int = 16) -> Iterator[list[Window]]:
    groups = [[w for w in windows if w[3]], [w for w in windows if not w[3]]]
    for _ in range(steps):
        yield [group[at] for group in groups for at in chance.integers(0, len(group), size // 2)]
