"""Fits applied to other rows: transfer, prompts without a probe of their own, and rows with their own statistics."""

from types import SimpleNamespace

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.knowledge import planted_pairs
from gnomon.knowledge._examine import Sides
from gnomon.knowledge._fit import Fitted, apply, fit_grid, held_out
from gnomon.knowledge._transfer import _alignment
from gnomon.knowledge.probes.ccs import CCS
from gnomon.knowledge.probes.logistic import Logistic


class Rows:
    """Just what fits ask of rows."""

    def __init__(self, pairs, templates, train):
        self.y, self.templates, self.train, self.test = pairs.y, templates, train, ~train
        self.items, self.weight, self.groups = np.arange(len(train)), np.ones(len(train)), np.arange(len(train))

    def __len__(self):
        return len(self.train)

    def template_names(self):
        return list(dict.fromkeys(self.templates.tolist()))


SOURCE = planted_pairs(200, 24, truth=6.0, seed=1)
TRAIN = np.arange(200) < 120
NAMES = np.tile(["a", "b"], 100)


def fitted(method, rows, X, **given):
    methods = {"ccs": CCS(restarts=2), "logistic": Logistic()}
    return fit_grid(rows, lambda layer: X, ["0"], methods, **given).fitted[method, "0"]


def test_a_probe_of_another_task_keeps_its_direction_and_takes_that_tasks_own_means():
    """The same direction in another place, at another scale and with other sides: only renormalised states fit."""
    one = fitted("logistic", Rows(SOURCE, NAMES, TRAIN), SOURCE.X)
    move = np.random.default_rng(0).normal(size=(1, 2, 24)) * 30
    other = planted_pairs(200, 24, truth=6.0, seed=1)
    X, target = 4 * other.X[::-1] + move, Rows(other, np.full(200, "c"), TRAIN)
    target.y = other.y[::-1]
    decisions, p = apply(one, X, target, renormalize=target.train)
    assert ((decisions > 0) == target.y).mean() > 0.97
    assert ((p > 0.5) == (decisions > 0)).all()
    wanted = one.probe.renormalized(X[TRAIN], templates=target.templates[TRAIN])
    assert np.array_equal(decisions, wanted.decision_function(X, templates=target.templates))
    with pytest.raises(UsageError, match="no statistics of the template 'c'"):
        apply(one, X, target)


def test_where_each_template_has_its_probe_a_template_is_judged_by_its_own_and_a_stranger_by_all():
    own = fitted("logistic", Rows(SOURCE, NAMES, TRAIN), SOURCE.X, stacked=False)
    assert set(own.probes) == {"a", "b"}
    names = np.repeat(["b", "c"], 100)
    rows = Rows(SOURCE, names, np.arange(200) % 2 == 0)
    decisions, p = apply(own, SOURCE.X, rows, renormalize=rows.train)

    def alone(which, mask):
        learn = mask & rows.train
        return own.probes[which].renormalized(SOURCE.X[learn]).predict_proba(SOURCE.X[mask])

    first, second = names == "b", names == "c"
    assert np.allclose(p[first], alone("b", first))
    assert not np.allclose(p[first], alone("a", first))
    assert np.allclose(p[second], (alone("a", second) + alone("b", second)) / 2)
    assert ((decisions > 0) == (p > 0.5)).all()
    one = Fitted("logistic", "0", {"a": own.probes["a"]}, own.decisions, own.p)
    assert apply(one, SOURCE.X, rows, renormalize=rows.train)[1].shape == (200,)


def test_the_held_out_loss_is_that_of_the_rows_as_they_are_decided():
    """Test rows that have moved: their own statistics take the move away, those of training do not."""
    X = SOURCE.X.copy()
    X[~TRAIN, 0] += 40
    rows = Rows(SOURCE, NAMES, TRAIN)
    one = fitted("ccs", rows, X)
    plain, own = held_out(one, rows, X), held_out(one, rows, X, transductive=True)
    assert sum(own) < 0.1 < sum(plain)
    Z = one.probe.normalized(X[~TRAIN], templates=NAMES[~TRAIN], transductive=True)
    plus, minus = 1 / (1 + np.exp(-one.probe.side_logits(Z).T))
    assert own == pytest.approx((np.mean((plus + minus - 1) ** 2), np.mean(np.minimum(plus, minus) ** 2)))
    methods = {"ccs": CCS(restarts=2)}
    grids = [fit_grid(rows, lambda layer: X, ["0"], methods, transductive=flag) for flag in (False, True)]
    assert [grid.parts["0"] for grid in grids] == [pytest.approx(plain), pytest.approx(own)]
    assert grids[1].loss["0"] == pytest.approx(sum(own))


def test_sides_are_decided_as_the_study_decides_and_can_be_cut_to_some_rows():
    X = SOURCE.X.copy()
    X[~TRAIN, 0] += 40
    known = (SOURCE.y, TRAIN, NAMES, np.arange(200), np.arange(200), np.ones(200))
    for flag in (False, True):
        sides = Sides(X, *known, transductive=flag)
        decisions = sides.decide(sides.fit(CCS(restarts=2)))
        grid = fit_grid(Rows(SOURCE, NAMES, TRAIN), lambda layer: X, ["0"], {"ccs": CCS(restarts=2)}, transductive=flag)
        assert np.allclose(decisions, grid.fitted["ccs", "0"].decisions)
    some = sides.keep(NAMES == "b")
    assert (len(some.X), len(some.y), some.transductive, some.feature) == (100, 100, True, None)
    assert set(some.templates.tolist()) == {"b"}


def test_a_shift_of_features_is_what_alignment_undoes():
    """One direction holds the truth in both tasks; the other task's states are moved and stretched, side by side."""
    pairs = planted_pairs(600, 16, truth=4.0, seed=0)
    shift = np.random.default_rng(2).normal(size=(1, 2, 16)) * 40
    shift[0, :, :] += np.array([[30.0], [-30.0]])
    moved = pairs.X[300:] * 3 + shift
    train = np.arange(300) < 180
    found = []
    for name, X, y in (("one", pairs.X[:300], pairs.y[:300]), ("two", moved, pairs.y[300:])):
        probe = Logistic().fit(X[train], y[train])
        rows = SimpleNamespace(train=train, test=~train, y=y, X=X, templates=np.full(300, "t"), name=name)
        fitted = Fitted("logistic", "1", {"": probe}, probe.decision_function(X), probe.predict_proba(X))
        part = SimpleNamespace(name=name)
        found.append(SimpleNamespace(rows=rows, part=part, layer="1", fitted={"logistic": fitted}))
    states = SimpleNamespace(layer=lambda rows, layer: rows.X)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gnomon.knowledge._transfer._accuracy", lambda *given: 0.0)
        first, _ = _alignment(found, "logistic", states)
    assert first[:3] == ["logistic", "one", "two"]
    assert first[3] < 0.7
    assert first[4] > 0.9
