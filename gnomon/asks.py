"""What passes between a task and a model: something to score, to continue or to highlight, and what comes back.

Belongs here: the plain types, known to tasks, models and runs alike. Does not belong here: prompts (`tasks/`) or
tokens (`models/`).

==============  ================  =====================================================
asked           answered          ability of the model
==============  ================  =====================================================
`Ask`           `Scored`          `score`: log-probabilities of continuations
`Prompt`        `Completion`      `generate`: text that goes on
`Passage`       `Highlighted`     `highlight`: spans of the passage, with confidences
`Reading`       `States`          `represent`: hidden states at the last token, every layer
`Reading`       `Scored`          `fill`: log-probabilities of the answers in the place of masks
==============  ================  =====================================================

`Failed` answers any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Answer",
    "Ask",
    "Asking",
    "Completion",
    "Decoding",
    "Failed",
    "Highlighted",
    "Passage",
    "Prompt",
    "Reading",
    "Scored",
    "Span",
    "StateLayout",
    "States",
]


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
class Decoding:
    """How text is written.

    `max_tokens` (>= 1) new tokens at most; `temperature` 0 takes the likeliest token each time (greedy), else tokens
    are drawn from the smallest set whose probability reaches `top_p` in (0, 1]. Text ends before the first of `stop`.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A context to be continued.

    `seed` fixes the draws of this one continuation (it plays no part at temperature 0), so that a sample depends
    neither on its company in a batch nor on the order of work.

    >>> Prompt("2 + 2 =", Decoding(max_tokens=4)).decoding.temperature
    0.0
    """

    context: str
    decoding: Decoding
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a `Prompt`: `text` without the prompt and without the stop string, and its number of tokens.

    `finish` is "stop" where the model ended or a stop string came, "length" where `max_tokens` or the model's context
    ran out. `truncated` counts the tokens that were cut from the left of the context to make it fit.
    """

    text: str
    tokens: int
    finish: Literal["stop", "length"] = "stop"
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and a question about it, whose answers are spans of the text.

    >>> Passage("Which law governs?", "Delaware law governs.").context[:8]
    'Delaware'
    """

    question: str
    context: str


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (end excluded) of a passage, and a probability in [0, 1]."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Highlighted:
    """The answer to a `Passage`: spans, the most probable first, and the probability that there is none.

    `windows` is the number of pieces that the passage was read in.
    """

    spans: tuple[Span, ...]
    none: float
    windows: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """A question read with each of its answers; what the model holds inside at the end of each is wanted.

    The model's family says how question and answer are joined. `after` follows every answer, so that the answer can
    stand in the middle of a text. A text alone is a question with one empty answer. Where a text is too long, the
    question loses its start; an answer is never cut.

    >>> Reading("Is the sky blue?", ("yes", "no")).answers[0]
    'yes'
    """

    question: str
    answers: tuple[str, ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class StateLayout:
    """What a model's states look like, known before any is computed.

    `layers` names them in order ("0" is the embeddings, "1" what the first block gives, ...; an encoder-decoder has
    "encoder 0", ..., "decoder 0", ...); `width` is the length of one vector; `dtype` ("float32", "bfloat16",
    "float16") what they are computed in; `rule` says how texts are joined and which token is taken.
    """

    layers: tuple[str, ...]
    width: int
    dtype: str
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The answer to a `Reading`: `values` has the shape (answers, layers, width), float32, and is finite.

    `tokens` counts the tokens of each text; `truncated` those that were cut from the left of the question.
    """

    values: NDArray[np.float32]
    tokens: tuple[int, ...]
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, and why. Never scored 0: the run stays incomplete until it is asked again or waived."""

    message: str
    status: Literal["error", "refused"] = "error"


Asking = Ask | Prompt | Passage
Answer = Scored | Completion | Highlighted | Failed
