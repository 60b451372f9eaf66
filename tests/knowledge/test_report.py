"""What a run tells its reader: every table of the fact sheet's section 8.1, and every choice that moves a number."""

import re

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.knowledge.probes.crc_tpc import CRCTPC
from gnomon.models.mock import Oracle, _Inside
from gnomon.stats import holm


def layer_of(run, block):
    return block(run, "verdict").name.rpartition(" ")[2]


@pytest.fixture
def both_tasks(cities, monkeypatch, probed):
    """A function that probes the facts and 60 cities together."""
    monkeypatch.setenv("GNOMON_DATA", str(cities))

    def run(**given):
        return probed(tasks=["facts", "true_false"], task_args={"counts": "any"}, **given)

    return run


def test_the_layer_that_is_named_is_the_layer_that_is_read_and_said(probed, block):
    run = probed(layer="1", diagnostics=False)
    caption = block(run, "table", "At layer").caption
    assert block(run, "verdict").name == "facts · ccs · layer 1"
    assert "named beforehand" in caption
    assert "chosen without labels" not in caption
    assert "chosen without labels" in block(probed(diagnostics=False), "table", "At layer").caption


def test_a_layer_where_no_state_differs_is_refused_and_not_replaced(probed, monkeypatch):
    plain = Oracle._inside

    def flat(self, index, reading):
        found = plain(self, index, reading)
        found.values[:, 0] = 1.0
        return found

    monkeypatch.setattr(Oracle, "_inside", flat)
    with pytest.raises(UsageError, match="cannot be read at layer 0: no state differs") as refused:
        probed(layer="0", diagnostics=False)
    assert "States differ at 1, 2" in str(refused.value)


def test_the_note_names_the_labels_that_were_used(probed, notes):
    assert any("settled by 24 labels" in text for _, text in notes(probed(limit=40, diagnostics=False)))
    assert any("settled by 5 labels" in text for _, text in notes(probed(labels=5, diagnostics=False)))


def test_a_method_has_one_name(probed, block):
    run = probed(methods=("crc_tpc", "crc-tpc"), diagnostics=False)
    assert [row[0] for row in block(run, "table", "Methods").rows] == ["crc-tpc", "ccs"]


def test_the_headline_is_the_first_method_that_was_asked_for(probed, block):
    run = probed("mock/parrot", methods=("logistic", "vinc"), diagnostics=False)
    assert re.fullmatch(r"facts · vinc · layer \d", block(run, "verdict").name)
    records = [record for name, record in run.records().items() if name.startswith("facts/")]
    said = {method: [int(one.output["p"][method] <= 0.5) for one in records] for method in ("logistic", "vinc", "ccs")}
    assert [one.parsed for one in records] == said["vinc"]
    assert said["vinc"] not in (said["logistic"], said["ccs"])  # of a parrot they say different things
    only = probed(methods=("logistic",), diagnostics=False)
    assert block(only, "verdict").name.startswith("facts · ccs")


def test_what_was_fitted_is_named_by_its_kind(probed, block):
    run = probed(methods=("ccs-mlp", "crc-tpc", "logistic"), layers="2", limit=40, restarts=2, diagnostics=False)
    kinds = {row[0]: row[1] for row in block(run, "table", "Methods").rows}
    assert kinds == {"ccs-mlp": "MLP with 100 hidden units", "crc-tpc": "linear", "logistic": "linear", "ccs": "linear"}
    assert block(run, "verdict").name.startswith("facts · ccs-mlp")
    (restarts,) = (one for one in block(run, "verdict").conditions if "restarts" in one.name)
    assert restarts.note == "only its best restart is kept"
    saved = (run.path / "arrays" / "probes.safetensors").read_bytes()
    assert b"facts/ccs/2" in saved
    assert b"ccs-mlp" not in saved


def test_a_component_that_is_not_determined_is_flagged(probed, block, notes, monkeypatch):
    run = probed(diagnostics=False)
    told = {row[0]: row[3] for row in block(run, "table", "Methods").rows}
    assert re.fullmatch(r"second eigenvalue over the first: 0\.\d\d", told["crc-tpc"])
    assert told["ccs"] == ""
    plain = CRCTPC._learn

    def equal(self, Z, pairs):
        plain(self, Z, pairs)
        self.gap_, self.degenerate_ = 1.0, True

    monkeypatch.setattr(CRCTPC, "_learn", equal)
    run = probed(diagnostics=False)
    (row,) = (row for row in block(run, "table", "Methods").rows if row[0] == "crc-tpc")
    assert "they are equal, so the direction is not determined" in row[3]
    assert any(level == "warning" and "eigenvalues are equal" in text for level, text in notes(run))


def test_accuracy_by_prompt_is_there_and_its_spread_is_that_of_the_table(probed, block):
    run = probed(diagnostics=False)
    matrix, table = block(run, "matrix", "Accuracy by prompt"), block(run, "table", "At layer")
    assert matrix.columns == ["plain", "claim", "statement"]
    assert matrix.rows == [row[0] for row in table.rows]
    for values, row in zip(matrix.values, table.rows, strict=True):
        assert np.mean(values) == pytest.approx(row[2])
        assert np.std(values, ddof=1) == pytest.approx(row[5])


def test_the_loss_is_shown_in_its_two_parts_by_layer_and_beside_shuffled_pairs(probed, block):
    run = probed()
    curve = block(run, "curve", "CCS loss by layer")
    assert [one.name for one in curve.series] == ["consistency", "confidence"]
    rows = {(row[0], row[1]): row[2:] for row in block(run, "table", "Loss at layer").rows}
    place = int(layer_of(run, block))
    assert rows["ccs", "test rows"][:2] == [one.y[place] for one in curve.series]
    for consistency, confidence, loss in (rows["ccs", "training rows"], rows["ccs", "test rows"]):
        assert consistency + confidence == pytest.approx(loss)
    assert rows["ccs", "training rows, shuffled pairs"][2] > 0


def test_planted_features_have_an_auroc_too(probed, block):
    table = block(probed("mock/parrot"), "table", "What is found")
    place = [column.label for column in table.columns].index("AUROC, truth")
    found = {(row[0], row[1]): row[place : place + 2] for row in table.rows}
    assert found["ccs", "a planted word"][1] > 0.95
    assert found["ccs", "a planted word"][0] < 0.8
    assert all(0 <= value <= 1 for both in found.values() for value in both)


def test_the_models_own_answers_are_in_the_agreement(probed, block):
    matrix = block(probed(diagnostics=False), "matrix", "Agreement")
    assert matrix.rows == ["ccs", "crc-tpc", "logistic", "zero-shot", "calibrated zero-shot"]
    assert np.allclose(np.diag(matrix.values), 1)
    where = [matrix.rows.index(name) for name in ("logistic", "zero-shot")]
    assert matrix.values[where[0]][where[1]] > 0.9  # an oracle says what its states hold
    assert matrix.counts[0][3] == matrix.counts[0][1]


def test_a_prefix_is_compared_with_no_prefix_on_the_same_rows_for_methods_and_own_answers(probed, block, monkeypatch):
    plain = Oracle._answer

    def misled(self, index, ask):
        found = plain(self, index, ask)
        return found if "spoons" not in ask.context else type(found)(found.logprobs[::-1], found.tokens)

    monkeypatch.setattr(Oracle, "_answer", misled)
    table = block(probed(), "table", "Controls")
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    accuracy, *_, lost, n = rows["zero-shot", "behind a misleading prefix"]
    assert (accuracy, n) == (0.0, 48)
    assert lost.startswith("+1.000")
    assert ("calibrated zero-shot", "behind a misleading prefix") in rows
    for change in ("refitted behind a misleading prefix", "behind a misleading prefix, as fitted without"):
        found = rows["logistic", change][3]
        assert re.fullmatch(r"[+-]0\.\d{3} \([+-]\d\.\d{3} to [+-]\d\.\d{3}\)", found)
        assert abs(float(found.split()[0])) < 0.2  # the states of an oracle are the same
    assert rows["ccs", "refitted on the first template alone"][3] == ""


class Silent(_Inside):
    """Has states and no probabilities, as encoder-decoders do here."""

    name, context_length, truth = "mock/silent", None, 2.2

    def fingerprint(self):
        return self.name

    def facts(self):
        return {}

    def tell(self, asks, best):
        self._best = best

    def _right(self, index):
        return self._best[index]


def test_a_model_without_probabilities_has_the_condition_named_as_not_measured(probed, block):
    verdict = block(probed(Silent(), limit=300), "verdict")
    (one,) = (one for one in verdict.conditions if "zero-shot" in one.name)
    assert (one.name, one.passed, one.note) == ("above zero-shot", None, "the model gives no probabilities here")
    assert one.name not in verdict.required
    assert verdict.identified, verdict.reason
    assert verdict.reason.endswith("above zero-shot was not measured: the model gives no probabilities here")


def test_the_share_that_calibration_assumes_is_a_choice_and_said(probed, block, notes):
    half, more = probed(diagnostics=False), probed(diagnostics=False, prior=0.8)
    assert half.path != more.path
    for run, prior in ((half, "0.5"), (more, "0.8")):
        assert f"puts a share of {prior} of the unlabelled" in block(run, "table", "At layer").caption
    shares = []
    for run in (half, more):
        matrix = block(run, "matrix", "Accuracy by prompt")
        shares.append(matrix.values[matrix.rows.index("calibrated zero-shot")])
    assert shares[0] != shares[1]
    uneven = probed(task_args={"subsets": "capitals-questions"}, limit=None, diagnostics=False)
    assert any("calibrated zero-shot takes it to be 0.5 (--prior)" in text for _, text in notes(uneven))


def test_hidden_supervision_is_in_the_report(probed, notes):
    run = probed(task_args={"subsets": "capitals-questions"}, diagnostics=False)
    (text,) = (text for _, text in notes(run) if "hidden supervision" in text)
    assert "Of up to 4 choices" in text
    assert "hidden supervision" in (run.path / "report.html").read_text()
    assert not any("hidden supervision" in text for _, text in notes(probed(diagnostics=False)))


def test_the_curve_of_sizes_begins_with_one_pair(probed, block):
    curve = block(probed(curve=True, limit=40, diagnostics=False), "curve", "CCS by number of pairs")
    (one,) = curve.series
    assert one.n == [1, 2, 4, 8, 16, 24]
    assert one.x[0] == 0
    assert one.y[0] > 0.5
    assert one.y[0] <= one.y[-2] + 0.1


def test_several_tasks_have_p_values_over_all_of_them_and_a_transfer_matrix(both_tasks, block):
    run = both_tasks()
    rows = block(run, "table", "Over all tasks").rows
    for name in ("the median random direction", "zero-shot", "calibrated zero-shot"):
        some = [row for row in rows if row[0] == name]
        assert [row[1] for row in some] == ["facts · ccs", "true_false · ccs"]
        assert [row[6] for row in some] == holm([row[5] for row in some]).tolist()
    matrix = block(run, "matrix", "Transfer of ccs")
    assert (matrix.columns, [row.split(" ")[0] for row in matrix.rows]) == (["facts", "true_false"],) * 2
    tables = [one for one in run.result() if one.kind == "table" and one.title.startswith("At layer")]
    diagonal = [next(row for row in table.rows if row[0] == "ccs")[2] for table in tables]
    assert [matrix.values[k][k] for k in (0, 1)] == diagonal
    logistic = block(run, "matrix", "Transfer of logistic").values
    assert min(logistic[0][1], logistic[1][0]) > 0.9  # an oracle holds the truth of all tasks in one direction
    rows = block(run, "table", "Transfer with and without").rows
    assert [row[:3] for row in rows if row[0] == "logistic"] == [
        ["logistic", "facts", "true_false"],
        ["logistic", "true_false", "facts"],
    ]
    assert [row[5] for row in rows if row[0] == "logistic"] == [logistic[0][1], logistic[1][0]]
    assert all(0 <= share <= 1 for row in rows for share in row[3:])


@pytest.mark.parametrize("stacked", [True, False])
def test_one_task_has_no_transfer_matrix_and_no_p_values_over_tasks(probed, stacked):
    titles = [getattr(one, "title", "") for one in probed(stacked=stacked, diagnostics=False).result()]
    assert not any(title.startswith(("Transfer", "Over all tasks")) for title in titles)


def test_with_a_probe_a_template_restarts_and_shuffled_pairs_are_measured_all_the_same(probed, block):
    run = probed(stacked=False)
    conditions = {one.name: one for one in block(run, "verdict").conditions}
    assert conditions["near-best restarts agree"].passed is not None
    assert conditions["loss below that of shuffled pairs"].passed is not None
    assert "Shown is the probe of the template plain" in block(run, "scatter", "CCS restarts").caption
    rows = [row for row in block(run, "table", "Loss at layer").rows if row[1].startswith("training rows, ")]
    assert [row[1].removeprefix("training rows, ") for row in rows[:3]] == ["plain", "claim", "statement"]


def test_an_answer_in_the_middle_goes_through_all_diagnostics_under_one_rule(probed, block, cities, monkeypatch):
    read, plain = [], Oracle._inside

    def heard(self, index, reading):
        read.append(reading.after)
        return plain(self, index, reading)

    monkeypatch.setattr(Oracle, "_inside", heard)
    args = {"data": str(cities / "true_false"), "counts": "any"}
    run = probed(tasks="true_false", task_args=args, label_place="mid", limit=60)
    assert set(read) == {"."}
    negated = [row for row in block(run, "table", "Controls").rows if row[1] == "on negated statements"]
    assert {row[0] for row in negated} == {"ccs", "crc-tpc", "logistic"}
    assert next(row for row in negated if row[0] == "logistic")[2] > 0.8
