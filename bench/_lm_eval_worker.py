"""The part of the MMLU bench that runs inside the peer's Python.

Belongs here: writing lm-eval task files for local data out of the installed templates (`prepare`), and running
lm-eval's own command line with counters around the model (`run`). Does not belong here: timing, gnomon, tables; and
nothing may be imported from gnomon, because the peer may live in an environment of its own.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TASK_PREFIX = "local_mmlu_"
TASK_PACKAGE = Path("tasks", "mmlu", "default")


def write_tasks(tasks: Path, data: Path, subjects: list[str]) -> None:
    """Write one lm-eval task file a subject: the installed template, with nothing changed but where the rows come from.

    Parameters
    ----------
    tasks : Path
        Folder to write `<subject>.yaml` into; it is given to lm-eval as `--include_path`.
    data : Path
        Folder of `{dev,test}/<subject>.jsonl` with the columns question, choices and answer.
    subjects : list of str
        MMLU subjects by their file names, for example "abstract_algebra".
    """
    import yaml

    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise SystemExit("lm_eval is not importable in this Python.")
    templates = Path(spec.origin).parent / TASK_PACKAGE
    tasks.mkdir(parents=True, exist_ok=True)
    for subject in subjects:
        own = yaml.safe_load((templates / f"mmlu_{subject}.yaml").read_text(encoding="utf-8"))
        config = yaml.safe_load((templates / own.pop("include")).read_text(encoding="utf-8")) | own
        # The hub's name and the groups go; every field that shapes a prompt or a metric stays as installed.
        config.pop("dataset_name")
        config.pop("tag", None)
        files = {split: str(data / split / f"{subject}.jsonl") for split in ("dev", "test")}
        config |= {"task": TASK_PREFIX + subject, "dataset_path": "json", "dataset_kwargs": {"data_files": files}}
        (tasks / f"{subject}.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def warm_dataset_cache(data: Path, subjects: list[str]) -> None:
    """Let `datasets` build its Arrow files now, so that no timed run pays for what a hub user pays for only once."""
    import datasets

    for subject in subjects:
        datasets.load_dataset(
            "json", data_files={split: str(data / split / f"{subject}.jsonl") for split in ("dev", "test")}
        )


class Counters:
    """What one lm-eval process computed: tokens through the model, prompt tokens asked for, and where time went."""

    def __init__(self) -> None:
        self.tokens_computed = 0
        self.prompt_tokens = 0
        self.load_seconds = 0.0
        self.scoring_seconds = 0.0
        self.max_length = 0

    def attach(self) -> None:
        """Wrap lm-eval's Hugging Face model class; the wrapped methods are called unchanged."""
        from lm_eval.models.huggingface import HFLM

        load, score = HFLM.__init__, HFLM._loglikelihood_tokens

        def counted_load(model: Any, *args: Any, **kwargs: Any) -> None:
            start = time.perf_counter()
            load(model, *args, **kwargs)
            self.load_seconds += time.perf_counter() - start
            self.max_length = int(model.max_length)
            model.model.register_forward_pre_hook(self._count_forward, with_kwargs=True)

        def counted_score(model: Any, requests: list[Any], *args: Any, **kwargs: Any) -> Any:
            self._count_prompts(requests, int(model.max_length))
            start = time.perf_counter()
            answers = score(model, requests, *args, **kwargs)
            self.scoring_seconds += time.perf_counter() - start
            return answers

        HFLM.__init__, HFLM._loglikelihood_tokens = counted_load, counted_score

    def _count_forward(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # Padding counts: the model computes it.
        tokens = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        self.tokens_computed += int(tokens.numel())

    def _count_prompts(self, requests: list[Any], max_length: int) -> None:
        # The four choices of a question follow one another with one and the same context.
        previous = None
        for (context, _), context_tokens, continuation_tokens in requests:
            if context != previous:
                self.prompt_tokens += min(len(context_tokens) + len(continuation_tokens) - 1, max_length)
            previous = context


def run_cli(out: Path, arguments: list[str]) -> None:
    """Run `lm-eval ARGUMENTS` in this process with counters around the model, and write them to `out` as JSON."""
    counters = Counters()
    counters.attach()
    from lm_eval.__main__ import cli_evaluate

    sys.argv = ["lm-eval", *arguments]
    cli_evaluate()
    import torch

    versions = {name: importlib.metadata.version(name) for name in ("lm_eval", "torch", "transformers")}
    record = vars(counters) | {"versions": versions, "threads": torch.get_num_threads(), "process": os.getpid()}
    out.write_text(json.dumps(record), encoding="utf-8")


def main() -> None:
    """Read the mode and its arguments; everything after `--` is lm-eval's own command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    prepare = modes.add_parser("prepare")
    prepare.add_argument("--tasks", type=Path, required=True)
    prepare.add_argument("--data", type=Path, required=True)
    prepare.add_argument("subjects", nargs="+")
    run = modes.add_parser("run")
    run.add_argument("--out", type=Path, required=True)
    own, peer = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, peer = own[:split], own[split + 1 :]
    options = parser.parse_args(own)
    if options.mode == "prepare":
        write_tasks(options.tasks, options.data, options.subjects)
        warm_dataset_cache(options.data, options.subjects)
    else:
        run_cli(options.out, peer)


if __name__ == "__main__":
    main()
