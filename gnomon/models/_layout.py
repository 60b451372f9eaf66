"""What a transformers model's states look like, from its configuration alone.

Belongs here: families, layer names, the rule in words, limits. Does not belong here: reading (`_reader.py`). Importing
this imports no torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from gnomon.asks import StateLayout
from gnomon.errors import ModelError

__all__ = ["Reads", "is_readable", "layout_of"]

_VERSION = 1


@dataclass(frozen=True)
class Reads:
    """What a user chose: a space in place of a line break before a decoder's answer; reading at an end token."""

    space: bool = False
    end: bool = False

    def rule(self, config: Any) -> str:
        """How texts are joined and which token is taken, in words; other words for other vectors."""
        if config.is_encoder_decoder:
            return (
                f"v{_VERSION}: a space between question and answer, no line breaks; last token of encoder and decoder"
            )
        if self.is_decoder(config):
            between = "space" if self.space else "line break"
            where = "an end token after the answer" if self.end else "last token of the answer"
            return f"v{_VERSION}: {between} between question and answer; {where}"
        return f"v{_VERSION}: the family's separators between question and answer; last token"

    def is_decoder(self, config: Any) -> bool:
        """Whether the one stack reads from left to right."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

        both = config.model_type in CAUSAL and config.model_type in MASKED
        return config.model_type in CAUSAL and (not both or bool(getattr(config, "is_decoder", False)))

    def ended(self, liner: Any) -> Any:
        """`liner` for a decoder: no tokens after the answer, or the end token that is read."""
        if not self.end:
            return dataclasses.replace(liner, end=())
        end = liner.tokenizer.eos_token_id
        if end is None:
            raise ModelError("the tokenizer has no end token, as read=eos asks.", hint="Leave out  -M read=eos .")
        return dataclasses.replace(liner, end=(int(end),))

    def limit(self, config: Any, tokenizer: Any) -> int | None:
        """Most tokens of one text: the tokenizer's limit where it names one, else the configuration's."""
        named = getattr(tokenizer, "model_max_length", None)
        limits = [int(named)] if named and named < 1e6 else []
        if not config.is_encoder_decoder:
            most = getattr(config.get_text_config(), "max_position_embeddings", None)
            if most:
                shift = (config.pad_token_id or 0) + 1 if config.model_type in _SHIFTED else 0
                limits.append(int(most) - shift)
        return min(limits, default=None)


_SHIFTED = {
    "roberta",
    "xlm-roberta",
    "camembert",
    "longformer",
    "data2vec-text",
    "xmod",
    "roberta-prelayernorm",
    "mpnet",
}
"""Families whose position ids begin after the padding id."""


def is_readable(config: Any) -> bool:
    """Whether the model is a stack (or two) of transformer layers over text that transformers can load by itself."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    text = config.get_text_config()
    known = config.model_type in MODEL_MAPPING_NAMES and getattr(text, "vocab_size", None)
    return bool(known and getattr(text, "num_hidden_layers", None) and getattr(text, "hidden_size", None))


def layout_of(config: Any, dtype: str, reads: Reads) -> StateLayout:
    """Layers, width and rule of `config`'s states."""
    text = config.get_text_config()
    count = int(text.num_hidden_layers)
    if config.is_encoder_decoder:
        below = next(
            int(value) for key in ("num_decoder_layers", "decoder_layers") if (value := getattr(config, key, None))
        )
        layers = [f"encoder {k}" for k in range(count + 1)] + [f"decoder {k}" for k in range(below + 1)]
    else:
        layers = [str(k) for k in range(count + 1)]
    if dtype == "auto":
        dtype = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    return StateLayout(tuple(layers), int(text.hidden_size), dtype, reads.rule(config))
