"""The hinge sketch beside what else learns from a stream: speed, error at equal memory, slopes, and the sheet's tables.

Belongs here: measuring. Does not belong here: whether bounds hold (`tests/streaming/`).

    python bench/stream.py speed
    python bench/stream.py equal
    python bench/stream.py slopes
    python bench/stream.py shards
    python bench/stream.py real --data FOLDER        # the folder that holds tabular/skin_nonskin and tabular/elec
    python bench/stream.py all --data FOLDER

KLL of Apache and river are measured where datasketches and river are installed, and named as missing where not.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.streaming import HingeSketch, Pegasos, QuantileHinge, ReservoirSVM, RiverSVM, SklearnSGD
from gnomon.streaming._solve import solve

KINDS = {1: ("uniform", "spike"), 2: ("uniform", "spike", "line"), 3: ("uniform", "spike")}


def points(kind: str, n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of [-1, 1]^d with noisy labels, in random order."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, d))
    if kind == "spike":
        X[: n // 2] = 0.3 + 1e-3 * rng.normal(size=(n // 2, d))
        X = X[rng.permutation(n)]
    if kind == "line":
        X = X[:, :1] * np.linspace(1, 0.5, d)
    return X, np.where(X.sum(axis=1) + 0.5 * rng.normal(size=n) > 0.1, 1.0, -1.0)


def queries(q: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """|(theta, b)| = .8 to 4."""
    rng = np.random.default_rng(1)
    w = rng.normal(size=(q, d + 1))
    w *= (rng.uniform(0.8, 4, q) / np.linalg.norm(w, axis=1))[:, None]
    return w[:, :-1], w[:, -1]


def exact(X: np.ndarray, y: np.ndarray, theta: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([np.maximum(0, 1 - y * (X @ t + c)).mean() for t, c in zip(theta, b, strict=True)])


def rms(found: Any, true: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(found) - true))))


def sample_error(X: np.ndarray, y: np.ndarray, size: int, theta: np.ndarray, b: np.ndarray, true: np.ndarray) -> float:
    """Root mean square over ten uniform samples."""
    rng = np.random.default_rng(2)
    rows = [rng.choice(len(X), min(size, len(X)), replace=False) for _ in range(10)]
    return float(np.sqrt(np.mean([rms(exact(X[r], y[r], theta, b), true) ** 2 for r in rows])))


def speed(given: argparse.Namespace) -> None:
    """Points a second, one core, in parts of 2^16 rows."""
    print("\n## speed: million points a second; median (range) of rounds")
    print("| d | k | hinge sketch | nodes | SGDClassifier | Pegasos |\n|---|---|---|---|---|---|")
    for d, k in ((1, 64), (1, 1024), (2, 256), (2, 1024), (3, 1024)):
        X, y = points("uniform", given.n, d)
        rates: dict[str, list[float]] = {"sketch": [], "sgd": [], "pegasos": []}
        for _ in range(given.repeats):
            small = len(X) // 40
            makers: dict[str, tuple[Any, int]] = {
                "sketch": (HingeSketch(k=k), len(X)),
                "sgd": (SklearnSGD(lam=1e-3), len(X)),
                "pegasos": (Pegasos(lam=1e-3), small),
            }
            for name, (one, rows) in makers.items():
                began = time.perf_counter()
                for at in range(0, rows, 1 << 16):
                    one.partial_fit(X[at : min(rows, at + (1 << 16))], y[at : min(rows, at + (1 << 16))])
                rates[name].append(rows / (time.perf_counter() - began) / 1e6)
                if name == "sketch":
                    nodes = one.n_nodes_
        shown = {name: f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for name, r in rates.items()}
        print(f"| {d} | {k} | {shown['sketch']} | {nodes:,} | {shown['sgd']} | {shown['pegasos']} |", flush=True)


def kll_of_apache(X: np.ndarray, y: np.ndarray, size: int, theta: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, int]:
    """Estimates from two sketches of the package datasketches, and bytes of their values (8 each)."""
    from datasketches import kll_doubles_sketch

    found, kept = np.zeros(len(b)), 0
    for sign in (-1.0, 1.0):
        sketch = kll_doubles_sketch(size)
        sketch.update(X[y == sign, 0])
        pairs = np.array(list(sketch))
        found += pairs[:, 1] @ np.maximum(0, 1 - sign * (pairs[:, :1] * theta[:, 0] + b))
        kept += 8 * len(pairs)
    return found / len(X), kept


def equal(given: argparse.Namespace) -> None:
    """Error of objectives, and suboptimality, at the bytes that the sketch keeps (nodes and buffer)."""
    print(f"\n## error at equal memory, n = {given.n:,}, lam = 1e-3, rms over 60 queries")
    print("| d | data | method | bytes | rms error of F | F(w) - min F |\n|---|---|---|---|---|---|")
    for d in (1, 2):
        for kind in ("uniform", "sorted by label"):
            X, y = points("uniform", given.n, d)
            if kind != "uniform":
                order = np.argsort(y, kind="stable")
                X, y = X[order], y[order]
            _equal(d, kind, X, y)


def _equal(d: int, kind: str, X: np.ndarray, y: np.ndarray) -> None:
    lam, n = 1e-3, len(X)
    theta, b = queries(60, d)
    true = exact(X, y, theta, b)
    best = solve(X, y, np.full(n, 1 / n), lam).value

    def above(coef: np.ndarray, bias: float) -> str:
        loss = np.maximum(0, 1 - y * (X @ np.ravel(coef) + bias)).mean()
        return f"{loss + lam / 2 * (np.square(coef).sum() + bias**2) - best:.1e}"

    sketch = HingeSketch(k=128 if d == 1 else 512).partial_fit(X, y)
    fit, memory = sketch.solve(lam), sketch.memory().nodes + 8 * (d + 2) * sketch.k
    found: list[tuple[str, int, str, str]] = []
    error = f"{rms(sketch.objective(theta, b).estimate, true):.1e}"
    found.append((f"hinge sketch, {sketch.n_nodes_} nodes", memory, error, above(fit.coef, fit.intercept)))
    sizes = [ReservoirSVM(lam, memory // (8 * (d + 2)), seed).partial_fit(X, y) for seed in range(10)]
    error = f"{np.sqrt(np.mean([rms(one.objective(theta, b, 0.0).estimate, true) ** 2 for one in sizes])):.1e}"
    worst = [float(above(one.fit_result_.coef, one.fit_result_.intercept)) for one in sizes]
    found.append(("reservoir (10 seeds)", sizes[0].memory_bytes(), error, f"{np.mean(worst):.1e}"))
    if d == 1:
        ours = [QuantileHinge(k=memory // part).partial_fit(X, y) for part in (48, 40, 32, 26, 22, 18, 15)]
        mine = [one for one in ours if one.memory_bytes() <= memory][-1]
        found.append(("KLL, own", mine.memory_bytes(), f"{rms(mine.objective(theta, b).estimate, true):.1e}", "–"))
        try:
            guesses = [kll_of_apache(X, y, memory // part, theta, b) for part in (60, 54, 48, 44)]
            guess, kept = [one for one in guesses if one[1] <= memory][-1]
            found.append(("KLL, datasketches", kept, f"{rms(guess, true):.1e}", "–"))
        except ImportError:
            found.append(("KLL, datasketches: not installed", 0, "–", "–"))
    for name, learner in (("Pegasos, one pass", Pegasos(lam)), ("SGDClassifier, one pass", SklearnSGD(lam))):
        learner.partial_fit(X, y)
        found.append((name, learner.memory_bytes(), "–", above(learner.coef_[0], float(learner.intercept_[0]))))
    try:
        river = RiverSVM(lam).partial_fit(X, y)
        found.append(("river, one pass", 0, "–", above(river.coef_[0], float(river.intercept_[0]))))
    except Exception as error_:
        found.append((f"river: {error_}", 0, "–", "–"))
    for name, size, one, other in found:
        print(f"| {d} | {kind} | {name} | {size or '–'} | {one} | {other} |", flush=True)


def slopes(given: argparse.Namespace) -> None:
    """Slopes of log rms error on log nodes, k = 16 to 512 (d = 3: 32 to 1,024), three seeds a size."""
    print(f"\n## slopes, n = {given.n:,}, 60 queries")
    print("| d | data | mid | rep | sample of equal size | nodes | rms there: mid, rep, sample |")
    print("|---|---|---|---|---|---|---|")
    for d, kinds in KINDS.items():
        for kind in kinds:
            X, y = points(kind, given.n, d)
            theta, b = queries(60, d)
            true = exact(X, y, theta, b)
            rows = []
            for k in (32, 64, 128, 256, 512, 1024) if d == 3 else (16, 32, 64, 128, 256, 512):
                runs = [HingeSketch(k=k, seed=seed).partial_fit(X, y) for seed in range(3)]
                values = [one.objective(theta, b) for one in runs]
                for value in values:
                    assert (np.asarray(value.low) <= true + 1e-9).all()
                    assert (true <= np.asarray(value.high) + 1e-9).all()
                mid = np.sqrt(np.mean([rms(one.mid, true) ** 2 for one in values]))
                rep = np.sqrt(np.mean([rms(one.rep, true) ** 2 for one in values]))
                nodes = int(np.mean([one.n_nodes_ for one in runs]))
                rows.append((nodes, mid, rep, sample_error(X, y, nodes, theta, b, true)))
            table = np.log(np.array(rows))
            found = [np.polyfit(table[:, 0], table[:, at], 1)[0] for at in (1, 2, 3)]
            words = " | ".join(f"{one:.2f}" for one in found)
            last = ", ".join(f"{one:.1e}" for one in rows[-1][1:])
            print(f"| {d} | {kind} | {words} | {rows[-1][0]:,} | {last} |", flush=True)
    rng = np.random.default_rng(0)
    atoms = rng.uniform(-1, 1, (37, 1))
    X = atoms[rng.integers(0, 37, given.n)]
    y = np.where(rng.random(len(X)) < 0.5 + 0.4 * np.sign(X[:, 0]), 1.0, -1.0)
    theta, b = queries(60, 1)
    one = HingeSketch(k=64).partial_fit(X, y)
    print(f"\n37 distinct values: {one.n_nodes_} nodes, largest error ", end="")
    print(f"{np.abs(np.asarray(one.objective(theta, b).estimate) - exact(X, y, theta, b)).max():.0e}")


def drawn_shard(number: int, rows: int) -> Any:
    """A shard that draws its rows where it is read."""

    def parts() -> Any:
        yield points("uniform", rows, 1, seed=100 + number)

    return parts


def shards(given: argparse.Namespace) -> None:
    """One column, k = 128: the same rows in 1 to 100 shards, merged by a tree; 4 shards on a Ray cluster."""
    from gnomon.streaming import sketch_shards

    pieces, k = 100, 128
    each = given.n // pieces
    drawn = [points("uniform", each, 1, seed=100 + number) for number in range(pieces)]
    X, y = np.concatenate([one[0] for one in drawn]), np.concatenate([one[1] for one in drawn])
    theta, b = queries(1000, 1)
    true = exact(X, y, theta, b)

    def some(first: int, last: int) -> Any:
        return lambda: (part for number in range(first, last) for part in drawn_shard(number, each)())

    print(f"\n## shards, n = {len(X):,}, k = {k}, 1,000 queries")
    print("| shards | where | nodes | rms error | largest error / bound | interval held |\n|---|---|---|---|---|---|")
    for count, where in ((1, "here"), (4, "here"), (20, "here"), (100, "here"), (4, "Ray, 2 workers")):
        edges = np.linspace(0, pieces, count + 1).astype(int)
        try:
            if where != "here":
                import ray

                ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
            found = sketch_shards([some(*ends) for ends in itertools.pairwise(edges)], k, ray=where != "here")
        except ImportError:
            print("| 4 | Ray: not installed | – | – | – | – |")
            continue
        value = found.objective(theta, b)
        wrong = np.abs(np.asarray(value.estimate) - true) / (2 * np.abs(theta[:, 0]) * found.radius_ / k**2)
        held = ((np.asarray(value.low) <= true + 1e-9) & (true <= np.asarray(value.high) + 1e-9)).mean()
        error = rms(value.estimate, true)
        print(f"| {count} | {where} | {found.n_nodes_} | {error:.1e} | {wrong.max():.2f} | {held:.0%} |", flush=True)


def real(given: argparse.Namespace) -> None:
    """Suboptimality and certificates on skin and elec, in the order of the files, scaled to [-1, 1]."""
    root = given.data / "tabular" if (given.data / "tabular").is_dir() else given.data
    with gzip.open(root / "skin_nonskin" / "Skin_NonSkin.txt.gz") as file:
        skin = np.loadtxt(file)
    with gzip.open(root / "elec" / "elec.csv.gz", "rt") as file:
        elec = np.loadtxt(file, delimiter=",", skiprows=1)
    S, s = skin[:, :3] / 127.5 - 1, np.where(skin[:, 3] == 1, 1.0, -1.0)
    E, e = 2 * elec[:, 1:3] - 1, np.where(elec[:, 6] == 1, 1.0, -1.0)
    cases = [
        ("skin R", S[:, 2:], s, 1e-2, 128),
        ("skin R", S[:, 2:], s, 1e-4, 128),
        ("skin R, exact", S[:, 2:], s, 1e-2, 300),
        ("skin B, R", S[:, [0, 2]], s, 1e-2, 512),
        ("elec demand", E[:, 1:], e, 1e-4, 128),
        ("elec price, demand", E, e, 1e-4, 512),
        ("elec price, demand", E, e, 1e-4, 80),
        ("skin B, G, R", S, s, 1e-4, 3400),
    ]
    print("\n## real data, in the order of the files")
    print(
        "| data | rows | lam | min F | |w*| | nodes | sketch | certificate | ERM on an equal sample | Pegasos on it |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, X, y, lam, k in cases:
        values, inverse = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
        V, v, share = values[:, :-1], values[:, -1], np.bincount(inverse.ravel()) / len(X)
        best = solve(V, v, share, lam)

        def above(w: np.ndarray, V: Any = V, v: Any = v, share: Any = share, lam: float = lam, b: Any = best) -> float:
            return float(share @ np.maximum(0, 1 - v * (V @ w[:-1] + w[-1])) + lam / 2 * (w @ w) - b.value)

        sketch = HingeSketch(k=k).partial_fit(X, y)
        fit = sketch.solve(lam)
        erm, pegasos = [], []
        for seed in range(10):
            rows = np.random.default_rng(seed).choice(len(X), min(sketch.n_nodes_, len(X)), replace=False)
            erm.append(above(solve(X[rows], y[rows], np.full(len(rows), 1 / len(rows)), lam).w))
            one = Pegasos(lam).partial_fit(X[rows], y[rows])
            pegasos.append(above(np.append(one.coef_[0], one.intercept_)))
        print(
            f"| {name} | {len(X):,} | {lam:.0e} | {best.value:.4f} | {np.linalg.norm(best.w):.2f} | "
            f"{sketch.n_nodes_:,} | {above(fit.w):.1e} | {fit.gap:.1e} | {np.mean(erm):.1e} | {np.mean(pegasos):.1e} |",
            flush=True,
        )


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "equal", "slopes", "shards", "real", "all"))
    parser.add_argument("--n", type=int, default=200_000, help="rows of drawn data (speed: five times as many)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of the releases' data")
    given = parser.parse_args()
    if given.what in ("real", "all") and given.data is None:
        parser.error("the real data need  --data FOLDER")
    if given.what in ("speed", "all"):
        speed(argparse.Namespace(**{**vars(given), "n": 5 * given.n}))
    for name, part in (("equal", equal), ("slopes", slopes), ("shards", shards), ("real", real)):
        if given.what in (name, "all"):
            part(given)


if __name__ == "__main__":
    main()
