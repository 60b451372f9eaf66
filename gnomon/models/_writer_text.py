"""Prompts to token ids and written tokens to text: the chat template, the cut on the left, stop strings.

Belongs here: all that a tokenizer decides about a text that is being written. Does not belong here: the model
(`_writer_cache.py`), the order of work (`_writer.py`), the choice of a token (`_sampling.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnomon.errors import ModelError
from gnomon.models._tokens import Encoder

__all__ = ["PromptEncoder", "Text", "divide", "find_stop"]

_HALF = "\ufffd"  # what a decoder shows for bytes that are no character (yet)
_SLACK = 8  # characters by which a window of tokens may read differently from the whole text at its beginning


def divide(prompt: int, wanted: int, limit: int | None) -> tuple[int, int]:
    """Tokens that stay of a prompt, and tokens that may be written, where the model sees `limit` at once.

    The prompt gives way to the `wanted` tokens, but never below half of the limit: from there on the text is shortened
    instead. The last token written is never read, so both together may be one more than the limit.

    >>> divide(prompt=100, wanted=20, limit=200)
    (100, 20)
    >>> divide(prompt=190, wanted=20, limit=200)
    (181, 20)
    >>> divide(prompt=190, wanted=1000, limit=200)
    (100, 101)
    """
    if limit is None:
        return prompt, wanted
    kept = min(prompt, max(limit - wanted + 1, limit - limit // 2))
    return kept, min(wanted, limit - kept + 1)


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where `text` ends: before the stop string that is complete first; of two complete at once, the longer one.

    Read a character at a time this is where one would stop, so it does not depend on how a text is split into tokens.

    >>> find_stop("one. Two", [". ", "Two"])
    3
    >>> find_stop("one", [". "]) is None
    True
    """
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    return min(found)[1] if found else None


class PromptEncoder:
    """Prompts to token ids, by the start-token rule of `encoder`, or through the tokenizer's chat template.

    Parameters
    ----------
    encoder : Encoder
    chat : bool
        Put each prompt as the one message of a user; the template alone decides on start tokens.

    Raises ModelError where there is no chat template.
    """

    def __init__(self, encoder: Encoder, chat: bool = False) -> None:
        self._encoder, self._chat = encoder, chat
        self._tokenizer: Any = encoder._tokenizer
        self.limit: int | None = encoder.limit
        if chat and not getattr(self._tokenizer, "chat_template", None):
            raise ModelError(
                "the tokenizer has no chat template, as chat=yes asks.",
                hint="Use the chat version of the model, or leave out  -M chat .",
            )

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text, at least one each; equal texts are encoded once and share a list."""
        unique = list(dict.fromkeys(texts))
        if self._chat:
            ids = [self._encoder._plain(self._message(text)) for text in unique]
        else:
            ids = self._encoder._batch(unique)
        known = {text: one or [self._encoder._start()] for text, one in zip(unique, ids, strict=True)}
        return [known[text] for text in texts]

    def _message(self, text: str) -> str:
        from jinja2 import TemplateError

        try:
            shown: str = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ModelError(
                f"the tokenizer's chat template cannot be applied: {str(error).strip().rstrip('.')}.",
                hint="Leave out  -M chat .",
            ) from error
        return shown

    def ends(self) -> set[int]:
        """The tokenizer's own end token."""
        end = self._tokenizer.eos_token_id
        return set() if end is None else {int(end)}

    def text(self, context: Sequence[int], stops: Sequence[str]) -> Text:
        """An empty text after `context`."""
        return Text(self._tokenizer, context, stops)


class Text:
    """A text that grows by tokens, read in the context of its prompt, and ends before a stop string.

    Decoders look at neighbours (a character of several tokens, the space that a word begins with), so tokens are
    decoded after the last tokens of the prompt, whose own text is then taken off. Special tokens are not shown.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    context : sequence of int
        Ids of the prompt.
    stops : sequence of str
        Not empty each.
    """

    def __init__(self, tokenizer: Any, context: Sequence[int], stops: Sequence[str]) -> None:
        self._tokenizer, self._stops = tokenizer, tuple(stops)
        self._ids, self._before = self._tail(context)
        self._own = len(self._ids)
        # Stop strings are looked for in a window of the last tokens, `_from` on; `_mark` is where it will begin next,
        # once enough characters (`_need`) follow there: decoding the whole text each time would be quadratic.
        self._need = max(map(len, self._stops), default=0) + _SLACK
        self._from, self._mark, self._marked = 0, self._own, len(self._before)

    def __len__(self) -> int:
        return len(self._ids) - self._own

    def add(self, token: int) -> bool:
        """Append a token; whether the text now holds a stop string."""
        self._ids.append(token)
        if not self._stops:
            return False
        seen = self._read(self._ids[self._from :])
        if find_stop(seen.rstrip(_HALF), self._stops) is not None and self._stopped():
            return True
        if len(seen) - self._marked >= self._need and not seen.endswith(_HALF):
            self._from, self._mark = self._mark, len(self._ids)
            self._marked = len(self._read(self._ids[self._from :]))
        return False

    def finished(self) -> tuple[str, bool]:
        """The text before the first stop string, and whether there was one."""
        text = self._whole()
        end = find_stop(text, self._stops)
        return (text, False) if end is None else (text[:end], True)

    def _stopped(self) -> bool:
        """Whether the stop string that the window shows is one of the text, and not partly the prompt's."""
        return find_stop(self._whole().rstrip(_HALF), self._stops) is not None

    def _whole(self) -> str:
        text = self._read(self._ids)
        if text.startswith(self._before):
            return text[len(self._before) :]
        return self._read(self._ids[self._own :])

    def _tail(self, context: Sequence[int]) -> tuple[list[int], str]:
        """The shortest end of the prompt that decodes to whole characters, and these."""
        for count in range(1, min(len(context), 32) + 1):
            ids = list(context[-count:])
            text = self._decode(ids)
            if text and _HALF not in text:
                return ids, text
        return [], ""

    def _read(self, ids: Sequence[int]) -> str:
        """The text of `ids`. Half a character at their end is one mark, and takes nothing before it along, as a decoder
        would have it that reads neighbouring bytes as one run and shows all of them as wrong."""
        text = self._decode(ids)
        if text.endswith(_HALF):
            for count in range(1, min(4, len(ids))):
                shorter = self._decode(ids[:-count])
                if not shorter.endswith(_HALF):
                    return shorter + _HALF
        return text

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
