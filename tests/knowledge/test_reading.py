"""What cannot be read, what is cut, and what is equal: counted, named and left out, never silently used."""

import dataclasses

import numpy as np
import pytest

from gnomon.asks import Failed, StateLayout
from gnomon.errors import ModelError, UsageError
from gnomon.knowledge._read import usable
from gnomon.knowledge._rows import Rows
from gnomon.tasks import contrast_pair, contrast_templates, load_task

PREFIX = "pairs behind a misleading prefix"


def texts(run, block):
    """Counts of the table "Texts" by name: rows, used, not read, equal sides, left out, cut."""
    return {row[0]: row[1:] for row in block(run, "table", "Texts").rows}


def test_a_prefix_that_is_cut_off_is_not_measured_and_what_is_planted_in_front_neither(probed, block, notes, short):
    run = probed(short(20))
    counts = texts(run, block)
    assert counts["pairs"] == [360, 360, 0, 0, 0, 0]
    assert counts[PREFIX] == [120, 0, 0, 0, 120, 0]
    changes = {row[1] for row in block(run, "table", "Controls").rows if row[0] == "ccs"}
    assert "refitted on the first template alone" in changes
    assert not any("prefix" in change for change in changes)
    planted = {row[1] for row in block(run, "table", "What is found").rows}
    assert planted == {"a planted word", "a stated opinion"}  # the tail was read, and they stand in it
    assert any(
        level == "warning" and f"120 of 120 {PREFIX} of facts were left out" in text for level, text in notes(run)
    )


def test_a_feature_that_is_cut_off_is_named_as_not_measured(probed, block, short, monkeypatch):
    """A task that has no text to add words to is planted in front, where texts that are too long are cut."""
    from gnomon.knowledge import _plan

    plain = _plan.load_task

    def bodiless(*given):
        data = plain(*given)
        data.task = dataclasses.replace(data.task, body="")
        return data

    monkeypatch.setattr(_plan, "load_task", bodiless)
    run = probed(short(8))
    counts = texts(run, block)
    rows, used, _, _, lost, _ = counts["pairs with a stated opinion"]
    assert (rows, used + lost) == (120, 120)
    assert lost > 100
    verdict = block(run, "verdict")
    assert not verdict.identified
    (one,) = (one for one in verdict.conditions if one.name == "truth above a stated opinion")
    assert one.passed is None
    assert f"of 120 texts {lost} lost what was planted" in one.note
    assert one.name in verdict.required


def test_pairs_that_are_cut_are_counted(probed, block, notes, short):
    run = probed(short(8), templates="claim", diagnostics=False)
    rows, used, *_, cut = texts(run, block)["pairs"]
    assert (rows, used) == (120, 120)
    assert 0 < cut <= 120
    assert any(level == "warning" and f"{cut} of 120 pairs of facts are too long" in text for level, text in notes(run))


class States:
    """Just what `usable` asks of what was read: states and cut tokens by question."""

    layout = StateLayout(("0", "1"), 2, "float32", "made up")

    def __init__(self, states, cut, failures=()):
        self.states, self.cuts = states, cut
        self.failures = {reading: Failed("no") for reading in failures}

    def layer(self, rows, layer):
        return np.array([self.states[pair.question] for pair in rows.pairs], dtype=np.float32)

    def cut(self, rows):
        return np.array([self.cuts.get(pair.question, 0) > 0 for pair in rows.pairs], dtype=bool)


@pytest.fixture
def pairs():
    """Rows of four facts, and the same rows with a word before the end of each text."""
    data = load_task("facts", {"subsets": "capitals-statements"})
    protocol = contrast_templates(data.task)["plain"]
    rows = Rows(tuple(contrast_pair(item, "plain", protocol) for item in data.items()[:4]), np.arange(4) < 2)
    return rows, rows.changed(
        lambda pair: dataclasses.replace(pair, question=pair.question + " Shed"), "planted", [0] * 4
    )


def test_a_cut_row_is_lost_where_its_states_are_those_of_the_plain_text(pairs):
    rows, planted = pairs
    random = np.random.default_rng(0)
    states = {pair.question: random.normal(size=(2, 2)) for pair in (*rows.pairs, *planted.pairs)}
    questions = [pair.question for pair in planted.pairs]
    states[questions[0]] = states[rows.pairs[0].question] + 1e-6  # cut before the word: the same but for rounding
    states[questions[1]] = states[rows.pairs[1].question]  # not cut: whatever the states, it is there
    cut = {questions[0]: 3, questions[2]: 3}
    good = usable(States(states, cut), planted, rows)
    assert good.mask.tolist() == [False, True, True, True]
    assert (good.lost, good.cut, good.refused, good.equal) == (1, 1, 0, 0)
    assert usable(States(states, cut), planted, whole=True).mask.tolist() == [False, True, False, True]
    assert usable(States(states, cut), planted).mask.all()


def test_equal_sides_and_rows_that_were_not_read_are_counted_apart(pairs):
    rows, _ = pairs
    states = {pair.question: np.arange(4.0).reshape(2, 2) for pair in rows.pairs}
    states[rows.pairs[2].question] = np.ones((2, 2))
    good = usable(States(states, {}, failures=[rows.readings[0]]), rows)
    assert (good.mask.tolist(), good.refused, good.equal) == ([False, True, False, True], 1, 1)


def test_pairs_with_equal_sides_are_counted_and_dropped(probed, block, notes, broken):
    run = probed(broken(equal=lambda text: "Iceland" in text), limit=300, diagnostics=False)
    equal = texts(run, block)["pairs"][3]
    assert equal in (3, 6)  # one or two statements in three templates
    assert ("deviation", f"{equal} of 900 pairs of facts were left out: both sides have the same states.") in notes(run)
    assert not any("Iceland" in one.prompt for one in block(run, "samples").samples)
    assert len([name for name in run.records() if name.startswith("facts/")]) == 900 - equal
    with pytest.raises(UsageError, match="none of the 360 pairs of facts can be used: both sides have the same states"):
        probed(broken(equal=lambda text: True), layers="0-2", seed=1)


def test_a_model_of_garbage_is_refused_with_the_item_the_template_and_the_layer(probed):
    words = r"item capitals-\S+, template plain: .* at layer 0 that is not finite"
    with pytest.raises(ModelError, match=f"none of the 360 pairs of facts can be used; {words}"):
        probed("mock/garbage")


def test_rows_that_are_not_finite_are_named_with_their_layer_and_leave_the_run_incomplete(probed, block, notes, broken):
    given = {"limit": 300, "diagnostics": False}
    model = broken(breaks=lambda text: "Iceland" in text)
    run = probed(model, **given)
    refused = texts(run, block)["pairs"][2]
    assert run.manifest.status == "incomplete"
    assert refused in (3, 6)
    told = [text for level, text in notes(run) if level == "warning"]
    assert any(f"{refused} pairs could not be read: they are in no number" in text for text in told)
    named = [text for text in told if text.startswith("Not read, of facts: item capitals-")]
    assert named
    assert all("iceland" in text and "at layer 1 that is not finite" in text for text in named)
    assert "item capitals-" in (run.path / "log.txt").read_text()
    again = probed(model, **given, accept_errors=True)
    assert (again.path, again.manifest.status) == (run.path, "complete")


def test_a_failure_in_planted_texts_alone_is_counted_too(probed, block, notes, broken):
    run = probed(broken(breaks=lambda text: "Banana" in text))
    counts = texts(run, block)
    refused = counts["pairs with a planted word"][2]
    assert counts["pairs"][2] == 0
    assert 30 < refused < 90
    assert run.manifest.status == "incomplete"
    assert any(f"{refused} pairs could not be read" in text for _, text in notes(run))


def test_one_answer_that_failed_takes_its_row_alone_from_zero_shot(probed, block, notes, broken):
    asked = []

    def silent(text):
        if "Iceland" in text and not asked:
            asked.append(text)
        return text in asked

    run = probed(broken(silent=silent), limit=300, diagnostics=False)
    rows = {row[0]: row for row in block(run, "table", "At layer").rows}
    assert rows["zero-shot"][2] == 1.0
    assert "calibrated zero-shot" in rows
    assert run.manifest.status == "incomplete"
    assert any("1 answers of the model were not given" in text for _, text in notes(run))
    assert any("1 own answers to facts were not given" in text and "no answer today" in text for _, text in notes(run))
    compared = [one for one in block(run, "verdict").conditions if one.name.endswith("zero-shot")]
    assert [one.passed for one in compared] == [False, False]  # measured, not dropped


def test_answers_that_all_failed_leave_zero_shot_unmeasured(probed, block, broken):
    verdict = block(probed(broken(silent=lambda text: True)), "verdict")
    (one,) = (one for one in verdict.conditions if "zero-shot" in one.name)
    assert (one.passed, one.note) == (None, "no answer of its own was given")
    assert one.name in verdict.required
    assert not verdict.identified
