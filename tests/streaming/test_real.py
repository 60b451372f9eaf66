"""The sketch on the releases' own rows, in the order of the files: the table of the sheet of facts."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.streaming import HingeSketch
from gnomon.streaming._solve import solve

SHEET = [  # data, columns, lam, k, nodes at most, suboptimality and certificate of the sheet of facts
    ("skin", [2], 1e-2, 128, 300, 1.4e-5, 5.7e-5),
    ("skin", [2], 1e-4, 128, 300, 5.2e-5, 1.7e-4),
    ("skin", [0, 2], 1e-2, 512, 1300, 5.7e-6, 3.0e-3),
    ("elec", [1], 1e-4, 128, 300, 5.4e-6, 9.4e-5),
    ("elec", [0, 1], 1e-4, 512, 1300, 2.0e-4, 1.2e-2),
    ("skin", [0, 1, 2], 1e-4, 3400, 10_200, 2.6e-7, 2.3e-3),
]


@pytest.fixture(scope="module")
def tables(release):
    import gzip

    root = release("tabular")
    with gzip.open(root / "skin_nonskin" / "Skin_NonSkin.txt.gz") as file:
        skin = np.loadtxt(file)
    with gzip.open(root / "elec" / "elec.csv.gz", "rt") as file:
        elec = np.loadtxt(file, delimiter=",", skiprows=1)
    return {
        "skin": (skin[:, :3] / 127.5 - 1, np.where(skin[:, 3] == 1, 1.0, -1.0)),
        "elec": (2 * elec[:, 1:3] - 1, np.where(elec[:, 6] == 1, 1.0, -1.0)),
    }


def optimum(X, y, lam):
    """min F, with each distinct row once."""
    values, inverse = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
    best = solve(values[:, :-1], values[:, -1], np.bincount(inverse.ravel()) / len(X), lam)
    assert best.value - best.bound < 1e-8
    return best.value


def objective(X, y, fit, lam):
    return np.maximum(0, 1 - y * (X @ fit.coef + fit.intercept)).mean() + lam / 2 * (fit.w @ fit.w)


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("name, columns, lam, k, nodes, gap, certificate", SHEET)
def test_the_table_of_real_data_is_reproduced(tables, release, name, columns, lam, k, nodes, gap, certificate):
    X, y = tables[name][0][:, columns], tables[name][1]
    sketch = HingeSketch(k=k).partial_fit(X, y)
    fit = sketch.solve(lam)
    found = objective(X, y, fit, lam) - optimum(X, y, lam)
    assert sketch.n_nodes_ <= nodes
    assert found <= 3 * gap + 1e-9
    assert found <= fit.gap <= 1.2 * certificate


@pytest.mark.realdata
def test_skin_by_its_red_channel_in_the_order_of_the_file(tables, release):
    X, y = tables["skin"][0][:, 2:], tables["skin"][1]
    sketch = HingeSketch(k=112)
    for rows in np.array_split(np.arange(len(X)), 4):
        sketch.partial_fit(X[rows], y[rows])
    fit = sketch.solve(0.01)
    assert 200 <= sketch.n_nodes_ <= 340
    assert optimum(X, y, 0.01) == pytest.approx(0.3516, abs=2e-4)
    assert objective(X, y, fit, 0.01) - optimum(X, y, 0.01) < 1e-4
    assert fit.gap < 1e-3
