"""The whole corruption grid for five variants, gnomon beside the way of the paper's released code.

    python bench/adapt.py --images 200 --rounds 3

The reference, as collin-burns/feature-alignment at 8dfd314 does it: for every cell of the grid and every variant the
network is copied deeply, the corruption's array is read again, images become tensors one by one, one pass in training
mode gathers statistics, and another pass, with gradients on, evaluates. It is timed on `--cells` cells a round and
scaled to the grid; gnomon is timed on the whole grid. Both read the same .npy files, in processes of their own, on the
same number of threads; accuracies are compared cell by cell.

    python bench/adapt.py --table rule

shows every verdict on shifts and a network that the rule's bars were not set on.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

VARIANTS = ["source", "batch", "ema", "mix@N=256@where=set", "early"]
SEVERITIES = (1, 2, 3, 4, 5)
BATCH = 100


def network(name: str):
    from gnomon.shift import load_network, load_pictures

    pictures = load_pictures("cifar10" if name.startswith("cifar10") else "digits")
    return load_network(name, pictures), pictures


def make(folder: Path, name: str, images: int) -> None:
    """Corruptions as the released sets hold them: one array a corruption, five severities one after the other."""
    from gnomon.shift._shift import CORRUPTIONS, shift_named

    _, pictures = network(name)
    given = pictures.taken(np.arange(min(images, len(pictures.images))))
    np.save(folder / "labels.npy", given.labels)
    for one in CORRUPTIONS:
        parts = [shift_named(f"{one}@severity={level}").of(given, 0).images for level in SEVERITIES]
        np.save(folder / f"{one}.npy", np.concatenate(parts))


def cells(folder: Path):
    from gnomon.shift._shift import CORRUPTIONS

    return [(one, level) for one in CORRUPTIONS for level in SEVERITIES]


# the reference --------------------------------------------------------------------------------------------------------


def reference(folder: Path, name: str, many: int) -> dict:
    import torch
    from torch import nn

    subject, _ = network(name)
    labels = np.load(folder / "labels.npy")
    order = _order(len(labels))
    chosen = cells(folder)
    step = max(1, len(chosen) // many)
    chosen = chosen[::step][:many]
    found = {}
    began = time.perf_counter()
    for one, level in chosen:
        for variant in VARIANTS:
            net = copy.deepcopy(subject.module)
            norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
            loader = _loader(folder, one, level, subject, order)
            net.eval()
            if variant == "batch":
                for part in norms:
                    part.train()
            elif variant != "source":
                kept = [(part.running_mean.clone(), part.running_var.clone()) for part in norms]
                moving = norms[: len(norms) - len(norms) // 2] if variant == "early" else norms
                for part in moving:
                    part.momentum = 0.1 if variant == "ema" else None
                    if variant != "ema":
                        part.reset_running_stats()
                    part.train()
                with torch.no_grad():
                    for inputs in loader:
                        net(inputs)
                net.eval()
                if variant.startswith("mix"):
                    share = 256 / (256 + len(labels))
                    for part, (mean, variance) in zip(norms, kept, strict=True):
                        part.running_mean.mul_(1 - share).add_(share * mean)
                        part.running_var.mul_(1 - share).add_(share * variance)
            outputs = torch.cat([net(inputs).detach() for inputs in loader])  # gradients on, as released
            found[f"{one} {level} {variant}"] = float((outputs.argmax(1).numpy() == labels[order]).mean())
    return {"seconds": time.perf_counter() - began, "cells": len(chosen), "accuracy": found}


def _loader(folder: Path, one: str, level: int, subject, order):
    import torch

    images = np.load(folder / f"{one}.npy")  # the whole array, again for every severity
    many = len(images) // 5
    part = images[(level - 1) * many : level * many]
    mean, std = torch.tensor(subject.mean).view(-1, 1, 1), torch.tensor(subject.std).view(-1, 1, 1)

    class Cell(torch.utils.data.Dataset):
        def __len__(self):
            return len(part)

        def __getitem__(self, place):
            image = torch.from_numpy(part[order[place]]).permute(2, 0, 1).contiguous().float().div(255)
            return (image - mean) / std

    return torch.utils.data.DataLoader(Cell(), batch_size=BATCH)


def _order(n: int):
    from gnomon.stats import stream

    return stream(0, "order of inputs").permutation(n)


# gnomon ---------------------------------------------------------------------------------------------------------------


def gnomon(folder: Path, name: str, many: int) -> dict:
    from gnomon.shift import Target, find_layers
    from gnomon.shift._method import method_named

    subject, _ = network(name)
    labels = np.load(folder / "labels.npy")
    layers = None
    found, passes = {}, 0.0
    began = time.perf_counter()
    for one, level in cells(folder):
        images = np.load(folder / f"{one}.npy", mmap_mode="r")
        size = len(images) // 5
        inputs = subject.inputs(images[(level - 1) * size : level * size])
        layers = layers or find_layers(subject.module, inputs[:2])
        target = Target(subject.module, inputs, batch_size=BATCH, layers=layers)
        for variant in VARIANTS:
            outputs = method_named(variant)(target).evaluated(target)
            found[f"{one} {level} {variant}"] = float((outputs.argmax(1).numpy() == labels).mean())
        passes = max(passes, target.passes)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cells": len(cells(folder)), "accuracy": found, "passes a cell": passes}


def worker(which: str, folder: str, name: str, many: int, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    made = {"reference": reference, "gnomon": gnomon}[which](Path(folder), name, many)
    made["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(made))


def run(which: str, folder: Path, args) -> dict:
    command = [sys.executable, __file__, "--worker", which, "--folder", str(folder), "-m", args.model]
    command += ["--cells", str(args.cells), "--threads", str(args.threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def grid(args) -> None:
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        make(folder, args.model, args.images)
        ratios, rows = [], []
        for number in range(args.rounds):
            sides = ["reference", "gnomon"] if number % 2 == 0 else ["gnomon", "reference"]
            made = {side: run(side, folder, args) for side in sides}
            peer, ours = made["reference"], made["gnomon"]
            whole = peer["seconds"] * ours["cells"] / peer["cells"]
            ratios.append(whole / ours["seconds"])
            gaps = dict.fromkeys(VARIANTS, 0.0)
            for key, value in peer["accuracy"].items():
                variant = key.split()[2]
                gaps[variant] = max(gaps[variant], abs(value - ours["accuracy"][key]))
            rows.append((whole, ours["seconds"], peer["MiB"], ours["MiB"], gaps))
        print(
            f"{args.model}, {args.images} images, {ours['cells']} cells x {len(VARIANTS)} variants, "
            f"{args.threads} thread(s)"
        )
        print("round  reference (scaled)  gnomon  ratio  MiB reference  MiB gnomon")
        for number, (whole, seconds, theirs, mine, _) in enumerate(rows):
            print(
                f"{number:5}  {whole:16.1f} s  {seconds:5.1f} s  {whole / seconds:5.2f}  {theirs:13.0f}  {mine:10.0f}"
            )
        print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"forward passes a cell: {ours['passes a cell']:.0f} for five variants")
        print("largest difference of accuracy:", {key: round(value, 4) for key, value in rows[-1][4].items()})


# the rule -------------------------------------------------------------------------------------------------------------

HELD_OUT = (
    "corruptions,border@size={border},rotation@degrees=20,colour,labels@classes=1@draw=1,labels@classes=2@draw=2,"
    "labels@classes=3@draw=3,labels@classes=6@draw=4"
)


def rule(args) -> None:
    """Verdicts beside the accuracies of all four choices."""
    from gnomon.shift._plan import expanded
    from gnomon.shift._study import adapt

    data = "cifar10" if args.model.startswith("cifar10") else "digits"
    shifts = expanded(["none", *HELD_OUT.format(border=6 if data == "cifar10" else 1).split(",")], [2, 4])
    with tempfile.TemporaryDirectory() as folder:
        made = adapt(
            data, args.model, shifts=shifts, variants=["whole", "mix", "early"], limit=args.images, source=args.images,
            runs_dir=folder,
        )  # fmt: skip
        blocks = {block.title: block for block in made.result() if block.kind in ("table", "matrix")}
    accuracy = dict(zip(blocks["Accuracy"].rows, blocks["Accuracy"].values, strict=True))
    verdicts = [row[:2] for row in blocks["Align or not?"].rows]
    place = {"keep source": 0, "adapt": 1, "mix": 2, "early layers only": 3}
    lost, always, never = [], [], []
    print("shift                          verdict            source  whole    mix  early   lost")
    for name, verdict in verdicts:
        values = accuracy[name]
        gap = max(values) - values[place[verdict]]
        lost.append(gap)
        always.append(max(values) - values[1])
        never.append(max(values) - values[0])
        print(f"{name:30} {verdict:18} " + "  ".join(f"{value:.3f}" for value in values) + f"  {gap:.3f}")
    print(
        f"lost to the best of the four: the rule {np.mean(lost):.3f}, always whole {np.mean(always):.3f}, "
        f"never {np.mean(never):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", default="cifar10/resnet20", help="or small, on digits")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--cells", type=int, default=5, help="cells that the reference is timed on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", choices=["grid", "rule"], default="grid")
    parser.add_argument("--worker")
    parser.add_argument("--folder")
    args = parser.parse_args()
    if args.worker:
        worker(args.worker, args.folder, args.model, args.cells, args.threads)
    elif args.table == "rule":
        rule(args)
    else:
        grid(args)


if __name__ == "__main__":
    main()
