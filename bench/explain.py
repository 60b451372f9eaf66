"""`gnomon explain` beside the straightforward loop, and beside LIME and SHAP.

Belongs here: times, stability over seeds, false discoveries on planted nulls. Does not belong here: whether the tests
hold their rates (`tests/importance`, `gnomon explain --simulate`).

The loop is what one writes first: one call of the model for every counterfactual, one draw at a time, and a threshold
that is counted anew for every candidate. It is given the same model, sampler and hypotheses. What would take it hours
is timed on a stated part and scaled.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.importance import OSFT, Gaussian, NGram, columns, irt, knockoff_plus, observe, words
from gnomon.importance._fitted import fitted
from gnomon.importance.baselines import baselines, oracle
from gnomon.stats import stream


def counted_threshold(t: np.ndarray, q: float, candidates: np.ndarray) -> float | None:
    """z* of the knockoff+ rule, counting the array for each candidate."""
    for z in candidates:
        if (1 + (t <= -z).sum()) / max(1, (t >= z).sum()) <= q:
            return float(z)
    return None


def thresholds(n: int) -> None:
    """Thresholding n statistics of which nothing can be selected, the worst case of both."""
    t = np.random.default_rng(0).normal(size=n)
    best = min(_timed(lambda: knockoff_plus(t, 0.05))[0] for _ in range(5))
    every = np.unique(np.abs(t))
    some = every[:: max(1, n // 2000)]
    loop, found = _timed(lambda: counted_threshold(t, 0.05, some))
    assert found is None
    assert knockoff_plus(t, 0.05).threshold is None
    whole = loop * len(every) / len(some)
    print(f"\nthresholding {n:,} statistics: gnomon {1000 * best:.1f} ms; the loop {whole:.1f} s ", end="")
    print(f"(timed on {len(some):,} candidates of {len(every):,}); ratio {whole / best:,.0f}")


def texts_and_model(data: Path, number: int) -> tuple[list[str], Any, NGram]:
    """Explained reviews, a classifier and a sampler that were fitted on the others."""
    lines, labels = [], []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        found = (data / "tabular" / "rt_polarity" / name).read_text(encoding="utf-8").splitlines()
        lines += [line.strip() for line in found]
        labels += [label] * len(found)
    order = stream(0, "bench").permutation(len(lines))
    explained, rest = order[:number], order[number:]
    teach = [lines[at] for at in rest]
    return (
        [lines[at] for at in explained],
        fitted("fit/words", teach, [labels[at] for at in rest], "text"),
        NGram().fit(teach),
    )


def explain_texts(data: Path, number: int, part: int) -> None:
    """Two-sided OSFT of every word of `number` reviews; the loop does `part` of them."""
    texts, model, law = texts_and_model(data, number)
    whole, found = _timed(lambda: observe(model, texts, law, words, draws=2))
    outputs = found.outputs
    tested, fit = _timed(lambda: OSFT(q=0.15).fit_outputs(outputs))

    def loop() -> int:
        count = 0
        for number, text in enumerate(texts[:part]):
            _, chosen = model.choose([text])
            for group in words(text):
                for k in range(2):
                    rng = stream(0, f"{number} {group.key} {k}")
                    model.read(law.sample(text, group, 1, rng), chosen, np.array([0]))
                    count += 1
        return count

    asked, count = _timed(loop)
    scaled = asked * outputs.m * 2 / count
    t = fit.t_
    cut, _ = _timed(lambda: counted_threshold(t, 0.15, np.unique(np.abs(t[t != 0]))))
    ours = whole + tested
    print(
        f"\n{number:,} reviews, {outputs.m:,} words, fit/words, n-gram, two-sided OSFT: gnomon {ours:.1f} s; the loop ",
        end="",
    )
    print(f"{scaled + cut:.1f} s (calls timed on {part} reviews: {scaled:.1f} s; threshold {cut:.2f} s); ", end="")
    print(f"ratio {(scaled + cut) / ours:.1f}; {int(fit.selected_.sum())} discoveries at q = .15")


def peers(rows: int, d: int, seeds: int) -> None:
    """Planted nulls: f reads five of d columns, which depend on their neighbours; LIME, SHAP, permutation and IRT."""
    law = np.eye(d)
    law[5:, 5:] = 0.6 ** np.abs(np.subtract.outer(np.arange(d - 5), np.arange(d - 5)))
    random = np.random.default_rng(0)
    background = random.multivariate_normal(np.zeros(d), law, size=500)
    X = random.multivariate_normal(np.zeros(d), law, size=rows)
    real: np.ndarray = np.zeros((rows, d), dtype=bool)
    real[:, :5] = random.random((rows, 5)) < 0.6
    X += 4 * real
    weights = np.r_[np.ones(5), np.zeros(d - 5)]

    def f(x: np.ndarray) -> np.ndarray:
        return np.abs(x) @ weights

    exact = Gaussian(mean=np.zeros(d), covariance=law)
    said = f"{rows} rows of {d} columns, f = sum of |x_j| over 5 of them; {int(real.sum())} values planted at N(4, 1)"
    print(f"\n{said}, {int((~real).sum())} nulls; q = .1, {seeds} seeds")
    print("| method | time a seed | top-5 overlap over seeds | false among the top 3 a row | TPR | FDR | cut by |")
    print("|---|---|---|---|---|---|---|")
    for name in ("lime", "shap", "permutation"):
        score: Callable[..., np.ndarray] = baselines.load(name)
        found = [_timed(lambda s=s, score=score: score(f, X, background, s)) for s in range(seeds)]
        best = [oracle(scores, real, 0.1) for _, scores in found]
        _row(
            name,
            real,
            [took for took, _ in found],
            [s for _, s in found],
            best[0].tpr,
            best[0].fdr,
            "the truth (oracle)",
        )
    found = [
        _timed(lambda s=s: irt(f, X, exact, columns(d), draws=200, q=0.1, side="one", seed=s)) for s in range(seeds)
    ]
    tpr = np.mean([one.table(X.shape)[real].mean() for _, one in found])
    fdr = np.mean([(one.table(X.shape) & ~real).sum() / max(1, one.selected.sum()) for _, one in found])
    scores = [-one.p_values.reshape(X.shape) + 1e-6 * one.test.statistics_.reshape(X.shape) for _, one in found]
    _row("IRT, exact sampler", real, [took for took, _ in found], scores, float(tpr), float(fdr), "its own p-values")
    print("With one seed gnomon gives the same explanation on every call, in any order, at any batch size.")


def _row(
    name: str, real: np.ndarray, times: list[float], scores: list[np.ndarray], tpr: float, fdr: float, cut: str
) -> None:
    tops = [np.argsort(-one, axis=1)[:, :5] for one in scores]
    same = [len(set(a) & set(b)) / 5 for one in tops[1:] for a, b in zip(tops[0], one, strict=True)]
    false = np.mean([~np.take_along_axis(real, top[:, :3], axis=1) for top in tops])
    print(f"| {name} | {np.mean(times):.2f} s | {np.mean(same):.3f} | {false:.3f} | {tpr:.3f} | {fdr:.3f} | {cut} |")


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds tabular/rt_polarity")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--part", type=int, default=40, help="reviews on which the loop is timed")
    parser.add_argument("--statistics", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    thresholds(options.statistics)
    explain_texts(options.data, options.texts, options.part)
    peers(40, 20, options.seeds)


if __name__ == "__main__":
    main()
