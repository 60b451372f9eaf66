"""CCS on a whole grid, layers x templates x restarts: gnomon's batched program against one restart after another.

Belongs here: times, losses and memory of both on the same states. Does not belong here: whether the losses are right
(`tests/knowledge/test_ccs.py`).

The one-by-one loop is written from the paper's formulas with PyTorch's own layers and AdamW, one restart at a time, as
the released code does it. It is timed on a stated number of fits, spread over the grid, and scaled to the grid: the
whole would take hours.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnomon.asks import Reading
from gnomon.knowledge.probes.ccs import CCS, starts
from gnomon.models import load_model
from gnomon.tasks import contrast_pair, contrast_templates, load_task


def planted(layers: int, templates: int, n: int, d: int) -> np.ndarray:
    """States (layers x templates, n, 2, d) like a network's: a few strong directions, a weak truth."""
    random = np.random.default_rng(0)
    scale = np.exp(-np.arange(d) / (d / 6)) * 3 + 0.3
    truth = random.integers(0, 2, n) * 2 - 1
    found = []
    for problem in range(layers * templates):
        shared, own = random.normal(size=(n, 1, d)), random.normal(size=(n, 2, d)) / 2
        lean = (problem / (layers * templates)) * truth[:, None, None] * np.array([1, -1])[None, :, None]
        found.append(((shared + own) * scale + lean * random.normal(size=d)).astype(np.float32))
    return np.stack(found)


def recorded(path: Path) -> np.ndarray:
    """States from a .npy file of shape (problems, n, 2, d)."""
    states = np.load(path, allow_pickle=False)
    if states.ndim != 4 or states.shape[2] != 2:
        raise SystemExit(f"{path} holds an array of shape {states.shape}; give (problems, n, 2, d).")
    return states.astype(np.float32)


def of_model(name: str, task: str, pairs: int) -> np.ndarray:
    """States of a model at every layer, in every template, for the first items of a task."""
    data = load_task(task)
    items, wordings = data.items()[:pairs], list(contrast_templates(data.task).items())
    some = [contrast_pair(item, word, protocol) for word, protocol in wordings for item in items]
    model: Any = load_model(name)
    found: dict[int, Any] = {}
    for batch in model.represent([Reading(one.question, one.answers) for one in some], lambda index: False):
        found.update(batch)
    values = np.stack([found[index].values for index in range(len(some))])  # [templates x items, 2, layers, width]
    values = values.reshape(len(wordings), len(items), *values.shape[1:])
    grid = values.transpose(0, 3, 1, 2, 4).reshape(-1, len(items), 2, values.shape[-1])
    return grid[[bool((one != one[:1]).any()) for one in grid]]  # the embeddings of the same last word are left out


def one_restart(Z: np.ndarray, start: np.ndarray, epochs: int) -> tuple[float, float]:
    """Seconds and final loss of one restart by autograd and torch.optim.AdamW."""
    began = time.perf_counter()
    plus, minus = torch.tensor(Z[:, 0], dtype=torch.float32), torch.tensor(Z[:, 1], dtype=torch.float32)
    layer = torch.nn.Linear(Z.shape[2], 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(start[None, :-1], dtype=torch.float32))
        layer.bias.copy_(torch.tensor(start[-1:], dtype=torch.float32))
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.01, weight_decay=0.01)
    loss = torch.zeros(())
    for step in range(epochs + 1):
        p, q = torch.sigmoid(layer(plus)), torch.sigmoid(layer(minus))
        loss = ((p - (1 - q)) ** 2).mean() + (torch.min(p, q) ** 2).mean()
        if step < epochs:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return time.perf_counter() - began, float(loss.detach())


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=Path, help="a .npy file of shape (problems, n, 2, d) in place of drawn states")
    parser.add_argument("-m", "--model", help="read the states of this model in place of drawn ones")
    parser.add_argument("--task", default="sst2", help="whose items --model reads; --pairs of them in every template")
    parser.add_argument("--layers", type=int, default=31)
    parser.add_argument("--templates", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--width", type=int, default=576)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--fits", type=int, default=12, help="fits of the loop that are timed, each round")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.model:
        states = of_model(given.model, given.task, given.pairs)
    elif given.states:
        states = recorded(given.states)
    else:
        states = planted(given.layers, given.templates, given.pairs, given.width)
    problems, n, _, d = states.shape
    fits = problems * given.restarts
    begin = starts(0, given.restarts, d + 1)
    random = np.random.default_rng(1)
    print(f"{problems} problems x {given.restarts} restarts = {fits:,} fits; {n} pairs of width {d}")
    print(f"states {states.nbytes / 2**20:,.0f} MiB; {torch.get_num_threads()} threads")
    ratios: dict[str, list[float]] = {"paper": [], "lbfgs": []}
    for number in range(given.repeats):
        modes = ("paper", "lbfgs") if number % 2 == 0 else ("lbfgs", "paper")
        found = {}
        for mode in modes:
            method = CCS(mode=mode, restarts=given.restarts, epochs=given.epochs)
            began = time.perf_counter()
            probes = method.fit_layers(list(states))
            found[mode] = (time.perf_counter() - began, probes)
        loop, apart = [], 0.0
        for _ in range(given.fits):
            problem, restart = int(random.integers(problems)), int(random.integers(given.restarts))
            probe = found["paper"][1][problem]
            Z = probe.normalizer_.transform(states[problem].astype(np.float64), np.zeros(n))
            seconds, loss = one_restart(Z, begin[restart], given.epochs)
            loop.append(seconds)
            apart = max(apart, abs(loss - float(probe.losses_[restart].sum())))
        whole = statistics.mean(loop) * fits
        above = np.array([f.loss_ - p.loss_ for f, p in zip(found["lbfgs"][1], found["paper"][1], strict=True)])
        for mode, (seconds, _) in found.items():
            ratios[mode].append(whole / seconds)
        each = statistics.mean(loop)
        print(f"round {number + 1}: loop {each:.3f} s a fit ({given.fits} timed), {whole:,.0f} s the grid", end="; ")
        print(f"paper {found['paper'][0]:.1f} s, lbfgs {found['lbfgs'][0]:.1f} s", end="; ")
        print(f"losses of loop and paper differ by at most {apart:.1e}", end="; ")
        low = (above <= 1e-4).sum()
        print(f"lbfgs as low as paper (within 1e-4) on {low} of {problems} problems", end="; ")
        print(f"lbfgs less paper: median {np.median(above):+.1e}, {above.min():+.1e} to {above.max():+.1e}")
    for mode, values in ratios.items():
        print(
            f"{mode:6} {statistics.median(values):6.1f}x  ({min(values):.1f} to {max(values):.1f}, n = {len(values)})"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
