"""How long gnomon takes without a model: its help, and all of MMLU through a mock. Prints one table.

Belongs here: times of whole processes. Does not belong here: the speed of a model (`mmlu_vs_lm_eval.py`).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def seconds(command: Sequence[str], repeats: int) -> list[float]:
    """Wall seconds of `command`, run `repeats` times; raises CalledProcessError where it fails."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - start)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of MMLU's release")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    gnomon = [sys.executable, "-m", "gnomon"]
    rows = [
        ("python -c pass", seconds([sys.executable, "-c", "pass"], options.repeats)),
        ("gnomon --help", seconds([*gnomon, "--help"], options.repeats)),
    ]
    if options.data:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(options.repeats):
                command = [*gnomon, "eval", "mmlu", "-m", "mock/uniform", "-T", f"data={options.data}", "--no-cache"]
                taken = seconds([*command, "--runs-dir", f"{folder}/{number}", "--json"], 1)
                rows.append((f"14,042 questions, mock/uniform, round {number + 1}", taken))
    for name, taken in rows:
        spread = f"range {min(taken):.3f} to {max(taken):.3f} s, n {len(taken)}"
        print(f"{name:48} median {statistics.median(taken):6.3f} s   {spread}")


if __name__ == "__main__":
    main()
