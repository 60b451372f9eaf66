"""The confidence loss against naive training, on simulated problems with a large gap and with a small one.

Belongs here: the table. Does not belong here: the problems, and why the loss wins on one and loses on the other
(`gnomon/supervision/simulation.py`).

No peer is run: what is compared are two losses of gnomon, with the ceiling beside them. The problems' parameters were
chosen on seeds from 1000 on; the table is of seeds 0 to 19.
"""

from __future__ import annotations

import argparse
import time

from gnomon.blocks import Interval
from gnomon.supervision.simulation import confidence_against_naive


def span(interval: Interval | None) -> str:
    """An interval, or a dash."""
    return f"{interval.low:+.3f} to {interval.high:+.3f}" if interval else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rows", type=int, default=1500, help="rows to learn from")
    parser.add_argument("--width", type=int, default=64)
    given = parser.parse_args()
    print("| gap | what | test accuracy | PGR (95% interval) | minus naive (95% interval) |")
    print("|---|---|---|---|---|")
    began = time.perf_counter()
    for gap in ("large", "small"):
        seeds = range(given.first, given.first + given.seeds)
        found = confidence_against_naive(gap, seeds, n=given.rows, width=given.width)
        print(f"| {gap} | supervisor | {found.weak:.3f} | | |")
        print(f"| {gap} | `xent` after 1 epoch | {found.early:.3f} | | |")
        for loss, one in found.recovered.items():
            value = f"{one.value:+.2f} ({span(one.interval)})" if one.value is not None else one.reason
            apart = "" if loss == "xent" else f"{found.difference:+.3f} ({span(found.interval)})"
            print(f"| {gap} | `{loss}` | {found.accuracy[loss]:.3f} | {value} | {apart} |")
        print(f"| {gap} | ceiling | {found.ceiling:.3f} | | |", flush=True)
    print(f"\n{given.seeds} problems each, from seed {given.first}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
