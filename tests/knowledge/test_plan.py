"""What is chosen, balanced and split before anything is read; and texts that say the opposite."""

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.knowledge._plan import plan

QUESTIONS = {"subsets": "capitals-questions"}


def planned(task="facts", arguments=None, *, limit=1000, after="", **given):
    return plan(
        task,
        arguments or {},
        **{"templates": "plain", "seed": 0, "diagnostics": False, "couples": False, "after": after, **given},
        limit=limit,
    )


def test_a_fact_that_is_learned_of_is_not_tested_in_another_form():
    rows = planned(arguments={"subsets": "capitals-questions,capitals-statements"}).rows
    groups = [{pair.group for pair in rows.keep(mask).pairs} for mask in (rows.train, rows.test)]
    assert not groups[0] & groups[1]
    homes = {name: {pair.subset for pair in rows.pairs if pair.group == name} for name in groups[1]}
    assert any(len(subsets) == 2 for subsets in homes.values())
    assert set(rows.groups.tolist()) == groups[0] | groups[1]  # intervals take them as one, too


def test_both_labels_are_as_frequent_however_large_the_limit_and_what_is_left_out_is_counted():
    part, every = planned(arguments=QUESTIONS), planned(arguments=QUESTIONS, limit=None)
    ones = int(every.rows.y.sum())
    least = min(ones, len(every.items) - ones)
    assert 2 * least < len(every.items)  # the set is not balanced, or this test tests nothing
    assert part.rows.y.mean() == 0.5
    assert len(part.items) == 2 * least
    assert any(f"{len(every.items) - 2 * least} more items of facts were left out" in note for note in part.notes)
    assert any("--all-items" in note for note in part.notes)
    assert not any("balance" in note for note in every.notes)
    small = planned(arguments=QUESTIONS, limit=20)
    assert (len(small.items), small.rows.y.mean()) == (20, 0.5)
    assert not any("balance" in note for note in small.notes)


def test_items_of_one_label_are_refused_with_what_is_the_matter(monkeypatch):
    from gnomon.knowledge import _plan

    plain = _plan.load_task

    class OneLabel:
        def __init__(self, data):
            self.data = data

        def __getattr__(self, name):
            return getattr(self.data, name)

        def items(self):
            return [item for item in self.data.items() if item.answer == 0]

    monkeypatch.setattr(_plan, "load_task", lambda *given: OneLabel(plain(*given)))
    with pytest.raises(UsageError, match="the first answer is right: nothing can be told apart"):
        planned(arguments={"subsets": "capitals-statements"})


def test_negated_statements_are_read_by_the_same_rule_and_nothing_was_learned_of_their_subjects(cities):
    """Mid mode: a probe that was fitted on states of a full stop must not be tested on states of an answer."""
    arguments = {"data": str(cities / "true_false"), "counts": "any", "subsets": "cities"}
    part = planned("true_false", arguments, after=".", diagnostics=True, limit=60)
    negated = part.variants["negated"]
    assert all(rows.after == "." for rows in part.tables())
    assert all(reading.after == "." for rows in part.tables() for reading in rows.readings)
    assert len(negated) > 10
    assert not set(negated.groups) & set(part.rows.groups[part.rows.train])
    assert "not in" in negated.pairs[0].question
    assert not negated.train.any()
    assert abs(np.mean(negated.y) - 0.5) < 0.01
