"""Sketches of shards, here or on a Ray cluster, and merging them by a tree.

Belongs here: spreading and merging. Does not belong here: the sketch. Ray needs the extra `ray`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import UsageError
from gnomon.streaming._errors import InputError
from gnomon.streaming._files import load_sketch
from gnomon.streaming.hinge_sketch import HingeSketch

__all__ = ["merge_files", "merge_tree", "sketch_shards"]

Shard = Callable[[], Iterable[tuple[Any, Any]]]


def merge_tree(sketches: Sequence[HingeSketch]) -> HingeSketch:
    """All sketches as one, merged in pairs; they stay as they are."""
    if not sketches:
        raise InputError("there are no sketches to merge.")
    level = [one.copy() for one in sketches]
    while len(level) > 1:
        pairs = [level[at].merge(level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
    return level[0]


def merge_files(files: Sequence[str | Path], out: str | Path) -> HingeSketch:
    """Merge sketch files into one, and write it. Raises InputError where they differ in size or columns."""
    loaded = [(Path(file), *load_sketch(Path(file))) for file in files]
    first, _, meta = loaded[0]
    for file, sketch, other in loaded:
        if not isinstance(sketch, HingeSketch):
            raise InputError(f"{file} holds a {type(sketch).__name__}, and only HingeSketch files are merged here.")
        if other.get("names") != meta.get("names"):
            raise InputError(f"{first} has the columns {meta.get('names')}, and {file} has {other.get('names')}.")
    whole = merge_tree([sketch for _, sketch, _ in loaded])
    whole.save(out, {"names": meta.get("names", []), "position": 0, "first radius": 0.0})
    return whole


def _sketched(shard: Shard, k: int, radius: float | None, seed: int, number: int) -> HingeSketch:
    """One shard's sketch; its samples have a seed of their own."""
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    sketch = HingeSketch(k, radius, own)
    for X, y in shard():
        sketch.partial_fit(X, y)
    return sketch


def _merged(left: HingeSketch, right: HingeSketch) -> HingeSketch:
    return left.copy().merge(right)


def sketch_shards(
    shards: Sequence[Shard],
    k: int = 256,
    radius: float | None = None,
    seed: int = 0,
    ray: bool = False,
    retries: int = 3,
) -> HingeSketch:
    """The sketch of all shards: one a shard, merged by a tree.

    Parameters
    ----------
    shards : sequence of callables
        Each gives pairs (X, y) when it is called; it may be called again, where a worker was lost, and must then give
        the same.
    ray : bool
        On the Ray cluster that `ray.init` has joined (one on this machine is begun where there is none). A task whose
        worker dies is run again, up to `retries` times; a shard counts once, because only finished sketches are merged.

    Raises
    ------
    UsageError
        Where Ray is asked for and missing.

    Examples
    --------
    >>> def shard(seed):
    ...     X = np.random.default_rng(seed).uniform(-1, 1, (1000, 1))
    ...     return lambda: [(X, np.sign(X[:, 0]))]
    >>> sketch_shards([shard(seed) for seed in range(4)], k=32).n_seen_
    4000
    """
    if not ray:
        return merge_tree([_sketched(shard, k, radius, seed, number) for number, shard in enumerate(shards)])
    try:
        import ray as cluster
    except ImportError:
        raise UsageError("shards on a cluster need the package ray.", hint="pip install 'gnomon[ray]'") from None
    if not cluster.is_initialized():
        cluster.init(include_dashboard=False, log_to_driver=False)
    build = cluster.remote(max_retries=retries)(_sketched)
    join = cluster.remote(max_retries=retries)(_merged)
    level: list[Any] = [build.remote(shard, k, radius, seed, number) for number, shard in enumerate(shards)]
    if not level:
        raise InputError("there are no shards.")
    while len(level) > 1:
        pairs = [join.remote(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
    found: HingeSketch = cluster.get(level[0])
    return found
