"""Models of every family through the whole of `gnomon probe`: tiny ones, made from configurations."""

import warnings

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM

import gnomon

FAST = {"methods": ("ccs", "crc-tpc", "logistic"), "restarts": 2, "limit": 60, "curve": False}
CAPITALS = {"subsets": "capitals-statements"}


@pytest.fixture
def probed(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))

    def run(folder, **given):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # transformers names weights that a tiny head leaves unused
            return gnomon.probe(
                "facts", f"hf/{folder}", runs_dir=tmp_path / "runs", task_args=CAPITALS, **{**FAST, **given}
            )

    return run


def block(run, kind, title=""):
    return next(one for one in run.result() if one.kind == kind and (not title or one.title.startswith(title)))


@pytest.mark.parametrize(
    ("kind", "head", "changes", "layers"),
    [
        ("bert", AutoModelForMaskedLM, {}, ["0", "1", "2"]),
        ("t5", None, {}, [*(f"encoder {k}" for k in range(3)), *(f"decoder {k}" for k in range(4))]),
        ("llama", None, {"num_hidden_layers": 1}, ["0", "1"]),
        ("gpt2", None, {"tie_word_embeddings": True}, ["0", "1", "2"]),
    ],
)
def test_a_family_goes_through_the_whole_study(kind, head, changes, layers, kept, probed):
    run = probed(kept(kind, head, **changes))
    assert run.manifest.status == "complete"
    curves = [one for one in run.result() if one.kind == "curve" and one.title.startswith("Accuracy by layer")]
    assert all(set(curve.x_names) <= set(layers) for curve in curves)
    assert bool(curves) == (len(layers) > 2)  # the embeddings of one last word are the same for all, so one layer stays
    assert block(run, "verdict").name.rpartition("layer ")[2] in layers
    assert not block(run, "verdict").identified  # random weights know nothing
    rows = {row[0]: row for row in block(run, "table", "At layer").rows}
    assert {"ccs", "crc-tpc", "logistic"} <= set(rows)
    assert all(0 <= row[2] <= 1 for row in rows.values())
    report = (run.path / "report.html").read_text()
    assert "NOT IDENTIFIED" in report.upper()


def test_bfloat16_goes_through_and_is_named(kept, probed):
    run = probed(kept("llama"), model_args={"dtype": "bfloat16"}, diagnostics=False)
    assert run.manifest.status == "complete"
    assert any("bfloat16" in str(value) for value in run.manifest.model_dump(mode="json").items())


def test_a_masked_model_reads_the_answer_in_the_middle(kept, probed):
    """The protocol of masked language models: the answer stands before a full stop, and zero-shot fills the gap."""
    folder = kept("bert", AutoModelForMaskedLM)
    run = probed(folder, label_place="mid", diagnostics=False)
    suffix = probed(folder, diagnostics=False)
    accuracy = [{row[0]: row[2] for row in block(one, "table", "At layer").rows} for one in (run, suffix)]
    assert "zero-shot" in accuracy[0]
    assert run.path != suffix.path
    assert np.isfinite(accuracy[0]["zero-shot"])
