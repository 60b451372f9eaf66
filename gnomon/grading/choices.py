"""Judging a choice among options: from log-probabilities, or from words that a model wrote.

Belongs here: the rules from scores or text to an option, with their ties. Does not belong here: prompts (`tasks/`),
averages (`evaluation/`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.errors import UsageError

__all__ = ["Choice", "best", "from_logit", "from_text", "from_top", "prefer"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen: the option's index, None where there is none; `tie` where another was as good.

    `probabilities` are over the options and sum to 1; empty where the rule gives none.
    """

    option: int | None
    probabilities: tuple[float, ...] = ()
    tie: bool = False


def best(scores: Sequence[float]) -> Choice:
    """The option of the highest score (any numbers); a tie goes to the earlier one, as in MMLU's release.

    The probabilities are the softmax of the scores (MMLU's release, evaluate.py). Scores may be infinite.
    Raises UsageError for NaN, and for no scores at all.

    >>> best([-2.0, -1.0, -1.0]).option, best([-2.0, -1.0, -1.0]).tie
    (1, True)
    """
    if not scores:
        raise UsageError("a choice among no options was asked for; give at least one score.")
    if any(math.isnan(score) for score in scores):
        hint = "Ask the model again, or leave the item out."
        raise UsageError(f"a score is not a number: {list(scores)}.", hint=hint)
    top = max(scores)
    weights = [1.0 if score == top else math.exp(score - top) for score in scores]
    total = sum(weights)
    option = next(index for index, score in enumerate(scores) if score == top)
    return Choice(option, tuple(weight / total for weight in weights), sum(score == top for score in scores) > 1)


def from_top(top: Mapping[str, float], options: Sequence[str], missing: float = -100.0) -> Choice:
    """The choice from the most likely next tokens of a server; an option that is not among them scores `missing`
    (MMLU's release).

    >>> from_top({" B": -0.3, " the": -1.2}, [" A", " B", " C", " D"]).option
    1
    >>> from_top({" the": -1.2}, [" A", " B", " C", " D"]).option
    0
    """
    return best([top.get(option, missing) for option in options])


def from_logit(logit: float) -> Choice:
    """The choice of a classifier with one output: 1 when the logit is above 0, so exactly 0 is class 0 (ETHICS'
    release).

    >>> from_logit(0.0).option, from_logit(1e-9).option
    (0, 1)
    """
    if math.isnan(logit):
        raise UsageError("the logit is not a number.", hint="Ask the model again, or leave the item out.")
    high = 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))
    return Choice(int(logit > 0), (1 - high, high), tie=logit == 0)


def prefer(first: float, second: float) -> Choice:
    """Which of two texts has the higher utility; equal utilities prefer neither, which counts as wrong (ETHICS'
    release).

    >>> prefer(0.2, -0.3).option, prefer(1.0, 1.0).option
    (0, None)
    """
    if first == second:
        return Choice(None, (0.5, 0.5), tie=True)
    high = best([first, second]).probabilities
    return Choice(0 if first > second else 1, high)


def from_text(text: str, options: Sequence[Sequence[str]]) -> Choice:
    """The option that a written answer names: the first whole word or phrase that belongs to one.

    `options[i]` holds the words for option i. Case plays no part; "reasonable" is not found inside "unreasonable",
    and where two phrases begin at the same place the longer wins ("not wrong" before "not"). No word found gives
    option None: unparsed.

    >>> from_text("Yes, it is wrong.", [["no", "not wrong"], ["yes", "wrong"]]).option
    1
    >>> from_text("That is unreasonable!", [["unreasonable"], ["reasonable"]]).option
    0
    >>> from_text("I cannot say.", [["no"], ["yes"]]).option is None
    True
    """
    found: list[tuple[int, int, int]] = []
    for index, words in enumerate(options):
        for word in words:
            match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE)
            if match:
                found.append((match.start(), -len(word), index))
    return Choice(min(found)[2]) if found else Choice(None)
