"""Probes on disk: what is read back decides as the study did, on raw states, and on no others."""

import json

import numpy as np
import pytest

from gnomon.asks import StateLayout
from gnomon.errors import DataError, UsageError
from gnomon.knowledge import load_probes
from gnomon.knowledge._normalize import NORMALIZATIONS
from gnomon.knowledge._plan import plan
from gnomon.knowledge._saved import save
from gnomon.models import load_model
from gnomon.runs import StateStore

FEW = {"methods": ("ccs", "kmeans", "logistic"), "limit": 40, "restarts": 2, "diagnostics": False}


def rows_and_states(tmp_path, layer, limit=40):
    """What the study of 40 capitals read: its pairs, and their raw states from the store."""
    rows = plan(
        "facts",
        {"subsets": "capitals-statements"},
        templates="all",
        limit=limit,
        seed=0,
        diagnostics=False,
        couples=False,
    ).rows
    model = load_model("mock/oracle")
    with StateStore(tmp_path / "cache" / "states", fingerprint=model.fingerprint(), layout=model.layout()) as store:
        return rows, store.layer(rows.readings, layer)


def saved_of(run):
    return load_probes(run.path / "arrays" / "probes.safetensors")


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_probe_that_was_read_back_gives_the_studys_own_probabilities(normalize, probed, tmp_path):
    run = probed(normalize=normalize, **FEW)
    rows, X = rows_and_states(tmp_path, "2")
    model, records = load_model("mock/oracle"), run.records()
    layer = next(block.name for block in run.result() if block.kind == "verdict").rpartition(" ")[2]
    rows, X = rows_and_states(tmp_path, layer)
    for method in FEW["methods"]:
        one = saved_of(run)[f"facts/{method}/{layer}"]
        found = one.predict_proba(X, template=rows.templates.tolist(), model=model, layer=layer)
        decided = one.apply(X, template=rows.templates.tolist(), model=model, layer=layer)
        wanted = [records[f"facts/{pair.template}/{pair.item}"].output["p"][method] for pair in rows.pairs]
        assert np.allclose(found, wanted, atol=1e-6), (normalize, method)
        assert ((decided > 0) == (found > 0.5)).all()
        alone = one.predict_proba(X[:1], template=rows.pairs[0].template, model=model, layer=layer)
        assert alone == pytest.approx(found[:1])


def test_one_probe_a_template_is_saved_by_its_template(probed, tmp_path):
    run = probed(stacked=False, **FEW)
    saved, records = saved_of(run), run.records()
    layer = next(block.name for block in run.result() if block.kind == "verdict").rpartition(" ")[2]
    rows, X = rows_and_states(tmp_path, layer)
    assert f"facts/ccs/{layer}" not in saved
    for name in rows.template_names():
        mask, one = rows.templates == name, saved[f"facts/ccs/{layer}/{name}"]
        found = one.predict_proba(X[mask], template=name, model=load_model("mock/oracle"), layer=layer)
        wanted = [records[f"facts/{name}/{item}"].output["p"]["ccs"] for item in rows.items[mask]]
        assert np.allclose(found, wanted, atol=1e-6)
    with pytest.raises(UsageError, match="was fitted on no template 'claim'"):
        saved[f"facts/ccs/{layer}/plain"].apply(X, template="claim", model=load_model("mock/oracle"), layer=layer)


class Other:
    """mock/oracle with another fingerprint or layout."""

    def __init__(self, fingerprint=None, layout=None):
        self._model, self._print, self._layout = load_model("mock/oracle"), fingerprint, layout

    def __getattr__(self, name):
        return getattr(self._model, name)

    def fingerprint(self):
        return self._print or self._model.fingerprint()

    def layout(self):
        return self._layout or self._model.layout()

    def represent(self, readings, skip):
        return self._model.represent(readings, skip)


def test_states_of_anything_else_are_refused_by_applying(probed):
    """The fact sheet's case 19: another model, layer, reading rule or width."""
    one = saved_of(probed(**FEW))["facts/logistic/2"]
    X, layout = np.random.default_rng(0).normal(size=(3, 2, 64)), load_model("mock/oracle").layout()
    fits = {"template": "plain", "model": load_model("mock/oracle"), "layer": "2"}
    assert one.apply(X, **fits).shape == (3,)
    for change, words in (
        ({"model": Other(fingerprint="another")}, "another model"),
        ({"model": load_model("mock/parrot")}, "another model"),
        ({"model": Other(layout=StateLayout(layout.layers, 64, "float32", "the first token"))}, "another reading rule"),
        ({"model": Other(layout=StateLayout(layout.layers, 32, "float32", layout.rule))}, "another width"),
        ({"model": load_model("mock/uniform")}, "gives no hidden states"),
        ({"layer": "1"}, "another layer"),
        ({"template": "plane"}, "fitted on no template 'plane'"),
    ):
        with pytest.raises(UsageError, match=words):
            one.apply(X, **{**fits, **change})
    for wrong, words in ((X[:, :, :3], "width 64, and these have 3"), (X[:, 0], "shape"), (X * np.nan, "not finite")):
        with pytest.raises(UsageError, match=words):
            one.apply(wrong, **fits)
    with pytest.raises(UsageError, match="templates must have one label for each of 3 pairs"):
        one.apply(X, **{**fits, "template": ["plain", "claim"]})


def test_the_same_probes_are_the_same_bytes_and_a_file_of_something_else_is_refused(probed, tmp_path):
    path = probed(**FEW).path / "arrays" / "probes.safetensors"
    save(tmp_path / "again", load_probes(path))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    (tmp_path / "no").write_text("x")
    from safetensors.numpy import save as to_bytes

    (tmp_path / "old").write_bytes(to_bytes({"facts/ccs/2": np.zeros(3)}, metadata={"schema": "1"}))
    told = json.dumps({"schema": "9", "probes": {}})
    (tmp_path / "new").write_bytes(to_bytes({"facts/ccs/2": np.zeros(3)}, metadata={"gnomon probes": told}))
    for name in ("no", "old", "new", "absent"):
        with pytest.raises(DataError, match="holds no probes"):
            load_probes(tmp_path / name)
