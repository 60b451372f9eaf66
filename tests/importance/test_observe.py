"""Asking for outputs: samplers of tables, seeds, chunks, guards."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from gnomon.errors import UsageError
from gnomon.importance import (
    IRT,
    Columns,
    Copula,
    Discrete,
    Donors,
    Gaussian,
    Marginal,
    Sampler,
    Subject,
    Tree,
    as_subject,
    columns,
    irt,
    observe,
    osft,
)
from gnomon.importance._observe import content_ids
from gnomon.importance._sampler import samplers
from gnomon.importance._subject import Called

RHO = 0.8


def ar1(d, n, seed=0):
    law = RHO ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    return np.random.default_rng(seed).multivariate_normal(np.zeros(d), law, size=n), law


def kinds(found):
    return {one.kind for one in found.cautions}


# -- the laws ------------------------------------------------------------------------------------------------------


def neighbours(X):
    return (X[:, :-1] * X[:, 1:]).sum(axis=1)


@pytest.mark.slow
def test_12_the_full_conditional_is_valid_and_the_marginal_is_not():
    """AR(1) with rho = .8 and f = sum x_j x_{j+1}, no signal: P(p <= .1) is .10 and .20."""
    X, law = ar1(8, 400)
    full = irt(neighbours, X, Gaussian(mean=np.zeros(8), covariance=law), draws=99, side="one")
    wrong = irt(neighbours, X, Marginal().fit(ar1(8, 5000, seed=1)[0]), draws=99, side="one")
    assert (full.p_values <= 0.1).mean() == pytest.approx(0.1, abs=0.02)
    assert (wrong.p_values <= 0.1).mean() == pytest.approx(0.2, abs=0.03)
    assert "inexact" in kinds(wrong)
    assert "inexact" not in kinds(full)


@pytest.mark.parametrize(
    "sampler", [Gaussian(), Copula(), Donors(k=30), Tree(leaf=30)], ids=lambda one: type(one).__name__
)
def test_estimated_samplers_come_close_to_the_conditional(sampler):
    X, law = ar1(4, 3000)
    x = np.array([1.0, 0.5, 1.5, 0.0])
    exact = Gaussian(mean=np.zeros(4), covariance=law).sample(x, Columns("x", (1,)), 4000, np.random.default_rng(0))
    drawn = sampler.fit(X).sample(x, Columns("x", (1,)), 4000, np.random.default_rng(0))
    assert abs(drawn[:, 1].mean() - exact[:, 1].mean()) < 0.3
    assert drawn[:, 1].std() == pytest.approx(exact[:, 1].std(), rel=0.35)
    assert (drawn[:, [0, 2, 3]] == x[[0, 2, 3]]).all()


def test_the_exact_samplers_have_the_moments_of_their_law():
    law = np.array([[1.0, 0.8, 0.3], [0.8, 2.0, 0.1], [0.3, 0.1, 1.0]])
    x = np.array([9.0, 1.0, 9.0])
    drawn = Gaussian(mean=[1, 2, 3], covariance=law).sample(x, Columns("two", (2, 0)), 50_000, np.random.default_rng(0))
    precision = np.linalg.inv(law)
    one = Gaussian(mean=[1, 2, 3], covariance=law).sample(x, Columns("one", (1,)), 50_000, np.random.default_rng(0))
    assert one[:, 1].var() == pytest.approx(1 / precision[1, 1], rel=0.03)  # the sheet's formula
    assert drawn[:, 0].mean() == pytest.approx(1 + 0.8 / 2 * (1 - 2), abs=0.02)
    assert np.cov(drawn[:, 0], drawn[:, 2])[0, 1] == pytest.approx(0.3 - 0.8 * 0.1 / 2, abs=0.02)
    joint = np.random.default_rng(1).random((2, 3, 2))
    joint /= joint.sum()
    table = Discrete(probabilities=joint)
    pairs = table.sample(np.array([0.0, 1.0, 1.0]), Columns("ends", (2, 0)), 60_000, np.random.default_rng(0))
    counts = np.zeros((2, 2))
    np.add.at(counts, (pairs[:, 0].astype(int), pairs[:, 2].astype(int)), 1)
    assert np.allclose(counts / 60_000, joint[:, 1] / joint[:, 1].sum(), atol=0.01)
    assert table.exact


def test_counted_tables_take_rows_that_agree():
    X = np.array([[0, 0, 1], [1, 0, 1], [5, 1, 0]], dtype=float)
    drawn = Discrete().fit(X).sample(np.array([9.0, 0.0, 1.0]), Columns("x", (0,)), 50, np.random.default_rng(0))
    assert set(drawn[:, 0]) == {0.0, 1.0}
    assert not Discrete().fit(X).exact


def test_every_sampler_of_tables_says_what_it_leaves_open():
    for name in ("gaussian", "copula", "donors", "tree", "discrete", "marginal"):
        one = samplers.load(name)
        assert one.about
        assert one.leaves_open
        with pytest.raises(UsageError, match="NaN"):
            one().fit([[1.0, np.nan], [0.0, 1.0]])
        with pytest.raises(UsageError, match="two rows"):
            one().fit([[1.0, 2.0]])
        with pytest.raises(UsageError, match="seen no data"):
            one().sample(np.zeros(2), Columns("x", (0,)), 1, np.random.default_rng(0))


# -- groups, seeds, chunks -----------------------------------------------------------------------------------------


def plain(X):
    return X @ np.array([3.0, 0.0, 1.0])


LAW = Gaussian(mean=np.zeros(3), covariance=np.eye(3))
ROWS = np.array([[4.0, 4.0, 0.1], [0.2, -3.0, 2.0], [-3.5, 0.3, 0.4], [0.0, 0.0, 0.0]])


def test_15_groups_may_overlap_be_empty_or_be_everything():
    groups = [Columns("a", (0,)), Columns("ab", (0, 1)), Columns("none", ()), Columns("all", (0, 1, 2))]
    found = irt(plain, ROWS, LAW, groups, draws=199, q=0.2)
    p = found.p_values.reshape(4, 4)
    assert (p[:, 2] == 1).all()
    assert p[0, 0] < 0.02
    assert p[0, 1] < 0.02
    assert p[0, 3] < 0.02
    shot = osft(plain, ROWS, LAW, groups, q=0.4)
    assert (shot.test.t_.reshape(4, 4)[:, 2] == 0).all()


def test_16_chunks_order_and_company_change_no_p():
    whole = irt(plain, ROWS, LAW, draws=50, seed=3).p_values.reshape(4, 3)
    for chunk in (1, 7, 100_000):
        assert (irt(plain, ROWS, LAW, draws=50, seed=3, chunk=chunk).p_values.reshape(4, 3) == whole).all()
    turned = irt(plain, ROWS[::-1].copy(), LAW, columns(3)[::-1], draws=50, seed=3).p_values.reshape(4, 3)
    assert (turned[::-1, ::-1] == whole).all()
    alone = irt(plain, ROWS[1:2], LAW, draws=50, seed=3).p_values
    assert (alone == whole[1]).all()
    assert (irt(plain, ROWS, LAW, draws=50, seed=4).p_values.reshape(4, 3) != whole).any()


def test_16_twins_have_draws_of_their_own():
    found = observe(plain, ROWS[[0, 0]], LAW, columns(3), draws=5)
    assert (found.outputs.drawn[:3] != found.outputs.drawn[3:]).any()
    assert len(set(content_ids(ROWS[[0, 0, 1]]))) == 3


def test_adaptive_draws_ask_less_and_equal_those_of_the_full_array():
    asked = []

    def counted(X):
        asked.append(len(X))
        return plain(X)

    found = irt(counted, ROWS, LAW, draws=199, adaptive=5, q=0.2)
    assert sum(asked) < 12 * 219 * 0.75
    assert (found.test.used_[[0]] == 199).all()
    again = IRT(draws=199, adaptive=5, q=0.2).fit_outputs(found.outputs)
    assert (again.p_values_ == found.p_values).all()
    assert (irt(plain, ROWS, LAW, draws=199, adaptive=5, q=0.2, chunk=3).p_values == found.p_values).all()


# -- guards --------------------------------------------------------------------------------------------------------


class Faulty(Sampler):
    """Breaks the contract in the way that it is told to."""

    def __init__(self, fault=""):
        self.fault = fault

    def sample(self, x, group, n, rng):
        if self.fault == "mutates":
            x[:] = 99.0
            x[0] = rng.normal()
            return [np.where(np.isin(np.arange(3), group.at), rng.normal(size=3), ROWS[0]) for _ in range(n)]
        if self.fault == "same":
            return [x] * n
        if self.fault == "one object":
            other = x.copy()
            return [other] * n
        if self.fault == "few":
            return [x.copy()]
        if self.fault == "shape":
            return np.zeros((n, 2))
        if self.fault == "constant":
            rows = np.repeat(x[None], n, axis=0)
            rows[:, list(group.at)] = 0.5
            return rows
        rows = np.repeat(x[None], n, axis=0)
        return rows + 1  # "outside"


def test_17_a_sampler_that_changes_its_input_does_not_change_ours():
    X = ROWS[:1].copy()
    irt(plain, X, Faulty("mutates"), draws=9)
    assert np.array_equal(X, ROWS[:1])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("one object", "same array"),
        ("few", "gave 1 draws where 9"),
        ("shape", "shape"),
        ("outside", "outside its group"),
    ],
)
def test_17_a_sampler_that_breaks_its_contract_is_named(fault, said):
    with pytest.raises(UsageError, match=said):
        irt(plain, ROWS, Faulty(fault), draws=9)


def test_18_a_deterministic_in_filler_is_refused_or_warned_of():
    found = irt(plain, ROWS, Faulty("constant"), draws=9)
    assert "deterministic" in kinds(found)
    told = Faulty("constant")
    told.deterministic = True
    with pytest.raises(UsageError, match="same counterfactual"):
        irt(plain, ROWS, told, draws=9)
    shot = osft(plain, ROWS[:3], told, lambda x: [Columns("a", (0,))], side="one")
    assert "deterministic" in kinds(shot)


def test_18_a_sampler_that_returns_its_input_finds_nothing():
    class Same(Faulty):
        def sample(self, x, group, n, rng):
            return np.repeat(x[None], n, axis=0)

    found = irt(plain, ROWS, Same(), draws=9)
    assert (found.p_values == 1).all()
    assert "unmoved" in kinds(found)


def test_19_several_outputs_need_a_read_out_and_the_class_stays():
    def classes(X):
        return np.stack([plain(X), -plain(X)], axis=1)

    with pytest.raises(UsageError, match=r"gives 2 numbers .*readout='log-odds'"):
        irt(classes, ROWS, LAW, draws=9)
    subject = Called(classes, readout="log-odds")
    Y, chosen = subject.choose(ROWS)
    assert chosen.tolist() == [0, 0, 1, 0]
    assert subject.read(ROWS[:1], np.array([1]), np.array([0]))[0] == pytest.approx(-Y[0])
    assert irt(subject, ROWS, LAW, draws=99, q=0.2).selected.reshape(4, 3)[0, 0]


def test_7_log_odds_come_from_logits_and_stay_finite():
    subject = Called(lambda X: np.stack([1e4 * plain(X), np.zeros(len(X))], axis=1), readout="log-odds")
    assert np.isfinite(subject.choose(ROWS)[0]).all()


def test_nan_of_a_model_is_refused_with_a_count():
    with pytest.raises(UsageError, match="3 of 12 hypotheses have outputs that are NaN"):
        irt(lambda X: np.where(X[:, 1] == 4.0, np.nan, plain(X)), ROWS, LAW, draws=9, side="one")


def test_estimators_of_sklearn_are_subjects():
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = (X[:, 0] > 0).astype(int)
    law = Gaussian().fit(X)
    for model in (LogisticRegression(), RandomForestClassifier(20, random_state=0), LinearRegression()):
        subject = as_subject(model.fit(X, y))
        values, _ = subject.choose(X)
        assert np.isfinite(values).all()
        unusual = X[:40].copy()
        unusual[:, 0] += 5 * np.sign(unusual[:, 0])  # a draw from the law itself is no discovery
        found = irt(model, unusual, law, draws=99, q=0.2)
        counts = found.table((40, 3)).sum(axis=0)
        if not isinstance(model, RandomForestClassifier):  # a forest says no more of 5 than of 1
            assert counts[0] > counts[1] + counts[2]
    with pytest.raises(UsageError, match="cannot be explained"):
        as_subject(3)


def test_a_subject_that_gives_the_wrong_number_of_outputs_is_named():
    class Few(Subject):
        name = "few"

        def values(self, batch, which):
            return np.zeros(1)

    with pytest.raises(UsageError, match=r"few gave outputs of shape \(1,\) for 4 inputs"):
        irt(Few(), ROWS, LAW, draws=9)


def test_nothing_to_test_is_said():
    with pytest.raises(UsageError, match="nothing to test"):
        irt(plain, ROWS, LAW, [], draws=9)
    with pytest.raises(UsageError, match=r"shape \(3,\)"):
        irt(plain, ROWS[0], LAW, draws=9)
