"""The model's own answers to the same pairs: log-probabilities of the two answers, where it gives them.

Belongs here: asking, through the journal and the shared cache. Does not belong here: thresholds (`_zero_shot.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import Answer, Asking, Failed, Reading, Scored
from gnomon.files import cache_folder
from gnomon.knowledge._plan import Part
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._zero_shot import margins
from gnomon.models import Fills, Model, Scores, Told
from gnomon.runs import AnswerCache, Journal, Record, Unit, ask_all

__all__ = ["Own", "own_answers"]


@dataclass(frozen=True)
class Own:
    """Margins, mean log-probability of the first answer minus that of the second, of every row of a task.

    `how` names the ability; `prefix` the margins of the rows behind a misleading prefix, where there are any. NaN where
    the model gave no answer, and behind a prefix that was cut off. `failed` answers of all were not given, `reasons`
    says why of the first; of the rows, `cut` lost the start of their question.
    """

    how: str
    rows: NDArray[np.float64]
    prefix: NDArray[np.float64] | None
    failed: int = 0
    reasons: tuple[str, ...] = ()
    cut: int = 0


def own_answers(
    model: Model,
    parts: Sequence[Part],
    journal: Journal,
    fingerprint: str,
    cache: bool,
    progress: Callable[[str, int, int], None],
) -> dict[str, Own]:
    """The margins of every part, by task; empty for a model that gives no probabilities."""
    how = "score" if isinstance(model, Scores) else "fill" if isinstance(model, Fills) else ""
    if not how:
        return {}
    tables = [
        (f"{name}/{part.name}", rows)
        for part in parts
        for name, rows in (("zero-shot", part.rows), ("zero-shot, misled", part.variants.get("prefix")))
        if rows is not None
    ]
    units = [_unit(name, rows, index, how) for name, rows in tables for index in range(len(rows))]
    if isinstance(model, Told):
        best = [1 - int(label) for _, rows in tables for label in rows.y]
        model.tell([unit.asks[0] for unit in units], best)
    answers = AnswerCache(cache_folder() / "scores.sqlite" if cache and not isinstance(model, Told) else None)
    try:
        ask_all(
            units,
            journal,
            getattr(model, how),
            fingerprint=fingerprint,
            cache=answers,
            progress=lambda done, total: progress("asking", done, total),
        )
    finally:
        answers.close()
    return {part.name: _own(how, part, journal) for part in parts}


def _own(how: str, part: Part, journal: Journal) -> Own:
    """What is in the journal of one part."""
    prefix = part.variants.get("prefix")
    records = _records(f"zero-shot/{part.name}", part.rows, journal)
    misled = _records(f"zero-shot, misled/{part.name}", prefix, journal) if prefix is not None else []
    failed = [one for one in (*records, *misled) if one is None or one.status != "ok"]
    reasons = tuple(f"{one.id}: {one.message}" for one in failed[:3] if one is not None)
    cut = sum(one is not None and one.status == "ok" and one.output["cut"] > 0 for one in records)
    whole = [one if one is not None and one.status == "ok" and not one.output["cut"] else None for one in misled]
    return Own(how, _margins(records), None if prefix is None else _margins(whole), len(failed), reasons, cut)


def _unit(name: str, rows: Rows, index: int, how: str) -> Unit:
    pair = rows.pairs[index]
    ask: Asking | Reading = rows.readings[index] if how == "fill" else pair.ask
    id = f"{name}/{pair.template}/{pair.item}"

    def finish(answers: Sequence[Answer], given: str) -> Record:
        record = Record(
            id=id,
            subset=pair.subset,
            split="train" if rows.train[index] else "test",
            group=pair.group,
            input=given,
            status="ok",
            target=1 - pair.label,
        )
        answer = answers[0]
        if isinstance(answer, Failed):
            return record.model_copy(update={"status": answer.status, "message": answer.message})
        assert isinstance(answer, Scored)
        output = {"logprobs": list(answer.logprobs), "tokens": list(answer.tokens), "cut": answer.truncated}
        return record.model_copy(update={"output": output})

    return Unit(id, (ask,), finish)


def _records(name: str, rows: Rows, journal: Journal) -> list[Record | None]:
    return [journal.records.get(f"{name}/{pair.template}/{pair.item}") for pair in rows.pairs]


def _margins(records: Sequence[Record | None]) -> NDArray[np.float64]:
    found = np.full(len(records), np.nan)
    for index, record in enumerate(records):
        if record is not None and record.status == "ok":
            one = Scored(tuple(record.output["logprobs"]), tuple(record.output["tokens"]))
            found[index] = margins([one])[0]
    return found
