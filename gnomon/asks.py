"""What passes between a task and a model: a context with possible continuations, and the log-probabilities that come
back.

Belongs here: the plain types, known to tasks, models and runs alike. Does not belong here: prompts (`tasks/`) or
tokens (`models/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Ask", "Failed", "Scored"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One context and the continuations whose log-probability is wanted.

    A continuation is scored in full, however many tokens it takes, as the tokenizer splits `context + continuation`.

    >>> Ask("2 + 2 =", (" 4", " 5")).continuations
    (' 4', ' 5')
    """

    context: str
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer to an `Ask`: natural-log probabilities (<= 0), one a continuation, and the number of tokens of each.

    `truncated` counts the tokens that were cut from the left of the context to make it fit.
    """

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer to an `Ask`, and why. Never scored 0: the run stays incomplete until it is asked again or waived."""

    message: str
    status: Literal["error", "refused"] = "error"
