"""Whole studies on digits: what a run owes, resuming, growing, and everything that is refused before any work."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from gnomon.errors import DataError, GnomonError, ModelError, UsageError
from gnomon.shift import Subject, load_network, load_pictures, load_weights
from gnomon.shift import _study as room
from gnomon.shift._study import adapt, file_of

SMALL = {"limit": 80, "source": 200, "batch_size": 40}


def study(path, **more):
    given = {"shifts": ["none", "gaussian_noise@severity=3", "border"], "variants": ["batch", "matched"]}
    return adapt("digits", runs_dir=path, **{**SMALL, **given, **more})


def blocks(run, kind):
    return {getattr(block, "title", getattr(block, "name", "")): block for block in run.result() if block.kind == kind}


def test_a_study_says_all_it_owes(tmp_path):
    run = study(tmp_path, shifts=["none", "contrast", "labels"], severities=[1, 5])
    assert run.manifest.status == "complete"
    matrix = blocks(run, "matrix")["Accuracy"]
    assert matrix.columns == ["source", "batch", "matched"]
    assert matrix.rows == ["none", "contrast@severity=1", "contrast@severity=5", "labels"]
    curves = blocks(run, "curve")
    assert {"Accuracy over 1 corruptions", "contrast", "How far layers moved: means"} <= set(curves)
    assert "How unevenly over the image" in curves
    assert all(one.interval for one in run.result() if one.kind == "estimate")
    assert len(blocks(run, "table")["Align or not?"].rows) == 4
    assert "Align or not?" in (run.path / "report.html").read_text(encoding="utf-8")


def test_the_tables_are_what_the_kept_predictions_give(tmp_path):
    run = study(tmp_path)
    matrix = blocks(run, "matrix")["Accuracy"]
    for name, values in zip(matrix.rows, matrix.values, strict=True):
        for variant, value in zip(matrix.columns, values, strict=True):
            kept = load_file(run.path / "arrays" / file_of(name, variant))
            assert value == pytest.approx((kept["predicted"] == kept["labels"]).mean())


def test_two_runs_with_one_seed_give_the_same_bytes(tmp_path):
    one, other = study(tmp_path / "a"), study(tmp_path / "b")
    assert (one.path / "result.json").read_bytes() == (other.path / "result.json").read_bytes()
    assert study(tmp_path / "c", seed=1).path.name != one.path.name


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = study(tmp_path / "whole")
    real, calls = room._variant, []

    def killed(*given):
        calls.append(given[-1])
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(room, "_variant", killed)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "killed")
    calls[:] = [None] * 9
    run = study(tmp_path / "killed")
    assert calls[9:] == ["batch", "matched", "source", "batch", "matched"]
    assert (run.path / "result.json").read_bytes() == (whole.path / "result.json").read_bytes()


def test_more_shifts_and_variants_extend_a_run(tmp_path, monkeypatch):
    first = study(tmp_path, shifts=["none"])
    seen = []
    real = room._variant
    monkeypatch.setattr(room, "_variant", lambda *given: seen.append(given[-2:]) or real(*given))
    run = study(tmp_path, shifts=["none", "border"], variants=["batch"])
    assert run.path == first.path
    assert seen == [("border", "source"), ("border", "batch")]
    assert blocks(run, "matrix")["Accuracy"].columns == ["source", "batch", "matched"]


def test_a_lost_file_is_made_again(tmp_path):
    run = study(tmp_path)
    before = (run.path / "result.json").read_bytes()
    (run.path / "arrays" / file_of("border", "batch")).unlink()
    assert (study(tmp_path).path / "result.json").read_bytes() == before


def test_a_variant_that_fails_leaves_the_run_incomplete(tmp_path):
    """A batch of one image is one value a channel where maps are 1 x 1."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)).eval()
    mine = Subject("mine", net, 10, 8, 1, (0.0,), (1.0,))
    run = adapt("digits", mine, shifts=["none"], variants=["batch", "mix"], runs_dir=tmp_path, limit=30, batch_size=1)
    assert run.manifest.status == "incomplete"
    notes = [one.text for one in run.result() if one.kind == "note"]
    assert any("sees one value a channel" in text for text in notes)
    assert blocks(run, "matrix")["Accuracy"].values[0][2] is not None


def test_a_network_without_batchnorm_is_studied_and_told(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 10)).eval()
    mine = Subject("mine", net, 10, 8, 1, (0.0,), (1.0,))
    run = adapt("digits", mine, shifts=["none", "border"], variants=["whole"], runs_dir=tmp_path, limit=30)
    assert blocks(run, "table")["Align or not?"].rows[0][1] == "keep source"
    assert any("1 GroupNorm, which store no statistics" in one.text for one in run.result() if one.kind == "note")


def test_a_folder_without_labels_has_a_verdict_and_no_accuracy(tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for number, image in enumerate(load_pictures("digits").images[:40]):
        Image.fromarray(image[..., 0]).convert("RGB").save(tmp_path / "photos" / f"{number:02}.png")
    net = load_network("small", load_pictures("digits"))
    run = adapt(
        "folder", net, shifts=["none"], variants=["whole"], resize=True, runs_dir=tmp_path / "runs",
        task_args={"data": str(tmp_path / "photos")},
    )  # fmt: skip
    row = blocks(run, "table")["Align or not?"].rows[0]
    assert row[1] in ("adapt", "mix", "early layers only", "keep source")
    assert row[2:] == [None] * 6
    assert "Accuracy" not in blocks(run, "matrix")


# weights, sizes, ranges ---------------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path, capsys):
    for protocol in (2, 4):
        (tmp_path / "evil.pt").write_bytes(pickle.dumps({"state_dict": Evil()}, protocol=protocol))
        with pytest.raises(ModelError, match=r"holds more than weights .*would run its code"):
            load_weights(tmp_path / "evil.pt")
    torch.save({"state_dict": {"w": torch.ones(2)}, "more": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="would run its code"):
        load_weights(tmp_path / "evil.pt")
    assert "code ran" not in capsys.readouterr().out


def test_weights_are_found_where_people_put_them(tmp_path):
    torch.save({"state_dict": {"module.w": torch.ones(2)}, "epoch": 3}, tmp_path / "a.pt")
    assert list(load_weights(tmp_path / "a.pt")) == ["w"]
    (tmp_path / "b.pt").write_bytes(b"nothing")
    for name, words in (("b.pt", "cannot be read|more than weights"), ("c.pt", "does not exist")):
        with pytest.raises(ModelError, match=words):
            load_weights(tmp_path / name)


def test_the_small_network_learns_in_seconds_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path))
    pictures = load_pictures("digits")
    state = torch.random.get_rng_state()
    one = load_network("small", pictures)
    other = load_network("small", pictures)
    assert torch.equal(state, torch.random.get_rng_state())
    assert one.fingerprint() == other.fingerprint()
    with torch.no_grad():
        right = one.module(one.inputs(pictures.images)).argmax(1).numpy() == pictures.labels
    assert right.mean() > 0.93


def test_augmentation_crops_and_flips_as_in_training():
    subject = Subject("mine", nn.Identity(), 2, 4, 1, (0.5,), (0.5,), flip=True, pad=1)
    inputs = subject.inputs(np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(200, 0))
    found = subject.augment(inputs, np.random.default_rng(0))
    wide = torch.nn.functional.pad(inputs[0, 0], (1, 1, 1, 1), value=-1.0)
    views = [wide[a : a + 4, b : b + 4] for a in range(3) for b in range(3)]
    views += [view.flip(1) for view in views]
    hits = [sum(torch.equal(one[0], view) for one in found) for view in views]
    assert sum(hits) == 200
    assert min(hits) > 0


@pytest.mark.parametrize(
    "given, words",
    [
        ({"data": "digit"}, "no image set is named 'digit'. Did you mean 'digits'"),
        ({"model": "smal"}, "no network is named 'smal'. Did you mean 'small'"),
        ({"model": "cifar10/resnt20"}, "Did you mean 'resnet20'"),
        ({"model": "cifar10/resnet20"}, "weights of resnet20 are not at hand"),
        ({"data": "cifar10"}, "cifar10 is not at hand"),
        ({"variants": ["whole", "mx"]}, "no variant is named 'mx'"),
        ({"shifts": ["fogg"]}, "no shift is named 'fogg'. Did you mean 'fog'"),
        ({"severities": [6]}, "severity 6 was given"),
        ({"source": 0, "variants": ["matched"]}, "'matched' needs images of the source"),
        ({"shifts": []}, "nothing to compare"),
        ({"shifts": ["none", "border@size=4"]}, "a border of 4 pixels leaves nothing of images of 8"),
        ({"shifts": ["none", "domain@to=usps"]}, "usps is not at hand"),
        ({"task_args": {"dta": "x"}}, "dta"),
        ({"model_args": {"weight": "x"}}, "weight"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(tmp_path, given, words):
    with pytest.raises(GnomonError) as caught:
        adapt(given.pop("data", "digits"), given.pop("model", "small"), runs_dir=tmp_path / "runs", **given)
    assert words in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_images_of_another_size_are_refused_or_resized(tmp_path):
    mine = Subject("mine", load_network("small", load_pictures("digits")).module, 10, 16, 1, (0.0,), (1.0,))
    with pytest.raises(DataError, match=r"images are 8 x 8 x 1, and mine takes 16 x 16 x 1\. Give  --resize"):
        adapt("digits", mine, runs_dir=tmp_path, shifts=["none"])
    run = adapt("digits", mine, runs_dir=tmp_path, shifts=["none"], variants=["whole"], resize=True, limit=30)
    assert any("shift of its own" in one.text for one in run.result() if one.kind == "note")
    with pytest.raises(UsageError, match="10 classes, and other tells 4 apart"):
        adapt("digits", Subject("other", mine.module, 4, 8, 1, (0.0,), (1.0,)), runs_dir=tmp_path)


def test_records_can_be_read_without_gnomon(tmp_path):
    run = study(tmp_path)
    lines = [json.loads(line) for line in (run.path / "records.jsonl").read_text().splitlines()]
    assert {line["split"] for line in lines} == {"source", "batch", "matched", "evidence"}
    evidence = next(line["output"] for line in lines if line["split"] == "evidence")
    assert set(evidence["shares"]) == {"source", "early"}
