"""Samples as the page's browser reads them: outcomes named, texts cut so that the file stays small.

Belongs here: the data behind the sample browser. Does not belong here: how it is shown (`templates/samples.js`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gnomon.blocks import Sample, Samples
from gnomon.report._text import cut

__all__ = ["outcome", "samples_data", "text_limit"]

LIMITS = (100_000, 32_000, 16_000, 8000, 4000, 2000, 1000, 500, 250)
BUDGET = 2_500_000
_RECORDS = "records.jsonl"
_NAME, _SCORE_NAME, _SCORES, _VERDICTS = 200, 80, 40, 60


def outcome(sample: Sample) -> str:
    """What became of a unit, each unit under one name: the counts of all outcomes add up to the number of units.

    Returns
    -------
    str
        "right", "wrong" or "ungraded" where the answer could be read, else the status: "unparsed", "refused", ...

    Examples
    --------
    >>> one = Sample(id="1", subset="", status="ok", correct=False, prompt="", answer="B", target="A")
    >>> outcome(one), outcome(one.model_copy(update={"status": "unparsed"}))
    ('wrong', 'unparsed')
    """
    if sample.status != "ok":
        return sample.status
    if sample.correct is None:
        return "ungraded"
    return "right" if sample.correct else "wrong"


def text_limit(blocks: Iterable[Samples]) -> int:
    """How many characters of each text the page keeps: 100,000, or fewer where all samples would make it heavy.

    Parameters
    ----------
    blocks : iterable of Samples
        All that go into one page.

    Returns
    -------
    int
        The largest of `LIMITS` that keeps all texts within 2.5 million characters, else the least, 250.

    Examples
    --------
    >>> text_limit([])
    100000
    """
    lengths = [len(text) for block in blocks for one in block.samples for text in (one.prompt, one.answer, one.target)]
    for limit in LIMITS:
        if sum(min(length, limit) for length in lengths) <= BUDGET:
            return limit
    return LIMITS[-1]


def samples_data(block: Samples, limit: int) -> list[dict[str, Any]]:
    """The samples of one block for `script_json`, texts cut after `limit` characters.

    Examples
    --------
    >>> one = Sample(id="q1", subset="law", status="ok", correct=True, prompt="Is it?", answer="yes", target="yes")
    >>> samples_data(Samples(title="Samples", total=1, samples=[one]), 4000)[0]["outcome"]
    'right'
    """
    return [_sample_data(one, limit) for one in block.samples]


def _sample_data(one: Sample, limit: int) -> dict[str, Any]:
    data: dict[str, Any] = {"id": cut(one.id, _NAME), "subset": cut(one.subset, _NAME), "outcome": outcome(one)}
    for name, text in (("prompt", one.prompt), ("answer", one.answer), ("target", one.target)):
        # A carriage return alone is named, for it could hide text; before a line feed it is only how a line ends.
        data[name] = cut(text.replace("\r\n", "\n"), limit, rest=_RECORDS)
    data["status"] = one.status
    data["correct"] = one.correct
    if one.scores:
        data["scores"] = _scores(list(one.scores.items()))
        data["omitted"] = max(0, len(one.scores) - _SCORES)
    if one.verdicts:
        shown = list(one.verdicts.items())[:_VERDICTS]
        data["verdicts"] = [[cut(name, _SCORE_NAME), cut(verdict, _SCORE_NAME)] for name, verdict in shown]
        data["unsaid"] = len(one.verdicts) - len(shown)
        data["differ"] = len(set(one.verdicts.values())) > 1
    return data


def _scores(scores: Sequence[tuple[str, float]]) -> list[list[Any]]:
    """Name and value pairs; six digits are more than a bar or a reader can use."""
    return [[cut(name, _SCORE_NAME), float(f"{value:.6g}")] for name, value in scores[:_SCORES]]
