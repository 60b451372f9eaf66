"""Hidden states of contrast pairs: gnomon against one text at a time, padded to 512, all tokens of all layers kept.

Belongs here: times of both on the same texts and model. Does not belong here: whether states are right
(`tests/models/test_reader.py`), though both ways are compared here too.

The reference way is that of the method's released code: batch size 1, every text padded to 512 tokens, a pass for each
answer, `output_hidden_states` of all layers and tokens, of which one token is then taken.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from gnomon.asks import Reading, States
from gnomon.models import load_model
from gnomon.tasks import contrast_pair, contrast_templates, load_task


def readings(task: str, arguments: dict[str, str], number: int, templates: int) -> list[Reading]:
    """Pairs of the first `number` items in the first templates."""
    data = load_task(task, arguments)
    wordings = list(contrast_templates(data.task).items())[:templates]
    found = []
    for item in data.items()[:number]:
        for name, protocol in wordings:
            pair = contrast_pair(item, name, protocol)
            found.append(Reading(pair.question, pair.answers))
    return found


def ours(name: str, some: list[Reading]) -> tuple[float, list[States], int]:
    """Seconds, states, and tokens computed; the weights are read before the clock starts."""
    model: Any = load_model(name)
    list(model.represent(some[:1], lambda index: False))
    before = model.tokens_computed
    began = time.perf_counter()
    found: dict[int, States] = {}
    for batch in model.represent(some, lambda index: False):
        found.update(batch)
    return time.perf_counter() - began, [found[index] for index in range(len(some))], model.tokens_computed - before


def reference(name: str, some: list[Reading], length: int) -> tuple[float, list[np.ndarray]]:
    """Seconds and states (answers, layers, width) of each reading, one padded text a pass."""
    model: Any = load_model(name)
    list(model.represent(some[:1], lambda index: False))
    network, tokenizer = model._network, model._reader._liner.tokenizer
    began = time.perf_counter()
    found = []
    for one in some:
        sides = []
        for answer in one.answers:
            text = f"{one.question}{'' if one.question[-1:].isspace() else chr(10)}{answer}"
            ids = tokenizer(text)["input_ids"]
            row = torch.zeros((1, length), dtype=torch.long)
            mask = torch.zeros_like(row)
            row[0, : len(ids)], mask[0, : len(ids)] = torch.tensor(ids), 1
            with torch.no_grad():
                states = network(input_ids=row, attention_mask=mask, output_hidden_states=True).hidden_states
            whole = torch.stack([layer[0] for layer in states])  # [layers, tokens, width], as it is kept
            sides.append(whole[:, len(ids) - 1].numpy())
        found.append(np.stack(sides))
    return time.perf_counter() - began, found


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", default="smollm2")
    parser.add_argument("--task", default="facts", help="facts, or one whose data GNOMON_DATA holds, such as boolq")
    parser.add_argument("--subsets", default="", help="of the task, joined by commas")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--templates", type=int, default=2)
    parser.add_argument("--reference", type=int, default=10, help="readings that the reference way is timed on")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    some = readings(given.task, {"subsets": given.subsets} if given.subsets else {}, given.items, given.templates)
    part = some[:: max(1, len(some) // given.reference)][: given.reference]
    ratios = []
    for number in range(given.repeats):
        seconds, states, computed = ours(given.model, some)
        useful = sum(sum(one.tokens) for one in states)
        slow, plain = reference(given.model, part, given.length)
        where = {id(one): index for index, one in enumerate(some)}
        mine = [states[where[id(one)]] for one in part]
        few = sum(sum(one.tokens) for one in mine)
        apart = max(float(np.abs(a.values - b).max() / np.abs(b).max()) for a, b in zip(mine, plain, strict=True))
        ratios.append((useful / seconds) / (few / slow))
        print(
            f"round {number + 1}: gnomon {useful / seconds:,.0f} useful tokens/s ({useful:,} in {seconds:.1f} s)",
            end="; ",
        )
        print(f"{computed:,} computed; reference {few / slow:,.1f} ({few:,} in {slow:.1f} s)", end="; ")
        print(f"{ratios[-1]:.1f}x; largest difference {apart:.1e} of the largest state")
    print(
        f"{given.task}: {statistics.median(ratios):.1f}x  ({min(ratios):.1f} to {max(ratios):.1f}, n = {len(ratios)})"
    )


if __name__ == "__main__":
    main()
