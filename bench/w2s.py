"""A weak-to-strong triangle: gnomon against the straightforward schedule, each cell by itself.

Belongs here: times, peak memory and accuracies of both on the same rows. Does not belong here: whether the numbers are
right (`tests/supervision/`).

The straightforward schedule is that of the method's released sweep: for every cell the model is loaded again, texts are
tokenised one by one, every row is its own minibatch and gradients are added up to a batch of 32. Nothing is padded.
With a frozen network each epoch runs it again under `no_grad`, as the release's linear probe does. It is written with
transformers and peft alone, and starts with the same weights. Both ways train the same stages on the same labels:
supervisors, ceilings, and students for all pairs of models and both losses. Accuracies can be compared where the peer
runs all epochs (`--timed`). Libraries are imported before a clock starts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers

from gnomon.models import load_model, smollm2
from gnomon.stats import stream
from gnomon.supervision._frozen import Frozen
from gnomon.supervision._heads import HeadRecipe
from gnomon.supervision._ladder import Ladder, Node, ceiling, student, supervisor
from gnomon.supervision._loss import Step, loss_named
from gnomon.supervision._pool import Pool, pool
from gnomon.supervision._stages import StageStore
from gnomon.supervision._tuned import Tuned, TuneRecipe
from gnomon.tasks import judged, load_task

LOSSES = ("xent", "confidence")


def nodes(names: list[str]) -> list[Node]:
    """The triangle: every model teaches itself and all above it."""
    pairs = [(weak, strong) for place, weak in enumerate(names) for strong in names[place:]]
    students = [student(strong, weak, loss, 0) for weak, strong in pairs for loss in LOSSES]
    return [*(supervisor(name, 0) for name in names), *(ceiling(name, 0) for name in names), *students]


def ours(rows: Pool, names: list[str], learner: str, epochs: int, lr: float) -> tuple[float, dict[Node, float], Ladder]:
    """Seconds, and the test accuracy of every stage; nothing is cached before the clock starts."""
    began = time.perf_counter()
    models = {name: load_model(name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        engine: Any = Frozen(models, root, HeadRecipe(epochs=epochs), "last")
        if learner != "frozen":
            engine = Tuned(models, root, TuneRecipe(learner, epochs, lr=lr, looks=1), "last")
        ladder = Ladder(rows, engine, StageStore(root / "stages"), lambda what, done, total: None)
        ladder.compute(nodes(names))
    labels = rows.labels[rows.test]
    found = {node: float(((one.final > 0.5) == labels).mean()) for node, one in ladder.outcomes.items()}
    return time.perf_counter() - began, found, ladder


class Plain:
    """A network with a head of two classes, as a user of transformers and peft writes it: one row at a time."""

    def __init__(self, name: str, learner: str, seed: int) -> None:
        base, _, layers = name.partition("@layers=")
        place = smollm2.folder() if base == "smollm2" else base.removeprefix("hf/")
        config = transformers.AutoConfig.from_pretrained(place)
        config.num_hidden_layers = int(layers or config.num_hidden_layers)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        self.stack = transformers.AutoModel.from_pretrained(place, config=config, dtype=torch.float32).eval()
        self.head = torch.nn.Linear(self.stack.config.hidden_size, 2)
        with torch.no_grad():
            self.head.bias.zero_()
            rows = [self.tokenizer(text)["input_ids"][-1] for text in ("0", "1")]
            self.head.weight.copy_(self.stack.get_input_embeddings().weight[rows])  # the output rows are the same
            if learner == "frozen":
                self.head.weight.zero_()
        self.stack.requires_grad_(learner == "full")
        if learner == "lora":
            torch.manual_seed(seed)
            self.stack = peft.get_peft_model(
                self.stack, peft.LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
            )
        self.weights = [*(one for one in self.stack.parameters() if one.requires_grad), *self.head.parameters()]
        self.learns = learner != "frozen"

    def logits(self, text: str) -> torch.Tensor:
        """(1, 2), with gradient where there is something to learn."""
        ids = torch.tensor([self.tokenizer(text)["input_ids"]])
        with torch.set_grad_enabled(self.learns and torch.is_grad_enabled()):
            state = self.stack(input_ids=ids).last_hidden_state[:, -1]
        found: torch.Tensor = self.head(state)
        return found


def cell(
    rows: Pool, ladder: Ladder, node: Node, learner: str, epochs: int, lr: float, timed: int
) -> tuple[float, float]:
    """Seconds and test accuracy of one stage by itself, one row at a time; `timed` epochs are run, the rest scaled."""
    began = time.perf_counter()
    plain = Plain(node.model, learner, node.seed)
    rate = HeadRecipe().lr / 10 if learner == "frozen" else lr  # states are not standardised here
    optimiser = torch.optim.AdamW(plain.weights, lr=rate, weight_decay=0.0)
    learn, _ = ladder.rows(node)
    targets = torch.tensor(ladder.labels(node, learn), dtype=torch.float32)
    loss, per_epoch = loss_named(node.loss), -(-len(learn) // 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, per_epoch * epochs)
    step = Step(0, per_epoch * epochs)
    ready = time.perf_counter() - began
    for epoch in range(timed):
        order = stream(node.seed, f"order/{epoch}").permutation(len(learn))
        for low in range(0, len(order), 32):
            places = order[low : low + 32].tolist()
            optimiser.zero_grad()
            logits = [plain.logits(rows.texts[learn[place]]) for place in places]
            loss(torch.cat(logits), targets[places], step).backward()
            optimiser.step()
            schedule.step()
            step.number += 1
    trained = time.perf_counter() - began - ready
    with torch.no_grad():
        for row in ladder.wanted(node):
            plain.logits(rows.texts[row])
        says = np.array([float(plain.logits(rows.texts[row])[0].diff()) for row in rows.test])
    asked = time.perf_counter() - began - ready - trained
    return ready + trained * epochs / timed + asked, float(((says > 0) == rows.labels[rows.test]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learner", default="frozen", choices=("frozen", "lora", "full"))
    parser.add_argument("--task", default="facts")
    parser.add_argument("--split", default="")
    parser.add_argument("--models", default="smollm2@layers=2,smollm2@layers=4,smollm2@layers=8")
    parser.add_argument("--learn", type=int, default=800)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=0, help="0: 20 for frozen, else 2")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--timed", type=int, default=1, help="epochs of the peer that are run; the rest are scaled")
    parser.add_argument(
        "--cells",
        type=int,
        default=0,
        help="cells of the peer that are run, as many of each model; the rest are scaled; 0: all",
    )
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    epochs = given.epochs or (20 if given.learner == "frozen" else 2)
    names = given.models.split(",")
    data = load_task(given.task, {"split": given.split} if given.split else {})
    rows = pool(judged(data.task, data.items()), learn=given.learn, test=given.test, seed=0)
    stages = nodes(names)
    by_model = {name: [node for node in stages if node.model == name] for name in names}
    each = max(1, given.cells // len(names)) if given.cells else len(stages)
    chosen = [node for found in by_model.values() for node in found[:: max(1, len(found) // each)][:each]]
    print(
        f"{given.learner}, {given.task}: {len(rows.learn)} rows to learn from, {len(rows.test)} to test on, {epochs} "
        "epochs"
    )
    print(f"{len(stages)} stages; the peer runs {len(chosen)} of them, {min(given.timed, epochs)} epochs each, scaled")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    Plain(names[0], given.learner, 0)  # libraries import their parts when they are first used
    ratios = []
    for number in range(given.repeats):
        mine, found, ladder = ours(rows, names, given.learner, epochs, given.lr)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took = [cell(rows, ladder, node, given.learner, epochs, given.lr, min(given.timed, epochs)) for node in chosen]
        spent = {
            name: [one for node, (one, _) in zip(chosen, took, strict=True) if node.model == name] for name in names
        }
        theirs = sum(statistics.mean(spent[name]) * len(found) for name, found in by_model.items())
        apart = [found[node] - accuracy for node, (_, accuracy) in zip(chosen, took, strict=True)]
        ratios.append(theirs / mine)
        print(
            f"round {number + 1}: gnomon {mine:.1f} s (peak so far {peak:,.0f} MiB), one by one {theirs:.1f} s, ratio "
            f"{ratios[-1]:.1f}; accuracy, gnomon minus peer: mean {np.mean(apart):+.3f}, {min(apart):+.3f} to "
            f"{max(apart):+.3f}",
            flush=True,
        )
    print(f"ratio: median {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}), n = {len(ratios)}")


if __name__ == "__main__":
    main()
