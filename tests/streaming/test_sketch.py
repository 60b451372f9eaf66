"""The sketch against brute force: what the sheet of facts says must hold. The oracle shares no code with the sketch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from gnomon.streaming import HingeSketch, InputError
from gnomon.streaming._core import Core, node_bound


def brute(X, y, theta, b, lam=0.0, w=None):
    """F for queries theta (q, d), b (q,)."""
    u = np.maximum(0, 1 - y[:, None] * (X @ np.atleast_2d(theta).T + b))
    return np.average(u, axis=0, weights=w) + lam / 2 * ((np.atleast_2d(theta) ** 2).sum(axis=1) + np.square(b))


def data(kind, n, d, seed=0):
    """Points of [-1, 1]^d with noisy labels."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, d))
    if kind == "spike":
        X[: n // 2] = 0.3 + 1e-4 * rng.normal(size=(n // 2, d))
        X = rng.permutation(X)
    elif kind == "line":
        X = X[:, :1] * np.linspace(1, 0.4, d)
    elif kind == "atoms":
        X = np.round(X * 9) / 9
    elif kind == "sorted":
        X = X[np.argsort(X[:, 0])]
    y = np.where(X.sum(axis=1) + 0.5 * rng.normal(size=n) > 0.1, 1.0, -1.0)
    if kind == "sorted":
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    return X, y


def queries(q, d, seed=1, scale=(0.8, 4)):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(q, d + 1))
    w *= (rng.uniform(*scale, size=q) / np.linalg.norm(w, axis=1))[:, None]
    return w[:, :-1], w[:, -1]


def built(X, y, k, seed=0, parts=1, **more):
    sketch = HingeSketch(k=k, seed=seed, **more)
    for rows in np.array_split(np.arange(len(X)), parts):
        sketch.partial_fit(X[rows], y[rows])
    return sketch


KINDS = ["uniform", "spike", "line", "atoms", "sorted"]


def test_theta_of_zero_is_exact():
    X, y = data("uniform", 5000, 2)
    sketch = built(X, y, 16)
    for b in (-2.0, 0.0, 0.5, 1.0, 3.0):
        p = (y > 0).mean()
        value = sketch.objective([0, 0], b, lam=0.3)
        expected = 0.3 * b * b / 2 + p * max(0, 1 - b) + (1 - p) * max(0, 1 + b)
        assert value.low == pytest.approx(expected, abs=1e-12)
        assert value.high == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("lam", [0.01, 0.5, 1.0, 4.0])
def test_two_points_have_the_solution_that_is_known(lam):
    x = np.array([[-1.0], [1.0]] * 500)
    fit = HingeSketch(k=4).partial_fit(x, x[:, 0]).solve(lam)
    best = lam / 2 if lam <= 1 else 1 - 1 / (2 * lam)
    assert fit.coef[0] == pytest.approx(min(1, 1 / lam), abs=1e-5)
    assert fit.intercept == pytest.approx(0, abs=1e-6)
    assert fit.value == pytest.approx(best, abs=1e-9)
    assert fit.gap < 1e-8


@pytest.mark.parametrize("lam", [0.01, 0.5, 1.0, 4.0])
def test_one_label_and_symmetric_points_are_solved_by_the_bias(lam):
    x = np.linspace(-1, 1, 101)[:, None]
    fit = HingeSketch(k=256).partial_fit(x, np.ones(101)).solve(lam)
    assert abs(fit.coef[0]) < 1e-6
    assert fit.intercept == pytest.approx(min(1, 1 / lam), abs=1e-5)
    assert fit.value == pytest.approx(lam / 2 if lam <= 1 else 1 - 1 / (2 * lam), abs=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_holds_for_ten_thousand_queries_after_every_batch(kind, d):
    X, y = data(kind, 4000, d)
    theta, b = queries(10_000 // 4, d)
    sketch = HingeSketch(k=32)
    for rows in np.array_split(np.arange(4000), 4):
        sketch.partial_fit(X[rows], y[rows])
        value = sketch.objective(theta, b)
        true = brute(X[: rows[-1] + 1], y[: rows[-1] + 1], theta, b)
        assert (value.low <= true + 1e-9).all()
        assert (true <= value.high + 1e-9).all()
        assert (value.low <= value.estimate).all()
        assert (value.estimate <= value.high).all()


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_counts_and_sums_are_exact_and_nodes_are_few(kind, d):
    X, y = data(kind, 30_000, d)
    sketch, k = HingeSketch(k=50), 50
    for rows in np.array_split(np.arange(30_000), 17):
        sketch.partial_fit(X[rows], y[rows])
        assert sketch.n_nodes_ <= node_bound(d, k)
    mass, total = sketch.sums()
    assert mass.tolist() == [(y < 0).sum(), (y > 0).sum()]
    for label, row in zip((-1, 1), total, strict=True):
        np.testing.assert_allclose(row, X[y == label].sum(axis=0), rtol=1e-12, atol=1e-12 * len(X))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_nodes_above_the_bottom_hold_at_most_tau_and_families_that_stay_hold_more(d):
    X, y = data("spike", 20_000, d)
    sketch = built(X, y, 40, parts=9)
    core: Core = sketch._core
    core.flush()
    tau = core.weight / core.k
    assert core.count > 2 * core.k  # else nothing need move
    for table in core.tables:
        level = core.lattice.levels(table.key)
        assert (level >= core.base).all()
        assert (table.mass[level < core.lattice.depth] <= tau).all()
        mass = dict(zip(table.key.tolist(), table.mass.tolist(), strict=True))
        families: dict[int, float] = {}
        for key, one in zip(table.key[level > core.base].tolist(), table.mass[level > core.base], strict=True):
            families[key >> d] = families.get(key >> d, 0.0) + one
        assert all(total + mass.get(key, 0.0) > tau for key, total in families.items())


def test_every_point_of_a_node_is_in_its_box_and_the_sample_is_one_of_them():
    X, y = data("uniform", 3000, 2)
    sketch = built(X, y, 20, parts=5)
    core = sketch._core
    core.flush()
    points = {tuple(row) for row in X.tolist()}
    for table in core.tables:
        low, width = core.lattice.boxes(table.key)
        for part in (table.sample, table.total / table.mass[:, None]):
            assert (part >= low - 1e-12).all()
            assert (part <= low + width[:, None] + 1e-12).all()
        assert {tuple(row) for row in table.sample.tolist()} <= points


def slope(sizes, errors):
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


@pytest.mark.slow
def test_error_falls_with_space_as_the_theory_says():
    rng = np.random.default_rng(5)
    for d, which, least, most in ((1, "mid", -2.3, -1.7), (2, "rep", -1.7, -1.15)):
        X, y = data("uniform", 100_000, d)
        theta, b = queries(60, d)
        true = brute(X, y, theta, b)
        sizes, errors, sampled = [], [], []
        for k in (16, 32, 64, 128, 256, 512):
            runs = [built(X, y, k, seed=seed) for seed in range(3)]
            sizes.append(np.mean([one.n_nodes_ for one in runs]))
            wrong = [getattr(one.objective(theta, b), which) - true for one in runs]
            errors.append(np.sqrt(np.mean(np.square(wrong))))
            rows = [rng.choice(len(X), int(sizes[-1]), replace=False) for _ in range(20)]
            sampled.append(np.sqrt(np.mean([np.square(brute(X[r], y[r], theta, b) - true) for r in rows])))
        assert least <= slope(sizes, errors) <= most
        assert -0.8 <= slope(sizes, sampled) <= -0.3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["as it is", "reversed", "shuffled", "by label"])
def test_the_deterministic_bound_holds_for_one_direction_in_any_order(kind, order):
    X, y = data(kind, 20_000, 1)
    rng = np.random.default_rng(3)
    rows = {
        "as it is": np.arange(20_000),
        "reversed": np.arange(20_000)[::-1],
        "shuffled": rng.permutation(20_000),
        "by label": np.argsort(y, kind="stable"),
    }[order]
    theta, b = queries(1000, 1)
    true = brute(X, y, theta, b)
    for k in (16, 64):
        sketch = built(X[rows], y[rows], k, parts=7)
        value = sketch.objective(theta, b)
        bound = 2 * np.abs(theta[:, 0]) * sketch.radius_ / k**2
        assert (np.abs(value.mid - true) <= bound + 1e-12).all()
        assert (value.high - value.low <= 2 * bound + 1e-12).all()


def test_the_sampled_estimate_is_unbiased_and_within_its_deviation():
    X, y = data("uniform", 4000, 2)
    theta, b = queries(5, 2)
    true = brute(X, y, theta, b)
    found = np.array([built(X, y, 64, seed=seed).objective(theta, b).rep for seed in range(1000)])
    error = found.std(axis=0) / math.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - true) <= 4 * error).all()
    assert (found.std(axis=0) <= 2 * np.linalg.norm(theta, axis=1) * 64**-1.25).all()


def test_a_sample_is_uniform_over_the_points_of_its_node_on_a_sorted_stream():
    X = np.linspace(-1, 1, 1000)[:, None]
    firsts = []
    for seed in range(800):
        sketch = built(X, np.ones(1000), 1, seed=seed, parts=3)
        table = sketch._core.tables[1]
        at = np.argmax(table.mass)
        firsts.append(float(table.sample[at, 0]))
    low, width = sketch._core.lattice.boxes(table.key[at : at + 1])
    inside = X[(X[:, 0] >= low[0, 0]) & (X[:, 0] <= low[0, 0] + width[0]), 0]
    counts, _ = np.histogram(firsts, bins=10, range=(inside.min(), inside.max()))
    expected = 800 / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-square, 9 degrees, p = .001


@pytest.mark.parametrize("shards", [1, 2, 16, 100])
@pytest.mark.parametrize("tree", ["chain", "pairs"])
def test_merged_shards_keep_the_bounds(shards, tree):
    for d, k in ((1, 64), (2, 128)):
        X, y = data("uniform", 20_000, d)
        theta, b = queries(300, d)
        true = brute(X, y, theta, b)
        rows = np.array_split(np.random.default_rng(0).permutation(20_000), shards)
        parts = [built(X[r], y[r], k, seed=s) for s, r in enumerate(rows)]
        while len(parts) > 1:
            if tree == "chain":
                parts = [parts[0].copy().merge(parts[1]), *parts[2:]]
            else:
                parts = [
                    parts[i].copy().merge(parts[i + 1]) if i + 1 < len(parts) else parts[i]
                    for i in range(0, len(parts), 2)
                ]
        [whole] = parts
        value = whole.objective(theta, b)
        assert whole.n_seen_ == 20_000
        assert whole.n_nodes_ <= node_bound(d, k)
        assert (value.low <= true + 1e-9).all()
        assert (true <= value.high + 1e-9).all()
        bound = 2 * np.abs(theta).sum(axis=1) * whole.radius_ / (k**2 if d == 1 else k)
        assert (np.abs(value.estimate - true) <= bound).all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_few_distinct_values_are_exact(d):
    rng = np.random.default_rng(0)
    atoms = rng.uniform(-1, 1, (37, d))
    X = atoms[rng.integers(0, 37, 50_000)]
    y = np.where(rng.random(50_000) < 0.5 + 0.4 * np.sign(X[:, 0]), 1.0, -1.0)
    sketch = built(X, y, 100, parts=3)
    theta, b = queries(500, d)
    value = sketch.objective(theta, b)
    true = brute(X, y, theta, b)
    for part in (value.low, value.high, value.estimate):
        np.testing.assert_allclose(part, true, atol=1e-12)


def test_planes_outside_the_data_and_on_edges_of_cells_are_exact_or_bracketed():
    X, y = data("uniform", 10_000, 1)
    sketch = built(X, y, 32)
    outside = sketch.objective([0.1], 5.0)
    assert outside.low == pytest.approx(outside.high, abs=1e-12)
    assert outside.low == pytest.approx(brute(X, y, [0.1], 5.0)[0], abs=1e-12)
    theta = np.full((65, 1), 1.0)
    b = 1 - np.linspace(-1, 1, 65)  # for y = +1 the plane is on an edge
    value = sketch.objective(theta, b)
    assert np.isfinite([value.low, value.high, value.mid, value.rep]).all()
    true = brute(X, y, theta, b)
    assert (value.low <= true + 1e-12).all()
    assert (true <= value.high + 1e-12).all()


def test_the_lower_bound_is_convex():
    X, y = data("spike", 10_000, 2)
    sketch = built(X, y, 20)
    (t1, b1), (t2, b2) = queries(2000, 2, 1), queries(2000, 2, 2)
    ends = sketch.objective(t1, b1).low + sketch.objective(t2, b2).low
    assert (ends >= 2 * sketch.objective((t1 + t2) / 2, (b1 + b2) / 2).low - 1e-12).all()


def optimum(X, y, lam):
    """F at what a general solver makes of the dual, which is nothing of ours: never below min F, and near it."""
    Z = np.column_stack([X, np.ones(len(X))]) * y[:, None]
    n = len(X)
    done = minimize(
        lambda a: (a @ Z) @ (a @ Z) / (2 * lam * n * n) - a.mean(),
        np.full(n, 0.5),
        jac=lambda a: Z @ (a @ Z) / (lam * n * n) - 1 / n,
        bounds=[(0, 1)] * n,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9},
    )
    return brute(X, y, *np.split(done.x @ Z / (lam * n), [-1]), lam)[0]


@pytest.mark.slow
def test_the_certificate_is_never_below_the_true_gap():
    rng = np.random.default_rng(11)
    for problem in range(500):
        d, k = int(rng.integers(1, 4)), int(rng.choice([2, 8, 32]))
        n, lam = int(rng.integers(1, 120)), float(10 ** rng.uniform(-3, 1))
        X, y = data(KINDS[problem % 5], max(n, 20), d, seed=problem)
        X *= 10 ** rng.uniform(-1, 1)
        fit = built(X, y, k, seed=problem, parts=2).solve(lam)
        least = optimum(X, y, lam)
        here = brute(X, y, fit.coef, fit.intercept, lam)[0]
        assert here - least <= fit.gap + 1e-9
        assert fit.low <= here + 1e-9
        assert here <= fit.high + 1e-9
        assert np.linalg.norm(fit.w) <= 1 / math.sqrt(lam) + 1e-9


@pytest.mark.parametrize("d", [1, 2])
def test_points_given_r_times_or_with_weight_r_are_the_same_points(d):
    X, y = data("uniform", 500, d)
    theta, b = queries(50, d)
    once = built(X, y, 1000)
    thrice = HingeSketch(k=1000).partial_fit(np.repeat(X, 3, axis=0), np.repeat(y, 3))
    weighted = HingeSketch(k=1000).partial_fit(X, y, np.full(500, 3.0))
    expected = once.objective(theta, b)
    for other in (thrice, weighted):
        np.testing.assert_allclose(other.objective(theta, b).estimate, expected.estimate, atol=1e-12)
    assert thrice.n_nodes_ == weighted.n_nodes_ == once.n_nodes_
    assert weighted.weight_ == thrice.weight_ == 1500


def test_weights_are_bounded_like_counts():
    rng = np.random.default_rng(0)
    X, y = data("uniform", 20_000, 1)
    w = rng.exponential(size=20_000)
    sketch = HingeSketch(k=64).partial_fit(X[:9000], y[:9000], w[:9000]).partial_fit(X[9000:], y[9000:], w[9000:])
    theta, b = queries(300, 1)
    true = brute(X, y, theta, b, w=w)
    value = sketch.objective(theta, b)
    assert (np.abs(value.mid - true) <= 2 * np.abs(theta[:, 0]) / 64**2).all()
    assert (value.low <= true + 1e-9).all()
    assert (true <= value.high + 1e-9).all()
    assert sketch.n_nodes_ <= node_bound(1, 64)


@pytest.mark.parametrize("scale", [2.0**-40, 0.37, 1e6])
def test_scaling_the_points_scales_the_lattice(scale):
    X, y = data("uniform", 20_000, 2)
    theta, b = queries(200, 2)
    plain, scaled = built(X, y, 64), built(X * scale, y, 64)
    np.testing.assert_allclose(brute(X, y, theta, b), brute(X * scale, y, theta / scale, b), atol=1e-9)
    value, other = plain.objective(theta, b), scaled.objective(theta / scale, b)
    true = brute(X, y, theta, b)
    assert (other.low <= true + 1e-9).all()
    assert (true <= other.high + 1e-9).all()
    if math.log2(scale).is_integer():
        np.testing.assert_allclose(value.estimate, other.estimate, atol=1e-12)


def test_a_range_that_grows_keeps_the_interval_and_the_sums():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(2000, 2)) * 4.0**power for power in range(8)]
    X = np.concatenate(parts)
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    sketch = HingeSketch(k=64)
    for at in range(0, len(X), 500):
        sketch.partial_fit(X[at : at + 500], y[at : at + 500])
    theta, b = queries(300, 2, scale=(1e-4, 1))
    true, value = brute(X, y, theta, b), sketch.objective(theta, b)
    assert (value.low <= true * (1 + 1e-9) + 1e-9).all()
    assert (true <= value.high * (1 + 1e-9) + 1e-9).all()
    assert sketch.radius_ >= np.abs(X).max() > sketch.radius_ / 2
    assert sketch.sums()[0].sum() == len(X)


def test_a_small_outlier_free_bound_is_widened_and_an_edge_is_inside():
    sketch = HingeSketch(k=8, radius=1.0).partial_fit([[-1.0], [1.0]], [-1, 1])
    assert sketch.radius_ == 1.0
    sketch.partial_fit([[1.5]], [1])
    assert sketch.radius_ == 2.0
    value = sketch.objective([1.0], 0.0)
    assert value.low == value.high == pytest.approx(0.0)


@pytest.mark.parametrize("k", [1, 2, 1000])
@pytest.mark.parametrize("d", [1, 2, 3, 6, 9])
def test_one_row_two_rows_and_a_size_of_one(k, d):
    one = HingeSketch(k=k).partial_fit(np.full((1, d), 0.25), [1])
    assert one.objective(np.ones(d), 0.0).estimate == pytest.approx(max(0, 1 - 0.25 * d))
    one.partial_fit(np.full((1, d), -0.5), [-1])
    true = (max(0, 1 - 0.25 * d) + max(0, 1 - 0.5 * d)) / 2
    value = one.objective(np.ones(d), 0.0)
    assert value.low - 1e-12 <= true <= value.high + 1e-12
    assert one.solve(0.1).gap >= 0


def test_more_directions_than_three_still_give_a_true_interval():
    for d in (4, 5, 6, 20):
        X, y = data("uniform", 5000, d)
        sketch = built(X, y, 128, parts=3)
        theta, b = queries(200, d)
        true, value = brute(X, y, theta, b), sketch.objective(theta, b)
        assert (value.low <= true + 1e-9).all()
        assert (true <= value.high + 1e-9).all()


def test_empty_sketches_say_so_and_merge_to_nothing():
    empty = HingeSketch(k=8)
    for call in (lambda: empty.objective([1.0], 0.0), lambda: empty.solve(0.1)):
        with pytest.raises(InputError, match="empty, and a mean over no rows is undefined"):
            call()
    full = HingeSketch(k=8).partial_fit([[0.5]], [1])
    assert full.merge(HingeSketch(k=8)) is full
    assert HingeSketch(k=8).merge(full).n_seen_ == 1
    with pytest.raises(InputError, match="k = 8 and of d = 1, k = 9 cannot be merged"):
        full.merge(HingeSketch(k=9).partial_fit([[0.5]], [1]))
    with pytest.raises(InputError, match="empty"):
        HingeSketch(k=8).partial_fit([[float("nan")]], [1]).objective([1.0], 0.0)


@pytest.mark.parametrize(
    "X, y, weight, sentence",
    [
        ([[1.0]], [0], None, "labels must be -1 and \\+1, and 0 was found"),
        ([[1.0]], [2], None, "and 2 was found"),
        ([1.0], [1], None, "X has the shape \\(1,\\)"),
        ([[1.0], [2.0]], [1], None, "2 rows, and y has the shape"),
        ([[1.0]], [1], [-1.0], "a weight of -1 was given"),
        ([["a"]], [1], None, "rows must be numbers"),
        ([[1e305]], [1], None, "too large to be sketched"),
    ],
)
def test_bad_rows_are_refused_in_a_sentence(X, y, weight, sentence):
    with pytest.raises(InputError, match=sentence):
        HingeSketch(k=1).partial_fit(X, y, weight).objective([1.0], 0.0)


def test_rows_that_are_not_finite_are_counted_and_a_changed_width_is_refused():
    sketch = HingeSketch(k=8).partial_fit([[0.5], [np.nan], [np.inf], [0.25]], [1, 1, -1, np.nan])
    assert (sketch.n_seen_, sketch.n_rejected_) == (1, 3)
    with pytest.raises(InputError, match="X has 2 columns, and 1 came before"):
        sketch.partial_fit([[1.0, 2.0]], [1])
    with pytest.raises(InputError, match="no queries for 1 columns"):
        sketch.objective([1.0, 2.0], 0.0)
    with pytest.raises(InputError, match="61 directions cannot be sketched"):
        HingeSketch(k=8).partial_fit(np.ones((1, 61)), [1])


def test_memory_counts_nodes_and_buffer_and_is_what_arrays_take():
    X, y = data("uniform", 10_000, 2)
    sketch = HingeSketch(k=100)
    for at in range(0, 10_000, 30):  # fewer than k at a time: they wait in the buffer
        sketch.partial_fit(X[at : at + 30], y[at : at + 30])
    memory = sketch.memory()
    assert memory.buffer == 100 * 4 * 8
    arrays = [getattr(t, n) for t in sketch._core.tables for n in ("key", "mass", "total", "sample", "single")]
    assert memory.nodes == sum(len(a.tobytes()) for a in arrays)
    assert memory.kept == memory.nodes + memory.buffer
    assert sketch.n_seen_ == 10_000


@pytest.mark.parametrize("d", [1, 2, 3, 6, 9])
def test_sketches_of_different_ranges_merge(d):
    (X, y), (Z, v) = data("uniform", 3000, d, seed=0), data("uniform", 3000, d, seed=1)
    small, large = built(X, y, 64, seed=1), built(37 * Z, v, 64, seed=2)
    theta, b = queries(200, d, scale=(0.01, 1))
    true = brute(np.concatenate([X, 37 * Z]), np.concatenate([y, v]), theta, b)
    for whole in (small.copy().merge(large), large.copy().merge(small), small.copy().partial_fit(37 * Z, v)):
        value = whole.objective(theta, b)
        assert whole.radius_ == 64
        assert (value.low <= true + 1e-9).all()
        assert (true <= value.high + 1e-9).all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_what_taking_in_uses_is_no_more_than_is_said(d):
    import tracemalloc

    X, y = data("uniform", 1 << 16, d)
    sketch = built(X[:5000], y[:5000], 256)
    tracemalloc.start()
    sketch.partial_fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= sketch.memory().working + sketch.memory().kept
