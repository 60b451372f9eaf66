"""MMLU with lm-eval and with gnomon: same model folder, same rows, same machine, one run, one table.

Belongs here: staging the rows for both tools, timing their whole processes, comparing time, tokens and answers.
Does not belong here: what runs inside the peer's Python (`_lm_eval_worker.py`), or any evaluation logic.

Each subject is one process a tool, from start-up to exit (`--together` puts all subjects into one process). Ratios are
lm-eval over gnomon, so above 1 gnomon needs less.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import DataError, GnomonError, RunError, UsageError

WORKER = Path(__file__).with_name("_lm_eval_worker.py")
SHOTS = 5
LETTERS = "ABCD"
TASK_PREFIX = "local_mmlu_"
# The two that won where 1, 4, 8, 16 and auto were measured (bench/README.md): 8 on short prompts, 1 on long ones.
BEST_PEER_BATCH_SIZES = "1,8"
DEFAULT_SUBJECTS = "abstract_algebra,anatomy,us_foreign_policy"
# The peer's cache of Arrow files is filled before the clock starts; nothing may reach for the hub in a timed run.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


@dataclass(frozen=True)
class Answer:
    """What one tool said to one question: four log-probabilities (nats) and the index of the choice it took."""

    logprobs: list[float]
    prediction: int


@dataclass(frozen=True)
class Measurement:
    """One process of one tool: seconds of wall and CPU time, peak MiB, tokens through the model, answers by subject."""

    wall: float
    cpu: float
    peak: float
    tokens_computed: int
    answers: dict[str, list[Answer]]
    batch_size: str = ""
    prompt_tokens: int = 0
    load_seconds: float | None = None
    scoring_seconds: float | None = None
    versions: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table: the rounds of one unit (a subject, or several together), or of all units summed."""

    name: str
    peer: list[Measurement]
    gnomon: list[Measurement]

    def ratios(self, quantity: Callable[[Measurement], float]) -> list[float]:
        """Give lm-eval over gnomon for one quantity, one ratio a round."""
        return [quantity(theirs) / quantity(ours) for theirs, ours in zip(self.peer, self.gnomon, strict=True)]

    def agreement(self) -> tuple[int, int, float]:
        """Give questions, questions with the same prediction in every round, and the largest |difference| in nats."""
        subjects = self.peer[0].answers
        total = sum(len(answers) for answers in subjects.values())
        worst, differing = 0.0, set()
        for theirs, ours in zip(self.peer, self.gnomon, strict=True):
            for subject in subjects:
                pairs = zip(theirs.answers[subject], ours.answers[subject], strict=True)
                for index, (a, b) in enumerate(pairs):
                    gaps = [abs(x - y) for x, y in zip(a.logprobs, b.logprobs, strict=True)]
                    worst = max(worst, *gaps)
                    if a.prediction != b.prediction:
                        differing.add((subject, index))
        return total, total - len(differing), worst


# ------------------------------------------------------------------------------------------------ rows on both sides


def read_rows(data: Path, split: str, subject: str) -> list[list[str]]:
    """Read `<data>/<split>/<subject>_<split>.csv`: no header; question, four choices, letter."""
    path = data / split / f"{subject}_{split}.csv"
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="--data takes a folder laid out as the MMLU release is.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for number, row in enumerate(rows):
        if len(row) != 6 or row[5] not in LETTERS:
            raise DataError(f"Row {number} of {path} is not question, four choices and a letter: {row!r}.")
    return rows


def stage(data: Path, subjects: Sequence[str], limit: int | None, folder: Path) -> tuple[Path, Path]:
    """Write the same rows twice, as the release's CSV for gnomon and as JSON lines for lm-eval; give both folders."""
    ours, theirs = folder / "csv", folder / "jsonl"
    for split in ("dev", "test"):
        (ours / split).mkdir(parents=True)
        (theirs / split).mkdir(parents=True)
        for subject in subjects:
            # A limit cuts the files themselves: each tool then sees whole subjects and cannot sample its own way.
            rows = read_rows(data, split, subject)[: limit if split == "test" else None]
            with (ours / split / f"{subject}_{split}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
            lines = [
                json.dumps({"question": row[0], "choices": row[1:5], "answer": LETTERS.index(row[5])}) for row in rows
            ]
            (theirs / split / f"{subject}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ours, theirs


# ------------------------------------------------------------------------------------------------------ the two tools


@dataclass(frozen=True)
class Usage:
    """What a finished process printed and cost: wall and CPU seconds (user and system), and its peak memory in MiB."""

    stdout: str
    wall: float
    cpu: float
    peak: float


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Usage:
    """Run a command to its end and measure it, its children included.

    Raises
    ------
    RunError
        If the command exits with anything but 0.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read()
    if process.returncode:
        said = f"{stdout[-1000:]}{stderr[-3000:]}"
        raise RunError(f"This command exited with {process.returncode}: {' '.join(command)}\n{said}")
    return Usage(stdout, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def warm_disk(python: str) -> None:
    """Import the heavy libraries once, so that no tool's first process pays for reading them from disk."""
    timed([python, "-c", "import torch, transformers"], os.environ)


class Peer:
    """lm-eval in its own Python, run by its own command line."""

    def __init__(self, python: str, model: Path, rows: Path, subjects: Sequence[str], folder: Path) -> None:
        """Write the task files and fill the data cache, before the clock starts."""
        self.python, self.model, self.folder = python, model, folder
        self.tasks = folder / "tasks"
        self.environment = os.environ | OFFLINE | {"HF_DATASETS_CACHE": str(folder / "datasets")}
        if subprocess.run([python, "-c", "import lm_eval"], capture_output=True, check=False).returncode:
            raise UsageError(
                f"lm_eval cannot be imported by {python}.",
                hint="Install gnomon[bench], or point --peer-python at the Python of an environment with lm-eval.",
            )
        prepare = [python, str(WORKER), "prepare", "--tasks", str(self.tasks), "--data", str(rows), *subjects]
        timed(prepare, self.environment)
        warm_disk(python)

    def measure(self, subjects: Sequence[str], batch_size: str, tag: str) -> Measurement:
        """Run lm-eval once on some subjects; the tag names its output folder."""
        out, counters = self.folder / tag, self.folder / f"{tag}.json"
        names = ",".join(TASK_PREFIX + subject for subject in subjects)
        command = [self.python, str(WORKER), "run", "--out", str(counters), "--"]
        command += ["run", "--model", "hf", "--model_args", f"pretrained={self.model},dtype=float32"]
        command += ["--tasks", names, "--include_path", str(self.tasks), "--num_fewshot", str(SHOTS)]
        command += ["--batch_size", batch_size, "--device", "cpu", "--log_samples", "--output_path", str(out)]
        used = timed(command, self.environment)
        counted = json.loads(counters.read_text(encoding="utf-8"))
        return Measurement(
            wall=used.wall,
            cpu=used.cpu,
            peak=used.peak,
            tokens_computed=counted["tokens_computed"],
            answers={subject: self._answers(out, subject) for subject in subjects},
            batch_size=batch_size,
            prompt_tokens=counted["prompt_tokens"],
            load_seconds=counted["load_seconds"],
            scoring_seconds=counted["scoring_seconds"],
            versions=counted["versions"],
        )

    @staticmethod
    def _answers(out: Path, subject: str) -> list[Answer]:
        (path,) = out.rglob(f"samples_{TASK_PREFIX}{subject}_*.jsonl")
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        answers = []
        for sample in sorted(samples, key=lambda sample: int(sample["doc_id"])):
            logprobs = [float(logprob) for logprob, _ in sample["filtered_resps"]]
            prediction = logprobs.index(max(logprobs))  # lm-eval takes the first of equals too
            if (prediction == int(sample["target"])) != (sample["acc"] == 1.0):
                raise RunError(f"{path}: the accuracy of question {sample['doc_id']} does not follow from its scores.")
            answers.append(Answer(logprobs, prediction))
        return answers


class Gnomon:
    """gnomon in this Python, run by its own command line."""

    def __init__(self, model: Path, rows: Path, folder: Path, *, whole: bool) -> None:
        """Keep where the model, the rows and the runs are, and whether the rows are whole subjects."""
        self.model, self.rows, self.folder, self.whole = model, rows, folder, whole
        warm_disk(sys.executable)
        self.environment = os.environ | OFFLINE | {"GNOMON_CACHE": str(folder / "cache")}
        command = [sys.executable, "-m", "gnomon", "eval", "facts", "-m", f"hf/{model}", "--limit", "1", "--no-cache"]
        timed([*command, "--runs-dir", str(folder / "warm")], self.environment)

    def measure(self, subjects: Sequence[str], tag: str) -> Measurement:
        """Run gnomon once, with a runs folder of its own and no score cache: nothing is resumed or looked up."""
        command = [sys.executable, "-m", "gnomon", "eval", "mmlu", "-m", f"hf/{self.model}", "-M", "dtype=float32"]
        command += ["--protocol", "lm-eval", "--shots", str(SHOTS), "-T", f"subsets={','.join(subjects)}"]
        command += ["-T", f"data={self.rows}", "--runs-dir", str(self.folder / tag), "--json", "--no-cache"]
        if not self.whole:
            command += ["-T", "counts=any"]  # gnomon refuses a cut file unless told
        used = timed(command, self.environment)
        run = Path(json.loads(used.stdout)["run"])
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        if not manifest["tokens_computed"]:
            raise RunError(f"{run} computed no tokens: its answers came from a cache, so there is nothing to time.")
        found: dict[str, dict[int, Answer]] = {subject: {} for subject in subjects}
        for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            subject, _, index = record["id"].split("/")
            found[subject][int(index)] = Answer(record["output"]["logprobs"][0], record["parsed"])
        answers = {subject: [by_index[index] for index in sorted(by_index)] for subject, by_index in found.items()}
        tokens = manifest["tokens_computed"]
        return Measurement(wall=used.wall, cpu=used.cpu, peak=used.peak, tokens_computed=tokens, answers=answers)


# ------------------------------------------------------------------------------------------------ measuring and table


def measure_unit(
    options: argparse.Namespace, peer: Peer, ours: Gnomon, name: str, unit: list[str]
) -> tuple[Row, list[Measurement]]:
    """Measure one unit in every round; give its row, and every lm-eval process, the slower ones too."""
    row, all_peer = Row(name, [], []), []

    def run_peer(tag: str) -> None:
        runs = []
        for size in options.peer_batch_size:
            runs.append(peer.measure(unit, size, f"lm-eval-{tag}-{size}"))
            print(f"{name}: lm-eval, batch size {size}: {runs[-1].wall:.1f} s", file=sys.stderr, flush=True)
        all_peer.extend(runs)
        row.peer.append(min(runs, key=lambda run: run.wall))  # the peer is compared at its best

    def run_ours(tag: str) -> None:
        if not options.peer_only:
            row.gnomon.append(ours.measure(unit, f"gnomon-{tag}"))
            print(f"{name}: gnomon: {row.gnomon[-1].wall:.1f} s", file=sys.stderr, flush=True)

    for repeat in range(options.repeats):
        # The order alternates, so that a machine that warms up or slows down favours neither tool.
        for run_one in (run_peer, run_ours) if repeat % 2 == 0 else (run_ours, run_peer):
            run_one(f"{unit[0]}-{repeat}")
    return row, all_peer


def measure_units(options: argparse.Namespace, peer: Peer, ours: Gnomon) -> tuple[list[Row], list[Measurement]]:
    """Measure every unit: each subject, or all of them together; give the rows and every lm-eval process."""
    subjects: list[str] = options.subjects
    units = {f"{len(subjects)} subjects together": subjects} if options.together else {s: [s] for s in subjects}
    measured = [measure_unit(options, peer, ours, name, unit) for name, unit in units.items()]
    return [row for row, _ in measured], [run for _, runs in measured for run in runs]


def total(rows: Sequence[Row]) -> Row:
    """Sum times and tokens over units, round by round."""

    def add(measurements: Sequence[Measurement]) -> Measurement:
        return Measurement(
            wall=sum(m.wall for m in measurements),
            cpu=sum(m.cpu for m in measurements),
            peak=max(m.peak for m in measurements),
            tokens_computed=sum(m.tokens_computed for m in measurements),
            prompt_tokens=sum(m.prompt_tokens for m in measurements),
            answers={subject: answers for m in measurements for subject, answers in m.answers.items()},
        )

    peer = [add(measurements) for measurements in zip(*(row.peer for row in rows), strict=True)]
    gnomon = [add(measurements) for measurements in zip(*(row.gnomon for row in rows), strict=True)]
    return Row("all", peer, gnomon)


def summarise(row: Row) -> dict[str, Any]:
    """Reduce a row's rounds to the numbers of the table: medians over rounds, and the range of the time ratio."""
    median = statistics.median
    summary: dict[str, Any] = {
        "subject": row.name,
        "questions": sum(len(answers) for answers in row.peer[0].answers.values()),
        "prompt_tokens": row.peer[0].prompt_tokens,
        "wall_lm_eval": median(m.wall for m in row.peer),
        "cpu_lm_eval": median(m.cpu for m in row.peer),
        "peak_lm_eval": max(m.peak for m in row.peer),
        "tokens_lm_eval": median(m.tokens_computed for m in row.peer),
    }
    if row.gnomon:
        times = row.ratios(lambda m: m.wall)
        tokens = median(row.ratios(lambda m: m.tokens_computed))
        questions, same, worst = row.agreement()
        summary |= {
            "wall_gnomon": median(m.wall for m in row.gnomon),
            "time_ratio": median(times),
            "time_ratio_range": [min(times), max(times)],
            "cpu_ratio": median(row.ratios(lambda m: m.cpu)),
            "peak_gnomon": max(m.peak for m in row.gnomon),
            "tokens_gnomon": median(m.tokens_computed for m in row.gnomon),
            "token_ratio": tokens,
            "share_of_token_ratio": median(times) / tokens,
            "same_predictions": [same, questions],
            "max_abs_logprob_difference": worst,
        }
    return summary


COLUMNS: list[tuple[str, str, Callable[[Any], str]]] = [
    ("subject", "subject", str),
    ("questions", "questions", "{:,}".format),
    ("prompt_tokens", "prompt tokens", "{:,}".format),
    ("wall_lm_eval", "lm-eval s", "{:.1f}".format),
    ("wall_gnomon", "gnomon s", "{:.1f}".format),
    ("time_ratio", "time ratio", "{:.2f}".format),
    ("time_ratio_range", "range", lambda pair: f"{pair[0]:.2f}-{pair[1]:.2f}"),
    ("cpu_ratio", "CPU ratio", "{:.2f}".format),
    ("peak_lm_eval", "lm-eval MiB", "{:,.0f}".format),
    ("peak_gnomon", "gnomon MiB", "{:,.0f}".format),
    ("tokens_lm_eval", "lm-eval tokens", "{:,.0f}".format),
    ("tokens_gnomon", "gnomon tokens", "{:,.0f}".format),
    ("token_ratio", "token ratio", "{:.2f}".format),
    ("share_of_token_ratio", "share reached", "{:.0%}".format),
    ("same_predictions", "same answers", lambda pair: f"{pair[0]}/{pair[1]}"),
    ("max_abs_logprob_difference", "max |d log-prob|", "{:.1e}".format),
]


def table(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Lay the summaries out as text, one line each; columns that nobody filled are left out."""
    columns = [column for column in COLUMNS if column[0] in summaries[0]]
    lines = [[title for _, title, _ in columns]]
    lines += [[show(summary[key]) for key, _, show in columns] for summary in summaries]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    # Names to the left, numbers to the right.
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def footer(all_peer: Sequence[Measurement]) -> str:
    """Say what the peer was, and where its time went at each batch size."""
    lines = []
    for size in dict.fromkeys(run.batch_size for run in all_peer):
        runs = [run for run in all_peer if run.batch_size == size]
        load, scoring, wall, tokens = (
            statistics.fmean(values)
            for values in (
                [run.load_seconds or 0.0 for run in runs],
                [run.scoring_seconds or 0.0 for run in runs],
                [run.wall for run in runs],
                [run.tokens_computed for run in runs],
            )
        )
        lines.append(
            f"lm-eval, batch size {size}, mean of {len(runs)} processes: {wall:.1f} s, of which {load:.1f} s loading "
            f"the model and {scoring:.1f} s scoring; {tokens:,.0f} tokens"
        )
    versions = ", ".join(f"{name} {version}" for name, version in (all_peer[0].versions or {}).items())
    lines.append(f"peer: {versions}; {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    return "\n".join(lines)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with {dev,test}/<subject>_{dev,test}.csv")
    parser.add_argument("--subjects", default=DEFAULT_SUBJECTS, help="comma-separated; default: %(default)s")
    parser.add_argument("--model", type=Path, help="Hugging Face folder; default: gnomon's embedded SmolLM2")
    parser.add_argument("--limit", type=int, help="only the first N questions of each subject, for both tools")
    parser.add_argument("--repeats", type=int, default=1, help="rounds a subject, in alternating order")
    parser.add_argument("--together", action="store_true", help="all subjects in one process a tool")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python in which lm_eval can be imported")
    parser.add_argument(
        "--peer-batch-size",
        default=BEST_PEER_BATCH_SIZES,
        help="comma-separated sizes or auto; each is measured, the fastest is compared; default: %(default)s",
    )
    parser.add_argument("--peer-only", action="store_true", help="measure lm-eval alone")
    parser.add_argument("--json", type=Path, help="write every measurement and answer to this file")
    options = parser.parse_args(arguments)
    options.subjects = options.subjects.split(",")
    options.peer_batch_size = options.peer_batch_size.split(",")
    for name in ("limit", "repeats"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UsageError(f"--{name} is {value}.", hint="It has to be at least 1.")
    return options


def bench(options: argparse.Namespace) -> None:
    """Stage, measure, print."""
    if options.model is None:
        from gnomon.models import smollm2

        options.model = smollm2.folder()
    with tempfile.TemporaryDirectory(prefix="gnomon-bench-") as name:
        folder, load = Path(name), os.getloadavg()
        our_rows, their_rows = stage(options.data, options.subjects, options.limit, folder / "rows")
        peer = Peer(options.peer_python, options.model.resolve(), their_rows, options.subjects, folder)
        ours = Gnomon(options.model.resolve(), our_rows, folder, whole=options.limit is None)
        rows, all_peer = measure_units(options, peer, ours)
    summaries = [summarise(row) for row in ([*rows, total(rows)] if len(rows) > 1 else rows)]
    print(table(summaries))
    print(footer(all_peer))
    if options.json:
        record = {
            "options": vars(options),
            "load_average_at_start": load,
            "rows": summaries,
            "lm_eval": [asdict(run) for run in all_peer],
            "gnomon": [asdict(run) for row in rows for run in row.gnomon],
        }
        options.json.write_text(json.dumps(record, indent=1, default=str), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; a mistake that a user can mend is one sentence and exit status 2."""
    try:
        bench(read_options(arguments))
    except GnomonError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
